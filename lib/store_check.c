#include "store_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "store_db.h"

struct look {
	struct store *store;
	bool repair;
	store_found *found;
	void *arg;
	int accounts;
	struct store_health *health;
};

/* The first thing that is wrong, if any. */
static int look_inside(struct look *l)
{
	struct store_health *h = l->health;
	const unsigned char *text;
	sqlite3_stmt *statement;
	int rc, r;

	r = store_prepare(l->store, "PRAGMA integrity_check(1)", &statement);
	if (r < 0)
		return r;
	rc = sqlite3_step(statement);
	text = rc == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
	if (text && strcmp((const char *)text, "ok") != 0)
		(void)snprintf(h->damage, sizeof h->damage, "%s", text);
	(void)sqlite3_finalize(statement);
	return store_error(l->store, rc);
}

/* What was committed goes from the log to the database, with a sync of both;
 * if the disk takes that, it takes the next commit. */
static int open_again(struct look *l)
{
	int rc = sqlite3_wal_checkpoint_v2(
	    l->store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	int r = store_error(l->store, rc);

	if (r == 0 && unlinkat(l->store->state->runtime, STORE_FAILED, 0) < 0)
		r = -errno;
	return r;
}

/* --- rows without an entry -------------------------------------------------
 */

static int make_entry(int accounts, const char *key)
{
	int fd = openat(accounts, key,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	return fd < 0 ? -errno : close(fd);
}

static int look_row(struct look *l, const char *key)
{
	l->health->users++;
	if (!key || !key[0] || strchr(key, '/'))
		return -EBADMSG;
	if (faccessat(l->accounts, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	l->health->missing++;
	l->found(l->arg, STORE_MISSING, key);
	return l->repair ? make_entry(l->accounts, key) : 0;
}

static int look_at_rows(struct look *l)
{
	sqlite3_stmt *statement;
	int rc, r;

	r = store_prepare(
	    l->store, "SELECT name_key FROM users ORDER BY 1", &statement);
	if (r < 0)
		return r;
	while (r == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		r = look_row(
		    l, (const char *)sqlite3_column_text(statement, 0));
	if (r == 0)
		r = store_error(l->store, rc);
	(void)sqlite3_finalize(statement);
	return r;
}

/* --- entries without a row -------------------------------------------------
 */

/* 1 if there is such a row, 0 or -errno. */
static int has_row(struct look *l, sqlite3_stmt *statement, const char *key)
{
	int rc;

	if (!statement)
		return 0;
	(void)sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	(void)sqlite3_reset(statement);
	return rc == SQLITE_ROW ? 1 : store_error(l->store, rc);
}

static int look_entry(struct look *l, sqlite3_stmt *statement, const char *key)
{
	int r = has_row(l, statement, key);

	if (r != 0)
		return r < 0 ? r : 0;
	l->health->strays++;
	l->found(l->arg, STORE_STRAY, key);
	if (l->repair && unlinkat(l->accounts, key, 0) < 0)
		return -errno;
	return 0;
}

/* Entries that go while the folder is read do no harm: each is met once. */
static int each_entry(struct look *l, sqlite3_stmt *statement)
{
	int fd = openat(l->accounts, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	errno = 0;
	while (r == 0 && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			r = look_entry(l, statement, entry->d_name);
	(void)closedir(folder);
	return r;
}

static int look_at_entries(struct look *l)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;

	if (l->health->exists)
		r = store_prepare(l->store,
		    "SELECT 1 FROM users WHERE name_key = ?1", &statement);
	if (r == 0)
		r = each_entry(l, statement);
	(void)sqlite3_finalize(statement);
	return r;
}

/* ---------------------------------------------------------------------------
 */

static int look_at_accounts(struct look *l)
{
	int r = 0;

	/* Without a sound database accounts/ is not touched. */
	if (!l->health->exists)
		l->repair = false;
	else
		r = look_at_rows(l);
	if (r == 0)
		r = look_at_entries(l);
	if (r == 0 && l->repair && fsync(l->accounts) < 0)
		r = -errno;
	return r;
}

static int look(struct look *l)
{
	struct store_health *h = l->health;
	int r = store_ready(l->store);

	if (r == -EBADMSG)
		(void)snprintf(h->damage, sizeof h->damage,
		    "not a database, or its beginning is damaged");
	if (r == -EBADMSG || r == -ENOENT)
		r = 0;
	h->exists = l->store->db || h->damage[0];
	h->shut =
	    faccessat(l->store->state->runtime, STORE_FAILED, F_OK, 0) == 0;
	if (r == 0 && l->store->db)
		r = look_inside(l);
	if (r < 0 || h->damage[0])
		return r;
	if (h->shut && l->repair && l->store->db)
		r = open_again(l);
	if (r == 0)
		r = look_at_accounts(l);
	h->repaired = r == 0 && l->repair;
	return r;
}

int store_check(struct store *store, bool repair, store_found *found, void *arg,
    struct store_health *ret)
{
	struct store_health health = {0};
	struct look l = {.store = store,
	    .repair = repair,
	    .found = found,
	    .arg = arg,
	    .health = &health};
	int r;

	l.accounts = openat(store->state->state, "accounts",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (l.accounts < 0)
		return -errno;
	r = io_flock(l.accounts, LOCK_EX, clock_in(LIMIT_LOCK_MS));
	if (r == 0)
		r = look(&l);
	(void)close(l.accounts);
	if (r == 0)
		*ret = health;
	return r;
}

static int checkpoint(struct store *store)
{
	int rc, r;

	/* Then the log may hold what was refused. */
	if (faccessat(store->state->runtime, STORE_FAILED, F_OK, 0) == 0)
		return -EKEYREVOKED;
	rc = sqlite3_wal_checkpoint_v2(
	    store->db, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	r = store_error(store, rc);
	/* Somebody reads: what he does not need was moved all the same. */
	return r == -EBUSY ? 0 : r;
}

int store_checkpoint(struct store *store)
{
	int r = store_ready(store);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = store_queue(store, clock_in(LIMIT_LOCK_MS));
	if (r < 0)
		return r;
	r = checkpoint(store);
	store_unqueue(store);
	return r;
}
