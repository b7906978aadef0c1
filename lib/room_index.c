#include "room_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

#define INDEX_MAGIC "PLIX"
#define INDEX_VERSION 1

/* --- its form --- */

static void put_u32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof value);
}

static void put_u64(unsigned char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof value);
}

/* The header that this room's index must have. */
static void make_header(const struct room *room, unsigned char *header)
{
	memset(header, 0, INDEX_HEADER);
	memcpy(header, INDEX_MAGIC, 4);
	put_u32(header + 4, INDEX_VERSION);
	memcpy(header + 8, room->rooms->boot, 16);
	put_u64(header + 24, room->dev);
	put_u64(header + 32, room->ino);
	put_u64(header + 40, (uint64_t)room->born);
	put_u32(header + 48, room->born_ns);
}

/* A kill may have left a part of an entry, which does not count. */
static uint64_t entries(const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	return size < INDEX_HEADER ? 0 : (size - INDEX_HEADER) / INDEX_ENTRY;
}

static uint64_t entry_offset(uint64_t number)
{
	return INDEX_HEADER + (number - 1) * INDEX_ENTRY;
}

static uint64_t entry_end(uint64_t entry)
{
	return entry & ~INDEX_UPLOAD;
}

/* --- reading --- */

int index_entries(
    const struct room *room, uint64_t number, size_t n, uint64_t *ret)
{
	int r =
	    io_pread(room->index, ret, n * sizeof *ret, entry_offset(number));

	for (size_t i = 0; r == 0 && i < n; i++)
		ret[i] = le64toh(ret[i]);
	return r;
}

static int load_last(struct room *room, uint64_t count)
{
	uint64_t entry = 0;
	int r = count ? index_entries(room, count, 1, &entry) : 0;

	if (r < 0)
		return r;
	room->count = count;
	room->end = entry_end(entry);
	return 1;
}

int index_refresh(struct room *room)
{
	struct stat st;

	if (fstat(room->index, &st) < 0)
		return -errno;
	if (st.st_nlink == 0 || entries(&st) < room->count)
		return 0;
	if (entries(&st) == room->count)
		return 1;
	return load_last(room, entries(&st));
}

/* Does the file have that footer line before the index' end? */
static int fits(const struct room *room)
{
	struct stat st;

	if (fstat(room->fd, &st) < 0)
		return -errno;
	if (room->end > (uint64_t)st.st_size)
		return 0;
	return scan_file_ends_record(room->fd, room->end);
}

