/* Handing a socket over: to a gallery that takes it, refuses, dies, is away. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "room_fixture.h"

#include "guard.h"
#include "lib/helper.h"
#include "lib/io.h"
#include "lib/park.h"

static const char *const fine[] = {"view lobby 1 -", "view a_b-C9 12 192.0.2.7",
    "view lobby 9007199254740992 2001:db8::1",
    "view 0123456789012345678901234567890123456789012345678901234567890123 "
    "9007199254740992 2001:db8:ffff:ffff:ffff:ffff:255.255.255.255"};

static const char *const malformed[] = {"", "\n", "view", "view ", "view lobby",
    "view lobby ", "view lobby 1", "view lobby 1 ", "view  lobby 1 -",
    "view lobby 0 -", "view lobby -1 -", "view lobby x -",
    "view lobby 9007199254740993 -", "view lobby 1 - ", "view lobby 1 -\n\n",
    "view lobby 1 here", "view ../x 1 -", "VIEW lobby 1 -", "sub lobby",
    "view lobby 1 192.0.2.7 x"};

static void a_hand_over_is_taken_apart_and_made_again(void **state)
{
	char made[LIMIT_DATAGRAM];
	struct guard g;
	struct park p;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		size_t len = strlen(fine[i]);

		assert_int_equal(
		    park_parse(guard_put(&g, fine[i], len), len, &p), 0);
		assert_int_equal(park_make(&p, made), len);
		assert_memory_equal(made, fine[i], len);
	}
	assert_int_equal(park_parse("view lobby 7 -\n", 15, &p), 0);
	assert_int_equal(p.next, 7);
	guard_release(&g);
}

static void malformed_ones_are_refused(void **state)
{
	struct guard g;
	struct park p;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		size_t len = strlen(malformed[i]);

		assert_int_equal(
		    park_parse(guard_put(&g, malformed[i], len), len, &p),
		    -EPROTO);
	}
	guard_release(&g);
}

/* --- with a gallery of its own --- */

static int setup(void **state)
{
	io_signals();
	return fixture_new((struct fixture **)state);
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* Receives a hand-over, says `answer` (NULL: nothing, but ends), and writes
 * the wanted text into the socket that came. */
static void child_takes(int listener, const char *wanted, const char *answer)
{
	char text[LIMIT_DATAGRAM], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {text, sizeof text};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	struct pollfd p = {listener, POLLIN, 0};
	int fd, viewer;
	ssize_t n;

	(void)poll(&p, 1, -1);
	fd = accept(listener, NULL, NULL);
	n = recvmsg(fd, &m, 0);
	if (n != (ssize_t)strlen(wanted) || memcmp(text, wanted, (size_t)n))
		_exit(1);
	memcpy(&viewer, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof viewer);
	if (answer)
		(void)!write(fd, answer, strlen(answer));
	if (answer && strcmp(answer, "ok") == 0)
		(void)!write(viewer, "hello", 5);
	_exit(0);
}

static pid_t start(struct fixture *f, const char *wanted, const char *answer)
{
	int listener =
	    helper_listen(&f->place.state, PARK_SOCKET, SOCK_SEQPACKET, 0600);
	pid_t pid;

	assert_true(listener >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_takes(listener, wanted, answer);
	(void)close(listener);
	return pid;
}

static void expect_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Hands one end over to a gallery that answers so, and closes it; returns
 * what park_hand_over did, with the other end. */
static int hand_over(struct fixture *f, const char *answer, int *ret_end)
{
	pid_t pid = start(f, "view lobby 7 192.0.2.7", answer);
	int ends[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	r = park_hand_over(
	    &f->place.state, ends[1], "lobby", 7, source_parse("192.0.2.7"));
	expect_well(pid);
	if (r < 0)
		assert_int_equal(write(ends[1], "alive", 5), 5);
	(void)close(ends[1]);
	*ret_end = ends[0];
	return r;
}

static void expect_text(int fd, const char *text)
{
	char data[16];
	ssize_t n = read(fd, data, sizeof data);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(data, text, strlen(text));
	(void)close(fd);
}

static void what_is_taken_lives_on_without_us(void **state)
{
	int end;

	assert_int_equal(hand_over(*state, "ok", &end), 0);
	expect_text(end, "hello");
}

static void at_a_limit_the_stream_ends(void **state)
{
	int end;

	assert_int_equal(hand_over(*state, "full", &end), 0);
	expect_text(end, "");
}

static void a_gallery_that_dies_or_errs_leaves_the_stream_to_us(void **state)
{
	int end;

	assert_int_equal(hand_over(*state, NULL, &end), -ECONNRESET);
	expect_text(end, "alive");
	assert_int_equal(hand_over(*state, "error what", &end), -EPROTO);
	expect_text(end, "alive");
}

static void without_a_gallery_nothing_is_taken(void **state)
{
	struct fixture *f = *state;
	int fd;

	assert_int_equal(
	    park_hand_over(&f->place.state, 1, "lobby", 1, source_parse("")),
	    -ENOENT);
	fd = helper_listen(&f->place.state, PARK_SOCKET, SOCK_SEQPACKET, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(
	    park_hand_over(&f->place.state, 1, "lobby", 1, source_parse("")),
	    -ECONNREFUSED);
}

/* Nobody accepts: it may yet, so the stream must not go on here. */
static void a_gallery_that_hangs_costs_the_stream(void **state)
{
	struct fixture *f = *state;
	int ends[2], fd;

	fd = helper_listen(&f->place.state, PARK_SOCKET, SOCK_SEQPACKET, 0600);
	assert_true(fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(park_hand_over(&f->place.state, ends[1], "lobby", 1,
			     source_parse("2001:db8::1")),
	    0);
	assert_int_equal(write(ends[1], "x", 1), -1);
	expect_text(ends[0], "");
	(void)close(ends[1]);
	(void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hand_over_is_taken_apart_and_made_again),
	    cmocka_unit_test(malformed_ones_are_refused),
	    TEST(what_is_taken_lives_on_without_us),
	    TEST(at_a_limit_the_stream_ends),
	    TEST(a_gallery_that_dies_or_errs_leaves_the_stream_to_us),
	    TEST(without_a_gallery_nothing_is_taken),
	    TEST(a_gallery_that_hangs_costs_the_stream),
	};

	return cmocka_run_group_tests_name("park", tests, NULL, NULL);
}
