#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "datagram.h"
#include "helper.h"
#include "io.h"

_Static_assert(
    LIVE_PIECE >= sizeof "ok  18446744073709551615" + LIMIT_ROOM_NAME,
    "what is told of rooms fits, too");

/*
 * state		fd	answered	what deadline means
 * away			-1	false		try to connect, and look
 * asking		>= 0	false		no answer yet: look meanwhile
 * subscribed		>= 0	true		none: we are rung
 *
 * away -> asking when connect succeeds; asking -> subscribed on `ok`; any ->
 * away when the connection ends or says `error`.
 */

#define FIRST_MS 20 /* the first back-off; doubled up to LIMIT_POLL_MS */

/* A handler's first try after a loss is not at the same instant as that of a
 * thousand others. Time and pid are random enough, and no system call. */
static int64_t jittered(int64_t ms)
{
	struct timespec t;
	uint32_t mix;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	mix = (uint32_t)t.tv_nsec ^ (uint32_t)getpid() * UINT32_C(2654435761);
	mix = (mix ^ mix >> 15) * UINT32_C(2246822519);
	return ms / 2 + (int64_t)(mix >> 8) % (ms / 2 + 1);
}

static int everything(const struct live *l)
{
	return LIVE_LOOK | (l->what & LIVE_PRESENCE ? LIVE_ROSTER : 0);
}

static void go_away(struct live *l)
{
	int64_t wait = FIRST_MS;

	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	l->answered = false;
	l->held.at = l->held.n = 0;
	for (unsigned i = 0; i < l->attempts && wait < LIMIT_POLL_MS; i++)
		wait *= 2;
	if (wait > LIMIT_POLL_MS)
		wait = LIMIT_POLL_MS;
	l->attempts++;
	l->deadline = clock_in(jittered(wait));
}

static int say(const struct live *l, enum datagram_kind kind)
{
	struct datagram d = {
	    .kind = kind, .text = l->room, .len = strlen(l->room)};
	char data[LIMIT_DATAGRAM];
	size_t len = datagram_make(&d, data);

	return write(l->fd, data, len) < 0 ? -errno : 0;
}

/* `who` goes first: once `sub` is answered, both hold. */
static int ask(struct live *l)
{
	int r = helper_connect(l->state, "fanout.sock", SOCK_SEQPACKET);

	if (r < 0)
		return r;
	l->fd = r;
	l->answered = false;
	l->deadline = clock_in(LIMIT_POLL_MS);
	if (l->what & LIVE_PRESENCE)
		r = say(l, DATAGRAM_WHO);
	return r < 0 ? r : say(l, DATAGRAM_SUB);
}

static int take_change(struct live *l, const struct datagram *d)
{
	l->change.joined = d->kind == DATAGRAM_CAME;
	l->change.count = d->count;
	memcpy(l->change.name, d->text, d->len);
	l->change.name[d->len] = '\0';
	return LIVE_CHANGE;
}

static int take_answer(struct live *l)
{
	l->answered = true;
	l->attempts = 0;
	l->deadline = CLOCK_NEVER;
	return everything(l);
}

/* What a datagram means to us, or -EPROTO: it wants none of us. Words that a
 * newer fanout may have are nothing to us. */
static int understand(struct live *l, const char *data, size_t len)
{
	struct datagram d;

	if (datagram_parse(data, len, &d) < 0)
		return 0;
	switch (d.kind) {
	case DATAGRAM_OK:
		return take_answer(l);
	case DATAGRAM_BELL:
		return LIVE_LOOK;
	case DATAGRAM_ROSTER:
		return LIVE_ROSTER;
	case DATAGRAM_CAME:
	case DATAGRAM_LEFT:
		return take_change(l, &d);
	default:
		return -EPROTO;
	}
}

/* Takes what has arrived, up to and with the first piece of such news. */
static int receive(struct live *l, int enough)
{
	char data[LIMIT_DATAGRAM + 1];
	int news = 0, r;
	ssize_t n;

	while (!(news & enough)) {
		n = read(l->fd, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		r = n > 0 ? understand(l, data, (size_t)n) : -EPROTO;
		if (r < 0) {
			go_away(l);
			break;
		}
		news |= r;
	}
	return news;
}

/* The deadline has come: of an attempt, or of an answer. */
static int overdue(struct live *l)
{
	if (l->fd >= 0) {
		l->deadline = clock_in(LIMIT_POLL_MS);
		return everything(l);
	}
	if (ask(l) == 0)
		return 0;
	go_away(l);
	return everything(l);
}

void live_init(struct live *l, const struct state *state, const char *room,
    enum live_what what)
{
	struct pollfd p;

	*l = (struct live){.state = state, .what = what, .fd = -1};
	(void)snprintf(l->room, sizeof l->room, "%s", room);
	if (ask(l) < 0)
		go_away(l);
	while (l->fd >= 0 && !l->answered) {
		p = live_poll(l);
		if (io_wait(&p, 1, l->deadline, IO_TERM) < 0)
			break;
		(void)receive(l, LIVE_CHANGE);
	}
}

void live_release(struct live *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	l->answered = false;
}

bool live_connected(const struct live *l)
{
	return l->answered;
}

struct pollfd live_poll(const struct live *l)
{
	return (struct pollfd){.fd = l->fd, .events = POLLIN};
}

int64_t live_deadline(const struct live *l)
{
	return l->deadline;
}

int live_turn(struct live *l)
{
	int news = l->fd >= 0 ? receive(l, LIVE_CHANGE) : 0;

	if (!(news & LIVE_CHANGE) && clock_left(l->deadline) == 0)
		news |= overdue(l);
	return news;
}

/* --- one piece of news at a time -------------------------------------- */

bool live_held(const struct live *l)
{
	return l->held.at < l->held.n;
}

/* Some at once: a call that finds no more costs as much as one that does. */
static void take_some(struct live *l)
{
	struct mmsghdr m[LIVE_PIECES] = {0};
	struct iovec iov[LIVE_PIECES];
	int n;

	for (size_t i = 0; i < LIVE_PIECES; i++) {
		iov[i] = (struct iovec){l->held.data[i], LIVE_PIECE};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	do
		n = recvmmsg(l->fd, m, LIVE_PIECES, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	l->held.last = n < LIVE_PIECES;
	l->held.at = l->held.n = 0;
	if (n < 0 && errno != EAGAIN)
		go_away(l);
	for (int i = 0; i < n; i++)
		l->held.len[l->held.n++] = m[i].msg_len;
}

/* 0 if it was no news. */
static int understand_next(struct live *l)
{
	size_t i = l->held.at++, len = l->held.len[i];
	int r = len ? understand(l, l->held.data[i], len) : -EPROTO;

	if (r < 0)
		go_away(l);
	return r < 0 ? 0 : r;
}

int live_next(struct live *l)
{
	int news = 0;

	do {
		if (!live_held(l) && l->fd >= 0)
			take_some(l);
		while (live_held(l) && !news)
			news = understand_next(l);
	} while (!news && l->fd >= 0 && !l->held.last);
	if (!news && clock_left(l->deadline) == 0)
		return overdue(l);
	return news && !live_held(l) && l->held.last ? news | LIVE_LAST : news;
}
