#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/session.h"
#include "place.h"

#define NOW 1795183387

static const unsigned char key[STATE_KEY_BYTES] = "this is the host's key";
static const unsigned char other_key[STATE_KEY_BYTES] = "another host's";
static struct guard guard;

struct fixture {
	struct place place;
	struct store store;
	char text[SESSION_MAX];
};

static int make(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	guard_init(&guard);
	place_init(&f->place);
	store_init(&f->store, &f->place.state);
	assert_int_equal(
	    store_user_add(&f->store, "Zo\xc3\xab", 4, "hash", 0), 0);
	*state = f;
	return 0;
}

static int unmake(void **state)
{
	struct fixture *f = *state;

	store_release(&f->store);
	place_release(&f->place);
	guard_release(&guard);
	free(f);
	return 0;
}

static void sign_in(struct fixture *f, int64_t expiry)
{
	struct store_user user;

	assert_int_equal(store_user_find(&f->store, "Zo\xc3\xab", 4, &user), 0);
	session_make(key, &user, expiry, f->text);
}

static int check(struct fixture *f, const char *text, size_t len)
{
	char name[LIMIT_NAME + 1];
	int r = session_check(
	    key, &f->store, NOW, guard_put(&guard, text, len), len, name);

	if (r == 1)
		assert_string_equal(name, "Zo\xc3\xab");
	return r;
}

static void a_session_says_who_it_is_until_it_expires(void **state)
{
	struct fixture *f = *state;

	sign_in(f, NOW + 1);
	assert_memory_equal(f->text, "Zo%C3%AB.1795183388.", 20);
	assert_int_equal(strlen(f->text), 20 + SESSION_MAC);
	assert_int_equal(check(f, f->text, strlen(f->text)), 1);
	sign_in(f, NOW);
	assert_int_equal(check(f, f->text, strlen(f->text)), 0);
}

static void a_session_changed_anywhere_is_nobodys(void **state)
{
	struct fixture *f = *state;
	size_t len;

	sign_in(f, NOW + 1000);
	len = strlen(f->text);
	for (size_t i = 0; i < len; i++) {
		char kept = f->text[i];

		f->text[i] = kept == '1' ? '2' : '1';
		assert_int_equal(check(f, f->text, len), 0);
		f->text[i] = kept;
		assert_int_equal(check(f, f->text, i), 0);
	}
	assert_int_equal(check(f, f->text, len), 1);
}

static void another_hosts_session_is_nobodys(void **state)
{
	struct fixture *f = *state;
	char name[LIMIT_NAME + 1];

	sign_in(f, NOW + 1000);
	assert_int_equal(session_check(other_key, &f->store, NOW, f->text,
			     strlen(f->text), name),
	    0);
}

static void changes_of_the_account_end_its_sessions(void **state)
{
	struct fixture *f = *state;
	size_t len;

	sign_in(f, NOW + 1000);
	len = strlen(f->text);
	assert_int_equal(
	    store_user_set_disabled(&f->store, "Zo\xc3\xab", 4, true), 0);
	assert_int_equal(check(f, f->text, len), 0);
	assert_int_equal(
	    store_user_set_disabled(&f->store, "Zo\xc3\xab", 4, false), 0);
	assert_int_equal(check(f, f->text, len), 1);
	assert_int_equal(
	    store_user_set_password(&f->store, "Zo\xc3\xab", 4, "other"), 0);
	assert_int_equal(check(f, f->text, len), 0);
	sign_in(f, NOW + 1000);
	assert_int_equal(check(f, f->text, len), 1);
	assert_int_equal(store_user_delete(&f->store, "Zo\xc3\xab", 4), 0);
	assert_int_equal(check(f, f->text, len), 0);
}

static void a_guest_is_the_same_for_the_same_token_only(void **state)
{
	char a[SESSION_GUEST + 1], b[SESSION_GUEST + 1];

	(void)state;
	session_guest(key, "token", 5, a);
	assert_int_equal(strspn(a, "0123456789abcdef"), SESSION_GUEST);
	session_guest(key, "token", 5, b);
	assert_string_equal(a, b);
	session_guest(key, "token", 4, b);
	assert_string_not_equal(a, b);
	session_guest(other_key, "token", 5, b);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_session_says_who_it_is_until_it_expires, make, unmake),
	    cmocka_unit_test_setup_teardown(
		a_session_changed_anywhere_is_nobodys, make, unmake),
	    cmocka_unit_test_setup_teardown(
		another_hosts_session_is_nobodys, make, unmake),
	    cmocka_unit_test_setup_teardown(
		changes_of_the_account_end_its_sessions, make, unmake),
	    cmocka_unit_test_setup_teardown(
		a_guest_is_the_same_for_the_same_token_only, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
