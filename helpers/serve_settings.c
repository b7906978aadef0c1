/*
 * The settings: where they are from, and what becomes of them at a reload.
 * `serve -t` has found the new ones fine then, but that was a moment ago, and
 * may not be true any more. So the old ones come with the handover: by then we
 * have connections in hand, and go on with what there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "serve.h"

/* Where the host is: settled at start-up, for good. */
static const char *const places[SERVE_PLACES] = {
    "STATE_DIRECTORY", "RUNTIME_DIRECTORY"};

/* 0 or -errno with a text. */
static int take(struct serve *s, struct settings_error *error)
{
	int r = settings_import_default(error);
	const char *text;

	if (r == 0)
		r = settings_load(&s->settings, error);
	if (r < 0)
		return r;
	text = s->settings.trusted_proxies;
	return proxies_parse(&s->proxies, text, strlen(text), NULL);
}

void settings_take_or_die(struct serve *s)
{
	struct settings_error error = {0};

	for (size_t i = 0; i < SERVE_PLACES; i++)
		s->places_found[i] = !getenv(places[i]);
	if (take(s, &error) < 0)
		serve_refuse(NULL, NULL, error.text);
}

/* --- at a reload ---------------------------------------------------------- */

static bool has_variable(char *const *environment, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (; *environment; environment++)
		if (strncmp(*environment, variable, len) == 0)
			return true;
	return false;
}

/* The environment comes along by itself, what a file added does not. */
void settings_write(const struct serve *s, FILE *f)
{
	for (size_t i = 0; i < SERVE_PLACES; i++)
		if (s->places_found[i])
			(void)fprintf(f, "place %s\n", places[i]);
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "PARLANCE_", strlen("PARLANCE_")) == 0 &&
		    !strchr(*e, '\n') && !has_variable(s->environment, *e))
			(void)fprintf(f, "setting %s\n", *e);
}

void settings_read_place(struct serve *s, char *text)
{
	for (size_t i = 0; i < SERVE_PLACES; i++)
		if (strcmp(text, places[i]) == 0)
			s->places_found[i] = true;
}

/* The environment wins, as it did. */
void settings_read_old(struct serve *s, char *text)
{
	char *value = strchr(text, '=');

	(void)s;
	if (!value)
		return;
	*value++ = '\0';
	(void)setenv(text, value, 0);
}

static void tell(const char *error, const char *so)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "reload");
	log_string(&line, "error", error);
	log_string(&line, "so", so);
	log_end(&line);
}

/* As it was before a file was read, whole or in part, and with the old
 * settings. One that this version does not understand is left out. */
static void go_back(struct serve *s, int handover)
{
	struct settings_error error = {0};
	const char *text;

	(void)clearenv();
	for (char **e = s->environment; *e; e++)
		(void)putenv(*e);
	handover_settings(s, handover);
	while (settings_load(&s->settings, &error) < 0) {
		tell(error.text, "its default is taken");
		error.text[strcspn(error.text, "=")] = '\0';
		if (unsetenv(error.text) < 0)
			serve_refuse(NULL, NULL, error.text);
	}
	text = s->settings.trusted_proxies;
	(void)proxies_parse(&s->proxies, text, strlen(text), NULL);
}

static bool is_same(const char *path, const char *other)
{
	struct stat a, b;

	return strcmp(path, other) == 0 ||
	       (stat(path, &a) == 0 && stat(other, &b) == 0 &&
		   a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

/* What the file says now, beside what was found when we were started. */
static void keep_place(const char *name, const char *kept)
{
	const char *now = getenv(name);
	struct log_line line;

	if (now && !is_same(kept, now)) {
		log_begin(&line, LOG_WARNING, "reload");
		log_string(&line, "setting", name);
		log_string(&line, "kept", kept);
		log_string(&line, "warning", "another one takes a restart");
		log_end(&line);
	}
	(void)setenv(name, kept, 1);
}

void settings_take_again(struct serve *s, int handover)
{
	char *kept[SERVE_PLACES] = {NULL};
	struct settings_error error = {0};
	const char *value;

	handover_places(s, handover);
	for (size_t i = 0; i < SERVE_PLACES; i++) {
		value = s->places_found[i] ? getenv(places[i]) : NULL;
		kept[i] = value ? strdup(value) : NULL;
		if (kept[i])
			(void)unsetenv(places[i]);
	}
	if (take(s, &error) < 0) {
		tell(error.text, "the old settings are kept");
		go_back(s, handover);
	}
	for (size_t i = 0; i < SERVE_PLACES; i++) {
		if (kept[i])
			keep_place(places[i], kept[i]);
		free(kept[i]);
	}
}

/* --- what they say of us -------------------------------------------------- */

void settings_confine(const struct serve *s)
{
	if (s->settings.sandbox != SANDBOX_OFF &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_event(LOG_WARNING, "sandbox", "missing", "no_new_privs");
}
