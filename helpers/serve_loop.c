/*
 * The loop. What it does when, by phase:
 *
 *	            SERVE      DRAIN        KILL        HELPERS     HELPERS_KILL
 *	connection  accept     (closed)
 *	SIGHUP      reload     -            -           -           -
 *	SIGTERM     -> DRAIN   -> KILL      -           -> H._KILL  -
 *	deadline    none       -> KILL      none        -> H._KILL  none
 *	last handler gone      -> HELPERS   -> HELPERS
 *	last helper gone                                end         end
 *
 * On entering DRAIN listeners close, templates are retired and handlers get
 * SIGTERM, on entering KILL SIGKILL; HELPERS and HELPERS_KILL are the same for
 *helpers, which handlers may need to the last.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "serve.h"

#define EVENTS 16

/* --- accepting ------------------------------------------------------------ */

static bool is_open(const struct serve *s, const struct listener *l)
{
	return s->pause == CLOCK_NEVER &&
	       l->door->count < s->settings.connections;
}

/* Waits for those listeners, and only those, that may be accepted from: the
 * peers of the others stay in the backlog. */
static void watch(struct serve *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
		bool open = l->fd >= 0 && is_open(s, l);

		if (open == l->watched)
			continue;
		if (epoll_ctl(s->poll, open ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
			l->fd, &event) == 0)
			l->watched = open;
		else if (open)
			s->pause = clock_in(SERVE_PAUSE_MS);
	}
}

/* -EAGAIN: none is there, or none that is welcome. */
static int accept_into(
    struct serve *s, const struct listener *l, struct connection *c)
{
	int fd = listener_accept(l, &c->peer);

	if (fd < 0)
		return fd;
	if (!table_admits(s, &c->peer, l->door)) {
		(void)close(fd);
		return -EAGAIN;
	}
	c->door = l->door;
	c->fd = fd;
	table_enter(s, c);
	return 0;
}

static void accept_from(struct serve *s, struct watch *watch)
{
	struct listener *l = (struct listener *)watch;
	struct connection *c;
	int r;

	if (l->fd < 0 || !is_open(s, l))
		return;
	c = calloc(1, sizeof *c);
	r = c ? accept_into(s, l, c) : -ENOMEM;
	if (r == 0) {
		connection_serve(s, c);
		return;
	}
	free(c);
	if (r != -EAGAIN)
		connections_pause(s, "accept", r);
}

/* --- ending --------------------------------------------------------------- */

static void enter(struct serve *s, enum phase phase, int64_t ms)
{
	s->phase = phase;
	s->deadline = ms ? clock_in(ms) : CLOCK_NEVER;
}

static void stop_accepting(struct serve *s)
{
	struct connection *c;

	for (size_t i = 0; i < s->listener_count; i++) {
		listener_close(&s->listeners[i]);
		s->listeners[i].watched = false;
	}
	while ((c = s->held)) {
		DL_DELETE(s->held, c);
		table_drop(s, c);
	}
	s->pause = CLOCK_NEVER;
}

static void drain(struct serve *s)
{
	struct log_line line;

	(void)sd_notify(0, "STOPPING=1");
	enter(s, PHASE_DRAIN, LIMIT_DRAIN_MS);
	stop_accepting(s);
	reload_give_up(s);
	templates_retire(s);
	log_begin(&line, LOG_INFO, "drain");
	log_number(&line, "connections", HASH_COUNT(s->connections));
	log_end(&line);
	table_signal(s, SIGTERM);
}

static void hurry(struct serve *s)
{
	switch (s->phase) {
	case PHASE_SERVE:
		drain(s);
		break;
	case PHASE_DRAIN:
		enter(s, PHASE_KILL, 0);
		templates_kill(s);
		table_signal(s, SIGKILL);
		break;
	case PHASE_HELPERS:
		enter(s, PHASE_HELPERS_KILL, 0);
		(void)helpers_stop(s, SIGKILL);
		break;
	default:
		break;
	}
}

