#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "store_db.h"

/* The log is copied into the database from so many pages on, as by default. */
#define WAL_PAGES 1000

/* From so many on it is begun anew as soon as readers let us: we wait so long
 * for them, at one of so many sizes that it can have. */
#define WAL_PAGES_LONG 4000
#define WAL_WAIT_MS 100
#define WAL_EACH 256
#define WAL_AMONG 16

void store_init(struct store *s, const struct state *state)
{
	*s = (struct store){.state = state, .queue = -1};
}

const char *store_says(int error)
{
	switch (error) {
	case -EUCLEAN:
		return "the database is of a newer version of parlance";
	case -EBADMSG:
		return "the database is damaged, or none";
	case -EKEYREVOKED:
		return "the database takes no changes since a write to disk "
		       "failed: parlance check --repair";
	case -EBUSY:
		return "the database is busy";
	default:
		return strerror(error < 0 ? -error : error);
	}
}

static int system_error(struct store *s)
{
	switch (sqlite3_system_errno(s->db)) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	case EACCES:
	case EPERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

int store_error(struct store *s, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* so many at once that it gave up */
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return system_error(s);
	}
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	return store_error(s, sqlite3_prepare_v2(s->db, sql, -1, ret, NULL));
}

int store_cached(struct store *s, enum store_statement which, const char *sql,
    sqlite3_stmt **ret)
{
	int r = 0;

	if (!s->statements[which])
		r = store_error(s, sqlite3_prepare_v3(s->db, sql, -1,
				       SQLITE_PREPARE_PERSISTENT,
				       &s->statements[which], NULL));
	if (r == 0)
		*ret = s->statements[which];
	return r;
}

int store_reset(struct store *s, sqlite3_stmt *statement, int rc)
{
	int r = store_error(s, rc);

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return r;
}

int store_bind_text(
    sqlite3_stmt *statement, int place, const char *text, size_t len)
{
	return sqlite3_bind_text64(
	    statement, place, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

int store_column_text(
    sqlite3_stmt *statement, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(statement, column);
	int n = sqlite3_column_bytes(statement, column);

	if (!text || n < 0 || (size_t)n >= size)
		return -EUCLEAN;
	memcpy(out, text, (size_t)n);
	out[n] = '\0';
	return n;
}

int store_finish(struct store *s, sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);

	while (rc == SQLITE_ROW)
		rc = sqlite3_step(statement);
	(void)sqlite3_finalize(statement);
	return store_error(s, rc);
}

/* --- the queue of writers ------------------------------------------ */

/*
 * SQLite has whoever finds the database locked sleep for a while and try
 * again, longer each time: with many writers some never have luck. flock wakes
 * the one who has waited longest, and at once.
 */

int store_queue(struct store *s, int64_t deadline)
{
	int r = 0;

	if (s->queue < 0) {
		s->queue = openat(s->state->state, "db",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (s->queue < 0)
			return -errno;
	}
	if (s->queued == 0)
		r = io_flock(s->queue, LOCK_EX, deadline);
	if (r == 0)
		s->queued++;
	return r;
}

void store_unqueue(struct store *s)
{
	if (s->queued && --s->queued == 0)
		(void)flock(s->queue, LOCK_UN);
}

/* --- transactions -------------------------------------------------- */

static int run_cached(
    struct store *s, enum store_statement which, const char *sql, int *ret_rc)
{
	sqlite3_stmt *statement = NULL;
	int r = store_cached(s, which, sql, &statement);

	*ret_rc = SQLITE_OK;
	if (r < 0)
		return r;
	*ret_rc = sqlite3_step(statement);
	return store_reset(s, statement, *ret_rc);
}

static int mark_failed(struct store *s)
{
	int fd = openat(s->state->runtime, STORE_FAILED,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : close(fd);
}

/* With our turn in the queue: who failed left his mark before he left it. */
static int begin_queued(struct store *s, int64_t deadline)
{
	int rc, r;

	if (faccessat(s->state->runtime, STORE_FAILED, F_OK, 0) == 0)
		return -EKEYREVOKED;
	(void)sqlite3_busy_timeout(s->db, clock_left(deadline));
	r = run_cached(s, STORE_BEGIN, "BEGIN IMMEDIATE", &rc);
	(void)sqlite3_busy_timeout(s->db, LIMIT_LOCK_MS);
	return r;
}

int store_begin(struct store *s)
{
	int64_t deadline = clock_in(LIMIT_LOCK_MS);
	int r = store_queue(s, deadline);

	if (r < 0)
		return r;
	r = begin_queued(s, deadline);
	if (r < 0)
		store_unqueue(s);
	return r;
}

static void roll_back(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

void store_rollback(struct store *s)
{
	roll_back(s);
	store_unqueue(s);
}

/* The frames of a commit whose sync failed stand in the log, and who opens the
 * database anew would take them for committed. This connection knows better:
 * its checkpoint moves what was committed before and empties the log. */
static int cure(struct store *s)
{
	int rc = sqlite3_wal_checkpoint_v2(
	    s->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	return store_error(s, rc);
}

int store_commit(struct store *s, bool *ret_unsure)
{
	int rc, r = run_cached(s, STORE_COMMIT, "COMMIT", &rc);

	if (r < 0) {
		roll_back(s);
		if ((rc & 0xff) == SQLITE_IOERR && cure(s) < 0) {
			(void)mark_failed(s);
			if (ret_unsure)
				*ret_unsure = true;
		}
	}
	store_unqueue(s);
	return r;
}

/*
 * SQLite begins its log anew when nobody reads from it. Where somebody always
 * does, it would grow for ever; so once it is long we wait for those who read
 * now, with the queue held, so that nothing is written meanwhile. Whoever
 * begins to read then finds all in the database and has no use for the log.
 * One who reads for long must not slow down every commit: hence not each time.
 */
int store_after_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	(void)arg;
	if (pages >= WAL_PAGES_LONG && pages % WAL_EACH < WAL_AMONG) {
		(void)sqlite3_busy_timeout(db, WAL_WAIT_MS);
		(void)sqlite3_wal_checkpoint_v2(
		    db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
		(void)sqlite3_busy_timeout(db, LIMIT_LOCK_MS);
	} else if (pages >= WAL_PAGES) {
		(void)sqlite3_wal_checkpoint_v2(
		    db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	}
	/* It is committed, whatever became of this. */
	return SQLITE_OK;
}
