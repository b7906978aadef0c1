/*
 * Templates, as serve sees them (lib/template.h). By state:
 *
 *	          pid  fd    retired
 *	free      0    -1    -
 *	serving   > 0  >= 0  no        connections are sent to it
 *	retiring  > 0  >= 0  yes       it ends once it has read what was sent
 *	ended     0    >= 0  yes       its last children may still answer
 *	killed    > 0  -1    yes       until it is reaped
 *
 * A connection is ours until its child has answered for it. The end of the
 * socket, which every child closes after its answer, tells that no more will
 * come; a template that is stuck is cut off by shutdown(2), after which none
 * can. Connections that are left over then get a process of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/template.h"
#include "serve.h"

/* --- answers -------------------------------------------------------------- */

static void take_answer(
    struct serve *s, struct template *t, const struct template_answer *a)
{
	struct connection *c;
	bool first;

	DL_SEARCH_SCALAR(t->waiting, c, number, a->number);
	if (!c)
		return;
	first = c == t->waiting;
	DL_DELETE(t->waiting, c);
	/* A crowd takes its time; who gets on with it is not stuck. */
	if (first && t->waiting)
		t->waiting->deadline = clock_in(SERVE_TEMPLATE_STUCK_MS);
	t->answered = true;
	t->door->delay = t->door->retry = 0;
	if (a->pid > 0)
		connection_served(s, c, a->pid);
	else
		connection_failed(s, c, a->pid);
}

static void close_socket(struct serve *s, struct template *t)
{
	(void)epoll_ctl(s->poll, EPOLL_CTL_DEL, t->fd, NULL);
	(void)close(t->fd);
	t->fd = -1;
	t->retired = true;
}

/* For those that will not be answered any more. */
static void spawn_rest(struct serve *s, struct template *t)
{
	struct connection *c;

	while ((c = t->waiting)) {
		DL_DELETE(t->waiting, c);
		connection_spawn(s, c);
	}
}

static void read_answers(struct serve *s, struct template *t)
{
	struct template_answer answer;
	int r;

	while ((r = template_answer(t->fd, &answer)) == 1)
		take_answer(s, t, &answer);
	if (r == -EAGAIN || r == -EPROTO)
		return;
	close_socket(s, t);
	spawn_rest(s, t);
}

static void on_ready(struct serve *s, struct watch *watch)
{
	struct template *t = (struct template *)watch;

	if (t->fd >= 0)
		read_answers(s, t);
}

void templates_read(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		if (s->templates[i].fd >= 0)
			read_answers(s, &s->templates[i]);
}

/* --- ending --------------------------------------------------------------- */

static void retire(struct template *t)
{
	if (t->fd < 0 || t->retired)
		return;
	t->retired = true;
	t->idle = clock_in(SERVE_TEMPLATE_END_MS);
	(void)shutdown(t->fd, SHUT_WR);
}

/* What is answered by now is served; nothing will be from here on. */
static void cut(struct serve *s, struct template *t)
{
	struct template_answer answer;

	t->idle = CLOCK_NEVER;
	if (t->pid)
		(void)kill(t->pid, SIGKILL);
	if (t->fd < 0)
		return;
	(void)shutdown(t->fd, SHUT_RDWR);
	while (template_answer(t->fd, &answer) == 1)
		take_answer(s, t, &answer);
	close_socket(s, t);
}

static void tell(const struct template *t, pid_t pid, const char *key, int n)
{
	struct log_line line;

	log_begin(&line, LOG_WARNING, "template");
	log_string(&line, "door", t->door->name);
	log_number(&line, "pid", pid);
	log_number(&line, key, n);
	log_end(&line);
}

/* One that served nobody may be unable to: the next is tried later. */
static void retry_later(struct door *door)
{
	door->delay = door->delay ? door->delay * 2 : SERVE_RETRY_FIRST_MS;
	if (door->delay > SERVE_RETRY_MOST_MS)
		door->delay = SERVE_RETRY_MOST_MS;
	door->retry = clock_in(door->delay);
}

bool templates_ended(struct serve *s, pid_t pid, int status)
{
	struct template *t = NULL;

	for (size_t i = 0; i < SERVE_TEMPLATES && !t; i++)
		if (s->templates[i].pid == pid)
			t = &s->templates[i];
	if (!t)
		return false;
	t->pid = 0;
	if (t->fd >= 0)
		read_answers(s, t);
	if (WIFSIGNALED(status) && s->phase == PHASE_SERVE)
		tell(t, pid, "signal", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		tell(t, pid, "status", WEXITSTATUS(status));
	if (!t->answered)
		retry_later(t->door);
	t->retired = true;
	return true;
}

void templates_retire(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		retire(&s->templates[i]);
}

void templates_kill(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++) {
		cut(s, &s->templates[i]);
		spawn_rest(s, &s->templates[i]);
	}
}

