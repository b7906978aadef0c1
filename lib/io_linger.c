#include <errno.h>
#include <sys/socket.h>

#include "clock.h"
#include "io.h"
#include "limits.h"

#define LINGER_MS 2000
#define LINGER_BYTES (256 * 1024)

/* Reads and drops until the deadline, or the end: how the last read ended. A
 * socket that is closed before all that came was read resets. */
static ssize_t drop(struct client *c, int64_t deadline, enum io_how how)
{
	char data[4096];
	size_t dropped = 0;
	ssize_t n;

	do {
		n = io_read(c, data, sizeof data, deadline, how);
		if (n > 0)
			dropped += (size_t)n;
	} while (n > 0 && dropped < LINGER_BYTES);
	return n;
}

void io_linger(struct client *c)
{
	if (!c->socket || shutdown(c->out, SHUT_WR) < 0)
		return;
	if (drop(c, clock_in(LINGER_MS), IO_TERM) == -EINTR)
		(void)drop(c, 0, IO_BUSY);
}

void io_linger_taken(struct client *c)
{
	size_t untaken = io_untaken(c), before = untaken;
	int64_t stalled = clock_in(LIMIT_STALL_MS);
	ssize_t n = 1;

	if (untaken && shutdown(c->out, SHUT_WR) < 0)
		return;
	while (untaken && clock_left(stalled) && (n > 0 || n == -ETIMEDOUT)) {
		n = drop(c, clock_in(LINGER_MS), IO_BUSY);
		untaken = io_untaken(c);
		if (untaken < before)
			stalled = clock_in(LIMIT_STALL_MS);
		before = untaken;
	}
	io_linger(c);
}
