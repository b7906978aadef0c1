/* What the parts of fanout share: see fanout.c. */
#ifndef FANOUT_H
#define FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "lib/datagram.h"
#include "lib/limits.h"
#include "lib/present.h"
#include "single.h"
#include "watcher.h"

/* The room whose roster it is (design 7). */
#define LOBBY "lobby"

struct fanout;
struct subscriber;

/* A room that somebody subscribed to. */
struct fanout_room {
	char name[LIMIT_ROOM_NAME + 1];
	struct subscription *subscriptions;
	struct fanout_room *next_rung;
	bool rung; /* in this batch of events */
	UT_hash_handle hh;
};

struct subscription {
	struct fanout_room *room;
	struct subscriber *subscriber;
	struct subscription *prev, *next; /* of the room */
	struct subscription *more; /* of the subscriber */
	bool owed_ok, owed_bell; /* its socket was full */
};

struct subscriber {
	struct fanout *fanout;
	int fd;
	sd_event_source *source;
	struct subscription *subscriptions;
	unsigned rooms;
	bool who;
	bool owed; /* something: wait until it is writable */
	bool owed_roster;
	struct subscriber *prev, *next;
};

struct fanout {
	struct single single;
	struct present present;
	int index; /* RUNTIME_DIRECTORY/index */
	struct watcher watcher; /* of index/ and present/ */
	int watch_index;
	struct fanout_room *rung; /* by this batch of events */
	sd_event_source *accepting;
	sd_event_source *pause; /* ends a pause of accepting */
	struct fanout_room *rooms;
	struct subscriber *subscribers;
	uint64_t connected, most; /* subscribers */
	int64_t full_logged; /* clock_ms(); 0: never */
	struct guest *guests; /* names in present/ */
};

/* fanout_subscribers.c: connections. */

/* Starts accepting from the socket. 0 or -errno. */
int subscribers_start(struct fanout *);
void subscribers_end(struct fanout *);

/* fanout_rooms.c: who is subscribed to what, and telling them. */

/* Rings everyone subscribed to the room. */
void room_ring(struct fanout_room *);

/* Sends news of the roster to all who said `who`. */
void presence_tell(struct fanout *, const struct datagram *);

/* How many records the room's index holds now; 0 if there is none. */
uint64_t room_count(const struct fanout *, const char *name);

/* Sends a datagram. False if its socket is full. A connection that broke needs
 * no news: its end is an event of its own. */
bool subscriber_tell(struct subscriber *, const char *data, size_t len);

/* Its socket is writable again: it is told what it missed. */
void subscriber_pay(struct subscriber *);

/* Subscribes it and answers. NULL, or why not. */
const char *subscriber_add_room(
    struct subscriber *, const char *room, size_t len);
void subscriber_drop_rooms(struct subscriber *);

/* fanout_watch.c: what happens in index/ and present/. */

/* 0 or -errno */
int watch_start(struct fanout *);

/* fanout_guests.c: who is present. */

/* A file in present/ was written: an arrival. */
void guest_written(struct fanout *, const char *key);

/* A file in present/ was closed by someone who could write: perhaps a leave. */
void guest_closed(struct fanout *, const char *key);

/* Compares the folder with what was told: at start-up, when nobody listens
 * yet, and after events were lost. 0 or -errno. */
int guests_scan(struct fanout *);
void guests_end(struct fanout *);

#endif
