/*
 * bench/toychat [-n ROUNDS] HANDLER send|all|read|idle...: the text door,
 * through handlers that are served by nobody, as accounts `bob` and `ann`.
 *
 * send: durable messages to one user a second, over 1 connection and over 16
 * at once, each by a client that waits for every answer; beside as many
 * processes that do nothing but the same INSERT (bare_db.h). To be had: at
 * least 0.7 of those.
 *
 * all: CPU time of a handler for `send *` among two users and among 100,000: to
 * be had: the same.
 *
 * read: CPU time of a handler for `checkinbox` with 100,000 messages of 1,000
 * senders unread (to be had: under 10 ms) and for one `recv` (under 1 ms).
 *
 * idle: PSS of each of 100 connections that have sent and looked, and are
 * silent since. To be had: at most 300 kB.
 *
 * STATE_DIRECTORY is to be on a real disk.
 */
#include <poll.h>

#include "bare_db.h"
#include "child.h"
#include "lib/store_inbox.h"
#include "race.h"
#include "rounds.h"

#define ROUNDS_MOST 100
#define ROUND_MS 1000
#define CONNECTIONS_MOST 100
#define AT_ONCE 16
#define SENDS 20 /* a round */

#define SENDERS 1000
#define UNREAD 100000
#define OTHERS 10
#define USERS 100000

#define PASSWORD "password"
#define SEND_ONE "send bob " BARE_TEXT "\r\n"
#define SEND_ALL "send * " BARE_TEXT "\r\n"

struct bench {
	struct state state;
	const char *handler;
	struct race *race;
	const char *command; /* what its runners say; NULL: the bare INSERT */
	uint64_t rounds;
	int64_t bob;
};

/* --- a client --------------------------------------------------------- */

struct client_of {
	pid_t pid;
	int fd;
};

/* Sends a command, reads its whole answer: the bytes of it. */
static size_t say(const struct client_of *c, const char *command)
{
	static char answer[1 << 20];
	size_t len = strlen(command), have = 0;
	ssize_t n;

	if (write(c->fd, command, len) != (ssize_t)len)
		fail("write", errno);
	do {
		n = read(c->fd, answer + have, sizeof answer - have);
		if (n <= 0)
			fail("the handler hung up", errno);
		have += (size_t)n;
	} while (answer[have - 1] != '\n');
	if (memcmp(answer, "error", 5) == 0) {
		(void)fprintf(stderr, "bench: %.*s", (int)have, answer);
		exit(1);
	}
	return have;
}

static struct client_of enter(const struct bench *b, const char *name)
{
	struct client_of c;
	char login[64];

	(void)snprintf(login, sizeof login, "login %s %s\r\n", name, PASSWORD);
	c.pid = child_connected(b->handler, &c.fd);
	if (c.pid < 0)
		fail(b->handler, c.pid);
	(void)say(&c, login);
	return c;
}

static void leave(const struct client_of *c)
{
	int status;

	(void)close(c->fd);
	if (waitpid(c->pid, &status, 0) != c->pid || status)
		fail("the handler", ECHILD);
}

/* --- send ------------------------------------------------------------- */

static void sender(void *arg)
{
	const struct bench *b = arg;
	struct client_of c = {.fd = -1};
	struct bare bare;
	uint64_t n = 0;

	if (b->command)
		c = enter(b, "ann");
	else
		bare_init(&bare, &b->state);
	race_start(b->race);
	for (; !b->race->stop; n++) {
		if (b->command)
			(void)say(&c, b->command);
		else
			bare_send(&bare, b->bob);
	}
	b->race->done += n;
	if (b->command)
		leave(&c);
}

/* Messages a second. */
static double run(struct bench *b, const char *command, int processes)
{
	b->command = command;
	return race_run(b->race, processes, ROUND_MS, sender, b);
}

static void bench_send(struct bench *b, int processes)
{
	double ratio[ROUNDS_MOST] = {0}, door, bare;

	for (uint64_t i = 0; i < b->rounds; i++) {
		door = run(b, SEND_ONE, processes);
		bare = run(b, NULL, processes);
		ratio[i] = door / bare;
		printf("toychat: %2d connections: %.0f messages/s, bare "
		       "%.0f/s\n",
		    processes, door, bare);
	}
	printf("toychat: %2d connections: %.2f of bare (at least 0.7)\n",
	    processes, median(ratio, b->rounds));
}

/* --- all -------------------------------------------------------------- */

