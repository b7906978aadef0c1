#include "room_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

#define COPY_CHUNK (64 * 1024)
#define LOST_TRIES 1000

/* Makes lost/NAME.TIME, or .1, .2 ...: nothing there is overwritten. */
static int lost_open(const struct room *room, char name[ROOM_LOST_NAME])
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, fd;
	char time[CLOCK_COMPACT];

	clock_compact(clock_now(), time);
	(void)snprintf(name, ROOM_LOST_NAME, "%s.%s", room->name, time);
	fd = openat(room->rooms->lost, name, flags, 0640);
	for (int i = 1; fd < 0 && errno == EEXIST && i < LOST_TRIES; i++) {
		(void)snprintf(
		    name, ROOM_LOST_NAME, "%s.%s.%d", room->name, time, i);
		fd = openat(room->rooms->lost, name, flags, 0640);
	}
	return fd < 0 ? -errno : fd;
}

static int copy_blocks(int from, uint64_t at, uint64_t end, int to, char *block)
{
	uint64_t start = at;
	int r = 0;

	while (r == 0 && at < end) {
		size_t len =
		    end - at < COPY_CHUNK ? (size_t)(end - at) : COPY_CHUNK;

		r = io_pread(from, block, len, at);
		if (r == 0)
			r = io_pwrite(to, block, len, at - start);
		at += len;
	}
	return r;
}

static int copy(int from, uint64_t at, uint64_t end, int to)
{
	char *block = malloc(COPY_CHUNK);
	int r;

	if (!block)
		return -ENOMEM;
	r = copy_blocks(from, at, end, to, block);
	free(block);
	return r < 0 ? r : fsync(to) < 0 ? -errno : 0;
}

static int save(const struct room *room, uint64_t whole, uint64_t size,
    char lost[ROOM_LOST_NAME])
{
	int fd = lost_open(room, lost);
	int r;

	if (fd < 0)
		return fd;
	r = copy(room->fd, whole, size, fd);
	if (r == 0 && fsync(room->rooms->lost) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(room->rooms->lost, lost, 0);
	(void)close(fd);
	return r;
}

int room_cut(struct room *room, uint64_t whole, uint64_t size,
    char ret_lost[ROOM_LOST_NAME])
{
	int r = room->read_only;

	if (r == 0)
		r = save(room, whole, size, ret_lost);
	if (r < 0)
		return r;
	r = room_truncate(room, whole, size);
	if (r < 0) {
		(void)unlinkat(room->rooms->lost, ret_lost, 0);
		ret_lost[0] = '\0';
		return r;
	}
	if (room->rooms->notice)
		room->rooms->notice(room->rooms->notice_arg, room->name,
		    ret_lost, size - whole);
	return room_sync(room);
}
