/*
 * bench/msg HANDLER PORT/PATH: what GET /msg/lobby/1 costs on a kept-alive TCP
 * connection: the handler's own CPU time a request (/proc/PID/schedstat), and
 * how many requests a second are answered, one after the other, beside the web
 * server on 127.0.0.1:PORT whose PATH is a static file of the same size. Rounds
 * take turns, after one that does not count; the median counts. The handler's
 * log goes to /dev/null. To be had (issue 4): 0.5 of nginx or more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lib/clock.h"
#include "lib/parse.h"
#include "rounds.h"

#define ROUNDS 15
#define REQUESTS 1000

struct target {
	const char *path;
	int fd;
	size_t size; /* of the body */
	double rates[ROUNDS + 1]; /* requests a second */
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "msg: %s: %s\n", what, strerror(errno));
	exit(111);
}

static int dial(uint16_t port)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		fail("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* Both ends of a connection over TCP. */
static int connected(int *ret_theirs)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int ours, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		fail("listen");
	ours = dial(ntohs(at.sin_port));
	*ret_theirs = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (*ret_theirs < 0)
		fail("accept");
	(void)close(fd);
	return ours;
}

static pid_t start(const char *handler, int client)
{
	pid_t pid = child_spawn(handler, client);

	if (pid < 0)
		fail(strerror(-pid));
	(void)close(client);
	return pid;
}

/* Nanoseconds that the process has run. */
static int64_t cpu(pid_t pid)
{
	int64_t ns = child_cpu_ns(pid);

	if (ns < 0)
		fail("no schedstat");
	return ns;
}

static void get(struct target *t)
{
	static char space[256 * 1024];
	size_t len = 0, want = SIZE_MAX;
	char *end, *length;
	ssize_t n;

	n = snprintf(
	    space, sizeof space, "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", t->path);
	if (write(t->fd, space, (size_t)n) != n)
		fail("write");
	while (len < want) {
		n = read(t->fd, space + len, sizeof space - 1 - len);
		if (n <= 0)
			fail("read");
		len += (size_t)n;
		space[len] = '\0';
		end = want == SIZE_MAX ? strstr(space, "\r\n\r\n") : NULL;
		if (!end)
			continue;
		length = strcasestr(space, "\r\nContent-Length: ");
		errno = EPROTO;
		if (!length || memcmp(space + 9, "200", 3) != 0)
			fail(t->path);
		t->size = strtoul(length + 18, NULL, 10);
		want = (size_t)(end + 4 - space) + t->size;
	}
}

static double round_of(struct target *t)
{
	struct timespec from, to;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < REQUESTS; i++)
		get(t);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	return REQUESTS / ((double)(to.tv_sec - from.tv_sec) +
			      (double)(to.tv_nsec - from.tv_nsec) / 1e9);
}

/* The first round does not count. */
static double rate_of(struct target *t)
{
	return median(t->rates + 1, ROUNDS);
}

int main(int argc, char **argv)
{
	static struct target ours = {.path = "/msg/lobby/1"}, theirs;
	uint64_t port;
	int64_t before = 0;
	double rate, beside;
	int client;
	pid_t pid;

	theirs.path = argc == 3 ? strchr(argv[2], '/') : NULL;
	if (!theirs.path || parse_u64(argv[2], (size_t)(theirs.path - argv[2]),
				65535, &port) < 0)
		return 100;
	ours.fd = connected(&client);
	pid = start(argv[1], client);
	theirs.fd = dial((uint16_t)port);
	for (int i = 0; i <= ROUNDS; i++) {
		if (i == 1)
			before = cpu(pid);
		ours.rates[i] = round_of(&ours);
		theirs.rates[i] = round_of(&theirs);
	}
	before = cpu(pid) - before;
	rate = rate_of(&ours);
	beside = rate_of(&theirs);
	printf("msg: %zu bytes: %.1f us of CPU a request, %.0f/s; a static "
	       "file of %zu bytes %.0f/s; ratio %.2f\n",
	    ours.size, (double)before / 1000 / (ROUNDS * REQUESTS), rate,
	    theirs.size, beside, rate / beside);
	(void)close(ours.fd);
	return waitpid(pid, NULL, 0) == pid ? 0 : 111;
}
