/*
 * The pairs of user and password that were verified lately: empty files in
 * RUNTIME_DIRECTORY/auth/ (auth.h says how they are named and how long they
 * count). For auth.c alone.
 */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "auth.h"

#define AUTH_CACHE_NAME 65 /* hex digits and a NUL */

/* The file's name for this pair and the account's stored hash. */
void auth_cache_name(const struct auth *, const struct store_user *,
    const char *password, size_t len, char ret_name[AUTH_CACHE_NAME]);

bool auth_cache_has(const struct auth *, const char *name);

/* Failing to remember costs time, nothing else: so it tells nobody. */
void auth_cache_put(const struct auth *, const char *name);

#endif
