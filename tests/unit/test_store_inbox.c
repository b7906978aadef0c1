/* Inboxes: what one user at a time gets. */
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
#include "lib/clock.h"
#include "syncs.h"

static int unmake(void **state)
{
	failing_syncs = 0;
	return people_unmake(state);
}

/* --- sending and taking -------------------------------------------- */

static void a_message_arrives_exactly_as_it_was_sent(void **state)
{
	static const char text[] =
	    "  one\n\ttwo \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\r\n\\three ";
	struct people *p = *state;
	struct inbox_message m;
	int64_t before = clock_now();

	assert_int_equal(send_text(p, p->alice, "bob", text), 0);
	assert_string_equal(show(p, p->bob), "alice 1");
	assert_string_equal(show(p, p->alice), "");
	assert_int_equal(take_from(p, p->bob, "alice", &m), 0);
	assert_string_equal(m.from, "alice");
	assert_string_equal(m.to, "bob");
	assert_int_equal(m.body_len, sizeof text - 1);
	assert_string_equal(m.body, text);
	assert_true(m.time >= before && m.time <= clock_now());
	assert_string_equal(show(p, p->bob), "");
	assert_int_equal(take_from(p, p->bob, "alice", &m), -ENODATA);
}

static void the_oldest_of_a_sender_comes_first(void **state)
{
	struct people *p = *state;

	assert_int_equal(send_text(p, p->alice, "bob", "a1"), 0);
	assert_int_equal(send_text(p, p->carol, "bob", "c1"), 0);
	assert_int_equal(send_text(p, p->alice, "bob", "a2"), 0);
	assert_int_equal(send_text(p, p->bob, "bob", "b1"), 0);
	assert_string_equal(show(p, p->bob), "alice 2 bob 1 carol 1");
	assert_taken(p, p->bob, "alice", "a1");
	assert_int_equal(send_text(p, p->alice, "bob", "a3"), 0);
	assert_taken(p, p->bob, "carol", "c1");
	assert_taken(p, p->bob, "alice", "a2");
	store_idle(&p->store);
	assert_taken(p, p->bob, "alice", "a3");
	assert_taken(p, p->bob, "bob", "b1");
	/* The ids of those that were taken are used again. */
	assert_int_equal(send_text(p, p->alice, "bob", "a4"), 0);
	assert_int_equal(send_text(p, p->alice, "carol", "x"), 0);
	assert_int_equal(send_text(p, p->alice, "bob", "a5"), 0);
	assert_taken(p, p->bob, "alice", "a4");
	assert_taken(p, p->bob, "alice", "a5");
}

static void senders_are_listed_by_code_point(void **state)
{
	static const char *const names[] = {"Zo\xc3\xab", "\xce\xa9mega", "_x",
	    "9a", "\xf0\x90\x90\xa8", "\xef\xbd\x81", "Alf"};
	struct people *p = *state;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(
		    send_text(p, add_person(p, names[i]), "bob", "hi"), 0);
	assert_int_equal(send_text(p, p->alice, "bob", "hi"), 0);
	assert_string_equal(show(p, p->bob),
	    "9a 1 Alf 1 Zo\xc3\xab 1 _x 1 alice 1 \xce\xa9mega 1 "
	    "\xef\xbd\x81 1 \xf0\x90\x90\xa8 1");
}

static int stop_at_second(void *arg, const char *from, uint64_t count)
{
	(void)from;
	(void)count;
	return ++*(int *)arg == 2 ? 7 : 0;
}

static void listing_ends_when_it_is_told_to(void **state)
{
	struct people *p = *state;
	int seen = 0;

	assert_int_equal(send_text(p, p->alice, "bob", "1"), 0);
	assert_int_equal(send_text(p, p->bob, "bob", "1"), 0);
	assert_int_equal(send_text(p, p->carol, "bob", "1"), 0);
	assert_int_equal(
	    inbox_each(&p->store, p->bob, stop_at_second, &seen), 7);
	assert_int_equal(seen, 2);
	/* No transaction is left open: the log can be emptied. */
	run_plain(&p->place, "PRAGMA wal_checkpoint(TRUNCATE)");
	assert_taken(p, p->bob, "alice", "1");
}

