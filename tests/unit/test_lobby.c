/* The lobby as a part of an inbox. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/mman.h>

#include "confine.h"
#include "inbox_fixture.h"
#include "lib/present.h"

static struct lobby_message message; /* too large for the stack */

static uint64_t unread(struct people *p, int64_t me)
{
	uint64_t count = 4711;

	assert_int_equal(lobby_unread(&p->store, &p->lobby, me, &count), 0);
	return count;
}

static void assert_next(struct people *p, int64_t me, const char *text)
{
	assert_int_equal(lobby_take(&p->store, &p->lobby, me, &message), 0);
	assert_int_equal(message.body.len, strlen(text));
	assert_memory_equal(message.body.data, text, strlen(text));
}

static void assert_none(struct people *p, int64_t me)
{
	assert_int_equal(unread(p, me), 0);
	assert_int_equal(
	    lobby_take(&p->store, &p->lobby, me, &message), -ENODATA);
}

static void what_is_said_in_the_lobby_waits_for_everyone(void **state)
{
	struct people *p = *state;

	assert_none(p, p->alice);
	(void)say(p, "one");
	(void)say(p, "two\nlines");
	assert_int_equal(unread(p, p->alice), 2);
	assert_int_equal(unread(p, p->bob), 2);
	assert_next(p, p->alice, "one");
	assert_int_equal(message.number, 1);
	assert_int_equal(message.footer.author.len, 4);
	assert_memory_equal(message.footer.author.data, "dave", 4);
	assert_next(p, p->alice, "two\nlines");
	assert_none(p, p->alice);
	assert_int_equal(unread(p, p->bob), 2);
	(void)say(p, "three");
	assert_next(p, p->alice, "three");
	assert_none(p, p->alice);
}

static void uploads_do_not_count(void **state)
{
	struct people *p = *state;

	(void)say_with(p, "x has uploaded f", "file=f");
	assert_none(p, p->bob);
	(void)say(p, "one");
	(void)say_with(p, "x has uploaded g", "id=1 file=g");
	(void)say_with(p, "x has uploaded h", "file=h");
	(void)say(p, "two");
	(void)say_with(p, "x has uploaded i", "file=i");
	assert_int_equal(unread(p, p->bob), 2);
	assert_next(p, p->bob, "one");
	assert_int_equal(unread(p, p->bob), 1);
	assert_next(p, p->bob, "two");
	assert_int_equal(message.number, 5);
	assert_none(p, p->bob);
}

