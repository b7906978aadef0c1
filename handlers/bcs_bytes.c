/* Bytes in, bytes out: one frame each way, and what waits for what. */
#include "bcs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"

/* More than that in a buffer is given back when nothing happens. */
#define SMALL 4096

bool bcs_read(struct session *s, bool wait)
{
	struct client *client = &s->start.client;
	char *end;
	size_t room;
	ssize_t n;

	memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
	s->in_len -= s->in_at;
	s->in_at = 0;
	end = s->in + s->in_len;
	room = sizeof s->in - s->in_len;
	n = wait ? io_read_soon(client, end, room)
		 : io_read_now(client, end, room);
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		/* Who is gone by a reset has ended his input, too. */
		s->in_ended = true;
		s->out_broken |= n < 0;
		return true;
	}
	s->in_len += (size_t)n;
	s->in_time = clock_ms();
	s->fat |= s->in_len > SMALL;
	return true;
}

bool bcs_flushed(const struct session *s)
{
	return s->out_at == s->out_len && s->download.fd < 0;
}

void bcs_expect(struct session *s)
{
	s->ack_by = clock_in((int64_t)s->start.settings.bcs_ack_timeout * 1000);
}

/* How much of out_total the client's side has. For local sockets the kernel
 * counts more than bytes. */
static uint64_t taken_now(const struct session *s)
{
	uint64_t left = io_untaken(&s->start.client);

	return left < s->out_total ? s->out_total - left : 0;
}

/* Fewer bytes on their way count as taken: to ask the kernel of each message
 * would cost too much. */
#define AT_ONCE 1024

/* A deliver is whole on its way. */
static void sent(struct session *s)
{
	bool much = s->out_total - s->proven > AT_ONCE;

	s->unsent = false;
	s->due_end = s->out_total;
	s->taken = much ? taken_now(s) : s->out_total;
	bcs_expect(s);
}

void bcs_proved(struct session *s)
{
	s->outstanding = false;
	if (s->proven < s->due_end)
		s->proven = s->due_end;
}

bool bcs_took(struct session *s)
{
	uint64_t taken = taken_now(s);
	bool more;

	s->proven = taken;
	if (taken > s->due_end)
		taken = s->due_end;
	more = taken > s->taken;
	s->taken = taken;
	return more;
}

/* The last byte of all went, or never will. */
static void flushed(struct session *s)
{
	s->out_at = s->out_len = 0;
	s->out_status = s->unsent = false;
}

static void broken(struct session *s)
{
	s->out_broken = true;
	bcs_download_end(s);
	flushed(s);
}

/* A file that became shorter leaves a frame that cannot be ended. */
static void too_short(struct session *s, int error)
{
	struct log_line line;

	bcs_log(s, &line, LOG_ERR, "download");
	log_errno(&line, error);
	log_end(&line);
	s->exit = 111;
	broken(s);
	s->state = BCS_ENDED;
}

/* So much at once, that nothing else waits for long. */
#define CONTENTS (256 * 1024)

static ssize_t write_contents(struct session *s)
{
	uint64_t left = s->download.left;
	ssize_t n = 0;

	if (left)
		n = io_send_file_now(&s->start.client, s->download.fd,
		    s->download.at, left < CONTENTS ? left : CONTENTS);
	if (n >= 0) {
		s->out_total += (uint64_t)n;
		s->due_end = s->contents_end = s->out_total;
		s->download.at += (uint64_t)n;
		s->download.left -= (uint64_t)n;
		if (s->download.left == 0)
			bcs_download_end(s);
	}
	return n;
}

static ssize_t write_frames(struct session *s)
{
	size_t end = s->download.fd >= 0 ? s->out_file : s->out_len;
	ssize_t n =
	    io_write_now(&s->start.client, s->out + s->out_at, end - s->out_at);

	if (n > 0) {
		s->out_at += (size_t)n;
		s->out_total += (uint64_t)n;
	}
	if (s->unsent && s->out_at >= s->out_deliver)
		sent(s);
	return n;
}

void bcs_flush(struct session *s)
{
	bool contents = s->download.fd >= 0 && s->out_at == s->out_file;
	ssize_t n;

	if (bcs_flushed(s))
		return;
	n = contents ? write_contents(s) : write_frames(s);
	if (n == -EAGAIN)
		return;
	if (n == -EIO && contents) {
		too_short(s, (int)n);
		return;
	}
	if (n < 0) {
		broken(s);
		return;
	}
	s->out_time = clock_ms();
	if (bcs_flushed(s))
		flushed(s);
}

void bcs_put(struct session *s, const struct bcs_frame *frame)
{
	long n =
	    bcs_format(s->out + s->out_len, sizeof s->out - s->out_len, frame);

	if (n < 0 || s->out_broken)
		return;
	if (bcs_flushed(s))
		s->out_time = clock_ms();
	s->out_len += (size_t)n;
	s->fat |= s->out_len > SMALL;
	if (frame->type == BCS_DELIVER) {
		s->unsent = s->outstanding = true;
		s->out_deliver = s->out_len;
	}
	if (frame->type == BCS_STATUS)
		s->out_status = true;
	if (frame->type == BCS_RECVFILE)
		s->out_file = s->out_len;
	bcs_flush(s);
}

static void put_status(
    struct session *s, enum bcs_code code, const char *format, va_list args)
{
	struct bcs_frame frame = {.type = BCS_STATUS, .code = (uint8_t)code};
	char text[BCS_STATUS_TEXT];
	int n = vsnprintf(text, sizeof text, format, args);
	size_t len = n < 0 ? 0 : (size_t)n;

	frame.first.data = text;
	frame.first.len = len < sizeof text ? len : sizeof text - 1;
	bcs_put(s, &frame);
}

void bcs_status(struct session *s, enum bcs_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_status(s, code, format, args);
	va_end(args);
}

static void log_refusal(
    const struct session *s, enum bcs_code code, const char *format, va_list a)
{
	char text[BCS_STATUS_TEXT];
	struct log_line line;

	(void)vsnprintf(text, sizeof text, format, a);
	bcs_log(s, &line, LOG_INFO, "refused");
	log_number(&line, "status", code);
	log_string(&line, "reason", text);
	log_end(&line);
}

void bcs_refuse(struct session *s, enum bcs_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_refusal(s, code, format, args);
	va_end(args);
	va_start(args, format);
	put_status(s, code, format, args);
	va_end(args);
	if (code == BCS_PROTOCOL)
		s->exit = 1;
	bcs_close(s);
}

/* Of a download megabytes may be on their way still, and a status that comes
 * after we are gone would take them back. */
void bcs_linger(struct session *s)
{
	if (taken_now(s) < s->contents_end)
		io_linger_taken(&s->start.client);
	else
		io_linger(&s->start.client);
}

/* Whole pages of it, from the first that is not in use on. */
static void give_back(char *buffer, size_t used, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)buffer + used + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)buffer + size) & ~(page - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void bcs_trim(struct session *s)
{
	give_back(s->in, s->in_len, sizeof s->in);
	give_back(s->out, s->out_len, sizeof s->out);
	give_back(s->record, 0, sizeof s->record);
	give_back((char *)s->changes, s->change_count * sizeof s->changes[0],
	    sizeof s->changes);
	if (s->own_count == 0) {
		s->own_first = 0;
		give_back((char *)s->own, 0, sizeof s->own);
	}
	s->fat = false;
}
