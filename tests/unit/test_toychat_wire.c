#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "toychat_fixture.h"

#define MAX TOYCHAT_COMMAND_MAX

/* --- where a command ends --- */

static const struct sample {
	const char *data;
	long takes;
	const char *word;
	const char *tail;
	bool counted;
} samples[] = {
    {"logout\r\n", 8, "logout", "", false},
    {"logout \r\n", 9, "logout", " ", false},
    {"\r\n", 2, "", "", false},
    {" \r\n", 3, "", " ", false},
    {" login a b\r\n", 12, "", " login a b", false},
    {"login alice a  b \r\nlogout\r\n", 19, "login", " alice a  b ", false},
    {"a\nb\r\n", 5, "a\nb", "", false},
    {"a\rb\r\n", 5, "a\rb", "", false},
    {"\n\r\n", 3, "\n", "", false},
    {"\r\r\n", 3, "\r", "", false},
    {"send x \r\r\n", 10, "send", " x \r", false},
    {"send x \n\n\r\n", 11, "send", " x \n\n", false},
    {"upload\r\n", 8, "upload", "", false},
    {"upload \r\n", 9, "upload", " ", false},
    {"upload a 5\r\nhello\r\n", 12, "upload", " a 5", false},
    {"upload a 5 hello\r\n", 11, "upload", " a 5", true},
    {"upload a 0 \r\n", 11, "upload", " a 0", true},
    {"upload a\r 5 x", 12, "upload", " a\r 5", true},
    {"upload   x\r\n", 9, "upload", "  ", true},
    {"upload a  x\r\n", 10, "upload", " a ", true},
    {"uploads a 5 hello\r\n", 19, "uploads", " a 5 hello", false},
    {"Upload a 5 hello\r\n", 18, "Upload", " a 5 hello", false},
    {" upload a 5 hello\r\n", 19, "", " upload a 5 hello", false},
    {"send upload a b\r\n", 17, "send", " upload a b", false},
};

static void assert_sample(
    const struct toychat_command *command, const struct sample *s)
{
	assert_slice(command->word, s->word);
	assert_slice(command->tail, s->tail);
	assert_int_equal(command->counted, s->counted);
}

static void a_command_ends_at_crlf_and_nowhere_else(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		struct toychat_command command;
		size_t len = strlen(s->data);

		assert_int_equal(
		    scan_whole(&command, guard_put(&g, s->data, len), len),
		    s->takes);
		assert_sample(&command, s);
		/* And no byte behind it is needed. */
		len = (size_t)s->takes;
		assert_int_equal(
		    scan_whole(&command, guard_put(&g, s->data, len), len),
		    s->takes);
		assert_sample(&command, s);
	}
	guard_release(&g);
}

static void byte_by_byte_it_ends_at_the_same_place(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		struct toychat_command command = {.counted = true};
		struct toychat_scan scan;
		size_t len = 0;

		toychat_scan_init(&scan, "upload", MAX);
		/* A buffer may move between the calls: this one does. */
		for (; len < (size_t)s->takes; len++)
			assert_int_equal(toychat_scan(&scan, &command,
					     guard_put(&g, s->data, len), len),
			    -EAGAIN);
		assert_int_equal(toychat_scan(&scan, &command,
				     guard_put(&g, s->data, len), len),
		    s->takes);
		assert_sample(&command, s);
	}
	guard_release(&g);
}

static void one_scan_serves_command_after_command(void **state)
{
	static const char stream[] = "upload a 2 register b c\r\n\r\nupload "
				     "a\r\nlogout\r\nupload b 3 log";
	static const char *const words[] = {
	    "upload", "register", "", "upload", "logout", "upload"};
	struct toychat_command command;
	struct toychat_scan scan;
	size_t at = 0;
	long n;

	(void)state;
	toychat_scan_init(&scan, "upload", MAX);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		n = toychat_scan(
		    &scan, &command, stream + at, sizeof stream - 1 - at);
		assert_true(n > 0);
		assert_slice(command.word, words[i]);
		assert_int_equal(command.counted, i == 0 || i == 5);
		at += (size_t)n;
	}
	assert_int_equal(
	    toychat_scan(&scan, &command, stream + at, 3), -EAGAIN);
	assert_int_equal(toychat_scan(&scan, &command, stream, 0), -EAGAIN);
}

