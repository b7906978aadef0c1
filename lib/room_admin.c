#include "room_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

#define SUFFIX ".txt"

/* --- listing --- */

static bool is_room_file(const struct dirent *entry, char *name)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
		return false;
	if (len <= suffix ||
	    memcmp(entry->d_name + len - suffix, SUFFIX, suffix) != 0 ||
	    !room_name_ok(entry->d_name, len - suffix))
		return false;
	memcpy(name, entry->d_name, len - suffix);
	name[len - suffix] = '\0';
	return true;
}

int rooms_each(
    const struct rooms *rooms, int (*f)(void *arg, const char *name), void *arg)
{
	DIR *dir = NULL;
	char name[LIMIT_ROOM_NAME + 1];
	struct dirent *entry;
	int r = state_folder_list(rooms->rooms, &dir);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (is_room_file(entry, name))
			r = f(arg, name);
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* --- redact --- */

/* x for every byte but the line ends, CRLF too. */
static void cross_out(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n' &&
		    !(text[i] == '\r' && i + 1 < len && text[i + 1] == '\n'))
			text[i] = 'x';
}

/* How much of a record is text: all before its last line, less the "\n". */
static size_t text_length(const char *record, size_t len)
{
	struct footer footer;
	struct slice body;

	room_record(record, len, &body, &footer);
	return body.len;
}

/* The room's own descriptor appends, whatever the offset (pwrite(2), BUGS). */
static int overwrite(
    struct room *room, uint64_t at, const char *text, size_t len)
{
	char file[ROOM_FILE_NAME];
	struct stat st;
	int fd, r;

	room_file_name(room->name, file);
	fd =
	    openat(room->rooms->rooms, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (st.st_dev != room->dev || st.st_ino != room->ino))
		r = -EBUSY;
	if (r == 0)
		r = io_pwrite(fd, text, len, at);
	(void)close(fd);
	return r < 0 ? r : room_sync(room);
}

static int redact(struct room *room, const struct room_span *span)
{
	size_t len = (size_t)(span->end - span->start);
	char *record = malloc(len);
	int r;

	if (!record)
		return -ENOMEM;
	r = room_read(room, span->start, record, len);
	if (r == 0) {
		len = text_length(record, len);
		cross_out(record, len);
		r = overwrite(room, span->start, record, len);
	}
	free(record);
	return r;
}

int room_redact(struct room *room, uint64_t number)
{
	struct room_span span;
	struct tail tail;
	int r = room_lock_prepared(room, false, &tail);

	if (r < 0)
		return r;
	r = room_find(room, number, &span);
	if (r == 0)
		r = redact(room, &span);
	room_unlock(room);
	return r;
}

/* --- delete --- */

static int unlink_room(const struct room *room)
{
	const struct rooms *rooms = room->rooms;
	char file[ROOM_FILE_NAME];

	room_file_name(room->name, file);
	if (unlinkat(rooms->rooms, file, 0) < 0)
		return -errno;
	(void)unlinkat(rooms->meta, room->name, 0);
	(void)unlinkat(rooms->index, room->name, 0);
	(void)unlinkat(rooms->failed, room->name, 0);
	return fsync(rooms->rooms) < 0 ? -errno : 0;
}

/* One that has no file yet. */
static int unlink_meta(const struct rooms *rooms, const char *name)
{
	if (!room_name_is_id(name, strlen(name)))
		return -ENOENT;
	if (unlinkat(rooms->meta, name, 0) < 0 || fsync(rooms->meta) < 0)
		return -errno;
	return 0;
}

int room_delete(const struct rooms *rooms, const char *name)
{
	struct room room;
	uint64_t size;
	int r = room_init(&room, rooms, name, strlen(name), ROOM_READ);

	if (r == 0)
		r = room_lock(&room, false, &size);
	if (r == 0) {
		r = unlink_room(&room);
		room_unlock(&room);
	} else if (r == -ENOENT)
		r = unlink_meta(rooms, name);
	room_close(&room);
	return r;
}

/* --- check --- */

struct census {
	uint64_t records;
	uint64_t whole;
};

static int census_found(void *arg, const struct scan_hit *hit)
{
	struct census *c = arg;

	c->records++;
	c->whole = hit->end;
	return 0;
}

/* What stands there, without the index. */
static int take_census(
    const struct room *room, uint64_t size, struct room_health *h)
{
	struct census c = {0};
	uint64_t whole;
	int r = scan_file(room->fd, 0, size, census_found, &c, &whole);

	if (r < 0)
		return r;
	h->records = c.records;
	h->bytes = whole;
	h->torn = size - whole;
	return 0;
}

/* After a failed sync the file is what the disk has, not what the page cache
 * says: what lies past the last index entry goes to lost/, and if there is no
 * index either, what reads back from the disk is what there is. */
static int repair_failed(
    struct room *room, uint64_t size, bool indexed, struct room_health *h)
{
	int r = 0;

	(void)posix_fadvise(room->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (indexed) {
		h->bytes = room->end;
		h->records = room->count;
	} else {
		r = take_census(room, size, h);
	}
	h->torn = size - h->bytes;
	h->settled = 0;
	if (r == 0 && h->torn)
		r = room_cut(room, h->bytes, size, h->lost);
	/* The sync that follows is of a file that was changed again, so it
	 * tells what the disk is like now. */
	if (r == 0 && fdatasync(room->fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	if (unlinkat(room->rooms->failed, room->name, 0) < 0)
		return -errno;
	return 0;
}

static int repair_torn(struct room *room, uint64_t size, struct room_health *h)
{
	return h->torn ? room_cut(room, h->bytes, size, h->lost) : 0;
}

static int repair(
    struct room *room, uint64_t size, bool indexed, struct room_health *h)
{
	bool sound = indexed && !h->failed && !h->torn && !h->settled;
	int torn, r = 0;

	if (sound)
		return 0;
	if (h->failed)
		r = repair_failed(room, size, indexed, h);
	else
		r = repair_torn(room, size, h);
	/* A new index, so that who holds this one's descriptor opens room and
	 * index anew: the old descriptors may have a failure to tell still. */
	if (r == 0)
		r = index_build(room, h->bytes, &size, &torn);
	h->repaired = r == 0 && (h->failed || h->torn);
	return r;
}

static int check_locked(
    struct room *room, uint64_t size, bool mend, struct room_health *h)
{
	int indexed = index_load(room);
	int r = indexed < 0 ? indexed : take_census(room, size, h);

	if (r < 0)
		return r;
	h->failed = room_failed(room->rooms, room->name);
	if (indexed)
		h->settled = h->bytes > room->end ? h->bytes - room->end : 0;
	return mend ? repair(room, size, indexed, h) : 0;
}

int room_check(const struct rooms *rooms, const char *name, bool mend,
    struct room_health *ret)
{
	struct room_health h = {0};
	struct room room;
	uint64_t size;
	int r = room_init(&room, rooms, name, strlen(name), ROOM_READ);

	if (r == 0)
		r = room_lock(&room, false, &size);
	if (r == 0) {
		r = check_locked(&room, size, mend, &h);
		room_unlock(&room);
	}
	room_close(&room);
	if (r == 0)
		*ret = h;
	/* Somebody is editing it. */
	return r == -ESTALE ? -EBUSY : r;
}
