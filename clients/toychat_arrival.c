#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toychat.h"

static int put(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

/* Where a download goes: the folder and the name in it. The server's name is
 * used only where it cannot lead elsewhere. */
static int place_of(struct arrival *a, struct slice name, const char *path)
{
	const char *base = base_of(path);
	struct stat st;
	bool is_folder =
	    !*base || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
	int r;

	*a = (struct arrival){.dir = -1, .fd = -1};
	if (is_folder) {
		if (name.data[0] == '.' || memchr(name.data, '/', name.len))
			return -EINVAL;
		base = "";
	}
	r = put(a->folder, sizeof a->folder, *path ? path : "./",
	    *path ? strlen(path) - strlen(base) : 2);
	if (r == 0 && !a->folder[0])
		r = put(a->folder, sizeof a->folder, "./", 2);
	if (r < 0)
		return r;
	return is_folder ? put(a->name, sizeof a->name, name.data, name.len)
			 : put(a->name, sizeof a->name, base, strlen(base));
}

/* 0: nothing is there. -EEXIST; -ENOTSUP what is there is no file. */
static int look(const struct arrival *a)
{
	struct stat st;

	if (fstatat(a->dir, a->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISREG(st.st_mode) ? -EEXIST : -ENOTSUP;
}

static int open_temporary(struct arrival *a)
{
	a->fd = openat(a->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	if (a->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return a->fd < 0 ? -errno : 0;
	(void)snprintf(a->temporary, sizeof a->temporary, ".toychat.%jd",
	    (intmax_t)getpid());
	a->fd = openat(a->dir, a->temporary,
	    O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (a->fd >= 0)
		return 0;
	a->temporary[0] = '\0';
	return -errno;
}

int arrival_open(
    struct arrival *a, struct slice name, const char *path, bool replace)
{
	int r = place_of(a, name, path);

	if (r < 0)
		return r;
	a->dir = open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dir < 0)
		return -errno;
	r = look(a);
	if (r == -EEXIST && replace)
		r = 0;
	return r < 0 ? r : open_temporary(a);
}

void arrival_close(struct arrival *a)
{
	if (a->temporary[0])
		(void)unlinkat(a->dir, a->temporary, 0);
	if (a->fd >= 0)
		(void)close(a->fd);
	if (a->dir >= 0)
		(void)close(a->dir);
	a->dir = a->fd = -1;
}

/* Gives it the name, and no other file's. */
static int arrival_link(struct arrival *a, const char *name)
{
	char from[32];

	if (a->temporary[0])
		return linkat(a->dir, a->temporary, a->dir, name, 0) < 0
			   ? -errno
			   : 0;
	(void)snprintf(from, sizeof from, "/proc/self/fd/%d", a->fd);
	return linkat(AT_FDCWD, from, a->dir, name, AT_SYMLINK_FOLLOW) < 0
		   ? -errno
		   : 0;
}

static int arrival_replace(struct arrival *a)
{
	int r = 0;

	if (!a->temporary[0]) {
		char name[sizeof a->temporary];

		(void)snprintf(
		    name, sizeof name, ".toychat.%jd", (intmax_t)getpid());
		r = arrival_link(a, name);
		if (r == 0)
			memcpy(a->temporary, name, sizeof name);
	}
	if (r == 0 && renameat(a->dir, a->temporary, a->dir, a->name) < 0)
		r = -errno;
	if (r == 0)
		a->temporary[0] = '\0';
	return r;
}

int arrival_finish(struct arrival *a, bool replace)
{
	int r = a->error;

	if (r == 0 && fsync(a->fd) < 0)
		r = -errno;
	if (r == 0)
		r = replace ? arrival_replace(a) : arrival_link(a, a->name);
	return r;
}

bool arrival_exists(struct slice name, const char *path)
{
	struct arrival a;
	bool there;

	if (place_of(&a, name, path) < 0)
		return false;
	a.dir = open(a.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	there = a.dir >= 0 && look(&a) == -EEXIST;
	arrival_close(&a);
	return there;
}
