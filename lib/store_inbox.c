#include "store_inbox.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "store_db.h"

/* ?1 is always who acts: an account that can still log in. */
static const char *const sql[STORE_STATEMENT_COUNT] = {
    [INBOX_ME] = "SELECT lobby_seen FROM users "
		 "WHERE user_id = ?1 AND password <> '' AND disabled = 0",
    [INBOX_RECIPIENT] = "SELECT user_id FROM users "
			"WHERE username = ?1 AND password <> ''",
    [INBOX_SEND] = "INSERT INTO messages "
		   "(source_id, timestamp, destination, inbox_id, body) "
		   "VALUES (?1, ?2, ?3, ?4, ?5)",
    [INBOX_EACH] = "SELECT username, waiting FROM "
		   "(SELECT source_id, count(*) AS waiting FROM messages "
		   "WHERE inbox_id = ?1 GROUP BY source_id) "
		   "JOIN users ON user_id = source_id ORDER BY username",
    [INBOX_SENDER] = "SELECT user_id, password <> '', username FROM users "
		     "WHERE username = ?1",
    [INBOX_OLDEST] = "SELECT message_id, timestamp, destination, body "
		     "FROM messages WHERE inbox_id = ?1 AND source_id = ?2 "
		     "ORDER BY message_id LIMIT 1",
    [INBOX_REMOVE] = "DELETE FROM messages WHERE message_id = ?1",
    [INBOX_MOVE] = "UPDATE users SET lobby_seen = ?2 WHERE user_id = ?1",
};

static int compiled(
    struct store *s, enum store_statement which, sqlite3_stmt **ret)
{
	return store_cached(s, which, sql[which], ret);
}

/* Does the account still stand? With `open` the reset is the caller's: until
 * then what it reads is of one instant. 0, -EPERM, -errno. */
static int find_me(
    struct store *s, int64_t me, uint64_t *ret_seen, sqlite3_stmt **ret_open)
{
	sqlite3_stmt *statement;
	sqlite3_int64 seen = 0;
	int rc, r = compiled(s, INBOX_ME, &statement);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, me);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		seen = sqlite3_column_int64(statement, 0);
	if (rc == SQLITE_ROW && ret_open)
		*ret_open = statement;
	else
		r = store_reset(s, statement, rc);
	if (rc == SQLITE_DONE)
		r = -EPERM;
	if (rc == SQLITE_ROW && ret_seen)
		*ret_seen = seen < 0 ? 0 : (uint64_t)seen;
	return r;
}

/* Ends a write transaction: commits it if r is 0. */
static int end(struct store *s, int r)
{
	if (r == 0)
		return store_commit(s, NULL);
	store_rollback(s);
	return r;
}

/* --- send ---------------------------------------------------------- */

static int find_recipient(
    struct store *s, const char *to, size_t to_len, int64_t *ret_id)
{
	sqlite3_stmt *statement;
	int rc, r = compiled(s, INBOX_RECIPIENT, &statement);

	if (r < 0)
		return r;
	(void)store_bind_text(statement, 1, to, to_len);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret_id = sqlite3_column_int64(statement, 0);
	r = store_reset(s, statement, rc);
	return rc == SQLITE_DONE ? -ENOENT : r;
}

static int insert(struct store *s, int64_t me, const char *to, size_t to_len,
    const char *body, size_t body_len)
{
	sqlite3_stmt *statement;
	int64_t inbox = 0;
	int r = find_me(s, me, NULL, NULL);

	if (r == 0)
		r = find_recipient(s, to, to_len, &inbox);
	if (r == 0)
		r = compiled(s, INBOX_SEND, &statement);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, me);
	(void)sqlite3_bind_int64(statement, 2, clock_now());
	(void)store_bind_text(statement, 3, to, to_len);
	(void)sqlite3_bind_int64(statement, 4, inbox);
	(void)store_bind_text(statement, 5, body, body_len);
	return store_reset(s, statement, sqlite3_step(statement));
}

int inbox_send(struct store *s, int64_t me, const char *to, size_t to_len,
    const char *body, size_t body_len)
{
	int r;

	if (body_len == 0 || body_len > LIMIT_DIRECT)
		return -EMSGSIZE;
	r = store_ready(s);
	if (r == 0)
		r = store_begin(s);
	if (r < 0)
		return r;
	return end(s, insert(s, me, to, to_len, body, body_len));
}

/* --- checkinbox ---------------------------------------------------- */

static int each_sender(sqlite3_stmt *statement, int *ret_rc,
    int (*f)(void *arg, const char *from, uint64_t count), void *arg)
{
	char from[LIMIT_NAME + 1];
	int r = 0;

	while (r == 0 && (*ret_rc = sqlite3_step(statement)) == SQLITE_ROW) {
		r = store_column_text(statement, 0, from, sizeof from);
		if (r >= 0)
			r = f(arg, from,
			    (uint64_t)sqlite3_column_int64(statement, 1));
	}
	return r;
}

