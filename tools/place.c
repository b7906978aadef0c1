/*
 * The directory of a backup. As root it is made or opened for the state's owner
 * where that user could do so itself. Where only root can (below /root, say),
 * root goes there step by step, along no link and through no directory in which
 * that user could put something else in the next one's place.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define DIR_MODE 0750

static int complain_place(const struct admin *admin, const char *path, int r)
{
	switch (r) {
	case -ENOTEMPTY:
		return complain(admin, REFUSED,
		    "%s: is not empty; name a directory that is not there yet",
		    path);
	case -ELOOP:
	case -ENOTDIR:
		return complain(admin, REFUSED,
		    "%s: not a directory, or a link; name the directory itself",
		    path);
	case -EXDEV:
		return complain(admin, REFUSED,
		    "%s: another user could put something else there; name a "
		    "place that no other may write to",
		    path);
	case -ENOENT:
		return complain(admin, REFUSED, "%s: no such directory", path);
	default:
		return complain(admin, FAILED, "%s: %s", path, strerror(-r));
	}
}

/* --- the way there, as root ----------------------------------------------- */

/* Can that user change what a name in this directory stands for? In one like
 * /tmp it can only make new ones, which then are its own. */
static int check_step(int fd, const struct state_owner *owner)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == owner->uid)
		return -EXDEV;
	if (st.st_mode & S_ISVTX)
		return 0;
	return st.st_mode & 0002 ||
		       (st.st_mode & 0020 && st.st_gid == owner->gid)
		   ? -EXDEV
		   : 0;
}

static int step(int fd, const char *name, const struct state_owner *owner)
{
	int r = check_step(fd, owner);
	int next = -1;

	if (r == 0) {
		next = openat(
		    fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			r = -errno;
	}
	(void)close(fd);
	return r < 0 ? r : next;
}

/* Opens the directory above the last part of the path, which is put into name.
 * A descriptor or -errno. */
static int walk(
    const char *path, const struct state_owner *owner, char name[NAME_MAX + 1])
{
	int fd =
	    open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t len;
	int r = 0;

	if (fd < 0)
		return -errno;
	for (path += strspn(path, "/"); fd >= 0; path += len) {
		len = strcspn(path, "/");
		if (len == 0 || len > NAME_MAX) {
			r = len ? -ENAMETOOLONG : -EEXIST;
			break;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		len += strspn(path + len, "/");
		if (!path[len]) {
			r = check_step(fd, owner);
			break;
		}
		fd = step(fd, name, owner);
	}
	if (fd < 0 || r == 0)
		return fd;
	(void)close(fd);
	return r;
}

/* --- making it ------------------------------------------------------------ */

/* 0, -ENOTEMPTY or -errno. */
static int check_empty(int fd)
{
	struct dirent *entry;
	DIR *list;
	int r = state_folder_list(fd, &list);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(list)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = -ENOTEMPTY;
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(list);
	return r;
}

/* One that was there may be root's, or theirs already, but nobody else's. */
static int give(int fd, const struct state_owner *owner)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 && st.st_uid != owner->uid)
		return -EXDEV;
	return fchown(fd, owner->uid, owner->gid) < 0 ||
		       fchmod(fd, DIR_MODE) < 0
		   ? -errno
		   : 0;
}

/* In one that was there, somebody else could make the folders before us, and
 * keep them. What some file systems say of a new one means nothing. */
static int check_ours(int fd, bool made)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!made && st.st_mode & 0002)
		return -EXDEV;
	return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* A descriptor of the directory, which is there and empty, or -errno. */
