#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "lib/limits.h"
#include "lib/log.h"
#include "serve.h"

#define NAME "parlance-serve"

/* --- the process that was called -------------------------------------------
 */

/* Waits until the daemon is up, and ends as it has begun. */
static _Noreturn void report(int ready, pid_t daemon)
{
	char byte;
	int status;

	if (TEMP_FAILURE_RETRY(read(ready, &byte, 1)) == 1) {
		(void)printf("%d\n", (int)daemon);
		exit(fflush(stdout) ? 111 : 0);
	}
	if (waitpid(daemon, &status, 0) == daemon && WIFEXITED(status))
		exit(WEXITSTATUS(status));
	exit(111);
}

int detach_begin(void)
{
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		(void)close(ready[1]);
		report(ready[0], pid);
	}
	(void)close(ready[0]);
	(void)setsid();
	return ready[1];
}

/* --- the log ----------------------------------------------------------------
 */

/* Hands lines on to syslog until nobody is left who writes any. */
static _Noreturn void forward(int lines)
{
	char line[LIMIT_LOG + 8];
	bool begins = true;
	int priority;

	(void)dup2(lines, STDIN_FILENO);
	(void)close_range(1, ~0U, 0); /* the listeners, too */
	openlog(NAME, LOG_PID, LOG_DAEMON);
	while (fgets(line, sizeof line, stdin)) {
		bool marked =
		    line[0] == '<' && line[1] >= '0' && line[1] <= '7';

		priority = marked ? line[1] - '0' : LOG_INFO;
		/* Not what is left of a longer one: it has no priority. */
		if (begins)
			syslog(priority, "%s", marked ? line + 3 : line);
		begins = strchr(line, '\n');
	}
	_exit(0);
}

/* A descriptor whose lines go to syslog. */
static int syslog_open(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		forward(ends[0]);
	(void)close(ends[0]);
	if (pid < 0)
		(void)close(ends[1]);
	return pid < 0 ? -EAGAIN : ends[1];
}

/* Makes lib/log write priorities, here and in what we start. */
static void say_that_it_is_a_journal(int fd)
{
	char name[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	(void)snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	(void)setenv("JOURNAL_STREAM", name, 1);
}

void detach_end(int ready)
{
	int log = sd_journal_stream_fd(NAME, LOG_INFO, 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (log < 0)
		log = syslog_open();
	if (log < 0 || null < 0)
		serve_die("detach", NULL, NULL, log < 0 ? log : -errno);
	say_that_it_is_a_journal(log);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(log, STDERR_FILENO);
	(void)close(null);
	(void)close(log);
	log_open("", NULL);
	(void)!write(ready, "", 1);
	(void)close(ready);
}
