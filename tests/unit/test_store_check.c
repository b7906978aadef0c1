/* parlance check's view of the database and of accounts/. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/io.h"
#include "lib/store_check.h"
#include "place.h"

struct seen {
	int stray, missing;
	char key[64];
};

static void see(void *arg, enum store_fault fault, const char *key)
{
	struct seen *seen = arg;

	seen->stray += fault == STORE_STRAY;
	seen->missing += fault == STORE_MISSING;
	(void)snprintf(seen->key, sizeof seen->key, "%s", key);
}

static void add(const struct place *p, const char *name)
{
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(store_user_add(&s, name, strlen(name), "hash", 0), 0);
	store_release(&s);
}

static void put(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static struct seen check(
    const struct place *p, bool repair, struct store_health *health)
{
	struct seen seen = {0};
	struct store s;

	store_init(&s, &p->state);
	assert_int_equal(store_check(&s, repair, see, &seen, health), 0);
	store_release(&s);
	return seen;
}

static void a_host_without_a_database_is_whole(void **state)
{
	struct store_health health;

	check(*state, false, &health);
	assert_false(health.exists);
	assert_int_equal(health.strays + health.missing, 0);
}

static void accounts_of_all_rows_are_wanted_deleted_ones_too(void **state)
{
	struct place *p = *state;
	struct store_health health;
	struct seen seen;
	struct store s;

	add(p, "alice");
	add(p, "Bob");
	store_init(&s, &p->state);
	assert_int_equal(store_user_delete(&s, "Bob", 3), 0);
	store_release(&s);
	check(p, false, &health);
	assert_true(health.exists);
	assert_int_equal(health.users, 2);
	assert_int_equal(health.strays + health.missing, 0);

	assert_int_equal(unlinkat(p->state.state, "accounts/bob", 0), 0);
	seen = check(p, false, &health);
	assert_int_equal(seen.missing, 1);
	assert_string_equal(seen.key, "bob");
	assert_int_equal(account_exists(&p->state, "bob"), 0);
	check(p, true, &health);
	assert_true(health.repaired);
	assert_int_equal(account_exists(&p->state, "bob"), 1);
}

static void what_a_killed_registration_left_is_found_and_removed(void **state)
{
	struct place *p = *state;
	struct store_health health;
	struct seen seen;

	add(p, "alice");
	put(p->state.state, "accounts/carol");
	seen = check(p, false, &health);
	assert_int_equal(seen.stray, 1);
	assert_string_equal(seen.key, "carol");
	assert_int_equal(account_exists(&p->state, "carol"), 1);
	check(p, true, &health);
	assert_int_equal(account_exists(&p->state, "carol"), 0);
	assert_int_equal(account_exists(&p->state, "alice"), 1);
}

static void without_a_database_names_stay_taken(void **state)
{
	struct place *p = *state;
	struct store_health health;
	struct seen seen;

	put(p->state.state, "accounts/alice");
	seen = check(p, true, &health);
	assert_int_equal(seen.stray, 1);
	assert_false(health.repaired);
	assert_int_equal(account_exists(&p->state, "alice"), 1);
}

static void a_damaged_page_is_found_and_nothing_touched(void **state)
{
	struct place *p = *state;
	struct store_health health;
	char garbage[64];
	int fd;

	add(p, "alice");
	put(p->state.state, "accounts/stray");
	fd = openat(p->state.state, "db/parlance.db", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(garbage, 0xa5, sizeof garbage);
	/* The second page is the root of a table. */
	assert_int_equal(io_pwrite(fd, garbage, sizeof garbage, 4096), 0);
	(void)close(fd);
	check(p, true, &health);
	assert_true(health.damage[0]);
	assert_false(health.repaired);
	assert_int_equal(account_exists(&p->state, "stray"), 1);
}

static void a_shut_database_is_opened_by_repair_alone(void **state)
{
	struct place *p = *state;
	struct store_health health;

	add(p, "alice");
	put(p->state.runtime, "failed/parlance.db");
	check(p, false, &health);
	assert_true(health.shut);
	assert_int_equal(
	    faccessat(p->state.runtime, "failed/parlance.db", F_OK, 0), 0);
	check(p, true, &health);
	assert_true(health.shut && health.repaired);
	assert_int_equal(
	    faccessat(p->state.runtime, "failed/parlance.db", F_OK, 0), -1);
	add(p, "bob");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, place_make, place_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_host_without_a_database_is_whole),
	    TEST(accounts_of_all_rows_are_wanted_deleted_ones_too),
	    TEST(what_a_killed_registration_left_is_found_and_removed),
	    TEST(without_a_database_names_stay_taken),
	    TEST(a_damaged_page_is_found_and_nothing_touched),
	    TEST(a_shut_database_is_opened_by_repair_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
