/*
 * bench/polls HCHAT FANOUT [POLLS [ROUNDS]]: long polls of the web door, a
 * process each.
 *
 * POLLS (500) handlers hang in GET /msg/lobby/N on kept-alive connections; from
 * the moment at which message N is about to be appended until the last one has
 * answered with it, and the median one. Then all ask for the next. And the
 * mean PSS of a hanging one (to be had: at most 300 kB).
 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "child.h"
#include "lib/io.h"
#include "rounds.h"
#include "streams.h"

#define POLLS_MOST 5000
#define ROUNDS_MOST 1000

struct poller {
	pid_t pid;
	int fd;
	double time; /* when it had the answer, us */
};

struct bench {
	struct stage stage;
	pid_t fanout;
	struct poller *pollers;
	size_t count;
	int poll;
};

static void start_pollers(struct bench *b, const char *hchat)
{
	b->pollers = table(b->count, sizeof *b->pollers);
	b->poll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < b->count; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u64 = i};
		struct poller *p = &b->pollers[i];

		p->pid = child_connected(hchat, &p->fd);
		if (p->pid < 0)
			fail(hchat, p->pid);
		must("epoll_ctl", epoll_ctl(b->poll, EPOLL_CTL_ADD, p->fd, &e));
	}
}

static void ask_all(struct bench *b)
{
	char request[128];
	int n = snprintf(request, sizeof request,
	    "GET /msg/" ROOM "/%ju HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    (uintmax_t)b->stage.room.count + 1);

	for (size_t i = 0; i < b->count; i++)
		if (write(b->pollers[i].fd, request, (size_t)n) != n)
			fail("a poller is gone", EPIPE);
}

/* Does it wait in poll? */
static bool hangs(pid_t pid)
{
	char path[64], text[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/wchan", pid);
	n = io_read_file(AT_FDCWD, path, text, sizeof text - 1);
	if (n < 0)
		fail(path, (int)n);
	text[n] = '\0';
	return strstr(text, "poll") != NULL;
}

static void await_all(struct bench *b)
{
	struct timespec moment = {0, 20000000};

	for (size_t i = 0; i < b->count; i++)
		while (!hangs(b->pollers[i].pid))
			(void)nanosleep(&moment, NULL);
}

static void answered(struct poller *p, double began)
{
	char text[4096];
	ssize_t n = read(p->fd, text, sizeof text - 1);

	if (n <= 0)
		fail("a poller is gone", EPIPE);
	text[n] = '\0';
	if (memcmp(text, "HTTP/1.1 200 ", 13) != 0 || !strstr(text, BODY))
		fail(text, EPROTO);
	p->time = now_us() - began;
}

static int by_time(const void *a, const void *b)
{
	const struct poller *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

/* The times of this round's last and median answers. */
static void round_trip(struct bench *b, double *ret_last, double *ret_middle)
{
	struct poller *sorted = table(b->count, sizeof *sorted);
	struct epoll_event events[64];
	size_t left = b->count;
	double began;

	ask_all(b);
	await_all(b);
	began = now_us();
	say(&b->stage);
	while (left) {
		int n = epoll_wait(b->poll, events, 64, 20000);

		if (n <= 0)
			fail("an answer is missing", ETIMEDOUT);
		for (int i = 0; i < n; i++, left--)
			answered(&b->pollers[events[i].data.u64], began);
	}
	memcpy(sorted, b->pollers, b->count * sizeof *sorted);
	qsort(sorted, b->count, sizeof *sorted, by_time);
	*ret_last = sorted[b->count - 1].time;
	*ret_middle = sorted[b->count / 2].time;
	free(sorted);
}

static double pss_kb(pid_t pid)
{
	long kb = child_pss_kb(pid);

	if (kb < 0)
		fail("smaps_rollup", (int)kb);
	return (double)kb;
}

/* After they had the time to give back what they can. */
static double mean_pss(struct bench *b)
{
	double sum = 0;

	ask_all(b);
	await_all(b);
	(void)nanosleep(&(struct timespec){3, 0}, NULL);
	for (size_t i = 0; i < b->count; i++)
		sum += pss_kb(b->pollers[i].pid);
	return sum / (double)b->count;
}

static void end(struct bench *b)
{
	for (size_t i = 0; i < b->count; i++)
		(void)close(b->pollers[i].fd);
	for (size_t i = 0; i < b->count; i++)
		(void)waitpid(b->pollers[i].pid, NULL, 0);
	gallery_stop(b->fanout);
}

int main(int argc, char **argv)
{
	static struct bench b;
	size_t rounds = number(argc, argv, 4, ROUNDS_MOST, 20);
	double *last = table(rounds, sizeof *last);
	double *middle = table(rounds, sizeof *middle), pss;

	if (argc < 3)
		fail("usage: polls HCHAT FANOUT ...", EINVAL);
	b.count = number(argc, argv, 3, POLLS_MOST, 500);
	stage_open(&b.stage, NULL);
	b.fanout = child_spawn(argv[2], -1);
	if (b.fanout < 0)
		fail(argv[2], b.fanout);
	start_pollers(&b, argv[1]);
	for (size_t i = 0; i < rounds; i++)
		round_trip(&b, &last[i], &middle[i]);
	pss = mean_pss(&b);
	printf("polls: %zu hanging polls: all answered after %.0f us, the "
	       "median one after %.0f us; %.0f kB PSS each (at most 300)\n",
	    b.count, median(last, rounds), median(middle, rounds), pss);
	end(&b);
	return 0;
}
