/* Rooms, who is subscribed to them, and telling those. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utlist.h>

#include "fanout.h"
#include "lib/parse.h"

#define INDEX_HEADER 64 /* design 4 */
#define INDEX_ENTRY 8

uint64_t room_count(const struct fanout *f, const char *name)
{
	struct stat st;

	if (fstatat(f->index, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_size < INDEX_HEADER)
		return 0;
	return ((uint64_t)st.st_size - INDEX_HEADER) / INDEX_ENTRY;
}

/* --- telling ---------------------------------------------------------------
 */

bool subscriber_tell(struct subscriber *s, const char *data, size_t len)
{
	if (send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	return errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM;
}

static void owe(struct subscriber *s)
{
	if (s->owed)
		return;
	s->owed = true;
	(void)sd_event_source_set_io_events(s->source, EPOLLIN | EPOLLOUT);
}

static bool tell_ok(struct subscription *sub)
{
	const char *name = sub->room->name;
	struct datagram d = {.kind = DATAGRAM_OK,
	    .text = name,
	    .len = strlen(name),
	    .count = room_count(sub->subscriber->fanout, name)};
	char data[LIMIT_DATAGRAM];
	size_t len = datagram_make(&d, data);

	return subscriber_tell(sub->subscriber, data, len);
}

static size_t make_bell(const char *room, char data[LIMIT_DATAGRAM])
{
	struct datagram d = {
	    .kind = DATAGRAM_BELL, .text = room, .len = strlen(room)};

	return datagram_make(&d, data);
}

void room_ring(struct fanout_room *room)
{
	char data[LIMIT_DATAGRAM];
	size_t len = make_bell(room->name, data);
	struct subscription *sub;

	for (sub = room->subscriptions; sub; sub = sub->next) {
		if (!sub->subscriber->owed &&
		    subscriber_tell(sub->subscriber, data, len))
			continue;
		sub->owed_bell = true;
		owe(sub->subscriber);
	}
}

void presence_tell(struct fanout *f, const struct datagram *news)
{
	char data[LIMIT_DATAGRAM];
	size_t len = datagram_make(news, data);
	struct subscriber *s;

	for (s = f->subscribers; s; s = s->next) {
		if (!s->who)
			continue;
		/* He may have made room, and should know of who comes before he
		 * can see what that one says. */
		if (s->owed)
			subscriber_pay(s);
		if (!s->owed && subscriber_tell(s, data, len))
			continue;
		s->owed_roster = true;
		owe(s);
	}
}

static bool pay_room(struct subscription *sub)
{
	char data[LIMIT_DATAGRAM];

	if (sub->owed_ok && !tell_ok(sub))
		return false;
	sub->owed_ok = false;
	if (sub->owed_bell && !subscriber_tell(sub->subscriber, data,
				  make_bell(sub->room->name, data)))
		return false;
	sub->owed_bell = false;
	return true;
}

void subscriber_pay(struct subscriber *s)
{
	struct datagram roster = {.kind = DATAGRAM_ROSTER};
	char data[LIMIT_DATAGRAM];

	for (struct subscription *sub = s->subscriptions; sub; sub = sub->more)
		if (!pay_room(sub))
			return;
	if (s->owed_roster &&
	    !subscriber_tell(s, data, datagram_make(&roster, data)))
		return;
	s->owed_roster = s->owed = false;
	(void)sd_event_source_set_io_events(s->source, EPOLLIN);
}

/* --- subscribing -----------------------------------------------------------
 */

static struct fanout_room *room_get(
    struct fanout *f, const char *name, size_t len)
{
	struct fanout_room *room;

	HASH_FIND(hh, f->rooms, name, len, room);
	if (room)
		return room;
	room = calloc(1, sizeof *room);
	if (!room)
		return NULL;
	memcpy(room->name, name, len);
	HASH_ADD(hh, f->rooms, name, len, room);
	return room;
}

static void subscription_free(struct fanout *f, struct subscription *sub)
{
	struct fanout_room *room = sub->room;

	DL_DELETE(room->subscriptions, sub);
	if (!room->subscriptions) {
		HASH_DEL(f->rooms, room);
		free(room);
	}
	free(sub);
}

static struct subscription *subscription_get(
    struct subscriber *s, const char *name, size_t len)
{
	struct subscription *sub;

	for (sub = s->subscriptions; sub; sub = sub->more)
		if (parse_is(name, len, sub->room->name))
			return sub;
	if (s->rooms == LIMIT_SUBSCRIPTIONS)
		return NULL;
	sub = calloc(1, sizeof *sub);
	if (!sub)
		return NULL;
	sub->subscriber = s;
	sub->room = room_get(s->fanout, name, len);
	if (!sub->room) {
		free(sub);
		return NULL;
	}
	DL_APPEND(sub->room->subscriptions, sub);
	LL_PREPEND2(s->subscriptions, sub, more);
	s->rooms++;
	return sub;
}

/* Subscribed first, counted then: what is added later rings. */
const char *subscriber_add_room(
    struct subscriber *s, const char *room, size_t len)
{
	struct subscription *sub = subscription_get(s, room, len);

	if (!sub)
		return "too many rooms";
	if (s->owed || !tell_ok(sub)) {
		sub->owed_ok = true;
		owe(s);
	}
	return NULL;
}

void subscriber_drop_rooms(struct subscriber *s)
{
	struct subscription *sub, *next;

	for (sub = s->subscriptions; sub; sub = next) {
		next = sub->more;
		subscription_free(s->fanout, sub);
	}
}
