/*
 * bench/streams GALLERY [ROUNDS [STREAMS [PARKED]]]: what event streams cost.
 *
 * Delivery: from the moment at which a message is about to be appended to the
 * room until the last of STREAMS (1,000) browsers has it, and the median one;
 * beside a single-process epoll server as the floor, which holds as many
 * sockets and writes the same bytes when it is given them, appending nothing.
 * Both over TCP on loopback, round by round in turn so that the machine's
 * moods hit both. To be had: at most 1.5 times the floor.
 *
 * Parking: PARKED (10,000) streams in one gallery: its memory for each (to be
 * had: 2 kB, kernel sockets apart), hand-overs a second, and processor time
 * while nothing happens.
 *
 * STATE_DIRECTORY and RUNTIME_DIRECTORY in memory measure the delivery; with
 * the former on a disk the message's sync is in it too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/events.h"
#include "lib/helper.h"
#include "lib/park.h"
#include "lib/parse.h"
#include "lib/room.h"
#include "lib/state.h"

#define ROUNDS_MOST 10000
#define STREAMS_MOST 20000
#define BODY "the quick brown fox jumps over the lazy dog, and says so here"
#define ROOM "lobby"

/* So many browsers of one server. */
struct audience {
	const char *name;
	pid_t server;
	size_t count;
	int *browsers, *sockets; /* our ends, the server's ends */
	int poll;
	size_t *missing; /* bytes, of this round's event */
	double *times; /* of this round: when each had it, us */
	double *last, *middle; /* of each round */
};

struct bench {
	struct state state;
	struct rooms rooms;
	struct room room;
	const char *gallery;
	size_t rounds;
	int control; /* to the floor */
	struct audience floor, parked;
	char event[EVENTS_MAX], scratch[EVENTS_RECORD];
	size_t event_len;
};

