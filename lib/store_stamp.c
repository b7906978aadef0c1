/*
 * Did the database change? Asked of its files, since opening it costs a
 * connection that does nothing else more than all the rest.
 *
 * A change is written to the log or to the database, whose times and sizes
 * then differ; and it counts from when the head of the index (SQLite's
 * walformat.html, 2.1) says so, which differs too. The first alone would not
 * do: a log can be written, and what is in it count only a sync later. Nor the
 * second: an index that is made anew, for an empty log, is like the one before
 * the last change. What differs because somebody closed the database or copied
 * its log only costs a look.
 *
 * -shm is opened here, and closing it drops all locks that this process has on
 * it: so never while SQLite has it open.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "store_backup.h"
#include "store_db.h"

#define DATABASE "db/" STORE_DATABASE
#define LOG DATABASE "-wal"
#define INDEX DATABASE "-shm"

/* The head stands there twice; while it is written they differ. Numbers are as
 * the machine has them. */
#define HEAD sizeof((struct store_stamp *)0)->index
#define HEAD_VERSION 3007000
#define HEAD_COMPLETE 12 /* a byte, not 0 once the head is */
#define HEAD_FRAMES 16 /* how much of the log counts */

/* A change within what a file system's clock calls the same time as the last
 * one does not show in its files. None that we run on is coarser than a second.
 * It shows in a head that counts something: that has a sum over all of the log
 * and the log's random number, so it is like no other. */
#define COARSE_S 2

static void stamp_file(
    const struct stat *st, const struct timespec *when, uint64_t ret[5])
{
	ret[0] = (uint64_t)st->st_dev;
	ret[1] = (uint64_t)st->st_ino;
	ret[2] = (uint64_t)st->st_size;
	ret[3] = (uint64_t)when->tv_sec;
	ret[4] = (uint64_t)when->tv_nsec;
}

static int look_at_database(
    const struct store *s, int64_t past, uint64_t ret[5])
{
	struct stat st;

	if (fstatat(s->state->state, DATABASE, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ctim.tv_sec > past)
		return -EAGAIN;
	stamp_file(&st, &st.st_ctim, ret);
	return 0;
}

/* An empty log says that all is in the database; when it was emptied is of no
 * interest, which whoever closes it as the last does over and over. Its change
 * time is none that counts: root's SQLite sets its owner each time. */
static int look_at_log(const struct store *s, int64_t past, uint64_t ret[5])
{
	struct stat st;

	if (fstatat(s->state->state, LOG, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -EAGAIN;
	memset(ret, 0, 5 * sizeof *ret);
	if (st.st_size == 0)
		return 0;
	if (st.st_mtim.tv_sec > past)
		return -EAGAIN;
	stamp_file(&st, &st.st_mtim, ret);
	return 0;
}

static int read_index(const struct store *s, unsigned char ret[HEAD])
{
	unsigned char heads[2][HEAD];
	uint32_t version;
	int fd, r;

	fd = openat(s->state->state, INDEX, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -EAGAIN;
	r = io_pread(fd, heads, sizeof heads, 0);
	(void)close(fd);
	if (r < 0 || memcmp(heads[0], heads[1], HEAD) != 0 ||
	    !heads[0][HEAD_COMPLETE])
		return -EAGAIN;
	memcpy(&version, heads[0], sizeof version);
	if (version != HEAD_VERSION)
		return -EAGAIN;
	memcpy(ret, heads[0], HEAD);
	return 0;
}

static bool is_unique(const unsigned char head[HEAD])
{
	uint32_t frames;

	memcpy(&frames, head + HEAD_FRAMES, sizeof frames);
	return frames > 0;
}

int store_stamp(const struct store *s, struct store_stamp *ret)
{
	struct timespec now;
	int64_t past;
	int r;

	/* The clock of file systems, which no setting of ours replaces. */
	if (s->db || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -EAGAIN;
	r = read_index(s, ret->index);
	if (r < 0)
		return r;
	past = is_unique(ret->index) ? INT64_MAX : now.tv_sec - COARSE_S;
	r = look_at_database(s, past, ret->files[0]);
	return r == 0 ? look_at_log(s, past, ret->files[1]) : r;
}