static void what_is_too_long_or_empty_is_refused(void **state)
{
	char text[LIMIT_DIRECT + 2];
	struct people *p = *state;

	memset(text, 'x', sizeof text);
	text[LIMIT_DIRECT + 1] = '\0';
	assert_int_equal(send_text(p, p->alice, "bob", text), -EMSGSIZE);
	assert_int_equal(send_text(p, p->alice, "bob", ""), -EMSGSIZE);
	assert_string_equal(show(p, p->bob), "");
	text[LIMIT_DIRECT] = '\0';
	assert_int_equal(send_text(p, p->alice, "bob", text), 0);
	assert_taken(p, p->bob, "alice", text);
}

/* --- who there is -------------------------------------------------- */

static void addressing_is_exact(void **state)
{
	struct people *p = *state;
	struct inbox_message m;

	assert_int_equal(send_text(p, p->alice, "Bob", "x"), -ENOENT);
	assert_int_equal(send_text(p, p->alice, "bo", "x"), -ENOENT);
	assert_int_equal(send_text(p, p->alice, "", "x"), -ENOENT);
	assert_int_equal(
	    inbox_send(&p->store, p->alice, "bob\0", 4, "x", 1), -ENOENT);
	assert_int_equal(send_text(p, p->alice, "bob", "x"), 0);
	assert_int_equal(take_from(p, p->bob, "Alice", &m), -ENOENT);
	assert_int_equal(take_from(p, p->bob, "eve", &m), -ENOENT);
	assert_int_equal(take_from(p, p->bob, "carol", &m), -ENODATA);
	assert_taken(p, p->bob, "alice", "x");
}

static void a_disabled_account_still_gets_its_messages(void **state)
{
	struct people *p = *state;

	assert_int_equal(store_user_set_disabled(&p->store, "bob", 3, true), 0);
	assert_int_equal(send_text(p, p->alice, "bob", "x"), 0);
	assert_int_equal(
	    store_user_set_disabled(&p->store, "bob", 3, false), 0);
	assert_taken(p, p->bob, "alice", "x");
}

static void a_deleted_account_takes_its_inbox_along(void **state)
{
	struct people *p = *state;
	struct inbox_message m;

	assert_int_equal(send_text(p, p->alice, "bob", "to bob"), 0);
	assert_int_equal(send_text(p, p->alice, "carol", "to carol"), 0);
	assert_int_equal(send_text(p, p->bob, "carol", "from bob"), 0);
	assert_int_equal(store_user_delete(&p->store, "bob", 3), 0);
	assert_int_equal(send_text(p, p->alice, "bob", "x"), -ENOENT);
	/* What it had sent stays, and can be taken. */
	assert_string_equal(show(p, p->carol), "alice 1 bob 1");
	assert_taken(p, p->carol, "bob", "from bob");
	assert_int_equal(take_from(p, p->carol, "bob", &m), -ENOENT);
	assert_taken(p, p->carol, "alice", "to carol");
	run_plain(&p->place, "CREATE TEMP TABLE t (n INTEGER CHECK (n = 0));"
			     "INSERT INTO t SELECT count(*) FROM messages");
}

static void assert_shut_out(struct people *p, int64_t me)
{
	struct inbox_message m;
	uint64_t seen;

	assert_int_equal(send_text(p, me, "alice", "x"), -EPERM);
	assert_int_equal(take_from(p, me, "alice", &m), -EPERM);
	assert_int_equal(inbox_each(&p->store, me, show_one, p->text), -EPERM);
	assert_int_equal(inbox_lobby_seen(&p->store, me, &seen), -EPERM);
	assert_int_equal(inbox_lobby_move(&p->store, me, 0, 1), -EPERM);
	assert_string_equal(show(p, p->alice), "");
}

