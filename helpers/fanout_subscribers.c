/* Connections: accepting them, their commands, their end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "fanout.h"
#include "lib/clock.h"
#include "lib/log.h"

#define ACCEPT_BATCH 64 /* connections taken before others get their turn */
#define COMMAND_BATCH 16 /* commands, of one subscriber */
#define PAUSE_USEC 1000000 /* without descriptors or memory */
#define FULL_LOG_MS 60000
/* Of a subscriber who does not read; Linux doubles it. */
#define SEND_BUFFER 32768

static const char *obey(struct subscriber *s, const char *data, size_t len)
{
	struct datagram d;

	if (datagram_parse(data, len, &d) < 0)
		return "malformed command";
	switch (d.kind) {
	case DATAGRAM_SUB:
		return subscriber_add_room(s, d.text, d.len);
	case DATAGRAM_WHO:
		s->who = true;
		return NULL;
	default:
		return "not a command";
	}
}

/* --- connections -----------------------------------------------------------
 */

static void accept_resume(struct fanout *f)
{
	(void)sd_event_source_set_enabled(f->pause, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(f->accepting, SD_EVENT_ON);
}

static int on_pause_end(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	accept_resume(arg);
	return 0;
}

/* Once a minute at most: at the limit connections come and go. */
static void log_full(struct fanout *f, int error)
{
	int64_t now = clock_ms();
	struct log_line l;

	if (f->full_logged && now - f->full_logged < FULL_LOG_MS)
		return;
	f->full_logged = now;
	log_begin(&l, LOG_WARNING, "full");
	log_number(&l, "subscribers", (int64_t)f->connected);
	if (error)
		log_errno(&l, error);
	log_end(&l);
}

/* No descriptor for another: the listener would be readable for ever. Who
 * waits in its backlog is accepted when somebody leaves, or memory or the
 * system's table of files allows, so it is tried again. */
static void accept_pause(struct fanout *f, int error)
{
	log_full(f, error);
	(void)sd_event_source_set_enabled(f->accepting, SD_EVENT_OFF);
	if (sd_event_source_set_time_relative(f->pause, PAUSE_USEC) < 0 ||
	    sd_event_source_set_enabled(f->pause, SD_EVENT_ONESHOT) < 0)
		accept_resume(f);
}

static void subscriber_free(struct subscriber *s)
{
	struct fanout *f = s->fanout;

	subscriber_drop_rooms(s);
	DL_DELETE(f->subscribers, s);
	f->connected--;
	(void)sd_event_source_disable_unref(s->source);
	(void)close(s->fd);
	free(s);
	accept_resume(f);
}

/* A refused one is told why, if its socket takes it, and is gone. */
static void refuse(struct subscriber *s, const char *why)
{
	struct datagram d = {
	    .kind = DATAGRAM_ERROR, .text = why, .len = strlen(why)};
	char data[LIMIT_DATAGRAM];

	(void)subscriber_tell(s, data, datagram_make(&d, data));
	subscriber_free(s);
}

/* Takes its commands. The end of its connection reads as 0 bytes. */
static void listen_to(struct subscriber *s)
{
	char data[LIMIT_DATAGRAM + 1];
	const char *wrong;
	ssize_t n;

	for (int i = 0; i < COMMAND_BATCH; i++) {
		n = recv(s->fd, data, sizeof data, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			subscriber_free(s);
			return;
		}
		wrong = obey(s, data, (size_t)n);
		if (wrong) {
			refuse(s, wrong);
			return;
		}
	}
}

static int on_subscriber(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct subscriber *s = arg;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		subscriber_pay(s);
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		listen_to(s);
	return 0;
}

static int subscriber_new(struct fanout *f, int fd)
{
	struct subscriber *s = calloc(1, sizeof *s);
	int size = SEND_BUFFER, r;

	if (!s)
		return -ENOMEM;
	s->fanout = f;
	s->fd = fd;
	r = sd_event_add_io(
	    f->single.event, &s->source, fd, EPOLLIN, on_subscriber, s);
	if (r < 0) {
		free(s);
		return r;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	DL_APPEND(f->subscribers, s);
	f->connected++;
	return 0;
}

/* 1 if there may be more, 0 if not now, -errno */
static int accept_one(struct fanout *f)
{
	int fd = accept4(
	    f->single.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int r;

	if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
		return 1;
	if (fd < 0)
		return errno == EAGAIN ? 0 : -errno;
	r = subscriber_new(f, fd);
	if (r == 0)
		return 1;
	(void)close(fd);
	return r;
}

static int on_connection(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct fanout *f = arg;
	int r = 1;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPT_BATCH && r == 1; i++) {
		if (f->connected >= f->most) {
			accept_pause(f, 0);
			return 0;
		}
		r = accept_one(f);
	}
	if (r < 0)
		accept_pause(f, r);
	return 0;
}

int subscribers_start(struct fanout *f)
{
	int r = sd_event_add_time_relative(
	    f->single.event, &f->pause, CLOCK_MONOTONIC, 0, 0, on_pause_end, f);

	if (r >= 0)
		r = sd_event_source_set_enabled(f->pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(f->single.event, &f->accepting,
		    f->single.listener, EPOLLIN, on_connection, f);
	return r < 0 ? r : 0;
}

void subscribers_end(struct fanout *f)
{
	struct subscriber *s, *next;

	for (s = f->subscribers; s; s = next) {
		next = s->next;
		subscriber_free(s);
	}
	(void)sd_event_source_disable_unref(f->accepting);
	(void)sd_event_source_disable_unref(f->pause);
}
