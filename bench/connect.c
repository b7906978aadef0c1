/*
 * bench/connect [-c FILE] [-n ROUNDS] NAME=KIND:PORT...: how many whole
 * connections a second each server on 127.0.0.1 takes, beside the last one
 * named, and how long the first byte of an answer takes (median and the 99th of
 * 100). FILE is the cpu.stat of the control group that all servers are in, and
 * this is not: then also the processor time that a connection takes, and what
 * the last one takes beside it. KIND is
 *
 *	post	connect, one authenticated empty POST (account `bench`, password
 *		`password`), read all of the answer, close
 *	refused	connect, the same without an account, read all of the answer,
 *		close
 *	health	connect, GET /healthz, read all of the answer, close
 *	bcs	connect, register a name, read the status, close
 *	toychat	connect, ask for the inbox, which needs a log-in, read that
 *		answer, close
 *	byte	connect, read all that comes, close
 *
 * Rounds of a second take turns, CLIENTS processes at once; the median counts.
 * Issue 7 wants serve with its templates, confined, to take at least as many as
 * tcpserver with a static program that answers one byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
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
#define REST_MS 300 /* for what a server does once its clients have gone */
#define ROUNDS_MOST 99
#define TARGETS_MOST 16
#define SAMPLES 32768 /* of one client in one round; more are not kept */

struct kind {
	const char *name;
	const char *request; /* NULL: none; bcs makes its own */
	const char *answer; /* what it begins with, from `at` on */
	size_t at, most; /* how much there is of it; 0: till the end */
};

