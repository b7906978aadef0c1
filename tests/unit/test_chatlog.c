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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/chatlog.h"
#include "lib/clock.h"
#include "lib/limits.h"

#define PEER "127.0.0.1:50122"
#define TIME "time=2026-11-21T10:00:00Z"
#define WRITERS 4
#define LINES 50
/* Longer than a pipe holds. */
#define LONG ((size_t)40000)

static char big[LIMIT_MESSAGE];
static char got[WRITERS * LINES * (LONG + 200)];

static int setup(void **unused)
{
	(void)unused;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	return setenv("PARLANCE_NOW", "1795255200", 1);
}

/* A file without a name, and a log that goes there. */
static int file_log(struct chatlog *log)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(chatlog_take(log, fd, PEER), 0);
	assert_true(log->own);
	return fd;
}

static void assert_holds(int fd, const char *expected)
{
	ssize_t n = pread(fd, got, sizeof got - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, expected);
}

static void finish(struct chatlog *log, int fd)
{
	(void)close(log->fd);
	(void)close(fd);
}

static void an_event_is_one_line(void **unused)
{
	struct chatlog log;
	int fd = file_log(&log);
	char expected[1024];

	(void)unused;
	assert_int_equal(chatlog_register(&log, "alice"), 0);
	assert_int_equal(chatlog_message(&log, "alice", "hi", 2), 0);
	assert_int_equal(chatlog_message(&log, "alice", "a \"b\"\n\x1b", 7), 0);
	assert_int_equal(chatlog_disconnect(&log, "alice", 4711, 0), 0);
	log.peer = NULL;
	assert_int_equal(chatlog_disconnect(&log, NULL, 4712, 9), 0);
	(void)snprintf(expected, sizeof expected,
	    TIME " event=register user=alice peer=" PEER " pid=%d\n" TIME
		 " event=message user=alice peer=" PEER " text=\"hi\"\n" TIME
		 " event=message user=alice peer=" PEER
		 " text=\"a \\\"b\\\"\\n\\x1b\"\n" TIME
		 " event=disconnect user=alice peer=" PEER " pid=4711\n" TIME
		 " event=disconnect pid=4712 signal=9\n",
	    (int)getpid());
	assert_holds(fd, expected);
	finish(&log, fd);
}

static void without_the_variable_nothing_is_kept(void **unused)
{
	struct chatlog log;

	(void)unused;
	assert_int_equal(unsetenv("PARLANCE_LOG_FD"), 0);
	assert_int_equal(chatlog_open(&log, PEER), 0);
	assert_int_equal(log.fd, -1);
	assert_int_equal(chatlog_register(&log, "a"), 0);
	assert_int_equal(chatlog_message(&log, "a", "x", 1), 0);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), 0);
}

static void a_variable_that_names_no_log_is_refused(void **unused)
{
	static const char *const bad[] = {
	    "", "x", "-1", "0", "1", "3x", " 5", "900", "99999999999999999999"};
	struct chatlog log;
	char text[16];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(setenv("PARLANCE_LOG_FD", bad[i], 1), 0);
		assert_int_equal(chatlog_open(&log, PEER), -EINVAL);
	}
	(void)snprintf(text, sizeof text, "%d", fd);
	assert_int_equal(setenv("PARLANCE_LOG_FD", text, 1), 0);
	assert_int_equal(chatlog_open(&log, PEER), -EINVAL);
	(void)close(fd);
}

/* Also from a descriptor that a shell opened without O_APPEND. */
static void the_variable_s_descriptor_is_appended_to(void **unused)
{
	int fd = memfd_create("log", 0), keep = dup(fd);
	struct chatlog log;
	char text[16];

	(void)unused;
	assert_int_equal(write(keep, "before\n", 7), 7);
	assert_int_equal(lseek(keep, 0, SEEK_SET), 0);
	(void)snprintf(text, sizeof text, "%d", fd);
	assert_int_equal(setenv("PARLANCE_LOG_FD", text, 1), 0);
	assert_int_equal(chatlog_open(&log, PEER), 0);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), 0);
	assert_holds(keep,
	    "before\n" TIME " event=disconnect user=a peer=" PEER " pid=1\n");
	finish(&log, keep);
	(void)unsetenv("PARLANCE_LOG_FD");
}

