/*
 * -f: exchange, then wait for news from the server (Prefer: wait) and for text
 * in the room file (inotify) at once, without holding the lock. What comes
 * first ends the wait.
 *
 *	exchange ended with		then
 *	done				wait
 *	bad text			say it, leave it alone until the file
 *					is written to again; fetch and wait
 *	another client has the lock	again
 *	offline				again after 1, 2, 4 ... 30 s
 *	history changed			an editor may be writing: again, ten
 *					times within 3 s; then the end
 *	refused, broken, a signal	the end
 *
 *	wait ended with			then
 *	a signal			the end, exit status 0
 *	the file was written to		exchange (once the writer has closed it
 *					or paused for a second)
 *	records				take them in, under the lock, if the
 *					memo is still as it was; exchange
 *	nothing, after the time		wait
 *	nothing, at once		this server cannot wait: ask every 3 s
 *	an error			as above
 */
#include "chatfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

#define POLL_MS 3000
#define QUIET_MS 1000
#define BACKOFF_MAX_MS 30000
#define CHANGED_TRIES 10
#define CHANGED_MS 300
#define LOCK_MS 1000

struct follower {
	struct sync *s;
	int signals;
	int files;
	int watch;
	struct stat seen; /* the room file after the last exchange */
	unsigned offline; /* times in a row */
	unsigned changed;
};

/* The file as our last exchange left it; if more was typed by then, no file is
 * like that. */
static void remember(struct follower *f)
{
	if (f->s->settled)
		f->seen = f->s->seen;
	else
		memset(&f->seen, 0, sizeof f->seen);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool look(const struct follower *f, struct stat *ret)
{
	return fstatat(f->s->local.dir, f->s->local.name, ret, 0) == 0;
}

static bool is_written(const struct follower *f)
{
	struct stat now;

	return !look(f, &now) || !is_same(&f->seen, &now);
}

/* The file that the path names now, as an editor may have replaced it. */
static void watch(struct follower *f)
{
	char path[512];
	int w;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s",
	    f->s->local.dir, f->s->local.name);
	w = inotify_add_watch(f->files, path,
	    IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_ATTRIB |
		IN_DELETE_SELF);
	if (f->watch >= 0 && f->watch != w)
		(void)inotify_rm_watch(f->files, f->watch);
	f->watch = w;
}

/* Reads events away. True: somebody writes and has not closed it yet. */
static bool drain(const struct follower *f)
{
	char data[4096] __attribute__((aligned(8)));
	bool writing = false;
	ssize_t n;

	while ((n = read(f->files, data, sizeof data)) > 0)
		for (char *at = data; at < data + n;) {
			const struct inotify_event *e = (const void *)at;

			writing = (e->mask & IN_MODIFY) != 0;
			at += sizeof *e + e->len;
		}
	return writing;
}

static enum outcome pause_for(struct follower *f, int ms, bool files)
{
	http_wake(f->s->http, f->signals, files ? f->files : -1);
	enum http_end end = http_pause(f->s->http, ms);
	http_wake(f->s->http, f->signals, -1);
	return end == HTTP_SIGNALLED ? OUT_STOPPED : OUT_AGAIN;
}

/* The file was written to: until the writer has closed it or makes a pause. */
static enum outcome let_write(struct follower *f)
{
	enum outcome o = OUT_AGAIN;
	struct stat before, now;

	while (o == OUT_AGAIN && drain(f) && look(f, &before)) {
		o = pause_for(f, QUIET_MS, true);
		if (!look(f, &now) || is_same(&before, &now))
			break;
	}
	f->s->hold = false;
	return o;
}

static void show_waiting(const struct follower *f)
{
	time_t now = (time_t)clock_now();
	struct tm tm;
	char text[16] = "";

	if (localtime_r(&now, &tm))
		(void)strftime(text, sizeof text, "%H:%M:%S", &tm);
	progress("%s: up to date at %s%s", f->s->room, text,
	    f->s->hold ? ", with unsent text" : ", waiting");
}

