#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/limits.h"
#include "lib/text.h"

struct sample {
	const char *text;
	enum text_fault typed;
	enum text_fault stored;
	size_t at; /* of the first fault in either form */
};

static const struct sample samples[] = {
    {"", TEXT_EMPTY, TEXT_EMPTY, 0},
    {"hello", TEXT_FINE, TEXT_FINE, 0},
    {"hello\n", TEXT_FINE, TEXT_FINE, 0},
    {"\n", TEXT_FINE, TEXT_FINE, 0},
    {"a\tb\r\nc", TEXT_FINE, TEXT_FINE, 0},
    {"a\r", TEXT_CR, TEXT_CR, 1},
    {"a\rb", TEXT_CR, TEXT_CR, 1},
    {"a\r\r\n", TEXT_CR, TEXT_CR, 1},
    {"a long enough line\x1b[2J", TEXT_CONTROL, TEXT_CONTROL, 18},
    {"a long enough line\x7f", TEXT_CONTROL, TEXT_CONTROL, 18},
    {"12345678\x0b", TEXT_CONTROL, TEXT_CONTROL, 8},
    {"\xc2\x80", TEXT_CONTROL, TEXT_CONTROL, 0},
    {"\xc2\x9f", TEXT_CONTROL, TEXT_CONTROL, 0},
    {"\xc2\xa0", TEXT_FINE, TEXT_FINE, 0},
    {"\xf0\x9f\x90\xb8\xe2\x82\xac\xc3\xa9", TEXT_FINE, TEXT_FINE, 0},
    {"\xf4\x8f\xbf\xbf", TEXT_FINE, TEXT_FINE, 0},
    {"\xf4\x90\x80\x80", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"ab\xc3", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 2},
    {"ab\xe2\x82", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 2},
    {"\xc0\xaf", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"\xe0\x80\xaf", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"\xed\xa0\x80", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"\xff", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"\x80", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0},
    {"\\", TEXT_FINE, TEXT_FOOTER, 0},
    {"\\\\", TEXT_FINE, TEXT_FINE, 0},
    {"\\\\\\", TEXT_FINE, TEXT_FINE, 0},
    {"\\\n", TEXT_FINE, TEXT_FOOTER, 0},
    {"\\\r\n", TEXT_FINE, TEXT_FOOTER, 0},
    {"a\n\\bob @ 2026", TEXT_FINE, TEXT_FOOTER, 2},
    {"a\n\\\\bob @ 2026", TEXT_FINE, TEXT_FINE, 0},
    {"a\\b\n", TEXT_FINE, TEXT_FINE, 0},
    {"a\n\\b", TEXT_FINE, TEXT_FOOTER, 2},
    {"a\r\n\\", TEXT_FINE, TEXT_FOOTER, 3},
    {"a\n\\\nb\x01", TEXT_CONTROL, TEXT_FOOTER, 0},
    {"a\x01\n\\b", TEXT_CONTROL, TEXT_CONTROL, 1},
};

static void check_sample(struct guard *g, const struct sample *s)
{
	size_t len = strlen(s->text), at = 7777;
	const char *text = guard_put(g, s->text, len);

	assert_int_equal(text_check(text, len, NULL), s->typed);
	assert_int_equal(text_check_stored(text, len, &at), s->stored);
	if (s->stored != TEXT_FINE && s->typed == s->stored)
		assert_int_equal(at, s->at);
	if (s->stored == TEXT_FINE)
		assert_int_equal(at, 7777);
	if (s->typed == TEXT_FINE)
		assert_int_equal(text_check(text, len, &at), TEXT_FINE);
}

static void each_bad_text_is_refused_for_its_reason(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		check_sample(&g, &samples[i]);
	guard_release(&g);
}

static void the_first_bad_byte_is_told(void **state)
{
	size_t at;

	(void)state;
	assert_int_equal(
	    text_check_stored("a\n\\b\n\x01", 6, &at), TEXT_FOOTER);
	assert_int_equal(at, 2);
	assert_int_equal(text_check("a\n\\b\n\x01", 6, &at), TEXT_CONTROL);
	assert_int_equal(at, 5);
	assert_int_equal(text_check("ab\0cd", 5, &at), TEXT_CONTROL);
	assert_int_equal(at, 2);
	assert_int_equal(text_check_stored("a\n\\\x01", 4, &at), TEXT_FOOTER);
	assert_int_equal(at, 2);
}

static bool byte_may_stand(int c)
{
	return c == '\t' || c == '\n' || (c >= 0x20 && c < 0x7f);
}

