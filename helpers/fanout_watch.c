#include <string.h>

#include "fanout.h"

/* Index files: entries are added by pwrite, a rebuilt one is renamed into
 * place, a deleted room's is removed. Files of the roster: a holder writes,
 * and is gone when its descriptor is closed. */
#define INDEX_EVENTS (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)
#define PRESENT_EVENTS (IN_MODIFY | IN_CLOSE_WRITE)

/* Puts the room on the list of those to ring after this batch, once. */
static void note_room(struct fanout *f, const char *name)
{
	struct fanout_room *room;

	HASH_FIND_STR(f->rooms, name, room);
	if (!room || room->rung)
		return;
	room->rung = true;
	room->next_rung = f->rung;
	f->rung = room;
}

/* A hundred thousand entries ring a room once a batch. */
static void ring_noted(void *arg)
{
	struct fanout *f = arg;

	for (struct fanout_room *r = f->rung; r; r = r->next_rung) {
		r->rung = false;
		room_ring(r);
	}
	f->rung = NULL;
}

static void ring_all(void *arg)
{
	struct datagram roster = {.kind = DATAGRAM_ROSTER};
	struct fanout *f = arg;

	for (struct fanout_room *r = f->rooms; r; r = r->hh.next)
		room_ring(r);
	(void)guests_scan(f);
	presence_tell(f, &roster);
}

static void take_event(void *arg, const struct inotify_event *e)
{
	struct fanout *f = arg;

	if (e->name[0] == '.')
		return;
	if (e->wd == f->watch_index) {
		note_room(f, e->name);
		return;
	}
	if (e->mask & IN_MODIFY)
		guest_written(f, e->name);
	if (e->mask & IN_CLOSE_WRITE)
		guest_closed(f, e->name);
}

int watch_start(struct fanout *f)
{
	static const char *const needed[] = {"index", "present", NULL};
	static const struct watcher_calls calls = {
	    take_event, ring_all, ring_noted, needed};
	int r = watcher_start(&f->watcher, &f->single, &calls, f);

	if (r < 0)
		return r;
	f->watch_index = watcher_add(&f->watcher, "index", INDEX_EVENTS);
	if (f->watch_index < 0)
		return f->watch_index;
	r = watcher_add(&f->watcher, "present", PRESENT_EVENTS);
	return r < 0 ? r : 0;
}
