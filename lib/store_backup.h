/*
 * The database's part in `parlance backup` and `parlance restore`.
 *
 *	store_copy(&store, folder);       folder/parlance.db, while doors write
 *	store_copy_keys(folder, f, arg);  accounts/ as that copy has them
 *
 *	... a copy is put in place as db/parlance.new ...
 *	store_adopt(&store);              and becomes db/parlance.db
 *
 * A copy is one file, without a log beside it. It holds every transaction that
 * was committed when store_copy() began, whole. Writers are not held up by it.
 * Errors are those of store.h.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store.h"

#define STORE_DATABASE "parlance.db"
#define STORE_DATABASE_NEW "parlance.new"

/* Copies the database into an open folder, where there is none yet: mode 0600.
 * It is to be the process' first use of a store. The folder may be one that
 * cannot be got at by its path. 0; -ENOENT: there is no database, and nothing
 * was made; -errno: what was made may be left there. */
int store_copy(struct store *, int folder);

/* Calls f with the key of each account in such a copy, deleted ones too, as
 * rooms_each(): the names of accounts/. After store_copy(). */
int store_copy_keys(
    int folder, int (*f)(void *arg, const char *key), void *arg);

/* Has nobody ever had an account in it? 1 (also: there is no database), 0 or
 * -errno. */
int store_is_empty(struct store *);

/* Is it shut by a failed write (RUNTIME_DIRECTORY/failed/)? */
bool store_is_shut(const struct store *);

/* Brings db/parlance.new up to date, in WAL mode, and gives it its name: so
 * nobody opens it before that. -EEXIST: there is a database. 0 or -errno. */
int store_adopt(struct store *);

#endif