static enum outcome ask(struct follower *f, struct answer *a)
{
	struct sync *s = f->s;
	struct request q = {.offset = s->memo.offset, .wait = WAIT_S};
	enum http_end end;
	enum outcome o;

	http_wake(s->http, f->signals, f->files);
	end = http_post(s->http, &q, a);
	http_wake(s->http, f->signals, -1);
	if (end == HTTP_SIGNALLED)
		return OUT_STOPPED;
	if (end == HTTP_FAILED)
		return sync_fail(s, OUT_OFFLINE, "%s", http_error(s->http));
	if (end == HTTP_FILES)
		return OUT_AGAIN;
	o = answer_status(s, &q, a);
	if (o == OUT_DONE)
		o = answer_fits(s, &q, a);
	if (o != OUT_DONE)
		return o;
	f->offline = 0;
	if (a->body.len) {
		o = sync_take_waited(s, a);
		remember(f);
		return o;
	}
	return a->took_ms < WAIT_S * 1000 / 2 ? pause_for(f, POLL_MS, true)
					      : OUT_DONE;
}

/* Until there is something to exchange: OUT_AGAIN; or why it ended. */
static enum outcome wait_for_news(struct follower *f)
{
	struct answer a = {0};
	enum outcome o = OUT_DONE;

	while (o == OUT_DONE || o == OUT_AGAIN) {
		watch(f);
		if (is_written(f))
			return let_write(f);
		(void)drain(f);
		if (is_written(f))
			continue;
		show_waiting(f);
		o = ask(f, &a);
		answer_free(&a);
	}
	return o;
}

static enum outcome back_off(struct follower *f)
{
	unsigned shift = f->offline < 5 ? f->offline : 5;
	int ms = 1000 << shift;

	if (f->offline++ == 0)
		say("%s; trying again", f->s->why);
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	ms = ms / 2 + (int)randombytes_uniform((uint32_t)ms / 2);
	progress("%s: offline, again in %d s", f->s->room, ms / 1000 + 1);
	return pause_for(f, ms, false);
}

/* OUT_AGAIN to go on. */
static enum outcome after(struct follower *f, enum outcome o)
{
	struct sync *s = f->s;

	if (o != OUT_CHANGED)
		f->changed = 0;
	switch (o) {
	case OUT_AGAIN:
		return pause_for(f, 0, false);
	case OUT_TEXT:
		if (s->hold)
			return o;
		say("%s", s->why);
		s->hold = true;
		return OUT_AGAIN;
	case OUT_OFFLINE:
		return back_off(f);
	case OUT_CHANGED:
		return f->changed++ < CHANGED_TRIES
			   ? pause_for(f, CHANGED_MS, false)
			   : o;
	default:
		return o;
	}
}

static enum outcome follow_on(struct follower *f)
{
	enum outcome o = OUT_AGAIN;

	while (o == OUT_AGAIN) {
		o = sync_run(f->s);
		remember(f);
		if (o == OUT_DONE) {
			f->s->make = false;
			if (f->offline)
				say("%s: back", f->s->room);
			f->offline = 0;
			o = wait_for_news(f);
		}
		o = after(f, o);
	}
	return o;
}

enum outcome follow(struct sync *s)
{
	struct follower f = {.s = s, .watch = -1};
	enum outcome o;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	f.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	f.files = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f.signals < 0 || f.files < 0)
		return sync_fail(s, OUT_BROKEN, "inotify: %s", strerror(errno));
	http_wake(s->http, f.signals, -1);
	s->patience = LOCK_MS;
	o = follow_on(&f);
	http_wake(s->http, -1, -1);
	(void)close(f.signals);
	(void)close(f.files);
	progress_end();
	return o == OUT_STOPPED ? OUT_DONE : o;
}
