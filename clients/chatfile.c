/*
 * chatfile [-fn] [-u USER] [--resync] URL-or-FILE
 *
 * Syncs a room file with a chatfile server: sends what was typed behind the
 * last footer, appends what others wrote (specs/chatfile.txt). How, and why no
 * crash loses or doubles anything: chatfile_sync.c, chatfile_merge.c.
 *
 * Files: NAME.txt, .NAME.txt.chatfile (the memo) and .chatfile beside it;
 * ~/.netrc. Environment: CHATFILE_PASSWORD, CHATFILE_TIMEOUT (seconds of
 * silence, 60), and libcurl's http_proxy and its like.
 *
 * Exit status: 0 done, 1 the server refuses or the text is bad or the file
 * needs a person, 100 usage, 111 network, server or system failed: try again
 * later.
 */
#include "chatfile.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/parse.h"

struct options {
	const char *user;
	const char *what; /* URL or FILE */
	bool follow;
	bool fetch_only;
	bool resync;
};

/* --- talking -------------------------------------------------------------- */

const char say_name[] = "chatfile";

static const char help[] =
    "usage: chatfile [-fn] [-u USER] [--resync] URL-or-FILE\n"
    "\n"
    "  chatfile http://HOST:8080/rooms/lobby.txt   the first time; then\n"
    "  $EDITOR lobby.txt                           type at its end, and\n"
    "  chatfile lobby.txt                          send it, get the others'\n"
    "\n"
    "  -f, --follow     go on: send what is typed, append what comes\n"
    "  -n, --fetch      fetch only, send nothing\n"
    "  -u, --user USER  who you are on the server\n"
    "      --resync     fetch the room anew; unsent text stays at its end\n"
    "      --help, --version\n"
    "\n"
    "The password comes from CHATFILE_PASSWORD, ~/.netrc or a prompt.\n"
    "Exit status: 0 done, 1 refused or bad text, 100 usage, 111 network or\n"
    "system. See chatfile(1).\n";

void die(int status, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say("%s", text);
	exit(status);
}

/* --- what to sync, with what ---------------------------------------------- */

void put(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		die(EXIT_USAGE, "%.40s...: too long", text);
	memcpy(out, text, len);
	out[len] = 0;
}

static void check_room(const char *name)
{
	size_t len = strlen(name);

	if (len <= 4 || strcmp(name + len - 4, ".txt") != 0 ||
	    !parse_is_token(name, len - 4, LIMIT_ROOM_NAME, "_-"))
		die(EXIT_USAGE,
		    "%s: a room file is NAME.txt, NAME 1 to %d letters, "
		    "digits, _ or -",
		    name[0] ? name : "no name", LIMIT_ROOM_NAME);
}

/* Removes USER@ from a URL. A password there could be seen by everyone on the
 * machine, so it is refused. */
static void take_user(struct config *c)
{
	char *host = strstr(c->url, "://") + 3, *user = host;
	char *end = host + strcspn(host, "/"), *at;

	at = memchr(host, '@', (size_t)(end - host));
	if (!at)
		return;
	if (memchr(user, ':', (size_t)(at - user)))
		die(EXIT_USAGE,
		    "no password in the URL: others can see it. "
		    "Use CHATFILE_PASSWORD, ~/.netrc or the prompt");
	put(c->user, sizeof c->user, user, (size_t)(at - user));
	memmove(host, at + 1, strlen(at + 1) + 1);
}

static void split_url(const char *url, struct config *c, char room[NAME_BYTES])
{
	const char *slash = strrchr(url, '/');

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		die(EXIT_USAGE, "%s: only http:// and https://", url);
	if (slash <= strstr(url, "://") + 2)
		slash = url + strlen(url) - 1;
	check_room(slash + 1);
	put(room, NAME_BYTES, slash + 1, strlen(slash + 1));
	put(c->url, sizeof c->url, url, (size_t)(slash - url) + 1);
	take_user(c);
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_FAILED, "%s: %s%s", path, strerror(errno),
		    errno == ENOENT
			? " (a server's address begins with http://)"
			: "");
	return fd;
}

static bool load_config(struct config *c, int dir, const char *where)
{
	int r = config_load(c, dir);

	if (r == -EINVAL)
		die(EXIT_USAGE, "%s/.chatfile:%u: not url=, user= or # comment",
		    where, c->line);
	if (r == -ENOENT)
		return false;
	if (r < 0)
		die(EXIT_FAILED, "%s/.chatfile: %s", where, strerror(-r));
	if (!c->url[0])
		die(EXIT_USAGE, "%s/.chatfile: no url=", where);
	return true;
}

