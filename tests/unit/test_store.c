#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "lib/present.h"
#include "lib/store.h"
#include "place.h"
#include "syncs.h"

static int unmake(void **state)
{
	failing_syncs = 0;
	return place_unmake(state);
}

static int add(struct store *s, const char *name)
{
	return store_user_add(s, name, strlen(name), "hash", 0);
}

static int find(struct store *s, const char *name)
{
	struct store_user user;

	return store_user_find(s, name, strlen(name), &user);
}

static void an_account_is_found_as_it_was_added(void **state)
{
	struct place *p = *state;
	struct store_user user;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(store_user_add(&s, "Alice", 5, "$argon2id$x", 0), 0);
	assert_int_equal(store_user_find(&s, "Alice", 5, &user), 0);
	assert_string_equal(user.name, "Alice");
	assert_string_equal(user.password, "$argon2id$x");
	assert_true(user.id > 0);
	assert_false(user.disabled);
	assert_false(user.deleted);
	assert_int_equal(find(&s, "alice"), -ENOENT);
	assert_int_equal(find(&s, "Alic"), -ENOENT);
	assert_int_equal(find(&s, ""), -ENOENT);
	assert_int_equal(store_user_find(&s, "Alice\0", 6, &user), -ENOENT);
	store_idle(&s);
	assert_null(s.db);
	assert_int_equal(find(&s, "Alice"), 0);
	store_release(&s);
	store_release(&s);
}

static void nobody_takes_a_name_that_differs_in_case(void **state)
{
	struct place *p = *state;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(account_exists(&p->state, "alice"), 0);
	assert_int_equal(add(&s, "alice"), 0);
	assert_int_equal(account_exists(&p->state, "alice"), 1);
	assert_int_equal(add(&s, "alice"), -EEXIST);
	assert_int_equal(add(&s, "ALICE"), -EEXIST);
	assert_int_equal(account_exists(&p->state, "alice"), 1);
	assert_int_equal(account_exists(&p->state, "../key"), -EINVAL);
	assert_int_equal(account_exists(&p->state, ""), -EINVAL);
	store_release(&s);
}

static void no_account_yet_is_no_error(void **state)
{
	struct place *p = *state;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(find(&s, "alice"), -ENOENT);
	assert_int_equal(store_user_each(&s, NULL, NULL), 0);
	assert_int_equal(store_user_delete(&s, "alice", 5), -ENOENT);
	/* Looking makes nothing. */
	assert_int_equal(
	    faccessat(p->state.state, "db/parlance.db", F_OK, 0), -1);
	store_release(&s);
}

static void an_account_can_be_shut_and_opened_again(void **state)
{
	struct place *p = *state;
	struct store_user user;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(add(&s, "bob"), 0);
	assert_int_equal(store_user_set_disabled(&s, "bob", 3, true), 0);
	assert_int_equal(store_user_find(&s, "bob", 3, &user), 0);
	assert_true(user.disabled);
	assert_int_equal(store_user_set_disabled(&s, "bob", 3, false), 0);
	assert_int_equal(store_user_find(&s, "bob", 3, &user), 0);
	assert_false(user.disabled);
	assert_int_equal(store_user_set_disabled(&s, "eve", 3, true), -ENOENT);
	assert_int_equal(store_user_set_password(&s, "bob", 3, "new"), 0);
	assert_int_equal(store_user_find(&s, "bob", 3, &user), 0);
	assert_string_equal(user.password, "new");
	assert_int_equal(store_user_set_password(&s, "bob", 3, ""), -EINVAL);
	assert_int_equal(store_user_set_password(&s, "eve", 3, "x"), -ENOENT);
	store_release(&s);
}

static int count_one(void *arg, const struct store_user *user)
{
	char *names = arg;
	size_t len = strlen(names);

	(void)snprintf(names + len, 64 - len, "%s", user->name);
	return strcmp(user->name, "stop") == 0 ? 7 : 0;
}

