/* The part of io.h about files: whole transfers, appends and locks. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"

ssize_t io_pread_some(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int io_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	char *at = buf;

	while (len) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int io_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	const char *at = buf;

	while (len) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t io_read_file(int dir, const char *name, void *buf, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0;
	ssize_t n;
	char more;

	if (fd < 0)
		return -errno;
	do {
		n = len < size ? read(fd, (char *)buf + len, size - len)
			       : read(fd, &more, 1);
		if (n > 0 && len == size)
			n = -1, errno = EFBIG;
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : (ssize_t)len;
	(void)close(fd);
	return n;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Ticks until timer_stop(). A single shot could come just before the call that
 * it is to interrupt begins to wait, and then would never end it. */
static void timer_start(int64_t deadline, struct sigaction *ret_old)
{
	struct sigaction alarm = {.sa_handler = on_alarm};
	struct itimerval tick = {.it_interval.tv_usec = 100000};
	int left = clock_left(deadline);

	tick.it_value.tv_sec = left / 1000;
	tick.it_value.tv_usec = left % 1000 * 1000 + 1;
	(void)sigaction(SIGALRM, &alarm, ret_old);
	(void)setitimer(ITIMER_REAL, &tick, NULL);
}

static void timer_stop(const struct sigaction *old)
{
	struct itimerval none = {0};

	(void)setitimer(ITIMER_REAL, &none, NULL);
	(void)sigaction(SIGALRM, old, NULL);
}

/* Returns 0 also where nothing could be written yet. */
static int append_once(
    int fd, const char *data, size_t len, int64_t deadline, size_t *done)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	ssize_t n = write(fd, data + *done, len - *done);

	if (n >= 0)
		*done += (size_t)n;
	else if (errno == EAGAIN)
		(void)poll(&p, 1, clock_left(deadline));
	else if (errno != EINTR)
		return -errno;
	return 0;
}

int io_append(
    int fd, const void *data, size_t len, int64_t deadline, size_t *ret_done)
{
	struct sigaction old;
	int r;

	*ret_done = 0;
	timer_start(deadline, &old);
	do
		r = append_once(fd, data, len, deadline, ret_done);
	while (r == 0 && *ret_done < len && clock_left(deadline) > 0);
	timer_stop(&old);
	return r == 0 && *ret_done < len ? -ETIMEDOUT : r;
}

static int flock_once(int fd, int operation)
{
	return flock(fd, operation) < 0 ? -errno : 0;
}

static int flock_with_timer(int fd, int operation, int64_t deadline)
{
	struct sigaction old;
	int r;

	timer_start(deadline, &old);
	do
		r = flock_once(fd, operation);
	while (r == -EINTR && clock_left(deadline) > 0);
	timer_stop(&old);
	return r == -EINTR ? -EBUSY : r;
}

int io_flock(int fd, int operation, int64_t deadline)
{
	int r = flock_once(fd, operation | LOCK_NB);

	if (r != -EWOULDBLOCK)
		return r;
	if (deadline == CLOCK_NEVER) {
		do
			r = flock_once(fd, operation);
		while (r == -EINTR);
		return r;
	}
	return clock_left(deadline) ? flock_with_timer(fd, operation, deadline)
				    : -EBUSY;
}

int io_lock_file(int dir, const char *name, int64_t deadline)
{
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = io_flock(fd, LOCK_EX, deadline);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}
