#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth_fixture.h"
#include "confine.h"
#include "guard.h"
#include "lib/clock.h"
#include "lib/io.h"
#include "lib/slots.h"

static const struct source nobody;

static void set_password(struct world *w, const char *password)
{
	char hash[LIMIT_PASSWORD_HASH + 1];

	assert_int_equal(
	    auth_hash(&w->auth, nobody, password, strlen(password), hash), 0);
	assert_int_equal(
	    store_user_set_password(&w->store, "alice", 5, hash), 0);
}

static int make_alice(void **state)
{
	struct world *w;

	(void)world_make(state);
	w = *state;
	assert_int_equal(store_user_add(&w->store, "alice", 5, "none", 0), 0);
	set_password(w, "s3cret");
	return 0;
}

static void a_right_password_is_right_and_nothing_else(void **state)
{
	struct world *w = *state;
	char name[LIMIT_NAME + 1] = "";
	struct source source = {{0}};

	assert_int_equal(
	    auth_check(&w->auth, source, "alice", 5, "s3cret", 6, name), 1);
	assert_string_equal(name, "alice");
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(check(w, "alice", "S3cret"), 0);
	assert_int_equal(check(w, "alice", "s3cre"), 0);
	assert_int_equal(check(w, "alice", ""), 0);
	assert_int_equal(check(w, "Alice", "s3cret"), 0);
	assert_int_equal(check(w, "bob", "s3cret"), 0);
	assert_int_equal(check(w, "", ""), 0);
	assert_int_equal(
	    auth_check(&w->auth, source, "alice", 5, "s3cret\0", 7, NULL), 0);
}

static void no_account_at_all_is_a_wrong_password(void **state)
{
	assert_int_equal(check(*state, "alice", "s3cret"), 0);
}

static void what_is_too_long_is_wrong(void **state)
{
	struct world *w = *state;
	char text[LIMIT_PASSWORD + 2], hash[LIMIT_PASSWORD_HASH + 1];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(check(w, "alice", text), 0);
	assert_int_equal(check(w, text, "s3cret"), 0);
	assert_int_equal(
	    auth_hash(&w->auth, nobody, text, LIMIT_PASSWORD + 1, hash),
	    -EINVAL);
	assert_int_equal(auth_hash(&w->auth, nobody, text, 0, hash), -EINVAL);
	text[LIMIT_PASSWORD] = '\0';
	set_password(w, text);
	assert_int_equal(check(w, "alice", text), 1);
}

/* --- remembered pairs ---------------------------------------------- */

static int count_verified(struct world *w)
{
	char command[128];
	FILE *list;
	int count = -1;

	(void)snprintf(command, sizeof command,
	    "ls %s/run/auth | grep -vc '^key$'", w->place.path);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%d", &count), 1);
	(void)pclose(list);
	return count;
}

/* When alice's pair was verified last, in seconds after at(0). */
static long verified_at(struct world *w)
{
	char command[128];
	FILE *list;
	long when = -1;

	(void)snprintf(command, sizeof command,
	    "cd %s/run/auth && stat -c %%Y $(ls | grep -v '^key$')",
	    w->place.path);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%ld", &when), 1);
	(void)pclose(list);
	return when - NOW;
}

static void a_pair_is_remembered_for_ten_minutes(void **state)
{
	struct world *w = *state;

	assert_int_equal(check(w, "alice", "wrong"), 0);
	assert_int_equal(count_verified(w), 0);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(verified_at(w), 0);
	at(LIMIT_AUTH_TTL_S - 1);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(verified_at(w), 0);
	at(LIMIT_AUTH_TTL_S);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(verified_at(w), LIMIT_AUTH_TTL_S);
	/* The clock went back: what lies in the future does not count. */
	at(0);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(verified_at(w), 0);
}

