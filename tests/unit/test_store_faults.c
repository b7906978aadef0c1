/*
 * The database on a disk that fails: each single write, sync and truncation of
 * an operation is refused in turn, and the process is then gone as if killed.
 * What was acknowledged is there afterwards, what was refused is not.
 */
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
#include <sys/syscall.h>

#include "inbox_fixture.h"

/* --- faults -------------------------------------------------------- */

enum call { WRITES, SYNCS, CUTS, CALLS };

/* Of these calls, the one at which the countdown ends fails with `error`. */
static enum call failing;
static int countdown, error;

static bool fails(enum call call)
{
	if (call != failing || !countdown || --countdown)
		return false;
	errno = error;
	return true;
}

/* SQLite's own calls come here. Nobody cuts the power: no sync is needed. */
int fdatasync(int fd)
{
	(void)fd;
	return fails(SYNCS) ? -1 : 0;
}

int fsync(int fd)
{
	(void)fd;
	return fails(SYNCS) ? -1 : 0;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	if (fails(WRITES))
		return -1;
	return syscall(SYS_pwrite64, fd, data, len, offset);
}

int ftruncate64(int fd, off64_t len)
{
	return fails(CUTS) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

/* --- operations ---------------------------------------------------- */

static int send_one(struct people *p)
{
	return send_text(p, p->alice, "bob", "new");
}

static int take_one(struct people *p)
{
	struct inbox_message m;

	return take_from(p, p->bob, "carol", &m);
}

static int move_mark(struct people *p)
{
	return inbox_lobby_move(&p->store, p->bob, 0, 7);
}

static int add_one(struct people *p)
{
	return store_user_add(&p->store, "dora", 4, "hash", 0);
}

/* What it changes: 1 if it took place, 0 if not. */
static int was_sent(struct people *p)
{
	return strstr(show(p, p->bob), "alice 1") != NULL;
}

static int was_taken(struct people *p)
{
	return strstr(show(p, p->bob), "carol 1") == NULL;
}

static int was_moved(struct people *p)
{
	uint64_t seen = 0;

	assert_int_equal(inbox_lobby_seen(&p->store, p->bob, &seen), 0);
	return seen == 7;
}

static int was_added(struct people *p)
{
	struct store_user user;
	int r = store_user_find(&p->store, "dora", 4, &user);

	assert_true(r == 0 || r == -ENOENT);
	/* The entry in accounts/ agrees. */
	assert_int_equal(
	    account_exists(&p->place.state, "dora"), r == 0 ? 1 : 0);
	return r == 0;
}

static const struct operation {
	const char *name;
	int (*act)(struct people *);
	int (*took_place)(struct people *);
} operations[] = {
    {"send", send_one, was_sent},
    {"take", take_one, was_taken},
    {"move", move_mark, was_moved},
    {"add", add_one, was_added},
};

/* --- */

/* The result of a child's operation. */
static _Atomic int *result;

static int make(void **state)
{
	result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(result != MAP_FAILED);
	*state = people_new();
	return 0;
}

static int unmake(void **state)
{
	countdown = 0;
	people_free(*state);
	(void)munmap(result, sizeof *result);
	return 0;
}

/* As it was before the operation. */
static void restore(struct people *p)
{
	store_release(&p->store);
	run_plain(&p->place,
	    "DELETE FROM messages; DELETE FROM users WHERE username = 'dora';"
	    "UPDATE users SET lobby_seen = 0");
	(void)unlinkat(p->place.state.state, "accounts/dora", 0);
	assert_int_equal(send_text(p, p->carol, "bob", "old"), 0);
	store_release(&p->store);
}

/* Does it in a child, which leaves nothing closed. Returns false if the fault
 * was beyond the operation's end. */
static bool run_faulty(
    struct people *p, const struct operation *o, bool opened, int at)
{
	int status;
	uint64_t seen;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (opened)
			(void)inbox_lobby_seen(&p->store, p->bob, &seen);
		countdown = at;
		*result = o->act(p);
		_exit(countdown != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

static void assert_agrees(
    struct people *p, const struct operation *o, bool opened, int at)
{
	int r = *result, took_place = o->took_place(p);

	if ((r == 0) != took_place)
		fail_msg("%s, %s, call %d of kind %d failing with %s: it said "
			 "%d and %s",
		    o->name, opened ? "opened" : "not opened", at, failing,
		    strerror(error), r, took_place ? "was done" : "was not");
	/* One failure alone can always be taken back. */
	assert_int_equal(
	    faccessat(p->place.state.runtime, "failed/parlance.db", F_OK, 0),
	    -1);
}

/* All of an operation's calls of the kind. */
static int fail_each(struct people *p, const struct operation *o, bool opened)
{
	int at = 1;

	for (;; at++) {
		restore(p);
		if (!run_faulty(p, o, opened, at))
			break;
		assert_agrees(p, o, opened, at);
		/* And it goes on. */
		if (*result < 0)
			assert_int_equal(o->act(p), 0);
		assert_int_equal(o->took_place(p), 1);
	}
	assert_int_equal(*result, 0);
	return at - 1;
}

static int fail_all(struct people *p)
{
	int calls = 0;

	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		calls += fail_each(p, operations + i, true);
		calls += fail_each(p, operations + i, false);
	}
	return calls;
}

static void a_full_disk_refuses_and_leaves_nothing(void **state)
{
	failing = WRITES;
	error = ENOSPC;
	assert_true(fail_all(*state) > 20);
}

static void a_write_error_refuses_and_leaves_nothing(void **state)
{
	failing = WRITES;
	error = EIO;
	assert_true(fail_all(*state) > 20);
}

static void a_failed_sync_refuses_and_leaves_nothing(void **state)
{
	failing = SYNCS;
	error = EIO;
	assert_true(fail_all(*state) >= 8);
}

static void a_failed_truncation_changes_no_answer(void **state)
{
	failing = CUTS;
	error = EIO;
	(void)fail_all(*state);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_full_disk_refuses_and_leaves_nothing),
	    EACH(a_write_error_refuses_and_leaves_nothing),
	    EACH(a_failed_sync_refuses_and_leaves_nothing),
	    EACH(a_failed_truncation_changes_no_answer),
	};

	return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
