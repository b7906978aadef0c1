/*
 * The loop. What it does when, by phase:
 *
 *	            SERVE      DRAIN        KILL        HELPERS     HELPERS_KILL
 *	connection  accept     (closed)
 *	SIGTERM     -> DRAIN   -> KILL      -           -> H._KILL  -
 *	deadline    none       -> KILL      none        -> H._KILL  none
 *	last handler gone      -> HELPERS   -> HELPERS
 *	last helper gone                                end         end
 *
 * On entering DRAIN listeners close and handlers get SIGTERM, on entering KILL
 * SIGKILL; HELPERS and HELPERS_KILL are the same for helpers, which handlers
 * may need to the last.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "serve.h"

#define EVENTS 16

void loop_open_or_die(struct serve *s)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->poll = epoll_create1(EPOLL_CLOEXEC);
	if (s->signals < 0 || s->poll < 0 ||
	    epoll_ctl(s->poll, EPOLL_CTL_ADD, s->signals, &event) < 0)
		serve_die("start", NULL, NULL, -errno);
	s->deadline = s->pause = CLOCK_NEVER;
	s->held.fd = -1;
}

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

/* The machine is out of something: goes on when a handler has ended, or in a
 * while. Under load that may be often; the log hears of it now and then. */
static void pause_for(struct serve *s, const char *event, int error)
{
	struct log_line line;

	s->pause = clock_in(SERVE_PAUSE_MS);
	if (clock_left(s->quiet) != 0)
		return;
	s->quiet = clock_in(SERVE_QUIET_MS);
	log_begin(&line, LOG_ERR, event);
	log_errno(&line, error);
	log_number(&line, "pause_ms", SERVE_PAUSE_MS);
	log_end(&line);
}

static bool is_shortage(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EMFILE ||
	       error == -ENFILE || error == -ENOBUFS;
}

/* A connection that cannot be served now is held, not dropped. */
static void hold(
    struct serve *s, struct door *door, int fd, const struct peer *peer)
{
	s->held.fd = fd;
	s->held.door = door;
	s->held.peer = *peer;
}

static void tell_failure(
    const struct door *door, const struct peer *peer, int error)
{
	char text[PEER_TEXT];
	struct log_line line;

	peer_text(peer, text);
	log_begin(&line, LOG_ERR, "handler");
	log_string(&line, "door", door->name);
	log_string(&line, "peer", text);
	log_string(&line, "program", door->handler);
	log_errno(&line, error);
	log_end(&line);
}

static void hand_over(
    struct serve *s, struct door *door, int fd, const struct peer *peer)
{
	pid_t pid;
	int r = handler_start(door, fd, peer, &pid);

	if (is_shortage(r)) {
		hold(s, door, fd, peer);
		pause_for(s, "handler", r);
		return;
	}
	(void)close(fd);
	if (r == 0)
		table_add(s, pid, door, peer);
	else
		tell_failure(door, peer, r);
}

static void accept_from(struct serve *s, struct listener *l)
{
	struct peer peer;
	int fd;

	if (l->fd < 0 || !is_open(s, l))
		return;
	fd = listener_accept(l, &peer);
	if (fd == -EAGAIN)
		return;
	if (fd < 0)
		pause_for(s, "accept", fd);
	else if (!table_admits(s, &peer, l->door))
		(void)close(fd);
	else
		hand_over(s, l->door, fd, &peer);
}

static void resume(struct serve *s)
{
	int fd = s->held.fd;

	if (s->pause == CLOCK_NEVER)
		return;
	s->pause = CLOCK_NEVER;
	s->held.fd = -1;
	if (fd >= 0)
		hand_over(s, s->held.door, fd, &s->held.peer);
}

/* --- ending --------------------------------------------------------------- */

static void enter(struct serve *s, enum phase phase, int64_t ms)
{
	s->phase = phase;
	s->deadline = ms ? clock_in(ms) : CLOCK_NEVER;
}

static void stop_accepting(struct serve *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		listener_close(&s->listeners[i]);
		s->listeners[i].watched = false;
	}
	if (s->held.fd >= 0)
		(void)close(s->held.fd);
	s->held.fd = -1;
	s->pause = CLOCK_NEVER;
}

static void drain(struct serve *s)
{
	struct log_line line;

	(void)sd_notify(0, "STOPPING=1");
	enter(s, PHASE_DRAIN, LIMIT_DRAIN_MS);
	stop_accepting(s);
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
	if (s->phase == PHASE_SERVE || s->connections)
		return true;
	if (s->phase < PHASE_HELPERS) {
		enter(s, PHASE_HELPERS, SERVE_HELPER_STOP_MS);
		return helpers_stop(s, SIGTERM);
	}
	return helpers_stop(s, 0);
}

/* --- events --------------------------------------------------------------- */

static void reap(struct serve *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!helpers_ended(s, pid, status))
			(void)table_remove(s, pid, status);
	resume(s);
}

static void on_signals(struct serve *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else
			hurry(s);
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
		resume(s);
	if (s->phase < PHASE_HELPERS)
		helpers_turn(s);
}

static void turn(struct serve *s)
{
	struct epoll_event events[EVENTS];
	int64_t next =
	    earlier(helpers_deadline(s), earlier(s->deadline, s->pause));
	int n = epoll_wait(s->poll, events, EVENTS, clock_left(next));

	if (n < 0 && errno != EINTR)
		log_die("wait", errno);
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			accept_from(s, events[i].data.ptr);
		else
			on_signals(s);
	}
}

void loop_run(struct serve *s)
{
	while (advance(s)) {
		on_time(s);
		watch(s);
		turn(s);
	}
}
