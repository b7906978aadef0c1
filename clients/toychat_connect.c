#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/state.h"
#include "toychat.h"

#define CONNECT_MS 10000
#define SOCKET "toychat.sock"
#define SYSTEM_SOCKET "/run/parlance/" SOCKET

/* Waits for a connection that is under way. */
static int finish(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0, r = io_wait(&p, 1, clock_in(CONNECT_MS), IO_BUSY);
	socklen_t len = sizeof error;

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* A socket connected to that address, or -errno. */
static int connect_to(int family, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, address, len) < 0)
		r = errno == EINPROGRESS ? finish(fd) : -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

/* The path may be longer than an address holds, so it goes by descriptor. */
static int connect_path(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int place = open(path, O_PATH | O_CLOEXEC), r;

	if (place < 0)
		return -errno;
	(void)snprintf(
	    at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d", place);
	r = connect_to(AF_UNIX, (const struct sockaddr *)&at, sizeof at);
	(void)close(place);
	return r;
}

static int connect_each(const struct addrinfo *list)
{
	int fd = -EADDRNOTAVAIL;

	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen);
	if (fd >= 0) {
		int one = 1;

		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	}
	return fd;
}

/* Adds to why nobody was found there. */
static void note(struct target *t, const char *place, const char *what)
{
	size_t n = strlen(t->why);

	(void)snprintf(t->why + n, sizeof t->why - n, "%s%s: %s", n ? "; " : "",
	    place, what);
}

static int try_path(struct target *t)
{
	int fd = connect_path(t->path);

	if (fd < 0)
		note(t, t->path, strerror(-fd));
	else
		(void)snprintf(t->found, sizeof t->found, "%s", t->path);
	return fd;
}

static int try_host(struct target *t)
{
	struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	char place[512];
	int r = getaddrinfo(t->host, t->port, &want, &list), fd;

	(void)snprintf(place, sizeof place,
	    strchr(t->host, ':') ? "[%s]:%s" : "%s:%s", t->host, t->port);
	if (r) {
		note(t, place,
		    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return -EHOSTUNREACH;
	}
	fd = connect_each(list);
	freeaddrinfo(list);
	if (fd < 0)
		note(t, place, strerror(-fd));
	else
		(void)snprintf(t->found, sizeof t->found, "%s", place);
	return fd;
}

int target_connect(struct target *t)
{
	int fd = -ENOENT;

	t->why[0] = '\0';
	if (t->path)
		fd = try_path(t);
	if (fd < 0 && t->host)
		fd = try_host(t);
	return fd;
}

/* The user's own server, or one that the environment names, then that of the
 * system: which a user's own runtime directory does not tell. */
int target_connect_default(struct target *t)
{
	static char own[PATH_MAX + sizeof SOCKET];
	char folder[PATH_MAX];
	struct state_error none = {0};

	t->host = DEFAULT_HOST;
	t->port = DEFAULT_PORT;
	t->path = SYSTEM_SOCKET;
	if (state_runtime_path(folder, sizeof folder, &none) == 0) {
		(void)snprintf(own, sizeof own, "%s/" SOCKET, folder);
		if (getenv("RUNTIME_DIRECTORY") || access(own, F_OK) == 0)
			t->path = own;
	}
	return target_connect(t);
}
