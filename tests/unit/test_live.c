/* live.h against a fanout that the test plays itself. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/helper.h"
#include "lib/io.h"
#include "lib/live.h"

static struct state place;
static char folder[] = "/tmp/test_live.XXXXXX";

static int setup(void **state)
{
	char path[64];
	struct state_error error;

	(void)state;
	io_signals();
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof path, "%s/state", folder);
	(void)setenv("STATE_DIRECTORY", path, 1);
	(void)snprintf(path, sizeof path, "%s/run", folder);
	(void)setenv("RUNTIME_DIRECTORY", path, 1);
	return state_open(&place, &error);
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	state_close(&place);
	(void)snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

/* --- a fanout, word by word ------------------------------------------------
 */

static int listening(void)
{
	int fd = helper_listen(&place, "fanout.sock", SOCK_SEQPACKET, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void wait_in(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(io_wait(&p, 1, clock_in(10000), IO_BUSY), 1);
}

static void hears(int fd, const char *wanted)
{
	char data[600];
	ssize_t n;

	wait_in(fd);
	n = read(fd, data, sizeof data);
	assert_int_equal(n, strlen(wanted));
	assert_memory_equal(data, wanted, n);
}

static void says(int fd, const char *data)
{
	assert_int_equal(write(fd, data, strlen(data)), strlen(data));
}

static int accepted(int listener)
{
	int fd;

	wait_in(listener);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* live_init waits for its answer, so a child gives it. */
static int answered(int listener, struct live *l, enum live_what what)
{
	int pair[2], fd, status;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pair[0]);
		fd = accepted(listener);
		if (what & LIVE_PRESENCE)
			hears(fd, "who");
		hears(fd, "sub lobby");
		says(fd, "ok lobby 7");
		(void)!write(pair[1], "", 1);
		/* The parent's turn: it is told through us. */
		for (;;) {
			char word[600];
			ssize_t n = read(pair[1], word, sizeof word);

			if (n <= 0)
				_exit(0);
			(void)!write(fd, word, (size_t)n);
			(void)!write(pair[1], "", 1);
		}
	}
	(void)close(pair[1]);
	live_init(l, &place, "lobby", what);
	assert_int_equal(read(pair[0], &status, 1), 1);
	return pair[0];
}

static void tell(int child, const char *word)
{
	char done;

	says(child, word);
	assert_int_equal(read(child, &done, 1), 1);
}

static void hang_up(int child)
{
	(void)close(child);
	(void)wait(NULL);
}

/* Waits as a handler would. */
static int next(struct live *l)
{
	int64_t end = clock_in(10000), until = live_deadline(l);
	struct pollfd p = live_poll(l);

	(void)io_wait(&p, 1, until < end ? until : end, IO_BUSY);
	return live_turn(l);
}

static int next_news(struct live *l)
{
	int news;

	do
		news = next(l);
	while (!news);
	return news;
}

/* --- tests -----------------------------------------------------------------
 */

static void a_doorbell_says_look(void **state)
{
	int listener = listening(), child;
	struct live l;

	(void)state;
	child = answered(listener, &l, LIVE_ROOM);
	assert_true(live_connected(&l));
	assert_true(live_deadline(&l) == CLOCK_NEVER);
	assert_int_equal(live_turn(&l), 0);
	tell(child, "bell lobby");
	assert_int_equal(next(&l), LIVE_LOOK);
	assert_int_equal(live_turn(&l), 0);
	live_release(&l);
	hang_up(child);
	(void)close(listener);
}

static void who_comes_and_goes_is_told_one_by_one(void **state)
{
	int listener = listening(), child;
	struct live l;

	(void)state;
	child = answered(listener, &l, LIVE_ROOM | LIVE_PRESENCE);
	tell(child, "+Alice 3");
	tell(child, "bell lobby");
	tell(child, "-Bob 4");
	tell(child, "roster");
	tell(child, "a word of a later version");
	assert_int_equal(next(&l), LIVE_CHANGE);
	assert_true(l.change.joined);
	assert_string_equal(l.change.name, "Alice");
	assert_int_equal(l.change.count, 3);
	assert_int_equal(next(&l), LIVE_LOOK | LIVE_CHANGE);
	assert_false(l.change.joined);
	assert_string_equal(l.change.name, "Bob");
	assert_int_equal(l.change.count, 4);
	assert_int_equal(next(&l), LIVE_ROSTER);
	assert_true(live_connected(&l));
	live_release(&l);
	hang_up(child);
	(void)close(listener);
}

static void the_last_piece_of_news_is_known_to_be_the_last(void **state)
{
	int listener = listening(), child;
	struct live l;

	(void)state;
	child = answered(listener, &l, LIVE_ROOM | LIVE_PRESENCE);
	assert_int_equal(live_next(&l), 0);
	tell(child, "bell lobby");
	assert_int_equal(live_next(&l), LIVE_LOOK | LIVE_LAST);
	tell(child, "+Alice 3");
	tell(child, "a word of a later version");
	tell(child, "bell lobby");
	tell(child, "bell lobby");
	tell(child, "-Alice 4");
	assert_false(live_held(&l));
	assert_int_equal(live_next(&l), LIVE_CHANGE);
	assert_string_equal(l.change.name, "Alice");
	assert_true(live_held(&l));
	assert_int_equal(live_next(&l), LIVE_LOOK);
	/* Of four pieces none is the last: more may be there. */
	assert_int_equal(live_next(&l), LIVE_LOOK);
	assert_false(live_held(&l));
	assert_int_equal(live_next(&l), LIVE_CHANGE | LIVE_LAST);
	assert_false(l.change.joined);
	assert_int_equal(live_next(&l), 0);
	tell(child, "bell lobby");
	hang_up(child);
	assert_int_equal(live_next(&l) & LIVE_LOOK, LIVE_LOOK);
	assert_int_equal(live_next(&l), 0);
	assert_false(live_connected(&l));
	live_release(&l);
	(void)close(listener);
}

static void without_fanout_one_looks_once_a_second(void **state)
{
	struct live l;
	int64_t from, last = 0;

	(void)state;
	(void)unlinkat(place.runtime, "fanout.sock", 0);
	live_init(&l, &place, "lobby", LIVE_ROOM);
	assert_false(live_connected(&l));
	assert_int_equal(live_poll(&l).fd, -1);
	for (int i = 0; i < 8; i++) {
		from = clock_ms();
		assert_int_equal(next(&l), LIVE_LOOK);
		last = clock_ms() - from;
		assert_true(last < 3 * LIMIT_POLL_MS);
	}
	assert_true(last >= LIMIT_POLL_MS / 2);
	live_release(&l);
}

static void a_lost_connection_is_made_again_and_then_one_looks(void **state)
{
	int listener = listening(), child, fd, news;
	struct live l;

	(void)state;
	child = answered(listener, &l, LIVE_ROOM | LIVE_PRESENCE);
	hang_up(child);
	(void)next(&l);
	assert_false(live_connected(&l));
	assert_int_equal(live_poll(&l).fd, -1);
	while (live_poll(&l).fd < 0)
		(void)next(&l);
	fd = accepted(listener);
	hears(fd, "who");
	hears(fd, "sub lobby");
	says(fd, "ok lobby 0");
	news = next_news(&l);
	assert_true(live_connected(&l));
	assert_int_equal(news, LIVE_LOOK | LIVE_ROSTER);
	live_release(&l);
	(void)close(fd);
	(void)close(listener);
}

static void a_fanout_that_does_not_answer_is_not_relied_on(void **state)
{
	int listener = listening(), fd;
	struct live l;
	int64_t from = clock_ms();

	(void)state;
	live_init(&l, &place, "lobby", LIVE_ROOM);
	assert_true(clock_ms() - from < 5 * LIMIT_POLL_MS);
	assert_false(live_connected(&l));
	assert_int_equal(next_news(&l), LIVE_LOOK);
	assert_int_equal(next_news(&l), LIVE_LOOK);
	fd = accepted(listener);
	hears(fd, "sub lobby");
	says(fd, "ok lobby 1");
	assert_int_equal(next_news(&l), LIVE_LOOK);
	assert_true(live_connected(&l));
	assert_true(live_deadline(&l) == CLOCK_NEVER);
	live_release(&l);
	(void)close(fd);
	(void)close(listener);
}

static void a_refusal_is_no_reason_to_spin(void **state)
{
	int listener = listening(), fd, turns = 0;
	struct live l;
	int64_t end;

	(void)state;
	live_init(&l, &place, "lobby", LIVE_ROOM);
	fd = accepted(listener);
	says(fd, "error too many rooms");
	(void)next(&l);
	assert_int_equal(live_poll(&l).fd, -1);
	(void)close(listener);
	(void)close(fd);
	for (end = clock_in(500); clock_left(end) > 0; turns++)
		(void)next(&l);
	assert_true(turns < 20);
	live_release(&l);
}

static void a_long_runtime_directory_is_no_hindrance(void **state)
{
	char path[512], name[101];
	struct state_error error;
	struct state deep;
	int listener, fd;

	(void)state;
	memset(name, 'd', 100);
	name[100] = '\0';
	(void)snprintf(path, sizeof path, "%s/%s/%s", folder, name, name);
	(void)setenv("RUNTIME_DIRECTORY", path, 1);
	assert_int_equal(state_open(&deep, &error), 0);
	listener = helper_listen(&deep, "fanout.sock", SOCK_SEQPACKET, 0600);
	assert_true(listener >= 0);
	fd = helper_connect(&deep, "fanout.sock", SOCK_SEQPACKET);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(listener);
	state_close(&deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_doorbell_says_look),
	    cmocka_unit_test(who_comes_and_goes_is_told_one_by_one),
	    cmocka_unit_test(the_last_piece_of_news_is_known_to_be_the_last),
	    cmocka_unit_test(without_fanout_one_looks_once_a_second),
	    cmocka_unit_test(
		a_lost_connection_is_made_again_and_then_one_looks),
	    cmocka_unit_test(a_fanout_that_does_not_answer_is_not_relied_on),
	    cmocka_unit_test(a_refusal_is_no_reason_to_spin),
	    cmocka_unit_test(a_long_runtime_directory_is_no_hindrance),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