/* Goes on to the next phase where this one has done its work; false: all is
 * done. */
static bool advance(struct serve *s)
{
	if (s->phase == PHASE_SERVE || s->connections || templates_run(s) ||
	    s->check.pid)
		return true;
	if (s->phase < PHASE_HELPERS) {
		enter(s, PHASE_HELPERS, SERVE_HELPER_STOP_MS);
		return helpers_stop(s, SIGTERM);
	}
	return helpers_stop(s, 0);
}

/* --- events --------------------------------------------------------------- */

/* A child of a template answers before it does anything else: one that we do
 * not know has done so, or was never to serve. */
static void reaped(struct serve *s, pid_t pid, int status)
{
	if (table_remove(s, pid, status) || helpers_ended(s, pid, status) ||
	    templates_ended(s, pid, status) || reload_ended(s, pid, status))
		return;
	templates_read(s);
	(void)table_remove(s, pid, status);
}

static void reap(struct serve *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(s, pid, status);
	connections_resume(s);
}

/* SIGHUP also tells that a terminal is gone: whoever looked at us left. */
static bool hung_up(const struct serve *s)
{
	return s->terminal && !reload_has_terminal();
}

static void reload(struct serve *s)
{
	if (s->phase == PHASE_SERVE)
		reload_begin(s);
}

static void on_signals(struct serve *s, struct watch *watch)
{
	struct signalfd_siginfo info;

	(void)watch;
	while (read(s->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (info.ssi_signo == SIGHUP && !hung_up(s))
			reload(s);
		else
			hurry(s);
	}
}

/* 0 or -errno, and then all is as before. */
static int open_both(struct serve *s, const sigset_t *set)
{
	struct epoll_event event = {
	    .events = EPOLLIN, .data.ptr = &s->on_signals};
	int r = 0;

	s->signals = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->poll = s->signals < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (s->poll < 0 ||
	    epoll_ctl(s->poll, EPOLL_CTL_ADD, s->signals, &event) < 0)
		r = -errno;
	if (r < 0 && s->poll >= 0)
		(void)close(s->poll);
	if (r < 0 && s->signals >= 0)
		(void)close(s->signals);
	return r;
}

static int loop_open(struct serve *s)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->deadline = s->pause = CLOCK_NEVER;
	s->check.deadline = CLOCK_NEVER;
	s->on_signals.ready = on_signals;
	templates_init(s);
	return open_both(s, &set);
}

void loop_open_or_die(struct serve *s)
{
	int r = loop_open(s);

	if (r < 0)
		serve_die("start", NULL, NULL, r);
}

/* Nothing tells when the machine has again what it was out of. */
void loop_open_again(struct serve *s)
{
	int r = loop_open(s);

	while (r < 0) {
		connections_pause(s, "reload", r);
		(void)poll(NULL, 0, SERVE_PAUSE_MS);
		r = loop_open(s);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void on_time(struct serve *s)
{
	if (clock_left(s->deadline) == 0)
		hurry(s);
	if (clock_left(s->pause) == 0)
		connections_resume(s);
	if (clock_left(s->check.deadline) == 0)
		reload_give_up(s);
	templates_turn(s);
	if (s->phase < PHASE_HELPERS)
		helpers_turn(s);
}

static void turn(struct serve *s)
{
	struct epoll_event events[EVENTS];
	int64_t next =
	    earlier(earlier(helpers_deadline(s), templates_deadline(s)),
		earlier(s->check.deadline, earlier(s->deadline, s->pause)));
	int n = epoll_wait(s->poll, events, EVENTS, clock_left(next));

	if (n < 0 && errno != EINTR)
		log_die("wait", errno);
	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->ready(s, watch);
	}
}

void loop_run(struct serve *s)
{
	for (size_t i = 0; i < s->listener_count; i++)
		s->listeners[i].watch.ready = accept_from;
	/* What ended while we executed ourselves. */
	reap(s);
	while (advance(s)) {
		on_time(s);
		watch(s);
		turn(s);
	}
}