static void the_longest_message_is_whole(void **unused)
{
	static const char head[] =
	    TIME " event=message user=a peer=" PEER " text=\"";
	struct chatlog log;
	int fd = file_log(&log);
	char *at = got + sizeof head - 1;
	ssize_t n;

	(void)unused;
	memset(big, 1, sizeof big);
	assert_int_equal(chatlog_message(&log, "a", big, sizeof big), 0);
	n = pread(fd, got, sizeof got, 0);
	assert_int_equal(n, sizeof head - 1 + 4 * sizeof big + 2);
	assert_memory_equal(got, head, sizeof head - 1);
	for (size_t i = 0; i < sizeof big; i++, at += 4)
		assert_memory_equal(at, "\\x01", 4);
	assert_memory_equal(at, "\"\n", 2);
	finish(&log, fd);
}

/* LineMax= of journald.conf(5). */
static void the_journal_makes_one_line_of_the_longest_message(void **unused)
{
	struct chatlog log;
	int ends[2];
	ssize_t n;

	(void)unused;
	memset(big, 'x', sizeof big);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(chatlog_take(&log, ends[0], PEER), 0);
	assert_int_equal(chatlog_message(&log, "a", big, sizeof big), 0);
	n = recv(ends[1], got, sizeof got, MSG_DONTWAIT);
	assert_in_range(n, LIMIT_LOG, 48 * 1024 - 1);
	assert_int_equal(got[n - 1], '\n');
	assert_int_equal(recv(ends[1], got, 1, MSG_DONTWAIT), -1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* The file may not grow over 120 bytes: as a disk that fills up. */
static void a_full_disk_leaves_no_half_line(void **unused)
{
	static const char line[] =
	    TIME " event=disconnect user=a peer=" PEER " pid=1\n";
	struct rlimit old, limit;
	struct chatlog log;
	char twice[2 * sizeof line];
	int fd = file_log(&log);

	(void)unused;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 120;
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), -EFBIG);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_holds(fd, line);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), 0);
	(void)snprintf(twice, sizeof twice, "%s%s", line, line);
	assert_holds(fd, twice);
	finish(&log, fd);
}

static void half_a_line_of_a_killed_writer_is_ended(void **unused)
{
	struct chatlog log;
	int fd = file_log(&log);

	(void)unused;
	assert_int_equal(write(fd, "time=2026", 9), 9);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), 0);
	assert_holds(fd, "time=2026\n" TIME
			 " event=disconnect user=a peer=" PEER " pid=1\n");
	finish(&log, fd);
}

/* Reads until nothing more comes. */
static size_t drain(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof got - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	return len;
}

static void a_reader_that_stalls_holds_nobody_up(struct chatlog *log, int end)
{
	int64_t begun = clock_ms();

	memset(big, 'x', sizeof big);
	assert_int_equal(chatlog_message(log, "a", big, 60000), 0);
	assert_int_equal(chatlog_message(log, "a", big, 60000), -ETIMEDOUT);
	assert_in_range(clock_ms() - begun, LIMIT_CHATLOG_MS - 100, 5000);
	begun = clock_ms();
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    chatlog_message(log, "a", big, 60000), -ETIMEDOUT);
	assert_in_range(clock_ms() - begun, 0, 800);
	assert_int_equal(fcntl(end, F_SETFL, O_NONBLOCK), 0);
	(void)drain(end);
	assert_int_equal(chatlog_disconnect(log, "a", 1, 0), 0);
	(void)drain(end);
	assert_string_equal(
	    got, "\n" TIME " event=disconnect user=a peer=" PEER " pid=1\n");
}

