/*
 * Event streams (clarifications, hchat): a room's records as server-sent
 * events, history and then live. One event a record, always one line of data:
 *
 *	id: 12
 *	data: {"number":12,"author":"~ivan","time":"2026-11-20T14:03:09Z",
 *	"text":"hi"}                                       (in the same line)
 *
 * text is the message as it was typed; of what others wrote, whatever is no
 * room text is shown as U+FFFD. Keys that may follow: "file", the name of an
 * announced upload, and "cut":true where a text is longer than LIMIT_MESSAGE
 * (no message that a door took is).
 *
 * Used by gallery, which writes many streams, and by a handler that serves one
 * by itself:
 *
 *	static struct events events;             large: not on the stack
 *	... send the response head ...
 *	r = park_hand_over(...);                 park.h
 *	if (r < 0)
 *		r = events_serve(&events, &client, &state, &room, next);
 *
 * events_format() is pure; the others read rooms (room.h) and lock nothing.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "io.h"
#include "limits.h"
#include "room.h"
#include "state.h"

/* After so long a silence a stream says that it lives. */
#define EVENTS_PING "event: ping\ndata: {}\n\n"
#define EVENTS_PING_LEN (sizeof EVENTS_PING - 1)
#define EVENTS_PING_MS 25000

/* What is shown of fields that others wrote. */
#define EVENTS_AUTHOR 256
#define EVENTS_TIME 64

/* The longest event. Nothing becomes more than three times as long. */
#define EVENTS_FRAME 256 /* keys, numbers and punctuation */
#define EVENTS_FIELDS                                                          \
	(EVENTS_FRAME + 3 * (EVENTS_AUTHOR + EVENTS_TIME + LIMIT_FILE_NAME))
#define EVENTS_MAX (EVENTS_FIELDS + 3 * LIMIT_MESSAGE)

/* The longest record that a door writes. */
#define EVENTS_RECORD (LIMIT_MESSAGE_STORED + 1 + LIMIT_FOOTER)

/* Formats one record, its footer line included, whatever stands in it and
 * however long it is. Returns the event's length, 1 to EVENTS_MAX. */
size_t events_format(char ret_event[EVENTS_MAX], uint64_t number,
    const char *record, size_t len);

/* Formats record `number` of a room. Of a record longer than EVENTS_RECORD,
 * which no door wrote, the text's beginning and the footer. Its length, or
 * -ENOENT (no such record), -errno. `scratch` is the caller's. */
long events_read(char ret_event[EVENTS_MAX], const struct room *,
    uint64_t number, char scratch[EVENTS_RECORD]);

/* Reads record `number` alone, for room_record(): as it stands, or what
 * events_read() makes of one that is longer than EVENTS_RECORD. Its length, or
 * -ENOENT, -errno. */
long events_record(
    const struct room *, uint64_t number, char ret_record[EVENTS_RECORD]);

/* Several events in a row. */
#define EVENTS_BATCH 256

struct events {
	uint64_t first; /* number of the first */
	size_t count; /* how many; 0: none */
	uint32_t ends[EVENTS_BATCH]; /* where each ends in data */
	char data[EVENTS_MAX];
	char scratch[EVENTS_RECORD];
};

/* Fills it with events from record `first` on: as many as are there and as
 * fit, one at least if there is one. 0, or -errno with count 0. */
int events_fill(struct events *, const struct room *, uint64_t first);

/* Serves a stream on the client, whose response head was sent: events from
 * record `next` (>= 1) on, for ever. Ends with 0 when the client hangs up or
 * takes nothing for LIMIT_STALL_MS, on SIGTERM, or when the room was deleted;
 * -errno if the room cannot be read. Waits in one poll(2) over the client and
 * fanout's doorbell (live.h). */
int events_serve(struct events *, struct client *, const struct state *,
    struct room *, uint64_t next);

#endif
