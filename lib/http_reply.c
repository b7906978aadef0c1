#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "clock.h"
#include "http_field.h"
#include "http_private.h"

/* The longest text of http_text(). */
#define TEXT_MAX 1024

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void http_reply(struct http *h, unsigned status)
{
	char date[HTTP_DATE];

	h->status = status;
	h->sent = 0;
	http_date_text(clock_now(), date);
	buf_init(&h->reply, h->reply_data, sizeof h->reply_data);
	buf_fmt(&h->reply, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status,
	    http_reason(status), date);
}

void http_field(struct http *h, const char *name, const char *format, ...)
{
	va_list ap;

	buf_fmt(&h->reply, "%s: ", name);
	va_start(ap, format);
	buf_vfmt(&h->reply, format, ap);
	va_end(ap);
	buf_str(&h->reply, "\r\n");
}

/* Whether we can get past a body that nobody read. */
static bool can_skip(const struct http *h)
{
	struct slice expect;

	return !h->unread ||
	       (h->head.framing == HTTP_LENGTH && h->left <= HTTP_SKIP &&
		   !http_head_find(&h->head, "expect", &expect));
}

static bool has_body(unsigned status)
{
	return status != 204 && status != 304;
}

static void end_fields(struct http *h, const char *type, uint64_t len)
{
	h->close |= !h->head.keep || !can_skip(h);
	if (type)
		http_field(h, "Content-Type", "%s", type);
	if (has_body(h->status))
		http_field(h, "Content-Length", "%ju", (uintmax_t)len);
	if (h->close)
		http_field(h, "Connection", "close");
	else if (h->head.minor == 0)
		http_field(h, "Connection", "keep-alive");
	buf_str(&h->reply, h->common);
	buf_str(&h->reply, "\r\n");
}

/* Turns small pieces of files into memory, in the body's place, so that a
 * reply is one write. */
static int load(
    struct http *h, const struct http_part *p, size_t count, struct iovec *iov)
{
	size_t at = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		iov[i] = (struct iovec){(void *)p[i].data, (size_t)p[i].len};
		if (p[i].data || p[i].len == 0)
			continue;
		if (p[i].len > h->body_cap - at)
			return -EOVERFLOW;
		r = io_pread(
		    p[i].file, h->body + at, (size_t)p[i].len, p[i].offset);
		if (r < 0)
			return r;
		iov[i].iov_base = h->body + at;
		at += (size_t)p[i].len;
	}
	return 0;
}

/* Large pieces go from the file to the socket. */
static int stream(struct http *h, const struct http_part *p, size_t count)
{
	int r = io_write(h->client, h->reply.data, h->reply.len);

	for (size_t i = 0; i < count && r == 0; i++)
		r = p[i].data ? io_write(h->client, p[i].data, (size_t)p[i].len)
			      : io_send_file(h->client, p[i].file, p[i].offset,
				    p[i].len);
	return r;
}

/* How many bytes the parts hold, and how many of them are in files. */
static uint64_t measure(
    const struct http_part *parts, size_t count, uint64_t *ret_in_files)
{
	uint64_t len = 0;

	*ret_in_files = 0;
	for (size_t i = 0; i < count; i++) {
		len += parts[i].len;
		*ret_in_files += parts[i].data ? 0 : parts[i].len;
	}
	return len;
}

/* The file ended before the piece did: it was truncated under us. */
static int unreadable(struct http *h)
{
	return http_error(h, 500, "the file could not be read\n");
}

int http_send(struct http *h, const char *type, const struct http_part *parts,
    size_t count)
{
	struct iovec iov[HTTP_PARTS + 1];
	uint64_t in_files, len = measure(parts, count, &in_files);
	bool small;
	int r;

	if (h->gone)
		return -EPIPE;
	if (h->head.method == HTTP_HEAD || !has_body(h->status))
		count = 0, in_files = 0;
	small = in_files <= h->body_cap;
	if (small && load(h, parts, count, iov + 1) < 0)
		return unreadable(h);
	end_fields(h, type, len);
	if (h->reply.full)
		return http_lost(h, -EOVERFLOW);
	iov[0] = (struct iovec){h->reply.data, h->reply.len};
	r = small ? io_writev(h->client, iov, (int)count + 1)
		  : stream(h, parts, count);
	if (r < 0)
		return http_lost(h, r);
	h->sent = count ? len : 0;
	return 0;
}

int http_stream(struct http *h, const char *type)
{
	int r;

	if (h->gone)
		return -EPIPE;
	h->close = true;
	http_field(h, "Content-Type", "%s", type);
	http_field(h, "Connection", "close");
	buf_str(&h->reply, h->common);
	buf_str(&h->reply, "\r\n");
	r = h->reply.full ? -EOVERFLOW
			  : io_write(h->client, h->reply.data, h->reply.len);
	return r < 0 ? http_lost(h, r) : 0;
}

static int text_send(struct http *h, const char *format, va_list ap)
{
	char text[TEXT_MAX];
	struct http_part part = {.data = text};
	struct buf b;

	buf_init(&b, text, sizeof text);
	buf_vfmt(&b, format, ap);
	part.len = b.len;
	return http_send(h, "text/plain; charset=utf-8", &part, 1);
}

int http_text(struct http *h, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = text_send(h, format, ap);
	va_end(ap);
	return r;
}

int http_error(struct http *h, unsigned status, const char *format, ...)
{
	va_list ap;
	int r;

	http_reply(h, status);
	va_start(ap, format);
	r = text_send(h, format, ap);
	va_end(ap);
	return r;
}

int http_not_allowed(struct http *h, const char *allow)
{
	http_reply(h, 405);
	http_field(h, "Allow", "%s", allow);
	return http_text(h, "only %s can be done here\n", allow);
}
