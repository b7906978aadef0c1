/* Log-ins that are answered without the database: only while nothing in it can
 * have changed. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "auth_fixture.h"
#include "lib/clock.h"

/* How far file systems' clock is ahead, as the store sees it: so no test waits
 * until a change lies far enough in the past. */
static time_t ahead;

/* Instead of libc's. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	if (id == CLOCK_REALTIME)
		ret->tv_sec += ahead;
	return r;
}

static int make(void **state)
{
	char hash[LIMIT_PASSWORD_HASH + 1];
	struct world *w;

	(void)world_make(state);
	w = *state;
	ahead = 60;
	assert_int_equal(
	    auth_hash(&w->auth, (struct source){{0}}, "s3cret", 6, hash), 0);
	assert_int_equal(store_user_add(&w->store, "alice", 5, hash, 0), 0);
	assert_int_equal(store_user_add(&w->store, "bob", 3, hash, 0), 0);
	return 0;
}

/* With a database that is opened anew, if it is. */
static int check_as(struct world *w, const char *name, const char *password)
{
	store_idle(&w->store);
	return check(w, name, password);
}

static int check_alice(struct world *w)
{
	return check_as(w, "alice", "s3cret");
}

/* It is right; and nobody had to look into the database. */
static bool was_seen(struct world *w)
{
	assert_int_equal(check_alice(w), 1);
	return !w->store.db;
}

/* Whoever opens the database alone makes its index anew, and whoever closes it
 * as the last empties its log: after a change that takes some turns. */
static void see(struct world *w)
{
	for (int i = 0; i < 4; i++)
		if (was_seen(w))
			return;
	fail_msg("nobody is seen");
}

static void who_was_seen_is_known_without_the_database(void **state)
{
	struct world *w = *state;
	char name[LIMIT_NAME + 1] = "";
	struct source source = {{0}};

	assert_false(was_seen(w));
	see(w);
	assert_int_equal(
	    auth_check(&w->auth, source, "alice", 5, "s3cret", 6, name), 1);
	assert_string_equal(name, "alice");
	assert_null(w->store.db);
}

static void nobody_else_is_known_by_that(void **state)
{
	struct world *w = *state;

	see(w);
	assert_int_equal(check_as(w, "alice", "S3cret"), 0);
	assert_int_equal(check_as(w, "alice", "s3cre"), 0);
	assert_int_equal(check_as(w, "alice", ""), 0);
	assert_int_equal(check_as(w, "alices", "3cret"), 0);
	assert_int_equal(check_as(w, "Alice", "s3cret"), 0);
	assert_int_equal(check_as(w, "carol", "s3cret"), 0);
	assert_int_equal(check_as(w, "bob", "s3cret"), 1);
	assert_non_null(w->store.db);
	assert_true(was_seen(w));
}

static void it_counts_ten_minutes_from_when_it_was_verified(void **state)
{
	struct world *w = *state;

	see(w);
	at(LIMIT_AUTH_TTL_S - 1);
	assert_true(was_seen(w));
	/* Looked up since, not verified. */
	assert_int_equal(store_user_set_disabled(&w->store, "bob", 3, true), 0);
	assert_false(was_seen(w));
	see(w);
	at(LIMIT_AUTH_TTL_S);
	assert_false(was_seen(w));
	assert_true(was_seen(w));
	/* The clock went back. */
	at(0);
	assert_false(was_seen(w));
}

static void a_change_must_lie_in_the_past(void **state)
{
	struct world *w = *state;
	struct store_stamp stamp;

	/* As it is, within the second. */
	ahead = 0;
	assert_int_equal(store_user_set_disabled(&w->store, "bob", 3, true), 0);
	/* Alone, which makes the index anew. */
	assert_int_equal(check_alice(w), 1);
	store_idle(&w->store);
	assert_int_equal(store_stamp(&w->store, &stamp), -EAGAIN);
	assert_int_equal(check_alice(w), 1);
	assert_false(was_seen(w));
	/* A clock that went back. */
	ahead = -3600;
	assert_int_equal(store_stamp(&w->store, &stamp), -EAGAIN);
	assert_false(was_seen(w));
}

/* --- changes --------------------------------------------------------- */

/* By other processes, which then close the database; which are killed; or which
 * do while a third has it open. */
enum how { CLOSED, KILLED, HELD, HOWS };

static enum how how;
static char changed[LIMIT_PASSWORD_HASH + 1];

static int shut(struct store *s)
{
	return store_user_set_disabled(s, "alice", 5, true);
}

static int open_again(struct store *s)
{
	return store_user_set_disabled(s, "alice", 5, false);
}

static int change_password(struct store *s)
{
	return store_user_set_password(s, "alice", 5, changed);
}

