/* What the parts of gallery share: see gallery.c.
 *
 *	gallery_callers.c  hand-overs: from gallery.sock to a viewer
 *	gallery_viewers.c  viewers: what is sent to them, and when they end
 *	gallery_rooms.c    rooms that have viewers, and what is new in them
 *	gallery_watch.c    doorbells: what happens in index/
 *	gallery_wheel.c    silence and stalls: one wheel for all viewers
 *	gallery_origins.c  limits per source
 */
#ifndef GALLERY_H
#define GALLERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "lib/events.h"
#include "lib/limits.h"
#include "lib/park.h"
#include "lib/proxies.h"
#include "lib/rate.h"
#include "lib/room.h"
#include "single.h"
#include "watcher.h"

struct viewer;

/* A room that somebody views. */
struct hall {
	struct room room; /* ROOM_WATCH */
	struct viewer *viewers;
	bool existed; /* its file was seen: if it goes, the room is deleted */
	bool noted; /* to be looked at */
	struct hall *next_noted;
	UT_hash_handle hh; /* by room.name */
};

/* A source that has viewers. */
struct origin {
	struct source source; /* the key */
	uint64_t count;
	bool told; /* that it is at its limit */
	UT_hash_handle hh;
};

/*
 * A viewer wants record `number`, of whose event `sent` bytes are sent (none:
 * it may not exist yet), or the rest of a ping. It is in one of these states:
 *
 * blocked  queued
 * no	    no		it has all there is; it is on its hall's list alone
 * no	    yes		there is more: its turn comes (more)
 * yes	    no		its socket is full: EPOLLOUT ends that
 */
struct viewer {
	struct hall *hall;
	struct origin *origin; /* NULL: exempt */
	struct viewer *prev, *next; /* of the hall */
	struct viewer *wheel_prev, *wheel_next; /* of a slot */
	struct viewer *queue_prev, *queue_next; /* of those queued */
	uint64_t number;
	uint32_t sent;
	uint32_t len; /* of the event of which some is sent */
	uint32_t progress; /* gallery_now(): bytes were taken, or it came */
	uint32_t due; /* when the wheel looks at it */
	uint32_t heard; /* bytes that it sent, all dropped */
	int fd;
	bool blocked, queued;
	bool pinging; /* `sent` is of a ping; the event was not begun */
};

#define WHEEL_SLOTS 64 /* of one second */

struct gallery {
	struct single single;
	struct proxies proxies;
	struct rooms rooms;
	uint64_t most; /* descriptors of viewers and halls */
	uint64_t used; /* of those, now */
	int64_t full_logged; /* clock_ms(); 0: never */
	int spare; /* to refuse a caller by when there is no other */

	struct watcher watcher;
	int watch_index; /* -1: no halls */
	sd_event_source *accepting, *pause; /* ends a pause of accepting */
	struct caller *callers;

	int poll; /* epoll of all viewers */
	struct hall *halls, *noted;
	struct origin *origins;
	struct viewer *queue;
	sd_event_source *more; /* runs while somebody is queued */
	struct viewer *wheel[WHEEL_SLOTS];
	uint32_t turned; /* up to this second; this one too */
	uint32_t alarm; /* when the wheel turns next; 0: never */
	sd_event_source *turn;
	uint64_t viewers;

	/* Events formatted last: for all who want them. */
	struct hall *shown; /* NULL: none */
	int64_t shown_until; /* a text may be redacted: clock_ms() */
	struct events events;
};

/* Whole seconds on CLOCK_MONOTONIC. */
uint32_t gallery_now(void);

/* May there be n more descriptors? */
bool gallery_has_place(const struct gallery *, unsigned n);

/* --- gallery_callers.c --- */

/* Starts accepting. 0 or -errno. */
int callers_start(struct gallery *);
void callers_end(struct gallery *);

/* --- gallery_viewers.c --- */

int viewers_start(struct gallery *);
void viewers_end(struct gallery *);

/* Makes a viewer of a connected socket, which it owns from then on; nothing is
 * written yet. 0, -ENFILE (at a limit), -ENOMEM, -errno. */
int viewer_new(struct gallery *, const struct park *, int fd);
void viewer_free(struct gallery *, struct viewer *);

/* Sends what the room has for it, as far as it takes it; may free it. */
void viewer_send(struct gallery *, struct viewer *);

/* Says that the stream lives; may free it. */
void viewer_ping(struct gallery *, struct viewer *);

/* --- gallery_rooms.c --- */

/* The room of that name, opened if it has no viewers yet. 0 or -errno. */
int hall_get(struct gallery *, const char *name, size_t len, struct hall **ret);

/* Closes it if nobody views it. */
void hall_leave(struct gallery *, struct hall *);

/* Puts a room on the list of those to look at, once. */
void hall_note(struct gallery *, struct hall *);

/* Looks at those noted, and sends what is new to their viewers. */
void halls_look(struct gallery *);

/* Puts the events from that record on into g->events. 0 with one at least,
 * -ENOENT (not there), -errno. */
int hall_show(struct gallery *, struct hall *, uint64_t number);

/* --- gallery_watch.c --- */

/* Watches for the folder's end; 0 or -errno. */
int watch_start(struct gallery *);

/* Watches index/, or no longer. 0 or -errno. */
int watch_halls(struct gallery *, bool wanted);

/* --- gallery_wheel.c --- */

int wheel_start(struct gallery *);
void wheel_end(struct gallery *);

/* Has the wheel look at a viewer so many seconds from now (less than
 * WHEEL_SLOTS), and not before. */
void wheel_put(struct gallery *, struct viewer *, uint32_t seconds);
void wheel_take(struct gallery *, struct viewer *);

/* --- gallery_origins.c --- */

/* Counts one more viewer of a source, as an address or "-". 0 with *ret (NULL:
 * exempt), -ENFILE (it is at its limit), -ENOMEM. */
int origin_enter(
    struct gallery *, const char *address, size_t len, struct origin **ret);
void origin_leave(struct gallery *, struct origin *);

#endif