static void old_pairs_are_swept_away(void **state)
{
	struct world *w = *state;

	assert_int_equal(check(w, "alice", "s3cret"), 1);
	at(LIMIT_AUTH_TTL_S - 1);
	assert_int_equal(auth_sweep(&w->auth), 0);
	assert_int_equal(count_verified(w), 1);
	at(LIMIT_AUTH_TTL_S);
	assert_int_equal(auth_sweep(&w->auth), 1);
	assert_int_equal(count_verified(w), 0);
	auth_release(&w->auth);
	assert_int_equal(auth_init(&w->auth, &w->place.state, &w->store, 2), 0);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
}

static void a_new_password_ends_the_old_one_at_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(check(w, "alice", "s3cret"), 1);
	set_password(w, "changed");
	assert_int_equal(check(w, "alice", "s3cret"), 0);
	assert_int_equal(check(w, "alice", "changed"), 1);
	/* The same password again is another hash. */
	set_password(w, "s3cret");
	assert_int_equal(count_verified(w), 2);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(count_verified(w), 3);
}

static void a_shut_account_is_shut_at_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(
	    store_user_set_disabled(&w->store, "alice", 5, true), 0);
	assert_int_equal(check(w, "alice", "s3cret"), 0);
	assert_int_equal(
	    store_user_set_disabled(&w->store, "alice", 5, false), 0);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_int_equal(store_user_delete(&w->store, "alice", 5), 0);
	assert_int_equal(check(w, "alice", "s3cret"), 0);
	assert_int_equal(check(w, "alice", ""), 0);
}

static unsigned char (*keys)[AUTH_KEY_BYTES];

static int note_key(struct place *p, int number)
{
	struct store store;
	struct auth auth;

	store_init(&store, &p->state);
	if (auth_init(&auth, &p->state, &store, 2) < 0)
		return 1;
	memcpy(keys[number], auth.key, AUTH_KEY_BYTES);
	auth_release(&auth);
	return 0;
}

static void eight_who_make_the_key_at_once_agree(void **state)
{
	struct place p = {0};

	(void)state;
	place_init(&p);
	keys = mmap(NULL, 8 * sizeof *keys, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(keys != MAP_FAILED);
	assert_int_equal(place_each(8, note_key, &p), 8);
	for (int i = 1; i < 8; i++)
		assert_memory_equal(keys[0], keys[i], AUTH_KEY_BYTES);
	(void)munmap(keys, 8 * sizeof *keys);
	place_release(&p);
}

/* --- what it costs ------------------------------------------------- */

static double cpu(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double cost(struct world *w, const char *name, const char *password)
{
	double begin = cpu();

	for (int i = 0; i < 5; i++)
		(void)check(w, name, password);
	return cpu() - begin;
}

static void nobody_learns_from_time_who_has_an_account(void **state)
{
	struct world *w = *state;
	double wrong, unknown, deleted;

	(void)cost(w, "alice", "wrong");
	wrong = cost(w, "alice", "wrong");
	unknown = cost(w, "bob", "wrong");
	assert_true(unknown < 3 * wrong && wrong < 3 * unknown);
	assert_int_equal(store_user_delete(&w->store, "alice", 5), 0);
	deleted = cost(w, "alice", "wrong");
	assert_true(deleted < 3 * wrong && wrong < 3 * deleted);
}

static void a_remembered_pair_costs_little(void **state)
{
	struct world *w = *state;
	double slow = cost(w, "alice", "wrong");

	assert_int_equal(check(w, "alice", "s3cret"), 1);
	assert_true(cost(w, "alice", "s3cret") < slow / 3);
}

static void the_fourth_failure_waits_and_the_right_password_does_not(
    void **state)
{
	struct world *w = *state;
	struct source eve = source_parse("192.0.2.7");
	int64_t begin;

	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    auth_check(&w->auth, eve, "alice", 5, "x", 1, NULL), 0);
	begin = clock_ms();
	assert_int_equal(
	    auth_check(&w->auth, eve, "alice", 5, "x", 1, NULL), 0);
	assert_true(clock_ms() - begin >= LIMIT_FAILURE_DELAY_MS);
	/* Five failures would wait two seconds. */
	begin = clock_ms();
	assert_int_equal(
	    auth_check(&w->auth, eve, "alice", 5, "s3cret", 6, NULL), 1);
	assert_true(clock_ms() - begin < 2 * LIMIT_FAILURE_DELAY_MS);
}

static int fail_under_sigterm(struct place *p, int number)
{
	struct source eve = source_parse("192.0.2.7");
	struct store store;
	struct auth auth;
	int64_t begin;

	(void)number;
	store_init(&store, &p->state);
	if (auth_init(&auth, &p->state, &store, 2) < 0)
		return 1;
	for (int i = 0; i < 50; i++)
		(void)rate_login_failed(&auth.rate, eve);
	io_signals();
	(void)raise(SIGTERM);
	begin = clock_ms();
	if (auth_check(&auth, eve, "x", 1, "y", 1, NULL) != 0)
		return 2;
	return clock_ms() - begin >=
	       LIMIT_FAILURE_DELAYS * LIMIT_FAILURE_DELAY_MS;
}

static void sigterm_ends_the_wait(void **state)
{
	struct world *w = *state;

	store_release(&w->store);
	assert_int_equal(place_each(1, fail_under_sigterm, &w->place), 1);
}

/* What auth.h and store.h say that a sandbox must leave. */
static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "accounts",
	SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_RUNTIME, "auth", SANDBOX_MAKE | SANDBOX_WRITE},
    {SANDBOX_RUNTIME, "slots", SANDBOX_MAKE | SANDBOX_WRITE},
    {SANDBOX_RUNTIME, "rate", SANDBOX_READ | SANDBOX_WRITE},
    {SANDBOX_RUNTIME, "failed", SANDBOX_MAKE | SANDBOX_WRITE},
    {SANDBOX_NONE, NULL, 0}};

