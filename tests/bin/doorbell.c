/*
 * Is a doorbell ever missed? In STATE_DIRECTORY and RUNTIME_DIRECTORY:
 *
 *	doorbell FANOUT ROUNDS
 *
 * WAITERS processes share the rounds, a room each. A round: the waiter
 * subscribes (or keeps its subscription, every second time), reads the room
 * and waits, as a handler does; at any moment of that a process of its own
 * appends one record and is killed by SIGKILL right after its index write.
 * FANOUT is started, killed and started again throughout: every second
 * time at any moment, else not while a waiter is overdue, since connecting anew
 * would wake one that missed its bell. A waiter that has not seen
 * the record PATIENCE_MS after it stood in the index slept past it.
 *
 * Prints "rounds=N missed=N restarts=N rung=N worst_ms=N" and exits with 0 if
 * none was missed. rung: noticed by a doorbell, not by looking once a second.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/live.h"
#include "lib/parse.h"
#include "lib/room.h"

#define WAITERS 4
#define PATIENCE_MS 4000
#define OVERDUE_MS 1 /* bells are rung sooner */

struct tally {
	_Atomic uint64_t rounds, missed, restarts, rung, worst_ms;
	struct {
		_Atomic int64_t indexed; /* clock_ms() after the append */
	} waiter[WAITERS];
};

struct party {
	struct state state;
	struct rooms rooms;
	struct tally *tally;
	uint64_t rounds; /* a waiter's */
	const char *fanout;
};

static void fail(const char *what, int error)
{
	(void)fprintf(stderr, "doorbell: %s: %s\n", what, strerror(-error));
	exit(111);
}

static uint32_t any(uint32_t below)
{
	static uint64_t x;

	if (!x)
		x = (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 33) % below;
}

/* Chance, not waiting for anything: no event can stand for it. */
static void pause_us(uint32_t us)
{
	struct timespec t = {.tv_nsec = (long)us * 1000};

	(void)nanosleep(&t, NULL);
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork", -errno);
	if (pid == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void append_and_die(struct party *p, const char *name, int number)
{
	struct room_post post = {.body = "ding\n",
	    .body_len = 5,
	    .author = "~doorbell",
	    .door = "test",
	    .keys = ""};
	struct room_posted posted;
	struct room room;
	int r;

	pause_us(any(1500));
	r = room_open(&room, &p->rooms, name, strlen(name), ROOM_CREATE);
	if (r == 0)
		r = room_append(&room, &post, &posted);
	if (r < 0)
		fail("append", r);
	p->tally->waiter[number].indexed = clock_ms();
	(void)raise(SIGKILL);
}

static void note(struct party *p, int number, bool rung)
{
	uint64_t ms;
	int64_t since = p->tally->waiter[number].indexed;

	/* Seen before the appender could note when: at once. */
	ms = since ? (uint64_t)(clock_ms() - since) : 0;
	p->tally->waiter[number].indexed = 0;
	p->tally->rounds++;
	p->tally->rung += rung;
	p->tally->missed += ms > PATIENCE_MS;
	if (ms > p->tally->worst_ms)
		p->tally->worst_ms = ms;
}

/* As a handler does it. */
static void wait_for(
    struct party *p, int number, struct live *l, struct room *room, uint64_t k)
{
	int64_t late = clock_in(2 * PATIENCE_MS), until;
	struct pollfd fd;
	bool rung = false;
	int r;

	for (;;) {
		r = room_look(room);
		if (r < 0)
			fail("look", r);
		if (room->count >= k)
			break;
		if (clock_left(late) == 0)
			break;
		do {
			fd = live_poll(l);
			until = live_deadline(l);
			(void)io_wait(
			    &fd, 1, until < late ? until : late, IO_BUSY);
			rung = live_connected(l);
		} while (!live_turn(l) && clock_left(late));
	}
	note(p, number, rung);
}

static void be_waiter(struct party *p, int number)
{
	char name[16];
	struct room room;
	struct live live;
	pid_t appender;
	int r;

	(void)snprintf(name, sizeof name, "room%d", number);
	r = room_open(&room, &p->rooms, name, strlen(name), ROOM_CREATE);
	if (r < 0)
		fail("open", r);
	live_init(&live, &p->state, name, LIVE_ROOM);
	for (uint64_t k = 1; k <= p->rounds; k++) {
		p->tally->waiter[number].indexed = 0;
		appender = child();
		if (appender == 0)
			append_and_die(p, name, number);
		if (k % 2) {
			live_release(&live);
			pause_us(any(800));
			live_init(&live, &p->state, name, LIVE_ROOM);
		}
		wait_for(p, number, &live, &room, k);
		(void)waitpid(appender, NULL, 0);
	}
	live_release(&live);
	room_close(&room);
	exit(0);
}

static bool anyone_overdue(const struct party *p)
{
	int64_t since;

	for (int i = 0; i < WAITERS; i++) {
		since = p->tally->waiter[i].indexed;
		if (since && clock_ms() - since > OVERDUE_MS)
			return true;
	}
	return false;
}

/* Kills it in the midst of its start, of its work, and of others' waits. */
static void be_keeper(struct party *p)
{
	pid_t fanout;

	for (bool kind = false;; kind = !kind) {
		fanout = child();
		if (fanout == 0) {
			(void)!freopen("/dev/null", "w", stderr);
			(void)execl(p->fanout, p->fanout, (char *)NULL);
			_exit(111);
		}
		pause_us(any(3) ? any(20000) : any(100000));
		while (kind && anyone_overdue(p))
			pause_us(1000);
		(void)kill(fanout, SIGKILL);
		(void)waitpid(fanout, NULL, 0);
		p->tally->restarts++;
	}
}

static int party(struct party *p)
{
	pid_t keeper = child(), waiter[WAITERS];
	int status, good = 1;

	if (keeper == 0)
		be_keeper(p);
	for (int i = 0; i < WAITERS; i++) {
		waiter[i] = child();
		if (waiter[i] == 0)
			be_waiter(p, i);
	}
	for (int i = 0; i < WAITERS; i++) {
		(void)waitpid(waiter[i], &status, 0);
		good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	(void)kill(keeper, SIGKILL);
	(void)waitpid(keeper, NULL, 0);
	return good;
}

int main(int argc, char **argv)
{
	struct party p = {0};
	struct state_error error;
	struct tally *t;
	int good;

	if (argc != 3 ||
	    parse_u64(argv[2], strlen(argv[2]), UINT32_MAX, &p.rounds) < 0)
		return 100;
	p.fanout = argv[1];
	p.rounds = (p.rounds + WAITERS - 1) / WAITERS;
	io_signals();
	if (state_open(&p.state, &error) < 0 ||
	    rooms_open(&p.rooms, &p.state) < 0)
		fail("state", -EIO);
	t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t == MAP_FAILED)
		fail("mmap", -errno);
	p.tally = t;
	good = party(&p);
	printf("rounds=%ju missed=%ju restarts=%ju rung=%ju worst_ms=%ju\n",
	    (uintmax_t)t->rounds, (uintmax_t)t->missed, (uintmax_t)t->restarts,
	    (uintmax_t)t->rung, (uintmax_t)t->worst_ms);
	return good && t->missed == 0 && t->rounds == p.rounds * WAITERS ? 0
									 : 1;
}
