/* Confines a test, which is no door, to some folders. */
#ifndef TEST_CONFINE_H
#define TEST_CONFINE_H

#include "lib/sandbox.h"

/* 0 or -errno. */
static inline int confine_to(const struct state *state,
    const struct settings *settings, const struct sandbox_rule *rules)
{
	const struct sandbox sandbox = {
	    .rules = rules, .filter = sandbox_filter_any};
	struct sandbox_missing missing;

	return sandbox_enter(&sandbox, state, settings, &missing);
}

#endif
