#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "toychat_fixture.h"

static void an_uploads_length_is_plain_decimal(void **state)
{
	static const struct {
		const char *text;
		int64_t length; /* -1: malformed */
	} cases[] = {
	    {"0", 0}, {"5", 5}, {"005", 5}, {"0000000000", 0},
	    {"67108864", 67108864}, {"4294967296", 4294967296},
	    {"9999999999", 9999999999}, {"00000000005", -1},
	    {"10000000000", -1}, {"99999999999999999999999999", -1}, {"", -1},
	    {"-1", -1}, {"+5", -1}, {"0x10", -1}, {"5a", -1}, {"a5", -1},
	    {"5.0", -1}, {"1e3", -1}, {"5\t", -1}, {"\n5", -1}, {"5\r", -1},
	    {"\xd9\xa5", -1}, /* an Arabic five */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct toychat_command command;
		struct slice name = {"?", 1};
		uint64_t length = 77;
		char line[64];
		int n = snprintf(
		    line, sizeof line, "upload a.txt %s ", cases[i].text);
		bool fine = cases[i].length >= 0;

		assert_int_equal(scan_whole(&command, line, (size_t)n), n);
		assert_true(command.counted);
		assert_int_equal(toychat_counted(&command, &name, &length),
		    fine ? 0 : -EINVAL);
		assert_int_equal(length, fine ? cases[i].length : 77);
		assert_slice(name, fine ? "a.txt" : "?");
	}
}

static void an_uploads_name_may_be_empty_here(void **state)
{
	struct toychat_command command;
	struct slice name;
	uint64_t length;

	(void)state;
	assert_int_equal(scan_whole(&command, "upload  5 hello", 15), 10);
	assert_int_equal(toychat_counted(&command, &name, &length), 0);
	assert_int_equal(name.len, 0);
	assert_int_equal(length, 5);
}

#define LENGTH_UNKNOWN UINT64_MAX

static const struct upload {
	uint64_t length;
	const char *data;
	size_t size;
	size_t contents; /* of data, that are contents */
	size_t used;
	enum toychat_end end;
} uploads[] = {
#define DATA(s) s, sizeof s - 1
    {0, DATA("\r\n"), 0, 2, TOYCHAT_WHOLE},
    {5, DATA("hello\r\nlogout\r\n"), 5, 7, TOYCHAT_WHOLE},
    {9, DATA("a\r\nb\0\r\n\r\n\r\n"), 9, 11, TOYCHAT_WHOLE},
    {2, DATA("a\r\r\nlogout\r\n"), 2, 4, TOYCHAT_WHOLE},
    {5, DATA("hel"), 3, 3, TOYCHAT_MORE},
    {5, DATA("hello"), 5, 5, TOYCHAT_MORE},
    {5, DATA("hello\r"), 5, 6, TOYCHAT_MORE},
    {4294967296, DATA("hello\r\n"), 7, 7, TOYCHAT_MORE},
    /* Understated: the rest is dropped. */
    {3, DATA("hello\r\nlogout\r\n"), 3, 7, TOYCHAT_MALFORMED},
    {0, DATA("hello\r\nlogout\r\n"), 0, 7, TOYCHAT_MALFORMED},
    {2, DATA("a\r\nb\r\nlogout\r\n"), 2, 6, TOYCHAT_MALFORMED},
    {1, DATA("a\r\rb\r\n"), 1, 6, TOYCHAT_MALFORMED},
    {1, DATA("a\r\r\nb"), 1, 4, TOYCHAT_MALFORMED},
    {1, DATA("a\n\r\nb"), 1, 4, TOYCHAT_MALFORMED},
    {1, DATA("a\nb\rc\0d\r"), 1, 8, TOYCHAT_MORE},
    /* A malformed length: all of it. */
    {LENGTH_UNKNOWN, DATA("\r\n"), 0, 2, TOYCHAT_MALFORMED},
    {LENGTH_UNKNOWN, DATA("hello\r\nlogout"), 0, 7, TOYCHAT_MALFORMED},
    {LENGTH_UNKNOWN, DATA("\n\r\r\nx"), 0, 4, TOYCHAT_MALFORMED},
    {LENGTH_UNKNOWN, DATA("hello\n"), 0, 6, TOYCHAT_MORE},
};

static void start(struct toychat_payload *payload, uint64_t length)
{
	if (length == LENGTH_UNKNOWN)
		toychat_payload_drop(payload);
	else
		toychat_payload_init(payload, length);
}

static void assert_upload(
    struct guard *g, const struct upload *u, size_t first, size_t step)
{
	size_t at = 0, contents = 0, len = first, used, part;
	struct toychat_payload payload;
	enum toychat_end end = TOYCHAT_MORE;

	start(&payload, u->length);
	while (at < u->size && end == TOYCHAT_MORE) {
		len = u->size - at < len ? u->size - at : len;
		end = toychat_payload_feed(&payload,
		    guard_put(g, u->data + at, len), len, &part, &used);
		assert_true(part <= used && used <= len);
		if (end == TOYCHAT_MORE)
			assert_int_equal(used, len);
		contents += part;
		at += used;
		len = step;
	}
	assert_int_equal(end, u->end);
	assert_int_equal(at, u->used);
	assert_int_equal(contents, u->contents);
	if (end != TOYCHAT_MORE)
		assert_int_equal(
		    toychat_payload_is_bad(&payload), end == TOYCHAT_MALFORMED);
}

static void contents_are_counted_and_end_with_crlf(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof uploads / sizeof *uploads; i++) {
		assert_upload(&g, &uploads[i], 1, 1);
		for (size_t first = 1; first <= uploads[i].size; first++)
			assert_upload(&g, &uploads[i], first, SIZE_MAX);
	}
	guard_release(&g);
}

static void that_contents_are_malformed_is_known_at_once(void **state)
{
	struct toychat_payload payload;
	size_t contents, used;

	(void)state;
	toychat_payload_drop(&payload);
	assert_true(toychat_payload_is_bad(&payload));
	toychat_payload_init(&payload, 1);
	assert_false(toychat_payload_is_bad(&payload));
	(void)toychat_payload_feed(&payload, "a\r", 2, &contents, &used);
	assert_false(toychat_payload_is_bad(&payload));
	(void)toychat_payload_feed(&payload, "b", 1, &contents, &used);
	assert_true(toychat_payload_is_bad(&payload));
}

static void nothing_at_all_changes_nothing(void **state)
{
	struct toychat_payload payload;
	size_t contents = 7, used = 7;

	(void)state;
	toychat_payload_init(&payload, 0);
	assert_int_equal(
	    toychat_payload_feed(&payload, "", 0, &contents, &used),
	    TOYCHAT_MORE);
	assert_int_equal(contents, 0);
	assert_int_equal(used, 0);
}

static void contents_may_be_moved_by_other_means(void **state)
{
	struct toychat_payload payload;
	size_t contents, used;

	(void)state;
	toychat_payload_init(&payload, 5000000000);
	payload.left -= 4999999999;
	assert_int_equal(
	    toychat_payload_feed(&payload, "x\r\nlogout", 9, &contents, &used),
	    TOYCHAT_WHOLE);
	assert_int_equal(contents, 1);
	assert_int_equal(used, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_uploads_length_is_plain_decimal),
	    cmocka_unit_test(an_uploads_name_may_be_empty_here),
	    cmocka_unit_test(contents_are_counted_and_end_with_crlf),
	    cmocka_unit_test(that_contents_are_malformed_is_known_at_once),
	    cmocka_unit_test(nothing_at_all_changes_nothing),
	    cmocka_unit_test(contents_may_be_moved_by_other_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
