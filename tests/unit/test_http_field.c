#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/http_field.h"

/* Result, start and end of a Range over 10 bytes, or over `size`. */
struct range {
	const char *text;
	uint64_t size;
	enum http_range want;
	uint64_t start, end;
};

static const struct range ranges[] = {
    {"bytes=0-", 10, HTTP_RANGE_PART, 0, 10},
    {"bytes=0-0", 10, HTTP_RANGE_PART, 0, 1},
    {"BYTES=3-5", 10, HTTP_RANGE_PART, 3, 6},
    {"bytes=3-99999999999999999999999", 10, HTTP_RANGE_PART, 3, 10},
    {"bytes=9-9", 10, HTTP_RANGE_PART, 9, 10},
    {"bytes=-1", 10, HTTP_RANGE_PART, 9, 10},
    {"bytes=-10", 10, HTTP_RANGE_PART, 0, 10},
    {"bytes=-99999999999999999999999", 10, HTTP_RANGE_PART, 0, 10},
    {"bytes=10-", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=99999999999999999999999-", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=-0", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=0-", 0, HTTP_RANGE_NONE, 0, 0},
    {"bytes=-5", 0, HTTP_RANGE_NONE, 0, 0},
    {"bytes=5-3", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=0-1,3-4", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=-", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes", 10, HTTP_RANGE_ALL, 0, 0},
    {"", 10, HTTP_RANGE_ALL, 0, 0},
    {"lines=1-2", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=1 -2", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=+1-2", 10, HTTP_RANGE_ALL, 0, 0},
    {"bytes=1-2x", 10, HTTP_RANGE_ALL, 0, 0},
};

static void a_range_is_what_rfc_9110_says(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		const struct range *t = &ranges[i];
		size_t len = strlen(t->text);
		uint64_t start = 0, end = 0;

		if (http_range(guard_put(&g, t->text, len), len, t->size,
			&start, &end) != t->want ||
		    start != t->start || end != t->end)
			fail_msg("%s: [%ju, %ju)", t->text, (uintmax_t)start,
			    (uintmax_t)end);
	}
	guard_release(&g);
}

static void the_chatfile_range_has_a_lower_bound_and_nothing_else_counts(
    void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* or -1 */
	} samples[] = {
	    {"bytes=341-", 341},
	    {"bytes=0-", 0},
	    {"bytes=007-", 7},
	    {"bytes=5-3", 5},
	    {"bytes=5-99999999999999999999999999", 5},
	    {"bytes=9223372036854775807-", INT64_MAX},
	    {"bytes=9223372036854775808-", -1},
	    {"bytes=99999999999999999999-", -1},
	    {"bytes=-5", -1},
	    {"bytes=-", -1},
	    {"bytes=1", -1},
	    {"bytes=1-2,4-", -1},
	    {"bytes=1-2-", -1},
	    {"bytes=1- ", -1},
	    {"bytes= 1-", -1},
	    {"bytes=0x1-", -1},
	    {"lines=1-", -1},
	    {"bytes", -1},
	    {"garbage", -1},
	    {"", -1},
	};
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		size_t len = strlen(samples[i].text);
		uint64_t since = 77;
		int r = http_range_since(
		    guard_put(&g, samples[i].text, len), len, &since);

		if (samples[i].want < 0
			? r == 0 || since != 77
			: r < 0 || since != (uint64_t)samples[i].want)
			fail_msg("%s: %d", samples[i].text, r);
	}
	guard_release(&g);
}

static bool tags(struct guard *g, const char *list, enum http_match how)
{
	size_t len = strlen(list);

	return http_tag_matches(guard_put(g, list, len), len, "\"a-1\"", how);
}

static void entity_tags_are_compared_as_wholes(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	assert_true(tags(&g, "\"a-1\"", HTTP_STRONG));
	assert_true(tags(&g, "*", HTTP_STRONG));
	assert_true(tags(&g, "\"b\", \"a-1\"", HTTP_STRONG));
	assert_true(tags(&g, "\"x,\\\", ,\"a-1\"", HTTP_STRONG));
	assert_true(tags(&g, "W/\"a-1\"", HTTP_WEAK));
	assert_false(tags(&g, "W/\"a-1\"", HTTP_STRONG));
	assert_false(tags(&g, "a-1", HTTP_WEAK));
	assert_false(tags(&g, "\"a-1", HTTP_WEAK));
	assert_false(tags(&g, "\"a-12\"", HTTP_WEAK));
	assert_false(tags(&g, "\"", HTTP_WEAK));
	assert_false(tags(&g, "W/", HTTP_WEAK));
	assert_false(tags(&g, "", HTTP_WEAK));
	guard_release(&g);
}

static void the_three_forms_of_dates_are_read(void **state)
{
	static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	char text[HTTP_DATE];
	struct guard g;
	int64_t at;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < 3; i++) {
		at = 0;
		assert_int_equal(
		    http_date_parse(guard_put(&g, good[i], strlen(good[i])),
			strlen(good[i]), &at),
		    0);
		assert_int_equal(at, 784111777);
	}
	assert_int_equal(http_date_parse("yesterday", 9, &at), -EINVAL);
	assert_int_equal(http_date_parse("", 0, &at), -EINVAL);
	assert_int_equal(
	    http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT+1", 31, &at),
	    -EINVAL);
	http_date_text(784111777, text);
	assert_string_equal(text, good[0]);
	guard_release(&g);
}

static void a_preference_to_wait_is_found_among_others(void **state)
{
	static const struct {
		const char *text;
		int want; /* or -1 */
	} samples[] = {
	    {"wait=10", 10},
	    {"Wait = 7", 7},
	    {"wait=\"5\"", 5},
	    {"respond-async, wait=10", 10},
	    {"foo=\"wait=3, wait=4\"; bar, wait=9; x=y, wait=2", 9},
	    {"wait=99999999999999999999999", 60},
	    {"wait=0", 0},
	    {"wait", -1},
	    {"wait=", -1},
	    {"wait=-1", -1},
	    {"wait=1s", -1},
	    {"wait=\"5", -1},
	    {"waits=3", -1},
	    {"", -1},
	    {",,;", -1},
	};
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		size_t len = strlen(samples[i].text);
		uint64_t seconds = 0;
		int r = http_prefer_wait(
		    guard_put(&g, samples[i].text, len), len, 60, &seconds);

		if (r < 0 ? samples[i].want != -1
			  : samples[i].want != (int)seconds)
			fail_msg("%s: %d", samples[i].text, (int)seconds);
	}
	guard_release(&g);
}

static void tokens_hold_no_blanks_nor_separators(void **state)
{
	(void)state;
	assert_true(http_is_token("Content-Length", 14));
	assert_false(http_is_token("", 0));
	assert_false(http_is_token("a b", 3));
	assert_false(http_is_token("a:", 2));
	assert_false(http_is_token("a\0b", 3));
	assert_false(http_is_token("\xc3\xa9", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_range_is_what_rfc_9110_says),
	    cmocka_unit_test(
		the_chatfile_range_has_a_lower_bound_and_nothing_else_counts),
	    cmocka_unit_test(entity_tags_are_compared_as_wholes),
	    cmocka_unit_test(the_three_forms_of_dates_are_read),
	    cmocka_unit_test(a_preference_to_wait_is_found_among_others),
	    cmocka_unit_test(tokens_hold_no_blanks_nor_separators),
	};

	return cmocka_run_group_tests_name("http_field", tests, NULL, NULL);
}