/* At each place of a word, so that the eight-at-a-time scan is seen. */
static void every_control_byte_is_refused_anywhere(void **state)
{
	char text[24];
	size_t at;

	(void)state;
	for (int c = 0; c < 256; c++) {
		for (size_t i = 0; i < sizeof text; i++) {
			memset(text, 'x', sizeof text);
			text[i] = (char)c;
			if (byte_may_stand(c)) {
				assert_int_equal(
				    text_check(text, sizeof text, &at),
				    TEXT_FINE);
				continue;
			}
			assert_int_not_equal(
			    text_check(text, sizeof text, &at), TEXT_FINE);
			assert_int_equal(at, i);
		}
	}
}

static void a_message_may_be_65535_bytes_and_no_more(void **state)
{
	char *text = malloc(LIMIT_MESSAGE + 1);
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	memset(text, '\\', LIMIT_MESSAGE + 1);
	assert_int_equal(text_check(text, LIMIT_MESSAGE, NULL), TEXT_FINE);
	assert_int_equal(
	    text_check_stored(text, LIMIT_MESSAGE, NULL), TEXT_FINE);
	text[0] = 1;
	assert_int_equal(
	    text_check(text, LIMIT_MESSAGE + 1, &at), TEXT_TOO_LONG);
	assert_int_equal(at, LIMIT_MESSAGE);
	free(text);
}

static void every_fault_has_a_sentence(void **state)
{
	(void)state;
	for (int i = -1; i < 20; i++)
		assert_non_null(text_fault_says((enum text_fault)i));
}

/* All texts of up to six bytes over what matters. */
static size_t enumerate(unsigned n, char *out)
{
	static const char letters[] = {'\\', '\n', 'a', '\r'};
	size_t len = 0;

	for (; n; n = (n - 1) / 4)
		out[len++] = letters[(n - 1) % 4];
	return len;
}

static void escaping_comes_back_byte_for_byte(void **state)
{
	struct guard g;
	char text[16], stored[32];

	(void)state;
	guard_init(&g);
	for (unsigned n = 0; n < 5461; n++) {
		size_t len = enumerate(n, text), m, back;
		char *copy;

		m = text_escape(stored, guard_put(&g, text, len), len);
		assert_true(m <= 2 * len);
		if (len && text_check(text, len, NULL) == TEXT_FINE)
			assert_int_equal(
			    text_check_stored(stored, m, NULL), TEXT_FINE);
		copy = guard_put(&g, stored, m);
		back = text_unescape(copy, copy, m);
		assert_int_equal(back, len);
		assert_memory_equal(copy, text, len);
	}
	guard_release(&g);
}

static void escaping_doubles_what_begins_a_line(void **state)
{
	char out[64];
	size_t n = text_escape(out, "\\a\n\\\n\\\\b\nc\\d\n", 13);

	(void)state;
	assert_int_equal(n, 16);
	assert_memory_equal(out, "\\\\a\n\\\\\n\\\\\\b\nc\\d\n", n);
	assert_int_equal(text_unescape(out, "\\a\\", 3), 3);
}

static void cleaned(
    struct guard *g, const char *text, size_t len, const char *wanted)
{
	char out[256];
	size_t n = text_clean(out, guard_put(g, text, len), len);

	assert_int_equal(n, strlen(wanted));
	assert_memory_equal(out, wanted, n);
	assert_true(n <= 3 * len);
}

#define R "\xef\xbf\xbd"
static void a_terminal_sees_replacements_for_what_is_no_room_text(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	cleaned(&g, "", 0, "");
	cleaned(&g, "a\tb\r\n", 5, "a\tb\r\n");
	cleaned(&g, "\x1b[2J\rx\r", 7, R "[2J" R "x" R);
	cleaned(&g, "a\0b", 3, "a" R "b");
	cleaned(&g, "\xc2\x9b", 2, R);
	cleaned(&g, "\xe2\x82\xac", 3, "\xe2\x82\xac");
	cleaned(&g, "\xe2\x82", 2, R R);
	cleaned(&g, "\xff\xfe", 2, R R);
	guard_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_bad_text_is_refused_for_its_reason),
	    cmocka_unit_test(the_first_bad_byte_is_told),
	    cmocka_unit_test(every_control_byte_is_refused_anywhere),
	    cmocka_unit_test(a_message_may_be_65535_bytes_and_no_more),
	    cmocka_unit_test(every_fault_has_a_sentence),
	    cmocka_unit_test(escaping_comes_back_byte_for_byte),
	    cmocka_unit_test(escaping_doubles_what_begins_a_line),
	    cmocka_unit_test(
		a_terminal_sees_replacements_for_what_is_no_room_text),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