static int work_confined(struct place *p, int number)
{
	struct settings settings = {.sandbox = SANDBOX_TRY};
	char hash[LIMIT_PASSWORD_HASH + 1];
	struct store store;
	struct auth auth;

	(void)number;
	store_init(&store, &p->state);
	if (auth_init(&auth, &p->state, &store, 2) < 0 ||
	    confine_to(&p->state, &settings, rules) < 0)
		return 1;
	for (int i = 0; i < 2; i++) {
		if (auth_check(&auth, nobody, "alice", 5, "s3cret", 6, NULL) !=
			1 ||
		    auth_check(&auth, nobody, "alice", 5, "x", 1, NULL) != 0)
			return 2;
		store_idle(&store);
	}
	if (auth_hash(&auth, nobody, "x", 1, hash) != 0 ||
	    store_user_add(&store, "bob", 3, hash, 0) != 0 ||
	    auth_check(&auth, nobody, "bob", 3, "x", 1, NULL) != 1)
		return 3;
	store_release(&store);
	auth_release(&auth);
	return 0;
}

static void a_sandbox_leaves_what_is_needed(void **state)
{
	const char *sandbox = getenv("PARLANCE_SANDBOX");
	struct world *w = *state;

	/* Sanitizers do not work in one. */
	if (sandbox && strcmp(sandbox, "off") == 0)
		return;
	store_release(&w->store);
	assert_int_equal(place_each(1, work_confined, &w->place), 1);
	assert_int_equal(check(w, "bob", "x"), 1);
	/* Two pairs; each may be there as one that was seen, too. */
	assert_in_range(count_verified(w), 2, 4);
}

/* --- slots --------------------------------------------------------- */

static int *inside;

