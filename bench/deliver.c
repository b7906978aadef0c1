/*
 * bench/deliver [-n ROUNDS] RECEIVERS FOLDER [NAME=KIND:PORT:PID...]: one
 *sender, RECEIVERS clients in one process that acknowledge at once (crowd.h).
 *KIND is bcs or irc; PID serves it, with its children. Beside, in FOLDER on the
 * disk to be measured, the floors of floors.h: `processes`, the design's, and
 * `loop`. All are there at once and take turns, round by round, in two ways:
 *
 *	paced	the next message when the last one was delivered to all
 *	burst	the next message when the one before was answered (irc: at once)
 *
 * Prints, of the rounds' medians, deliveries a second, processor time of the
 * server for each delivery, ratios to `processes`, and for `paced` how long it
 * took from send to the last deliver (p50, p99). To be had (issue 5): bcs at
 * 0.8 of `processes` or more. irc acknowledges and stores nothing.
 */
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "child.h"
#include "crowd.h"
#include "floors.h"
#include "lib/helper.h"
#include "rounds.h"

#define ROUNDS 15
#define ROUNDS_MOST 999
#define RECEIVERS_MOST 4000
#define SERVERS_MOST 6
#define ROUND_DELIVERIES 10000
#define ROUND_MESSAGES 10 /* at least */
#define JOINED_MS 500 /* all notices of arrivals have come */
#define ROUND_MS 50

enum way { PACED, BURST, WAYS };
static const char *const ways[WAYS] = {"paced", "burst"};

struct server {
	const char *name;
	size_t name_len;
	pid_t root, *family;
	int64_t *ran; /* ns, each of them */
	size_t family_len;
	struct crowd crowd;
	double rate[WAYS][ROUNDS_MOST]; /* deliveries a second */
	double cpu[WAYS][ROUNDS_MOST]; /* us a delivery */
	double *times; /* us, of each paced message */
};

struct bench {
	size_t receivers;
	uint64_t messages; /* a round and way */
	uint64_t rounds;
	struct server servers[SERVERS_MOST]; /* the first: `processes` */
	size_t count;
};

/* --- servers ---------------------------------------------------------------
 */

static struct server *server_add(struct bench *b, const char *name,
    enum crowd_kind kind, uint16_t port, pid_t root)
{
	struct server *s = &b->servers[b->count++];

	s->name = name;
	s->name_len = strcspn(name, "=");
	s->root = root;
	s->times = table(b->rounds * b->messages, sizeof *s->times);
	crowd_init(&s->crowd, kind, port, b->receivers + 1);
	return s;
}

static void add_floor(struct bench *b, const char *name,
    void (*serve)(struct floor *, int), const char *folder)
{
	char path[PATH_MAX];
	uint16_t port;
	pid_t pid;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	pid = floor_start(serve, path, b->receivers, &port);
	(void)server_add(b, name, CROWD_BARE, port, pid);
}

/* NAME=KIND:PORT:PID */
static void add_target(struct bench *b, const char *text)
{
	const char *kind = strchr(text, '='), *port, *pid;
	uint64_t port_value, pid_value;
	size_t len;

	port = kind ? strchr(kind, ':') : NULL;
	pid = port ? strchr(port + 1, ':') : NULL;
	if (!pid || b->count == SERVERS_MOST ||
	    parse_u64(port + 1, (size_t)(pid - port) - 1, UINT16_MAX,
		&port_value) < 0 ||
	    parse_u64(pid + 1, strlen(pid + 1), INT32_MAX, &pid_value) < 0)
		fail(text, EINVAL);
	len = (size_t)(port - kind) - 1;
	if (!parse_is(kind + 1, len, "bcs") && !parse_is(kind + 1, len, "irc"))
		fail(text, EINVAL);
	(void)server_add(b, text,
	    parse_is(kind + 1, len, "irc") ? CROWD_IRC : CROWD_BCS,
	    (uint16_t)port_value, (pid_t)pid_value);
}

static void fill(struct bench *b, struct server *s)
{
	long n;

	while (s->crowd.count < b->receivers + 1)
		crowd_join(&s->crowd);
	crowd_rest(&s->crowd, JOINED_MS);
	/* Its process, its helpers, one for each connection. */
	s->family = table(b->receivers + 16, sizeof *s->family);
	n = child_family(s->root, s->family, b->receivers + 16);
	if (n < 0)
		fail(s->name, (int)n);
	s->family_len = (size_t)n;
	s->ran = table(s->family_len, sizeof *s->ran);
}

