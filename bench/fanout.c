/*
 * bench/fanout [ROUNDS [SUBSCRIBERS]]: one appender, 1,000 processes that wait
 * for one room. How long from the index write until the last of them woke, and
 * how much CPU time of fanout a delivery costs; beside a bare loop that sends a
 * datagram to each of the same processes. The two ways take turns, so that
 * what else the machine does hits both. Each process waits as a handler does,
 * by poll(2), for either. Prints the medians and the medians of the rounds'
 * ratios (fanout : bare). Starts BUILD/helpers/fanout over RUNTIME_DIRECTORY.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/helper.h"
#include "lib/io.h"
#include "lib/live.h"
#include "lib/parse.h"
#include "lib/state.h"
#include "rounds.h"

#define ROOM "bench"
#define ROUNDS 200
#define ROUNDS_MOST 10000
#define SUBSCRIBERS 1000
#define SUBSCRIBERS_MOST 5000
#define WARM_UP 5

enum way { FANOUT, BARE, WAYS };
static const char *const names[WAYS] = {"fanout", "bare"};

struct shared {
	_Atomic uint64_t ready;
	_Atomic uint64_t woken; /* in this round */
	_Atomic int64_t last; /* when the last of them was */
};

struct bench {
	struct state state;
	struct shared *shared;
	uint64_t rounds, subscribers;
	int done[2]; /* the last one writes a byte */
	int index;
	uint64_t entries;
	pid_t fanout;
	clockid_t fanout_cpu;
	int bare[SUBSCRIBERS_MOST];
	pid_t child[SUBSCRIBERS_MOST];
	double wake[WAYS][ROUNDS_MOST]; /* microseconds to the last */
	double cpu[WAYS][ROUNDS_MOST]; /* microseconds a delivery */
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "fanout: %s: %s\n", what, strerror(errno));
	exit(111);
}

static int64_t ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		fail("clock");
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void woken(struct bench *b)
{
	int64_t now = ns(CLOCK_MONOTONIC);

	if (++b->shared->woken < b->subscribers)
		return;
	b->shared->last = now;
	(void)!write(b->done[1], "", 1);
}

static void be_subscriber(struct bench *b, int bare)
{
	struct live live;
	struct pollfd fds[2];
	char data[64];

	live_init(&live, &b->state, ROOM, LIVE_ROOM);
	if (!live_connected(&live))
		_exit(111);
	b->shared->ready++;
	fds[0] = live_poll(&live);
	fds[1] = (struct pollfd){.fd = bare, .events = POLLIN};
	for (;;) {
		if (io_wait(fds, 2, CLOCK_NEVER, IO_BUSY) < 0)
			_exit(111);
		if (fds[0].revents && !(live_turn(&live) & LIVE_LOOK))
			_exit(111);
		if (fds[1].revents && read(bare, data, sizeof data) <= 0)
			_exit(0);
		woken(b);
	}
}

static void start_fanout(struct bench *b)
{
	char path[4096];
	const char *build = getenv("BUILD");
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/helpers/fanout", build ? build : "build");
	b->fanout = fork();
	if (b->fanout == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)!freopen("/dev/null", "w", stderr);
		(void)execl(path, path, (char *)NULL);
		_exit(111);
	}
	/* Until it listens. */
	while ((fd = helper_connect(&b->state, "fanout.sock", SOCK_SEQPACKET)) <
	       0) {
		if (waitpid(b->fanout, NULL, WNOHANG) != 0)
			fail(path);
		(void)io_wait(NULL, 0, clock_in(10), IO_BUSY);
	}
	(void)close(fd);
	if (clock_getcpuclockid(b->fanout, &b->fanout_cpu) != 0)
		fail("cpu clock");
}