static void a_deleted_name_is_not_listed_and_not_given_again(void **state)
{
	struct place *p = *state;
	struct store_user user;
	char names[64] = "";
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(add(&s, "c"), 0);
	assert_int_equal(add(&s, "b"), 0);
	assert_int_equal(add(&s, "a"), 0);
	assert_int_equal(store_user_delete(&s, "b", 1), 0);
	assert_int_equal(store_user_delete(&s, "b", 1), -ENOENT);
	assert_int_equal(store_user_set_password(&s, "b", 1, "x"), -ENOENT);
	assert_int_equal(store_user_set_disabled(&s, "b", 1, true), -ENOENT);
	assert_int_equal(store_user_find(&s, "b", 1, &user), 0);
	assert_true(user.deleted);
	assert_int_equal(add(&s, "B"), -EEXIST);
	assert_int_equal(account_exists(&p->state, "b"), 1);
	assert_int_equal(store_user_each(&s, count_one, names), 0);
	assert_string_equal(names, "ac");
	assert_int_equal(add(&s, "stop"), 0);
	assert_int_equal(add(&s, "z"), 0);
	assert_int_equal(store_user_each(&s, count_one, names), 7);
	assert_string_equal(names, "acacstop");
	store_release(&s);
}

/* --- many at once -------------------------------------------------- */

#define ADDERS 8
#define ADDED_EACH 12

static int add_many(struct place *p, int number)
{
	char name[32];
	struct store s;
	int r = 0;

	store_init(&s, &p->state);
	for (int i = 0; i < ADDED_EACH && r == 0; i++) {
		(void)snprintf(name, sizeof name, "user_%d_%d", number, i);
		r = add(&s, name);
		if (i % 3 == 0)
			store_idle(&s);
		if (r == 0)
			r = find(&s, name);
	}
	store_release(&s);
	return r != 0;
}

static int count_users(void *arg, const struct store_user *user)
{
	(void)user;
	++*(int *)arg;
	return 0;
}

static void eight_processes_add_users_at_once(void **state)
{
	struct place *p = *state;
	struct store s;
	int count = 0;

	assert_int_equal(place_each(ADDERS, add_many, p), ADDERS);
	store_init(&s, &p->state);
	assert_int_equal(store_user_each(&s, count_users, &count), 0);
	assert_int_equal(count, ADDERS * ADDED_EACH);
	store_release(&s);
}

static int add_same(struct place *p, int number)
{
	struct store s;
	int r;

	store_init(&s, &p->state);
	r = add(&s, number % 2 ? "alice" : "Alice");
	store_release(&s);
	return r == 0 ? 0 : r == -EEXIST ? 1 : 2;
}

static void exactly_one_of_many_gets_a_name(void **state)
{
	struct place *p = *state;

	assert_int_equal(place_each(ADDERS, add_same, p), 1);
	assert_int_equal(account_exists(&p->state, "alice"), 1);
}

/* --- guests -------------------------------------------------------- */

static void a_present_guest_keeps_the_name(void **state)
{
	struct place *p = *state;
	struct present present;
	struct claim claim;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(present_open(&present, &p->state), 0);
	assert_int_equal(present_claim(&claim, &present, "Bob", 3, NULL), 0);
	assert_int_equal(add(&s, "bob"), -EADDRINUSE);
	assert_int_equal(account_exists(&p->state, "bob"), 0);
	assert_int_equal(find(&s, "bob"), -ENOENT);
	assert_int_equal(add(&s, "carol"), 0);
	present_release(&claim);
	assert_int_equal(add(&s, "bob"), 0);
	present_close(&present);
	store_release(&s);
}

#define NAMES 40

/* Even numbers are guests, the others register; each name is wanted by all at
 * once. Status 1: a guest and an account both got it. */
static int want_names(struct place *p, int number)
{
	struct present present;
	struct claim claim;
	struct store s;
	char name[16];
	int r = 0;

	store_init(&s, &p->state);
	if (present_open(&present, &p->state) < 0 || store_open(&s) < 0)
		return 2;
	for (int i = 0; i < NAMES && r == 0; i++) {
		(void)snprintf(name, sizeof name, "name%d", i);
		if (number % 2) {
			r = add(&s, name);
			r = r == -EEXIST || r == -EADDRINUSE ? 0 : r;
			continue;
		}
		r = present_claim(&claim, &present, name, strlen(name), NULL);
		if (r == 0 && account_exists(&p->state, name) == 0)
			/* He is in: nobody registers this from here on. */
			for (int j = 0; j < 20; j++)
				if (find(&s, name) == 0)
					return 1;
		if (r == 0)
			present_release(&claim);
		r = r == -EADDRINUSE ? 0 : r;
	}
	store_release(&s);
	return r != 0;
}

