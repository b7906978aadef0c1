#include "present.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "name.h"
#include "parse.h"

#define LINE_MAX_BYTES (LIMIT_NAME + 1 + 20 + 1 + LIMIT_PRESENT_PEER + 1)

/*
 * Holders lock for writing. The sweeper locks for reading, so that it needs no
 * descriptor for writing (whose close would be an event to itself), a test
 * for holders does not see it, and a claimant can tell it from a holder.
 */

static int lock(int fd, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* The type of a lock that a lock of this type would have to wait for, F_UNLCK
 * if none, or -errno. */
static int lock_against(int fd, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &l) < 0 ? -errno : l.l_type;
}

/* 1, 0 or -errno */
static int is_held(int fd)
{
	int type = lock_against(fd, F_RDLCK);

	return type < 0 ? type : type == F_WRLCK;
}

int present_open(struct present *p, const struct state *s)
{
	p->folder = state_folder(s->runtime, "present");
	return p->folder < 0 ? p->folder : 0;
}

void present_close(struct present *p)
{
	if (p->folder >= 0)
		(void)close(p->folder);
	p->folder = -1;
}

/* Does the path still name this file? 1, 0 or -errno. */
static int still_named(const struct present *p, const char *key, int fd)
{
	struct stat ours, named;

	if (fstat(fd, &ours) < 0)
		return -errno;
	if (fstatat(p->folder, key, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* A holder is asked again until the deadline: it may just be dying. A sweeper
 * is done in a moment, but may have lost its processor. */
static int lock_waiting(int fd, int64_t holder, int64_t sweeper)
{
	int64_t deadline;
	int r;

	while ((r = lock(fd, F_WRLCK)) == -EAGAIN) {
		r = lock_against(fd, F_WRLCK);
		if (r < 0)
			return r;
		if (r == F_UNLCK)
			continue;
		deadline = r == F_RDLCK ? sweeper : holder;
		if (clock_left(deadline) == 0)
			return -EADDRINUSE;
		(void)io_wait(NULL, 0, clock_in(1), IO_BUSY);
	}
	return r;
}

/* Opens and locks the file that the path names. */
static int take(const struct present *p, const char *key)
{
	int64_t holder = clock_in(LIMIT_PRESENT_CLAIM_MS);
	int64_t sweeper = clock_in(LIMIT_LOCK_MS);
	int fd, r;

	for (;;) {
		fd = openat(p->folder, key,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		r = lock_waiting(fd, holder, sweeper);
		if (r == 0)
			r = still_named(p, key, fd);
		if (r == 1)
			return fd;
		(void)close(fd);
		if (r < 0)
			return r;
	}
}

static void add_peer(struct buf *b, const char *peer)
{
	for (size_t i = 0; i < LIMIT_PRESENT_PEER && peer[i]; i++)
		buf_char(b, (unsigned char)peer[i] <= ' ' || peer[i] == 0x7f
				? '_'
				: peer[i]);
	if (!peer[0])
		buf_char(b, '-');
}

/* One write of the whole line onto an empty file: who reads sees all or
 * nothing of it. */
static int write_line(int fd, const char *name, size_t len, const char *peer)
{
	char line[LINE_MAX_BYTES];
	struct buf b;
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_size && ftruncate(fd, 0) < 0))
		return -errno;
	buf_init(&b, line, sizeof line);
	buf_add(&b, name, len);
	buf_fmt(&b, " %d ", getpid());
	add_peer(&b, peer);
	buf_char(&b, '\n');
	return b.full ? -ENAMETOOLONG : io_pwrite(fd, line, b.len, 0);
}

int present_claim(struct claim *ret, const struct present *p, const char *name,
    size_t len, const char *peer)
{
	char key[LIMIT_NAME_KEY + 1];
	int r;

	ret->fd = -1;
	r = name_key(name, len, key);
	if (r < 0)
		return r;
	r = take(p, key);
	if (r < 0)
		return r;
	ret->fd = r;
	r = write_line(ret->fd, name, len, peer ? peer : "");
	if (r < 0)
		present_release(ret);
	return r;
}

void present_release(struct claim *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static int open_key(const struct present *p, const char *key)
{
	int fd = openat(p->folder, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int present_held(const struct present *p, const char *name, size_t len)
{
	char key[LIMIT_NAME_KEY + 1];
	int fd, r = name_key(name, len, key);

	if (r < 0)
		return r;
	fd = open_key(p, key);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = is_held(fd);
	(void)close(fd);
	return r;
}

static int parse_line(const char *text, size_t len, struct present_line *ret)
{
	const char *pid = memchr(text, ' ', len), *peer;
	struct present_line l;
	size_t left;

	if (!pid || pid == text || pid - text > LIMIT_NAME)
		return -ENODATA;
	left = len - (size_t)(++pid - text);
	peer = memchr(pid, ' ', left);
	if (!peer || parse_u64(pid, (size_t)(peer - pid), INT32_MAX, &l.pid))
		return -ENODATA;
	left -= (size_t)(++peer - pid);
	if (!left || left - 1 > LIMIT_PRESENT_PEER || peer[left - 1] != '\n')
		return -ENODATA;
	(void)snprintf(
	    l.name, sizeof l.name, "%.*s", (int)(pid - 1 - text), text);
	(void)snprintf(l.peer, sizeof l.peer, "%.*s", (int)(left - 1), peer);
	*ret = l;
	return 0;
}

static int read_line(int fd, struct present_line *ret)
{
	char text[LINE_MAX_BYTES];
	ssize_t n = pread(fd, text, sizeof text, 0);

	return n < 0 ? -errno : parse_line(text, (size_t)n, ret);
}

int present_read(
    const struct present *p, const char *key, struct present_line *ret)
{
	int fd = open_key(p, key), r;

	if (fd < 0)
		return fd;
	r = read_line(fd, ret);
	(void)close(fd);
	return r;
}

int present_each_key(
    const struct present *p, int (*f)(void *arg, const char *key), void *arg)
{
	DIR *dir = NULL;
	struct dirent *entry;
	int r = state_folder_list(p->folder, &dir);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = f(arg, entry->d_name);
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(dir);
	return r;
}

struct roster {
	const struct present *present;
	int (*f)(void *arg, const struct present_line *);
	void *arg;
};

static int show_if_held(void *arg, const char *key)
{
	const struct roster *roster = arg;
	struct present_line line;
	int fd = open_key(roster->present, key), r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = is_held(fd);
	if (r == 1)
		r = read_line(fd, &line) == 0;
	(void)close(fd);
	return r == 1 ? roster->f(roster->arg, &line) : r;
}

int present_each(const struct present *p,
    int (*f)(void *arg, const struct present_line *), void *arg)
{
	struct roster roster = {p, f, arg};

	return present_each_key(p, show_if_held, &roster);
}

/* Tests before it locks: a lock that is only taken to see, and for nothing,
 * would stand in a claimant's way. */
static int sweep(const struct present *p, const char *key, int fd)
{
	int r = is_held(fd);

	if (r == 0)
		r = lock(fd, F_RDLCK);
	if (r != 0)
		return r == -EAGAIN ? 1 : r;
	r = still_named(p, key, fd);
	if (r == 1)
		r = unlinkat(p->folder, key, 0) < 0 ? -errno : 0;
	else if (r == 0)
		r = 1; /* another file by now: ask again */
	return r;
}

int present_sweep(const struct present *p, const char *key)
{
	int fd = open_key(p, key), r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = sweep(p, key, fd);
	(void)close(fd);
	return r;
}
