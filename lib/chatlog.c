#include "chatlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "limits.h"
#include "logfmt.h"
#include "parse.h"

/* --- opening ---------------------------------------------------------------
 */

#define PATH_SIZE sizeof "/proc/self/fd/2147483647"

static void path_of(int fd, char path[PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* The same file or pipe, as an open file of our own: flock(2) goes by those,
 * and the one that we share is not ours to make non-blocking. Files for
 * reading too, to see how they end. -errno where that is not to be had. */
static int open_anew(int fd)
{
	char path[PATH_SIZE];
	int flags = O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return -ENOTSUP;
	path_of(fd, path);
	/* A pipe opened for reading would never tell that its reader went. */
	own = open(path, (S_ISREG(st.st_mode) ? O_RDWR : O_WRONLY) | flags);
	if (own < 0)
		own = open(path, O_WRONLY | flags);
	return own < 0 ? -errno : own;
}

int chatlog_take(struct chatlog *log, int fd, const char *peer)
{
	int own, flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	own = open_anew(fd);
	*log = (struct chatlog){
	    .fd = own < 0 ? fd : own, .peer = peer, .own = own >= 0};
	return 0;
}

int chatlog_open(struct chatlog *log, const char *peer)
{
	const char *text = getenv(CHATLOG_VARIABLE);
	uint64_t fd;

	*log = (struct chatlog){.fd = -1, .peer = peer};
	if (!text)
		return 0;
	if (parse_u64(text, strlen(text), INT_MAX, &fd) < 0 ||
	    fd < STDERR_FILENO || chatlog_take(log, (int)fd, peer) < 0)
		return -EINVAL;
	if (log->own && fd > STDERR_FILENO)
		(void)close((int)fd);
	return 0;
}

void chatlog_again(struct chatlog *log)
{
	int own;

	if (!log->own)
		return;
	own = open_anew(log->fd);
	log->own = own >= 0;
	if (own < 0)
		return;
	(void)close(log->fd);
	log->fd = own;
}

/* Pipes need none: they are in no folder. */
struct sandbox_rule chatlog_rule(const struct chatlog *log)
{
	static char path[PATH_SIZE];
	struct stat st;

	if (log->fd < 0 || fstat(log->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return (struct sandbox_rule){SANDBOX_NONE, NULL, 0};
	path_of(log->fd, path);
	return (struct sandbox_rule){
	    SANDBOX_PATH, path, SANDBOX_READ | SANDBOX_WRITE};
}

/* --- writing ---------------------------------------------------------------
 */

/* Does what stands in the file end in half a line? Its writer was killed, or
 * it was not ours. */
static bool ends_torn(int fd)
{
	struct stat st;
	char last;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	       io_pread(fd, &last, 1, (uint64_t)st.st_size - 1) == 0 &&
	       last != '\n';
}

/* Takes what was just written off a file again. */
static bool cut_back(int fd, size_t written)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size >= written &&
	       ftruncate(fd, st.st_size - (off_t)written) == 0;
}

/* The line has a newline in front, for the case that it is needed. */
static int append(struct chatlog *log, const char *line, size_t len,
    int64_t deadline, bool locked)
{
	bool torn = log->torn || (locked && ends_torn(log->fd));
	size_t skip = torn ? 0 : 1, done;
	int r = io_append(log->fd, line + skip, len - skip, deadline, &done);

	if (r == 0)
		log->torn = false;
	else if (done && !(locked && cut_back(log->fd, done)))
		log->torn = line[skip + done - 1] != '\n';
	return r;
}

/* Without the lock, if its holder was stopped, rather than not at all: a file
 * keeps the order of whole writes by itself. */
static int put(struct chatlog *log, const char *line, size_t len)
{
	int64_t deadline =
	    clock_in(log->stuck ? LIMIT_CHATLOG_AGAIN_MS : LIMIT_CHATLOG_MS);
	bool locked = log->own && io_flock(log->fd, LOCK_EX, deadline) == 0;
	int r = append(log, line, len, deadline, locked);

	if (locked)
		(void)io_flock(log->fd, LOCK_UN, CLOCK_NEVER);
	log->stuck = r == -ETIMEDOUT;
	return r;
}

/* --- lines -----------------------------------------------------------------
 */

static void add_string(struct buf *b, const char *key, const char *value)
{
	if (value && *value)
		logfmt_text(b, key, value, strlen(value));
}

static struct buf begin(
    const struct chatlog *log, const char *event, const char *user)
{
	static char line[1 + LIMIT_CHATLOG + 1];
	char time[CLOCK_TEXT];
	struct buf b;

	clock_text(clock_now(), time);
	/* On what is not our own: the journal's socket, say. */
	buf_init(&b, line, log->own ? sizeof line - 1 : LIMIT_LOG_LONG);
	buf_fmt(&b, "\ntime=%s event=%s", time, event);
	add_string(&b, "user", user);
	add_string(&b, "peer", log->peer);
	return b;
}

static int end(struct chatlog *log, struct buf *b)
{
	b->data[b->len] = '\n';
	return put(log, b->data, b->len + 1);
}

int chatlog_register(struct chatlog *log, const char *user)
{
	struct buf b;

	if (log->fd < 0)
		return 0;
	b = begin(log, "register", user);
	buf_fmt(&b, " pid=%d", (int)getpid());
	return end(log, &b);
}

int chatlog_message(
    struct chatlog *log, const char *user, const char *text, size_t len)
{
	struct buf b;

	if (log->fd < 0)
		return 0;
	b = begin(log, "message", user);
	logfmt_quoted(&b, "text", text, len);
	return end(log, &b);
}

int chatlog_disconnect(
    struct chatlog *log, const char *user, pid_t pid, int signal)
{
	struct buf b;

	if (log->fd < 0)
		return 0;
	b = begin(log, "disconnect", user);
	buf_fmt(&b, " pid=%d", (int)pid);
	if (signal)
		buf_fmt(&b, " signal=%d", signal);
	return end(log, &b);
}