static int make_at(int above, const char *name, const struct state_owner *owner)
{
	bool made = mkdirat(above, name, DIR_MODE) == 0;
	int fd, r;

	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(above, name, OPEN_FOLDER | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = check_empty(fd);
	if (r == 0 && owner)
		r = give(fd, owner);
	else if (r == 0)
		r = check_ours(fd, made);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int make_as_root(
    const char *path, const struct state_owner *owner, int *ret_above)
{
	char name[NAME_MAX + 1];
	int above = walk(path, owner, name), fd;

	if (above < 0)
		return above;
	fd = make_at(above, name, owner);
	/* What is flushed must be open for more than its path. */
	if (fd >= 0)
		*ret_above = openat(above, ".", OPEN_FOLDER);
	(void)close(above);
	return fd;
}

/* As the owner first: then no care need be taken. */
int place_make(struct admin *admin, const char *path)
{
	const struct state_owner *owner = &admin->owner;
	int r = state_owner_enter(owner);

	admin->above = -1;
	if (r < 0)
		return complain_place(admin, path, r);
	(void)umask(0027);
	admin->place = make_at(AT_FDCWD, path, NULL);
	r = state_owner_leave(owner);
	if (r == 0 && owner->other &&
	    (admin->place == -EACCES || admin->place == -EPERM))
		admin->place = make_as_root(path, owner, &admin->above);
	if (admin->place >= 0 && admin->above < 0)
		admin->above = openat(admin->place, "..", OPEN_FOLDER);
	if (r < 0 || admin->place < 0)
		return complain_place(admin, path, r < 0 ? r : admin->place);
	return DONE;
}

/* --- reading it ----------------------------------------------------------- */

static int open_as_root(const char *path, const struct state_owner *owner)
{
	char name[NAME_MAX + 1];
	int above = walk(path, owner, name), fd;

	if (above < 0)
		return above;
	fd = openat(above, name, OPEN_FOLDER | O_NOFOLLOW);
	if (fd < 0)
		fd = -errno;
	(void)close(above);
	return fd;
}

int place_open(struct admin *admin, const char *path)
{
	const struct state_owner *owner = &admin->owner;
	int r = state_owner_enter(owner);

	if (r < 0)
		return complain_place(admin, path, r);
	admin->place = open(path, OPEN_FOLDER);
	if (admin->place < 0)
		admin->place = -errno;
	r = state_owner_leave(owner);
	if (r == 0 && owner->other && admin->place == -EACCES)
		admin->place = open_as_root(path, owner);
	if (r < 0 || admin->place < 0)
		return complain_place(admin, path, r < 0 ? r : admin->place);
	return DONE;
}

/* Opening a device or a fifo does something, so it is looked at first. */
static int try_file(int folder, const char *name, struct stat *ret)
{
	int fd;

	if (fstatat(folder, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(ret->st_mode))
		return -EINVAL;
	fd = openat(folder, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EINVAL : -errno;
	if (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
		return fd;
	(void)close(fd);
	return -EINVAL;
}

/* A hard link to what only root may read looks like a file of the backup. So
 * nobody else may have put files there, or it is a file of whoever did. */
static bool is_fit(int folder, const struct stat *file)
{
	struct stat dir;

	return fstat(folder, &dir) == 0 && !(dir.st_mode & 0022) &&
	       (dir.st_uid == 0 || dir.st_uid == file->st_uid);
}

int place_file(
    const struct admin *admin, int folder, const char *name, struct stat *ret)
{
	int fd = try_file(folder, name, ret), r;

	if (fd != -EACCES || !admin->owner.other)
		return fd;
	r = state_owner_leave(&admin->owner);
	if (r == 0)
		fd = try_file(folder, name, ret);
	if (fd >= 0 && !is_fit(folder, ret)) {
		(void)close(fd);
		fd = -EACCES;
	}
	if (state_owner_enter(&admin->owner) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -EPERM;
}

static int try_folder(int folder, const char *name)
{
	int fd = openat(folder, name, OPEN_FOLDER | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EINVAL : -errno;
	return fd;
}

int place_folder(const struct admin *admin, int folder, const char *name)
{
	int fd = try_folder(folder, name), r;

	if (fd != -EACCES || !admin->owner.other)
		return fd;
	r = state_owner_leave(&admin->owner);
	if (r == 0)
		fd = try_folder(folder, name);
	if (state_owner_enter(&admin->owner) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -EPERM;
}
