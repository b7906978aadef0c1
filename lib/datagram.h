/*
 * fanout's wire format (design 6): one short text datagram a command or piece
 * of news, on a SOCK_SEQPACKET socket.
 *
 *	to fanout	sub ROOM	tell me of this room; answered by ok
 *			who		tell me who comes and goes, too
 *	from fanout	ok ROOM COUNT	subscribed; it has COUNT records
 *			bell ROOM	look at it again
 *			+NAME COUNT	NAME came, the lobby having COUNT
 *records -NAME COUNT	NAME left roster		read the roster again
 *			error TEXT	what was wrong; the connection ends
 *
 * A person may speak it: one newline at the end is ignored.
 */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"

enum datagram_kind {
	DATAGRAM_SUB,
	DATAGRAM_WHO,
	DATAGRAM_OK,
	DATAGRAM_BELL,
	DATAGRAM_CAME,
	DATAGRAM_LEFT,
	DATAGRAM_ROSTER,
	DATAGRAM_ERROR,
};

struct datagram {
	enum datagram_kind kind;
	const char *text; /* ROOM, NAME or TEXT: not NUL-terminated */
	size_t len;
	uint64_t count;
};

/* Takes a datagram apart; text points into it. 0, or -EPROTO: not one of
 * those above. A ROOM is a room's name, a NAME 1 to LIMIT_NAME bytes without
 * blanks, and neither that nor a TEXT has ASCII's control characters. */
int datagram_parse(const char *, size_t, struct datagram *ret);

/* Writes one, from fields that are as datagram_parse wants them. Returns its
 * length: a TEXT that does not fit is cut. */
size_t datagram_make(const struct datagram *, char ret_data[LIMIT_DATAGRAM]);

#endif
