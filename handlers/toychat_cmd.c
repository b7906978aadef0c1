/*
 * The table of commands (specs/toychat.txt), and those that decide who is
 * logged in. The order of checks is the clarifications': the command's word,
 * whether its sender is logged in, its number of fields, their contents.
 */
#include "toychat.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistr.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/name.h"
#include "lib/parse.h"
#include "lib/password.h"
#include "lib/proxies.h"

/* --- who -------------------------------------------------------------- */

static void enter(struct toychat *t, const struct store_user *user)
{
	t->in = true;
	t->me = *user;
	t->login_deadline = CLOCK_NEVER;
	t->failures = 0;
	toychat_ok(t);
}

void toychat_leave(struct toychat *t)
{
	t->in = false;
	t->login_deadline = clock_in(LIMIT_LOGIN_MS);
}

int toychat_still_in(struct toychat *t)
{
	const struct store_user *me = &t->me;
	struct store_user now;
	int r = store_user_find(&t->store, me->name, strlen(me->name), &now);

	if (r < 0)
		return r == -ENOENT ? -EPERM : r;
	return now.id == me->id && !now.deleted && !now.disabled &&
		       strcmp(now.password, me->password) == 0
		   ? 0
		   : -EPERM;
}

/* --- login, logout ---------------------------------------------------- */

/* From the fourth failure of this connection on each is answered a second
 * later, as those of a source are by auth_check(), whichever is later. */
static void refuse_login(struct toychat *t, struct slice name, int64_t since)
{
	unsigned over = t->failures < LIMIT_FAILURES_FREE
			    ? 0
			    : t->failures - LIMIT_FAILURES_FREE + 1;
	struct log_line line;

	if (over > LIMIT_FAILURE_DELAYS)
		over = LIMIT_FAILURE_DELAYS;
	t->failures++;
	if (over)
		(void)io_wait(NULL, 0,
		    since + (int64_t)over * LIMIT_FAILURE_DELAY_MS, IO_TERM);
	log_begin(&line, LOG_NOTICE, "login-failed");
	log_text(&line, "user", name.data, name.len);
	log_end(&line);
	toychat_fail(t, "invalid username or password");
}

static void act_login(struct toychat *t, const struct slice *fields)
{
	struct slice name = fields[0], password = fields[1];
	int64_t since = clock_ms();
	struct store_user user;
	/* Before the check: a password that changes meanwhile is noticed. */
	int r = store_user_find(&t->store, name.data, name.len, &user);

	if (r == 0 || r == -ENOENT)
		r = auth_check(&t->auth, t->start.source, name.data, name.len,
		    password.data, password.len, NULL);
	if (r < 0)
		toychat_failed(t, "login", r);
	else if (r == 0)
		refuse_login(t, name, since);
	else
		enter(t, &user);
}

static void act_logout(struct toychat *t, const struct slice *fields)
{
	(void)fields;
	toychat_leave(t);
	toychat_ok(t);
}

/* --- register --------------------------------------------------------- */

static const char *const name_errors[] = {
    [NAME_EMPTY] = "wrong number of fields",
    [NAME_NOT_UTF8] = "invalid UTF-8",
    [NAME_TOO_LONG] = "username longer than 30 chars",
    [NAME_CHARACTER] = "username has invalid characters",
};

static const char *const password_errors[] = {
    [PASSWORD_EMPTY] = "wrong number of fields",
    [PASSWORD_NOT_UTF8] = "invalid UTF-8",
    [PASSWORD_TOO_LONG] = "password longer than 50 chars",
    [PASSWORD_CONTROL] = "password has invalid characters",
};

/* What is wrong with them; NULL: nothing. */
static const char *refusal(struct slice name, struct slice password)
{
	enum name_fault n = name_check(name.data, name.len);
	enum password_fault p = password_check(password.data, password.len);

	return n ? name_errors[n] : password_errors[p];
}

/* Whether nobody has the name, or had it: asked before it costs a hash; the
 * store has the last word. 1, 0 or -errno. */
static int is_free(struct toychat *t, struct slice name)
{
	char key[LIMIT_NAME_KEY + 1];
	int r = name_key(name.data, name.len, key);

	if (r < 0)
		return r;
	if (name_key_reserved(key))
		return 0;
	r = account_exists(&t->start.state, key);
	return r < 0 ? r : !r;
}

