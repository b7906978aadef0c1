#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "toychat_fixture.h"

/* Those of one piece, for the test of room. */
static long reply(unsigned which, char *out, size_t size)
{
	switch (which) {
	case 0:
		return toychat_success(out, size);
	case 1:
		return toychat_error(out, size, "wrong number of fields");
	case 2:
		return toychat_message(out, size,
		    slice_of("2018-07-18T17:12:47Z"), slice_of("~guest"),
		    slice_of("*"), slice_of(" two  words "));
	case 3:
		return toychat_file(
		    out, size, slice_of("\xc3\xa4.txt"), UINT64_MAX);
	case 4:
		return toychat_inbox_entry(out, size, slice_of("bob"), 100000);
	default:
		return toychat_filelist_entry(out, size, slice_of("a.txt"));
	}
}

static const char *const replies[] = {
    "success\r\n",
    "error wrong number of fields\r\n",
    "message 2018-07-18T17:12:47Z ~guest *  two  words \r\n",
    "file \xc3\xa4.txt 18446744073709551615 ",
    " bob 100000",
    " a.txt",
};

static void replies_are_those_of_the_spec_in_just_their_room(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (unsigned i = 0; i < sizeof replies / sizeof *replies; i++) {
		size_t len = strlen(replies[i]);
		char *at = guard_room(&g, len);

		assert_int_equal(reply(i, at, len), len);
		assert_memory_equal(at, replies[i], len);
		for (size_t size = 0; size < len; size++)
			assert_int_equal(
			    reply(i, guard_room(&g, size), size), -ENOSPC);
	}
	guard_release(&g);
}

static void a_field_that_would_break_the_reply_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "a b", "a\r", "\n", "a\r\n"};
	struct slice when = slice_of("2018-07-18T17:12:47Z");
	struct slice a = slice_of("a");
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct slice f = slice_of(bad[i]);

		assert_int_equal(
		    toychat_message(out, sizeof out, f, a, a, a), -EINVAL);
		assert_int_equal(
		    toychat_message(out, sizeof out, when, f, a, a), -EINVAL);
		assert_int_equal(
		    toychat_message(out, sizeof out, when, a, f, a), -EINVAL);
		assert_int_equal(toychat_file(out, sizeof out, f, 1), -EINVAL);
		assert_int_equal(
		    toychat_inbox_entry(out, sizeof out, f, 1), -EINVAL);
		assert_int_equal(
		    toychat_filelist_entry(out, sizeof out, f), -EINVAL);
	}
	assert_int_equal(
	    toychat_message(out, sizeof out, when, a, a, slice_of("x\r\ny")),
	    -EINVAL);
	assert_int_equal(toychat_error(out, sizeof out, ""), -EINVAL);
	assert_int_equal(toychat_error(out, sizeof out, "a\r\n"), -EINVAL);
}

static void a_message_comes_back_exactly(void **state)
{
	static const char *const bodies[] = {"", " ", "a", "a\nb\n", "\n",
	    "a\r", "\r", "  a  ", "success", "\xf0\x9f\x91\x8b"};
	struct toychat_command command;
	struct slice fields[4];
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		long n = toychat_message(out, sizeof out, slice_of("t"),
		    slice_of("a"), slice_of("b"), slice_of(bodies[i]));

		assert_true(n > 0);
		assert_int_equal(scan_whole(&command, out, (size_t)n), n);
		assert_int_equal(toychat_fields(&command, fields, 4, true), 0);
		assert_slice(fields[3], bodies[i]);
	}
}

static void a_client_reads_a_file_as_the_server_an_upload(void **state)
{
	struct toychat_command command;
	struct toychat_scan scan;
	struct slice name;
	uint64_t length;
	char out[64];
	long n = toychat_file(out, sizeof out, slice_of("a.txt"), 4294967296);

	(void)state;
	toychat_scan_init(&scan, "file", TOYCHAT_COMMAND_MAX);
	assert_int_equal(toychat_scan(&scan, &command, out, (size_t)n), n);
	assert_true(command.counted);
	assert_int_equal(toychat_counted(&command, &name, &length), 0);
	assert_slice(name, "a.txt");
	assert_int_equal(length, 4294967296);
}

static void lines_of_the_lobby_become_one(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""},
	    {"a", "a"},
	    {"a\nb", "a b"},
	    {"a\r\nb", "a b"},
	    {"\n\n", "  "},
	    {"\r\n\r\n", "  "},
	    {"a\r\r\nb", "a\r b"},
	    {"a\r", "a\r"},
	    {"a\rb\tc\n", "a\rb\tc "},
	};
	struct guard g;
	char *at;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i][0]), n;
		char out[16];

		at = guard_put(&g, cases[i][0], len);
		n = toychat_one_line(out, at, len);
		assert_slice((struct slice){out, n}, cases[i][1]);
		n = toychat_one_line(at, at, len);
		assert_slice((struct slice){at, n}, cases[i][1]);
	}
	guard_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_those_of_the_spec_in_just_their_room),
	    cmocka_unit_test(a_field_that_would_break_the_reply_is_refused),
	    cmocka_unit_test(a_message_comes_back_exactly),
	    cmocka_unit_test(a_client_reads_a_file_as_the_server_an_upload),
	    cmocka_unit_test(lines_of_the_lobby_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
