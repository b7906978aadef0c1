#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine.h"
#include "lib/clock.h"
#include "lib/helper.h"
#include "lib/io.h"
#include "lib/live.h"
#include "lib/present.h"
#include "place.h"

struct fixture {
	struct place place;
	struct present present;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	io_signals();
	place_init(&f->place);
	*state = f;
	return present_open(&f->present, &f->place.state);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	present_close(&f->present);
	place_release(&f->place);
	free(f);
	return 0;
}

static int claim(struct claim *c, struct fixture *f, const char *name)
{
	return present_claim(c, &f->present, name, strlen(name), "1.2.3.4:5");
}

static int held(struct fixture *f, const char *name)
{
	return present_held(&f->present, name, strlen(name));
}

/* The roster as "a b " in the order of the folder. */
static int add_name(void *arg, const struct present_line *line)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)snprintf(text + len, 256 - len, "%s ", line->name);
	return 0;
}

static const char *roster(struct fixture *f)
{
	static char text[256];

	text[0] = '\0';
	assert_int_equal(present_each(&f->present, add_name, text), 0);
	return text;
}

static void a_name_is_held_by_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct claim first, second;
	int64_t from = clock_ms();

	assert_int_equal(held(f, "Alice"), 0);
	assert_int_equal(claim(&first, f, "Alice"), 0);
	assert_int_equal(held(f, "alice"), 1);
	assert_int_equal(claim(&second, f, "ALICE"), -EADDRINUSE);
	assert_true(clock_ms() - from >= LIMIT_PRESENT_CLAIM_MS);
	assert_int_equal(second.fd, -1);
	present_release(&second);
	assert_int_equal(held(f, "alice"), 1);
	present_release(&first);
	assert_int_equal(held(f, "alice"), 0);
	assert_int_equal(claim(&second, f, "alice"), 0);
	present_release(&second);
}

static void the_roster_has_names_as_given_and_only_those_held(void **state)
{
	struct fixture *f = *state;
	struct present_line line;
	struct claim a, b;
	int fd;

	assert_string_equal(roster(f), "");
	assert_int_equal(claim(&a, f, "Alice"), 0);
	assert_string_equal(roster(f), "Alice ");
	assert_int_equal(claim(&b, f, "bob"), 0);
	assert_int_equal(strlen(roster(f)), strlen("Alice bob "));
	present_release(&a);
	assert_string_equal(roster(f), "bob ");
	/* Of who left the file stays; a longer name's line is gone after. */
	assert_int_equal(present_read(&f->present, "alice", &line), 0);
	assert_string_equal(line.name, "Alice");
	assert_int_equal(line.pid, getpid());
	assert_string_equal(line.peer, "1.2.3.4:5");
	assert_int_equal(
	    present_claim(&a, &f->present, "alice", 5, "x y\n"), 0);
	assert_int_equal(present_read(&f->present, "alice", &line), 0);
	assert_string_equal(line.name, "alice");
	assert_string_equal(line.peer, "x_y_");
	/* Held, but not made known yet. */
	fd = openat(f->present.folder, "alice", O_RDWR);
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
	assert_string_equal(roster(f), "bob ");
	assert_int_equal(held(f, "alice"), 1);
	present_release(&a);
	present_release(&b);
}

