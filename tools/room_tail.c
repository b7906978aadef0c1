/*
 * parlance room tail: a room's last records, and with -f what follows them.
 *
 *	missing --(the path names a file)--> open --(replaced)--> open
 *	   ^                                   |
 *	   +------------(deleted)--------------+
 *
 * A replaced file is followed on from the same record number, as suits an
 * edit by hand; of one that holds fewer records the last are shown anew.
 */
#include "parlance.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/io.h"
#include "lib/live.h"

#define TAIL_DEFAULT 10

struct tail {
	const struct admin *admin;
	const struct rooms *rooms;
	const char *name;
	struct room room;
	bool open;
	bool started; /* the first records were shown: `shown` counts on */
	uint64_t shown; /* the number of the last record shown */
};

static void note(const struct tail *t, const char *what)
{
	(void)complain(t->admin, DONE, "%s: %s", t->name, what);
}

/* Opens the room, or looks again: 0 (t->open tells), or -errno. */
static int tail_look(struct tail *t)
{
	int r = t->open ? room_look(&t->room)
			: room_open(&t->room, t->rooms, t->name,
			      strlen(t->name), ROOM_READ);

	if (r >= 0) {
		t->open = true;
		return 0;
	}
	if (t->open) {
		note(t, "is gone; waiting for it");
		room_close(&t->room);
		t->open = false;
		t->shown = 0;
	}
	return r;
}

static void tail_place(struct tail *t)
{
	const struct options *o = &t->admin->options;
	uint64_t last = o->limited ? o->last : TAIL_DEFAULT;

	if (t->started && t->shown > t->room.count)
		note(t, "was replaced or cut short; its last records anew:");
	if (!t->started || t->shown > t->room.count)
		t->shown = show_from(&t->room, last) - 1;
	t->started = true;
}

/* Shows what is new. 0 or -errno; -EPIPE: it could not be written. */
static int tail_turn(struct tail *t)
{
	int r = tail_look(t);

	if (r < 0)
		return r;
	tail_place(t);
	r = show_records(t->admin, &t->room, t->shown + 1);
	t->shown = t->room.count;
	if (r == 0 && fflush(stdout) != 0)
		r = -EPIPE;
	return r;
}

/* Waits for a doorbell: 0, or -EPIPE once nobody reads any more. */
static int tail_wait(struct live *live)
{
	struct pollfd fds[] = {
	    live_poll(live), {.fd = STDOUT_FILENO, .events = 0}};
	int r = io_wait(fds, 2, live_deadline(live), IO_BUSY);

	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	(void)live_turn(live);
	return 0;
}

/* A room that is not there, or whose lock a stopped writer holds, may yet
 * come; the doorbell or the next second asks again. */
static bool is_passing(int r)
{
	return r == 0 || r == -ENOENT || r == -EBUSY;
}

static int tail_follow(struct tail *t)
{
	struct live live;
	int r;

	live_init(&live, &t->admin->state, t->name, LIVE_ROOM);
	r = tail_turn(t);
	if (r == -ENOENT) {
		note(t, "no such room yet; waiting for it");
		t->started = true; /* then all of it is new */
	}
	while (is_passing(r)) {
		r = tail_wait(&live);
		if (r == 0)
			r = tail_turn(t);
	}
	live_release(&live);
	return r;
}

int rooms_tail(struct admin *admin, char **operands, int count)
{
	struct tail t = {.admin = admin, .name = operands[0]};
	struct rooms rooms;
	int r;

	(void)count;
	if (!room_name_ok(t.name, strlen(t.name)))
		return complain_room(admin, t.name, -EINVAL);
	r = open_rooms(admin, &rooms);
	if (r != DONE)
		return r;
	t.rooms = &rooms;
	r = admin->options.follow ? tail_follow(&t) : tail_turn(&t);
	if (t.open)
		room_close(&t.room);
	rooms_close(&rooms);
	if (r < 0 && r != -EPIPE)
		return complain_room(admin, t.name, r);
	return finish(admin);
}
