/*
 * bench/senders [-n ROUNDS] PORT FOLDER [SENDERS [MESSAGES]]: SENDERS (50)
 * clients of the binary door on 127.0.0.1:PORT say MESSAGES (200) each, all at
 * once, the next one when the one before was answered, and acknowledge what
 * the others say. How many messages a second are durable (answered), and
 * delivered to everyone; beside as many bare processes that append to one file
 * in FOLDER and sync it (bare.h), round by round in turn. Prints the medians
 * of the rounds and of their ratios.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bare.h"
#include "crowd.h"
#include "lib/helper.h"
#include "rounds.h"

#define ROUNDS_MOST 99
#define SENDERS_MOST 1000
#define MESSAGES_MOST 100000
#define JOINED_MS 500

struct bench {
	struct crowd crowd;
	size_t senders;
	uint64_t messages; /* of each */
	int file; /* of the bare ones */
	_Atomic uint64_t *ready; /* of the bare ones; shared */
	double durable[ROUNDS_MOST], delivered[ROUNDS_MOST];
	double to_bare[ROUNDS_MOST], bare[ROUNDS_MOST];
};

static void bare_sender(struct bench *b)
{
	++*b->ready;
	while (*b->ready <= b->senders)
		(void)usleep(100);
	for (uint64_t i = 0; i < b->messages; i++)
		bare_append(b->file, false);
	_exit(0);
}

/* Messages a second. */
static double run_bare(struct bench *b)
{
	int status, bad = 0;
	double began;

	*b->ready = 0;
	for (size_t i = 0; i < b->senders; i++)
		if (fork() == 0)
			bare_sender(b);
	while (*b->ready < b->senders)
		(void)usleep(1000);
	began = now_us();
	++*b->ready;
	while (wait(&status) > 0)
		bad |= status;
	if (bad)
		fail("a bare sender", EIO);
	return (double)(b->senders * b->messages) * 1e6 / (now_us() - began);
}

static void run_bcs(struct bench *b, double *ret_durable, double *ret_delivered)
{
	uint64_t all = b->senders * b->messages;
	struct crowd *c = &b->crowd;
	double began = now_us();

	c->delivered = 0;
	for (size_t i = 0; i < b->senders; i++)
		crowd_say(c, i, b->messages);
	crowd_await(c, all * (b->senders - 1));
	*ret_durable = (double)all * 1e6 / (c->said - began);
	*ret_delivered = (double)all * 1e6 / (c->last - began);
}

static void run(struct bench *b, uint64_t rounds)
{
	double durable, delivered;

	for (uint64_t i = 0; i < rounds; i++) {
		b->bare[i] = run_bare(b);
		run_bcs(b, &b->durable[i], &b->delivered[i]);
		b->to_bare[i] = b->durable[i] / b->bare[i];
	}
	durable = median(b->durable, rounds);
	delivered = median(b->delivered, rounds);
	printf("senders: %zu at once: %.0f messages/s durable (bare %.0f/s, "
	       "ratio %.2f), %.0f/s delivered to all (%.0f deliveries/s)\n",
	    b->senders, durable, median(b->bare, rounds),
	    median(b->to_bare, rounds), delivered,
	    delivered * (double)(b->senders - 1));
}

static void set_up(struct bench *b, uint16_t port, const char *folder)
{
	int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	must(folder, at);
	b->file = openat(at, "bare",
	    O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	must("bare", b->file);
	(void)close(at);
	b->ready = mmap(NULL, sizeof *b->ready, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->ready == MAP_FAILED)
		fail("mmap", errno);
	crowd_init(&b->crowd, CROWD_BCS, port, b->senders);
	while (b->crowd.count < b->senders)
		crowd_join(&b->crowd);
	crowd_rest(&b->crowd, JOINED_MS);
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t rounds = 5;
	int n = rounds_options(argc, argv, ROUNDS_MOST, 4, &rounds);

	if (n < 2)
		return 100;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)helper_raise_files();
	b.senders = number(argc, argv, optind + 2, SENDERS_MOST, 50);
	b.messages = number(argc, argv, optind + 3, MESSAGES_MOST, 200);
	set_up(&b, (uint16_t)number(argc, argv, optind, UINT16_MAX, 0),
	    argv[optind + 1]);
	run(&b, rounds);
	crowd_end(&b.crowd);
	return 0;
}
