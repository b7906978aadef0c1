#include <errno.h>
#include <sys/socket.h>

#include "io.h"

/* Only TCP's poll(2) heeds it. */
static bool is_tcp(int fd)
{
	int domain = 0;
	socklen_t len = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

/* How many bytes make it readable. */
static int set_low_mark(int fd, int bytes)
{
	return setsockopt(
	    fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, (socklen_t)sizeof bytes);
}

static ssize_t look(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buf, size, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t io_peek(struct client *c, void *buf, size_t size, size_t known,
    int64_t deadline, enum io_how how)
{
	struct pollfd p = {.fd = c->in, .events = POLLIN};
	ssize_t n;

	if (!is_tcp(c->in) || set_low_mark(c->in, (int)known + 1) < 0)
		return -ENOTSOCK;
	do {
		n = io_wait(&p, 1, deadline, how);
		if (n > 0)
			n = look(c->in, buf, size);
	} while (n == -EAGAIN);
	(void)set_low_mark(c->in, 1);
	return n;
}
