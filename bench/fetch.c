/*
 * bench/fetch [-n ROUNDS] NAME=PORT/PATH...: how fast each HTTP server on
 * 127.0.0.1 sends one large file over a connection that is kept alive, beside
 * the last one named. The account `bench` with the password `password` is
 * shown to each. Rounds of one whole GET take turns, after one that does not
 * count; the median counts. To be had (issue 3): a room of 200 MB at 0.8 of
 * nginx sending the same file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/parse.h"
#include "rounds.h"

#define ROUNDS_MOST 99
#define TARGETS_MOST 4

struct target {
	const char *name;
	size_t name_len;
	uint16_t port;
	const char *path;
	int fd;
	uint64_t size; /* of the body */
	double rates[ROUNDS_MOST]; /* MB/s */
};

static char space[256 * 1024];

static void fail(const char *what)
{
	(void)fprintf(stderr, "fetch: %s: %s\n", what, strerror(errno));
	exit(111);
}

static void parse_target(const char *text, struct target *t)
{
	const char *equals = strchr(text, '=');
	const char *slash = equals ? strchr(equals, '/') : NULL;
	uint64_t port;

	errno = EINVAL;
	if (!slash || parse_u64(equals + 1, (size_t)(slash - equals) - 1, 65535,
			  &port) < 0)
		fail(text);
	*t = (struct target){.name = text,
	    .name_len = (size_t)(equals - text),
	    .port = (uint16_t)port,
	    .path = slash};
}

static void open_target(struct target *t)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(t->port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&at, sizeof at) < 0)
		fail("connect");
}

static void request(const struct target *t)
{
	char text[512];
	int n = snprintf(text, sizeof text,
	    "GET %s HTTP/1.1\r\nHost: bench\r\n"
	    "Authorization: Basic YmVuY2g6cGFzc3dvcmQ=\r\n\r\n",
	    t->path);

	if (write(t->fd, text, (size_t)n) != n)
		fail("write");
}

/* Reads the head; returns how much of the body came with it. */
static uint64_t read_head(struct target *t)
{
	size_t len = 0;
	char *end = NULL, *length;
	ssize_t n;

	while (!end && len < sizeof space - 1) {
		n = read(t->fd, space + len, sizeof space - 1 - len);
		if (n <= 0)
			fail("head");
		len += (size_t)n;
		space[len] = '\0';
		end = strstr(space, "\r\n\r\n");
	}
	length = strcasestr(space, "\r\nContent-Length: ");
	errno = EPROTO;
	if (!end || !length || memcmp(space + 9, "200", 3) != 0)
		fail(t->path);
	t->size = strtoull(length + 18, NULL, 10);
	return len - (size_t)(end + 4 - space);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One GET: MB/s. */
static double fetch(struct target *t)
{
	double begin = now();
	uint64_t got;
	ssize_t n;

	request(t);
	for (got = read_head(t); got < t->size; got += (uint64_t)n) {
		n = read(t->fd, space, sizeof space);
		if (n <= 0)
			fail("body");
	}
	return (double)t->size / 1e6 / (now() - begin);
}

int main(int argc, char **argv)
{
	static struct target targets[TARGETS_MOST];
	uint64_t rounds = 15;
	int n;

	n = rounds_options(argc, argv, ROUNDS_MOST, TARGETS_MOST, &rounds);
	if (n < 0)
		return 100;
	for (int i = 0; i < n; i++) {
		parse_target(argv[optind + i], &targets[i]);
		open_target(&targets[i]);
		(void)fetch(&targets[i]);
	}
	for (uint64_t r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			targets[i].rates[r] = fetch(&targets[i]);
	for (int i = 0; i < n; i++)
		qsort(targets[i].rates, rounds, sizeof(double), by_size);
	for (int i = 0; i < n; i++)
		(void)printf("fetch %-12.*s %ju bytes %7.0f MB/s  %.2f\n",
		    (int)targets[i].name_len, targets[i].name,
		    (uintmax_t)targets[i].size, targets[i].rates[rounds / 2],
		    targets[i].rates[rounds / 2] /
			targets[n - 1].rates[rounds / 2]);
	return 0;
}