static void a_process_that_is_killed_holds_nothing(void **state)
{
	struct fixture *f = *state;
	struct claim c;
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		(void)close(ready[0]);
		if (claim(&c, f, "Kim") == 0 && write(ready[1], "", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(held(f, "Kim"), 1);
	assert_int_equal(claim(&c, f, "Kim"), -EADDRINUSE);
	(void)kill(child, SIGKILL);
	/* Its lock may outlive it for a moment: claiming waits for that. */
	assert_int_equal(claim(&c, f, "Kim"), 0);
	present_release(&c);
	(void)waitpid(child, NULL, 0);
	(void)close(ready[0]);
}

static void sweeping_removes_what_nobody_holds(void **state)
{
	struct fixture *f = *state;
	struct present_line line;
	struct claim c;

	assert_int_equal(present_sweep(&f->present, "kim"), 0);
	assert_int_equal(claim(&c, f, "Kim"), 0);
	assert_int_equal(present_sweep(&f->present, "kim"), 1);
	assert_int_equal(present_read(&f->present, "kim", &line), 0);
	present_release(&c);
	assert_int_equal(present_sweep(&f->present, "kim"), 0);
	assert_int_equal(present_read(&f->present, "kim", &line), -ENOENT);
}

static void a_claim_waits_for_a_sweeper(void **state)
{
	struct fixture *f = *state;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	struct claim c;
	int fd, go[2];
	pid_t child;
	char byte;

	assert_int_equal(claim(&c, f, "Kim"), 0);
	present_release(&c);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		/* A sweeper that lost its processor for longer than a claim
		 * waits for a holder. */
		fd = openat(f->present.folder, "kim", O_RDONLY);
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0 ||
		    write(go[1], "", 1) != 1)
			_exit(1);
		(void)io_wait(
		    NULL, 0, clock_in(5 * LIMIT_PRESENT_CLAIM_MS), IO_BUSY);
		(void)unlinkat(f->present.folder, "kim", 0);
		_exit(0);
	}
	assert_int_equal(read(go[0], &byte, 1), 1);
	assert_int_equal(held(f, "kim"), 0);
	assert_int_equal(claim(&c, f, "Kim"), 0);
	assert_int_equal(held(f, "kim"), 1);
	assert_string_equal(roster(f), "Kim ");
	present_release(&c);
	(void)waitpid(child, NULL, 0);
	(void)close(go[0]);
	(void)close(go[1]);
}

static void what_is_no_line_is_nobody(void **state)
{
	static const char *const bad[] = {"", "x", "Kim", "Kim 1 p", "Kim 1\n",
	    " 1 p\n", "Kim x p\n", "Kim 99999999999 p\n", "Kim  1 p\n"};
	struct fixture *f = *state;
	struct present_line line;
	char text[600];
	int fd = openat(f->present.folder, "kim", O_RDWR | O_CREAT, 0600);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(io_pwrite(fd, bad[i], strlen(bad[i]), 0), 0);
		assert_int_equal(
		    present_read(&f->present, "kim", &line), -ENODATA);
	}
	memset(text, 'x', sizeof text);
	assert_int_equal(io_pwrite(fd, text, sizeof text, 0), 0);
	assert_int_equal(present_read(&f->present, "kim", &line), -ENODATA);
	memcpy(text + 1, " 1 ", 3);
	text[599] = '\n';
	assert_int_equal(io_pwrite(fd, text, sizeof text, 0), 0);
	assert_int_equal(present_read(&f->present, "kim", &line), -ENODATA);
	(void)close(fd);
}

static int presence_and_live_in_the_sandbox(struct fixture *f)
{
	static const struct sandbox_rule rules[] = {
	    {SANDBOX_RUNTIME, "present",
		SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE},
	    {SANDBOX_NONE, NULL, 0}};
	struct settings settings = {.sandbox = SANDBOX_TRY};
	char names[256] = "";
	struct claim c;
	struct live l;

	if (confine_to(&f->place.state, &settings, rules) < 0)
		return 1;
	live_init(&l, &f->place.state, "lobby", LIVE_ROOM | LIVE_PRESENCE);
	if (live_poll(&l).fd < 0)
		return 2;
	if (claim(&c, f, "Kim") < 0 || held(f, "Kim") != 1)
		return 3;
	if (present_each(&f->present, add_name, names) < 0 ||
	    strcmp(names, "Kim ") != 0)
		return 4;
	present_release(&c);
	/* Over the line that is there: it is truncated. */
	if (claim(&c, f, "kim") < 0)
		return 5;
	present_release(&c);
	return 0;
}

static void all_of_it_works_in_the_sandbox(void **state)
{
	struct fixture *f = *state;
	const char *mode = getenv("PARLANCE_SANDBOX");
	int listener, status;
	pid_t child;

	if (mode && strcmp(mode, "off") == 0)
		skip();
	listener =
	    helper_listen(&f->place.state, "fanout.sock", SOCK_SEQPACKET, 0600);
	assert_true(listener >= 0);
	child = fork();
	if (child == 0)
		_exit(presence_and_live_in_the_sandbox(f));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(listener);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_name_is_held_by_one_at_a_time),
	    TEST(the_roster_has_names_as_given_and_only_those_held),
	    TEST(a_process_that_is_killed_holds_nothing),
	    TEST(sweeping_removes_what_nobody_holds),
	    TEST(a_claim_waits_for_a_sweeper),
	    TEST(what_is_no_line_is_nobody),
	    TEST(all_of_it_works_in_the_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
