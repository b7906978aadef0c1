/*
 * A host with log-ins, in a state of its own, and short words for what tests do
 * with it; include after cmocka.h. The struct world is cmocka's state.
 */
#ifndef AUTH_FIXTURE_H
#define AUTH_FIXTURE_H

#include <string.h>

#include "lib/auth.h"
#include "place.h"

#define NOW 1800000000

struct world {
	struct place place;
	struct store store;
	struct auth auth;
	uint32_t strangers;
	char database[128]; /* its path */
};

/* The clock of auth.h, in seconds after NOW. */
static inline void at(long seconds)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%ld", NOW + seconds);
	(void)setenv("PARLANCE_NOW", text, 1);
}

static inline int world_make(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	at(0);
	place_init(&w->place);
	(void)snprintf(w->database, sizeof w->database,
	    "%s/state/db/parlance.db", w->place.path);
	store_init(&w->store, &w->place.state);
	assert_int_equal(auth_init(&w->auth, &w->place.state, &w->store, 2), 0);
	*state = w;
	return 0;
}

static inline int world_unmake(void **state)
{
	struct world *w = *state;

	auth_release(&w->auth);
	store_release(&w->store);
	place_release(&w->place);
	free(w);
	(void)unsetenv("PARLANCE_NOW");
	return 0;
}

/* auth_check() from a source that never failed before. */
static inline int check(struct world *w, const char *name, const char *password)
{
	struct source stranger = {{1}};

	w->strangers++;
	memcpy(stranger.bytes + 4, &w->strangers, sizeof w->strangers);
	return auth_check(&w->auth, stranger, name, strlen(name), password,
	    strlen(password), NULL);
}

#endif
