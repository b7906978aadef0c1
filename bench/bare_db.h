/* What a message costs without parlance: the same INSERT into the same tables
 * with the same settings, and SQLite's own busy_timeout and checkpoints. */
#ifndef BARE_DB_H
#define BARE_DB_H

#include <limits.h>
#include <sqlite3.h>

#include "basics.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/state.h"

#define BARE_TEXT                                                              \
	"the quick brown fox jumps over the lazy dog, and says so here"

static inline sqlite3 *bare_open(const struct state *state)
{
	char path[PATH_MAX + 32];
	sqlite3 *db;

	(void)snprintf(
	    path, sizeof path, "%s/db/parlance.db", state->state_path);
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) ||
	    sqlite3_busy_timeout(db, LIMIT_LOCK_MS) ||
	    sqlite3_exec(db,
		"PRAGMA journal_mode=WAL;"
		"PRAGMA synchronous=FULL;"
		"PRAGMA foreign_keys=ON;"
		"PRAGMA temp_store=MEMORY;"
		"PRAGMA journal_size_limit=16777216;",
		NULL, NULL, NULL))
		fail(path, EIO);
	return db;
}

static inline void bare_step(sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);

	if (rc != SQLITE_DONE) {
		(void)fprintf(stderr, "bench: bare: %s\n", sqlite3_errstr(rc));
		exit(1);
	}
	(void)sqlite3_reset(statement);
}

struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin, *insert, *commit;
};

static inline void bare_init(struct bare *bare, const struct state *state)
{
	bare->db = bare_open(state);
	if (sqlite3_prepare_v2(
		bare->db, "BEGIN IMMEDIATE", -1, &bare->begin, NULL) ||
	    sqlite3_prepare_v2(bare->db, "COMMIT", -1, &bare->commit, NULL) ||
	    sqlite3_prepare_v2(bare->db,
		"INSERT INTO messages (timestamp, source_id, destination, "
		"inbox_id, body) VALUES (?, ?, ?, ?, ?)",
		-1, &bare->insert, NULL))
		fail("prepare", EIO);
}

static inline void bare_send(struct bare *bare, int64_t me)
{
	(void)sqlite3_bind_int64(bare->insert, 1, clock_now());
	(void)sqlite3_bind_int64(bare->insert, 2, me);
	(void)sqlite3_bind_text(bare->insert, 3, "bob", 3, SQLITE_STATIC);
	(void)sqlite3_bind_int64(bare->insert, 4, me);
	(void)sqlite3_bind_text(
	    bare->insert, 5, BARE_TEXT, sizeof BARE_TEXT - 1, SQLITE_STATIC);
	bare_step(bare->begin);
	bare_step(bare->insert);
	bare_step(bare->commit);
}

/* Instead of all messages: so many unread ones for each of 1 + others inboxes,
 * of which `me` is the first by number, from so many senders. */
static inline void bare_fill(
    const struct state *state, int64_t me, int senders, int unread, int others)
{
	sqlite3 *db = bare_open(state);
	char *sql = sqlite3_mprintf(
	    "BEGIN;"
	    "WITH RECURSIVE i(n) AS "
	    "(SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %d) "
	    "INSERT INTO users (username, name_key, password, created) "
	    "SELECT 'user' || n, 'user' || n, 'x', 0 FROM i;"
	    "DELETE FROM messages;"
	    /* Interleaved, as they would come. */
	    "WITH RECURSIVE i(n) AS "
	    "(SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < %d) "
	    "INSERT INTO messages (timestamp, source_id, destination, "
	    "inbox_id, body) SELECT 1795183387, "
	    "(SELECT user_id FROM users WHERE username = 'user' || "
	    "(1 + n * 7919 %% %d)), 'bob', %lld + n %% %d, '%s' FROM i;"
	    "COMMIT;",
	    senders, unread * (others + 1) - 1, senders, (long long)me,
	    others + 1, BARE_TEXT);

	if (!sql || sqlite3_exec(db, sql, NULL, NULL, NULL))
		fail(sqlite3_errmsg(db), EIO);
	sqlite3_free(sql);
	(void)sqlite3_close(db);
}

#endif
