/*
 * What one source may do how often, remembered across processes in
 * RUNTIME_DIRECTORY/rate: a fixed hash table of slots keyed by source and
 * kind, with a few neighbouring slots for each; where those are taken, the
 * least recent is forgotten. A source is an IPv4 address (an IPv4-mapped IPv6
 * one too) or an IPv6 /64; loopback addresses count like others, each its own.
 *
 *	rate_open(&rate, &state);          before the sandbox
 *	wait = rate_login_failed(&rate, source_parse(getenv("REMOTE_ADDR")));
 *
 * Each call opens the file, for which a sandbox needs READ and WRITE of
 * "rate": a descriptor that a template hands down to many processes would be
 * one lock for them all.
 * The file is read and written through its descriptor, never mapped, so one
 * that is cut short kills nobody; whatever does not look like a table is begun
 * anew. Each call holds flock on it for a few microseconds and gives up after
 * LIMIT_LOCK_MS. Time is clock_now(), whole seconds; what lies in the future
 * is forgotten.
 */
#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state.h"

struct source {
	unsigned char bytes[16]; /* IPv4 as mapped; IPv6 cut to its /64 */
};

/* Reads an address as REMOTE_ADDR has it; anything else, and NULL, is the
 * all-zero source that local users (Unix sockets, pipes) share. */
struct source source_parse(const char *address);

enum rate_kind { RATE_LOGIN = 1, RATE_CREATE = 2, RATE_REGISTER = 3 };

struct rate {
	int folder; /* RUNTIME_DIRECTORY, the state's */
};

int rate_open(struct rate *, const struct state *); /* makes it; 0, -errno */

/* A failed log-in: counts it and returns how long, in ms, its answer is to be
 * delayed: from the fourth in a minute one second more each, up to 8 s. Where
 * the table cannot be had, the first delay. (clarifications, "Who speaks") */
int64_t rate_login_failed(struct rate *, struct source);

/* A token from a bucket of `burst` that fills at `per_minute` (both at most
 * 2^31, 0 counts as 1): returns 0, or the whole seconds (>= 1) until the next
 * one (Retry-After), or -errno. */
int64_t rate_take(struct rate *, enum rate_kind, struct source, uint64_t burst,
    uint64_t per_minute);

#endif
