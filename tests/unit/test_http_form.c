#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/http_field.h"
#include "lib/http_form.h"

static struct guard guard;
static char out[64];

static long form(const char *text, const char *name)
{
	size_t len = strlen(text);

	memset(out, 0, sizeof out);
	return http_form(
	    out, sizeof out - 1, guard_put(&guard, text, len), len, name);
}

static void a_forms_field_is_decoded(void **state)
{
	static const struct {
		const char *form, *want;
	} samples[] = {
	    {"a=1", "1"},
	    {"a=", ""},
	    {"x=2&a=1", "1"},
	    {"a=1&a=2", "1"},
	    {"&&a=1&", "1"},
	    {"aa=2&a=1", "1"},
	    {"a=b=c", "b=c"},
	    {"a=1+2%2B%20%c3%A9", "1+2"},
	};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof samples / sizeof *samples; i++) {
		assert_int_equal(
		    form(samples[i].form, "a"), (long)strlen(samples[i].want));
		assert_string_equal(out, samples[i].want);
	}
	assert_int_equal(form("a=1+2%2B%20%c3%A9", "a"), 7);
	assert_string_equal(out, "1 2+ \xc3\xa9");
	assert_int_equal(form("a=%00", "a"), 1);
}

static void a_field_that_is_not_there_is_told(void **state)
{
	(void)state;
	assert_int_equal(form("", "a"), -ENOENT);
	assert_int_equal(form("a", "a"), -ENOENT);
	assert_int_equal(form("b=1", "a"), -ENOENT);
	assert_int_equal(form("A=1", "a"), -ENOENT);
	assert_int_equal(http_form(out, 4, NULL, 0, "a"), -ENOENT);
}

static void a_broken_percent_anywhere_is_told(void **state)
{
	static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "a=1&b=%",
	    "%=1&a=1", "a=%4g", "a=%g4", "a=%%41", "a=%u0041", "a=% 41"};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_int_equal(form(broken[i], "a"), -EINVAL);
}

static void what_does_not_fit_is_told(void **state)
{
	(void)state;
	assert_int_equal(http_form(out, 3, "a=123", 5, "a"), 3);
	assert_int_equal(http_form(out, 3, "a=1234", 6, "a"), -EMSGSIZE);
	assert_int_equal(http_form(out, 3, "a=%31%32%33", 11, "a"), 3);
	assert_int_equal(http_form(out, 0, "a=", 2, "a"), 0);
}

static void the_first_cookie_of_a_name_counts(void **state)
{
	static const struct {
		const char *field, *want;
	} samples[] = {
	    {"a=1", "1"},
	    {"b=2; a=1", "1"},
	    {"b=2;a=1", "1"},
	    {"a=1; a=2", "1"},
	    {"aa=2; a=1 ;", "1"},
	    {" \ta=1\t", "1"},
	    {"a=", ""},
	    {"a=b=c", "b=c"},
	    {"a=\"q\"", "\"q\""},
	    {"a", NULL},
	    {"A=1", NULL},
	    {"b=a=1", NULL},
	    {"a =1", NULL},
	    {";;; ", NULL},
	    {"", NULL},
	};
	struct slice value;

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		size_t len = strlen(samples[i].field);
		bool found = cookie_find(
		    guard_put(&guard, samples[i].field, len), len, "a", &value);

		assert_int_equal(found, samples[i].want != NULL);
		if (!found)
			continue;
		assert_int_equal(value.len, strlen(samples[i].want));
		assert_memory_equal(value.data, samples[i].want, value.len);
	}
}

static void a_coding_is_taken_unless_refused(void **state)
{
	static const struct {
		const char *field;
		bool want;
	} samples[] = {
	    {"gzip", true},
	    {"br, GZIP", true},
	    {"br;q=1.0,gzip;q=0.001", true},
	    {"*", true},
	    {"gzip ; q=1", true},
	    {"", false},
	    {"br", false},
	    {"xgzip", false},
	    {"gzip;q=0", false},
	    {"gzip; q=0.000", false},
	    {"gzip ;Q=0", false},
	    {"*;q=0", false},
	    {"*, gzip;q=0", false},
	    {"identity", false},
	    {",,;,", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		size_t len = strlen(samples[i].field);

		assert_int_equal(
		    http_accepts(
			guard_put(&guard, samples[i].field, len), len, "gzip"),
		    samples[i].want);
	}
}

static int guarded(void **state)
{
	(void)state;
	guard_init(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_forms_field_is_decoded),
	    cmocka_unit_test(a_field_that_is_not_there_is_told),
	    cmocka_unit_test(a_broken_percent_anywhere_is_told),
	    cmocka_unit_test(what_does_not_fit_is_told),
	    cmocka_unit_test(the_first_cookie_of_a_name_counts),
	    cmocka_unit_test(a_coding_is_taken_unless_refused),
	};

	return cmocka_run_group_tests(tests, guarded, NULL);
}
