/*
 * Hand-overs: a handler connects, says `view ROOM NEXT SOURCE` with its
 * client's socket beside it, hears what becomes of it, and ends (park.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "gallery.h"
#include "lib/clock.h"
#include "lib/log.h"

#define ACCEPT_BATCH 64 /* hand-overs before others get their turn */
#define PAUSE_USEC 1000000 /* without descriptors or memory */
#define FULL_LOG_MS 60000
#define CALLERS 32 /* who connected and have not said anything */
#define DESCRIPTORS 8 /* that a datagram may hold: more are not received */

/* A handler that was interrupted between connecting and asking. */
struct caller {
	struct gallery *gallery;
	int fd;
	sd_event_source *source;
	struct caller *prev, *next;
};

/* Once a minute at most: at a limit viewers come and go. */
static void log_full(struct gallery *g, int error)
{
	int64_t now = clock_ms();
	struct log_line l;

	if (g->full_logged && now - g->full_logged < FULL_LOG_MS)
		return;
	g->full_logged = now;
	log_begin(&l, LOG_WARNING, "full");
	log_number(&l, "viewers", (int64_t)g->viewers);
	if (error)
		log_errno(&l, error);
	log_end(&l);
}

/* --- one of them -----------------------------------------------------------
 */

/* What came, and the one descriptor with it; -1 where there was none, or more
 * than one. False if nothing came yet. */
struct call {
	char text[LIMIT_DATAGRAM + 1];
	ssize_t len; /* or -errno */
	int fd;
	bool cut; /* a descriptor did not fit into our table */
};

static int only_descriptor(struct msghdr *m)
{
	int fds[DESCRIPTORS], fd = -1;
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof fds[0];
		memcpy(fds, CMSG_DATA(c), n * sizeof fds[0]);
	}
	if (n == 1)
		fd = fds[0];
	for (size_t i = 0; n > 1 && i < n; i++)
		(void)close(fds[i]);
	return fd;
}

static void hear(int from, struct call *call)
{
	union {
		char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {call->text, sizeof call->text};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control};

	call->fd = -1;
	call->len = recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (call->len < 0) {
		call->len = -errno;
		return;
	}
	call->fd = only_descriptor(&m);
	call->cut = m.msg_flags & MSG_CTRUNC;
}

static bool is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* Takes it in; what it is told. The descriptor is used up. */
static const char *admit(struct gallery *g, const struct call *call)
{
	struct park p;
	int r;

	if (call->fd < 0)
		return call->cut ? PARK_FULL : "error one descriptor, please";
	if (park_parse(call->text, (size_t)call->len, &p) < 0 ||
	    !is_stream(call->fd)) {
		(void)close(call->fd);
		return "error not understood";
	}
	if (!gallery_has_place(g, 1)) {
		(void)close(call->fd);
		log_full(g, 0);
		return PARK_FULL;
	}
	r = viewer_new(g, &p, call->fd);
	if (r == 0)
		return PARK_OK;
	log_full(g, r);
	return r == -ENFILE || r == -EMFILE ? PARK_FULL : "error failed";
}

/* True if it has been dealt with. */
static bool deal(struct gallery *g, int fd)
{
	struct call call;
	const char *answer;

	hear(fd, &call);
	if (call.len == -EAGAIN || call.len == -EINTR)
		return false;
	if (call.len <= 0)
		return true;
	answer = admit(g, &call);
	if (call.cut)
		log_full(g, -EMFILE);
	(void)send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

/* --- those who have not asked yet ------------------------------------------
 */

static void caller_free(struct caller *c)
{
	struct gallery *g = c->gallery;

	(void)sd_event_source_disable_unref(c->source);
	DL_DELETE(g->callers, c);
	(void)close(c->fd);
	free(c);
}

static int on_caller(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct caller *c = arg;

	(void)source;
	(void)revents;
	if (deal(c->gallery, fd))
		caller_free(c);
	return 0;
}

/* Where there are too many, the oldest goes: it is served by its handler. */
static void caller_new(struct gallery *g, int fd)
{
	struct caller *c = calloc(1, sizeof *c), *old;
	int count;

	if (!c || sd_event_add_io(g->single.event, &c->source, fd, EPOLLIN,
		      on_caller, c) < 0) {
		free(c);
		(void)close(fd);
		return;
	}
	c->gallery = g;
	c->fd = fd;
	DL_COUNT(g->callers, old, count);
	if (count >= CALLERS)
		caller_free(g->callers);
	DL_APPEND(g->callers, c);
}

/* --- accepting -------------------------------------------------------------
 */

static void accept_resume(struct gallery *g)
{
	(void)sd_event_source_set_enabled(g->pause, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(g->accepting, SD_EVENT_ON);
}

static int on_pause_end(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	accept_resume(arg);
	return 0;
}

/* The listener would be readable for ever. Who waits in its backlog does so
 * for LIMIT_PARK_MS, and ends the stream then. */
static void accept_pause(struct gallery *g)
{
	(void)sd_event_source_set_enabled(g->accepting, SD_EVENT_OFF);
	if (sd_event_source_set_time_relative(g->pause, PAUSE_USEC) < 0 ||
	    sd_event_source_set_enabled(g->pause, SD_EVENT_ONESHOT) < 0)
		accept_resume(g);
}

static int accept_fd(const struct gallery *g)
{
	int fd = accept4(
	    g->single.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int spare_fd(const struct gallery *g)
{
	return fcntl(g->single.listener, F_DUPFD_CLOEXEC, 0);
}

/* No descriptor for another caller: the spare one serves to tell it so. What
 * it sends along is not received. */
static int refuse_one(struct gallery *g)
{
	char text[LIMIT_DATAGRAM];
	int fd;

	if (g->spare < 0)
		g->spare = spare_fd(g);
	if (g->spare < 0)
		return -EMFILE;
	(void)close(g->spare);
	fd = accept_fd(g);
	if (fd >= 0) {
		(void)recv(fd, text, sizeof text, MSG_DONTWAIT);
		(void)send(fd, PARK_FULL, strlen(PARK_FULL),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)close(fd);
	}
	g->spare = spare_fd(g);
	return fd >= 0 || fd == -ECONNABORTED ? 1 : fd;
}

/* 1 if there may be more, 0 if not now, -errno */
static int accept_one(struct gallery *g)
{
	int fd = accept_fd(g);

	if (fd == -EINTR || fd == -ECONNABORTED)
		return 1;
	if (fd == -EAGAIN)
		return 0;
	if (fd == -EMFILE || fd == -ENFILE) {
		log_full(g, fd);
		return refuse_one(g);
	}
	if (fd < 0)
		return fd;
	if (deal(g, fd))
		(void)close(fd);
	else
		caller_new(g, fd);
	return 1;
}

static int on_connection(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct gallery *g = arg;
	int r = 1;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPT_BATCH && r == 1; i++)
		r = accept_one(g);
	if (r < 0 && r != -EAGAIN)
		accept_pause(g);
	return 0;
}

int callers_start(struct gallery *g)
{
	int r = sd_event_add_time_relative(
	    g->single.event, &g->pause, CLOCK_MONOTONIC, 0, 0, on_pause_end, g);

	g->spare = spare_fd(g);
	if (r >= 0)
		r = sd_event_source_set_enabled(g->pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(g->single.event, &g->accepting,
		    g->single.listener, EPOLLIN, on_connection, g);
	return r < 0 ? r : 0;
}

void callers_end(struct gallery *g)
{
	while (g->callers)
		caller_free(g->callers);
	(void)sd_event_source_disable_unref(g->accepting);
	(void)sd_event_source_disable_unref(g->pause);
}
