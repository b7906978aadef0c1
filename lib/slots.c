#include "slots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "limits.h"

static int take(int folder, uint64_t number, int64_t deadline)
{
	char name[24];

	(void)snprintf(name, sizeof name, "%" PRIu64, number);
	return io_lock_file(folder, name, deadline);
}

/* The place of one kind in the queue for a slot. */
static int take_place(
    int folder, uint64_t number, unsigned char who, int64_t deadline)
{
	char name[32];

	(void)snprintf(name, sizeof name, "%" PRIu64 ".%02x", number, who);
	return io_lock_file(folder, name, deadline);
}

static int take_any(
    int folder, uint64_t count, uint64_t first, int64_t deadline)
{
	int r;

	for (uint64_t i = 0; i < count; i++) {
		r = take(folder, (first + i) % count, clock_ms());
		if (r != -EBUSY)
			return r;
	}
	return take(folder, first, deadline);
}

/* Begins anywhere, so that those who wait spread over the slots. */
int slots_take(int folder, uint64_t count, unsigned char who)
{
	int64_t deadline = clock_in(LIMIT_SLOT_MS);
	uint64_t first;
	int place, r;

	if (count == 0)
		count = 1;
	first = (uint64_t)getpid() % count;
	place = take_place(folder, first, who, deadline);
	if (place < 0)
		return place;
	r = take_any(folder, count, first, deadline);
	(void)close(place);
	return r;
}

void slots_give(int slot)
{
	if (slot >= 0)
		(void)close(slot);
}
