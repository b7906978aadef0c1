#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "serve.h"

/* Handlers work without them, only slower: so nothing here is fatal. */
static const struct helper table[SERVE_HELPERS] = {
    {.name = "fanout", .door = NULL},
    {.name = "gallery", .door = "hchat"},
};

static bool is_wanted(struct serve *s, const struct helper *h)
{
	return s->with_helpers &&
	       (!h->door || door_find(s, h->door, strlen(h->door))->handler[0]);
}

void helper_kept(
    struct serve *s, const char *name, pid_t pid, int64_t since, int64_t delay)
{
	for (size_t i = 0; i < SERVE_HELPERS; i++)
		if (strcmp(table[i].name, name) == 0) {
			s->helpers[i].pid = pid;
			s->helpers[i].since = since;
			s->helpers[i].delay = delay;
		}
}

void helpers_init(struct serve *s)
{
	for (size_t i = 0; i < SERVE_HELPERS; i++) {
		struct helper *h = &s->helpers[i];

		h->name = table[i].name;
		h->door = table[i].door;
		h->retry =
		    !h->pid && is_wanted(s, h) ? clock_ms() : CLOCK_NEVER;
	}
}

/* Waits twice as long as the last time. */
static void retry_later(struct helper *h)
{
	if (!h->delay)
		h->delay = SERVE_RETRY_FIRST_MS;
	else if (h->delay < SERVE_RETRY_MOST_MS / 2)
		h->delay *= 2;
	else
		h->delay = SERVE_RETRY_MOST_MS;
	h->retry = clock_in(h->delay);
}

static void start(struct serve *s, struct helper *h)
{
	char path[PATH_MAX];
	struct log_line line;
	int r = program_find(s, h->name, path);

	h->retry = CLOCK_NEVER;
	if (r == 0)
		r = helper_start(path, &h->pid);
	if (r == 0) {
		h->since = clock_ms();
		return;
	}
	h->pid = 0;
	retry_later(h);
	log_begin(&line, LOG_ERR, "helper");
	log_string(&line, "name", h->name);
	log_errno(&line, r);
	log_number(&line, "retry_ms", h->delay);
	log_end(&line);
}

void helpers_turn(struct serve *s)
{
	for (size_t i = 0; i < SERVE_HELPERS; i++)
		if (clock_left(s->helpers[i].retry) == 0)
			start(s, &s->helpers[i]);
}

int64_t helpers_deadline(const struct serve *s)
{
	int64_t first = CLOCK_NEVER;

	for (size_t i = 0; i < SERVE_HELPERS; i++)
		if (s->helpers[i].retry < first)
			first = s->helpers[i].retry;
	return first;
}

static void tell_end(const struct helper *h, pid_t pid, int status)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "helper");
	log_string(&line, "name", h->name);
	log_number(&line, "pid", pid);
	if (WIFSIGNALED(status))
		log_number(&line, "signal", WTERMSIG(status));
	else
		log_number(&line, "status", WEXITSTATUS(status));
	log_number(&line, "retry_ms", h->delay);
	log_end(&line);
}

static struct helper *helper_of(struct serve *s, pid_t pid)
{
	for (size_t i = 0; i < SERVE_HELPERS; i++)
		if (s->helpers[i].pid == pid)
			return &s->helpers[i];
	return NULL;
}

bool helpers_ended(struct serve *s, pid_t pid, int status)
{
	struct helper *h = helper_of(s, pid);

	if (!h)
		return false;
	h->pid = 0;
	if (s->phase >= PHASE_HELPERS)
		return true;
	if (clock_ms() - h->since >= SERVE_HEALTHY_MS)
		h->delay = 0;
	retry_later(h);
	tell_end(h, pid, status);
	return true;
}

bool helpers_stop(struct serve *s, int signal)
{
	bool any = false;

	for (size_t i = 0; i < SERVE_HELPERS; i++) {
		s->helpers[i].retry = CLOCK_NEVER;
		if (!s->helpers[i].pid)
			continue;
		(void)kill(s->helpers[i].pid, signal);
		any = true;
	}
	return any;
}
