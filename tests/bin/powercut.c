/*
 * A disk whose power can be cut: serves one file, `disk`, over FUSE, for a
 * loop device to stand on, and logs every write and every flush in the order
 * in which they were done. Afterwards the disk as it was at any instant can
 * be made again: what was written before the last flush, and none, half or
 * all of what was written since.
 *
 *	powercut serve IMAGE LOG COUNTER MOUNTPOINT
 *		Mounts, goes to the background and ends when unmounted.
 *		COUNTER is a file of 8 bytes: how many entries LOG has, to be
 *		mapped by whoever wants to know "when" it is.
 *	powercut cut LOG IMAGE CUT none|half|all SEED
 *		Applies to IMAGE, which is to be as it was when `serve` began,
 *		the first CUT entries. Half: each piece of 4 KiB is there or
 *		not, as SEED has it; a disk keeps no order without flushes.
 *	powercut list LOG
 *		Counts: entries, writes, bytes, flushes.
 *
 * One thread serves, so an entry that is in the log before a flush was done
 * before it. Exit codes: 0, 1 (any failure, with a message).
 */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/parse.h"

#define DISK "/disk"
#define PIECE 4096 /* what a drive writes whole or not at all */
#define WRITE_MAX (1 << 20)

enum kind { WRITE = 0, FLUSH = 1 };

/* Before the data of a write, or alone. */
struct entry {
	uint64_t offset;
	uint64_t time; /* nanoseconds, monotonic */
	uint32_t len;
	uint32_t kind;
};

static int image = -1, log_fd = -1;
static _Atomic uint64_t *counter;

static void fail(const char *what)
{
	(void)fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(path);
	return fd;
}

static void write_all(int fd, const void *data, size_t len)
{
	ssize_t n;

	for (const char *at = data; len; at += n, len -= (size_t)n) {
		n = write(fd, at, len);
		if (n <= 0)
			fail("log");
	}
}

/* --- the disk --- */

static void note(enum kind kind, const char *data, size_t len, off_t offset)
{
	struct timespec now;
	struct entry e = {.offset = (uint64_t)offset,
	    .len = (uint32_t)len,
	    .kind = (uint32_t)kind};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	e.time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	write_all(log_fd, &e, sizeof e);
	write_all(log_fd, data, len);
	(*counter)++;
}

static int disk_getattr(
    const char *path, struct stat *st, struct fuse_file_info *info)
{
	(void)info;
	if (strcmp(path, DISK) == 0)
		return fstat(image, st) < 0 ? -errno : 0;
	if (strcmp(path, "/") != 0)
		return -ENOENT;
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFDIR | 0700;
	st->st_nlink = 2;
	return 0;
}

static int disk_open(const char *path, struct fuse_file_info *info)
{
	(void)info;
	return strcmp(path, DISK) == 0 ? 0 : -ENOENT;
}

static int disk_read(const char *path, char *data, size_t len, off_t offset,
    struct fuse_file_info *info)
{
	ssize_t n = pread(image, data, len, offset);

	(void)path;
	(void)info;
	return n < 0 ? -errno : (int)n;
}

static int disk_write(const char *path, const char *data, size_t len,
    off_t offset, struct fuse_file_info *info)
{
	ssize_t n = pwrite(image, data, len, offset);

	(void)path;
	(void)info;
	if (n < 0)
		return -errno;
	note(WRITE, data, (size_t)n, offset);
	return (int)n;
}

static int disk_fsync(const char *path, int data, struct fuse_file_info *info)
{
	(void)path;
	(void)data;
	(void)info;
	note(FLUSH, NULL, 0, 0);
	return 0;
}

static const struct fuse_operations operations = {
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
};

static void map_counter(const char *path)
{
	int fd = open_or_fail(path, O_RDWR | O_CREAT);

	if (ftruncate(fd, sizeof *counter) < 0)
		fail(path);
	counter = mmap(
	    NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counter == MAP_FAILED)
		fail(path);
	(void)close(fd);
}

