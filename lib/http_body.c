#include <errno.h>
#include <string.h>

#include "clock.h"
#include "http_private.h"
#include "parse.h"

/* Silence of so many ms, or the whole body's deadline, whichever is first. */
static ssize_t read_body(
    struct http *h, char *at, size_t size, int64_t silence, int64_t deadline)
{
	int64_t next = clock_in(silence);

	return io_read(
	    h->client, at, size, next < deadline ? next : deadline, IO_BUSY);
}

/* Why no more came, as an answer. */
static int body_ended(struct http *h, ssize_t n)
{
	if (n == -ETIMEDOUT)
		return http_fault(h, 408, "the body did not come in time");
	if (n < 0)
		return http_lost(h, (int)n);
	return http_fault(h, 400, "the body was cut short");
}

static int too_long(struct http *h)
{
	return http_fault(h, 413, "the body is too long");
}

/* Takes up to max of the bytes that came with the head. */
static size_t take(struct http *h, char *to, uint64_t max)
{
	size_t n = h->len - h->used;

	if (n > max)
		n = (size_t)max;
	if (to)
		memcpy(to, h->in + h->used, n);
	h->used += n;
	return n;
}

static int body_counted(struct http *h, struct slice *ret)
{
	int64_t deadline = clock_in(LIMIT_BODY_MS);
	size_t len = (size_t)h->head.length, have = h->len - h->used;
	ssize_t n;

	*ret = (struct slice){h->in + h->used, len};
	if (have >= len) {
		h->used += len;
		return 1;
	}
	ret->data = h->body;
	have = take(h, h->body, len);
	while (have < len) {
		n = read_body(
		    h, h->body + have, len - have, LIMIT_STALL_MS, deadline);
		if (n <= 0)
			return body_ended(h, n);
		have += (size_t)n;
	}
	return 1;
}

/* One read of a body that goes on to the end of input: 1, 0 at the end,
 * -EMSGSIZE, -errno. */
static int bare_read(
    struct http *h, struct buf *b, int64_t silence, int64_t deadline)
{
	char over;
	bool full = b->len == b->cap;
	ssize_t n = read_body(h, full ? &over : b->data + b->len,
	    full ? 1 : b->cap - b->len, silence, deadline);

	if (n <= 0)
		return (int)n;
	if (full)
		return -EMSGSIZE;
	b->len += (size_t)n;
	return 1;
}

/* POST without a length or a coding, as in specs/chatfile.txt. */
static int body_bare(struct http *h, struct slice *ret)
{
	int64_t deadline = clock_in(LIMIT_BODY_MS);
	struct buf b;
	int r = 1;

	buf_init(&b, h->body, h->body_cap);
	h->close = true;
	if (h->len - h->used > b.cap)
		return too_long(h);
	b.len = take(h, b.data, b.cap);
	if (b.len == 0)
		r = bare_read(h, &b, LIMIT_BARE_FIRST_MS, deadline);
	*ret = (struct slice){b.data, 0};
	if (b.len == 0 && r == -ETIMEDOUT)
		return 1; /* and unread: it may come yet */
	while (r > 0)
		r = bare_read(h, &b, LIMIT_BARE_NEXT_MS, deadline);
	if (r < 0)
		return r == -EMSGSIZE ? too_long(h) : body_ended(h, r);
	ret->len = b.len;
	h->unread = false;
	return 1;
}

/* Chunks are read behind the head, again and again. */
static ssize_t chunk_read(struct http *h, int64_t deadline)
{
	ssize_t n;

	if (h->len == sizeof h->in)
		h->len = h->used = h->head.end;
	n = read_body(
	    h, h->in + h->len, sizeof h->in - h->len, LIMIT_STALL_MS, deadline);
	if (n > 0)
		h->len += (size_t)n;
	return n;
}

static int body_chunked(struct http *h, struct slice *ret)
{
	int64_t deadline = clock_in(LIMIT_BODY_MS);
	uint64_t raw = 0;
	bool done = false;
	struct buf b;
	ssize_t n;
	long r;

	buf_init(&b, h->body, h->body_cap);
	for (;;) {
		r = http_head_chunks(
		    &h->head, h->in + h->used, h->len - h->used, &b, &done);
		if (r < 0)
			return r == -EMSGSIZE ? too_long(h)
					      : http_fault(h, 400, h->head.why);
		h->used += (size_t)r;
		raw += (uint64_t)r;
		if (done)
			break;
		if (raw > LIMIT_HEAD + 16 * (uint64_t)b.len)
			return http_fault(h, 400, "too much between chunks");
		n = chunk_read(h, deadline);
		if (n <= 0)
			return body_ended(h, n);
	}
	*ret = (struct slice){b.data, b.len};
	return 1;
}

/* 1 and *ret_ask, or 0 if it was refused. */
static int expectation(struct http *h, bool *ret_ask)
{
	struct slice expect;

	*ret_ask = false;
	if (!http_head_find(&h->head, "expect", &expect) || h->head.minor == 0)
		return 1;
	if (!parse_is_case(expect.data, expect.len, "100-continue"))
		return http_fault(h, 417, "only 100-continue can be expected");
	*ret_ask = h->used == h->len && h->head.framing != HTTP_BARE;
	return 1;
}

int http_body(struct http *h, struct slice *ret)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool ask;
	int r;

	if (!h->unread) {
		*ret = (struct slice){h->in, 0};
		return 1;
	}
	if (h->head.framing == HTTP_LENGTH && h->head.length > h->body_cap)
		return too_long(h);
	r = expectation(h, &ask);
	if (r > 0 && ask) {
		r = io_write(h->client, go_on, sizeof go_on - 1);
		r = r < 0 ? http_lost(h, r) : 1;
	}
	if (r <= 0)
		return r;
	if (h->head.framing == HTTP_BARE)
		return body_bare(h, ret);
	r = h->head.framing == HTTP_LENGTH ? body_counted(h, ret)
					   : body_chunked(h, ret);
	h->unread = r <= 0;
	return r;
}

int http_body_skip(struct http *h)
{
	int64_t deadline = clock_in(LIMIT_BODY_MS);
	char drop[4096];
	uint64_t left = h->left;
	ssize_t n;

	if (!h->unread)
		return 1;
	for (left -= take(h, NULL, left); left; left -= (uint64_t)n) {
		n = read_body(h, drop,
		    left < sizeof drop ? (size_t)left : sizeof drop,
		    LIMIT_STALL_MS, deadline);
		if (n <= 0) {
			h->faulty |= n == 0 || n == -ETIMEDOUT;
			h->close = true;
			return n < 0 ? http_lost(h, (int)n) : 0;
		}
	}
	h->unread = false;
	return 1;
}
