/* Opening, making and migrating the database. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "store_backup.h"
#include "store_db.h"

#define DATABASE STORE_DATABASE
#define DATABASE_NEW STORE_DATABASE_NEW

/* Step k brings version k to k + 1. */
static const char *const migrations[] = {
#include "gen/schema.h"
};

#define VERSION ((int)(sizeof migrations / sizeof *migrations))

/* journal_size_limit, in bytes: up to this a log that is begun anew keeps its
 * place on the disk, which makes syncs much faster; 4,000 pages, the size from
 * which it is made to begin anew (store.c). With any limit the last one to
 * close empties the log, so that the next one who opens has none to read
 * through. */
static const char pragmas[] = "PRAGMA synchronous=FULL;"
			      "PRAGMA foreign_keys=ON;"
			      "PRAGMA temp_store=MEMORY;"
			      "PRAGMA journal_size_limit=16777216;";

static int run(struct store *s, const char *sql)
{
	return store_error(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

/* --- opening ------------------------------------------------------- */

static int take_int(void *arg, int columns, char **values, char **names)
{
	sqlite3_int64 *ret = arg;

	(void)names;
	*ret = columns > 0 && values[0] ? strtoll(values[0], NULL, 10) : 0;
	return 0;
}

static int user_version(struct store *s, sqlite3_int64 *ret)
{
	return store_error(
	    s, sqlite3_exec(s->db, "PRAGMA user_version", take_int, ret, NULL));
}

/* Within a transaction: two may have seen the old version. */
static int migrate_steps(struct store *s)
{
	sqlite3_int64 version = 0;
	char sql[64];
	int r = user_version(s, &version);

	if (r == 0 && version > VERSION)
		r = -EUCLEAN;
	for (; r == 0 && version < VERSION; version++)
		r = run(s, migrations[version]);
	(void)snprintf(sql, sizeof sql, "PRAGMA user_version=%d", VERSION);
	return r < 0 ? r : run(s, sql);
}

static int migrate_locked(struct store *s)
{
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = migrate_steps(s);
	if (r == 0)
		return store_commit(s, NULL);
	store_rollback(s);
	return r;
}

static int migrate(struct store *s)
{
	sqlite3_int64 version = 0;
	int r = user_version(s, &version);

	if (r < 0 || version == VERSION)
		return r;
	if (version < 0 || version > VERSION)
		return -EUCLEAN;
	r = migrate_locked(s);
	/* As yet, what an older version holds reads as the newest's does. */
	return version && (r == -EROFS || r == -EACCES) ? 0 : r;
}

static int take_wal(void *arg, int columns, char **values, char **names)
{
	bool *ret = arg;

	(void)names;
	*ret = columns > 0 && values[0] && strcmp(values[0], "wal") == 0;
	return 0;
}

/* busy_timeout, then journal_mode, then the rest (design 5). */
static int set_up(struct store *s)
{
	bool wal = false;
	int r;

	(void)sqlite3_busy_timeout(s->db, LIMIT_LOCK_MS);
	r = store_error(s, sqlite3_exec(s->db, "PRAGMA journal_mode=WAL",
			       take_wal, &wal, NULL));
	if (r == 0 && !wal)
		r = -EROFS;
	if (r == 0)
		r = run(s, pragmas);
	(void)sqlite3_wal_hook(s->db, store_after_commit, NULL);
	return r == 0 ? migrate(s) : r;
}

/* Below an absolute STATE_DIRECTORY; a relative one is gone through by its
 * descriptor, since SQLite would ask where we are now. */
static int find_path(
    const struct store *s, const char *name, char *ret_path, size_t size)
{
	int n;

	if (s->state->state_path[0] == '/')
		n = snprintf(
		    ret_path, size, "%s/db/%s", s->state->state_path, name);
	else
		n = snprintf(ret_path, size, "/proc/self/fd/%d/db/%s",
		    s->state->state, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* One thread, no statistics, and little memory beforehand. Once SQLite is
 * initialized this is refused and changes nothing. */
static void configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 512, 32);
}

static void disconnect(struct store *s)
{
	for (size_t i = 0; i < STORE_STATEMENTS; i++) {
		(void)sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	(void)sqlite3_close(s->db);
	s->db = NULL;
}

static int connect_to(struct store *s, const char *name)
{
	char path[sizeof s->state->state_path + 64];
	int r = find_path(s, name, path, sizeof path);

	if (r < 0)
		return r;
	configure();
	r = store_error(s, sqlite3_open_v2(path, &s->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				   SQLITE_OPEN_EXRESCODE,
			       NULL));
	if (r == 0)
		r = set_up(s);
	if (r < 0)
		disconnect(s);
	return r;
}

static bool exists(const struct store *s)
{
	return faccessat(s->state->state, "db/" DATABASE, F_OK, 0) == 0;
}

int store_ready(struct store *s)
{
	int keep = 1, r;

	if (s->db)
		return 0;
	if (!exists(s))
		return -ENOENT;
	r = connect_to(s, DATABASE);
	if (r < 0)
		return r;
	/* With both files kept, it can be read where none can be made. */
	(void)sqlite3_file_control(
	    s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	return 0;
}

/* --- the first time ------------------------------------------------ */

static void remove_new(int dir)
{
	(void)unlinkat(dir, DATABASE_NEW, 0);
	(void)unlinkat(dir, DATABASE_NEW "-journal", 0);
	(void)unlinkat(dir, DATABASE_NEW "-wal", 0);
	(void)unlinkat(dir, DATABASE_NEW "-shm", 0);
}

/* The database is made whole under another name, closed, and only then given
 * its own: so nobody ever opens one that has no tables, or is not in WAL mode
 * yet, which concurrent openers cannot change without errors. */
static int complete(struct store *s, int dir)
{
	int r = connect_to(s, DATABASE_NEW);

	if (r == 0)
		disconnect(s);
	/* A log left over says that its contents are not in the file. */
	if (r == 0 && faccessat(dir, DATABASE_NEW "-wal", F_OK, 0) == 0)
		r = -EIO;
	if (r == 0 && renameat(dir, DATABASE_NEW, dir, DATABASE) < 0)
		r = -errno;
	if (r == 0 && fsync(dir) < 0)
		r = -errno;
	return r;
}

static int build(struct store *s, int dir)
{
	int fd, r;

	remove_new(dir);
	fd = openat(dir, DATABASE_NEW,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	r = complete(s, dir);
	if (r < 0)
		remove_new(dir);
	return r;
}

int store_adopt(struct store *s)
{
	int r = store_queue(s, clock_in(LIMIT_LOCK_MS));

	if (r < 0)
		return r;
	r = exists(s) ? -EEXIST : complete(s, s->queue);
	store_unqueue(s);
	return r;
}

static int create(struct store *s)
{
	int r = store_queue(s, clock_in(LIMIT_LOCK_MS));

	if (r < 0)
		return r;
	if (!exists(s))
		r = build(s, s->queue);
	store_unqueue(s);
	return r;
}

int store_open(struct store *s)
{
	int r = store_ready(s);

	if (r != -ENOENT)
		return r;
	r = create(s);
	return r < 0 ? r : store_ready(s);
}

void store_idle(struct store *s)
{
	if (!s->db)
		return;
	disconnect(s);
	(void)sqlite3_shutdown();
	(void)malloc_trim(0);
}

void store_release(struct store *s)
{
	if (s->queue >= 0)
		(void)close(s->queue);
	s->queue = -1;
	s->queued = 0;
	if (!s->db)
		return;
	disconnect(s);
	(void)sqlite3_shutdown();
}