/* The file's place, and what .chatfile says there. True: it has one. */
static bool find_place(const char *what, struct config *given, struct config *c,
    char room[NAME_BYTES], char path[PATH_MAX], int *ret_dir)
{
	bool is_url = strstr(what, "://") != NULL, have;
	char copy[PATH_MAX];
	const char *dir = ".";

	if (is_url) {
		split_url(what, given, room);
		put(path, PATH_MAX, room, strlen(room));
	} else {
		const char *slash = strrchr(what, '/');

		check_room(slash ? slash + 1 : what);
		put(path, PATH_MAX, what, strlen(what));
		put(copy, sizeof copy, what, strlen(what));
		put(room, NAME_BYTES, slash ? slash + 1 : what,
		    strlen(slash ? slash + 1 : what));
		dir = dirname(copy);
	}
	*ret_dir = open_dir(dir);
	have = load_config(c, *ret_dir, dir);
	if (!have && !is_url)
		die(EXIT_USAGE,
		    "no .chatfile in %s: begin with `chatfile "
		    "http://HOST:PORT/rooms/%s`",
		    dir, room);
	if (have && is_url && strcmp(c->url, given->url) != 0)
		die(EXIT_USAGE,
		    "this folder is synced with %s (see .chatfile): use "
		    "another folder, or change that file",
		    c->url);
	return have;
}

/* A symbolic link is followed: the file and its memo are at its target. */
static void find_local(struct local *l, char path[PATH_MAX])
{
	char target[PATH_MAX], copy[PATH_MAX];

	if (realpath(path, target))
		put(path, PATH_MAX, target, strlen(target));
	put(copy, sizeof copy, path, strlen(path));
	l->dir = open_dir(dirname(copy));
	put(copy, sizeof copy, path, strlen(path));
	put(l->name, 200, basename(copy), strlen(basename(copy)));
	l->fd = -1;
}

/* --- main ----------------------------------------------------------------- */

enum { OPT_HELP = 256, OPT_VERSION, OPT_RESYNC };

static const struct option long_options[] = {
    {"follow", no_argument, NULL, 'f'},
    {"fetch", no_argument, NULL, 'n'},
    {"user", required_argument, NULL, 'u'},
    {"resync", no_argument, NULL, OPT_RESYNC},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static void usage(void)
{
	(void)fputs("usage: chatfile [-fn] [-u USER] [--resync] URL-or-FILE\n"
		    "chatfile --help tells more\n",
	    stderr);
	exit(EXIT_USAGE);
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "fnu:", long_options, NULL)) >= 0) {
		switch (c) {
		case 'f':
			o->follow = true;
			break;
		case 'n':
			o->fetch_only = true;
			break;
		case 'u':
			o->user = optarg;
			break;
		case OPT_RESYNC:
			o->resync = true;
			break;
		case OPT_HELP:
			(void)fputs(help, stdout);
			exit(0);
		case OPT_VERSION:
			(void)puts("chatfile (parlance) " PARLANCE_VERSION);
			exit(0);
		default:
			usage();
		}
	}
	if (optind != argc - 1)
		usage();
	o->what = argv[optind];
}

static int exit_status(enum outcome o)
{
	switch (o) {
	case OUT_DONE:
		return 0;
	case OUT_TEXT:
	case OUT_REFUSED:
	case OUT_CHANGED:
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

static int run(struct sync *s, const struct options *o)
{
	enum outcome out = OUT_DONE;

	if (o->resync)
		out = first_anew(s);
	if (out == OUT_DONE)
		out = o->follow ? follow(s) : sync_run(s);
	progress_end();
	if (out != OUT_DONE)
		say("%s", s->why);
	return exit_status(out);
}

static void begin(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT))
		die(EXIT_FAILED, "cannot start libsodium or libcurl");
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct config given = {0}, config;
	struct sync s = {.make = true, .patience = -1};
	char room[NAME_BYTES], path[PATH_MAX], url[URL_BYTES + NAME_BYTES];
	char *password;
	int status;

	parse_options(&o, argc, argv);
	begin();
	if (!find_place(o.what, &given, &config, room, path, &s.config_dir)) {
		config = given;
		s.config = &config;
	}
	find_local(&s.local, path);
	s.room = room;
	s.fetch_only = o.fetch_only;
	s.user = login_user(o.user ? o.user : given.user, &config);
	if (s.config && s.user && s.user != config.user)
		put(config.user, sizeof config.user, s.user, strlen(s.user));
	(void)snprintf(url, sizeof url, "%s%s", config.url, room);
	password = login_password(s.user, config.url);
	s.http = http_new(url, s.user, password);
	free(password);
	if (!s.http)
		die(EXIT_USAGE, "%s: not a URL", url);
	http_progress(s.http, room);
	status = run(&s, &o);
	http_free(s.http);
	memo_free(&s.memo);
	curl_global_cleanup();
	return status;
}