static void no_name_is_a_guests_and_an_accounts(void **state)
{
	assert_int_equal(place_each(ADDERS, want_names, *state), ADDERS);
}

/* --- when the machine fails ---------------------------------------- */

/* Is refused bob, then killed. */
static int be_refused(struct place *p, int number)
{
	struct store s;

	(void)number;
	store_init(&s, &p->state);
	if (add(&s, "alice") != 0)
		return 1;
	failing_syncs = 1;
	if (add(&s, "bob") != -EIO || failing_syncs != 0)
		return 2;
	return find(&s, "bob") != -ENOENT;
}

static void a_commit_that_was_refused_does_not_show_up_later(void **state)
{
	struct place *p = *state;
	struct store s;

	assert_int_equal(place_each(1, be_refused, p), 1);
	assert_int_equal(account_exists(&p->state, "bob"), 0);
	store_init(&s, &p->state);
	assert_int_equal(find(&s, "bob"), -ENOENT);
	assert_int_equal(find(&s, "alice"), 0);
	assert_int_equal(add(&s, "carol"), 0);
	assert_int_equal(add(&s, "bob"), 0);
	store_release(&s);
}

static void writes_are_refused_once_a_refusal_could_not_be_undone(void **state)
{
	struct place *p = *state;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(add(&s, "alice"), 0);
	failing_syncs = 100;
	assert_int_equal(add(&s, "bob"), -EIO);
	failing_syncs = 0;
	assert_int_equal(
	    faccessat(p->state.runtime, "failed/parlance.db", F_OK, 0), 0);
	assert_int_equal(add(&s, "carol"), -EKEYREVOKED);
	assert_int_equal(
	    store_user_set_password(&s, "alice", 5, "x"), -EKEYREVOKED);
	assert_int_equal(find(&s, "alice"), 0);
	store_release(&s);
}

static void a_leftover_entry_of_a_killed_one_is_taken_over(void **state)
{
	struct place *p = *state;
	struct store s;
	int fd = openat(p->state.state, "accounts/bob", O_CREAT | O_WRONLY, 0);

	assert_true(fd >= 0);
	(void)close(fd);
	store_init(&s, &p->state);
	assert_int_equal(store_open(&s), 0);
	failing_syncs = 1;
	assert_int_equal(add(&s, "bob"), -EIO);
	/* It was not ours to remove. */
	assert_int_equal(account_exists(&p->state, "bob"), 1);
	assert_int_equal(add(&s, "bob"), 0);
	store_release(&s);
}

static void a_half_made_database_of_a_killed_one_is_made_anew(void **state)
{
	struct place *p = *state;
	struct store s;
	int fd =
	    openat(p->state.state, "db/parlance.new", O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "SQLite format 3", 15), 15);
	(void)close(fd);
	store_init(&s, &p->state);
	assert_int_equal(add(&s, "alice"), 0);
	assert_int_equal(
	    faccessat(p->state.state, "db/parlance.new", F_OK, 0), -1);
	store_release(&s);
}

static void set_version(struct place *p, const char *sql)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof path, "%s/state/db/parlance.db", p->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void a_newer_database_is_refused(void **state)
{
	struct place *p = *state;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(add(&s, "alice"), 0);
	store_release(&s);
	set_version(p, "PRAGMA user_version=99");
	assert_int_equal(find(&s, "alice"), -EUCLEAN);
	assert_int_equal(add(&s, "bob"), -EUCLEAN);
	assert_int_equal(store_open(&s), -EUCLEAN);
	store_release(&s);
}

static void garbage_is_told_from_a_database(void **state)
{
	struct place *p = *state;
	struct store s;
	int fd =
	    openat(p->state.state, "db/parlance.db", O_CREAT | O_WRONLY, 0600);

	for (int i = 0; i < 4096; i++)
		assert_int_equal(write(fd, "garbage ", 8), 8);
	(void)close(fd);
	store_init(&s, &p->state);
	assert_int_equal(find(&s, "alice"), -EBADMSG);
	assert_int_equal(add(&s, "alice"), -EBADMSG);
	assert_int_equal(account_exists(&p->state, "alice"), 0);
	store_release(&s);
}

