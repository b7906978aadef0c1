/*
 * bench/guesses PORT PID [RATE [SECONDS]]: passwords are guessed at the text
 * door on 127.0.0.1:PORT, served by PID: RATE (200) connections a second, each
 * with one wrong password for the account `bench`, whose own is `password`, for
 * SECONDS (10). Reports, without them and with them:
 *
 *	log-ins a second, one after the other, with the right password
 *	how long those wait who are logged in and `checkinbox`
 *	and those who log in with the right password
 *
 * and what became of the guesses, and the memory of all handlers. Nothing is to
 * be had but that others hardly notice.
 */
#include <poll.h>
#include <stdbool.h>

#include "basics.h"
#include "child.h"
#include "lib/helper.h"
#include "rounds.h"

#define FDS_MOST 8192
#define TIMES_MOST 100000
#define LOGIN "login bench password\r\n"

struct times {
	double ms[TIMES_MOST];
	size_t n;
};

/* Somebody who asks the same again and again, every 10 ms. */
struct asker {
	const char *command;
	struct pollfd *fd; /* its place in the table */
	bool anew; /* on a new connection each time */
	bool waits;
	double since;
	struct times times;
};

struct bench {
	uint16_t port;
	struct pollfd fds[FDS_MOST]; /* [0], [1]: the askers' */
	size_t count;
	size_t wrong, busy, other, refused;
	struct asker here, comer;
};

static void note(struct times *t, double ms)
{
	if (t->n < TIMES_MOST)
		t->ms[t->n++] = ms;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len)
		fail("write", errno);
}

static void must_say(int fd, const char *text)
{
	char answer[256];

	say(fd, text);
	if (read(fd, answer, sizeof answer) < 7 ||
	    memcmp(answer, "error", 5) == 0)
		fail(text, EPROTO);
}

/* --- the guesses ------------------------------------------------------ */

static void guess(struct bench *b)
{
	char text[64];
	int fd = loopback_dial(b->port);

	if (b->count == FDS_MOST)
		fail("too many wait", EMFILE);
	(void)snprintf(text, sizeof text, "login bench %zu\r\n", b->count);
	say(fd, text);
	b->fds[b->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Reads what a guess was answered. */
static void take(struct bench *b, size_t i)
{
	char answer[256];
	ssize_t n = read(b->fds[i].fd, answer, sizeof answer - 1);

	answer[n < 0 ? 0 : n] = '\0';
	if (n <= 0)
		b->refused++;
	else if (strstr(answer, "invalid"))
		b->wrong++;
	else if (strstr(answer, "busy"))
		b->busy++;
	else
		b->other++;
	(void)close(b->fds[i].fd);
	b->fds[i] = b->fds[--b->count];
}

/* --- those who have a password ---------------------------------------- */

static void ask(struct bench *b, struct asker *a)
{
	if (a->waits || (a->since && now_us() - a->since < 10000))
		return;
	a->since = now_us();
	if (a->anew)
		a->fd->fd = loopback_dial(b->port);
	say(a->fd->fd, a->command);
	a->waits = true;
}

static void answered(struct asker *a)
{
	char answer[256];

	if (!a->fd->revents)
		return;
	if (read(a->fd->fd, answer, sizeof answer) <= 0 ||
	    memcmp(answer, "error", 5) == 0)
		fail("somebody with the right password was refused", EPROTO);
	note(&a->times, (now_us() - a->since) / 1000);
	a->waits = false;
	if (a->anew) {
		(void)close(a->fd->fd);
		a->fd->fd = -1;
	}
}

static void tell(struct bench *b, const char *when)
{
	struct asker *askers[] = {&b->here, &b->comer};

	for (size_t i = 0; i < 2; i++) {
		struct times *t = &askers[i]->times;

		if (!t->n)
			fail("nobody was answered", ETIMEDOUT);
		printf("guesses: %s: %s: %zu answers, half within %.1f ms, 99 "
		       "%% within %.1f, all within %.1f\n",
		    when, i ? "log in" : "checkinbox", t->n,
		    median(t->ms, t->n), quantile(t->ms, t->n, 0.99),
		    quantile(t->ms, t->n, 1));
		t->n = 0;
	}
}

static void pass(struct bench *b, double seconds, double rate)
{
	double start = now_us(), now = start;
	size_t made = 0;

	while (now - start < seconds * 1e6) {
		for (; (double)made < (now - start) / 1e6 * rate; made++)
			guess(b);
		ask(b, &b->here);
		ask(b, &b->comer);
		(void)poll(b->fds, (nfds_t)b->count, 1);
		answered(&b->here);
		answered(&b->comer);
		for (size_t i = b->count; i-- > 2;)
			if (b->fds[i].revents)
				take(b, i);
		now = now_us();
	}
}

/* --- what it takes ---------------------------------------------------- */

static void tell_memory(pid_t server)
{
	static pid_t pids[FDS_MOST];
	long n = child_family(server, pids, FDS_MOST), kb = 0, one;

	for (long i = 1; i < n; i++) {
		one = child_pss_kb(pids[i]);
		kb += one > 0 ? one : 0;
	}
	printf("guesses: %ld handlers and helpers with %.1f MB of PSS in all\n",
	    n - 1, (double)kb / 1024);
}

static void login_rate(struct bench *b)
{
	double start = now_us();
	int n = 0;

	while (now_us() - start < 2e6) {
		int fd = loopback_dial(b->port);

		must_say(fd, LOGIN);
		(void)close(fd);
		n++;
	}
	printf("guesses: %.0f log-ins a second, each on a connection of its "
	       "own\n",
	    (double)n / ((now_us() - start) / 1e6));
}

int main(int argc, char **argv)
{
	static struct bench b;
	double rate = (double)number(argc, argv, 3, 10000, 200);
	double seconds = (double)number(argc, argv, 4, 600, 10);

	if (argc < 3)
		return 100;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)helper_raise_files();
	b.port = (uint16_t)number(argc, argv, 1, UINT16_MAX, 0);
	b.fds[0].fd = loopback_dial(b.port);
	b.fds[1].fd = -1;
	b.fds[0].events = b.fds[1].events = POLLIN;
	b.count = 2;
	b.here = (struct asker){.command = "checkinbox\r\n", .fd = &b.fds[0]};
	b.comer =
	    (struct asker){.command = LOGIN, .fd = &b.fds[1], .anew = true};
	must_say(b.fds[0].fd, LOGIN);
	login_rate(&b);
	pass(&b, 2, 0);
	tell(&b, "alone");
	pass(&b, seconds, rate);
	printf("guesses: %.0f a second: %zu wrong, %zu busy, %zu cut off, %zu "
	       "other, %zu not answered yet\n",
	    rate, b.wrong, b.busy, b.refused, b.other, b.count - 2);
	tell(&b, "meanwhile");
	tell_memory((pid_t)number(argc, argv, 2, INT32_MAX, 0));
	return 0;
}
