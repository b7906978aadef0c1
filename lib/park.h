/*
 * Parking a viewer (design 6): a handler whose client only listens hands the
 * connected socket to gallery, which writes the event stream from then on, and
 * ends. One text datagram on RUNTIME_DIRECTORY/gallery.sock (SOCK_SEQPACKET),
 * with the socket's descriptor beside it (SCM_RIGHTS):
 *
 *	to gallery	view ROOM NEXT SOURCE
 *			NEXT: number of the first record to send, from 1;
 *			SOURCE: the client's address, or "-" where it has none
 *	from gallery	ok	it is gallery's now; nothing was written before
 *			full	at a limit: the stream is to end
 *			error TEXT	not understood
 *
 * and the connection ends. A gallery that dies before it says ok has written
 * nothing, so the handler can go on by itself.
 */
#ifndef PARK_H
#define PARK_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "rate.h"
#include "state.h"

#define PARK_SOCKET "gallery.sock"
#define PARK_OK "ok"
#define PARK_FULL "full"
#define PARK_NEXT_MAX (UINT64_C(1) << 53)

struct park {
	const char *room; /* not NUL-terminated */
	size_t room_len;
	uint64_t next; /* 1 to PARK_NEXT_MAX */
	const char *source; /* an address, or "-": not NUL-terminated */
	size_t source_len;
};

/* Takes a `view` apart; slices point into it. A newline at its end is
 * ignored. 0, or -EPROTO. */
int park_parse(const char *, size_t, struct park *ret);

/* Writes one, from fields that park_parse takes. Returns its length. */
size_t park_make(const struct park *, char ret_data[LIMIT_DATAGRAM]);

/* Hands fd over, after the response head was sent. It works in the sandbox.
 * Returns
 *	0	done: the stream lives on in gallery, or ended, because gallery
 *		is at a limit or said nothing for LIMIT_PARK_MS (the socket is
 *		then shut down: two must not write to it). Close it and end.
 *	-errno	not taken, and nothing was written: -ENOENT, -ECONNREFUSED (no
 *		gallery), -EAGAIN (its backlog is full), -ENOTSOCK ... Serve it
 *		(events_serve). */
int park_hand_over(const struct state *, int fd, const char *room,
    uint64_t next, struct source);

#endif