static void a_pipe_that_nobody_reads_holds_nobody_up(void **unused)
{
	struct chatlog log;
	int ends[2];

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(chatlog_take(&log, ends[1], PEER), 0);
	assert_true(log.own);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	a_reader_that_stalls_holds_nobody_up(&log, ends[0]);
	(void)close(ends[0]);
	assert_int_equal(chatlog_disconnect(&log, "a", 1, 0), -EPIPE);
	finish(&log, ends[1]);
}

/* A pipe of another user: a blocking descriptor that is not ours alone. */
static void a_borrowed_pipe_holds_nobody_up_either(void **unused)
{
	struct chatlog log;
	int ends[2];

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(chatlog_take(&log, ends[1], PEER), 0);
	(void)close(log.fd);
	log.fd = ends[1];
	log.own = false;
	/* Two lines, which are shorter on it, would fit to the byte. */
	assert_int_equal(write(ends[1], big, 100), 100);
	a_reader_that_stalls_holds_nobody_up(&log, ends[0]);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static _Noreturn void writer(int fd, char letter)
{
	struct chatlog log;

	memset(big, letter, LONG);
	if (chatlog_take(&log, fd, PEER) < 0)
		_exit(1);
	for (int i = 0; i < LINES; i++)
		if (chatlog_message(&log, "a", big, LONG) < 0)
			_exit(2);
	_exit(0);
}

static void start_writers(pid_t pids[WRITERS], int fd)
{
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			writer(fd, (char)('a' + i));
	}
}

static void end_writers(const pid_t pids[WRITERS])
{
	int status;

	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

/* Every line is one writer's, and all are there. */
static void assert_whole(size_t len)
{
	static const char head[] =
	    TIME " event=message user=a peer=" PEER " text=\"";
	const size_t width = sizeof head - 1 + LONG + 2;
	int count[WRITERS] = {0};

	assert_int_equal(len, width * WRITERS * LINES);
	for (size_t at = 0; at < len; at += width) {
		char *text = got + at + sizeof head - 1;

		assert_memory_equal(got + at, head, sizeof head - 1);
		assert_in_range(*text, 'a', 'a' + WRITERS - 1);
		assert_memory_equal(text, text + 1, LONG - 1);
		assert_memory_equal(text + LONG, "\"\n", 2);
		count[*text - 'a']++;
	}
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(count[i], LINES);
}

static void many_writers_tear_no_line_of_a_file(void **unused)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	pid_t pids[WRITERS];

	(void)unused;
	start_writers(pids, fd);
	end_writers(pids);
	assert_whole((size_t)pread(fd, got, sizeof got, 0));
	(void)close(fd);
}

static void many_writers_tear_no_line_of_a_pipe(void **unused)
{
	pid_t pids[WRITERS];
	int ends[2];
	size_t len;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	start_writers(pids, ends[1]);
	(void)close(ends[1]);
	len = drain(ends[0]);
	end_writers(pids);
	assert_whole(len);
	(void)close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_event_is_one_line),
	    cmocka_unit_test(without_the_variable_nothing_is_kept),
	    cmocka_unit_test(a_variable_that_names_no_log_is_refused),
	    cmocka_unit_test(the_variable_s_descriptor_is_appended_to),
	    cmocka_unit_test(the_longest_message_is_whole),
	    cmocka_unit_test(the_journal_makes_one_line_of_the_longest_message),
	    cmocka_unit_test(a_full_disk_leaves_no_half_line),
	    cmocka_unit_test(half_a_line_of_a_killed_writer_is_ended),
	    cmocka_unit_test(a_pipe_that_nobody_reads_holds_nobody_up),
	    cmocka_unit_test(a_borrowed_pipe_holds_nobody_up_either),
	    cmocka_unit_test(many_writers_tear_no_line_of_a_file),
	    cmocka_unit_test(many_writers_tear_no_line_of_a_pipe),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