static int take_a_slot(struct place *p, int number)
{
	int folder = state_folder(p->state.runtime, "slots"), fine = 1;

	for (int i = 0; i < 50; i++) {
		int slot = slots_take(folder, 2, (unsigned char)number);

		fine &= slot >= 0 &&
			__atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST) <= 2;
		(void)sched_yield();
		(void)__atomic_sub_fetch(inside, 1, __ATOMIC_SEQ_CST);
		slots_give(slot);
	}
	return !fine;
}

static void no_more_hash_at_once_than_there_are_slots(void **state)
{
	struct world *w = *state;

	inside = mmap(NULL, sizeof *inside, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(inside != MAP_FAILED);
	assert_int_equal(place_each(8, take_a_slot, &w->place), 8);
	(void)munmap(inside, sizeof *inside);
}

#define CROWD 8

/* How many wait for a lock on a file: as proc_locks(5) shows them. */
static unsigned count_waiters(int folder, const char *name)
{
	char inode[32], line[256];
	FILE *locks;
	unsigned n = 0;
	struct stat st;

	if (fstatat(folder, name, &st, 0) < 0)
		return 0; /* not yet */
	locks = fopen("/proc/locks", "re");
	assert_non_null(locks);
	(void)snprintf(inode, sizeof inode, ":%ju 0 EOF", (uintmax_t)st.st_ino);
	while (fgets(line, sizeof line, locks))
		n += strstr(line, "-> FLOCK") && strstr(line, inode);
	(void)fclose(locks);
	return n;
}

/* A process that has not our slot, but waits for it. */
static void wait_as(int folder, unsigned char who, int slot)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return;
	slots_give(slot);
	_exit(slots_take(folder, 1, who) < 0);
}

static void await_waiters(int folder, const char *name, unsigned count)
{
	while (count_waiters(folder, name) < count)
		(void)sched_yield();
}

