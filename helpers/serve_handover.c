/*
 * What serve hands on to itself at SIGHUP: lines of text, so that the next
 * version can read them, in a memfd whose number is in PARLANCE_SERVE_HANDOVER.
 * Descriptors are the same numbers there. What a line's rest is may hold
 * blanks.
 *
 *	serve 1 PID                                first, and for whom
 *	place NAME                                 we found it: serve_settings.c
 *	setting NAME=VALUE                         that a file has set
 *	helpers yes                                fanout and its like are ours
 *	log FD                                     -l, as it is open
 *	listener FD FOLDER LOCK DOOR ADDRESS       -1 for what it has not
 *	helper PID SINCE DELAY NAME
 *	with NAME SETTINGS                         of that helper
 *	connection PID DOOR UID PORT ADDRESS       `-` on a Unix socket
 *	waiting FD DOOR UID PORT ADDRESS           accepted, but not served yet
 *
 * Lines that begin otherwise are left out, so that one may add some and an
 *older version still goes on from there. What it could not read at all would
 *take another number, HANDOVER_FORMAT: `serve -t` of that version refuses it.
 *Had it not been asked, it takes what it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/io.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "serve.h"

#define VERSION 1

/* --- writing -------------------------------------------------------------- */

static void write_peer(FILE *f, const struct connection *c)
{
	(void)fprintf(f, " %s %u %u %s\n", c->door->name, (unsigned)c->peer.uid,
	    (unsigned)c->peer.port, c->peer.address[0] ? c->peer.address : "-");
}

/* Of the conversation, or -1. */
static int log_of(const struct serve *s)
{
	for (const struct door *d = s->doors; d < s->doors + SERVE_DOORS; d++)
		if (d->log)
			return d->log;
	return -1;
}

static void write_helper(FILE *f, const struct helper *h)
{
	if (!h->pid)
		return;
	(void)fprintf(f, "helper %d %jd %jd %s\n", (int)h->pid,
	    (intmax_t)h->since, (intmax_t)h->delay, h->name);
	if (h->with && !strchr(h->with, '\n'))
		(void)fprintf(f, "with %s %s\n", h->name, h->with);
}

static void write_all(FILE *f, const struct serve *s)
{
	const struct connection *c, *next;

	(void)fprintf(f, "serve %d %d\n", VERSION, (int)getpid());
	settings_write(s, f);
	if (s->with_helpers)
		(void)fputs("helpers yes\n", f);
	if (log_of(s) >= 0)
		(void)fprintf(f, "log %d\n", log_of(s));
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct listener *l = &s->listeners[i];

		(void)fprintf(f, "listener %d %d %d %s %s\n", l->fd, l->folder,
		    l->lock, l->door->name, l->address);
	}
	for (const struct helper *h = s->helpers;
	     h < s->helpers + SERVE_HELPERS; h++)
		write_helper(f, h);
	HASH_ITER (hh, s->connections, c, next) {
		(void)fprintf(f, "connection %d", (int)c->pid);
		write_peer(f, c);
	}
	for (c = s->held; c; c = c->next) {
		(void)fprintf(f, "waiting %d", c->fd);
		write_peer(f, c);
	}
}

static void mark(int fd, int flags)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, flags);
}

/* What is to pass the exec, or is not. */
static void mark_all(const struct serve *s, int flags)
{
	const struct connection *c;

	for (size_t i = 0; i < s->listener_count; i++) {
		mark(s->listeners[i].fd, flags);
		mark(s->listeners[i].folder, flags);
		mark(s->listeners[i].lock, flags);
	}
	for (c = s->held; c; c = c->next)
		mark(c->fd, flags);
	mark(log_of(s), flags);
}

int handover_write(struct serve *s)
{
	int fd = memfd_create("parlance-serve", 0), copy, r = 0;
	FILE *f;

	if (fd < 0)
		return -errno;
	copy = dup(fd);
	f = copy < 0 ? NULL : fdopen(copy, "w");
	if (!f) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	write_all(f, s);
	if (ferror(f))
		r = -EIO;
	if (fclose(f) != 0)
		r = -errno;
	if (r < 0)
		(void)close(fd);
	else
		mark_all(s, 0);
	return r < 0 ? r : fd;
}

