/* What benchmarks share: complaints, clocks, tables, TCP on loopback. */
#ifndef BASICS_H
#define BASICS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/parse.h"

static inline void fail(const char *what, int error)
{
	(void)fprintf(stderr, "bench: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static inline void must(const char *what, int r)
{
	if (r < 0)
		fail(what, errno);
}

static inline double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline void *table(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		fail("calloc", ENOMEM);
	return p;
}

/* Zeroed memory that is shared with all children. */
static inline void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap", errno);
	return p;
}

static inline size_t number(
    int argc, char **argv, int i, uint64_t most, uint64_t otherwise)
{
	uint64_t n = otherwise;

	if (i < argc &&
	    (parse_u64(argv[i], strlen(argv[i]), most, &n) < 0 || !n))
		fail(argv[i], EINVAL);
	return (size_t)n;
}

/* In a child: what it logs is of no interest. */
static inline void silence(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, 2);
}

/* A listening socket on a free port of 127.0.0.1. */
static inline int loopback_listen(struct sockaddr_in *ret)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must("bind", bind(fd, (struct sockaddr *)&a, sizeof a));
	must("listen", listen(fd, 128));
	must("getsockname", getsockname(fd, (struct sockaddr *)&a, &len));
	*ret = a;
	return fd;
}

static inline int loopback_dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must("connect", connect(fd, (struct sockaddr *)&a, sizeof a));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

#endif
