/*
 * A handler for tests of serve, and as `fanout` a helper. It says "hi PID",
 * then obeys lines:
 *
 *	env NAME    the variable's value, or "-"
 *	options     TCP_NODELAY, SO_KEEPALIVE and TCP_KEEPIDLE of the client
 *	fds         its open descriptors
 *	signals     which of SIGINT and SIGPIPE are ignored
 *	die N       raises signal N
 *	deaf        from now on SIGTERM is not obeyed
 *	anything    is echoed
 *
 * With STUB_TEMPLATE in its environment it can be a template.
 *
 * SIGTERM: says "bye", exits 0. End of input: exits 0. As a helper it writes
 * "stub PID parent PPID" to stderr and waits for SIGTERM.
 */
#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/template.h"

static enum io_how how = IO_TERM;

static void say_options(void)
{
	static const int which[][2] = {{IPPROTO_TCP, TCP_NODELAY},
	    {SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_KEEPIDLE}};

	for (size_t i = 0; i < 3; i++) {
		int value = -1;
		socklen_t len = sizeof value;

		(void)getsockopt(0, which[i][0], which[i][1], &value, &len);
		(void)printf("%d%c", value, i < 2 ? ' ' : '\n');
	}
}

static void say_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *e;

	while (folder && (e = readdir(folder)))
		if (isdigit(e->d_name[0]) &&
		    strtol(e->d_name, NULL, 10) != (long)dirfd(folder))
			(void)printf("%s ", e->d_name);
	(void)printf("\n");
	if (folder)
		(void)closedir(folder);
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	(void)sigaction(signal, NULL, &action);
	return action.sa_handler == SIG_IGN;
}

static void obey(const char *line)
{
	if (strncmp(line, "env ", 4) == 0)
		(void)printf("%s\n", getenv(line + 4) ? getenv(line + 4) : "-");
	else if (strcmp(line, "options") == 0)
		say_options();
	else if (strcmp(line, "fds") == 0)
		say_descriptors();
	else if (strcmp(line, "signals") == 0)
		(void)printf(
		    "%d %d\n", is_ignored(SIGINT), is_ignored(SIGPIPE));
	else if (strncmp(line, "die ", 4) == 0)
		(void)raise((int)strtol(line + 4, NULL, 10));
	else if (strcmp(line, "deaf") == 0)
		how = IO_BUSY;
	else
		(void)printf("%s\n", line);
	(void)fflush(stdout);
}

/* As lib/start.c does; else it has its client already. */
static void be_template(void)
{
	struct template_client c;
	int socket = getenv("STUB_TEMPLATE") ? template_socket() : -1;

	if (socket < 0)
		return;
	if (template_serve(socket, &c) != 0)
		exit(0);
	(void)dup2(c.fd, 0);
	(void)dup2(c.fd, 1);
	(void)close(c.fd);
	if (c.address[0]) {
		char port[8];

		(void)snprintf(port, sizeof port, "%u", (unsigned)c.port);
		(void)setenv("REMOTE_ADDR", c.address, 1);
		(void)setenv("REMOTE_PORT", port, 1);
	}
}

static int helper(void)
{
	struct pollfd none = {.fd = -1};

	(void)fprintf(stderr, "stub %d parent %d\n", getpid(), getppid());
	while (io_wait(&none, 1, CLOCK_NEVER, IO_TERM) > 0)
		continue;
	(void)fprintf(stderr, "stub %d ends\n", getpid());
	return 0;
}

/* Lines may arrive together. */
static void obey_each(char *text)
{
	char *end;

	for (; (end = strchr(text, '\n')); text = end + 1) {
		*end = '\0';
		obey(text);
	}
}

int main(int argc, char **argv)
{
	struct client client;
	char text[256];
	ssize_t n;

	(void)argc;
	io_signals();
	if (strstr(argv[0], "/fanout"))
		return helper();
	be_template();
	(void)io_client(&client, 0, 1);
	(void)printf("hi %d\n", getpid());
	(void)fflush(stdout);
	while ((n = io_read(&client, text, sizeof text - 1, CLOCK_NEVER, how)) >
	       0) {
		text[n] = '\0';
		obey_each(text);
	}
	if (n < 0)
		(void)printf("bye\n");
	return 0;
}
