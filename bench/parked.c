/*
 * bench/parked GALLERY [STREAMS]: what viewers cost who only wait.
 *
 * STREAMS (10,000) of them in one gallery, each of which was written to once:
 * its memory for each (to be had: 2 kB at most, kernel sockets apart), hand-
 * overs a second, and processor time while nothing happens.
 */
#include "child.h"
#include "streams.h"

#define STREAMS_MOST 19000
#define FIRST 100 /* so that what is needed once is there */

/* Bytes that are this process' alone, or its share. */
static double memory(pid_t pid)
{
	long kb = child_pss_kb(pid);

	if (kb < 0)
		fail("smaps_rollup", (int)kb);
	return (double)kb * 1024;
}

static double processor_ms(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &t) < 0)
		fail("clock_getcpuclockid", errno);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void park(const struct stage *s, int *browsers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int ends[2];

		must("socketpair",
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		browsers[i] = ends[0];
		gallery_park(s, ends[1]);
	}
}

static void settle(struct stage *s)
{
	struct timespec second = {1, 0};

	say(s);
	(void)nanosleep(&second, NULL);
}

int main(int argc, char **argv)
{
	static struct stage s;
	size_t count = number(argc, argv, 2, STREAMS_MOST, 10000);
	int *browsers = table(count + FIRST, sizeof *browsers);
	double before, after, took, busy;
	pid_t pid;

	if (argc < 2)
		fail("usage: parked GALLERY ...", EINVAL);
	stage_open(&s, argv[1]);
	pid = gallery_start(&s);
	park(&s, browsers, FIRST);
	settle(&s);
	before = memory(pid);
	took = now_us();
	park(&s, browsers + FIRST, count);
	took = now_us() - took;
	settle(&s);
	after = memory(pid);
	busy = processor_ms(pid);
	(void)nanosleep(&(struct timespec){1, 0}, NULL);
	busy = processor_ms(pid) - busy;
	printf("parked: %zu streams: %.0f bytes of gallery's memory each "
	       "(at most 2048), %.0f hand-overs/s, %.1f ms of processor time "
	       "in a second of silence\n",
	    count, (after - before) / (double)count,
	    (double)count / (took / 1e6), busy);
	gallery_stop(pid);
	return 0;
}
