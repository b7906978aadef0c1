/* What becomes of a database that an older version made. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "inbox_fixture.h"
#include "syncs.h"

#define BOB 2

static const char *const steps[] = {
#include "gen/schema.h"
};

#define STEPS ((int)(sizeof steps / sizeof steps[0]))

/* A database as the first version left it, with a message for bob. */
static void make_old(const struct place *p)
{
	char path[128];

	run_plain(p, "PRAGMA journal_mode=WAL");
	run_plain(p, steps[0]);
	run_plain(p,
	    "INSERT INTO users (username, name_key, password, created) "
	    "VALUES ('alice', 'alice', 'hash', 1), ('bob', 'bob', 'hash', 1);"
	    "INSERT INTO messages "
	    "(timestamp, source_id, destination, inbox_id, body) "
	    "VALUES (1795183387, 1, 'bob', 2, 'old');"
	    "PRAGMA user_version=1");
	(void)snprintf(path, sizeof path, "%s/state/db/parlance.db", p->path);
	assert_int_equal(chmod(path, 0600), 0);
}

static int make(void **state)
{
	(void)place_make(state);
	make_old(*state);
	return 0;
}

static int unmake(void **state)
{
	failing_syncs = 0;
	return place_unmake(state);
}

/* The one value that a query gives. */
static int64_t value(const struct place *p, const char *sql)
{
	sqlite3 *db = open_plain(p);
	sqlite3_stmt *statement;
	int64_t found;

	assert_int_equal(
	    sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	found = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return found;
}

static int version(const struct place *p)
{
	return (int)value(p, "PRAGMA user_version");
}

static int add_count(void *arg, const char *from, uint64_t count)
{
	*(uint64_t *)arg += count + (strcmp(from, "alice") ? 100 : 0);
	return 0;
}

/* 0 if bob finds the old message in the inbox. */
static int look(struct store *s)
{
	uint64_t count = 0;
	int r = inbox_each(s, BOB, add_count, &count);

	return r < 0 ? r : count == 1 ? 0 : -ENOMSG;
}

static void an_older_database_is_brought_up_to_date(void **state)
{
	struct place *p = *state;
	struct inbox_message m;
	struct store s;

	assert_int_equal(version(p), 1);
	store_init(&s, &p->state);
	assert_int_equal(look(&s), 0);
	assert_int_equal(inbox_take(&s, BOB, "alice", 5, &m), 0);
	assert_string_equal(m.body, "old");
	assert_int_equal(inbox_send(&s, BOB, "alice", 5, "new", 3), 0);
	assert_int_equal(store_user_add(&s, "carol", 5, "hash", 0), 0);
	store_release(&s);
	assert_int_equal(version(p), STEPS);
	assert_int_equal(
	    value(
		p, "SELECT count(*) FROM pragma_index_info('messages_inbox')"),
	    2);
}

static void an_account_of_before_starts_with_an_empty_lobby(void **state)
{
	static struct lobby_message message;
	struct place *p = *state;
	struct people people = {0};
	uint64_t count = 9;

	store_init(&people.store, &p->state);
	assert_int_equal(rooms_open(&people.rooms, &p->state), 0);
	assert_int_equal(
	    room_open(&people.lobby, &people.rooms, "lobby", 5, ROOM_CREATE),
	    0);
	(void)say(&people, "long ago");
	assert_int_equal(
	    lobby_unread(&people.store, &people.lobby, BOB, &count), 0);
	assert_int_equal(count, 0);
	(void)say(&people, "now");
	assert_int_equal(
	    lobby_take(&people.store, &people.lobby, BOB, &message), 0);
	assert_memory_equal(message.body.data, "now", 3);
	store_release(&people.store);
	room_close(&people.lobby);
	rooms_close(&people.rooms);
}

static int open_and_look(struct place *p, int number)
{
	struct store s;
	int r;

	(void)number;
	store_init(&s, &p->state);
	r = look(&s);
	store_release(&s);
	return r != 0;
}

static void many_may_find_it_old_at_once(void **state)
{
	assert_int_equal(place_each(16, open_and_look, *state), 16);
	assert_int_equal(version(*state), STEPS);
}

static void one_that_cannot_be_finished_is_left_as_it_was(void **state)
{
	struct place *p = *state;
	struct store s;

	store_init(&s, &p->state);
	failing_syncs = 1;
	assert_int_equal(look(&s), -EIO);
	assert_int_equal(failing_syncs, 0);
	assert_int_equal(version(p), 1);
	assert_int_equal(look(&s), 0);
	store_release(&s);
	assert_int_equal(version(p), STEPS);
}

/* As somebody whom permissions concern. Status 0 is success. */
static int read_only_as_nobody(struct place *unused, int number)
{
	struct place p = {0};
	char path[128];
	struct store s;
	int r;

	(void)unused;
	(void)number;
	if (!place_as_nobody())
		return 9;
	place_init(&p);
	make_old(&p);
	/* With its log beside it, as ours always has. */
	store_init(&s, &p.state);
	if (look(&s) < 0 ||
	    sqlite3_exec(s.db, "PRAGMA user_version=1", NULL, NULL, NULL))
		return 8;
	store_release(&s);
	(void)snprintf(path, sizeof path, "%s/state/db", p.path);
	assert_int_equal(chmod(path, 0500), 0);
	(void)snprintf(path, sizeof path, "%s/state/db/parlance.db", p.path);
	assert_int_equal(chmod(path, 0400), 0);
	r = look(&s);
	store_release(&s);
	(void)snprintf(path, sizeof path, "%s/state/db", p.path);
	assert_int_equal(chmod(path, 0700), 0);
	place_release(&p);
	return r != 0;
}

static void an_old_one_that_cannot_be_written_can_be_read(void **state)
{
	assert_int_equal(place_each(1, read_only_as_nobody, *state), 1);
}

static void a_newer_one_is_refused_and_not_touched(void **state)
{
	struct place *p = *state;
	struct store s;

	run_plain(p, "PRAGMA user_version=77");
	store_init(&s, &p->state);
	assert_int_equal(look(&s), -EUCLEAN);
	assert_int_equal(inbox_send(&s, BOB, "alice", 5, "x", 1), -EUCLEAN);
	assert_int_equal(store_open(&s), -EUCLEAN);
	assert_non_null(strstr(store_says(-EUCLEAN), "newer version"));
	store_release(&s);
	assert_int_equal(version(p), 77);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(an_older_database_is_brought_up_to_date),
	    EACH(an_account_of_before_starts_with_an_empty_lobby),
	    EACH(many_may_find_it_old_at_once),
	    EACH(one_that_cannot_be_finished_is_left_as_it_was),
	    EACH(an_old_one_that_cannot_be_written_can_be_read),
	    EACH(a_newer_one_is_refused_and_not_touched),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
