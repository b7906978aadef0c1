/*
 * The pairs of user and password that were verified lately: empty files in
 * RUNTIME_DIRECTORY/auth/ (auth.h says how they are named and how long they
 * count). For auth.c alone.
 */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "auth.h"

#define AUTH_CACHE_NAME 65 /* hex digits and a NUL */

/* The file's name for this pair and the account's stored hash. */
void auth_cache_name(const struct auth *, const struct store_user *,
    const char *password, size_t len, char ret_name[AUTH_CACHE_NAME]);

/* When it was verified, if that counts still; else -1. */
int64_t auth_cache_has(const struct auth *, const char *name);

/* Failing to remember costs time, nothing else: so it tells nobody. */
void auth_cache_put(const struct auth *, const char *name);

/* A pair as it was seen while the database was in one state: its file is named
 * without the stored hash, so nobody need look that up, and its access time,
 * which nothing else sets, is a hash of the state. */
struct auth_seen {
	bool known; /* the state, and so the rest */
	char name[AUTH_CACHE_NAME];
	struct timespec stamp;
};

/* Was this pair right as the database is now? Call it before the look-up whose
 * outcome auth_cache_see() is to keep. */
bool auth_cache_seen(const struct auth *, const char *name, size_t name_len,
    const char *password, size_t len, struct auth_seen *ret);

/* It is, and was verified at that time. */
void auth_cache_see(
    const struct auth *, const struct auth_seen *, int64_t when);

#endif