static int load_open(struct room *room)
{
	unsigned char want[INDEX_HEADER], header[INDEX_HEADER];
	struct stat st;
	int r;

	if (fstat(room->index, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < INDEX_HEADER)
		return 0;
	r = io_pread(room->index, header, sizeof header, 0);
	if (r < 0)
		return r;
	make_header(room, want);
	if (memcmp(header, want, sizeof want) != 0)
		return 0;
	r = load_last(room, entries(&st));
	return r < 0 ? r : fits(room);
}

static void index_close(struct room *room)
{
	if (room->index >= 0)
		(void)close(room->index);
	room->index = -1;
	room->count = room->end = 0;
	room->loads++;
}

int index_load(struct room *room)
{
	int how = room->mode == ROOM_WATCH ? O_RDONLY : O_RDWR;
	int r;

	index_close(room);
	room->index = openat(room->rooms->index, room->name,
	    how | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	/* Whatever else stands there is replaced by building. */
	if (room->index < 0)
		return errno == ENOENT || errno == ELOOP || errno == EISDIR
			   ? 0
			   : -errno;
	r = load_open(room);
	if (r <= 0)
		index_close(room);
	return r;
}

/* --- building --- */

struct builder {
	int fd;
	uint64_t at; /* where the buffer goes */
	uint64_t count;
	size_t n;
	uint64_t last;
	uint64_t entries[8192];
};

static void builder_init(struct builder *b, int fd, uint64_t at)
{
	b->fd = fd;
	b->at = at;
	b->count = b->last = 0;
	b->n = 0;
}

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
	b->last = hit->end;
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

static int build_into(
    struct room *room, struct builder *b, uint64_t size, uint64_t *ret_whole)
{
	unsigned char header[INDEX_HEADER];
	int r;

	make_header(room, header);
	r = io_pwrite(b->fd, header, sizeof header, 0);
	if (r == 0)
		r = scan_file(room->fd, 0, size, builder_found, b, ret_whole);
	return r < 0 ? r : builder_flush(b);
}

/* Builds a new one beside the old, and puts it in its place. */
static int build(struct room *room, uint64_t size, uint64_t *ret_whole)
{
	char name[LIMIT_ROOM_NAME + 16];
	struct builder *b = malloc(sizeof *b);
	int r;

	if (!b)
		return -ENOMEM;
	r = temporary_open(room, name, sizeof name);
	if (r < 0)
		goto out;
	builder_init(b, r, INDEX_HEADER);
	r = build_into(room, b, size, ret_whole);
	if (r == 0 && renameat(room->rooms->index, name, room->rooms->index,
			  room->name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(room->rooms->index, name, 0);
		(void)close(b->fd);
		goto out;
	}
	index_close(room);
	room->index = b->fd;
	room->count = b->count;
	room->end = b->last;
out:
	free(b);
	return r;
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

/* --- adding --- */

void tail_init(struct tail *tail, uint64_t from)
{
	tail->from = tail->size = from;
	tail->n = 0;
}

void tail_add(struct tail *tail, uint64_t entry)
{
	tail->size = entry_end(entry);
	if (tail->n == TAIL_ENDS) {
		tail->from = entry_end(tail->ends[TAIL_ENDS - 1]);
		tail->n = 0;
	}
	tail->ends[tail->n++] = entry;
}

int tail_found(void *arg, const struct scan_hit *hit)
{
	bool upload = scan_is_upload(hit->text, hit->len);

	tail_add(arg, hit->end | (upload ? INDEX_UPLOAD : 0));
	return 0;
}

static int add_known(struct room *room, const struct tail *tail)
{
	uint64_t out[TAIL_ENDS];
	int r;

	for (size_t i = 0; i < tail->n; i++)
		out[i] = htole64(tail->ends[i]);
	r = io_pwrite(room->index, out, tail->n * sizeof out[0],
	    entry_offset(room->count + 1));
	if (r == 0) {
		room->count += tail->n;
		room->end = tail->size;
	}
	return r;
}

/* The tail begins later than the index ends: looks at what is between. */
static int add_scanned(struct room *room, uint64_t from, uint64_t to)
{
	struct builder *b = malloc(sizeof *b);
	uint64_t whole;
	int r;

	if (!b)
		return -ENOMEM;
	builder_init(b, room->index, entry_offset(room->count + 1));
	r = scan_file(room->fd, from, to, builder_found, b, &whole);
	if (r == 0)
		r = whole == to ? builder_flush(b) : -ESTALE;
	if (r == 0) {
		room->count += b->count;
		room->end = to;
	}
	free(b);
	return r;
}

/*
 * No lock: which record has which number was settled while the caller held the
 * room's, and whoever writes an entry writes the same bytes to the same place,
 * from where the index ended when it looked or before, so there never is a
 * hole. All that can happen is that the index was replaced meanwhile; then
 * these went nowhere, and the caller must look again.
 */
int index_add(struct room *room, struct tail *tail)
{
	struct stat st;
	int r = 0;

	if (room->end < tail->from)
		r = add_scanned(room, room->end, tail->from);
	if (r == 0)
		r = add_known(room, tail);
	if (r < 0)
		return r;
	tail->number = room->count;
	if (fstat(room->index, &st) < 0)
		return -errno;
	return st.st_nlink ? 0 : -ESTALE;
}
