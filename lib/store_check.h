/*
 * Is the database whole, and does accounts/ agree with its users? Every row of
 * users, deleted ones too, has an empty file accounts/KEY; a file without a
 * row is what a registration left that was killed before its commit.
 *
 * Locks accounts/ (flock) meanwhile, so nobody is being added.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

enum store_fault {
	STORE_STRAY, /* accounts/KEY without a row: repair removes it */
	STORE_MISSING, /* a row without accounts/KEY: repair makes it */
};

/* Told of each such key; the key is an accounts/ entry, or a row's. */
typedef void store_found(void *arg, enum store_fault, const char *key);

struct store_health {
	bool exists; /* there is a database */
	uint64_t users; /* its rows, deleted ones too */
	bool shut; /* RUNTIME_DIRECTORY/failed/parlance.db stands: no writes */
	char damage[256]; /* what SQLite says is wrong with it, or "" */
	uint64_t strays;
	uint64_t missing;
	bool repaired; /* all of this but damage was put right */
};

/* Looks; with repair empties the log of a shut database and opens it again,
 * and brings accounts/ in line, but not where there is no database or a
 * damaged one: then accounts/ may be all that is known of who has a name.
 * 0 (see *ret), -EBUSY or -errno. */
int store_check(struct store *, bool repair, store_found *found, void *arg,
    struct store_health *ret);

/* Moves what was committed from SQLite's log to the database, as far as those
 * who read now let it; the log keeps its size, for the next writes. 0, also
 * where there is no database; -EKEYREVOKED if it is shut by a failed write;
 * -EBUSY, -errno. */
int store_checkpoint(struct store *);

#endif