static void fail(const char *what, int error)
{
	(void)fprintf(stderr, "streams: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static void must(const char *what, int r)
{
	if (r < 0)
		fail(what, errno);
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* --- connections -----------------------------------------------------------
 */

static int listen_somewhere(struct sockaddr_in *ret)
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

static void connect_pairs(struct audience *a)
{
	struct sockaddr_in to;
	int listener = listen_somewhere(&to);

	for (size_t i = 0; i < a->count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		must("connect", connect(fd, (struct sockaddr *)&to, sizeof to));
		a->browsers[i] = fd;
		a->sockets[i] =
		    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		must("accept", a->sockets[i]);
		must("fcntl", fcntl(fd, F_SETFL, O_NONBLOCK));
	}
	(void)close(listener);
}

static void *table(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		fail("calloc", ENOMEM);
	return p;
}

static void audience_init(
    struct audience *a, const char *name, size_t count, size_t rounds)
{
	a->name = name;
	a->count = count;
	a->browsers = table(count, sizeof *a->browsers);
	a->sockets = table(count, sizeof *a->sockets);
	a->missing = table(count, sizeof *a->missing);
	a->times = table(count, sizeof *a->times);
	a->last = table(rounds, sizeof *a->last);
	a->middle = table(rounds, sizeof *a->middle);
	connect_pairs(a);
	a->poll = epoll_create1(EPOLL_CLOEXEC);
	must("epoll_create", a->poll);
	for (size_t i = 0; i < count; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u64 = i};

		must("epoll_ctl",
		    epoll_ctl(a->poll, EPOLL_CTL_ADD, a->browsers[i], &e));
	}
}

static void close_sockets(struct audience *a)
{
	for (size_t i = 0; i < a->count; i++)
		(void)close(a->sockets[i]);
}

/* --- the floor -------------------------------------------------------------
 */

/* Waits for its viewers' hang-ups too, as any server must. */
static void floor_serve(const struct audience *a, int control)
{
	static char data[EVENTS_MAX];
	struct epoll_event e = {.events = EPOLLIN};
	int poll = epoll_create1(EPOLL_CLOEXEC);
	ssize_t n;

	(void)epoll_ctl(poll, EPOLL_CTL_ADD, control, &e);
	e.events = EPOLLRDHUP | EPOLLET;
	for (size_t i = 0; i < a->count; i++)
		(void)epoll_ctl(poll, EPOLL_CTL_ADD, a->sockets[i], &e);
	while (epoll_wait(poll, &e, 1, -1) == 1) {
		n = read(control, data, sizeof data);
		if (n <= 0)
			_exit(0);
		for (size_t i = 0; i < a->count; i++)
			(void)send(a->sockets[i], data, (size_t)n,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	_exit(1);
}

static void floor_start(struct bench *b)
{
	int ends[2];

	must("socketpair",
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	b->floor.server = fork();
	must("fork", b->floor.server);
	if (b->floor.server == 0) {
		(void)close(ends[0]);
		floor_serve(&b->floor, ends[1]);
	}
	(void)close(ends[1]);
	b->control = ends[0];
	close_sockets(&b->floor);
}

/* --- gallery ---------------------------------------------------------------
 */

static pid_t gallery_start(const struct bench *b)
{
	int64_t deadline = clock_in(10000);
	struct timespec moment = {0, 5000000};
	pid_t pid = fork();
	int fd;

	must("fork", pid);
	if (pid == 0) {
		(void)execl(b->gallery, b->gallery, (char *)NULL);
		_exit(127);
	}
	while (
	    (fd = helper_connect(&b->state, PARK_SOCKET, SOCK_SEQPACKET)) < 0) {
		if (clock_left(deadline) == 0)
			fail(b->gallery, fd);
		(void)nanosleep(&moment, NULL);
	}
	(void)close(fd);
	return pid;
}

static void gallery_park(struct bench *b, struct audience *a)
{
	uint64_t next = b->room.count + 1;

	for (size_t i = 0; i < a->count; i++) {
		int r = park_hand_over(&b->state, a->sockets[i], ROOM, next,
		    source_parse("127.0.0.1"));

		if (r < 0)
			fail("park_hand_over", r);
	}
	close_sockets(a);
}

static void stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
}

/* --- delivery --------------------------------------------------------------
 */

static void say(struct bench *b)
{
	struct room_post post = {.body = BODY,
	    .body_len = sizeof BODY - 1,
	    .newline = true,
	    .author = "~bench",
	    .door = "bench",
	    .keys = ""};
	struct room_posted posted;
	int r = room_append(&b->room, &post, &posted);

	if (r < 0)
		fail("room_append", r);
}

/* One read is enough but where the rest has not come. */
static bool take(struct audience *a, size_t i, double began)
{
	static char drop[65536];
	ssize_t n = read(a->browsers[i], drop, sizeof drop);

	if (n <= 0 && errno != EAGAIN)
		fail("a stream ended", n ? errno : EPIPE);
	if (n <= 0 || !a->missing[i])
		return false;
	a->missing[i] -= (size_t)n < a->missing[i] ? (size_t)n : a->missing[i];
	a->times[i] = now_us() - began;
	return a->missing[i] == 0;
}

static void take_all(struct audience *a, size_t len, double began)
{
	struct epoll_event events[256];
	size_t left = a->count;

	for (size_t i = 0; i < a->count; i++)
		a->missing[i] = len;
	while (left) {
		int n = epoll_wait(a->poll, events, 256, 10000);

		if (n <= 0)
			fail("a message is missing", ETIMEDOUT);
		for (int i = 0; i < n; i++)
			left -= take(a, events[i].data.u64, began);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quantile(double *values, size_t n, double q)
{
	size_t i = (size_t)((double)(n - 1) * q);

	qsort(values, n, sizeof *values, by_size);
	return values[i];
}

static void round_done(struct audience *a, size_t round)
{
	a->last[round] = quantile(a->times, a->count, 1);
	a->middle[round] = quantile(a->times, a->count, 0.5);
}

static void round_gallery(struct bench *b, size_t round)
{
	double began = now_us();

	say(b);
	/* Its length is known by now, and the same for all. */
	b->event_len =
	    (size_t)events_read(b->event, &b->room, b->room.count, b->scratch);
	take_all(&b->parked, b->event_len, began);
	round_done(&b->parked, round);
}

static void round_floor(struct bench *b, size_t round)
{
	double began = now_us();

	if (write(b->control, b->event, b->event_len) != (ssize_t)b->event_len)
		fail("floor", errno);
	take_all(&b->floor, b->event_len, began);
	round_done(&b->floor, round);
}

static void print_audience(struct audience *a, size_t rounds)
{
	printf("streams: %-7s %zu streams: last %6.0f us (p99 %6.0f), "
	       "median stream %6.0f us\n",
	    a->name, a->count, quantile(a->last, rounds, 0.5),
	    quantile(a->last, rounds, 0.99), quantile(a->middle, rounds, 0.5));
}

static void delivery(struct bench *b, size_t streams)
{
	double *ratios = table(b->rounds, sizeof *ratios);

	audience_init(&b->floor, "floor", streams, b->rounds);
	audience_init(&b->parked, "gallery", streams, b->rounds);
	b->parked.server = gallery_start(b);
	gallery_park(b, &b->parked);
	floor_start(b);
	for (size_t i = 0; i < b->rounds; i++) {
		round_gallery(b, i);
		round_floor(b, i);
		ratios[i] = b->parked.last[i] / b->floor.last[i];
	}
	print_audience(&b->floor, b->rounds);
	print_audience(&b->parked, b->rounds);
	printf("streams: gallery is %.2f of the floor (at most 1.5)\n",
	    quantile(ratios, b->rounds, 0.5));
	(void)close(b->control);
	(void)waitpid(b->floor.server, NULL, 0);
	stop(b->parked.server);
}

/* --- parking ---------------------------------------------------------------
 */

/* Bytes that are this process' alone, or its share. */
static double memory(pid_t pid)
{
	char path[64], text[4096], *at;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	n = io_read_file(AT_FDCWD, path, text, sizeof text - 1);
	if (n < 0)
		fail(path, (int)n);
	text[n] = '\0';
	at = strstr(text, "\nPss:");
	return at ? strtod(at + 5, NULL) * 1024 : 0;
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

static void pair_up(struct audience *a)
{
	for (size_t i = 0; i < a->count; i++) {
		int ends[2];

		must("socketpair",
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		a->browsers[i] = ends[0];
		a->sockets[i] = ends[1];
	}
}

/* In parts: each end takes a descriptor, here until it is handed over. */
static void park_many(struct bench *b, size_t count, int *browsers)
{
	struct audience part = {.count = 100};
	int ours[100], theirs[100];

	part.browsers = ours;
	part.sockets = theirs;
	for (size_t i = 0; i + 100 <= count; i += 100) {
		pair_up(&part);
		gallery_park(b, &part);
		memcpy(browsers + i, ours, sizeof ours);
	}
}

static void parking(struct bench *b, size_t count)
{
	int *browsers = table(count, sizeof *browsers);
	pid_t pid = gallery_start(b);
	double before = memory(pid), began = now_us(), busy, after;
	struct timespec second = {1, 0};

	park_many(b, count, browsers);
	began = now_us() - began;
	say(b); /* each was written to once */
	(void)nanosleep(&second, NULL);
	after = memory(pid);
	busy = processor_ms(pid);
	(void)nanosleep(&second, NULL);
	busy = processor_ms(pid) - busy;
	printf("streams: %zu parked, %.0f hand-overs/s: gallery %.0f kB "
	       "before, %.0f kB after: %.0f bytes a stream (at most 2048); "
	       "%.1f ms of processor time in an idle second\n",
	    count, (double)count / (began / 1e6), before / 1024, after / 1024,
	    (after - before) / (double)count, busy);
	stop(pid);
	for (size_t i = 0; i < count; i++)
		(void)close(browsers[i]);
}

static size_t number(
    int argc, char **argv, int i, uint64_t most, uint64_t otherwise)
{
	uint64_t n = otherwise;

	if (i < argc &&
	    (parse_u64(argv[i], strlen(argv[i]), most, &n) < 0 || !n))
		fail(argv[i], EINVAL);
	return (size_t)n;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct state_error error;
	size_t streams = number(argc, argv, 3, STREAMS_MOST, 1000);
	size_t parked = number(argc, argv, 4, STREAMS_MOST, 10000);

	if (argc < 2)
		fail("usage: streams GALLERY ...", EINVAL);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	b.gallery = argv[1];
	b.rounds = number(argc, argv, 2, ROUNDS_MOST, 200);
	(void)helper_raise_files();
	if (state_open(&b.state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&b.rooms, &b.state) < 0 ||
	    room_open(&b.room, &b.rooms, ROOM, strlen(ROOM), ROOM_CREATE) < 0)
		fail("room", errno);
	say(&b);
	delivery(&b, streams);
	parking(&b, parked);
	return 0;
}
