#include "lobby.h"

#include <errno.h>

/*
 * The mark is read first, then the room is looked at: marks are set to records
 * that were there, and a room only grows, so a mark past the end means that
 * the room file is another one.
 */
static int look(
    struct store *store, struct room *room, int64_t me, uint64_t *ret_seen)
{
	int r = inbox_lobby_seen(store, me, ret_seen);

	if (r == 0)
		r = room_look(room);
	return r < 0 ? r : 0;
}

int lobby_unread(
    struct store *store, struct room *room, int64_t me, uint64_t *ret_count)
{
	uint64_t seen;
	int r = look(store, room, me, &seen);

	if (r < 0)
		return r;
	if (seen <= room->count)
		return room_messages(room, seen + 1, ret_count);
	/* Where it cannot be lowered now, it will be when it next matters. */
	(void)inbox_lobby_move(store, me, seen, room->count);
	*ret_count = 0;
	return 0;
}

static int read_message(
    const struct room *room, uint64_t number, struct lobby_message *m)
{
	long len = events_record(room, number, m->record);

	if (len < 0)
		return (int)len;
	m->number = number;
	room_record(m->record, (size_t)len, &m->body, &m->footer);
	return 0;
}

/* -EAGAIN: another connection of this user was faster. */
static int take(
    struct store *store, struct room *room, int64_t me, struct lobby_message *m)
{
	uint64_t seen, number;
	int r = look(store, room, me, &seen);

	if (r < 0)
		return r;
	if (seen > room->count) {
		r = inbox_lobby_move(store, me, seen, room->count);
		return r < 0 ? r : -ENODATA;
	}
	r = room_next_message(room, seen + 1, &number);
	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	r = read_message(room, number, m);
	return r < 0 ? r : inbox_lobby_move(store, me, seen, number);
}

int lobby_take(struct store *store, struct room *room, int64_t me,
    struct lobby_message *ret)
{
	int r;

	/* Each time round another of this user's connections got a message. */
	do
		r = take(store, room, me, ret);
	while (r == -EAGAIN);
	return r;
}