static int delete (struct store *s)
{
	return store_user_delete(s, "alice", 5);
}

static int (*change)(struct store *);

static int run_change(struct place *p, int number)
{
	struct store s;
	int r;

	(void)number;
	store_init(&s, &p->state);
	r = change(&s);
	if (how != KILLED)
		store_release(&s);
	return r != 0;
}

static void run(struct world *w, int (*f)(struct store *))
{
	change = f;
	store_idle(&w->store);
	assert_int_equal(place_each(1, run_change, &w->place), 1);
}

static void what_changes_counts_at_once(struct world *w)
{
	see(w);
	run(w, shut);
	assert_int_equal(check_alice(w), 0);
	assert_int_equal(check_alice(w), 0);
	run(w, open_again);
	see(w);
	assert_int_equal(
	    auth_hash(&w->auth, (struct source){{0}}, "other", 5, changed), 0);
	run(w, change_password);
	assert_int_equal(check_alice(w), 0);
	assert_int_equal(check_as(w, "alice", "other"), 1);
	assert_int_equal(
	    auth_hash(&w->auth, (struct source){{0}}, "s3cret", 6, changed), 0);
	run(w, change_password);
	see(w);
	assert_int_equal(check_as(w, "alice", "other"), 0);
	run(w, delete);
	assert_int_equal(check_alice(w), 0);
}

static void each_change_counts_at_once(void **state)
{
	how = CLOSED;
	what_changes_counts_at_once(*state);
}

static void so_it_does_if_its_maker_is_killed(void **state)
{
	how = KILLED;
	what_changes_counts_at_once(*state);
}

static struct sqlite3 *plain(struct world *w)
{
	struct sqlite3 *db;

	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	return db;
}