/* Has its client made itself as many accounts as one may? This does not count
 * who is on this host. 0, -EBUSY or -errno. */
static int check_rate(struct toychat *t)
{
	uint64_t rate = t->start.settings.create_rate;
	int64_t wait;

	if (!*t->start.address || address_is_loopback(t->start.source.bytes))
		return 0;
	wait = rate_take(
	    &t->auth.rate, RATE_REGISTER, t->start.source, rate, rate);
	return wait > 0 ? -EBUSY : (int)wait;
}

/* 0, -EEXIST, -EADDRINUSE (a guest holds the name), -errno. */
static int add(struct toychat *t, struct slice name, struct slice password)
{
	char hash[LIMIT_PASSWORD_HASH + 1];
	int r = is_free(t, name);

	if (r <= 0)
		return r < 0 ? r : -EEXIST;
	r = check_rate(t);
	if (r < 0)
		return r;
	r = auth_hash(
	    &t->auth, t->start.source, password.data, password.len, hash);
	if (r == 0)
		r = store_open(&t->store);
	if (r == 0)
		r = toychat_lobby(t);
	if (r == 0)
		r = store_user_add(
		    &t->store, name.data, name.len, hash, t->lobby.count);
	sodium_memzero(hash, sizeof hash);
	return r;
}

static void act_register(struct toychat *t, const struct slice *fields)
{
	const char *error = refusal(fields[0], fields[1]);
	struct store_user user;
	int r;

	if (!t->start.settings.registration)
		error = "registration is closed";
	if (error) {
		toychat_fail(t, error);
		return;
	}
	r = add(t, fields[0], fields[1]);
	if (r == 0)
		r = store_user_find(
		    &t->store, fields[0].data, fields[0].len, &user);
	if (r == -EEXIST || r == -EADDRINUSE)
		toychat_fail(t, "username already registered");
	else if (r < 0)
		toychat_failed(t, "register", r);
	else
		enter(t, &user);
}

/* --- the table -------------------------------------------------------- */

struct entry {
	const char *word;
	bool in; /* for those who are logged in; else for those who are not */
	unsigned fields;
	bool last_may_be_empty;
	void (*act)(struct toychat *, const struct slice *fields);
};

static const struct entry entries[] = {
    {"register", false, 2, false, act_register},
    {"login", false, 2, false, act_login},
    {"logout", true, 0, false, act_logout},
    {"send", true, 2, true, toychat_send},
    {"checkinbox", true, 0, false, toychat_checkinbox},
    {"recv", true, 1, false, toychat_recv},
    /* One that has all its fields is toychat_upload()'s. */
    {"upload", true, 3, false, NULL},
    {"getfilelist", true, 0, false, toychat_getfilelist},
    {"download", true, 1, false, toychat_download},
};

static const struct entry *find(struct slice word)
{
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
		if (parse_is(word.data, word.len, entries[i].word))
			return &entries[i];
	return NULL;
}

static const char *wrong(const struct toychat *t, const struct entry *e,
    const struct toychat_command *command, struct slice *fields)
{
	struct slice tail = command->tail;

	if (!e)
		return "no such command";
	if (t->in != e->in)
		return e->in ? "must be logged in" : "must not be logged in";
	if (!e->act || toychat_fields(command, fields, e->fields,
			   e->last_may_be_empty) < 0)
		return "wrong number of fields";
	if (u8_check((const uint8_t *)tail.data, tail.len))
		return "invalid UTF-8";
	return NULL;
}

void toychat_command(struct toychat *t, const struct toychat_command *command)
{
	const struct entry *entry = find(command->word);
	struct slice fields[TOYCHAT_FIELDS];
	const char *error;
	int r = 0;

	if (command->counted) {
		toychat_upload(t, command);
		return;
	}
	error = wrong(t, entry, command, fields);
	if (!error && entry->in)
		r = toychat_still_in(t);
	if (error)
		toychat_fail(t, error);
	else if (r < 0)
		toychat_failed(t, entry->word, r);
	else
		entry->act(t, fields);
}