static void a_nul_is_a_byte_as_any(void **state)
{
	struct toychat_command command;

	(void)state;
	assert_int_equal(scan_whole(&command, "a\0b c\0\r\n", 8), 8);
	assert_int_equal(command.word.len, 3);
	assert_int_equal(command.tail.len, 3);
}

static void what_was_looked_at_is_not_looked_at_again(void **state)
{
	struct toychat_command command;
	struct toychat_scan scan;
	struct guard g;
	char *at;

	(void)state;
	guard_init(&g);
	at = guard_room(&g, 8);
	memcpy(at, "logout\r\n", 8);
	toychat_scan_init(&scan, "upload", MAX);
	assert_int_equal(toychat_scan(&scan, &command, at, 6), -EAGAIN);
	assert_int_equal(scan.seen, 6);
	/* An end that would be found if it looked. */
	memcpy(at, "\r\n", 2);
	assert_int_equal(toychat_scan(&scan, &command, at, 7), -EAGAIN);
	assert_int_equal(toychat_scan(&scan, &command, at, 8), 8);
	guard_release(&g);
}

/* --- commands that are too long --- */

static char *filled(size_t len, const char *end)
{
	char *data = malloc(len + strlen(end) + 1);

	assert_non_null(data);
	memset(data, 'x', len);
	memcpy(data + len, end, strlen(end) + 1);
	return data;
}

/* The same in pieces of any size. */
static void assert_scan(const char *data, size_t len, long result)
{
	static const size_t steps[] = {1, 7, 4096, MAX, MAX + 1, 1 << 20};
	struct toychat_command command;
	struct toychat_scan scan;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		size_t part = 0;
		long n;

		toychat_scan_init(&scan, "upload", MAX);
		do {
			part = len - part < steps[i] ? len : part + steps[i];
			n = toychat_scan(&scan, &command, data, part);
		} while (n == -EAGAIN && part < len);
		assert_int_equal(n, result);
		if (n == -EMSGSIZE)
			assert_int_equal(
			    toychat_scan(&scan, &command, data, part), n);
	}
}

static void assert_scan_of(size_t fill, const char *end, long result)
{
	char *data = filled(fill, end);

	assert_scan(data, strlen(data), result);
	free(data);
}

static void a_command_may_be_64_kib_and_no_longer(void **state)
{
	(void)state;
	assert_scan_of(MAX, "", -EAGAIN);
	assert_scan_of(MAX, "\r", -EAGAIN);
	assert_scan_of(MAX, "\r\n", MAX + 2);
	assert_scan_of(MAX - 1, "\r\r\n", MAX + 2);
	assert_scan_of(MAX, "\n", -EMSGSIZE);
	assert_scan_of(MAX, "\rx", -EMSGSIZE);
	assert_scan_of(MAX, "\r\r", -EMSGSIZE);
	assert_scan_of(MAX, "\r\r\n", -EMSGSIZE);
	assert_scan_of(MAX, " ", -EMSGSIZE);
	assert_scan_of(MAX, "x", -EMSGSIZE);
	assert_scan_of(MAX + 1, "\r\n", -EMSGSIZE);
	assert_scan_of(10 * MAX, "\r\n", -EMSGSIZE);
}

static void so_may_the_head_of_an_upload(void **state)
{
	char *data = filled(MAX, " x\r\n");

	(void)state;
	memcpy(data, "upload ", 7);
	data[MAX - 3] = ' ';
	data[MAX - 1] = ' ';
	assert_scan(data, MAX + 4, MAX);
	data[MAX - 1] = '1';
	assert_scan(data, MAX + 4, -EMSGSIZE);
	free(data);
}

