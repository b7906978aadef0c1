/*
 * toychat [-f] [-s PATH | -H HOST -p PORT]
 *
 * A client of the toychat protocol (specs/toychat.txt): for people, if stdin
 * and stdout are a terminal, else a filter: a command of the protocol a line
 * in, a reply a line out, where `upload FILE` and `download NAME [FILE]` take
 * paths.
 *
 * Without options it tries RUNTIME_DIRECTORY/toychat.sock, or where that is
 * not set /run/parlance/toychat.sock, and then localhost:8888.
 *
 * Environment: TOYCHAT_TIMEOUT (seconds in which a reply must come, 60),
 * TOYCHAT_INTERVAL (seconds between two looks at the inbox, 5), PARLANCE_CONF
 * and RUNTIME_DIRECTORY (where the socket is), ~/.editrc.
 *
 * Exit status: 0 done; 1 a reply was an error (the filter goes on and says so
 * at its end); 100 usage; 111 nobody listens, or the connection is lost.
 */
#include "toychat.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "lib/settings.h"

const char say_name[] = "toychat";

static const char help[] =
    "usage: toychat [-f] [-s PATH | -H HOST -p PORT]\n"
    "\n"
    "  toychat              talk to people: type help there\n"
    "  toychat <commands    the protocol's commands, a line each; replies\n"
    "                       go to standard output, a line each\n"
    "\n"
    "  -f, --force   downloads may replace files\n"
    "  -s PATH       the server's Unix socket\n"
    "  -H HOST       the server's host; localhost by default\n"
    "  -p PORT       its port; 8888 by default\n"
    "      --help, --version\n"
    "\n"
    "Without -s, -H and -p the server of this machine is looked for.\n"
    "Exit status: 0 done, 1 after an error, 100 usage, 111 nobody listens.\n"
    "See toychat(1).\n";

static void usage(void)
{
	(void)fputs("usage: toychat [-f] [-s PATH | -H HOST -p PORT]\n"
		    "toychat --help tells more\n",
	    stderr);
	exit(EXIT_USAGE);
}

static void check_port(const char *port)
{
	uint64_t n;

	if (parse_u64(port, strlen(port), 65535, &n) < 0 || n == 0)
		log_usage("toychat", "-p %s: not a port (1 to 65535)", port);
}

/* A host as in a URL: [::1]. */
static const char *bare_host(char *host)
{
	size_t len = strlen(host);

	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return host;
	host[len - 1] = '\0';
	return host + 1;
}

static void set_option(struct chat *c, int letter)
{
	switch (letter) {
	case 'f':
		c->force = true;
		break;
	case 's':
		c->target.path = optarg;
		break;
	case 'H':
		c->target.host = bare_host(optarg);
		break;
	case 'p':
		check_port(optarg);
		c->target.port = optarg;
		break;
	case 1:
		(void)fputs(help, stdout);
		exit(fflush(stdout) ? EXIT_LOST : 0);
	case 2:
		(void)puts("toychat (parlance) " PARLANCE_VERSION);
		exit(fflush(stdout) ? EXIT_LOST : 0);
	default:
		usage();
	}
}

static void read_options(struct chat *c, int argc, char **argv)
{
	static const struct option longs[] = {{"force", no_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 1}, {"version", no_argument, NULL, 2},
	    {0}};
	int letter;

	while ((letter = getopt_long(argc, argv, "fs:H:p:", longs, NULL)) >= 0)
		set_option(c, letter);
	if (optind < argc)
		usage();
	if (c->target.path && (c->target.host || c->target.port))
		log_usage("toychat", "-s is one place, -H and -p another");
}

/* Where the server's sockets are may stand in its parlance.conf. */
static void read_settings(void)
{
	struct settings_error wrong;

	if (settings_import_default(&wrong) < 0 && getenv("PARLANCE_CONF"))
		log_usage("toychat", "%s", wrong.text);
}

static int connect_or_die(struct target *t)
{
	int fd;

	if (!t->path && !t->host && !t->port) {
		read_settings();
		fd = target_connect_default(t);
	} else {
		if (!t->path && !t->host)
			t->host = DEFAULT_HOST;
		if (!t->port)
			t->port = DEFAULT_PORT;
		fd = target_connect(t);
	}
	if (fd < 0) {
		say("nobody listens: %s", t->why);
		exit(EXIT_LOST);
	}
	return fd;
}

int64_t seconds_of(const char *variable, uint64_t standard)
{
	const char *text = getenv(variable);
	uint64_t seconds = standard;

	if (text &&
	    (parse_u64(text, strlen(text), 86400, &seconds) < 0 || !seconds))
		log_usage("toychat", "%s: 1 to 86400 seconds", variable);
	return (int64_t)seconds * 1000;
}

int main(int argc, char **argv)
{
	static struct chat c;
	int64_t silence;
	int fd, status;

	(void)setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	read_options(&c, argc, argv);
	silence = seconds_of("TOYCHAT_TIMEOUT", PATIENCE_S);
	fd = connect_or_die(&c.target);
	c.since = clock_ms();
	if (link_init(&c.link, fd, -1, silence) < 0)
		return EXIT_LOST;
	c.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	status = c.terminal ? terminal_run(&c) : pipe_run(&c);
	link_close(&c.link);
	inbox_free(&c.inbox);
	names_free(&c.users);
	names_free(&c.files);
	return status;
}
