#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "gallery.h"
#include "lib/clock.h"

#define BATCH 256 /* viewers' events taken at once */
#define QUEUE_BATCH 64 /* viewers sent history to at once */
#define HEARD_MOST 65536 /* a browser sends nothing at all */

/* What waits in the kernel for one who does not read; doubled by Linux. It
 * would let it grow to megabytes by itself. */
#define SEND_BUFFER 65536

/* --- being a viewer --------------------------------------------------------
 */

static void queue(struct gallery *g, struct viewer *v)
{
	if (v->queued)
		return;
	v->queued = true;
	DL_APPEND2(g->queue, v, queue_prev, queue_next);
	(void)sd_event_source_set_enabled(g->more, SD_EVENT_ON);
}

static void unqueue(struct gallery *g, struct viewer *v)
{
	if (!v->queued)
		return;
	v->queued = false;
	DL_DELETE2(g->queue, v, queue_prev, queue_next);
}

static void tune(int fd)
{
	int one = 1, size = SEND_BUFFER, stall = LIMIT_STALL_MS, is = 0;
	socklen_t len = sizeof is;

	/* Events go out at once, and one who vanished is noticed. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0)
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
	else if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &is, &len) == 0 &&
		 is <= 2 * size)
		return; /* a Unix socket: its buffer stays as it is */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* Edge-triggered: an event tells of a change, and costs no call to be rid of.
 * It is a stream socket, or the first write will say what it is. */
static int attend(struct gallery *g, struct viewer *v)
{
	struct epoll_event e = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = v};

	if (epoll_ctl(g->poll, EPOLL_CTL_ADD, v->fd, &e) < 0)
		return -errno;
	return 0;
}

static struct viewer *make(const struct park *p, int fd)
{
	struct viewer *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->fd = fd;
	v->number = p->next;
	v->progress = gallery_now();
	return v;
}

int viewer_new(struct gallery *g, const struct park *p, int fd)
{
	struct viewer *v = make(p, fd);
	int r = v ? 0 : -ENOMEM;

	if (r == 0)
		r = origin_enter(g, p->source, p->source_len, &v->origin);
	if (r < 0)
		goto fail;
	r = hall_get(g, p->room, p->room_len, &v->hall);
	if (r < 0)
		goto fail_origin;
	r = attend(g, v);
	if (r < 0)
		goto fail_hall;
	tune(fd);
	DL_APPEND(v->hall->viewers, v);
	wheel_put(g, v, EVENTS_PING_MS / 1000);
	queue(g, v);
	g->viewers++;
	g->used++;
	return 0;
fail_hall:
	hall_leave(g, v->hall);
fail_origin:
	origin_leave(g, v->origin);
fail:
	free(v);
	(void)close(fd);
	return r;
}

/* The handler may hold the socket for a moment yet, and with it what epoll
 * knows of it: closing is not enough. */
void viewer_free(struct gallery *g, struct viewer *v)
{
	(void)epoll_ctl(g->poll, EPOLL_CTL_DEL, v->fd, NULL);
	(void)close(v->fd);
	unqueue(g, v);
	wheel_take(g, v);
	DL_DELETE(v->hall->viewers, v);
	hall_leave(g, v->hall);
	origin_leave(g, v->origin);
	g->viewers--;
	g->used--;
	free(v);
}

/* --- sending ---------------------------------------------------------------
 */

enum outcome { OUTCOME_ALL, OUTCOME_PART, OUTCOME_GONE };

/* How much of it was taken is in *ret. */
static enum outcome put(
    struct viewer *v, const char *data, size_t len, size_t *ret)
{
	ssize_t n = send(v->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*ret = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
			       errno == ENOMEM
			   ? OUTCOME_PART
			   : OUTCOME_GONE;
	if (n)
		v->progress = gallery_now();
	return *ret == len ? OUTCOME_ALL : OUTCOME_PART;
}

static enum outcome put_ping(struct viewer *v)
{
	enum outcome o;
	size_t n;