static void who_was_disabled_or_deleted_meanwhile_does_nothing(void **state)
{
	struct people *p = *state;

	assert_int_equal(send_text(p, p->alice, "bob", "x"), 0);
	assert_int_equal(store_user_set_disabled(&p->store, "bob", 3, true), 0);
	assert_shut_out(p, p->bob);
	assert_int_equal(store_user_delete(&p->store, "carol", 5), 0);
	assert_shut_out(p, p->carol);
	assert_shut_out(p, 4711);
}

static void the_mark_moves_only_from_where_it_is(void **state)
{
	struct people *p = *state;
	uint64_t seen = 9;

	assert_int_equal(inbox_lobby_seen(&p->store, p->bob, &seen), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(inbox_lobby_move(&p->store, p->bob, 0, 5), 0);
	assert_int_equal(inbox_lobby_move(&p->store, p->bob, 0, 6), -EAGAIN);
	assert_int_equal(inbox_lobby_seen(&p->store, p->bob, &seen), 0);
	assert_int_equal(seen, 5);
	assert_int_equal(inbox_lobby_seen(&p->store, p->alice, &seen), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(store_user_add(&p->store, "new", 3, "hash", 42), 0);
	assert_int_equal(inbox_lobby_seen(&p->store, p->carol + 1, &seen), 0);
	assert_int_equal(seen, 42);
}

/* --- how it is found ----------------------------------------------- */

static int add_plan(void *arg, int columns, char **values, char **names)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)names;
	(void)snprintf(text + len, 2048 - len, "%s\n", values[columns - 1]);
	return 0;
}

static void plan(sqlite3 *db, sqlite3_stmt *statement, char ret[2048])
{
	char sql[1024];

	ret[0] = '\0';
	(void)snprintf(
	    sql, sizeof sql, "EXPLAIN QUERY PLAN %s", sqlite3_sql(statement));
	assert_int_equal(sqlite3_exec(db, sql, add_plan, ret, NULL), SQLITE_OK);
}

static void no_command_reads_what_it_does_not_need(void **state)
{
	struct people *p = *state;
	struct inbox_message m;
	char text[2048];
	int found = 0, covering = 0;

	/* So all statements are compiled. */
	assert_int_equal(send_text(p, p->alice, "bob", "x"), 0);
	assert_string_equal(show(p, p->bob), "alice 1");
	assert_int_equal(take_from(p, p->bob, "alice", &m), 0);
	assert_int_equal(inbox_lobby_move(&p->store, p->bob, 0, 1), 0);
	for (int i = 0; i < STORE_STATEMENTS; i++) {
		if (!p->store.statements[i])
			continue;
		plan(p->store.db, p->store.statements[i], text);
		found++;
		if (strstr(text, "SCAN users") || strstr(text, "SCAN messages"))
			fail_msg("%s:\n%s", sqlite3_sql(p->store.statements[i]),
			    text);
		covering +=
		    strstr(text, "messages USING COVERING INDEX") != NULL;
	}
	assert_true(found >= 10);
	assert_true(covering >= 1);
}

/* --- when the machine fails ---------------------------------------- */

/* Is refused, then gone without a word. */
static int be_refused(struct place *place, int number)
{
	struct inbox_message m;
	struct store s;

	(void)number;
	store_init(&s, &place->state);
	if (inbox_send(&s, 1, "bob", 3, "first", 5) != 0)
		return 1;
	failing_syncs = 1;
	if (inbox_send(&s, 1, "bob", 3, "second", 6) != -EIO || failing_syncs)
		return 2;
	failing_syncs = 1;
	if (inbox_take(&s, 2, "alice", 5, &m) != -EIO || failing_syncs)
		return 3;
	failing_syncs = 1;
	if (inbox_lobby_move(&s, 2, 0, 1) != -EIO || failing_syncs)
		return 4;
	return 0;
}

