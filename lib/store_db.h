/*
 * What store's own files share: the connection, transactions and errors.
 * Nobody else includes this.
 *
 *	store.c        statements, errors, transactions
 *	store_open.c   opening, making and migrating the database
 *	store_users.c  accounts
 *	store_stamp.c  did it change? without opening it
 *	store_inbox.c  inboxes
 *	store_check.c  is all of it sound?
 *	store_backup.c copying it while it is in use
 *
 *	r = store_begin(store);
 *	... statements; on failure store_rollback(store) ...
 *	r = store_commit(store);
 *
 * Locks: a write transaction holds flock on db/, the queue of writers, and then
 * SQLite's write lock.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>

#include "store.h"

/* The mark, below RUNTIME_DIRECTORY, that the database refuses writes. Its dot
 * keeps it apart from the marks of rooms, one of which may be called "db". */
#define STORE_FAILED "failed/parlance.db"

/* Opens the database if it is there: 0, -ENOENT if it is not, -errno. */
int store_ready(struct store *);

/* BEGIN IMMEDIATE on an open store: 0; -EKEYREVOKED if a commit failed
 * earlier; -EBUSY, -EROFS, -errno. */
int store_begin(struct store *);

/* 0 if it is on disk; -errno if it is not: the transaction is over either way,
 * and a commit that failed will not show up later (design 5), except where
 * *ret_unsure, if not NULL, is set: then failed/parlance.db says so. */
int store_commit(struct store *, bool *ret_unsure);
void store_rollback(struct store *);

/* Takes our turn among the writers by the deadline (io_flock), and gives it
 * back. They nest: store_begin() does the same within. 0, -EBUSY, -errno. */
int store_queue(struct store *, int64_t deadline);
void store_unqueue(struct store *);

/* For sqlite3_wal_hook(). */
int store_after_commit(void *, sqlite3 *, const char *name, int pages);

/* Statements that a connection compiles once. */
enum store_statement {
	STORE_BEGIN,
	STORE_COMMIT,
	USERS_FIND,
	INBOX_ME,
	INBOX_RECIPIENT,
	INBOX_SEND,
	INBOX_EACH,
	INBOX_SENDER,
	INBOX_OLDEST,
	INBOX_REMOVE,
	INBOX_MOVE,
	STORE_STATEMENT_COUNT,
};
_Static_assert(
    STORE_STATEMENT_COUNT <= STORE_STATEMENTS, "struct store has room");

/* The statement of that place, compiled if it was not yet; it stays the
 * store's. 0 or -errno. Once stepped, it is to be reset: while it is not, a
 * transaction that reads goes on. */
int store_cached(
    struct store *, enum store_statement, const char *sql, sqlite3_stmt **ret);

/* Resets it and forgets what was bound. The -errno for rc, what its last step
 * returned, or 0. */
int store_reset(struct store *, sqlite3_stmt *, int rc);

/* Binds a text that stays as it is until the reset. */
int store_bind_text(sqlite3_stmt *, int place, const char *, size_t len);

/* Copies a text, with a NUL behind it: its length, or -EUCLEAN if it is longer
 * than what we ever wrote. */
int store_column_text(sqlite3_stmt *, int column, char *out, size_t size);

/* Compiles one statement: 0 or -errno. The caller finalizes it. */
int store_prepare(struct store *, const char *sql, sqlite3_stmt **ret);

/* Runs a statement to its end and finalizes it: 0 or -errno. */
int store_finish(struct store *, sqlite3_stmt *);

/* The -errno for a result of SQLite; 0 for OK, ROW and DONE. */
int store_error(struct store *, int rc);

#endif
