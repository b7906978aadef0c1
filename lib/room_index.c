#include "room_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
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
void index_header(const struct room *room, unsigned char header[INDEX_HEADER])
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
	room->end = INDEX_END(entry);
	return 1;
}

static void note_spare(struct room *room, const struct stat *st)
{
	uint64_t allocated = (uint64_t)st->st_blocks * 512;
	uint64_t size = (uint64_t)st->st_size;

	room->spare = allocated > size ? allocated - size : 0;
}

int index_reserve(struct room *room)
{
	uint64_t end = entry_offset(room->count + 1);

	if (room->spare >= INDEX_SPARE)
		return 0;
	if (fallocate(room->index, FALLOC_FL_KEEP_SIZE, (off_t)end,
		2 * (off_t)INDEX_SPARE) == 0)
		return 0;
	/* Where it cannot be done ahead, it is seen when it is too late. */
	return errno == ENOSPC || errno == EDQUOT ? -errno : 0;
}

int index_refresh(struct room *room)
{
	struct stat st;

	if (fstat(room->index, &st) < 0)
		return -errno;
	if (st.st_nlink == 0 || entries(&st) < room->count)
		return 0;
	note_spare(room, &st);
	if (entries(&st) == room->count)
		return 1;
	return load_last(room, entries(&st));
}

/* So many entries are taken in at once. */
#define ADVANCE 64

static void note_fresh(struct room *room, const uint64_t *entries, size_t n)
{
	size_t most = sizeof room->fresh.ends / sizeof room->fresh.ends[0];

	room->fresh.before = room->count;
	room->fresh.loads = room->loads;
	room->fresh.ends[0] = room->end;
	room->fresh.n = n < most ? n + 1 : most;
	for (size_t i = 1; i < room->fresh.n; i++)
		room->fresh.ends[i] = le64toh(entries[i - 1]);
}

bool index_fresh(const struct room *room, uint64_t number, uint64_t ret[2])
{
	uint64_t i = number - room->fresh.before;

	if (room->fresh.loads != room->loads || number <= room->fresh.before ||
	    i >= room->fresh.n)
		return false;
	ret[0] = room->fresh.ends[i - 1];
	ret[1] = room->fresh.ends[i];
	return true;
}

int room_advance(struct room *room)
{
	uint64_t ends[ADVANCE], from = room->count;
	size_t n;
	ssize_t r;

	if (room->index < 0)
		return 0;
	do {
		r = io_pread_some(room->index, ends, sizeof ends,
		    entry_offset(room->count + 1));
		if (r < 0)
			return (int)r;
		n = (size_t)r / INDEX_ENTRY;
		if (n == 0)
			break;
		if (room->count == from)
			note_fresh(room, ends, n);
		room->count += n;
		room->end = INDEX_END(le64toh(ends[n - 1]));
		room->spare -=
		    room->spare < (size_t)r ? room->spare : (size_t)r;
	} while (n == ADVANCE);
	return room->count != from;
}

/* Was it built since the last boot, by us? */
static bool is_of_this_boot(
    const unsigned char *header, const unsigned char *want)
{
	return memcmp(header, want, 24) == 0;
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
	index_header(room, want);
	/* Then the file was replaced or edited by hand, if it does not fit. */
	room->edited = is_of_this_boot(header, want);
	if (memcmp(header, want, sizeof want) != 0)
		return 0;
	note_spare(room, &st);
	r = load_last(room, entries(&st));
	if (r == 1)
		r = fits(room);
	if (r == 1)
		room->edited = false;
	return r;
}

void index_close(struct room *room)
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
	room->edited = false;
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

/* --- adding --- */

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

/* The tail begins later than the index ends: adds what is between. */
static int add_scanned(struct room *room, uint64_t from, uint64_t to)
{
	uint64_t whole, count = 0;
	int r = index_write(room, room->index, entry_offset(room->count + 1),
	    from, to, &count, &whole);

	if (r == 0 && whole != to)
		r = -ESTALE;
	if (r == 0) {
		room->count += count;
		room->end = to;
	}
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
