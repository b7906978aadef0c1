/* A set of names: what stands in it, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/bcs_names.c"

static void added_and_removed(void **state)
{
	struct names n = {0};

	(void)state;
	assert_null(names_first(&n));
	assert_int_equal(names_remove(&n, "a"), 0);
	assert_int_equal(names_add(&n, "bob"), 1);
	assert_int_equal(names_add(&n, "bob"), 0);
	assert_int_equal(names_add(&n, "alice"), 1);
	assert_int_equal(names_add(&n, "Bob"), 1);
	assert_true(names_have(&n, "bob"));
	assert_false(names_have(&n, "bo"));
	assert_false(names_have(&n, "bobb"));
	assert_string_equal(names_first(&n), "Bob");
	assert_string_equal(names_after(&n, "Bob"), "alice");
	assert_string_equal(names_after(&n, "b"), "bob");
	assert_null(names_after(&n, "bob"));
	assert_int_equal(names_remove(&n, "alice"), 1);
	assert_string_equal(names_after(&n, "Bob"), "bob");
	names_release(&n);
	assert_null(names_first(&n));
}

static void differences(void **state)
{
	struct names a = {0}, b = {0};

	(void)state;
	assert_null(names_missing(&a, &b, NULL));
	names_add(&a, "x");
	names_add(&a, "y");
	names_add(&a, "z");
	names_add(&b, "y");
	assert_string_equal(names_missing(&a, &b, NULL), "x");
	assert_string_equal(names_missing(&a, &b, "x"), "z");
	assert_null(names_missing(&a, &b, "z"));
	assert_null(names_missing(&b, &a, NULL));
	names_release(&a);
	names_release(&b);
}

#define MANY 1000

/* As a table of flags says, whatever the order of changes. */
static void as_many_as_there_are(void **state)
{
	struct names n = {0};
	bool have[MANY] = {false};
	char name[32], before[32] = "";
	uint32_t random = 1;
	unsigned count = 0, i;

	(void)state;
	for (int turn = 0; turn < 20000; turn++) {
		random = random * 1664525 + 1013904223;
		i = random >> 8 & 1023;
		if (i >= MANY)
			continue;
		(void)snprintf(
		    name, sizeof name, "%.*sn%u", (int)(i % 7), "longer", i);
		if (random >> 30)
			assert_int_equal(names_add(&n, name), !have[i]);
		else
			assert_int_equal(names_remove(&n, name), have[i]);
		have[i] = random >> 30;
		assert_int_equal(names_have(&n, name), have[i]);
	}
	for (i = 0; i < MANY; i++)
		count += have[i];
	for (const char *at = names_first(&n); at; at = names_after(&n, at)) {
		assert_true(strcmp(before, at) < 0);
		(void)snprintf(before, sizeof before, "%s", at);
		count--;
	}
	assert_int_equal(count, 0);
	names_release(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(added_and_removed),
	    cmocka_unit_test(differences),
	    cmocka_unit_test(as_many_as_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