	o = put(v, EVENTS_PING + v->sent, EVENTS_PING_LEN - v->sent, &n);
	v->sent += (uint32_t)n;
	v->pinging = o == OUTCOME_PART && v->sent;
	if (o != OUTCOME_PART)
		v->sent = 0;
	return o;
}

/* Moves it on by n bytes of what is in g->events. */
static void advance(const struct events *e, struct viewer *v, size_t n)
{
	size_t i = (size_t)(v->number - e->first);
	size_t from = i ? e->ends[i - 1] : 0;

	for (n += from + v->sent; i < e->count && n >= e->ends[i]; i++)
		from = e->ends[i];
	v->number = e->first + i;
	v->sent = (uint32_t)(n - from);
	v->len = i < e->count ? e->ends[i] - (uint32_t)from : 0;
}

/* An event that was begun must be the same one still: not of a record that was
 * redacted, or of another file. */
static enum outcome put_events(struct gallery *g, struct viewer *v)
{
	const struct events *e = &g->events;
	size_t i, from, n;
	enum outcome o;
	int r = hall_show(g, v->hall, v->number);

	if (r == -ENOENT && !v->sent)
		return OUTCOME_ALL;
	if (r < 0)
		return OUTCOME_GONE;
	i = (size_t)(v->number - e->first);
	from = i ? e->ends[i - 1] : 0;
	if (v->sent && v->len != e->ends[i] - from)
		return OUTCOME_GONE;
	from += v->sent;
	o = put(v, e->data + from, e->ends[e->count - 1] - from, &n);
	advance(e, v, n);
	return o;
}

/* What became of it says what it waits for, and until when. */
static void settle(struct gallery *g, struct viewer *v, enum outcome o)
{
	bool was = v->blocked;

	if (o == OUTCOME_GONE) {
		viewer_free(g, v);
		return;
	}
	v->blocked = o == OUTCOME_PART;
	if (v->blocked && !was)
		v->progress = gallery_now();
	if (was && !v->blocked) {
		wheel_take(g, v);
		wheel_put(g, v, EVENTS_PING_MS / 1000);
	}
	if (!v->blocked && v->number <= v->hall->room.count)
		queue(g, v);
}

void viewer_send(struct gallery *g, struct viewer *v)
{
	enum outcome o = v->pinging ? put_ping(v) : OUTCOME_ALL;

	if (o == OUTCOME_ALL)
		o = put_events(g, v);
	settle(g, v, o);
}

void viewer_ping(struct gallery *g, struct viewer *v)
{
	settle(g, v, put_ping(v));
}

/* --- waiting ---------------------------------------------------------------
 */

/* Drops what it says, and one who says too much. */
static bool hear(struct viewer *v)
{
	char drop[4096];
	ssize_t n;

	do {
		n = recv(v->fd, drop, sizeof drop, MSG_DONTWAIT);
		if (n > 0)
			v->heard += (uint32_t)n;
	} while (n > 0 && v->heard <= HEARD_MOST);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && v->heard <= HEARD_MOST;
}

/* Frees no viewer but this one: others' events may be at hand already. */
static void take_event(struct gallery *g, struct viewer *v, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ||
	    (events & EPOLLIN && !hear(v)))
		viewer_free(g, v);
	else if (events & EPOLLOUT && v->blocked)
		viewer_send(g, v);
}

static int on_viewers(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct epoll_event events[BATCH];
	struct gallery *g = arg;
	int n = epoll_wait(fd, events, BATCH, 0);

	(void)source;
	(void)revents;
	for (int i = 0; i < n; i++)
		take_event(g, events[i].data.ptr, events[i].events);
	return n < 0 && errno != EINTR ? -errno : 0;
}

/* Who has more to get has it in turns. */
static int on_more(sd_event_source *source, void *arg)
{
	struct gallery *g = arg;
	struct viewer *v;

	for (int i = 0; i < QUEUE_BATCH && g->queue; i++) {
		v = g->queue;
		unqueue(g, v);
		viewer_send(g, v);
	}
	return g->queue ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int viewers_start(struct gallery *g)
{
	int r;

	g->poll = epoll_create1(EPOLL_CLOEXEC);
	if (g->poll < 0)
		return -errno;
	r = sd_event_add_io(
	    g->single.event, NULL, g->poll, EPOLLIN, on_viewers, g);
	if (r >= 0)
		r = sd_event_add_defer(g->single.event, &g->more, on_more, g);
	if (r >= 0)
		r = sd_event_source_set_enabled(g->more, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

void viewers_end(struct gallery *g)
{
	struct hall *h, *next;

	for (h = g->halls; h; h = next) {
		next = h->hh.next;
		/* The hall goes with the last of them. */
		for (struct viewer *v = h->viewers, *after; v; v = after) {
			after = v->next;
			viewer_free(g, v);
		}
	}
	(void)sd_event_source_disable_unref(g->more);
	(void)close(g->poll);
}
