/*
 * bench/streams GALLERY HCHAT [ROUNDS [STREAMS]]: how soon a message is with
 * those who view its room.
 *
 * From the moment at which it is posted to a handler that waits for requests
 * until the last of STREAMS (1,000) browsers has it, and the median one; beside
 * a single-process epoll server as the floor, which holds as many sockets and
 * writes the same bytes when it is given them, reading and storing nothing.
 * Both over TCP on loopback, round by round in turn so that the machine's moods
 * hit both. To be had: at most 1.5 times the floor.
 *
 * With STATE_DIRECTORY in memory it is the delivery; with that on a disk the
 * message's sync is in it too.
 */
#include <sys/epoll.h>

#include "lib/events.h"
#include "rounds.h"
#include "streams.h"

#define ROUNDS_MOST 10000
#define STREAMS_MOST 9000

/* So many browsers of one server. */
struct audience {
	const char *name;
	pid_t server;
	size_t count;
	int *browsers, *sockets; /* our ends, the server's ends */
	int poll;
	bool *has; /* this round's event, whole */
	double *times; /* of this round: when each had it, us */
	double *last, *middle; /* of each round */
};

struct bench {
	struct stage stage;
	size_t rounds;
	int control; /* to the floor */
	struct audience floor, parked;
	pid_t handler;
	int poster; /* its client's end */
	char event[EVENTS_MAX], scratch[EVENTS_RECORD];
	size_t event_len;
};

/* --- connections -----------------------------------------------------------
 */

static void connect_pairs(struct audience *a)
{
	struct sockaddr_in to;
	int listener = loopback_listen(&to);

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

static void audience_init(
    struct audience *a, const char *name, size_t count, size_t rounds)
{
	a->name = name;
	a->count = count;
	a->browsers = table(count, sizeof *a->browsers);
	a->sockets = table(count, sizeof *a->sockets);
	a->has = table(count, sizeof *a->has);
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
	for (size_t i = 0; i < b->floor.count; i++)
		(void)close(b->floor.sockets[i]);
}

/* --- delivery --------------------------------------------------------------
 */

/* An event ends with an empty line. */
static bool take(struct audience *a, size_t i, double began)
{
	static char data[65536];
	ssize_t n = read(a->browsers[i], data, sizeof data);

	if (n <= 0 && errno != EAGAIN)
		fail("a stream ended", n ? errno : EPIPE);
	if (n < 2 || memcmp(data + n - 2, "\n\n", 2) != 0 || a->has[i])
		return false;
	a->times[i] = now_us() - began;
	a->has[i] = true;
	return true;
}

static void take_all(struct audience *a, double began)
{
	struct epoll_event events[256];
	size_t left = a->count;

	memset(a->has, 0, a->count * sizeof *a->has);
	while (left) {
		int n = epoll_wait(a->poll, events, 256, 10000);

		if (n <= 0)
			fail("a message is missing", ETIMEDOUT);
		for (int i = 0; i < n; i++)
			left -= take(a, events[i].data.u64, began);
	}
}

static void round_done(struct audience *a, size_t round)
{
	a->last[round] = quantile(a->times, a->count, 1);
	a->middle[round] = quantile(a->times, a->count, 0.5);
}

static void expect_200(struct bench *b)
{
	char answer[4096];
	ssize_t n = read(b->poster, answer, sizeof answer);

	if (n < 13 || memcmp(answer, "HTTP/1.1 200 ", 13) != 0)
		fail("the post failed", EPROTO);
}

static void round_gallery(struct bench *b, size_t round)
{
	static const char post[] =
	    "POST /send/" ROOM " HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: 61\r\n\r\n" BODY;
	struct room *room = &b->stage.room;
	double began = now_us();

	_Static_assert(sizeof BODY - 1 == 61, "Content-Length");
	if (write(b->poster, post, sizeof post - 1) != sizeof post - 1)
		fail("post", errno);
	take_all(&b->parked, began);
	round_done(&b->parked, round);
	expect_200(b);
	(void)room_look(room);
	b->event_len =
	    (size_t)events_read(b->event, room, room->count, b->scratch);
}

static void round_floor(struct bench *b, size_t round)
{
	double began = now_us();

	if (write(b->control, b->event, b->event_len) != (ssize_t)b->event_len)
		fail("floor", errno);
	take_all(&b->floor, began);
	round_done(&b->floor, round);
}

static void handler_start(struct bench *b, const char *hchat)
{
	int ends[2];

	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	b->handler = fork();
	must("fork", b->handler);
	if (b->handler == 0) {
		(void)dup2(ends[1], 0);
		(void)dup2(ends[1], 1);
		(void)close(ends[0]);
		(void)close(ends[1]);
		silence();
		(void)execl(hchat, hchat, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	b->poster = ends[0];
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
	b->parked.server = gallery_start(&b->stage);
	for (size_t i = 0; i < streams; i++)
		gallery_park(&b->stage, b->parked.sockets[i]);
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
	(void)close(b->poster);
	(void)waitpid(b->handler, NULL, 0);
	(void)close(b->control);
	(void)waitpid(b->floor.server, NULL, 0);
	gallery_stop(b->parked.server);
}

int main(int argc, char **argv)
{
	static struct bench b;
	size_t streams = number(argc, argv, 4, STREAMS_MOST, 1000);

	if (argc < 3)
		fail("usage: streams GALLERY HCHAT ...", EINVAL);
	b.rounds = number(argc, argv, 3, ROUNDS_MOST, 200);
	stage_open(&b.stage, argv[1]);
	handler_start(&b, argv[2]);
	delivery(&b, streams);
	return 0;
}
