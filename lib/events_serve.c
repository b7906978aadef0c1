#include "events.h"

#include <errno.h>

#include "clock.h"
#include "live.h"

enum { STREAM_ON = 1, STREAM_ENDED = 0 };

struct stream {
	struct events *events;
	struct client *client;
	struct room *room;
	struct live live;
	uint64_t next;
	int64_t ping; /* when it will have been silent for too long */
};

/* A client that takes nothing, or is gone, ends its stream: no failure. */
static int say(struct stream *s, const char *data, size_t len)
{
	if (io_write(s->client, data, len) < 0)
		return STREAM_ENDED;
	s->ping = clock_in(EVENTS_PING_MS);
	return STREAM_ON;
}

/* STREAM_ENDED: there is no such room any more. */
static int look(struct stream *s)
{
	bool was = s->room->fd >= 0;
	int r = room_look(s->room);

	if (r == -ENOENT || (r >= 0 && was && s->room->fd < 0))
		return STREAM_ENDED;
	return r < 0 ? r : STREAM_ON;
}

static int tell(struct stream *s)
{
	struct events *e = s->events;
	int r = events_fill(e, s->room, s->next);

	if (r < 0)
		return r;
	s->next += e->count;
	return e->count ? say(s, e->data, e->ends[e->count - 1]) : STREAM_ON;
}

/* As http_hangup_poll(): a pipe's or file's end of input is no hang-up. */
static struct pollfd hangup(const struct client *c)
{
	if (c->socket)
		return (struct pollfd){c->in, POLLRDHUP, 0};
	return (struct pollfd){c->out, 0, 0};
}

/* While there is more to tell, it only looks. */
static int wait_for_more(struct stream *s)
{
	struct pollfd fds[2] = {hangup(s->client), live_poll(&s->live)};
	int64_t until = live_deadline(&s->live);
	int r;

	if (s->ping < until)
		until = s->ping;
	if (s->next <= s->room->count)
		until = 0;
	r = io_wait(fds, 2, until, IO_TERM);
	if (r == -EINTR ||
	    fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		return STREAM_ENDED;
	(void)live_turn(&s->live);
	if (clock_left(s->ping) == 0)
		return say(s, EVENTS_PING, EVENTS_PING_LEN);
	return STREAM_ON;
}

int events_serve(struct events *e, struct client *client,
    const struct state *state, struct room *room, uint64_t next)
{
	struct stream s = {.events = e,
	    .client = client,
	    .room = room,
	    .next = next,
	    .ping = clock_in(EVENTS_PING_MS)};
	int r;

	/* Subscribed first, read then: nothing is missed in between. */
	live_init(&s.live, state, room->name, LIVE_ROOM);
	do {
		r = look(&s);
		if (r == STREAM_ON)
			r = tell(&s);
		if (r == STREAM_ON)
			r = wait_for_more(&s);
	} while (r == STREAM_ON);
	live_release(&s.live);
	return r;
}
