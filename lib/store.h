/*
 * Accounts (and, with toychat, inboxes) in STATE_DIRECTORY/db/parlance.db:
 * SQLite in WAL mode, synchronous=FULL, so that a call that returned 0 is on
 * disk (design 5). Opened at first use; store_idle() closes it and gives its
 * memory back while a connection waits.
 *
 *	store_init(&store, &state);
 *	store_user_find(&store, "alice", 5, &user);
 *	store_idle(&store);           any later call opens it again
 *	store_release(&store);
 *
 * Errors, besides plain -errno: -ENOENT no such user, or no database yet;
 * -EBUSY another writer held the database for LIMIT_LOCK_MS; -EIO a commit
 * failed and will not show up later; -ENOSPC; -EROFS; -EUCLEAN schema of a
 * newer version; -EBADMSG no database, or a damaged one; -EKEYREVOKED a commit
 * failed earlier, so did taking it back, and
 *RUNTIME_DIRECTORY/failed/parlance.db says so: nothing is written until it is
 *repaired.
 *
 * A process has one store at a time. In a sandbox it needs READ, WRITE, MAKE
 * and REMOVE in db/; who writes needs LIST there too, since SQLite syncs that
 * folder at a connection's first commit and goes on in silence if it cannot
 * open it; and MAKE and WRITE in failed/; and to add users LIST, WRITE, MAKE
 * and REMOVE in accounts/.
 *
 * It locks accounts/ (flock) while it adds a user, and db/ while it makes the
 * database and for each transaction that writes: so writers are served in turn
 * and at once, where SQLite has them sleep and try. Who writes to the database
 * without it (the sqlite3 shell) is waited for all the same.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "state.h"

struct sqlite3;
struct sqlite3_stmt;

#define STORE_STATEMENTS 12

struct store {
	const struct state *state;
	struct sqlite3 *db; /* NULL: not open */

	/* For store*.c alone. */
	struct sqlite3_stmt *statements[STORE_STATEMENTS];
	int queue; /* db/, for flock; -1: not open */
	unsigned queued; /* how often over we hold it */
};

struct store_user {
	int64_t id;
	char name[LIMIT_NAME + 1]; /* as it was given */
	char password[LIMIT_PASSWORD_HASH + 1]; /* Argon2id string, or "" */
	bool disabled;
	bool deleted; /* the name stays taken: design 7 */
};

/* What an error of the store means: an English sentence without final stop, for
 * a log; never NULL. */
const char *store_says(int error);

void store_init(struct store *, const struct state *);
void store_idle(struct store *);
void store_release(struct store *);

/* Opens, creates and migrates the database. Only who writes needs to call it,
 * before its sandbox: where nobody was ever added, finding a user is -ENOENT
 * and makes nothing, so it works on a read-only state. An older schema is
 * migrated by whoever may write to it; who may not reads it as it is. 0 or
 * -errno. */
int store_open(struct store *);

/* The account of exactly this spelling (addressing is exact), a deleted one
 * too. *ret is set on 0 only. */
int store_user_find(
    struct store *, const char *name, size_t len, struct store_user *ret);

/* What changes whenever an account may have: of the database's files what
 * stat(2) tells, and the head of their index, as bytes to be compared. */
struct store_stamp {
	uint64_t files[2][5];
	unsigned char index[48];
};

/* Takes the stamp of a database that is not open here. While two stamps are
 * alike, each look into the database finds what one found that began after the
 * first of them was taken. 0, or -EAGAIN: there is none to be had, since
 * the database is open here, is not there, or changed so lately that another
 * change might leave the same. In a sandbox: READ in db/. */
int store_stamp(const struct store *, struct store_stamp *ret);

/* Adds an account with a password hash (auth.h) that has read the lobby up to
 * record lobby_seen (room.count after a look: its end; lobby.h); makes its
 * accounts/ entry before the commit. -EEXIST: the name, or one that only
 * differs in case, is taken or was once. -EADDRINUSE: a guest who is present
 * holds it; asked after the entry was made, which is then taken back, so that
 * of a guest and an account never both get a name (present.h). The name must
 * have passed name_check(). In a sandbox: READ in present/. */
int store_user_add(struct store *, const char *name, size_t len,
    const char *password_hash, uint64_t lobby_seen);

/* Changes; each -ENOENT for no such account, deleted ones too. */
int store_user_set_password(
    struct store *, const char *name, size_t len, const char *password_hash);
int store_user_set_disabled(
    struct store *, const char *name, size_t len, bool disabled);
int store_user_delete(struct store *, const char *name, size_t len);

/* Calls f for every account that is not deleted, by name. As rooms_each. */
int store_user_each(
    struct store *, int (*f)(void *arg, const struct store_user *), void *arg);

/* Is the key (name.h) an account's, or was it? Looks at accounts/ only, no
 * database: 1, 0 or -errno. */
int account_exists(const struct state *, const char *key);

#endif
