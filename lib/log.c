#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logfmt.h"

static struct {
	const char *door;
	char peer[128];
	bool journal;
	bool pipe;
} self;

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream systemd gave us; stderr may
 * have been redirected since (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, here) == 0;
}

static bool stderr_is_pipe(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
}

void log_open(const char *door, const char *peer)
{
	self.door = door;
	(void)snprintf(self.peer, sizeof self.peer, "%s", peer ? peer : "");
	self.journal = stderr_is_journal();
	self.pipe = stderr_is_pipe();
}

void log_text(struct log_line *l, const char *key, const char *text, size_t len)
{
	logfmt_text(&l->buf, key, text, len);
}

void log_string(struct log_line *l, const char *key, const char *text)
{
	log_text(l, key, text, strlen(text));
}

void log_number(struct log_line *l, const char *key, int64_t number)
{
	buf_fmt(&l->buf, " %s=%jd", key, (intmax_t)number);
}

void log_errno(struct log_line *l, int error)
{
	log_string(l, "error", strerror(error < 0 ? -error : error));
}

void log_begin_in(struct log_line *l, char *data, size_t size, int priority,
    const char *event)
{
	if (self.pipe && size > LIMIT_LOG)
		size = LIMIT_LOG;
	/* Two bytes stay free for the quote and newline of a cut line. */
	buf_init(&l->buf, data, size - 2);
	if (self.journal)
		buf_fmt(&l->buf, "<%d>", priority);
	if (self.door && !*self.door) {
		buf_fmt(&l->buf, "event=%s", event);
		return;
	}
	buf_fmt(&l->buf, "door=%s", self.door ? self.door : "parlance");
	if (self.peer[0])
		log_string(l, "peer", self.peer);
	log_string(l, "event", event);
}

void log_begin(struct log_line *l, int priority, const char *event)
{
	log_begin_in(l, l->data, sizeof l->data, priority, event);
}

void log_end(struct log_line *l)
{
	l->buf.data[l->buf.len] = '\n';
	(void)!write(STDERR_FILENO, l->buf.data, l->buf.len + 1);
}

void log_event(
    int priority, const char *event, const char *key, const char *value)
{
	struct log_line l;

	log_begin(&l, priority, event);
	if (key)
		log_string(&l, key, value);
	log_end(&l);
}

void log_die(const char *event, int error)
{
	struct log_line l;

	log_begin(&l, LOG_ERR, event);
	log_errno(&l, error);
	log_end(&l);
	exit(111);
}

void log_usage(const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fprintf(stderr, "%s: ", name);
	(void)vfprintf(stderr, format, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(100);
}