static int serve(char **argv)
{
	char name[] = "powercut", *names[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, names);
	struct fuse *fuse;

	image = open_or_fail(argv[0], O_RDWR);
	log_fd = open_or_fail(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
	map_counter(argv[2]);
	fuse = fuse_new(&args, &operations, sizeof operations, NULL);
	if (!fuse || fuse_mount(fuse, argv[3]) < 0)
		return 1;
	if (fuse_daemonize(0) < 0)
		fail("fuse_daemonize");
	if (fuse_set_signal_handlers(fuse_get_session(fuse)) < 0)
		return 1;
	(void)fuse_loop(fuse);
	fuse_unmount(fuse);
	fuse_destroy(fuse);
	return 0;
}

/* --- its log --- */

/* The next entry, its data in data (WRITE_MAX bytes). False at the end. */
static bool next_entry(FILE *log, struct entry *e, char *data)
{
	if (fread(e, sizeof *e, 1, log) != 1)
		return false;
	if (e->len > WRITE_MAX || fread(data, 1, e->len, log) != e->len) {
		errno = EINVAL;
		fail("log");
	}
	return true;
}

static FILE *open_log(const char *path)
{
	FILE *log = fopen(path, "rbe");

	if (!log)
		fail(path);
	return log;
}

static char *new_data(void)
{
	char *data = malloc(WRITE_MAX);

	if (!data)
		fail("malloc");
	return data;
}

/* How many of the first `cut` entries are safe: up to the last flush. */
static uint64_t last_flush(const char *path, uint64_t cut)
{
	FILE *log = open_log(path);
	char *data = new_data();
	uint64_t safe = 0;
	struct entry e;

	for (uint64_t i = 0; i < cut; i++) {
		if (!next_entry(log, &e, data)) {
			errno = ERANGE;
			fail("the log is shorter than the cut");
		}
		if (e.kind == FLUSH)
			safe = i + 1;
	}
	free(data);
	(void)fclose(log);
	return safe;
}

/* xorshift64*: the same cut is the same image again. */
static bool toss(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return (*random * 2685821657736338717U) >> 63;
}

static void apply(int fd, const struct entry *e, const char *data, bool half,
    uint64_t *random)
{
	size_t n;

	for (size_t at = 0; at < e->len; at += n) {
		n = PIECE - (e->offset + at) % PIECE;
		if (n > e->len - at)
			n = e->len - at;
		if (half && toss(random))
			continue;
		if (pwrite(fd, data + at, n, (off_t)(e->offset + at)) !=
		    (ssize_t)n)
			fail("image");
	}
}

static int cut(char **argv)
{
	uint64_t at = 0, random = 0, safe, late = 0;
	bool half = strcmp(argv[3], "half") == 0;
	int fd = open_or_fail(argv[1], O_RDWR);
	char *data = new_data();
	struct entry e;
	FILE *log;

	if (parse_u64(argv[2], strlen(argv[2]), UINT64_MAX, &at) < 0 ||
	    parse_u64(argv[4], strlen(argv[4]), UINT32_MAX, &random) < 0) {
		errno = EINVAL;
		fail("CUT, SEED");
	}
	random = (random + 1) * 0x9e3779b97f4a7c15U;
	safe = last_flush(argv[0], at);
	log = open_log(argv[0]);
	if (strcmp(argv[3], "none") == 0)
		at = safe;
	for (uint64_t i = 0; i < at && next_entry(log, &e, data); i++) {
		apply(fd, &e, data, half && i >= safe, &random);
		late += i >= safe;
	}
	printf("flushed=%ju later=%ju\n", (uintmax_t)safe, (uintmax_t)late);
	free(data);
	(void)fclose(log);
	(void)close(fd);
	return 0;
}

static int list(char **argv)
{
	uint64_t writes = 0, bytes = 0, flushes = 0;
	FILE *log = open_log(argv[0]);
	char *data = new_data();
	struct entry e;

	while (next_entry(log, &e, data)) {
		if (e.kind == FLUSH)
			flushes++;
		else
			writes++;
		bytes += e.len;
	}
	printf("entries=%ju writes=%ju bytes=%ju flushes=%ju\n",
	    (uintmax_t)(writes + flushes), (uintmax_t)writes, (uintmax_t)bytes,
	    (uintmax_t)flushes);
	free(data);
	(void)fclose(log);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 2);
	if (argc == 7 && strcmp(argv[1], "cut") == 0)
		return cut(argv + 2);
	if (argc == 3 && strcmp(argv[1], "list") == 0)
		return list(argv + 2);
	(void)fprintf(stderr, "usage: powercut serve|cut|list ...\n");
	return 100;
}
