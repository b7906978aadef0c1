/*
 * Is this their password? Argon2id (libsodium) against the stored hash, at
 * most PARLANCE_HASH_SLOTS at once on a host, with verified pairs remembered
 * for ten minutes (design 5). Unknown users cost what wrong passwords cost,
 * and failures are delayed per source (rate.h).
 *
 *	auth_init(&auth, &state, &store, hash_slots);
 *	verdict = auth_check(&auth, source, name, n, password, p);
 *	auth_release(&auth);
 *
 * Never logs; passwords are wiped from its own memory.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "rate.h"
#include "state.h"
#include "store.h"

struct auth {
	const struct state *state;
	struct store *store;
	struct rate rate;
	int cache; /* RUNTIME_DIRECTORY/auth */
	int slots;
	uint64_t slot_count;
};

/* Opens what it needs (before the sandbox). 0 or -errno. */
int auth_init(
    struct auth *, const struct state *, struct store *, uint64_t slot_count);
void auth_release(struct auth *);

/* 1 right; 0 wrong, after the delay its source has earned; -EBUSY no slot or
 * no database in time; -errno. ret_name, if not NULL, gets the account's name
 * on 1. */
int auth_check(struct auth *, struct source, const char *name, size_t name_len,
    const char *password, size_t password_len, char ret_name[LIMIT_NAME + 1]);

/* The Argon2id string to store, within a slot. 0, -EBUSY, -errno. */
int auth_hash(struct auth *, const char *password, size_t len,
    char ret_hash[LIMIT_PASSWORD_HASH + 1]);

/* Takes "Basic BASE64" apart: user and password as slices of out (size bytes),
 * one trailing "\n" or "\r\n" dropped; a password may hold ":". 0 or -EINVAL.
 */
struct auth_pair {
	char data[LIMIT_PASSWORD + LIMIT_NAME + 8];
	size_t name_len;
	const char *password; /* within data */
	size_t password_len;
};
int auth_basic(const char *header, size_t len, struct auth_pair *ret);

/* Removes remembered pairs older than their time to live (maintenance). */
int auth_sweep(struct auth *);

#endif