static void a_refused_change_does_not_show_up_later(void **state)
{
	struct people *p = *state;
	uint64_t seen;

	assert_int_equal(p->alice, 1);
	assert_int_equal(p->bob, 2);
	store_release(&p->store);
	assert_int_equal(place_each(1, be_refused, &p->place), 1);
	assert_string_equal(show(p, p->bob), "alice 1");
	assert_taken(p, p->bob, "alice", "first");
	assert_int_equal(inbox_lobby_seen(&p->store, p->bob, &seen), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(send_text(p, p->alice, "bob", "third"), 0);
	assert_taken(p, p->bob, "alice", "third");
}

/* Waits, in the queue or at its head, and is told so in time. */
static int be_told_busy(struct place *place, int number)
{
	int64_t start = clock_ms(), took;
	struct store s;
	int r;

	(void)number;
	store_init(&s, &place->state);
	r = inbox_send(&s, 1, "bob", 3, "y", 1);
	took = clock_ms() - start;
	store_release(&s);
	if (r != -EBUSY)
		return 1;
	return took < LIMIT_LOCK_MS || took > 2 * LIMIT_LOCK_MS;
}

static void one_who_writes_for_long_makes_others_busy(void **state)
{
	struct people *p = *state;
	sqlite3 *db = open_plain(&p->place);
	int64_t start = clock_ms();

	assert_int_equal(send_text(p, p->alice, "bob", "x"), 0);
	assert_int_equal(
	    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	/* Who reads is not held up. */
	assert_string_equal(show(p, p->bob), "alice 1");
	assert_true(clock_ms() - start < LIMIT_LOCK_MS / 2);
	assert_int_equal(place_each(4, be_told_busy, &p->place), 4);
	(void)sqlite3_close(db);
	assert_int_equal(send_text(p, p->alice, "bob", "z"), 0);
	assert_string_equal(show(p, p->bob), "alice 2");
}

static void chmod_database(struct people *p, mode_t files, mode_t folder)
{
	static const char *const names[] = {
	    "parlance.db", "parlance.db-wal", "parlance.db-shm"};
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s/state/db/%s",
		    p->place.path, names[i]);
		assert_int_equal(chmod(path, files), 0);
	}
	(void)snprintf(path, sizeof path, "%s/state/db", p->place.path);
	assert_int_equal(chmod(path, folder), 0);
}

static int only_look(struct people *p)
{
	struct inbox_message m;
	uint64_t count = 0;
	int r;

	if (strcmp(show(p, p->bob), "alice 1") != 0)
		return 1;
	r = take_from(p, p->bob, "alice", &m);
	if (r != -EROFS && r != -EACCES)
		return 2;
	if (lobby_unread(&p->store, &p->lobby, p->bob, &count) != 0)
		return 3;
	return count == 1 ? 0 : 4;
}

/* As somebody whom permissions concern. Status 0 is success. */
static int read_only_as_nobody(struct place *unused, int number)
{
	struct people *p;
	int r;

	(void)unused;
	(void)number;
	if (!place_as_nobody())
		return 9;
	p = people_new();
	(void)say(p, "hello");
	if (send_text(p, p->alice, "bob", "x") != 0)
		return 8;
	store_release(&p->store);
	chmod_database(p, 0400, 0500);
	r = only_look(p);
	store_release(&p->store);
	chmod_database(p, 0600, 0700);
	people_free(p);
	return r;
}

static void an_inbox_in_a_read_only_state_can_be_read(void **state)
{
	struct people *p = *state;

	assert_int_equal(place_each(1, read_only_as_nobody, &p->place), 1);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, people_make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_message_arrives_exactly_as_it_was_sent),
	    EACH(the_oldest_of_a_sender_comes_first),
	    EACH(senders_are_listed_by_code_point),
	    EACH(listing_ends_when_it_is_told_to),
	    EACH(what_is_too_long_or_empty_is_refused),
	    EACH(addressing_is_exact),
	    EACH(a_disabled_account_still_gets_its_messages),
	    EACH(a_deleted_account_takes_its_inbox_along),
	    EACH(who_was_disabled_or_deleted_meanwhile_does_nothing),
	    EACH(the_mark_moves_only_from_where_it_is),
	    EACH(no_command_reads_what_it_does_not_need),
	    EACH(a_refused_change_does_not_show_up_later),
	    EACH(one_who_writes_for_long_makes_others_busy),
	    EACH(an_inbox_in_a_read_only_state_can_be_read),
	};

	return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
