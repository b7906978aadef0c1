#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "gallery.h"
#include "lib/log.h"

/* Entries are added by pwrite, a rebuilt index is renamed into place, a
 * deleted room's is removed. */
#define INDEX_EVENTS (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)
/* A folder that is removed tells nobody while a descriptor of it is open: what
 * is above it does. */
#define ABOVE_EVENTS (IN_DELETE | IN_MOVED_FROM)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

#define EVENTS_BYTES 65536 /* taken at once */

static void note_named(struct gallery *g, const char *name)
{
	struct hall *h;

	HASH_FIND_STR(g->halls, name, h);
	if (h)
		hall_note(g, h);
}

/* Events were lost: anything may have happened. */
static void note_all(struct gallery *g)
{
	log_event(LOG_WARNING, "overflow", NULL, NULL);
	for (struct hall *h = g->halls; h; h = h->hh.next)
		hall_note(g, h);
}

static bool is_gone(const struct gallery *g, const struct inotify_event *e)
{
	if (e->wd != g->watch_index && e->wd != g->watch_runtime)
		return false;
	if (e->mask & GONE)
		return true;
	return e->wd == g->watch_runtime && e->len &&
	       strcmp(e->name, "index") == 0;
}

static void take_event(struct gallery *g, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW) {
		note_all(g);
	} else if (is_gone(g, e)) {
		log_event(
		    LOG_ERR, "gone", "folder", g->single.state.runtime_path);
		(void)sd_event_exit(g->single.event, 111);
	} else if (e->len && e->wd == g->watch_index) {
		note_named(g, e->name);
	}
}

/* A hundred thousand entries have a room looked at once a batch. */
static int on_events(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	_Alignas(struct inotify_event) char events[EVENTS_BYTES];
	const struct inotify_event *e;
	struct gallery *g = arg;
	ssize_t n = read(fd, events, sizeof events);

	(void)source;
	(void)revents;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (const char *at = events; at < events + n;
	     at += sizeof *e + e->len) {
		e = (const struct inotify_event *)(const void *)at;
		take_event(g, e);
	}
	halls_look(g);
	return 0;
}

static int watch(struct gallery *g, const char *name, uint32_t events)
{
	char path[sizeof g->single.state.runtime_path + 16];
	int wd;

	(void)snprintf(
	    path, sizeof path, "%s/%s", g->single.state.runtime_path, name);
	wd = inotify_add_watch(g->inotify, path,
	    events | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	return wd < 0 ? -errno : wd;
}

/* While nobody views anything, messages do not wake us. */
int watch_halls(struct gallery *g, bool wanted)
{
	int wd;

	if (wanted == (g->watch_index >= 0))
		return 0;
	if (!wanted) {
		(void)inotify_rm_watch(g->inotify, g->watch_index);
		g->watch_index = -1;
		return 0;
	}
	wd = watch(g, "index", INDEX_EVENTS);
	if (wd < 0)
		return wd;
	g->watch_index = wd;
	return 0;
}

int watch_start(struct gallery *g)
{
	int r;

	g->watch_index = -1;
	g->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (g->inotify < 0)
		return -errno;
	g->watch_runtime = watch(g, "", ABOVE_EVENTS);
	if (g->watch_runtime < 0)
		return g->watch_runtime;
	r = sd_event_add_io(
	    g->single.event, NULL, g->inotify, EPOLLIN, on_events, g);
	return r < 0 ? r : 0;
}