static void start_subscribers(struct bench *b)
{
	int pair[2];

	for (uint64_t i = 0; i < b->subscribers; i++) {
		if (socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			fail("socketpair");
		b->child[i] = fork();
		if (b->child[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (uint64_t k = 0; k < i; k++)
				(void)close(b->bare[k]);
			(void)close(pair[0]);
			be_subscriber(b, pair[1]);
		}
		if (b->child[i] < 0)
			fail("fork");
		(void)close(pair[1]);
		b->bare[i] = pair[0];
	}
	while (b->shared->ready < b->subscribers)
		(void)io_wait(NULL, 0, clock_in(10), IO_BUSY);
}

static void wait_for_last(struct bench *b)
{
	struct pollfd p = {.fd = b->done[0], .events = POLLIN};
	char byte;

	if (io_wait(&p, 1, clock_in(30000), IO_BUSY) < 0 ||
	    read(b->done[0], &byte, 1) != 1) {
		(void)fprintf(stderr, "fanout: %ju of %ju woke\n",
		    (uintmax_t)b->shared->woken, (uintmax_t)b->subscribers);
		exit(111);
	}
}

/* What an appender does: one entry. */
static void ring(struct bench *b)
{
	if (io_pwrite(b->index, "entryxxx", 8, 64 + 8 * b->entries++) < 0)
		fail("index");
}

static void send_each(struct bench *b)
{
	for (uint64_t i = 0; i < b->subscribers; i++)
		if (send(b->bare[i], "bell " ROOM, 10,
			MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			fail("send");
}

static void round_once(struct bench *b, enum way way, int64_t number)
{
	clockid_t cpu =
	    way == FANOUT ? b->fanout_cpu : CLOCK_PROCESS_CPUTIME_ID;
	int64_t from, cpu_from;

	b->shared->woken = 0;
	cpu_from = ns(cpu);
	from = ns(CLOCK_MONOTONIC);
	if (way == FANOUT)
		ring(b);
	else
		send_each(b);
	/* The loop's own time ends here, and not with its waiting. */
	if (way == BARE)
		cpu_from -= ns(cpu);
	wait_for_last(b);
	if (way == FANOUT)
		cpu_from -= ns(cpu);
	if (number < 0)
		return;
	b->wake[way][number] = (double)(b->shared->last - from) / 1000;
	b->cpu[way][number] = (double)-cpu_from / 1000 / (double)b->subscribers;
}

static double median_of(const double *values, uint64_t n)
{
	static double sorted[ROUNDS_MOST];

	memcpy(sorted, values, n * sizeof *sorted);
	return median(sorted, n);
}

static double median_ratio(double (*values)[ROUNDS_MOST], uint64_t n)
{
	static double ratio[ROUNDS_MOST];

	for (uint64_t i = 0; i < n; i++)
		ratio[i] = values[FANOUT][i] / values[BARE][i];
	return median(ratio, n);
}

static void report(struct bench *b)
{
	for (int way = 0; way < WAYS; way++)
		printf("fanout: %-6s %7.0f us to the last of %ju, "
		       "%5.2f us of CPU a delivery\n",
		    names[way], median_of(b->wake[way], b->rounds),
		    (uintmax_t)b->subscribers,
		    median_of(b->cpu[way], b->rounds));
	printf("fanout: ratio fanout:bare of %ju rounds: wake-up %.2f, "
	       "CPU %.2f\n",
	    (uintmax_t)b->rounds, median_ratio(b->wake, b->rounds),
	    median_ratio(b->cpu, b->rounds));
}

static void end(struct bench *b)
{
	for (uint64_t i = 0; i < b->subscribers; i++) {
		(void)kill(b->child[i], SIGKILL);
		(void)waitpid(b->child[i], NULL, 0);
	}
	(void)kill(b->fanout, SIGTERM);
	(void)waitpid(b->fanout, NULL, 0);
}

static void set_up(struct bench *b)
{
	struct state_error error;

	(void)helper_raise_files();
	if (state_open(&b->state, &error) < 0) {
		(void)fprintf(stderr, "fanout: %s\n", error.text);
		exit(111);
	}
	b->shared = mmap(NULL, sizeof *b->shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	b->index = openat(b->state.runtime, "index/" ROOM,
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->shared == MAP_FAILED || b->index < 0 || pipe(b->done) < 0)
		fail("set up");
	start_fanout(b);
	start_subscribers(b);
}

static uint64_t number(int argc, char **argv, int at, uint64_t most, uint64_t n)
{
	if (argc > at &&
	    (parse_u64(argv[at], strlen(argv[at]), most, &n) < 0 || n == 0)) {
		(void)fprintf(stderr, "fanout: not a number: %s\n", argv[at]);
		exit(100);
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct bench b;

	b.rounds = number(argc, argv, 1, ROUNDS_MOST, ROUNDS);
	b.subscribers = number(argc, argv, 2, SUBSCRIBERS_MOST, SUBSCRIBERS);
	(void)signal(SIGPIPE, SIG_IGN);
	set_up(&b);
	for (int64_t i = -WARM_UP; i < (int64_t)b.rounds; i++)
		for (enum way way = 0; way < WAYS; way++)
			round_once(&b, way, i);
	report(&b);
	end(&b);
	return 0;
}
