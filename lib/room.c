#include "room_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "parse.h"

/* --- names --- */

bool room_name_ok(const char *name, size_t len)
{
	return parse_is_token(name, len, LIMIT_ROOM_NAME, "_-");
}

bool room_name_is_id(const char *name, size_t len)
{
	if (len != 32)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdef", name[i]) || !name[i])
			return false;
	return true;
}

void room_file_name(const char *name, char ret[ROOM_FILE_NAME])
{
	(void)snprintf(ret, ROOM_FILE_NAME, "%s.txt", name);
}

/* --- folders --- */

/* What is synced must be open for reading. */
static int folder_open(int directory, const char *name)
{
	int fd = openat(
	    directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "6f8c1c9e-...": an index does not survive a reboot. */
static int read_boot(unsigned char boot[16])
{
	char text[64];
	ssize_t n = io_read_file(
	    AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof text);
	size_t digits = 0;

	if (n < 0)
		return (int)n;
	memset(boot, 0, 16);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		int value = hex(text[i]);

		if (value < 0)
			continue;
		boot[digits / 2] |=
		    (unsigned char)(value << (digits % 2 ? 0 : 4));
		digits++;
	}
	return digits == 32 ? 0 : -EUCLEAN;
}

int rooms_open(struct rooms *rooms, const struct state *state)
{
	int r = 0;

	*rooms = (struct rooms){
	    .rooms = folder_open(state->state, "rooms"),
	    .meta = folder_open(state->state, "meta"),
	    .lost = folder_open(state->state, "lost"),
	    .index = state_folder(state->runtime, "index"),
	    .failed = state_folder(state->runtime, "failed"),
	};
	if (rooms->rooms < 0)
		r = rooms->rooms;
	else if (rooms->meta < 0)
		r = rooms->meta;
	else if (rooms->lost < 0)
		r = rooms->lost;
	else if (rooms->index < 0)
		r = rooms->index;
	else if (rooms->failed < 0)
		r = rooms->failed;
	else
		r = read_boot(rooms->boot);
	if (r < 0)
		rooms_close(rooms);
	return r;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void rooms_close(struct rooms *rooms)
{
	close_fd(&rooms->rooms);
	close_fd(&rooms->meta);
	close_fd(&rooms->lost);
	close_fd(&rooms->index);
	close_fd(&rooms->failed);
}

/* --- the room file --- */

void room_detach(struct room *room)
{
	close_fd(&room->fd);
	close_fd(&room->index);
	room->count = room->end = 0;
	room->read_only = 0;
	room->made = false;
}

static int open_existing(struct room *room, const char *file)
{
	/* A FIFO must not make us wait; it is refused in identify(). */
	int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int how = room->mode == ROOM_WATCH ? O_RDONLY : O_RDWR | O_APPEND;

	room->fd = openat(room->rooms->rooms, file, how | flags);
	if (room->fd < 0 &&
	    (errno == EACCES || errno == EROFS || errno == EPERM)) {
		room->read_only = -errno;
		room->fd = openat(room->rooms->rooms, file, O_RDONLY | flags);
	}
	if (room->fd >= 0)
		return 0;
	/* A link or a folder is no room. */
	return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -EINVAL
								   : -errno;
}

static int make(struct room *room, const char *file)
{
	room->fd = openat(room->rooms->rooms, file,
	    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (room->fd < 0)
		return -errno;
	room->made = true;
	return 0;
}

static int identify(struct room *room)
{
	struct statx st;

	if (statx(room->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		&st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	room->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	room->ino = st.stx_ino;
	room->born = st.stx_mask & STATX_BTIME ? st.stx_btime.tv_sec : 0;
	room->born_ns = st.stx_mask & STATX_BTIME ? st.stx_btime.tv_nsec : 0;
	return 0;
}

/* Opens the file that the path names (with `create`, making it): fd and what
 * tells it apart. The index is not looked at. 0 or -errno. */
static int attach(struct room *room, bool create)
{
	char file[ROOM_FILE_NAME];
	int r;

	room_detach(room);
	room_file_name(room->name, file);
	do {
		r = open_existing(room, file);
		if (r == -ENOENT && create)
			r = make(room, file);
	} while (r == -EEXIST);
	if (r == 0)
		r = identify(room);
	if (r < 0)
		room_detach(room);
	return r;
}

/* Does the path name this file? 1 with its size, 0 if another or none. */
static int same_file(const struct room *room, uint64_t *ret_size)
{
	char file[ROOM_FILE_NAME];
	struct stat st;

	room_file_name(room->name, file);
	if (fstatat(room->rooms->rooms, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != room->dev || st.st_ino != room->ino)
		return 0;
	*ret_size = (uint64_t)st.st_size;
	return 1;
}

int room_lock(struct room *room, bool create, uint64_t *ret_size)
{
	int64_t deadline = clock_in(LIMIT_LOCK_MS);
	int r = 0;

	for (;;) {
		if (room->fd < 0)
			r = attach(room, create);
		if (r == 0)
			r = io_flock(room->fd, LOCK_EX, deadline);
		if (r < 0)
			return r;
		r = same_file(room, ret_size);
		if (r == 1)
			return 0;
		room_detach(room);
		if (r == 0 && clock_left(deadline) == 0)
			r = -EBUSY;
		if (r < 0)
			return r;
	}
}

void room_unlock(struct room *room)
{
	(void)flock(room->fd, LOCK_UN);
}

int room_file_size(const struct room *room, uint64_t *ret_size)
{
	struct stat st;

	if (fstat(room->fd, &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int room_truncate(struct room *room, uint64_t to, uint64_t from)
{
	uint64_t size;
	int r;

	/* A write of nothing waits for one that is under way, whose beginning
	 * may be all that we saw. */
	(void)!write(room->fd, "", 0);
	r = room_file_size(room, &size);
	if (r < 0)
		return r;
	if (size != from)
		return -ESTALE;
	return ftruncate(room->fd, (off_t)to) < 0 ? -errno : 0;
}

/* --- syncs that failed --- */

bool room_failed(const struct rooms *rooms, const char *name)
{
	return faccessat(rooms->failed, name, F_OK, 0) == 0 || errno != ENOENT;
}

/* A name that is not there is dear to look up (tmpfs keeps no memory of it),
 * so what is asked twice an append is whether the folder changed. Its time is
 * that of a coarse clock, so a young one may hide a second change. */
bool room_is_marked(struct room *room)
{
	struct timespec *seen = &room->unmarked;
	struct stat st;

	if (fstat(room->rooms->failed, &st) < 0)
		return true;
	if (seen->tv_sec && st.st_mtim.tv_sec == seen->tv_sec &&
	    st.st_mtim.tv_nsec == seen->tv_nsec)
		return false;
	if (room_failed(room->rooms, room->name))
		return true;
	if (time(NULL) - st.st_mtim.tv_sec > 2)
		*seen = st.st_mtim;
	return false;
}

static void mark_failed(const struct room *room)
{
	int fd = openat(room->rooms->failed, room->name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		(void)close(fd);
}

int room_sync(struct room *room)
{
	int r;

	if (fdatasync(room->fd) == 0)
		return 0;
	r = -errno;
	mark_failed(room);
	return r;
}

/* --- opening and looking --- */

/* The index does not match: builds it, under the lock. Somebody else may have
 * done so while we waited. */
static int renew_locked(struct room *room, uint64_t size)
{
	int torn, r = index_load(room);

	if (r < 0)
		return r;
	return r ? 0 : index_build(room, size, &size, &torn);
}

/* Opens file and index anew. */
static int renew(struct room *room)
{
	uint64_t size;
	int r = attach(room, false);

	if (r == 0)
		r = index_load(room);
	if (r == 1)
		return 0;
	if (r == 0 && room->mode == ROOM_WATCH)
		r = -ESTALE;
	if (r == 0)
		r = room_lock(room, false, &size);
	if (r == 0) {
		r = renew_locked(room, size);
		room_unlock(room);
	}
	if (r == 0)
		return 0;
	room_detach(room);
	return r == -ENOENT && room->mode != ROOM_READ ? 0 : r;
}

/* 1 if what is open is still what the path names, 0 if not, -errno. */
static int look_open(struct room *room)
{
	uint64_t size;
	int r;

	if (room->fd < 0 || room->index < 0)
		return 0;
	/* First the index, then the file: it is never behind. */
	r = index_refresh(room);
	if (r == 1)
		r = same_file(room, &size);
	return r == 1 ? room->end <= size : r;
}

int room_look(struct room *room)
{
	bool had = room->fd >= 0;
	struct room old = *room;
	int r = look_open(room);

	if (r == 0)
		r = renew(room);
	if (r < 0)
		return r;
	return had != (room->fd >= 0) || old.dev != room->dev ||
	       old.ino != room->ino || old.count != room->count ||
	       old.end != room->end;
}

int room_init(struct room *room, const struct rooms *rooms, const char *name,
    size_t len, enum room_mode mode)
{
	*room =
	    (struct room){.rooms = rooms, .mode = mode, .fd = -1, .index = -1};
	if (!room_name_ok(name, len))
		return -EINVAL;
	memcpy(room->name, name, len);
	return 0;
}

int room_open(struct room *room, const struct rooms *rooms, const char *name,
    size_t len, enum room_mode mode)
{
	int r = room_init(room, rooms, name, len, mode);

	if (r == 0)
		r = room_look(room);
	return r < 0 ? r : 0;
}

void room_close(struct room *room)
{
	room_detach(room);
}
