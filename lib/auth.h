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
 * A pair is remembered as an empty file in RUNTIME_DIRECTORY/auth/, named by a
 * hash of user, password and stored hash under the random key auth/key. It
 * counts from its modification time for LIMIT_AUTH_TTL_S on the clock of
 * clock_now() (whose time it is given where PARLANCE_NOW is set); one from the
 * future does not count. Disabling or deleting an account and changing its
 * password take effect at once, since the account is looked up each time, or
 * else nothing in the database can have changed since it was: another empty
 * file, named by user and password, has as its access time a hash of the stamp
 * (store.h) of the database that the look-up found, and counts as long as the
 * first. So of those who come again and again few open the database.
 *
 * Locks RUNTIME_DIRECTORY/slots/N (flock) while it hashes, and N.XX, which is
 * its source's, while it waits for that. In a sandbox it
 * needs, besides what store.h says, MAKE and WRITE in auth/ and in slots/, and
 * what rate.h says; auth_init() comes before.
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

#define AUTH_KEY_BYTES 32

struct auth {
	const struct state *state;
	struct store *store;
	struct rate rate;
	int cache; /* RUNTIME_DIRECTORY/auth */
	int slots;
	uint64_t slot_count;
	unsigned char key[AUTH_KEY_BYTES]; /* of the names in auth/ */
};

/* Opens what it needs (before the sandbox). 0 or -errno. */
int auth_init(
    struct auth *, const struct state *, struct store *, uint64_t slot_count);
void auth_release(struct auth *);

/* 1 right; 0 wrong, after the delay its source has earned, which SIGTERM ends;
 * -EBUSY no slot or no database in time; -errno (of store.h too). ret_name, if
 * not NULL, gets the account's name on 1. Call it for credentials that were
 * presented only: their absence is no failure. */
int auth_check(struct auth *, struct source, const char *name, size_t name_len,
    const char *password, size_t password_len, char ret_name[LIMIT_NAME + 1]);

/* The Argon2id string to store, within a slot, for which this source waits. 0;
 * -EINVAL for an empty password or one of more than LIMIT_PASSWORD bytes;
 * -EBUSY, -errno. */
int auth_hash(struct auth *, struct source, const char *password, size_t len,
    char ret_hash[LIMIT_PASSWORD_HASH + 1]);

/* Takes "Basic BASE64" apart (RFC 7617): name and password, one trailing "\n"
 * or "\r\n" dropped; a password may hold ":". The scheme in any case; padding
 * is required; blanks around are not. 0, or -EINVAL for anything else, longer
 * than it may be included. The caller wipes it with auth_pair_wipe(). */
struct auth_pair {
	char data[LIMIT_PASSWORD + LIMIT_NAME + 8]; /* begins with the name */
	size_t name_len;
	const char *password; /* within data */
	size_t password_len;
};
int auth_basic(const char *header, size_t len, struct auth_pair *ret);
void auth_pair_wipe(struct auth_pair *);

/* Removes remembered pairs older than their time to live (maintenance, outside
 * sandboxes: it lists the folder). Returns how many, or -errno. */
int auth_sweep(struct auth *);

#endif
