/*
 * A subscriber of fanout (design 6): being told to look at a room again. It
 * connects, subscribes, waits for the answer, and after a fault reconnects
 * with jittered back-off; without a helper it says "look" once a second. The
 * caller has one poll(2) loop:
 *
 *	live_init(&live, &state, "lobby", LIVE_ROOM);
 *	for (;;) {
 *		room_look(&room); ... deliver ...
 *		pollfd = live_poll(&live);           fd may be -1
 *		io_wait(fds, n, live_deadline(&live), IO_TERM);
 *		if (live_turn(&live) & LIVE_LOOK) ...
 *	}
 *	live_release(&live);
 *
 * There is no gap between reading and waiting: live_turn() says LIVE_LOOK
 * after each (re)subscription that was answered, so read after it, then wait.
 * With presence, LIVE_ROSTER comes beside it.
 *
 * Only read, recvmmsg, write, socket, connect and close are called, below the
 *directory that state_open opened: it works in the sandbox. SIGPIPE must be
 *ignored (io_signals).
 */
#ifndef LIVE_H
#define LIVE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "state.h"

enum live_what {
	LIVE_ROOM = 0, /* doorbells of one room */
	LIVE_PRESENCE = 1, /* and who comes and goes */
};

/* What live_turn() returns, any of: */
enum live_news {
	LIVE_LOOK = 1, /* look at the room */
	LIVE_ROSTER = 2, /* compare the roster: changes may have been missed */
	LIVE_CHANGE = 4, /* a name came or went: see live->change */
	LIVE_LAST = 8, /* live_next() alone: beside the last piece of news */
};

/* live_next() takes so many pieces of news at once, of so many bytes: longer
 * ones are none that we know. */
#define LIVE_PIECES 4
#define LIVE_PIECE (1 + LIMIT_NAME + 1 + 20 + 1)

struct live {
	const struct state *state;
	enum live_what what;
	char room[LIMIT_ROOM_NAME + 1];
	int fd; /* -1: not connected */
	bool answered; /* our `sub` was */
	int64_t deadline; /* of the next attempt, or look */
	unsigned attempts;
	struct {
		bool joined; /* else left */
		uint64_t count; /* the room's records then */
		char name[LIMIT_NAME + 1];
	} change;
	struct { /* what live_next() took and did not return yet */
		unsigned at, n;
		bool last; /* there was no more when these were taken */
		size_t len[LIVE_PIECES];
		char data[LIVE_PIECES][LIVE_PIECE];
	} held;
};

/* Connects and subscribes if it can, waiting for the answer at most a second
 * (SIGTERM ends that); never fails: what does not work is tried again later.
 * Look at the room, and read the roster, after it. */
void live_init(
    struct live *, const struct state *, const char *room, enum live_what);
void live_release(struct live *);

/* Is a helper connected (else it is polling once a second)? */
bool live_connected(const struct live *);

/* What to wait for, and until when at most. */
struct pollfd live_poll(const struct live *);
int64_t live_deadline(const struct live *);

/* To be called after each wait: takes what arrived, reconnects when it is
 * time. Returns live_news; with LIVE_CHANGE call it again before waiting. */
int live_turn(struct live *);

/* The same, one piece of news a call, for those to whom the order of bells
 * and changes matters: 0 if there is no more now. To save asking, the last one
 * comes with LIVE_LAST where it is known that there was no more, not when it is
 * returned but when it was taken from the socket: before the first call, or the
 * first for which live_held() was false. Call until either, before waiting. */
int live_next(struct live *);
bool live_held(const struct live *);

#endif