static void many_records_are_counted_right(void **state)
{
	struct people *p = *state;
	char path[128];
	uint64_t number;
	FILE *file;

	/* More than one block of index entries. */
	(void)snprintf(
	    path, sizeof path, "%s/state/rooms/lobby.txt", p->place.path);
	file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 1; i <= 2100; i++)
		(void)fprintf(file, "%d\n\\x @ 2026-11-20T14:03:07Z t%s\n", i,
		    i % 700 < 600 ? "" : " file=f");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(unread(p, p->bob), 1800);
	assert_int_equal(room_messages(&p->lobby, 0, &number), -EINVAL);
	assert_int_equal(room_next_message(&p->lobby, 0, &number), -EINVAL);
	assert_int_equal(room_messages(&p->lobby, 601, &number), 0);
	assert_int_equal(number, 1201);
	assert_int_equal(room_messages(&p->lobby, 2100, &number), 0);
	assert_int_equal(number, 1);
	assert_int_equal(room_messages(&p->lobby, 2101, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(room_next_message(&p->lobby, 600, &number), 0);
	assert_int_equal(number, 700);
	assert_int_equal(room_next_message(&p->lobby, 2000, &number), 0);
	assert_int_equal(number, 2100);
	assert_int_equal(room_next_message(&p->lobby, 2101, &number), -ENOENT);
	assert_int_equal(
	    room_next_message(&p->lobby, UINT64_MAX, &number), -ENOENT);
	assert_next(p, p->bob, "1");
}

static void a_new_account_has_read_all_that_was_said_before(void **state)
{
	struct people *p = *state;
	struct store_user user;

	(void)say(p, "one");
	assert_int_equal(
	    store_user_add(&p->store, "new", 3, "hash", p->lobby.count), 0);
	assert_int_equal(store_user_find(&p->store, "new", 3, &user), 0);
	assert_none(p, user.id);
	(void)say(p, "two");
	assert_next(p, user.id, "two");
}

static void replace_lobby(struct people *p, const char *text)
{
	char path[128], next[140];
	FILE *file;

	(void)snprintf(
	    path, sizeof path, "%s/state/rooms/lobby.txt", p->place.path);
	(void)snprintf(next, sizeof next, "%s.new", path);
	file = fopen(next, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(next, path), 0);
}

static void a_mark_past_the_end_counts_as_the_end(void **state)
{
	struct people *p = *state;

	for (int i = 0; i < 9; i++)
		(void)say(p, "old");
	assert_int_equal(inbox_lobby_move(&p->store, p->alice, 0, 9), 0);
	assert_int_equal(inbox_lobby_move(&p->store, p->bob, 0, 9), 0);
	replace_lobby(p, "new\n\\x @ 2026-11-20T14:03:07Z t\n");
	assert_int_equal(unread(p, p->alice), 0);
	assert_int_equal(
	    lobby_take(&p->store, &p->lobby, p->bob, &message), -ENODATA);
	/* Both have noticed, so this is not lost behind a mark of 9. */
	(void)say(p, "newer");
	assert_next(p, p->alice, "newer");
	assert_next(p, p->bob, "newer");
	assert_none(p, p->bob);
}

static void a_deleted_lobby_is_an_empty_one(void **state)
{
	struct people *p = *state;

	(void)say(p, "old");
	assert_next(p, p->alice, "old");
	assert_int_equal(room_delete(&p->rooms, "lobby"), 0);
	assert_none(p, p->alice);
	assert_none(p, p->bob);
	(void)say(p, "new");
	assert_next(p, p->alice, "new");
	assert_next(p, p->bob, "new");
}

static void a_record_written_by_hand_does_not_block_the_rest(void **state)
{
	struct people *p = *state;
	char *text = calloc(1, 2 * EVENTS_RECORD);

	assert_non_null(text);
	memset(text, 'x', EVENTS_RECORD + 100);
	(void)snprintf(text + EVENTS_RECORD + 100, 100, "%s",
	    "\n\\y @ 2026-11-20T14:03:07Z t\nnext\n\\z\n");
	replace_lobby(p, text);
	free(text);
	assert_int_equal(unread(p, p->bob), 2);
	assert_int_equal(lobby_take(&p->store, &p->lobby, p->bob, &message), 0);
	assert_int_equal(message.body.len, LIMIT_MESSAGE_STORED);
	assert_int_equal(message.footer.author.len, 1);
	assert_int_equal(message.footer.author.data[0], 'y');
	assert_next(p, p->bob, "next");
	assert_none(p, p->bob);
}

static void who_cannot_log_in_any_more_takes_nothing(void **state)
{
	struct people *p = *state;
	uint64_t count;

	(void)say(p, "one");
	assert_int_equal(store_user_set_disabled(&p->store, "bob", 3, true), 0);
	assert_int_equal(
	    lobby_unread(&p->store, &p->lobby, p->bob, &count), -EPERM);
	assert_int_equal(
	    lobby_take(&p->store, &p->lobby, p->bob, &message), -EPERM);
	assert_int_equal(
	    store_user_set_disabled(&p->store, "bob", 3, false), 0);
	assert_next(p, p->bob, "one");
}

/* --- several connections of one user ------------------------------- */

#define TAKERS 4
#define SAID 200

/* How often each record was taken. */
static _Atomic int *taken;

static int take_all(struct place *place, int number)
{
	struct rooms rooms;
	struct room lobby;
	struct store s;
	uint64_t last = 0;
	int r;

	store_init(&s, &place->state);
	if (rooms_open(&rooms, &place->state) < 0 ||
	    room_open(&lobby, &rooms, "lobby", 5, ROOM_CREATE) < 0)
		return 1;
	while ((r = lobby_take(&s, &lobby, 2, &message)) == 0) {
		if (message.number <= last || message.number > SAID)
			return 2;
		last = message.number;
		taken[last]++;
		if (number == 0 && last % 16 == 0)
			store_idle(&s);
	}
	return r == -ENODATA ? 0 : 3;
}

static void connections_of_one_user_share_the_lobby(void **state)
{
	struct people *p = *state;

	taken = mmap(NULL, (SAID + 1) * sizeof *taken, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(taken != MAP_FAILED);
	for (int i = 0; i < SAID; i++)
		(void)say_with(p, "x", i % 5 ? "" : "file=f");
	assert_int_equal(p->bob, 2);
	store_release(&p->store);
	assert_int_equal(place_each(TAKERS, take_all, &p->place), TAKERS);
	for (int i = 0; i < SAID; i++)
		assert_int_equal(taken[i + 1], i % 5 ? 1 : 0);
	assert_none(p, p->bob);
	assert_int_equal(unread(p, p->alice), SAID * 4 / 5);
}

/* --- confined ------------------------------------------------------ */

/* What store.h, store_inbox.h and room.h ask for. */
static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "accounts",
	SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_STATE, "lost", SANDBOX_MAKE | SANDBOX_WRITE | SANDBOX_REMOVE},
    {SANDBOX_RUNTIME, "index",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_RUNTIME, "failed", SANDBOX_READ | SANDBOX_MAKE | SANDBOX_WRITE},
    {SANDBOX_RUNTIME, "present", SANDBOX_READ}, {SANDBOX_NONE, NULL, 0}};

