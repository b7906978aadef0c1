#include "room_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

/* A file that nobody has written to for so long, in seconds, is at rest. */
#define REST_S 2

struct builder {
	int fd;
	uint64_t at; /* where the buffer goes */
	uint64_t count;
	size_t n;
	uint64_t entries[8192];
};

static int builder_flush(struct builder *b)
{
	size_t len = b->n * sizeof b->entries[0];
	int r = io_pwrite(b->fd, b->entries, len, b->at);

	b->at += len;
	b->n = 0;
	return r;
}

static int builder_found(void *arg, const struct scan_hit *hit)
{
	struct builder *b = arg;

	b->entries[b->n++] =
	    htole64(hit->end |
		    (scan_is_upload(hit->text, hit->len) ? INDEX_UPLOAD : 0));
	b->count++;
	return b->n < sizeof b->entries / sizeof b->entries[0]
		   ? 0
		   : builder_flush(b);
}

/* Under a name that is no room's, so fanout and readers pass it by. */
static int temporary_open(const struct room *room, char *name, size_t size)
{
	int fd, flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

	(void)snprintf(name, size, ".%s.%d", room->name, (int)getpid());
	(void)unlinkat(room->rooms->index, name, 0);
	fd = openat(room->rooms->index, name, flags, 0600);
	return fd < 0 ? -errno : fd;
}

int index_write(const struct room *room, int fd, uint64_t at, uint64_t from,
    uint64_t to, uint64_t *ret_count, uint64_t *ret_whole)
{
	struct builder *b = malloc(sizeof *b);
	int r;

	if (!b)
		return -ENOMEM;
	b->fd = fd;
	b->at = at;
	b->count = 0;
	b->n = 0;
	r = scan_file(room->fd, from, to, builder_found, b, ret_whole);
	if (r == 0)
		r = builder_flush(b);
	*ret_count = b->count;
	free(b);
	return r;
}

/* A file that was replaced or edited in a running system, that changed just
 * now and does not end in a whole record: somebody is still writing it, `cp`
 * maybe, and cutting it off would spoil it. */
static bool is_being_written(const struct room *room)
{
	struct stat st;
	int64_t now = clock_now();

	return room->edited && fstat(room->fd, &st) == 0 &&
	       now >= st.st_mtim.tv_sec && now - st.st_mtim.tv_sec < REST_S;
}

static int build_into(struct room *room, int fd, uint64_t size,
    uint64_t *ret_count, uint64_t *ret_whole)
{
	unsigned char header[INDEX_HEADER];
	int r;

	index_header(room, header);
	r = io_pwrite(fd, header, sizeof header, 0);
	if (r == 0)
		r = index_write(
		    room, fd, sizeof header, 0, size, ret_count, ret_whole);
	if (r == 0 && *ret_whole < size && is_being_written(room))
		r = -EBUSY;
	return r;
}

/* Builds a new one beside the old, and puts it in its place. */
static int build(struct room *room, uint64_t size, uint64_t *ret_whole)
{
	char name[LIMIT_ROOM_NAME + 16];
	int fd = temporary_open(room, name, sizeof name), r;
	int dir = room->rooms->index;
	uint64_t count;

	if (fd < 0)
		return fd;
	r = build_into(room, fd, size, &count, ret_whole);
	if (r == 0 && renameat(dir, name, dir, room->name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, name, 0);
		(void)close(fd);
		return r;
	}
	index_close(room);
	room->index = fd;
	room->edited = false;
	room->spare = 0;
	room->count = count;
	room->end = *ret_whole;
	return 0;
}

/* That an index exists says that all it names is on disk: the bytes, and the
 * room's name too. */
static int sync_all(struct room *room)
{
	int r = room_sync(room);

	if (r == 0 && room_is_marked(room))
		r = -EKEYREVOKED;
	if (r == 0 && fsync(room->rooms->rooms) < 0)
		r = -errno;
	return r;
}

int index_build(
    struct room *room, uint64_t size, uint64_t *ret_size, int *ret_torn)
{
	char lost[ROOM_LOST_NAME];
	uint64_t whole = 0;
	int r = sync_all(room);

	if (r == 0)
		r = build(room, size, &whole);
	if (r < 0)
		return r;
	*ret_torn = 0;
	*ret_size = size;
	if (whole == size)
		return 0;
	/* Reading goes on where it cannot be moved away. */
	*ret_torn = size - whole > LIMIT_TORN
			? -EUCLEAN
			: room_cut(room, whole, size, lost);
	if (*ret_torn == 0)
		*ret_size = whole;
	return 0;
}
