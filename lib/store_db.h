/*
 * What store's own files share: the connection, transactions and errors.
 * Nobody else includes this.
 *
 *	r = store_begin(store);
 *	... statements; on failure store_rollback(store) ...
 *	r = store_commit(store);
 *
 * Locks: a write transaction holds SQLite's write lock.
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

/* Compiles one statement: 0 or -errno. The caller finalizes it. */
int store_prepare(struct store *, const char *sql, sqlite3_stmt **ret);

/* Runs a statement to its end and finalizes it: 0 or -errno. */
int store_finish(struct store *, sqlite3_stmt *);

/* The -errno for a result of SQLite; 0 for OK, ROW and DONE. */
int store_error(struct store *, int rc);

#endif