void templates_cut(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++) {
		struct template *t = &s->templates[i];

		cut(s, t);
		DL_CONCAT(s->held, t->waiting);
		t->waiting = NULL;
	}
}

bool templates_run(const struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		if (s->templates[i].pid || s->templates[i].waiting)
			return true;
	return false;
}

/* --- time ----------------------------------------------------------------- */

static int64_t deadline_of(const struct template *t)
{
	if (t->waiting)
		return t->waiting->deadline;
	return t->pid ? t->idle : CLOCK_NEVER;
}

static void on_deadline(struct serve *s, struct template *t)
{
	struct log_line line;

	if (!t->waiting && !t->retired) {
		retire(t);
		return;
	}
	log_begin(&line, LOG_WARNING, "template");
	log_string(&line, "door", t->door->name);
	log_number(&line, "pid", t->pid);
	log_string(&line, "error", t->waiting ? "no answer" : "does not end");
	log_end(&line);
	cut(s, t);
	spawn_rest(s, t);
}

void templates_turn(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		if (clock_left(deadline_of(&s->templates[i])) == 0)
			on_deadline(s, &s->templates[i]);
}

int64_t templates_deadline(const struct serve *s)
{
	int64_t first = CLOCK_NEVER;

	for (size_t i = 0; i < SERVE_TEMPLATES; i++) {
		int64_t deadline = deadline_of(&s->templates[i]);

		if (deadline < first)
			first = deadline;
	}
	return first;
}

/* --- starting ------------------------------------------------------------- */

void templates_init(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		s->templates[i].fd = -1;
}

static bool is_free(const struct template *t)
{
	return t->fd < 0 && !t->pid && !t->waiting;
}

static struct template *find_free(struct serve *s)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++)
		if (is_free(&s->templates[i]))
			return &s->templates[i];
	return NULL;
}

static struct template *find_serving(struct serve *s, const struct door *door)
{
	for (size_t i = 0; i < SERVE_TEMPLATES; i++) {
		struct template *t = &s->templates[i];

		if (t->door == door && t->pid && !t->retired)
			return t;
	}
	return NULL;
}

/* 0 or -errno. */
static int start_in(struct serve *s, struct template *t, struct door *door)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = t};
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*t = (struct template){.watch.ready = on_ready,
	    .door = door,
	    .fd = ends[0],
	    .idle = clock_in(SERVE_TEMPLATE_IDLE_MS)};
	r = epoll_ctl(s->poll, EPOLL_CTL_ADD, t->fd, &event) < 0 ? -errno : 0;
	if (r == 0)
		r = handler_start_template(door, ends[1], &t->pid);
	(void)close(ends[1]);
	if (r < 0)
		close_socket(s, t);
	return r;
}

static struct template *start(struct serve *s, struct door *door)
{
	struct template *t = find_free(s);

	if (!t || s->phase != PHASE_SERVE ||
	    (door->retry && clock_left(door->retry) > 0))
		return NULL;
	return start_in(s, t, door) == 0 ? t : NULL;
}

static struct template *find(struct serve *s, struct door *door)
{
	struct template *t = find_serving(s, door);
	bool changed = program_changed(door->handler, &door->binary);

	if (changed)
		door->retry = door->delay = 0;
	if (t && (changed || t->sent == SERVE_TEMPLATE_CONNECTIONS)) {
		retire(t);
		t = NULL;
	}
	return t ? t : start(s, door);
}

static int send_to(struct template *t, struct connection *c)
{
	struct template_client client = {
	    .number = c->number, .port = c->peer.port, .fd = c->fd};

	memcpy(client.address, c->peer.address, sizeof client.address);
	return template_send(t->fd, &client);
}

bool template_take(struct serve *s, struct connection *c)
{
	struct template *t = find(s, c->door);

	if (!t)
		return false;
	c->number = ++s->number;
	if (send_to(t, c) < 0)
		return false;
	c->deadline = clock_in(SERVE_TEMPLATE_STUCK_MS);
	DL_APPEND(t->waiting, c);
	t->idle = clock_in(SERVE_TEMPLATE_IDLE_MS);
	t->sent++;
	return true;
}
