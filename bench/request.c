/*
 * bench/request HANDLER [COUNT]: what a request on a kept-alive connection
 * costs the chatfile handler, for an account `bench` with the password
 * `password`: its own CPU time (/proc/PID/schedstat), and the time until the
 * answer. Three kinds, COUNT (2000) of each, the log going to /dev/null:
 *
 *	post    a message appended, durable
 *	fetch   an empty message at the end of the room
 *	get     the room as a file, as long as it is by then
 *
 * To be had: post under 200 us of CPU.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lib/clock.h"
#include "lib/parse.h"

#define AUTH "Authorization: Basic YmVuY2g6cGFzc3dvcmQ=\r\n"
#define TEXT "the quick brown fox jumps over the lazy dog, and says so here\n"

struct bench {
	pid_t pid;
	int fd;
	uint64_t size; /* the room's, as told last */
	char reply[1 << 20];
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "request: %s\n", what);
	exit(111);
}

static void start(struct bench *b, const char *handler)
{
	b->pid = child_connected(handler, &b->fd);
	if (b->pid < 0)
		fail(strerror(-b->pid));
}

/* Nanoseconds that the handler has run. */
static int64_t cpu(const struct bench *b)
{
	int64_t ns = child_cpu_ns(b->pid);

	if (ns < 0)
		fail("no schedstat");
	return ns;
}

/* Reads one reply; it must be a 2xx. */
static void reply(struct bench *b)
{
	size_t len = 0, want = SIZE_MAX;
	const char *at;
	ssize_t n;

	while (len < want) {
		n = read(b->fd, b->reply + len, sizeof b->reply - 1 - len);
		if (n <= 0)
			fail("the handler hung up");
		len += (size_t)n;
		b->reply[len] = '\0';
		at = strstr(b->reply, "\r\n\r\n");
		if (want == SIZE_MAX && at)
			want = (size_t)(at + 4 - b->reply) +
			       strtoul(strstr(b->reply, "Content-Length: ") +
					   strlen("Content-Length: "),
				   NULL, 10);
	}
	if (b->reply[9] != '2')
		fail(b->reply);
	at = strstr(b->reply, "Content-Range: bytes ");
	at = at ? strchr(at, '/') : NULL;
	if (at)
		b->size = strtoull(at + 1, NULL, 10);
}

static void ask(struct bench *b, const char *method, const char *text)
{
	char request[512];
	bool get = method[0] == 'G';
	int n;

	n = snprintf(request, sizeof request,
	    "%s /rooms/bench.txt HTTP/1.1\r\nHost: localhost\r\n" AUTH
	    "Range: bytes=%ju-\r\nContent-Length: %zu\r\n\r\n%s",
	    method, get ? (uintmax_t)0 : (uintmax_t)b->size, strlen(text),
	    text);
	if (write(b->fd, request, (size_t)n) != n)
		fail("the handler hung up");
	reply(b);
}

static void measure(struct bench *b, const char *name, const char *method,
    const char *text, uint64_t count)
{
	int64_t before, ms;

	for (int i = 0; i < 20; i++)
		ask(b, method, text);
	before = cpu(b);
	ms = clock_ms();
	for (uint64_t i = 0; i < count; i++)
		ask(b, method, text);
	ms = clock_ms() - ms;
	printf("request: %-6s %6.1f us of CPU, %7.1f us until answered\n", name,
	    (double)(cpu(b) - before) / 1000 / (double)count,
	    (double)ms * 1000 / (double)count);
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t count = 2000;

	if (argc < 2 || argc > 3 ||
	    (argc == 3 &&
		parse_u64(argv[2], strlen(argv[2]), 1000000, &count) < 0))
		return 100;
	start(&b, argv[1]);
	measure(&b, "post", "POST", TEXT, count);
	measure(&b, "fetch", "POST", "", count);
	measure(&b, "get", "GET", "", count);
	(void)close(b.fd);
	return waitpid(b.pid, NULL, 0) == b.pid ? 0 : 111;
}
