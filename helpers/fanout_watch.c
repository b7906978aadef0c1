#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fanout.h"
#include "lib/log.h"

/* Index files: entries are added by pwrite, a rebuilt one is renamed into
 * place, a deleted room's is removed. Files of the roster: a holder writes,
 * and is gone when its descriptor is closed. */
#define INDEX_EVENTS (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)
#define PRESENT_EVENTS (IN_MODIFY | IN_CLOSE_WRITE)
/* A folder that is removed tells nobody while a descriptor of it is open: what
 * is above it does. */
#define ABOVE_EVENTS (IN_DELETE | IN_MOVED_FROM)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

#define EVENTS_BYTES 65536 /* taken at once */

/* Puts the room on the list of those to ring after this batch, once. */
static void note_room(
    struct fanout *f, const char *name, struct fanout_room **rung)
{
	struct fanout_room *room;

	HASH_FIND_STR(f->rooms, name, room);
	if (!room || room->rung)
		return;
	room->rung = true;
	room->next_rung = *rung;
	*rung = room;
}

static void ring_noted(struct fanout_room *rung)
{
	for (; rung; rung = rung->next_rung) {
		rung->rung = false;
		room_ring(rung);
	}
}

/* Events were lost: anything may have happened. */
static void ring_all(struct fanout *f)
{
	struct datagram roster = {.kind = DATAGRAM_ROSTER};

	log_event(LOG_WARNING, "overflow", NULL, NULL);
	for (struct fanout_room *r = f->rooms; r; r = r->hh.next)
		room_ring(r);
	(void)guests_scan(f);
	presence_tell(f, &roster);
}

static bool is_gone(const struct fanout *f, const struct inotify_event *e)
{
	if (e->mask & GONE)
		return true;
	return e->wd == f->watch_runtime && e->len &&
	       (strcmp(e->name, "index") == 0 ||
		   strcmp(e->name, "present") == 0);
}

static void take_event(
    struct fanout *f, const struct inotify_event *e, struct fanout_room **rung)
{
	if (e->mask & IN_Q_OVERFLOW) {
		ring_all(f);
	} else if (is_gone(f, e)) {
		log_event(
		    LOG_ERR, "gone", "folder", f->single.state.runtime_path);
		(void)sd_event_exit(f->single.event, 111);
	} else if (!e->len || e->name[0] == '.') {
		return;
	} else if (e->wd == f->watch_index) {
		note_room(f, e->name, rung);
	} else if (e->wd == f->watch_present) {
		if (e->mask & IN_MODIFY)
			guest_written(f, e->name);
		if (e->mask & IN_CLOSE_WRITE)
			guest_closed(f, e->name);
	}
}

/* A hundred thousand entries ring a room once a batch. */
static int on_events(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	_Alignas(struct inotify_event) char events[EVENTS_BYTES];
	struct fanout_room *rung = NULL;
	const struct inotify_event *e;
	struct fanout *f = arg;
	ssize_t n = read(fd, events, sizeof events);

	(void)source;
	(void)revents;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (const char *at = events; at < events + n;
	     at += sizeof *e + e->len) {
		e = (const struct inotify_event *)(const void *)at;
		take_event(f, e, &rung);
	}
	ring_noted(rung);
	return 0;
}

static int watch(struct fanout *f, const char *name, uint32_t events)
{
	char path[sizeof f->single.state.runtime_path + 16];
	int wd;

	(void)snprintf(
	    path, sizeof path, "%s/%s", f->single.state.runtime_path, name);
	wd = inotify_add_watch(f->inotify, path,
	    events | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	return wd < 0 ? -errno : wd;
}

int watch_start(struct fanout *f)
{
	int r;

	f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->inotify < 0)
		return -errno;
	f->watch_index = watch(f, "index", INDEX_EVENTS);
	if (f->watch_index < 0)
		return f->watch_index;
	f->watch_present = watch(f, "present", PRESENT_EVENTS);
	if (f->watch_present < 0)
		return f->watch_present;
	f->watch_runtime = watch(f, "", ABOVE_EVENTS);
	if (f->watch_runtime < 0)
		return f->watch_runtime;
	r = sd_event_add_io(
	    f->single.event, NULL, f->inotify, EPOLLIN, on_events, f);
	return r < 0 ? r : 0;
}