int inbox_each(struct store *s, int64_t me,
    int (*f)(void *arg, const char *from, uint64_t count), void *arg)
{
	sqlite3_stmt *account = NULL, *statement;
	int rc = SQLITE_DONE, r = store_ready(s), error;

	if (r == 0)
		r = compiled(s, INBOX_EACH, &statement);
	if (r == 0)
		r = find_me(s, me, NULL, &account);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, me);
	r = each_sender(statement, &rc, f, arg);
	error = store_reset(s, statement, rc);
	(void)store_reset(s, account, SQLITE_ROW);
	return r ? r : error;
}

/* --- recv ---------------------------------------------------------- */

static int find_sender(struct store *s, const char *from, size_t from_len,
    char name[LIMIT_NAME + 1], int64_t *ret_id, bool *ret_deleted)
{
	sqlite3_stmt *statement;
	int rc, error, r = compiled(s, INBOX_SENDER, &statement);

	if (r < 0)
		return r;
	(void)store_bind_text(statement, 1, from, from_len);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*ret_id = sqlite3_column_int64(statement, 0);
		*ret_deleted = sqlite3_column_int(statement, 1) == 0;
		r = store_column_text(statement, 2, name, LIMIT_NAME + 1);
	}
	error = store_reset(s, statement, rc);
	if (error < 0)
		return error;
	return rc == SQLITE_DONE ? -ENOENT : r < 0 ? r : 0;
}

static int take_columns(
    sqlite3_stmt *statement, struct inbox_message *m, int64_t *ret_id)
{
	int r;

	*ret_id = sqlite3_column_int64(statement, 0);
	m->time = sqlite3_column_int64(statement, 1);
	r = store_column_text(statement, 2, m->to, sizeof m->to);
	if (r >= 0)
		r = store_column_text(statement, 3, m->body, sizeof m->body);
	m->body_len = r < 0 ? 0 : (size_t)r;
	return r < 0 ? r : 0;
}

static int find_oldest(struct store *s, int64_t me, int64_t sender,
    struct inbox_message *m, int64_t *ret_id)
{
	sqlite3_stmt *statement;
	int rc, error, r = compiled(s, INBOX_OLDEST, &statement);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, me);
	(void)sqlite3_bind_int64(statement, 2, sender);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		r = take_columns(statement, m, ret_id);
	error = store_reset(s, statement, rc);
	if (error < 0)
		return error;
	return rc == SQLITE_DONE ? -ENODATA : r;
}

/* Which one is it? -ENODATA none, -ENOENT none and no such sender, -EPERM. */
static int look(struct store *s, int64_t me, const char *from, size_t from_len,
    struct inbox_message *m, int64_t *ret_id)
{
	bool deleted = false;
	int64_t sender = 0;
	int r = find_me(s, me, NULL, NULL);

	if (r == 0)
		r = find_sender(s, from, from_len, m->from, &sender, &deleted);
	if (r == 0)
		r = find_oldest(s, me, sender, m, ret_id);
	return r == -ENODATA && deleted ? -ENOENT : r;
}

static int remove_one(struct store *s, int64_t id)
{
	sqlite3_stmt *statement;
	int r = compiled(s, INBOX_REMOVE, &statement);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, id);
	return store_reset(s, statement, sqlite3_step(statement));
}

int inbox_take(struct store *s, int64_t me, const char *from, size_t from_len,
    struct inbox_message *ret)
{
	struct inbox_message m;
	int64_t id = 0;
	int r = store_ready(s);

	/* Most who ask for what is not there should not wait for writers. */
	if (r == 0)
		r = look(s, me, from, from_len, &m, &id);
	if (r == 0)
		r = store_begin(s);
	if (r < 0)
		return r;
	/* Another connection may have taken that one. */
	r = look(s, me, from, from_len, &m, &id);
	if (r == 0)
		r = remove_one(s, id);
	r = end(s, r);
	if (r == 0)
		*ret = m;
	return r;
}

/* --- the lobby's mark ---------------------------------------------- */

int inbox_lobby_seen(struct store *s, int64_t me, uint64_t *ret_seen)
{
	int r = store_ready(s);

	return r < 0 ? r : find_me(s, me, ret_seen, NULL);
}

static int move(struct store *s, int64_t me, uint64_t from, uint64_t to)
{
	sqlite3_stmt *statement;
	uint64_t seen = 0;
	int r = find_me(s, me, &seen, NULL);

	if (r == 0 && seen != from)
		r = -EAGAIN;
	if (r == 0)
		r = compiled(s, INBOX_MOVE, &statement);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(statement, 1, me);
	(void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)to);
	return store_reset(s, statement, sqlite3_step(statement));
}

int inbox_lobby_move(struct store *s, int64_t me, uint64_t from, uint64_t to)
{
	int r;

	if (to > INT64_MAX)
		return -EINVAL;
	r = store_ready(s);
	if (r == 0)
		r = store_begin(s);
	if (r < 0)
		return r;
	return end(s, move(s, me, from, to));
}