static const struct kind kinds[] = {
    {"post",
	"POST /rooms/lobby.txt HTTP/1.1\r\nHost: bench\r\n"
	"Authorization: Basic YmVuY2g6cGFzc3dvcmQ=\r\n"
	"Range: bytes=0-\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	"206", 9, 0},
    {"refused",
	"POST /rooms/lobby.txt HTTP/1.1\r\nHost: bench\r\n"
	"Range: bytes=0-\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	"401", 9, 0},
    {"health",
	"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
	"200", 9, 0},
    {"bcs", NULL, "", 0, 1},
    {"toychat", "checkinbox\r\n", "error must be logged in", 0, 25},
    {"byte", NULL, "", 0, 0},
};

struct target {
	const char *name;
	size_t name_len;
	const struct kind *kind;
	struct sockaddr_in at;
	double rates[ROUNDS_MOST];
	double costs[ROUNDS_MOST]; /* microseconds of processor a connection */
	double *waits; /* microseconds to the first byte */
	size_t wait_count;
};

/* What one client tells of a round. */
struct tally {
	uint64_t count;
	double waits[SAMPLES];
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "connect: %s: %s\n", what, strerror(errno));
	exit(111);
}

static const struct kind *kind_find(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (parse_is(text, len, kinds[i].name))
			return &kinds[i];
	return NULL;
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
	t->kind = kind_find(equals + 1, (size_t)(colon - equals) - 1);
	if (!t->kind)
		fail(text);
	t->at = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	t->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* --- one connection ------------------------------------------------------- */

/* A name that nobody else has, nor the connection before. */
static size_t bcs_request(char *out, size_t size)
{
	static unsigned turn;
	int n = snprintf(out + 3, size - 3, "b%d_%u", (int)getpid(), turn++);

	out[0] = 1; /* register */
	out[1] = 0;
	out[2] = (char)n;
	return (size_t)n + 3;
}

static void ask(const struct target *t, int fd)
{
	char made[64];
	const char *request = t->kind->request;
	size_t len = request ? strlen(request) : 0;

	if (strcmp(t->kind->name, "bcs") == 0) {
		len = bcs_request(made, sizeof made);
		request = made;
	}
	if (len && write(fd, request, len) < 0)
		fail("write");
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Reads the answer: all of it, or as much as is to be seen. Returns when its
 * first byte came. */
static uint64_t take(const struct target *t, int fd)
{
	const struct kind *k = t->kind;
	char answer[4096];
	size_t len = 0, want = strlen(k->answer);
	uint64_t first = 0;
	ssize_t n;

	while ((!k->most || len < k->most) &&
	       (n = read(fd, answer + len, sizeof answer - len)) > 0) {
		if (!len)
			first = now_us();
		len += (size_t)n;
	}
	if (!len)
		fail("read");
	errno = EPROTO;
	if (len < k->at + want || memcmp(answer + k->at, k->answer, want) != 0)
		fail(k->name);
	return first;
}

/* Returns how long the first byte took, connecting included. */
static double visit(const struct target *t)
{
	uint64_t begin = now_us(), first;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&t->at, sizeof t->at) < 0)
		fail("connect");
	ask(t, fd);
	first = take(t, fd);
	(void)close(fd);
	return (double)(first - begin);
}

/* --- rounds --------------------------------------------------------------- */

static void client(const struct target *t, struct tally *tally, int64_t end)
{
	for (tally->count = 0; clock_left(end); tally->count++)
		tally->waits[tally->count % SAMPLES] = visit(t);
	_exit(0);
}

static void keep(struct target *t, const struct tally *tally)
{
	size_t n = tally->count < SAMPLES ? tally->count : SAMPLES;
	double *more =
	    realloc(t->waits, (t->wait_count + n) * sizeof *t->waits);

	if (!more)
		fail("memory");
	t->waits = more;
	memcpy(t->waits + t->wait_count, tally->waits, n * sizeof *t->waits);
	t->wait_count += n;
}

/* Microseconds that the servers have used; 0 where it was not asked for. */
static double used(const char *cgroup)
{
	char line[64] = "";
	FILE *f = cgroup ? fopen(cgroup, "re") : NULL;
	uint64_t us = 0;

	if (!cgroup)
		return 0;
	if (!f || !fgets(line, sizeof line, f) ||
	    strncmp(line, "usage_usec ", 11) != 0 ||
	    parse_u64(line + 11, strcspn(line + 11, "\n"), INT64_MAX, &us) < 0)
		fail(cgroup);
	(void)fclose(f);
	return (double)us;
}

/* How many connections. */
static uint64_t crowd(struct target *t, struct tally *tallies, int64_t end)
{
	uint64_t sum = 0;
	int status;

	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
			client(t, &tallies[i], end);
	for (int i = 0; i < CLIENTS; i++)
		if (wait(&status) < 0 || status != 0)
			exit(111);
	for (int i = 0; i < CLIENTS; i++) {
		sum += tallies[i].count;
		keep(t, &tallies[i]);
	}
	return sum;
}

static void measure(
    struct target *t, struct tally *tallies, uint64_t r, const char *cgroup)
{
	double before = used(cgroup);
	int64_t begin = clock_ms();
	double count = (double)crowd(t, tallies, begin + ROUND_MS);

	t->rates[r] = count * 1000 / (double)(clock_ms() - begin);
	if (cgroup)
		(void)poll(NULL, 0, REST_MS);
	t->costs[r] = (used(cgroup) - before) / count;
}

static void report(struct target *t, const struct target *last, uint64_t rounds)
{
	double rate = t->rates[rounds / 2], cost = t->costs[rounds / 2];

	(void)printf("connect %-24.*s %7.0f/s  %5.2f  first byte %6.0f us, "
		     "99th of 100 %7.0f us",
	    (int)t->name_len, t->name, rate, rate / last->rates[rounds / 2],
	    median(t->waits, t->wait_count),
	    quantile(t->waits, t->wait_count, 0.99));
	if (cost > 0)
		(void)printf("  processor %6.0f us  %5.2f", cost,
		    last->costs[rounds / 2] / cost);
	(void)puts("");
}

int main(int argc, char **argv)
{
	static struct target targets[TARGETS_MOST];
	struct tally *tallies;
	const char *cgroup = NULL;
	uint64_t rounds = 9;
	int n;

	if (argc > 2 && strcmp(argv[1], "-c") == 0) {
		cgroup = argv[2];
		argc -= 2;
		argv += 2;
	}
	n = rounds_options(argc, argv, ROUNDS_MOST, TARGETS_MOST, &rounds);
	if (n < 0)
		return 100;
	for (int i = 0; i < n; i++)
		parse_target(argv[optind + i], &targets[i]);
	tallies = mmap(NULL, CLIENTS * sizeof *tallies, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		fail("mmap");
	for (uint64_t r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			measure(&targets[i], tallies, r, cgroup);
	for (int i = 0; i < n; i++) {
		(void)median(targets[i].rates, rounds);
		(void)median(targets[i].costs, rounds);
	}
	for (int i = 0; i < n; i++)
		report(&targets[i], &targets[n - 1], rounds);
	return 0;
}