void handover_undo(struct serve *s, int fd)
{
	mark_all(s, FD_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
}

/* --- reading -------------------------------------------------------------- */

/* The next word of a line, which it is cut off from; "" at the end. */
static char *word(char **text)
{
	char *at = *text, *end = at + strcspn(at, " ");

	*text = *end ? end + 1 : end;
	*end = '\0';
	return at;
}

/* -1 is a number, too: of what is not there. */
static int64_t number(char **text)
{
	const char *at = word(text);
	uint64_t value;

	if (parse_u64(at, strlen(at), INT64_MAX, &value) < 0)
		return -1;
	return (int64_t)value;
}

static int descriptor(char **text)
{
	int64_t n = number(text);

	return n > STDERR_FILENO && n <= INT_MAX && fcntl((int)n, F_GETFD) >= 0
		   ? (int)n
		   : -1;
}

static struct door *door(struct serve *s, char **text)
{
	const char *name = word(text);

	return door_find(s, name, strlen(name));
}

static void read_listener(struct serve *s, char *text)
{
	int fd = descriptor(&text), folder = descriptor(&text);
	int lock = descriptor(&text);
	struct door *d = door(s, &text);
	struct listener *l;

	if (fd < 0 || !d)
		return;
	if (s->listener_count == SERVE_LISTENERS) {
		log_event(LOG_ERR, "reload", "lost", text);
		return;
	}
	l = listener_add_or_die(s, d, fd);
	l->folder = folder;
	l->lock = lock;
	(void)snprintf(l->address, sizeof l->address, "%s", text);
}

static void read_helper(struct serve *s, char *text)
{
	int64_t pid = number(&text), since = number(&text);
	int64_t delay = number(&text);

	if (pid > 0)
		helper_kept(s, text, (pid_t)pid, since, delay);
}

static struct connection *read_peer(struct serve *s, char *text)
{
	struct connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->fd = -1;
	c->door = door(s, &text);
	c->peer.uid = (uid_t)number(&text);
	c->peer.port = (uint16_t)number(&text);
	if (!c->door) {
		free(c);
		return NULL;
	}
	if (strcmp(text, "-") != 0)
		(void)snprintf(
		    c->peer.address, sizeof c->peer.address, "%s", text);
	table_enter(s, c);
	return c;
}

static void read_connection(struct serve *s, char *text)
{
	int64_t pid = number(&text);
	struct connection *c = pid > 0 ? read_peer(s, text) : NULL;

	if (c)
		table_started(s, c, (pid_t)pid);
}

static void read_waiting(struct serve *s, char *text)
{
	int fd = descriptor(&text);
	struct connection *c = fd >= 0 ? read_peer(s, text) : NULL;

	if (!c)
		return;
	c->fd = fd;
	DL_APPEND(s->held, c);
}

static void read_helpers(struct serve *s, char *text)
{
	s->with_helpers = strcmp(text, "yes") == 0;
}

static void read_log(struct serve *s, char *text)
{
	s->log_kept = descriptor(&text);
}

static void read_with(struct serve *s, char *text)
{
	const char *name = word(&text);

	helper_kept_with(s, name, text);
}

struct line {
	const char *key;
	void (*read)(struct serve *, char *);
};

static const struct line places[] = {{"place", settings_read_place}, {0}};
static const struct line settings[] = {{"setting", settings_read_old}, {0}};
static const struct line table[] = {{"helpers", read_helpers},
    {"log", read_log}, {"listener", read_listener}, {"helper", read_helper},
    {"with", read_with}, {"connection", read_connection},
    {"waiting", read_waiting}, {0}};

static void read_line(struct serve *s, const struct line *of, char *text)
{
	const char *key = word(&text);

	for (; of->key; of++)
		if (strcmp(key, of->key) == 0)
			of->read(s, text);
}

/* Takes no descriptor for it: there may be none left. 0 or -errno. */
static int read_lines(struct serve *s, int fd, const struct line *of)
{
	struct stat st;
	char *text, *next;
	size_t size;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	r = text ? io_pread(fd, text, size, 0) : -ENOMEM;
	if (r == 0) {
		text[size] = '\0';
		for (char *at = text; (next = strchr(at, '\n'));
		     at = next + 1) {
			*next = '\0';
			read_line(s, of, at);
		}
	}
	free(text);
	return r;
}

void handover_places(struct serve *s, int fd)
{
	(void)read_lines(s, fd, places);
}

void handover_settings(struct serve *s, int fd)
{
	int r = read_lines(s, fd, settings);

	if (r < 0)
		log_event(LOG_ERR, "reload", "error", strerror(-r));
}

void handover_read(struct serve *s, int fd)
{
	int r = read_lines(s, fd, table);

	if (r < 0)
		serve_die("reload", NULL, NULL, r);
	(void)close(fd);
}

/* Its first line: is it for us? */
static bool is_ours(int fd)
{
	char first[64], *rest = first;
	ssize_t n = pread(fd, first, sizeof first - 1, 0);

	if (n <= 0)
		return false;
	first[n] = '\0';
	first[strcspn(first, "\n")] = '\0';
	return strcmp(word(&rest), "serve") == 0 && number(&rest) > 0 &&
	       number(&rest) == getpid();
}

int handover_find(void)
{
	const char *text = getenv(HANDOVER_VARIABLE);
	uint64_t fd;

	if (!text || parse_u64(text, strlen(text), INT_MAX, &fd) < 0)
		return -1;
	(void)unsetenv(HANDOVER_VARIABLE);
	return is_ours((int)fd) ? (int)fd : -1;
}

bool handover_is_known(void)
{
	const char *text = getenv(HANDOVER_VARIABLE);

	return !text || strcmp(text, HANDOVER_FORMAT) == 0;
}