static int work_confined(struct place *place, int number)
{
	struct settings settings = {.sandbox = SANDBOX_TRY};
	struct inbox_message m;
	struct rooms rooms;
	struct room lobby;
	struct store s;

	(void)number;
	store_init(&s, &place->state);
	if (rooms_open(&rooms, &place->state) < 0 ||
	    confine_to(&place->state, &settings, rules) < 0)
		return 1;
	if (room_open(&lobby, &rooms, "lobby", 5, ROOM_CREATE) < 0)
		return 2;
	/* Longer than the log may be without being copied. */
	for (int i = 0; i < 400; i++)
		if (inbox_send(&s, 1, "bob", 3, "x", 1) != 0)
			return 3;
	store_idle(&s);
	if (inbox_take(&s, 2, "alice", 5, &m) != 0 ||
	    lobby_take(&s, &lobby, 2, &message) != 0)
		return 4;
	if (store_user_add(&s, "new", 3, "hash", lobby.count) != 0 ||
	    store_user_add(&s, "guest1", 6, "hash", 0) != -EADDRINUSE)
		return 5;
	store_release(&s);
	return 0;
}

static void all_of_it_works_in_a_sandbox(void **state)
{
	const char *sandbox = getenv("PARLANCE_SANDBOX");
	struct people *p = *state;
	struct present present;
	struct claim claim;
	struct stat st;

	/* Sanitizers do not work in one. */
	if (sandbox && strcmp(sandbox, "off") == 0)
		return;
	(void)say(p, "hello");
	assert_int_equal(present_open(&present, &p->place.state), 0);
	assert_int_equal(present_claim(&claim, &present, "Guest1", 6, NULL), 0);
	store_release(&p->store);
	assert_int_equal(place_each(1, work_confined, &p->place), 1);
	assert_int_equal(
	    fstatat(p->place.state.state, "db/parlance.db-wal", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	present_release(&claim);
	present_close(&present);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, people_make, people_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(what_is_said_in_the_lobby_waits_for_everyone),
	    EACH(uploads_do_not_count),
	    EACH(many_records_are_counted_right),
	    EACH(a_new_account_has_read_all_that_was_said_before),
	    EACH(a_mark_past_the_end_counts_as_the_end),
	    EACH(a_deleted_lobby_is_an_empty_one),
	    EACH(a_record_written_by_hand_does_not_block_the_rest),
	    EACH(who_cannot_log_in_any_more_takes_nothing),
	    EACH(connections_of_one_user_share_the_lobby),
	    EACH(all_of_it_works_in_a_sandbox),
	};

	return cmocka_run_group_tests_name("lobby", tests, NULL, NULL);
}
