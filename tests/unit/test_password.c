#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/limits.h"
#include "lib/password.h"

static enum password_fault check(const char *text)
{
	return password_check(text, strlen(text));
}

static void an_ordinary_password_is_fine(void **state)
{
	(void)state;
	assert_int_equal(check("x"), PASSWORD_FINE);
	assert_int_equal(check("  correct horse: battery\\ "), PASSWORD_FINE);
	assert_int_equal(check("p\xc3\xa4ssw\xc3\xb6rd"), PASSWORD_FINE);
}

static void length_counts_characters_not_bytes(void **state)
{
	char text[LIMIT_PASSWORD_CHARS * 3 + 4];

	(void)state;
	for (size_t i = 0; i <= LIMIT_PASSWORD_CHARS; i++)
		memcpy(text + i * 3, "\xe2\x82\xac", 3);
	assert_int_equal(
	    password_check(text, LIMIT_PASSWORD_CHARS * 3), PASSWORD_FINE);
	assert_int_equal(password_check(text, LIMIT_PASSWORD_CHARS * 3 + 3),
	    PASSWORD_TOO_LONG);
}

static void what_a_door_cannot_carry_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check(""), PASSWORD_EMPTY);
	assert_int_equal(check("a\tb"), PASSWORD_CONTROL);
	assert_int_equal(check("a\r"), PASSWORD_CONTROL);
	assert_int_equal(check("\x7f"), PASSWORD_CONTROL);
	assert_int_equal(check("a\xc2\x85"), PASSWORD_CONTROL);
	assert_int_equal(password_check("a\0b", 3), PASSWORD_CONTROL);
	assert_int_equal(check("\xff"), PASSWORD_NOT_UTF8);
	assert_int_equal(check("\xc3"), PASSWORD_NOT_UTF8);
	assert_int_equal(check("\xed\xa0\x80"), PASSWORD_NOT_UTF8);
}

static void every_fault_has_its_words(void **state)
{
	(void)state;
	for (int f = PASSWORD_FINE; f <= PASSWORD_CONTROL; f++)
		assert_non_null(password_fault_says((enum password_fault)f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_ordinary_password_is_fine),
	    cmocka_unit_test(length_counts_characters_not_bytes),
	    cmocka_unit_test(what_a_door_cannot_carry_is_refused),
	    cmocka_unit_test(every_fault_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
