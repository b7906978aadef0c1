#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "toychat.h"

#define READ_BYTES (64 * 1024)

int link_init(struct link *l, int fd, int signals, int64_t patience)
{
	*l = (struct link){
	    .client = {.in = -1}, .signals = signals, .patience = patience};
	return link_renew(l, fd);
}

int link_renew(struct link *l, int fd)
{
	link_close(l);
	toychat_scan_init(&l->scan, "file", REPLY_MAX);
	return io_client(&l->client, fd, fd);
}

void link_close(struct link *l)
{
	if (l->client.in >= 0)
		(void)close(l->client.in);
	l->client.in = -1;
	free(l->data);
	l->data = NULL;
	l->used = l->len = l->size = 0;
}

int link_send(struct link *l, const char *data, size_t len)
{
	return l->client.in < 0 ? -EPIPE : io_write(&l->client, data, len);
}

/* Room for one more piece. What was taken goes first. */
static int make_room(struct link *l)
{
	size_t size = l->size ? l->size : READ_BYTES;
	char *data;

	if (l->used)
		memmove(l->data, l->data + l->used, l->len - l->used);
	l->len -= l->used;
	l->used = 0;
	if (l->len > REPLY_MAX)
		return -EMSGSIZE;
	while (size - l->len < READ_BYTES)
		size *= 2;
	if (size == l->size)
		return 0;
	data = realloc(l->data, size);
	if (!data)
		return -ENOMEM;
	l->data = data;
	l->size = size;
	return 0;
}

/* A long reply's memory is given back once it was read. */
static void shrink(struct link *l)
{
	if (l->used < l->len || l->size <= 16 * READ_BYTES)
		return;
	free(l->data);
	l->data = NULL;
	l->used = l->len = l->size = 0;
}

int link_fill(struct link *l)
{
	ssize_t n;
	int r;

	shrink(l);
	if (l->client.in < 0)
		return 0;
	if (l->used || l->size - l->len < READ_BYTES) {
		r = make_room(l);
		if (r < 0)
			return r;
	}
	n = recv(l->client.in, l->data + l->len, l->size - l->len, 0);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	l->len += (size_t)n;
	return n > 0;
}

int link_more(struct link *l)
{
	struct pollfd p[2] = {{.fd = l->client.in, .events = POLLIN},
	    {.fd = l->signals, .events = POLLIN}};
	int64_t deadline = clock_in(l->patience);
	int r;

	do {
		r = io_wait(p, 2, deadline, IO_BUSY);
		if (r < 0)
			return r;
		if (p[1].revents)
			return -EINTR;
		r = link_fill(l);
	} while (r == -EAGAIN);
	return r == 0 ? -ECONNRESET : r < 0 ? r : 0;
}

int link_take(struct link *l, struct toychat_command *ret_reply)
{
	long n;

	if (l->used == l->len)
		return -EAGAIN;
	n = toychat_scan(
	    &l->scan, ret_reply, l->data + l->used, l->len - l->used);
	if (n < 0)
		return (int)n;
	l->used += (size_t)n;
	return 0;
}

const char *link_why(int error)
{
	switch (error) {
	case -ECONNRESET:
	case -EPIPE:
		return "the server closed the connection";
	case -ETIMEDOUT:
		return "the server does not answer";
	case -EMSGSIZE:
		return "the server's reply has no end";
	case -EPROTO:
		return "the server does not keep to the protocol";
	default:
		return strerror(-error);
	}
}
