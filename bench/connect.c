/*
 * bench/connect [-n ROUNDS] NAME=KIND:PORT...: how many whole connections a
 * second each server on 127.0.0.1 takes, beside the last one named. KIND is
 *
 *	post	connect, one authenticated empty POST (account `bench`, password
 *		`password`), read all of the answer, close
 *	byte	connect, read all that comes, close
 *
 * Rounds of a second take turns, CLIENTS processes at once; the median counts.
 * Design 8 wants the ratio told: a prototype had 0.45 to tcpserver with a
 * static program that answers one byte, for a dynamic handler with a database
 * look-up, and 0.6 for a static one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "rounds.h"

#define CLIENTS 4
#define ROUND_MS 1000
#define ROUNDS_MOST 99
#define TARGETS_MOST 8

static const char post[] =
    "POST /rooms/lobby.txt HTTP/1.1\r\nHost: bench\r\n"
    "Authorization: Basic YmVuY2g6cGFzc3dvcmQ=\r\n"
    "Range: bytes=0-\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct target {
	const char *name;
	size_t name_len;
	bool post;
	struct sockaddr_in at;
	double rates[ROUNDS_MOST];
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "connect: %s: %s\n", what, strerror(errno));
	exit(111);
}

static void parse_target(const char *text, struct target *t)
{
	const char *equals = strchr(text, '=');
	const char *colon = strrchr(text, ':');
	uint64_t port;

	errno = EINVAL;
	if (!equals || !colon || colon < equals ||
	    parse_u64(colon + 1, strlen(colon + 1), 65535, &port) < 0)
		fail(text);
	t->name = text;
	t->name_len = (size_t)(equals - text);
	t->post = parse_is(equals + 1, (size_t)(colon - equals) - 1, "post");
	t->at = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	t->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* One whole connection. */
static void visit(const struct target *t)
{
	char answer[4096];
	size_t len = 0;
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&t->at, sizeof t->at) < 0)
		fail("connect");
	if (t->post && write(fd, post, sizeof post - 1) < 0)
		fail("write");
	while ((n = read(fd, answer + len, sizeof answer - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		fail("read");
	errno = EPROTO;
	if (t->post ? len < 12 || memcmp(answer + 9, "206", 3) != 0 : len != 1)
		fail("answer");
	(void)close(fd);
}

static void client(const struct target *t, uint64_t *count, int64_t end)
{
	for (*count = 0; clock_left(end); (*count)++)
		visit(t);
	_exit(0);
}

/* Connections a second. */
static double measure(const struct target *t, uint64_t *counts)
{
	int64_t begin = clock_ms(), end = begin + ROUND_MS;
	uint64_t sum = 0;
	int status;

	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
			client(t, &counts[i], end);
	for (int i = 0; i < CLIENTS; i++)
		if (wait(&status) < 0 || status != 0)
			exit(111);
	for (int i = 0; i < CLIENTS; i++)
		sum += counts[i];
	return (double)sum * 1000 / (double)(clock_ms() - begin);
}

int main(int argc, char **argv)
{
	static struct target targets[TARGETS_MOST];
	uint64_t rounds = 9, *counts;
	double last;
	int n;

	n = rounds_options(argc, argv, ROUNDS_MOST, TARGETS_MOST, &rounds);
	if (n < 0)
		return 100;
	for (int i = 0; i < n; i++)
		parse_target(argv[optind + i], &targets[i]);
	counts = mmap(NULL, CLIENTS * sizeof *counts, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		fail("mmap");
	for (uint64_t r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			targets[i].rates[r] = measure(&targets[i], counts);
	last = median(targets[n - 1].rates, rounds);
	for (int i = 0; i < n; i++)
		(void)printf("connect %-24.*s %7.0f/s  %.2f\n",
		    (int)targets[i].name_len, targets[i].name,
		    i < n - 1 ? median(targets[i].rates, rounds) : last,
		    (i < n - 1 ? median(targets[i].rates, rounds) : last) /
			last);
	return 0;
}
