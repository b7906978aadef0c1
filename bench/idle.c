/*
 * bench/idle HANDLER SLEEPER [COUNT]: the memory of COUNT (100) kept-alive
 * connections that have synced once, as account `bench` with the password
 * `password`, and are idle since; beside as many processes of a static program
 * that sleeps. Prints the mean PSS of each in kB (/proc/PID/smaps_rollup).
 *
 * To be had: at most 300 kB for a handler.
 */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lib/limits.h"
#include "lib/parse.h"

#define MOST 1000

struct child {
	pid_t pid;
	int fd;
};

static const char sync_request[] =
    "POST /rooms/bench.txt HTTP/1.1\r\nHost: localhost\r\n"
    "Authorization: Basic YmVuY2g6cGFzc3dvcmQ=\r\nContent-Length: 6\r\n\r\n"
    "hello\n";

static void fail(const char *what)
{
	(void)fprintf(stderr, "idle: %s\n", what);
	exit(111);
}

static void start(struct child *c, const char *program)
{
	c->pid = child_connected(program, &c->fd);
	if (c->pid < 0)
		fail(strerror(-c->pid));
}

static void sync_once(const struct child *c)
{
	char reply[65536];
	ssize_t n;

	if (write(c->fd, sync_request, sizeof sync_request - 1) < 0)
		fail("the handler hung up");
	n = read(c->fd, reply, sizeof reply);
	if (n < 13 || memcmp(reply, "HTTP/1.1 206 ", 13) != 0)
		fail("the handler did not answer 206");
}

/* kB, or exits. */
static long pss(const struct child *c)
{
	long kb = child_pss_kb(c->pid);

	if (kb < 0)
		fail("no smaps_rollup");
	return kb;
}

static double mean(const struct child *children, uint64_t count)
{
	long sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += pss(&children[i]);
	return (double)sum / (double)count;
}

static void end(const struct child *children, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		(void)close(children[i].fd);
	for (uint64_t i = 0; i < count; i++)
		(void)waitpid(children[i].pid, NULL, 0);
}

int main(int argc, char **argv)
{
	static struct child handlers[MOST], sleepers[MOST];
	uint64_t count = 100;

	if (argc < 3 || argc > 4 ||
	    (argc == 4 &&
		parse_u64(argv[3], strlen(argv[3]), MOST, &count) < 0))
		return 100;
	for (uint64_t i = 0; i < count; i++) {
		start(&handlers[i], argv[1]);
		sync_once(&handlers[i]);
		start(&sleepers[i], argv[2]);
	}
	/* Until they have given back what they need not. */
	(void)poll(NULL, 0, 2 * LIMIT_TRIM_MS);
	printf("idle: %.0f kB of PSS for a connection at %ju of them, %.0f kB "
	       "for a static program that sleeps\n",
	    mean(handlers, count), (uintmax_t)count, mean(sleepers, count));
	end(handlers, count);
	end(sleepers, count);
	return 0;
}
