#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"

#define SENDFILE_MAX (1024 * 1024 * 1024)

static volatile sig_atomic_t terminated;
static sigset_t waiting; /* the mask within a wait that SIGTERM may end */
static bool waiting_known;

static void on_term(int signal)
{
	(void)signal;
	terminated = 1;
}

void io_signals(void)
{
	struct sigaction term = {.sa_handler = on_term};
	sigset_t block;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigaction(SIGTERM, &term, NULL);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &block, NULL);
	(void)sigprocmask(SIG_BLOCK, NULL, &waiting);
	(void)sigdelset(&waiting, SIGTERM);
	waiting_known = true;
}

bool io_terminated(void)
{
	sigset_t pending;

	/* Where input is there already no wait lets it in. */
	return terminated || (waiting_known && sigpending(&pending) == 0 &&
				 sigismember(&pending, SIGTERM) == 1);
}

/* 0 or -errno */
static int set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int io_client(struct client *c, int in, int out)
{
	struct stat st;

	*c = (struct client){.in = in, .out = out};
	if (fstat(out, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return 0;
	c->socket = true;
	return set_nonblocking(out, true);
}

int io_client_soon(struct client *c, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	int r;

	if (!c->socket)
		return -ENOTSOCK;
	if (setsockopt(c->in, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) < 0)
		return -errno;
	r = set_nonblocking(c->in, false);
	c->blocking = r == 0;
	return r;
}

static int wait_once(
    struct pollfd *fds, nfds_t n, int64_t deadline, const sigset_t *mask)
{
	int left = clock_left(deadline);
	struct timespec t = {left / 1000, left % 1000 * 1000000L};
	int r = ppoll(fds, n, left < 0 ? NULL : &t, mask);

	return r < 0 ? -errno : r;
}

int io_wait(struct pollfd *fds, nfds_t n, int64_t deadline, enum io_how how)
{
	const sigset_t *mask =
	    how == IO_TERM && waiting_known ? &waiting : NULL;
	int r;

	do {
		if (how == IO_TERM && terminated)
			return -EINTR;
		r = wait_once(fds, n, deadline, mask);
	} while (r == -EINTR);
	return r == 0 ? -ETIMEDOUT : r;
}

static int wait_for(int fd, short events, int64_t deadline, enum io_how how)
{
	struct pollfd p = {.fd = fd, .events = events};

	return io_wait(&p, 1, deadline, how);
}

/* What is there. */
static ssize_t read_in(const struct client *c, void *buf, size_t size)
{
	return c->blocking ? recv(c->in, buf, size, MSG_DONTWAIT)
			   : read(c->in, buf, size);
}

ssize_t io_read(
    struct client *c, void *buf, size_t size, int64_t deadline, enum io_how how)
{
	ssize_t n;
	int r;

	for (;;) {
		r = wait_for(c->in, POLLIN, deadline, how);
		if (r < 0)
			return r;
		n = read_in(c, buf, size);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* How much of a write a blocking descriptor takes without blocking once poll
 * said that it is writable: PIPE_BUF (pipe(7)). */
static size_t chunk(const struct client *c, size_t len)
{
	return !c->socket && len > PIPE_BUF ? PIPE_BUF : len;
}

/* 0 to try again, -errno. */
static int wait_writable(struct client *c, int error)
{
	if (error == EINTR)
		return 0;
	if (error != EAGAIN)
		return -error;
	int r = wait_for(c->out, POLLOUT, clock_in(LIMIT_STALL_MS), IO_BUSY);
	return r < 0 ? r : 0;
}

int io_write(struct client *c, const void *buf, size_t len)
{
	const char *at = buf;
	ssize_t n;
	int r = 0;

	while (len && r == 0) {
		if (!c->socket)
			r = wait_writable(c, EAGAIN);
		if (r < 0)
			break;
		n = write(c->out, at, chunk(c, len));
		if (n < 0) {
			r = wait_writable(c, errno);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
	return r;
}

static void iovec_skip(struct iovec **iov, int *count, size_t n)
{
	while (*count && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int io_writev(struct client *c, struct iovec *iov, int count)
{
	ssize_t n;
	int r = 0;

	for (iovec_skip(&iov, &count, 0); count && r == 0;) {
		if (!c->socket) {
			r = io_write(c, iov->iov_base, iov->iov_len);
			iovec_skip(&iov, &count, iov->iov_len);
			continue;
		}
		n = writev(c->out, iov, count);
		if (n < 0)
			r = wait_writable(c, errno);
		else
			iovec_skip(&iov, &count, (size_t)n);
	}
	return r;
}

static int send_file_by_copy(
    struct client *c, int file, uint64_t offset, uint64_t len)
{
	char copy[16384];
	int r;

	while (len) {
		size_t n = len < sizeof copy ? (size_t)len : sizeof copy;

		r = io_pread(file, copy, n, offset);
		if (r == 0)
			r = io_write(c, copy, n);
		if (r < 0)
			return r;
		offset += n;
		len -= n;
	}
	return 0;
}

int io_send_file(struct client *c, int file, uint64_t offset, uint64_t len)
{
	off_t at = (off_t)offset;
	ssize_t n;
	int r;

	if (!c->socket)
		return send_file_by_copy(c, file, offset, len);
	while (len) {
		n = sendfile(c->out, file, &at,
		    len < SENDFILE_MAX ? (size_t)len : SENDFILE_MAX);
		if (n == 0)
			return -EIO;
		if (n > 0) {
			len -= (uint64_t)n;
			continue;
		}
		r = wait_writable(c, errno);
		if (r < 0)
			return r;
	}
	return 0;
}

ssize_t io_read_now(struct client *c, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read_in(c, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t io_read_soon(struct client *c, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read(c->in, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* May a blocking descriptor be written to without waiting? */
static bool is_writable(const struct client *c)
{
	struct pollfd p = {.fd = c->out, .events = POLLOUT};

	return c->socket || poll(&p, 1, 0) > 0;
}

static ssize_t write_once(struct client *c, const void *buf, size_t len)
{
	ssize_t n;

	if (!is_writable(c))
		return -EAGAIN;
	do
		n = c->blocking ? send(c->out, buf, len, MSG_DONTWAIT)
				: write(c->out, buf, chunk(c, len));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t io_write_now(struct client *c, const void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = write_once(c, (const char *)buf + done, len - done);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 && done < len);
	return done ? (ssize_t)done : n;
}

ssize_t io_send_file_now(
    struct client *c, int file, uint64_t offset, uint64_t len)
{
	char copy[PIPE_BUF];
	off_t at = (off_t)offset;
	size_t most = len < SENDFILE_MAX ? (size_t)len : SENDFILE_MAX;
	ssize_t n;

	if (c->socket) {
		if (c->blocking && set_nonblocking(c->out, true) < 0)
			return -errno;
		do
			n = sendfile(c->out, file, &at, most);
		while (n < 0 && errno == EINTR);
		n = n > 0 ? n : n < 0 ? -errno : -EIO;
		if (c->blocking)
			(void)set_nonblocking(c->out, false);
		return n;
	}
	if (!is_writable(c))
		return -EAGAIN;
	most = most < sizeof copy ? most : sizeof copy;
	n = io_pread(file, copy, most, offset);
	return n < 0 ? n : write_once(c, copy, most);
}

size_t io_untaken(const struct client *c)
{
	int bytes = 0;

	if (!c->socket || ioctl(c->out, SIOCOUTQ, &bytes) < 0 || bytes < 0)
		return 0;
	return (size_t)bytes;
}