/* --- fields --- */

static struct toychat_command command_of(const char *text)
{
	struct toychat_command command;
	char line[256];
	static char kept[256];
	int n = snprintf(line, sizeof line, "%s\r\n", text);

	memcpy(kept, line, (size_t)n);
	assert_int_equal(scan_whole(&command, kept, (size_t)n), n);
	assert_false(command.counted);
	return command;
}

static void fields_stand_between_single_spaces(void **state)
{
	static const struct {
		const char *text;
		unsigned count;
		bool may_be_empty;
		const char *fields[3]; /* NULL: wrong number */
	} cases[] = {
	    {"logout", 0, false, {""}},
	    {"logout", 0, true, {""}},
	    {"logout ", 0, false, {NULL}},
	    {"logout ", 0, true, {NULL}},
	    {"logout x", 0, false, {NULL}},
	    {"recv", 1, false, {NULL}},
	    {"recv", 1, true, {NULL}},
	    {"recv ", 1, false, {NULL}},
	    {"recv ", 1, true, {""}},
	    {"recv a", 1, false, {"a"}},
	    {"recv a b", 1, false, {"a b"}},
	    {"recv  a", 1, false, {" a"}},
	    {"recv a ", 1, false, {"a "}},
	    {"login", 2, false, {NULL}},
	    {"login a", 2, false, {NULL}},
	    {"login a ", 2, false, {NULL}},
	    {"login  b", 2, false, {NULL}},
	    {"login  ", 2, false, {NULL}},
	    {"login a b", 2, false, {"a", "b"}},
	    {"login a  b", 2, false, {"a", " b"}},
	    {"login a   ", 2, false, {"a", "  "}},
	    {"login a b c ", 2, false, {"a", "b c "}},
	    {"send", 2, true, {NULL}},
	    {"send x", 2, true, {NULL}},
	    {"send x ", 2, true, {"x", ""}},
	    {"send  ", 2, true, {NULL}},
	    {"send  x", 2, true, {NULL}},
	    {"send x  ", 2, true, {"x", " "}},
	    {"send * \xd0\xb4\xd0\xb0", 2, true, {"*", "\xd0\xb4\xd0\xb0"}},
	    {"upload a 5", 3, false, {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct toychat_command command = command_of(cases[i].text);
		struct slice fields[3] = {{"?", 1}, {"?", 1}, {"?", 1}};
		bool fine = cases[i].fields[0] != NULL;

		assert_int_equal(toychat_fields(&command, fields,
				     cases[i].count, cases[i].may_be_empty),
		    fine ? 0 : -EINVAL);
		for (unsigned j = 0; fine && j < cases[i].count; j++)
			assert_slice(fields[j], cases[i].fields[j]);
		if (!fine || !cases[i].count)
			assert_slice(fields[0], "?");
	}
}

static void more_fields_than_there_are_anywhere_is_an_error(void **state)
{
	struct toychat_command command = command_of("message a b c d e");
	struct slice fields[TOYCHAT_FIELDS + 1];

	(void)state;
	assert_int_equal(
	    toychat_fields(&command, fields, TOYCHAT_FIELDS, false), 0);
	assert_slice(fields[3], "d e");
	assert_int_equal(
	    toychat_fields(&command, fields, TOYCHAT_FIELDS + 1, false),
	    -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_ends_at_crlf_and_nowhere_else),
	    cmocka_unit_test(byte_by_byte_it_ends_at_the_same_place),
	    cmocka_unit_test(one_scan_serves_command_after_command),
	    cmocka_unit_test(a_nul_is_a_byte_as_any),
	    cmocka_unit_test(what_was_looked_at_is_not_looked_at_again),
	    cmocka_unit_test(a_command_may_be_64_kib_and_no_longer),
	    cmocka_unit_test(so_may_the_head_of_an_upload),
	    cmocka_unit_test(fields_stand_between_single_spaces),
	    cmocka_unit_test(more_fields_than_there_are_anywhere_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
