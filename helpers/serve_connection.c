/*
 * A connection on its way to a handler:
 *
 *	accepted -> at the template -> served
 *	                |   ^
 *	                v   | (next one)
 *	            spawned -> served, or held for a pause, or dropped
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "serve.h"

/* Goes on when a handler has ended, or in a while. Under load that may be
 * often; the log hears of it now and then. */
void connections_pause(struct serve *s, const char *event, int error)
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

void connections_resume(struct serve *s)
{
	struct connection *held = s->held, *c;

	if (s->pause == CLOCK_NEVER)
		return;
	s->pause = CLOCK_NEVER;
	s->held = NULL;
	while ((c = held)) {
		DL_DELETE(held, c);
		connection_serve(s, c);
	}
}

static bool is_shortage(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EMFILE ||
	       error == -ENFILE || error == -ENOBUFS;
}

static void tell_failure(const struct connection *c, int error)
{
	char text[PEER_TEXT];
	struct log_line line;

	peer_text(&c->peer, text);
	log_begin(&line, LOG_ERR, "handler");
	log_string(&line, "door", c->door->name);
	log_string(&line, "peer", text);
	log_string(&line, "program", c->door->handler);
	log_errno(&line, error);
	log_end(&line);
}

/* One that was on its way when we were told to end is told, too. */
void connection_served(struct serve *s, struct connection *c, pid_t pid)
{
	(void)close(c->fd);
	c->fd = -1;
	table_started(s, c, pid);
	if (s->phase != PHASE_SERVE)
		(void)kill(pid, s->phase == PHASE_DRAIN ? SIGTERM : SIGKILL);
}

void connection_spawn(struct serve *s, struct connection *c)
{
	pid_t pid;
	int r = handler_start(c->door, c->fd, &c->peer, &pid);

	if (r == 0) {
		connection_served(s, c, pid);
	} else if (is_shortage(r) && s->phase == PHASE_SERVE) {
		DL_APPEND(s->held, c);
		connections_pause(s, "handler", r);
	} else {
		tell_failure(c, r);
		table_drop(s, c);
	}
}

void connection_failed(struct serve *s, struct connection *c, int error)
{
	if (!is_shortage(error) || s->phase != PHASE_SERVE) {
		connection_spawn(s, c);
		return;
	}
	DL_APPEND(s->held, c);
	connections_pause(s, "handler", error);
}

void connection_serve(struct serve *s, struct connection *c)
{
	if (!template_take(s, c))
		connection_spawn(s, c);
}
