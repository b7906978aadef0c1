#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

void helper_kept_with(struct serve *s, const char *name, const char *with)
{
	for (size_t i = 0; i < SERVE_HELPERS; i++)
		if (strcmp(table[i].name, name) == 0)
			s->helpers[i].with = strdup(with);
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

/* The settings that helpers heed, as one text. NULL: out of memory. */
static char *settings_text(const struct serve *s, const struct helper *h)
{
	bool few = strcmp(h->name, "fanout") == 0;
	char *text = NULL;
	int n = asprintf(&text, "%d %ju %s", (int)s->settings.sandbox,
	    few ? 0 : (uintmax_t)s->settings.connections_source,
	    few ? "" : s->settings.trusted_proxies);

	return n < 0 ? NULL : text;
}

static bool has_old_settings(const struct serve *s, const struct helper *h)
{
	char *text = settings_text(s, h);
	bool old = text && h->with && strcmp(text, h->with) != 0;

	free(text);
	return old;
}

static bool has_old_program(const struct serve *s, const struct helper *h)
{
	char path[PATH_MAX], exe[64];
	struct stat here, there;

	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)h->pid);
	return program_find(s, h->name, path) == 0 && stat(exe, &here) == 0 &&
	       stat(path, &there) == 0 &&
	       (here.st_dev != there.st_dev || here.st_ino != there.st_ino);
}

void helpers_tell_old(const struct serve *s)
{
	struct log_line line;

	for (size_t i = 0; i < SERVE_HELPERS; i++) {
		const struct helper *h = &s->helpers[i];
		bool settings = h->pid && has_old_settings(s, h);

		if (!h->pid || (!settings && !has_old_program(s, h)))
			continue;
		log_begin(&line, LOG_WARNING, "helper");
		log_string(&line, "name", h->name);
		log_number(&line, "pid", h->pid);
		log_string(&line, "old", settings ? "settings" : "program");
		log_string(&line, "warning",
		    "stays until it gets SIGTERM, and is started anew");
		log_end(&line);
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
		free(h->with);
		h->with = settings_text(s, h);
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
