/*
 * Presence (design 6): who is in the lobby. A name is present while a process
 * holds an open-file-description lock on RUNTIME_DIRECTORY/present/KEY, KEY
 * being the name's (name.h): unique, and gone with the process however that
 * ends. The roster is the folder, less the names whose lock is free.
 *
 *	present_open(&present, &state);
 *	live_init(&live, &state, "lobby", LIVE_ROOM | LIVE_PRESENCE);
 *	present_claim(&claim, &present, "Alice", 5, "127.0.0.1:50122");
 *	... wait for +Alice (if live_connected) ...
 *	present_each(&present, show, arg);
 *	present_release(&claim);        or be killed: it is the same
 *
 * fanout alone removes files, so that it can say who left; without it, files
 * of those who left stay, free, for the next one of that name.
 *
 * A guest and an account of one name: whoever wants a name makes his own mark
 * first (claims; makes accounts/KEY), then looks for the other's, and takes
 * his back if it is there. So no two miss each other.
 *
 * Nothing here waits but present_claim, LIMIT_PRESENT_CLAIM_MS for a holder.
 */
#ifndef PRESENT_H
#define PRESENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "state.h"

struct present {
	int folder; /* RUNTIME_DIRECTORY/present */
};

/* A name that we hold. */
struct claim {
	int fd; /* holds the lock; -1: none */
};

/* What a holder wrote into its file: "NAME PID PEER\n". */
struct present_line {
	char name[LIMIT_NAME + 1]; /* as given */
	uint64_t pid;
	char peer[LIMIT_PRESENT_PEER + 1];
};

/* 0 or -errno. */
int present_open(struct present *, const struct state *);
void present_close(struct present *);

/* Claims a name that passed name_check for as long as *ret is not released
 * and the process lives, and makes it known. peer is shortened to
 * LIMIT_PRESENT_PEER bytes, blanks become `_`. Returns 0, -EADDRINUSE if
 * another holds it (this process' other claims too), or -errno. */
int present_claim(struct claim *ret, const struct present *, const char *name,
    size_t len, const char *peer);

/* Takes a claim that failed, or none, too. */
void present_release(struct claim *);

/* Does anybody hold a name of the same key? 1, 0 or -errno. It takes no lock
 * and writes nothing. */
int present_held(const struct present *, const char *name, size_t len);

/* The roster: calls f for each name that is held and made known, in no order,
 * until it returns non-zero; returns that, 0 or -errno. */
int present_each(const struct present *,
    int (*f)(void *arg, const struct present_line *), void *arg);

/* --- fanout's part ---------------------------------------------------------
 */

/* All files, whether held or not, as present_each does. */
int present_each_key(
    const struct present *, int (*f)(void *arg, const char *key), void *arg);

/* Who holds it, or did last, as written: 0, -ENODATA (nothing whole there yet),
 * -ENOENT or -errno. */
int present_read(
    const struct present *, const char *key, struct present_line *ret);

/* Removes the file of a name that nobody holds. Returns 1 if it is held, 0 if
 * it was removed or not there, or -errno. Claims meanwhile wait for it. */
int present_sweep(const struct present *, const char *key);

#endif
