#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http_private.h"

void http_init(
    struct http *h, struct client *client, char *body, size_t body_cap)
{
	int on = 1;

	memset(h, 0, offsetof(struct http, reply_data));
	h->client = client;
	h->common = "";
	h->body = body;
	h->body_cap = body_cap;
	h->first = true;
	/* Or the second of two pipelined replies waits for the first's ACK,
	 * which its reader delays. No such thing on a Unix socket. */
	if (client->socket)
		(void)setsockopt(
		    client->out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int http_lost(struct http *h, int error)
{
	h->gone = true;
	h->close = true;
	return error;
}

int http_fault(struct http *h, unsigned status, const char *why)
{
	int r;

	h->faulty |= status != 413 && status != 417;
	h->close = true;
	r = http_error(h, status, "%s\n", why);
	return r < 0 ? r : 0;
}

/* Moves what was read beyond the last request to the front. */
static void shift(struct http *h)
{
	h->len -= h->used;
	memmove(h->in, h->in + h->used, h->len);
	h->used = 0;
}

int http_wait(struct http *h, int64_t deadline)
{
	struct pollfd p = {.fd = h->client->in, .events = POLLIN};
	int r;

	if (h->first)
		return 1;
	r = h->close ? 0 : http_body_skip(h);
	if (r <= 0 || h->used < h->len)
		return r < 0 ? 0 : r;
	r = io_wait(&p, 1, deadline, IO_TERM);
	if (r == -EINTR)
		return 0;
	return r == -ETIMEDOUT ? r : r > 0;
}

/* Is there nothing but the empty lines that some send behind a body? */
static bool only_blank(const struct http *h)
{
	for (size_t i = 0; i < h->len; i++)
		if (h->in[i] != '\r' && h->in[i] != '\n')
			return false;
	return true;
}

static int head_ended(struct http *h, ssize_t n)
{
	if (n == -ETIMEDOUT)
		return http_fault(h, 408, "no whole request came in time");
	h->close = true;
	if (n == -EINTR || (n == 0 && only_blank(h)))
		return 0;
	if (n < 0)
		return http_lost(h, (int)n);
	return http_fault(h, 400, "the request was cut short");
}

/* More of the head: > 0, or 0 and -errno when it ended. */
static ssize_t read_head(struct http *h, int64_t deadline)
{
	enum io_how how = h->len ? IO_BUSY : IO_TERM;
	ssize_t n = io_read(
	    h->client, h->in + h->len, sizeof h->in - h->len, deadline, how);

	if (n <= 0)
		return head_ended(h, n);
	h->len += (size_t)n;
	return n;
}

static int head_complete(struct http *h, size_t len)
{
	if (len > LIMIT_HEAD)
		return http_fault(h, 431, "the head is too long");
	h->used = len;
	h->left = h->head.framing == HTTP_LENGTH ? h->head.length : 0;
	h->unread = h->head.framing != HTTP_EMPTY;
	return 1;
}

int http_next(struct http *h)
{
	int64_t deadline = clock_in(LIMIT_HEAD_MS);
	ssize_t r;
	long n;

	shift(h);
	h->first = false;
	h->unread = false;
	h->status = 0;
	h->sent = 0;
	http_head_init(&h->head);
	while ((n = http_head_feed(&h->head, h->in, h->len)) == -EAGAIN) {
		if (h->len >= LIMIT_HEAD)
			return http_fault(h, 431, "the head is too long");
		r = read_head(h, deadline);
		if (r <= 0)
			return (int)r;
	}
	if (n < 0)
		return http_fault(h, h->head.status, h->head.why);
	return head_complete(h, (size_t)n);
}

struct pollfd http_hangup_poll(const struct http *h)
{
	/* A pipe's or file's end of input is no hang-up (design 3). */
	if (h->client->socket)
		return (struct pollfd){h->client->in, POLLRDHUP, 0};
	return (struct pollfd){h->client->out, 0, 0};
}

bool http_hung_up(struct http *h, const struct pollfd *p)
{
	if (!(p->revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)))
		return false;
	(void)http_lost(h, -EPIPE);
	return true;
}

void http_give_back(char *at, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)at + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)at + len) & ~(page - 1);

	if (start < end)
		(void)madvise((void *)start, end - start, MADV_DONTNEED);
}

void http_trim(struct http *h)
{
	if (h->used == h->len)
		http_give_back(h->in, sizeof h->in);
	http_give_back(h->body, h->body_cap);
}

int http_end(struct http *h)
{
	if (h->unread && !h->gone)
		io_linger(h->client);
	return h->faulty ? 1 : 0;
}