/* us that all of its processes have run. A door's template ends when nobody
 * came for a minute. */
static double cpu_us(struct server *s)
{
	double sum = 0;

	for (size_t i = 0; i < s->family_len; i++) {
		int64_t ns = child_cpu_ns(s->family[i]);

		if (ns > 0)
			s->ran[i] = ns;
		sum += (double)s->ran[i] / 1000;
	}
	return sum;
}

/* --- rounds ----------------------------------------------------------------
 */

static void say_paced(struct bench *b, struct server *s, uint64_t round)
{
	struct crowd *c = &s->crowd;

	for (uint64_t i = 0; i < b->messages; i++) {
		double began = now_us();

		crowd_say(c, 0, 1);
		crowd_await(c, (i + 1) * b->receivers);
		s->times[round * b->messages + i] = c->last - began;
	}
}

static void run(struct bench *b, struct server *s, enum way way, uint64_t round)
{
	double deliveries = (double)(b->messages * b->receivers);
	double cpu = cpu_us(s), began = now_us();

	s->crowd.delivered = 0;
	if (way == PACED) {
		say_paced(b, s, round);
	} else {
		crowd_say(&s->crowd, 0, b->messages);
		crowd_await(&s->crowd, b->messages * b->receivers);
	}
	s->rate[way][round] = deliveries / (s->crowd.last - began) * 1e6;
	/* What follows the last acknowledgement is its work, too. */
	crowd_rest(&s->crowd, ROUND_MS);
	s->cpu[way][round] = (cpu_us(s) - cpu) / deliveries;
}

/* --- report ----------------------------------------------------------------
 */

static double ratio(struct bench *b, const struct server *s, enum way way)
{
	double ratios[ROUNDS_MOST] = {0};

	for (uint64_t i = 0; i < b->rounds; i++)
		ratios[i] = s->rate[way][i] / b->servers[0].rate[way][i];
	return median(ratios, b->rounds);
}

static void report_one(struct bench *b, struct server *s, enum way way)
{
	size_t n = b->rounds * b->messages;
	double against = ratio(b, s, way);

	printf("deliver: %4zu %s %-10.*s %7.0f/s %6.2f of processes, "
	       "%5.2f us of CPU",
	    b->receivers, ways[way], (int)s->name_len, s->name,
	    median(s->rate[way], b->rounds), against,
	    median(s->cpu[way], b->rounds));
	if (way == PACED)
		printf(", to the last p50 %.0f p99 %.0f us",
		    quantile(s->times, n, 0.5), quantile(s->times, n, 0.99));
	printf("\n");
}

/* Backwards: medians sort, and ratios need the first as it was. */
static void report(struct bench *b)
{
	for (enum way way = 0; way < WAYS; way++)
		for (size_t i = b->count; i-- > 0;)
			report_one(b, &b->servers[i], way);
}

static void end(struct bench *b)
{
	for (size_t i = 0; i < b->count; i++)
		crowd_end(&b->servers[i].crowd);
	/* The floors are ours. */
	for (size_t i = 0; i < 2; i++)
		(void)waitpid(b->servers[i].root, NULL, 0);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = ROUNDS};
	int n =
	    rounds_options(argc, argv, ROUNDS_MOST, SERVERS_MOST, &b.rounds);

	if (n < 2)
		return 100;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)helper_raise_files();
	b.receivers = number(argc, argv, optind, RECEIVERS_MOST, 0);
	b.messages = ROUND_DELIVERIES / b.receivers;
	if (b.messages < ROUND_MESSAGES)
		b.messages = ROUND_MESSAGES;
	add_floor(&b, "processes", floor_processes, argv[optind + 1]);
	add_floor(&b, "loop", floor_loop, argv[optind + 1]);
	for (int i = 2; i < n; i++)
		add_target(&b, argv[optind + i]);
	for (size_t i = 0; i < b.count; i++)
		fill(&b, &b.servers[i]);
	for (uint64_t r = 0; r < b.rounds; r++)
		for (size_t i = 0; i < b.count; i++)
			for (enum way way = 0; way < WAYS; way++)
				run(&b, &b.servers[i], way, r);
	report(&b);
	end(&b);
	return 0;
}
