/*
 * Prefer: wait (RFC 7240): an empty sync that would bring nothing waits for
 * something. One poll(2) over the client, which may hang up, and fanout's
 * doorbell.
 */
#include "chatfile.h"

#include <errno.h>

#include "lib/clock.h"
#include "lib/live.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* 1: there is something to tell, or no more waiting. 0: wait. -errno. */
static int look(struct session *s, uint64_t since, int64_t end)
{
	int r = chatfile_room(s);

	if (r < 0)
		return r;
	return s->room.end != since || clock_left(end) == 0;
}

/* 1 to look again, 0 to stop (SIGTERM), -EPIPE. */
static int turn(struct session *s, struct live *live, int64_t until)
{
	struct pollfd fds[2] = {http_hangup_poll(&s->http), live_poll(live)};
	int r = io_wait(fds, 2, until, IO_TERM);

	if (r == -EINTR) {
		s->http.close = true;
		return 0;
	}
	if (r > 0 && http_hung_up(&s->http, &fds[0]))
		return -EPIPE;
	(void)live_turn(live);
	return 1;
}

int chatfile_wait(struct session *s, uint64_t since, uint64_t seconds)
{
	int64_t end = clock_in((int64_t)seconds * 1000);
	int64_t trim = clock_in(LIMIT_TRIM_MS);
	struct live live;
	int r;

	live_init(&live, &s->start.state, s->room.name, LIVE_ROOM);
	/* Only now: what came before the subscription rings no bell. */
	while ((r = look(s, since, end)) == 0) {
		r = turn(s, &live,
		    earlier(earlier(end, trim), live_deadline(&live)));
		if (r <= 0)
			break;
		if (clock_left(trim) == 0) {
			store_idle(&s->store);
			trim = CLOCK_NEVER;
		}
	}
	live_release(&live);
	return r < 0 ? r : 0;
}
