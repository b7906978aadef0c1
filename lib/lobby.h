/*
 * The lobby as a part of an inbox (design 7; specs/toychat.txt, `*`): what was
 * said there past an account's own mark. A broadcast is stored once, in the
 * room, however many accounts there are; an account keeps a number
 * (users.lobby_seen, which store_user_add() sets to the lobby's end).
 *
 *	room_open(&lobby, &rooms, "lobby", 5, ROOM_CREATE);
 *	lobby_unread(&store, &lobby, me, &count);     checkinbox
 *	lobby_take(&store, &lobby, me, &message);     recv *
 *
 * Records that announce an upload do not count and are passed over. A mark
 * past the lobby's end counts as the end, and is lowered to it when that is
 * noticed (the room file was replaced by a shorter one): what is said from then
 * on is unread.
 *
 * Locks and errors are those of room_look() and store_inbox.h: nothing of the
 * room is waited for while the database is locked, and the other way round.
 */
#ifndef LOBBY_H
#define LOBBY_H

#include <stdint.h>

#include "events.h"
#include "room.h"
#include "store_inbox.h"

/* A message that was taken: about 130 kB, not for the stack. */
struct lobby_message {
	uint64_t number; /* of the record in the room */
	struct slice body; /* stored form (text.h), within record */
	struct footer footer; /* author with its ~; slices of record */
	char record[EVENTS_RECORD]; /* one by hand may be cut: events.h */
};

/* How many messages past the mark there are: 8 bytes of index are read for
 * each record there. Looks at the room first (room_look). 0, -EPERM, -errno;
 * works on a read-only state. */
int lobby_unread(
    struct store *, struct room *, int64_t me, uint64_t *ret_count);

/* Takes the oldest message past the mark, by moving the mark to it: of several
 * connections of one user each gets another one, none is left out. 0 and *ret
 * (written to on failure too) after the commit; -ENODATA: none, and nothing
 * was written; -EPERM; -errno: the mark is where it was. */
int lobby_take(
    struct store *, struct room *, int64_t me, struct lobby_message *ret);

#endif
