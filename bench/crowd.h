/*
 * What the benchmarks of the binary door share: a crowd of clients in one
 * process, one epoll loop, that acknowledge whatever they get at once. Those
 * of a bare server need not register; those of an IRC server are in one
 * channel and acknowledge nothing.
 *
 *	crowd_init(&crowd, CROWD_BCS, port, members);
 *	while (crowd.count < members)
 *		crowd_join(&crowd);
 *	crowd_rest(&crowd, 500);             until nobody gets anything so long
 *	crowd_say(&crowd, 0, 10);            member 0 says ten messages
 *	crowd_await(&crowd, 10 * (members - 1));
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basics.h"
#include "handlers/bcs_wire.h"

#define CROWD_BODY                                                             \
	"the quick brown fox jumps over the lazy dog, and says so here"
#define CROWD_BUFFER 32768 /* a roster of 4,000 */
#define CROWD_PATIENCE_MS 30000

enum crowd_kind { CROWD_BARE, CROWD_BCS, CROWD_IRC };

struct crowd_member {
	int fd;
	bool joined;
	uint64_t to_say; /* messages; the next goes when the status came */
	size_t len;
	char in[CROWD_BUFFER];
};

struct crowd {
	enum crowd_kind kind;
	uint16_t port;
	struct crowd_member *members;
	size_t count;
	int poll;
	uint64_t delivered; /* messages of members */
	uint64_t unanswered; /* sends without a status */
	double said, last; /* when the latest status, the latest deliver came */
};

static inline void crowd_init(
    struct crowd *c, enum crowd_kind kind, uint16_t port, size_t most)
{
	*c = (struct crowd){.kind = kind, .port = port};
	c->members = table(most, sizeof *c->members);
	c->poll = epoll_create1(EPOLL_CLOEXEC);
	must("epoll_create", c->poll);
}

