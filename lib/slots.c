#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "limits.h"

static int take(int folder, uint64_t number, int64_t deadline)
{
	char name[24];
	int fd, r;

	(void)snprintf(name, sizeof name, "%" PRIu64, number);
	fd = openat(
	    folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = io_flock(fd, LOCK_EX, deadline);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

/* Begins anywhere, so that those who wait spread over the slots. */
int slots_take(int folder, uint64_t count)
{
	int64_t deadline = clock_in(LIMIT_SLOT_MS);
	uint64_t first;
	int r;

	if (count == 0)
		count = 1;
	first = (uint64_t)getpid() % count;
	for (uint64_t i = 0; i < count; i++) {
		r = take(folder, (first + i) % count, clock_ms());
		if (r != -EBUSY)
			return r;
	}
	return take(folder, first, deadline);
}

void slots_give(int slot)
{
	if (slot >= 0)
		(void)close(slot);
}