/* --- where it lies ------------------------------------------------- */

static int look_and_change(struct place *p)
{
	struct store s;
	int r;

	store_init(&s, &p->state);
	if (find(&s, "alice") != 0 || find(&s, "eve") != -ENOENT)
		return 1;
	r = add(&s, "bob");
	if (r != -EROFS && r != -EACCES)
		return 2;
	store_idle(&s);
	if (find(&s, "alice") != 0)
		return 3;
	store_release(&s);
	return 0;
}

static void chmod_database(struct place *p, mode_t files, mode_t folder)
{
	static const char *const names[] = {
	    "parlance.db", "parlance.db-wal", "parlance.db-shm"};
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(
		    path, sizeof path, "%s/state/db/%s", p->path, names[i]);
		assert_int_equal(chmod(path, files), 0);
	}
	(void)snprintf(path, sizeof path, "%s/state/db", p->path);
	assert_int_equal(chmod(path, folder), 0);
}

/* As somebody whom permissions concern. Status 0 is success. */
static int read_only_as_nobody(struct place *unused, int number)
{
	struct place p = {0};
	struct store s;
	int r;

	(void)unused;
	(void)number;
	if (!place_as_nobody())
		return 9;
	place_init(&p);
	store_init(&s, &p.state);
	if (add(&s, "alice") != 0)
		return 8;
	store_release(&s);
	chmod_database(&p, 0400, 0500);
	r = look_and_change(&p);
	chmod_database(&p, 0600, 0700);
	place_release(&p);
	return r;
}

static void a_read_only_state_can_be_read(void **state)
{
	assert_int_equal(place_each(1, read_only_as_nobody, *state), 1);
}

static void nobody_else_can_read_the_database(void **state)
{
	struct place *p = *state;
	static const char *const names[] = {
	    "db/parlance.db", "db/parlance.db-wal", "db/parlance.db-shm"};
	struct stat st;
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(add(&s, "alice"), 0);
	store_release(&s);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fstatat(p->state.state, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static int from_a_relative_path(struct place *unused, int number)
{
	struct place p = {0};
	struct store s;
	int r;

	(void)unused;
	(void)number;
	place_init(&p);
	state_close(&p.state);
	if (chdir(p.path) < 0)
		return 9;
	(void)setenv("STATE_DIRECTORY", "state", 1);
	place_open(&p);
	store_init(&s, &p.state);
	r = add(&s, "alice");
	store_idle(&s);
	if (r == 0 && chdir("/") == 0)
		r = find(&s, "alice");
	store_release(&s);
	place_release(&p);
	return r != 0;
}

static void a_relative_state_directory_works_from_anywhere(void **state)
{
	assert_int_equal(place_each(1, from_a_relative_path, *state), 1);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, place_make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(an_account_is_found_as_it_was_added),
	    EACH(nobody_takes_a_name_that_differs_in_case),
	    EACH(no_account_yet_is_no_error),
	    EACH(an_account_can_be_shut_and_opened_again),
	    EACH(a_deleted_name_is_not_listed_and_not_given_again),
	    EACH(eight_processes_add_users_at_once),
	    EACH(exactly_one_of_many_gets_a_name),
	    EACH(a_present_guest_keeps_the_name),
	    EACH(no_name_is_a_guests_and_an_accounts),
	    EACH(a_commit_that_was_refused_does_not_show_up_later),
	    EACH(writes_are_refused_once_a_refusal_could_not_be_undone),
	    EACH(a_leftover_entry_of_a_killed_one_is_taken_over),
	    EACH(a_half_made_database_of_a_killed_one_is_made_anew),
	    EACH(a_newer_database_is_refused),
	    EACH(garbage_is_told_from_a_database),
	    EACH(a_read_only_state_can_be_read),
	    EACH(nobody_else_can_read_the_database),
	    EACH(a_relative_state_directory_works_from_anywhere),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
