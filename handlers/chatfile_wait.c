/*
 * Prefer: wait (RFC 7240): an empty sync that would bring nothing waits for
 * something.
 */
#include "chatfile.h"

#include "lib/clock.h"

static int has_more(struct http_door *d, uint64_t since)
{
	return d->room.end != since;
}

int chatfile_wait(struct session *s, uint64_t since, uint64_t seconds)
{
	int64_t end = clock_in((int64_t)seconds * 1000);
	int r = http_door_wait(&s->door, end, has_more, since);

	return r < 0 ? r : 0;
}