/* Small ones: what does not fit into the socket's buffer is an error. */
static inline void crowd_write(
    const struct crowd_member *m, const char *data, size_t len)
{
	if (send(m->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send", errno);
}

static inline void crowd_frame(
    const struct crowd_member *m, const struct bcs_frame *frame)
{
	char out[256];

	crowd_write(m, out, (size_t)bcs_format(out, sizeof out, frame));
}

static inline void crowd_say_one(struct crowd_member *m)
{
	crowd_frame(m, &(struct bcs_frame){.type = BCS_SEND,
			   .first = {CROWD_BODY, sizeof CROWD_BODY - 1}});
}

/* --- what arrives ----------------------------------------------------------
 */

static inline void crowd_delivered(struct crowd *c)
{
	c->delivered++;
	c->last = now_us();
}

static inline void crowd_status(
    struct crowd *c, struct crowd_member *m, const struct bcs_frame *frame)
{
	if (frame->code != BCS_OK)
		fail("status", EPROTO);
	if (!m->joined) {
		m->joined = true;
		return;
	}
	c->unanswered--;
	c->said = now_us();
	if (--m->to_say)
		crowd_say_one(m);
}

static inline void crowd_bcs(
    struct crowd *c, struct crowd_member *m, const struct bcs_frame *frame)
{
	static const char ok[] = {BCS_STATUS, BCS_OK, 0, 0};

	if (frame->type == BCS_STATUS)
		crowd_status(c, m, frame);
	if (frame->type != BCS_DELIVER)
		return;
	crowd_write(m, ok, sizeof ok);
	if (!parse_is(frame->first.data, frame->first.len, "server"))
		crowd_delivered(c);
}

/* The first line, without its end. */
static inline void crowd_irc(
    struct crowd *c, struct crowd_member *m, const char *line, size_t len)
{
	if (memmem(line, len, " PRIVMSG ", 9))
		crowd_delivered(c);
	else if (memmem(line, len, " 366 ", 5))
		m->joined = true;
	else if (len > 6 && memcmp(line, "ERROR ", 6) == 0)
		fail("irc", EPROTO);
}

/* Takes the first frame or line: its length, or 0: not whole. */
static inline size_t crowd_take(
    struct crowd *c, struct crowd_member *m, const char *data, size_t len)
{
	struct bcs_frame frame;
	const char *end;
	long n;

	if (c->kind == CROWD_IRC) {
		end = memchr(data, '\n', len);
		if (end)
			crowd_irc(c, m, data, (size_t)(end - data));
		return end ? (size_t)(end - data) + 1 : 0;
	}
	n = bcs_parse(&frame, data, len);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		fail("not a frame", (int)n);
	crowd_bcs(c, m, &frame);
	return (size_t)n;
}

static inline void crowd_read(struct crowd *c, struct crowd_member *m)
{
	ssize_t n = recv(m->fd, m->in + m->len, sizeof m->in - m->len, 0);
	size_t at = 0, taken;

	if (n <= 0)
		fail("the server hung up", n ? errno : EPIPE);
	m->len += (size_t)n;
	while ((taken = crowd_take(c, m, m->in + at, m->len - at)))
		at += taken;
	m->len -= at;
	if (m->len == sizeof m->in)
		fail("a frame too long", EPROTO);
	memmove(m->in, m->in + at, m->len);
}

/* Waits for what comes; false: nothing did. */
static inline bool crowd_turn(struct crowd *c, int ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(c->poll, events, 256, ms);

	for (int i = 0; i < n; i++)
		crowd_read(c, &c->members[events[i].data.u64]);
	return n > 0;
}

/* --- what they do ----------------------------------------------------------
 */

static inline void crowd_introduce(struct crowd *c, struct crowd_member *m)
{
	char name[16], irc[128];
	int len = snprintf(name, sizeof name, "m%zu", c->count - 1);

	if (c->kind == CROWD_BCS) {
		crowd_frame(m, &(struct bcs_frame){.type = BCS_REGISTER,
				   .first = {name, (size_t)len}});
	} else if (c->kind == CROWD_IRC) {
		len = snprintf(irc, sizeof irc,
		    "NICK %s\r\nUSER b 0 * :b\r\nJOIN #bench\r\n", name);
		crowd_write(m, irc, (size_t)len);
	} else {
		m->joined = true;
	}
}

static inline void crowd_join(struct crowd *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = c->count};
	struct crowd_member *m = &c->members[c->count++];

	m->fd = loopback_dial(c->port);
	must("epoll_ctl", epoll_ctl(c->poll, EPOLL_CTL_ADD, m->fd, &e));
	crowd_introduce(c, m);
	while (!m->joined)
		if (!crowd_turn(c, CROWD_PATIENCE_MS))
			fail("no welcome", ETIMEDOUT);
}

static inline void crowd_rest(struct crowd *c, int ms)
{
	while (crowd_turn(c, ms))
		;
}

/* Says so many messages: the next one when the one before was answered. An IRC
 * server answers nothing: all at once. */
static inline void crowd_say(struct crowd *c, size_t who, uint64_t messages)
{
	static const char line[] = "PRIVMSG #bench :" CROWD_BODY "\r\n";
	struct crowd_member *m = &c->members[who];

	if (c->kind == CROWD_IRC) {
		for (uint64_t i = 0; i < messages; i++)
			crowd_write(m, line, sizeof line - 1);
		return;
	}
	m->to_say = messages;
	c->unanswered += messages;
	crowd_say_one(m);
}

/* Until so many were delivered and all sends answered. */
static inline void crowd_await(struct crowd *c, uint64_t delivered)
{
	while (c->delivered < delivered || c->unanswered)
		if (!crowd_turn(c, CROWD_PATIENCE_MS))
			fail("a message is missing", ETIMEDOUT);
}

static inline void crowd_end(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++)
		(void)close(c->members[i].fd);
	(void)close(c->poll);
	free(c->members);
}

#endif
