#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "name.h"
#include "present.h"
#include "store_db.h"

#define COLUMNS "user_id, username, password, disabled"

static int take_user(sqlite3_stmt *statement, struct store_user *ret)
{
	int r;

	ret->id = sqlite3_column_int64(statement, 0);
	r = store_column_text(statement, 1, ret->name, sizeof ret->name);
	if (r >= 0)
		r = store_column_text(
		    statement, 2, ret->password, sizeof ret->password);
	ret->disabled = sqlite3_column_int(statement, 3) != 0;
	ret->deleted = ret->password[0] == '\0';
	return r < 0 ? r : 0;
}

int store_user_find(
    struct store *s, const char *name, size_t len, struct store_user *ret)
{
	static const char sql[] =
	    "SELECT " COLUMNS " FROM users WHERE username = ?1";
	struct store_user found = {0};
	sqlite3_stmt *statement;
	int rc, taken = -ENOENT, r = store_ready(s);

	if (r == 0)
		r = store_cached(s, USERS_FIND, sql, &statement);
	if (r < 0)
		return r;
	(void)store_bind_text(statement, 1, name, len);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		taken = take_user(statement, &found);
	/* Ends the read transaction, so nobody waits for us. */
	r = store_reset(s, statement, rc);
	if (r == 0)
		r = taken;
	if (r == 0)
		*ret = found;
	return r;
}

static int each_row(sqlite3_stmt *statement, struct store *s,
    int (*f)(void *arg, const struct store_user *), void *arg)
{
	struct store_user user;
	int rc, r;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		r = take_user(statement, &user);
		if (r == 0)
			r = f(arg, &user);
		if (r != 0)
			return r;
	}
	return store_error(s, rc);
}

int store_user_each(
    struct store *s, int (*f)(void *arg, const struct store_user *), void *arg)
{
	sqlite3_stmt *statement = NULL;
	int r = store_ready(s);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = store_prepare(s,
		    "SELECT " COLUMNS " FROM users WHERE password <> '' "
		    "ORDER BY username",
		    &statement);
	if (r < 0)
		return r;
	r = each_row(statement, s, f, arg);
	(void)sqlite3_finalize(statement);
	return r;
}

/* --- accounts/ ----------------------------------------------------- */

/* The entry of one account, on disk. *ret_made: it was not there before, as
 * one that a killed process left would be. */
static int entry_make(int accounts, const char *key, bool *ret_made)
{
	int fd = openat(accounts, key,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	(void)close(fd);
	*ret_made = true;
	return fsync(accounts) < 0 ? -errno : 0;
}

/* --- adding -------------------------------------------------------- */

struct new_user {
	const char *name;
	size_t len;
	const char *password;
	uint64_t lobby_seen;
	char key[LIMIT_NAME_KEY + 1];
};

static int insert(struct store *s, const struct new_user *u)
{
	sqlite3_stmt *statement;
	int r = store_prepare(s,
	    "INSERT INTO users "
	    "(username, name_key, password, created, lobby_seen) "
	    "VALUES (?1, ?2, ?3, ?4, ?5)",
	    &statement);

	if (r < 0)
		return r;
	(void)store_bind_text(statement, 1, u->name, u->len);
	(void)store_bind_text(statement, 2, u->key, strlen(u->key));
	(void)store_bind_text(statement, 3, u->password, strlen(u->password));
	(void)sqlite3_bind_int64(statement, 4, clock_now());
	(void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)u->lobby_seen);
	return store_finish(s, statement);
}

/* Once our own mark is made: a guest makes his, and then looks for ours. */
static int look_for_guest(const struct store *s, const struct new_user *u)
{
	struct present present;
	int r = present_open(&present, s->state);

	if (r < 0)
		return r;
	r = present_held(&present, u->name, u->len);
	present_close(&present);
	return r == 1 ? -EADDRINUSE : r;
}

/* Under the lock of accounts/, so that an entry which is removed after a
 * failure cannot be one that somebody took over meanwhile. */
static int add_locked(struct store *s, const struct new_user *u, int accounts)
{
	bool made = false, unsure = false;
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = insert(s, u);
	if (r == 0)
		r = entry_make(accounts, u->key, &made);
	if (r == 0)
		r = look_for_guest(s, u);
	if (r == 0)
		r = store_commit(s, &unsure);
	else
		store_rollback(s);
	if (r < 0 && made && !unsure)
		(void)unlinkat(accounts, u->key, 0);
	return r;
}

int store_user_add(struct store *s, const char *name, size_t len,
    const char *password, uint64_t lobby_seen)
{
	struct new_user u = {.name = name,
	    .len = len,
	    .password = password,
	    .lobby_seen = lobby_seen};
	int accounts, r = name_key(name, len, u.key);

	if (r == 0 && (!password[0] || !u.key[0] || lobby_seen > INT64_MAX))
		r = -EINVAL;
	if (r == 0)
		r = store_open(s);
	if (r < 0)
		return r;
	accounts = openat(s->state->state, "accounts",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (accounts < 0)
		return -errno;
	r = io_flock(accounts, LOCK_EX, clock_in(LIMIT_LOCK_MS));
	if (r == 0)
		r = add_locked(s, &u, accounts);
	(void)close(accounts);
	return r;
}

/* --- changing ------------------------------------------------------ */

/* Runs one statement, whose ?1 is the name and whose ?2 is value, and which
 * does what is asked if it changes a row. */
static int change(struct store *s, const char *sql, const char *name,
    size_t len, const char *value)
{
	sqlite3_stmt *statement;
	int r = store_prepare(s, sql, &statement);

	if (r < 0)
		return r;
	(void)store_bind_text(statement, 1, name, len);
	if (value)
		(void)store_bind_text(statement, 2, value, strlen(value));
	r = store_finish(s, statement);
	return r == 0 && sqlite3_changes(s->db) == 0 ? -ENOENT : r;
}

static int update(struct store *s, const char *sql, const char *name,
    size_t len, const char *value, const char *after)
{
	int r = store_ready(s);

	if (r == 0)
		r = store_begin(s);
	if (r < 0)
		return r;
	r = change(s, sql, name, len, value);
	if (r == 0 && after) {
		r = change(s, after, name, len, NULL);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		return store_commit(s, NULL);
	store_rollback(s);
	return r;
}

int store_user_set_password(
    struct store *s, const char *name, size_t len, const char *password)
{
	if (!password[0])
		return -EINVAL;
	return update(s,
	    "UPDATE users SET password = ?2 "
	    "WHERE username = ?1 AND password <> ''",
	    name, len, password, NULL);
}

int store_user_set_disabled(
    struct store *s, const char *name, size_t len, bool disabled)
{
	return update(s,
	    disabled ? "UPDATE users SET disabled = 1 "
		       "WHERE username = ?1 AND password <> ''"
		     : "UPDATE users SET disabled = 0 "
		       "WHERE username = ?1 AND password <> ''",
	    name, len, NULL, NULL);
}

/* The row and the name stay, password and inbox go (design 7). */
int store_user_delete(struct store *s, const char *name, size_t len)
{
	return update(s,
	    "UPDATE users SET password = '' "
	    "WHERE username = ?1 AND password <> ''",
	    name, len, NULL,
	    "DELETE FROM messages WHERE inbox_id = "
	    "(SELECT user_id FROM users WHERE username = ?1)");
}