/* Milliseconds of the handler's CPU. */
static double cost(const struct client_of *c, const char *command)
{
	int64_t before = child_cpu_ns(c->pid);

	(void)say(c, command);
	return (double)(child_cpu_ns(c->pid) - before) / 1e6;
}

static double cost_for_all(const struct bench *b)
{
	double ms[ROUNDS_MOST * SENDS] = {0};
	struct client_of ann = enter(b, "ann");
	size_t n = 0;

	(void)say(&ann, SEND_ALL);
	for (; n < b->rounds * SENDS; n++)
		ms[n] = cost(&ann, SEND_ALL);
	leave(&ann);
	return median(ms, n) * 1000;
}

static void bench_all(const struct bench *b)
{
	double few = cost_for_all(b), many;

	bare_fill(&b->state, b->bob, USERS, 1, 0);
	many = cost_for_all(b);
	printf("toychat: send *: %.0f us of CPU among 2, %.0f among %d (the "
	       "same to be had)\n",
	    few, many, USERS);
}

/* --- read ------------------------------------------------------------- */

static void bench_read(const struct bench *b)
{
	double look[ROUNDS_MOST] = {0}, take[ROUNDS_MOST] = {0};
	struct client_of bob;
	char command[32];

	bare_fill(&b->state, b->bob, SENDERS, UNREAD, OTHERS);
	bob = enter(b, "bob");
	(void)say(&bob, "checkinbox\r\n");
	for (uint64_t i = 0; i < b->rounds; i++) {
		look[i] = cost(&bob, "checkinbox\r\n");
		(void)snprintf(
		    command, sizeof command, "recv user%d\r\n", 1 + (int)i * 7);
		take[i] = cost(&bob, command);
	}
	leave(&bob);
	printf("toychat: of %d messages of %d senders: checkinbox %.1f ms of "
	       "CPU (under 10), recv %.2f ms (under 1)\n",
	    UNREAD, SENDERS, median(look, b->rounds), median(take, b->rounds));
}

/* --- idle ------------------------------------------------------------- */

static void bench_idle(const struct bench *b)
{
	struct client_of c[CONNECTIONS_MOST];
	double sum = 0;

	for (int i = 0; i < CONNECTIONS_MOST; i++) {
		c[i] = enter(b, "ann");
		(void)say(&c[i], SEND_ONE);
		(void)say(&c[i], SEND_ALL);
		(void)say(&c[i], "checkinbox\r\n");
	}
	/* Until they have given back what they need not. */
	(void)poll(NULL, 0, 2 * LIMIT_TRIM_MS);
	for (int i = 0; i < CONNECTIONS_MOST; i++)
		sum += (double)child_pss_kb(c[i].pid);
	for (int i = 0; i < CONNECTIONS_MOST; i++)
		leave(&c[i]);
	printf("toychat: %d idle: %.0f kB of PSS each (at most 300)\n",
	    CONNECTIONS_MOST, sum / CONNECTIONS_MOST);
}

/* ---------------------------------------------------------------------- */

static void register_both(struct bench *b)
{
	struct client_of c;
	struct store_user user;
	struct store store;

	c.pid = child_connected(b->handler, &c.fd);
	if (c.pid < 0)
		fail(b->handler, c.pid);
	(void)say(&c, "register ann " PASSWORD "\r\n");
	(void)say(&c, "logout\r\n");
	(void)say(&c, "register bob " PASSWORD "\r\n");
	leave(&c);
	store_init(&store, &b->state);
	must("bob", store_user_find(&store, "bob", 3, &user));
	b->bob = user.id;
	store_release(&store);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = 7};
	struct state_error error;
	int n = rounds_options(argc, argv, ROUNDS_MOST, 5, &b.rounds);

	if (n < 2) {
		(void)fputs("usage: toychat [-n ROUNDS] HANDLER "
			    "send|all|read|idle...\n",
		    stderr);
		return 100;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	b.handler = argv[optind];
	b.race = shared(sizeof *b.race);
	if (state_open(&b.state, &error) < 0)
		fail(error.text, 0);
	register_both(&b);
	for (int i = optind + 1; i < argc; i++) {
		if (strcmp(argv[i], "send") == 0) {
			bench_send(&b, 1);
			bench_send(&b, AT_ONCE);
		} else if (strcmp(argv[i], "all") == 0) {
			bench_all(&b);
		} else if (strcmp(argv[i], "read") == 0) {
			bench_read(&b);
		} else {
			bench_idle(&b);
		}
	}
	return 0;
}