static void a_crowd_from_one_place_holds_nobody_else_up(void **state)
{
	struct world *w = *state;
	int folder = w->auth.slots, slot = slots_take(folder, 1, 0), status;

	assert_true(slot >= 0);
	for (int i = 0; i < CROWD; i++)
		wait_as(folder, 1, slot);
	await_waiters(folder, "0.01", CROWD - 1);
	wait_as(folder, 2, slot);
	await_waiters(folder, "0", 2);
	assert_int_equal(count_waiters(folder, "0"), 2);
	slots_give(slot);
	for (int i = 0; i < CROWD + 1; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static void who_gets_no_slot_is_told_busy_after_ten_seconds(void **state)
{
	struct world *w = *state;
	int one, two;

	assert_int_equal(check(w, "bob", "x"), 1);
	one = slots_take(w->auth.slots, 2, 0);
	two = slots_take(w->auth.slots, 2, 0);
	assert_true(one >= 0 && two >= 0);
	/* Who was here lately needs none. */
	assert_int_equal(check(w, "bob", "x"), 1);
	assert_int_equal(check(w, "alice", "s3cret"), -EBUSY);
	slots_give(one);
	assert_int_equal(check(w, "alice", "s3cret"), 1);
	slots_give(two);
}

/* --- Basic --------------------------------------------------------- */

struct basic {
	const char *header;
	const char *name; /* NULL: refused */
	const char *password;
};

static const struct basic basics[] = {
    /* The spec's own example: "username:password\n". */
    {"Basic dXNlcm5hbWU6cGFzc3dvcmQK", "username", "password"},
    {"Basic dXNlcm5hbWU6cGFzc3dvcmQ=", "username", "password"},
    {"basic dXNlcm5hbWU6cGFzc3dvcmQ=", "username", "password"},
    {"BASIC \t dXNlcm5hbWU6cGFzc3dvcmQ= ", "username", "password"},
    {"Basic dTpwDQo=", "u", "p"},
    {"Basic dTpwCgo=", "u", "p\n"},
    {"Basic dTpwDQ==", "u", "p\r"},
    {"Basic dTphOmI6Yw==", "u", "a:b:c"},
    {"Basic Ojo=", "", ":"},
    {"Basic Og==", "", ""},
    {"Basic dTo=", "u", ""},
    {"Basic w6k6w6k=", "\xc3\xa9", "\xc3\xa9"},
    {"Basic dXNlcm5hbWU6cGFzc3dvcmQ", NULL, NULL}, /* no padding */
    {"Basic dTpw=", NULL, NULL},
    {"Basic dTpw dTpw", NULL, NULL},
    {"Basic dQ==", NULL, NULL}, /* no colon */
    {"Basic ", NULL, NULL},
    {"Basic", NULL, NULL},
    {"Basicx dTpw", NULL, NULL},
    {"Bearer dTpw", NULL, NULL},
    {"", NULL, NULL},
    {"Basic ****", NULL, NULL},
    {"Basic dTp-", NULL, NULL}, /* the other alphabet */
    {"Basic dTp\xfc", NULL, NULL},
    {"Basic dTp\xaf", NULL, NULL},
};

static void basic_credentials_are_taken_apart(void **state)
{
	struct auth_pair pair;
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof basics / sizeof *basics; i++) {
		const struct basic *b = &basics[i];
		size_t len = strlen(b->header);
		int r = auth_basic(guard_put(&g, b->header, len), len, &pair);

		assert_int_equal(r, b->name ? 0 : -EINVAL);
		if (!b->name)
			continue;
		assert_int_equal(pair.name_len, strlen(b->name));
		assert_memory_equal(pair.data, b->name, pair.name_len);
		assert_int_equal(pair.password_len, strlen(b->password));
		assert_memory_equal(
		    pair.password, b->password, pair.password_len);
	}
	guard_release(&g);
}

static void basic_credentials_that_are_too_long_are_refused(void **state)
{
	static char header[4096];
	struct auth_pair pair;
	size_t len;

	(void)state;
	for (len = 6; len < sizeof header; len += 4) {
		int r;

		memcpy(header, "Basic ", 6);
		memset(header + 6, 'O', len - 6);
		/* "8::" and so on: a colon early on. */
		memcpy(header + 6, "Ojo6", len > 6 ? 4 : 0);
		r = auth_basic(header, len, &pair);
		assert_int_equal(r,
		    len > 6 && (len - 6) / 4 * 3 <= sizeof pair.data ? 0
								     : -EINVAL);
	}
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, make_alice, world_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_right_password_is_right_and_nothing_else),
	    cmocka_unit_test_setup_teardown(
		no_account_at_all_is_a_wrong_password, world_make,
		world_unmake),
	    EACH(what_is_too_long_is_wrong),
	    EACH(a_pair_is_remembered_for_ten_minutes),
	    EACH(old_pairs_are_swept_away),
	    EACH(a_new_password_ends_the_old_one_at_once),
	    EACH(a_shut_account_is_shut_at_once),
	    cmocka_unit_test(eight_who_make_the_key_at_once_agree),
	    EACH(nobody_learns_from_time_who_has_an_account),
	    EACH(a_remembered_pair_costs_little),
	    EACH(the_fourth_failure_waits_and_the_right_password_does_not),
	    EACH(sigterm_ends_the_wait),
	    EACH(a_sandbox_leaves_what_is_needed),
	    EACH(no_more_hash_at_once_than_there_are_slots),
	    cmocka_unit_test(basic_credentials_are_taken_apart),
	    cmocka_unit_test(basic_credentials_that_are_too_long_are_refused),
	    EACH(a_crowd_from_one_place_holds_nobody_else_up),
	};
	const struct CMUnitTest slow[] = {
	    EACH(who_gets_no_slot_is_told_busy_after_ten_seconds),
	};
	const char *scale = getenv("TEST_SCALE");

	if (scale && strcmp(scale, "10") == 0 &&
	    cmocka_run_group_tests_name("auth, slow", slow, NULL, NULL) != 0)
		return 1;
	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
