/*
 * bench/inbox [-n ROUNDS] send|read...
 *
 * send: durable direct messages a second, by 1 and by 16 processes, in two
 * ways, interleaved so that the disk's moods hit both:
 *
 *	inbox	inbox_send() of lib/store_inbox.h
 *	bare	nothing but BEGIN IMMEDIATE, the same INSERT, COMMIT, prepared
 *		once, into the same tables, with the same settings and SQLite's
 *		own busy_timeout and checkpoints
 *
 * To be had: inbox at least 0.7 of bare. `worst` is the longest that one
 * message took, which a person waits for.
 *
 * read: an inbox of 100,000 messages from 1,000 senders, in a database that
 * holds ten more such inboxes. CPU time of one inbox_each() (to be had: under
 * 10 ms), and time of one inbox_take(), with its sync (under 1 ms of CPU).
 *
 * STATE_DIRECTORY is to be on a real disk.
 */
#include <stdatomic.h>
#include <sys/resource.h>

#include "bare_db.h"
#include "lib/store_inbox.h"
#include "race.h"
#include "rounds.h"

#define ROUNDS_MOST 100
#define PROCESSES_MOST 16
#define ROUND_MS 1000

#define SENDERS 1000
#define UNREAD 100000
#define OTHERS 10

enum way { INBOX, BARE, WAYS };

struct bench {
	struct state state;
	struct race *race;
	_Atomic uint64_t *worst_us; /* of the race; shared */
	enum way way; /* of the race */
	uint64_t rounds;
	int64_t me;
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- send ------------------------------------------------------------------
 */

static void note_worst(_Atomic uint64_t *worst_us, uint64_t us)
{
	uint64_t worst = *worst_us;

	while (
	    us > worst && !atomic_compare_exchange_strong(worst_us, &worst, us))
		;
}

static void sender(void *arg)
{
	const struct bench *b = arg;
	uint64_t n = 0, start;
	struct store store;
	struct bare bare;
	int r = 0;

	store_init(&store, &b->state);
	if (b->way == BARE)
		bare_init(&bare, &b->state);
	else
		r = store_open(&store);
	race_start(b->race);
	for (; r == 0 && !b->race->stop; n++) {
		start = clock_us(CLOCK_MONOTONIC);
		if (b->way == BARE)
			bare_send(&bare, b->me);
		else
			r = inbox_send(&store, b->me, "bob", 3, BARE_TEXT,
			    sizeof BARE_TEXT - 1);
		note_worst(b->worst_us, clock_us(CLOCK_MONOTONIC) - start);
	}
	if (r < 0)
		fail("inbox_send", r);
	b->race->done += n;
}

/* Of all children that were waited for, in microseconds. */
static double children_cpu(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Messages a second, and what one costs in microseconds of CPU. */
static double run(struct bench *b, enum way way, int processes, double *ret_cpu)
{
	double cpu = children_cpu(), rate;

	b->way = way;
	*b->worst_us = 0;
	rate = race_run(b->race, processes, ROUND_MS, sender, b);
	*ret_cpu = (children_cpu() - cpu) / (double)b->race->done;
	return rate;
}

static void bench_send(struct bench *b, int processes)
{
	double ratio[ROUNDS_MOST] = {0}, rate[WAYS], cpu[WAYS];
	uint64_t worst[WAYS];

	for (uint64_t i = 0; i < b->rounds; i++) {
		for (enum way w = 0; w < WAYS; w++) {
			rate[w] = run(b, w, processes, cpu + w);
			worst[w] = *b->worst_us / 1000;
		}
		ratio[i] = rate[INBOX] / rate[BARE];
		printf("inbox: %2d senders: inbox %.0f/s, worst %ju ms, "
		       "%.0f us CPU; bare %.0f/s, worst %ju ms, %.0f us CPU\n",
		    processes, rate[INBOX], (uintmax_t)worst[INBOX], cpu[INBOX],
		    rate[BARE], (uintmax_t)worst[BARE], cpu[BARE]);
	}
	printf("inbox: %2d senders: inbox is %.2f of bare (at least 0.7)\n",
	    processes, median(ratio, b->rounds));
}

/* --- read ------------------------------------------------------------------
 */

static int count_one(void *arg, const char *from, uint64_t count)
{
	uint64_t *counts = arg;

	(void)from;
	counts[0]++;
	counts[1] += count;
	return 0;
}

static void bench_read(struct bench *b)
{
	double each[ROUNDS_MOST] = {0}, take[ROUNDS_MOST] = {0};
	double wall[ROUNDS_MOST] = {0};
	struct inbox_message message;
	uint64_t counts[2] = {0}, start, real;
	struct store store;
	char from[16];
	int r;

	bare_fill(&b->state, b->me, SENDERS, UNREAD, OTHERS);
	store_init(&store, &b->state);
	for (uint64_t i = 0; i < b->rounds; i++) {
		counts[0] = counts[1] = 0;
		start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
		r = inbox_each(&store, b->me, count_one, counts);
		each[i] = (double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - start);
		if (r < 0)
			fail("inbox_each", r);
		(void)snprintf(from, sizeof from, "user%d", 1 + (int)i * 7);
		real = clock_us(CLOCK_MONOTONIC);
		start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
		r = inbox_take(&store, b->me, from, strlen(from), &message);
		take[i] = (double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - start);
		wall[i] = (double)(clock_us(CLOCK_MONOTONIC) - real);
		if (r < 0)
			fail("inbox_take", r);
	}
	store_release(&store);
	printf("inbox: %ju messages of %ju senders counted in %.1f ms of CPU "
	       "(under 10)\n",
	    (uintmax_t)counts[1], (uintmax_t)counts[0],
	    median(each, b->rounds) / 1000);
	printf("inbox: one of them taken in %.2f ms of CPU (under 1), "
	       "%.2f ms in all\n",
	    median(take, b->rounds) / 1000, median(wall, b->rounds) / 1000);
}

/* ---------------------------------------------------------------------------
 */

static void add_people(struct bench *b)
{
	struct store_user user;
	struct store store;
	char name[16] = "bob";
	int r;

	store_init(&store, &b->state);
	for (int i = 0; i <= OTHERS; i++) {
		r = store_user_add(&store, name, strlen(name), "hash", 0);
		if (r < 0)
			fail("store_user_add", r);
		(void)snprintf(name, sizeof name, "other%d", i);
	}
	r = store_user_find(&store, "bob", 3, &user);
	if (r < 0)
		fail("bob", r);
	b->me = user.id;
	store_release(&store);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = 7};
	struct state_error error;
	int n = rounds_options(argc, argv, ROUNDS_MOST, 2, &b.rounds);

	if (n < 0) {
		(void)fputs("usage: inbox [-n ROUNDS] send|read...\n", stderr);
		return 100;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	b.race = shared(sizeof *b.race);
	b.worst_us = shared(sizeof *b.worst_us);
	if (state_open(&b.state, &error) < 0)
		fail(error.text, 0);
	add_people(&b);
	for (int i = optind; i < argc; i++) {
		if (strcmp(argv[i], "send") == 0) {
			bench_send(&b, 1);
			bench_send(&b, PROCESSES_MOST);
		} else {
			bench_read(&b);
		}
	}
	return 0;
}
