#include "chatfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/footer.h"
#include "lib/io.h"

#define CHUNK 65536
#define KEPT_MAX 1000 /* NAME.old.1 to .1000 */

/* --- opening and locking -------------------------------------------------- */

static int open_it(struct local *l, bool make)
{
	struct stat st;

	l->made = false;
	l->fd = openat(l->dir, l->name, O_RDWR | O_APPEND | O_CLOEXEC);
	if (l->fd < 0 && errno == ENOENT && make) {
		l->fd = openat(l->dir, l->name,
		    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		l->made = l->fd >= 0;
	}
	if (l->fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	if (fstat(l->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

static void close_it(struct local *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
}

int local_lock(struct local *l, bool make, int64_t deadline)
{
	int r;

	do {
		close_it(l);
		r = open_it(l, make);
		if (r == 0)
			r = io_flock(l->fd, LOCK_EX, deadline);
		if (r == 0 && local_replaced(l) != 0)
			r = -EAGAIN;
	} while (r == -EAGAIN);
	if (r < 0)
		close_it(l);
	return r;
}

void local_unlock(struct local *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (l->made && local_replaced(l) == 0 && fstat(l->fd, &st) == 0 &&
	    st.st_size == 0)
		(void)unlinkat(l->dir, l->name, 0);
	close_it(l);
}

int local_replaced(const struct local *l)
{
	struct stat st;

	if (fstatat(l->dir, l->name, &st, 0) < 0)
		return -errno;
	return st.st_dev != l->dev || st.st_ino != l->ino;
}

/* --- reading -------------------------------------------------------------- */

int local_sync(const struct local *l)
{
	return fsync(l->fd) < 0 ? -errno : 0;
}

static int size_of(const struct local *l, uint64_t *ret)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0)
		return -errno;
	*ret = (uint64_t)st.st_size;
	return 0;
}

int local_read(const struct local *l, uint64_t offset, struct bytes *ret)
{
	uint64_t size;
	int r = size_of(l, &size);

	if (r == 0 && size < offset)
		r = -ERANGE;
	if (r == 0)
		r = bytes_reserve(ret, (size_t)(size - offset));
	if (r == 0)
		r = io_pread(l->fd, ret->data + ret->len,
		    (size_t)(size - offset), offset);
	if (r == 0)
		ret->len += (size_t)(size - offset);
	return r;
}

int local_tail(
    const struct local *l, uint64_t offset, unsigned char ret[HASH_BYTES])
{
	size_t len = offset < TAIL_BYTES ? (size_t)offset : TAIL_BYTES;
	unsigned char tail[TAIL_BYTES];
	int r = io_pread(l->fd, tail, len, offset - len);

	if (r == 0)
		(void)crypto_generichash(ret, HASH_BYTES, tail, len, NULL, 0);
	return r == -EIO ? -ERANGE : r;
}

unsigned long local_line(const struct local *l, uint64_t at)
{
	unsigned long line = 1;
	char data[4096];
	uint64_t from = 0;

	while (from < at) {
		size_t n =
		    sizeof data < at - from ? sizeof data : (size_t)(at - from);

		if (io_pread(l->fd, data, n, from) < 0)
			break;
		for (size_t i = 0; i < n; i++)
			line += data[i] == '\n';
		from += n;
	}
	return line;
}

/* The line that ends at `end` (just behind its "\n"), without that. */
static int line_before(
    const struct local *l, uint64_t end, struct bytes *line, uint64_t *begin)
{
	char data[1024];
	uint64_t at = end - 1;

	while (at > 0) {
		size_t n = sizeof data < at ? sizeof data : (size_t)at;
		int r = io_pread(l->fd, data, n, at - n);
		const char *nl = r < 0 ? NULL : memrchr(data, '\n', n);

		if (r < 0)
			return r;
		at -= nl ? (uint64_t)(data + n - nl - 1) : n;
		if (nl)
			break;
	}
	*begin = at;
	line->len = 0;
	if (bytes_reserve(line, (size_t)(end - 1 - at)) < 0)
		return -ENOMEM;
	line->len = (size_t)(end - 1 - at);
	return io_pread(l->fd, line->data, line->len, at);
}

/* The end of the last line that has one: just behind its "\n", or 0. */
static int last_newline(const struct local *l, uint64_t size, uint64_t *ret)
{
	char c = 0;

	for (; size > 0; size--) {
		int r = io_pread(l->fd, &c, 1, size - 1);

		if (r < 0)
			return r;
		if (c == '\n')
			break;
	}
	*ret = size;
	return 0;
}

int local_last_footer(
    const struct local *l, uint64_t *ret, struct bytes *ret_line)
{
	struct bytes line = {0};
	uint64_t end = 0, begin = 0;
	int r = size_of(l, &end);

	if (r == 0)
		r = last_newline(l, end, &end);
	for (; r == 0 && end > 0; end = begin) {
		r = line_before(l, end, &line, &begin);
		if (r < 0 || footer_is(line.data, line.len))
			break;
	}
	if (r == 0)
		*ret = end;
	if (r == 0 && end > 0 && ret_line)
		r = bytes_add(ret_line, line.data, line.len);
	bytes_free(&line);
	return r;
}

static bool holds(const struct local *l, uint64_t at, const struct bytes *b)
{
	char data[CHUNK];

	for (size_t done = 0; done < b->len;) {
		size_t n =
		    sizeof data < b->len - done ? sizeof data : b->len - done;

		if (io_pread(l->fd, data, n, at + done) < 0 ||
		    memcmp(data, b->data + done, n) != 0)
			return false;
		done += n;
	}
	return true;
}

int local_holds(const struct local *l, uint64_t offset, const struct merge *m)
{
	return holds(l, offset, &m->answer) &&
	       holds(l, offset + m->answer.len, &m->text);
}

/* --- changing ------------------------------------------------------------- */

/* The last `len` bytes of answer + text. */
static int last_part(const struct merge *m, size_t len, struct iovec iov[2])
{
	size_t text = len < m->text.len ? len : m->text.len;
	int n = 0;

	if (len > text)
		iov[n++] = (struct iovec){
		    m->answer.data + m->answer.len - (len - text), len - text};
	if (text)
		iov[n++] =
		    (struct iovec){m->text.data + m->text.len - text, text};
	return n;
}

/* Takes back what was written of an append that failed, if it still is the
 * file's end. */
static void cut_back(const struct local *l, ssize_t written)
{
	off_t end = lseek(l->fd, 0, SEEK_CUR);
	struct stat st;

	if (written > 0 && end >= written && fstat(l->fd, &st) == 0 &&
	    st.st_size == end && ftruncate(l->fd, end - written) < 0)
		return; /* the next run finds it in the memo */
}

static int append(const struct local *l, const struct merge *m)
{
	size_t len = merge_growth(m);
	struct iovec iov[2];
	ssize_t n;

	if (!len)
		return 0;
	n = writev(l->fd, iov, last_part(m, len, iov));
	if (n == (ssize_t)len)
		return 0;
	if (n < 0)
		return -errno;
	cut_back(l, n);
	return -ENOSPC;
}

/* Overwrites what `before` holds and answer + text do not. Linux appends with
 * pwrite too where O_APPEND is set, hence a descriptor of its own. */
static int overwrite(struct local *l, uint64_t offset, const struct merge *m)
{
	size_t same = 0, before = m->before.len, head, text;
	char path[64];
	int fd, r = 0;

	while (same < before && same < m->answer.len &&
	       m->before.data[same] == m->answer.data[same])
		same++;
	if (same == before)
		return 0;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", l->fd);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	head = before < m->answer.len ? before : m->answer.len;
	text = before - head;
	if (head > same)
		r = io_pwrite(
		    fd, m->answer.data + same, head - same, offset + same);
	if (r == 0 && text)
		r = io_pwrite(fd, m->text.data, text, offset + head);
	(void)close(fd);
	return r;
}

int local_apply(struct local *l, uint64_t offset, const struct merge *m)
{
	uint64_t end = offset + m->before.len + merge_growth(m);
	int r = append(l, m);

	/* Somebody typed just before the append: nothing else may be touched
	 * before that, too, is part of the plan. */
	if (r == 0 && merge_growth(m) &&
	    lseek(l->fd, 0, SEEK_CUR) != (off_t)end)
		return 0;
	if (r == 0)
		r = overwrite(l, offset, m);
	if (r == 0 && fsync(l->fd) < 0)
		r = -errno;
	if (r == 0)
		l->made = false;
	return r;
}

/* --- replacing (--resync) ------------------------------------------------- */

static int keep_old(const struct local *l, char ret_kept[300])
{
	(void)snprintf(ret_kept, 300, "%s.old", l->name);
	for (int i = 1; i <= KEPT_MAX; i++) {
		if (linkat(l->dir, l->name, l->dir, ret_kept, 0) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		(void)snprintf(ret_kept, 300, "%s.old.%d", l->name, i);
	}
	return -EEXIST;
}

static int write_new(int fd, const struct local *l, const struct bytes *history,
    const struct bytes *text)
{
	struct stat st;
	int r = fstat(l->fd, &st) < 0 || fchmod(fd, st.st_mode & 0777) < 0
		    ? -errno
		    : 0;

	if (r == 0)
		r = io_flock(fd, LOCK_EX, CLOCK_NEVER);
	if (r == 0)
		r = io_pwrite(fd, history->data, history->len, 0);
	if (r == 0)
		r = io_pwrite(fd, text->data, text->len, history->len);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Without a memo, the offset is found by lines backwards in the old file as
 * in the new one: a crash between these steps harms neither. */
static int swap(struct local *l, const char *temp, char ret_kept[300])
{
	int r = local_replaced(l) != 0 ? -ESTALE : keep_old(l, ret_kept);

	if (r == 0)
		r = memo_remove(l->dir, l->name);
	if (r == 0 && renameat(l->dir, temp, l->dir, l->name) < 0)
		r = -errno;
	return r == 0 && fsync(l->dir) < 0 ? -errno : r;
}

int local_replace(struct local *l, const struct bytes *history,
    const struct bytes *text, char ret_kept[300])
{
	char temp[300];
	struct stat st;
	int fd, r;

	(void)snprintf(temp, sizeof temp, ".%s.resync", l->name);
	(void)unlinkat(l->dir, temp, 0);
	fd = openat(l->dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_new(fd, l, history, text);
	if (r == 0)
		r = swap(l, temp, ret_kept);
	if (r < 0 || fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0) {
		(void)unlinkat(l->dir, temp, 0);
		(void)close(fd);
		return r < 0 ? r : -errno;
	}
	close_it(l);
	l->fd = fd;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->made = false;
	return 0;
}
