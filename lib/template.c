#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "parse.h"
#include "template_text.h"

/* --- datagrams ------------------------------------------------------------ */

union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(sizeof(int))];
};

int template_send(int socket, const struct template_client *c)
{
	union control control = {0};
	char text[TEMPLATE_TEXT_MAX];
	struct iovec iov = {text, template_client_text(c, text)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control.data};
	struct cmsghdr *part = CMSG_FIRSTHDR(&m);

	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof c->fd);
	memcpy(CMSG_DATA(part), &c->fd, sizeof c->fd);
	return sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
								    : 0;
}

int template_answer(int socket, struct template_answer *ret)
{
	char text[TEMPLATE_TEXT_MAX];
	ssize_t n;

	/* A reset says that clients were left lying there; it comes once, and
	 * before the answers of others. */
	do
		n = recv(socket, text, sizeof text, MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n <= 0)
		return n < 0 ? -errno : 0;
	return template_answer_parse(text, (size_t)n, ret) < 0 ? -EPROTO : 1;
}

/* 0 or -errno. */
static int answer(int socket, uint64_t number, pid_t pid)
{
	struct template_answer a = {number, pid};
	char text[TEMPLATE_TEXT_MAX];
	size_t len = template_answer_text(&a, text);
	ssize_t n;

	do
		n = send(socket, text, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* The descriptor that came with a datagram, or -1. */
static int take_descriptor(struct msghdr *m)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (part && part->cmsg_level == SOL_SOCKET &&
	    part->cmsg_type == SCM_RIGHTS &&
	    part->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(part), sizeof fd);
	return fd;
}

/* 1; 0 at the end; -EAGAIN; -errno. */
static int receive(int socket, struct template_client *ret)
{
	union control control;
	char text[TEMPLATE_TEXT_MAX];
	struct iovec iov = {text, sizeof text};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control.data};
	ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return 0;
	ret->fd = take_descriptor(&m);
	return ret->fd < 0 || template_client_parse(text, (size_t)n, ret) < 0
		   ? -EPROTO
		   : 1;
}

/* --- the template --------------------------------------------------------- */

int template_socket(void)
{
	const char *text = getenv(TEMPLATE_VARIABLE);
	socklen_t len = sizeof(int);
	uint64_t fd;
	int type;

	if (!text)
		return -ENOENT;
	if (parse_u64(text, strlen(text), INT_MAX, &fd) < 0 ||
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_SEQPACKET || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return -EBADF;
	(void)unsetenv(TEMPLATE_VARIABLE);
	return (int)fd;
}

/* As fork(2) does, but the child is our parent's, who awaits it. glibc has no
 * name for that; what its own would do besides is for threads and for locks
 * held in them. The seccomp filter knows these flags. */
static pid_t fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/* The child: takes the client once serve is told, who else keeps it. */
static void begin(int socket, const struct template_client *c)
{
	if (answer(socket, c->number, getpid()) < 0)
		_exit(0);
	(void)close(socket);
}

int template_serve(int socket, struct template_client *ret)
{
	struct pollfd p = {.fd = socket, .events = POLLIN};
	pid_t pid;
	int r;

	for (;;) {
		r = receive(socket, ret);
		if (r == -EAGAIN) {
			r = io_wait(&p, 1, CLOCK_NEVER, IO_TERM);
			if (r < 0)
				return r == -EINTR ? 1 : r;
			continue;
		}
		if (r <= 0)
			return r == 0 ? 1 : r;
		pid = fork_sibling();
		if (pid == 0) {
			begin(socket, ret);
			return 0;
		}
		if (pid < 0)
			(void)answer(socket, ret->number, -errno);
		(void)close(ret->fd);
	}
}