static void say(struct sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Another process that reads, until its input ends. */
static pid_t hold(struct world *w, int *ret_end)
{
	int ready[2], end[2];
	char byte;
	pid_t pid;

	assert_true(pipe(ready) == 0 && pipe(end) == 0);
	pid = fork();
	if (pid == 0) {
		struct sqlite3 *db = plain(w);

		(void)close(end[1]);
		say(db, "SELECT count(*) FROM users");
		(void)!write(ready[1], "x", 1);
		(void)!read(end[0], &byte, 1);
		_exit(0);
	}
	assert_true(pid > 0);
	(void)close(end[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	*ret_end = end[1];
	return pid;
}

static void so_it_does_while_others_have_the_database(void **state)
{
	struct world *w = *state;
	int end, status;
	pid_t pid;

	how = HELD;
	store_idle(&w->store);
	pid = hold(w, &end);
	what_changes_counts_at_once(w);
	(void)close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The log grows, and its index tells one state of it from another. */
static void so_it_does_while_others_write_without_end(void **state)
{
	struct world *w = *state;
	int end, status;
	pid_t pid;

	how = HELD;
	ahead = 0;
	store_idle(&w->store);
	pid = hold(w, &end);
	for (int i = 0; i < 20; i++) {
		run(w, shut);
		assert_int_equal(check_alice(w), 0);
		run(w, open_again);
		see(w);
	}
	(void)close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The account is open (0), being shut (1), shut (2) or being opened (3), of
 * four; and how many came and went again while it was. */
static struct {
	_Atomic int turn, came;
} * door;

#define TURNS 16
#define VISITS 4 /* in each turn */

static int shut_and_open(struct store *s)
{
	int r = 0, turn;

	while (r == 0 && (turn = door->turn) < TURNS) {
		if (door->came < VISITS) {
			(void)sched_yield();
			continue;
		}
		door->turn = turn + 1;
		r = turn % 4 == 0 ? shut(s) : open_again(s);
		door->came = 0;
		door->turn = turn + 2;
	}
	door->turn = TURNS;
	return r;
}

static int come_and_go(struct world *w)
{
	int verdict, turn, wrong = 0;

	while ((turn = door->turn) < TURNS) {
		verdict = check_alice(w);
		if (door->turn != turn || turn % 2)
			continue;
		wrong += verdict != (turn % 4 == 0);
		door->came++;
	}
	return wrong != 0;
}

static int run_visitor(struct place *p, int number)
{
	struct world w = {.place = *p};
	int r;

	store_init(&w.store, &p->state);
	w.strangers = (uint32_t)number << 24;
	if (number == 0)
		r = shut_and_open(&w.store);
	else
		r = auth_init(&w.auth, &p->state, &w.store, 2) < 0 ||
		    come_and_go(&w);
	store_release(&w.store);
	return r != 0;
}

static void nobody_comes_in_while_it_is_shut(void **state)
{
	struct world *w = *state;
	int end, status;
	pid_t pid;

	door = mmap(NULL, sizeof *door, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(door != MAP_FAILED);
	ahead = 0;
	store_idle(&w->store);
	pid = hold(w, &end);
	assert_int_equal(place_each(4, run_visitor, &w->place), 4);
	(void)close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)munmap(door, sizeof *door);
}

/* SQLite as others use it, who close without leaving a log or an index. */
static void so_it_does_if_the_change_is_made_with_sqlite_alone(void **state)
{
	struct world *w = *state;
	struct sqlite3 *db;

	see(w);
	store_idle(&w->store);
	db = plain(w);
	say(db, "UPDATE users SET disabled = 1 WHERE username = 'alice'");
	(void)sqlite3_close(db);
	assert_int_equal(check_alice(w), 0);
	store_idle(&w->store);
	db = plain(w);
	say(db, "UPDATE users SET disabled = 0 WHERE username = 'alice'");
	(void)sqlite3_close(db);
	see(w);
}

/* Written long before, and committed after somebody was seen. */
static void so_it_does_if_it_was_written_before(void **state)
{
	struct world *w = *state;
	struct store_stamp before, after;
	int ready[2], go[2], done[2], status;
	char byte;
	pid_t pid;

	assert_true(pipe(ready) == 0 && pipe(go) == 0 && pipe(done) == 0);
	see(w);
	store_idle(&w->store);
	pid = fork();
	if (pid == 0) {
		struct sqlite3 *db = plain(w);

		(void)close(go[1]);
		say(db, "BEGIN IMMEDIATE");
		say(db, "UPDATE users SET disabled = 1");
		(void)sqlite3_db_cacheflush(db);
		(void)!write(ready[1], "x", 1);
		(void)!read(go[0], &byte, 1);
		say(db, "COMMIT");
		(void)!write(done[1], "x", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	see(w);
	store_idle(&w->store);
	assert_int_equal(store_stamp(&w->store, &before), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_int_equal(store_stamp(&w->store, &after), 0);
	/* Of both one would do, if the other were the same. */
	assert_memory_not_equal(before.index, after.index, sizeof after.index);
	assert_memory_not_equal(before.files, after.files, sizeof after.files);
	assert_int_equal(check_alice(w), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(check_alice(w), 0);
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(go[i]);
		(void)close(done[i]);
	}
}

static void another_database_is_looked_into(void **state)
{
	struct world *w = *state;
	char command[512];

	how = CLOSED;
	run(w, shut);
	(void)snprintf(command, sizeof command, "cp -p %s %s/shut", w->database,
	    w->place.path);
	assert_int_equal(system(command), 0);
	run(w, open_again);
	see(w);
	store_idle(&w->store);
	(void)snprintf(command, sizeof command, "mv %s/shut %s", w->place.path,
	    w->database);
	assert_int_equal(system(command), 0);
	assert_int_equal(check_alice(w), 0);
	store_idle(&w->store);
	assert_int_equal(unlink(w->database), 0);
	assert_int_equal(check_alice(w), 0);
}

/* Whatever became of the index, who asks is told. */
static void a_broken_index_is_none(void **state)
{
	struct world *w = *state;
	struct store_stamp stamp;
	char index[160];

	see(w);
	store_idle(&w->store);
	(void)snprintf(index, sizeof index, "%s-shm", w->database);
	for (off_t size = 95; size >= 0; size -= 19) {
		assert_int_equal(truncate(index, size), 0);
		assert_int_equal(store_stamp(&w->store, &stamp), -EAGAIN);
	}
	assert_int_equal(truncate(index, 32768), 0);
	assert_int_equal(store_stamp(&w->store, &stamp), -EAGAIN);
	assert_int_equal(unlink(index), 0);
	assert_int_equal(store_stamp(&w->store, &stamp), -EAGAIN);
	assert_false(was_seen(w));
	store_idle(&w->store);
	assert_int_equal(store_stamp(&w->store, &stamp), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, make, world_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(who_was_seen_is_known_without_the_database),
	    EACH(nobody_else_is_known_by_that),
	    EACH(it_counts_ten_minutes_from_when_it_was_verified),
	    EACH(a_change_must_lie_in_the_past),
	    EACH(each_change_counts_at_once),
	    EACH(so_it_does_if_its_maker_is_killed),
	    EACH(so_it_does_while_others_have_the_database),
	    EACH(so_it_does_while_others_write_without_end),
	    EACH(nobody_comes_in_while_it_is_shut),
	    EACH(so_it_does_if_the_change_is_made_with_sqlite_alone),
	    EACH(so_it_does_if_it_was_written_before),
	    EACH(another_database_is_looked_into),
	    EACH(a_broken_index_is_none),
	};

	return cmocka_run_group_tests_name("auth, seen", tests, NULL, NULL);
}
