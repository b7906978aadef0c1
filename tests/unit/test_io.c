#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/io.h"

#define BIG (1 << 20)

static char big[BIG];

/* A child that reads n bytes from fd in small steps and exits with 0 if they
 * are those of `big`. */
static pid_t reader(int fd, size_t n)
{
	static char got[4096];
	pid_t pid = fork();

	if (pid)
		return pid;
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, got, sizeof got);

		if (r <= 0 || memcmp(got, big + at, (size_t)r) != 0)
			_exit(1);
		at += (size_t)r;
	}
	_exit(0);
}

static void assert_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void writes_all_to_a_slow_socket(void **unused)
{
	struct iovec iov[3] = {{big, 10}, {big + 10, 0}, {big + 10, BIG - 10}};
	struct client c;
	int s[2];
	pid_t pid;

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(io_client(&c, s[0], s[0]), 0);
	assert_true(c.socket);
	pid = reader(s[1], BIG);
	assert_int_equal(io_writev(&c, iov, 3), 0);
	assert_child(pid);
	(void)close(s[0]);
	(void)close(s[1]);
}

static void writes_all_to_a_blocking_pipe(void **unused)
{
	struct iovec iov[2] = {{big, 10}, {big + 10, BIG - 10}};
	struct client c;
	int p[2];
	pid_t pid;

	(void)unused;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(io_client(&c, 0, p[1]), 0);
	assert_false(c.socket);
	pid = reader(p[0], BIG);
	assert_int_equal(io_writev(&c, iov, 2), 0);
	assert_child(pid);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void sends_a_part_of_a_file(void **unused)
{
	char path[] = "/tmp/parlance-io-XXXXXX";
	int file = mkstemp(path), s[2], p[2];
	struct client c;
	pid_t pid;

	(void)unused;
	(void)unlink(path);
	assert_int_equal(io_pwrite(file, "....", 4, 0), 0);
	assert_int_equal(io_pwrite(file, big, BIG, 4), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(io_client(&c, s[0], s[0]), 0);
	pid = reader(s[1], BIG);
	assert_int_equal(io_send_file(&c, file, 4, BIG), 0);
	assert_child(pid);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(io_client(&c, 0, p[1]), 0);
	pid = reader(p[0], BIG);
	assert_int_equal(io_send_file(&c, file, 4, BIG), 0);
	assert_child(pid);
	/* a file that ends too soon */
	assert_int_equal(io_client(&c, s[0], s[0]), 0);
	assert_int_equal(io_send_file(&c, file, 4 + BIG, 1), -EIO);
	(void)close(file);
	for (int i = 0; i < 2; i++) {
		(void)close(s[i]);
		(void)close(p[i]);
	}
}

static void tells_of_a_client_that_is_gone(void **unused)
{
	struct client c;
	int s[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(io_client(&c, s[0], s[0]), 0);
	(void)close(s[1]);
	assert_int_equal(io_write(&c, "x", 1), -EPIPE);
	assert_int_equal(io_read(&c, big, 1, clock_in(1000), IO_BUSY), 0);
	(void)close(s[0]);
}

static void gives_up_reading_at_the_deadline(void **unused)
{
	struct client c;
	int64_t start = clock_ms();
	int s[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(io_client(&c, s[0], s[0]), 0);
	assert_int_equal(
	    io_read(&c, big, 1, clock_in(50), IO_BUSY), -ETIMEDOUT);
	assert_in_range(clock_ms() - start, 49, 5000);
	(void)close(s[0]);
	(void)close(s[1]);
}

/* In a child, since SIGTERM is noted for good. */
static int term_child(void)
{
	struct client c;
	int s[2];

	io_signals();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 ||
	    io_client(&c, s[0], s[0]) < 0)
		return 1;
	if (io_terminated())
		return 1;
	(void)raise(SIGTERM); /* blocked: only there */
	if (!io_terminated() ||
	    io_read(&c, big, 1, clock_in(20), IO_BUSY) != -ETIMEDOUT)
		return 2;
	if (io_read(&c, big, 1, CLOCK_NEVER, IO_TERM) != -EINTR ||
	    !io_terminated())
		return 3;
	if (io_read(&c, big, 1, CLOCK_NEVER, IO_TERM) != -EINTR)
		return 4;
	return 0;
}

static void sigterm_ends_only_the_waits_it_may(void **unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(term_child());
	assert_child(pid);
}

static void a_lock_held_by_another_is_busy_in_time(void **unused)
{
	char path[] = "/tmp/parlance-io-XXXXXX";
	int one = mkstemp(path), two = open(path, O_RDWR);
	int64_t start = clock_ms();

	(void)unused;
	(void)unlink(path);
	assert_int_equal(io_flock(one, LOCK_EX, clock_in(1000)), 0);
	assert_int_equal(io_flock(two, LOCK_EX, clock_in(0)), -EBUSY);
	assert_int_equal(io_flock(two, LOCK_EX, clock_in(150)), -EBUSY);
	assert_in_range(clock_ms() - start, 140, 5000);
	assert_int_equal(io_flock(one, LOCK_UN, clock_in(1000)), 0);
	assert_int_equal(io_flock(two, LOCK_EX, clock_in(150)), 0);
	(void)close(one);
	(void)close(two);
}

static void a_file_too_long_is_not_half_read(void **unused)
{
	char path[] = "/tmp/parlance-io-XXXXXX", out[4];
	int fd = mkstemp(path);

	(void)unused;
	assert_int_equal(io_read_file(AT_FDCWD, path, out, 4), 0);
	assert_int_equal(io_pwrite(fd, "1234", 4, 0), 0);
	assert_int_equal(io_read_file(AT_FDCWD, path, out, 4), 4);
	assert_int_equal(io_pwrite(fd, "5", 1, 4), 0);
	assert_int_equal(io_read_file(AT_FDCWD, path, out, 4), -EFBIG);
	(void)unlink(path);
	assert_int_equal(io_read_file(AT_FDCWD, path, out, 4), -ENOENT);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_all_to_a_slow_socket),
	    cmocka_unit_test(writes_all_to_a_blocking_pipe),
	    cmocka_unit_test(sends_a_part_of_a_file),
	    cmocka_unit_test(tells_of_a_client_that_is_gone),
	    cmocka_unit_test(gives_up_reading_at_the_deadline),
	    cmocka_unit_test(sigterm_ends_only_the_waits_it_may),
	    cmocka_unit_test(a_lock_held_by_another_is_busy_in_time),
	    cmocka_unit_test(a_file_too_long_is_not_half_read),
	};

	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 31 >> 3);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
