#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/datagram.h"

struct sample {
	const char *data;
	enum datagram_kind kind;
	const char *text;
	uint64_t count;
};

static const struct sample samples[] = {
    {"sub lobby", DATAGRAM_SUB, "lobby", 0},
    {"who", DATAGRAM_WHO, "", 0},
    {"ok a_b-C9 12", DATAGRAM_OK, "a_b-C9", 12},
    {"bell lobby", DATAGRAM_BELL, "lobby", 0},
    {"+Alice 3", DATAGRAM_CAME, "Alice", 3},
    {"-\xc3\x84gir 0", DATAGRAM_LEFT, "\xc3\x84gir", 0},
    {"+a 18446744073709551615", DATAGRAM_CAME, "a", UINT64_MAX},
    {"roster", DATAGRAM_ROSTER, "", 0},
    {"error too many rooms", DATAGRAM_ERROR, "too many rooms", 0},
    {"error ", DATAGRAM_ERROR, "", 0},
};

static const char *const malformed[] = {"", "\n", " ", "s", "sub", "sub ",
    "sub  lobby", "sub lobby ", "sub a/b", "sub ..", "sub lobby\n\n",
    "sub lobby\r", "SUB lobby", "who ", "who?", "ok lobby", "ok lobby ",
    "ok lobby x", "ok  1", "ok lobby -1", "bell", "bell a.txt", "+Alice", "+ 1",
    "+a b 1", "+a 18446744073709551616", "-a 1 ", "+a\t1 1", "+a\x7f 1",
    "error a\n\n", "error \x1b", "roster ", "rosters", "error", "bells lobby"};

static void each_command_is_taken_apart_and_made_again(void **state)
{
	struct guard g;
	struct datagram d;
	char made[LIMIT_DATAGRAM];

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		size_t len = strlen(s->data);

		assert_int_equal(
		    datagram_parse(guard_put(&g, s->data, len), len, &d), 0);
		assert_int_equal(d.kind, s->kind);
		assert_int_equal(d.len, strlen(s->text));
		assert_memory_equal(d.text, s->text, d.len);
		if (s->count)
			assert_int_equal(d.count, s->count);
		assert_int_equal(datagram_make(&d, made), len);
		assert_memory_equal(made, s->data, len);
	}
	guard_release(&g);
}

static void malformed_ones_are_refused(void **state)
{
	struct guard g;
	struct datagram d;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		size_t len = strlen(malformed[i]);

		assert_int_equal(
		    datagram_parse(guard_put(&g, malformed[i], len), len, &d),
		    -EPROTO);
	}
	guard_release(&g);
}

static void a_person_may_end_a_command_with_a_newline(void **state)
{
	struct datagram d;

	(void)state;
	assert_int_equal(datagram_parse("sub lobby\n", 10, &d), 0);
	assert_int_equal(d.len, 5);
	assert_int_equal(datagram_parse("who\n", 4, &d), 0);
}

static void names_and_rooms_have_their_limits(void **state)
{
	char data[LIMIT_DATAGRAM + 2];
	struct datagram d;

	(void)state;
	memset(data, 'a', sizeof data);
	memcpy(data, "sub ", 4);
	assert_int_equal(datagram_parse(data, 4 + 64, &d), 0);
	assert_int_equal(datagram_parse(data, 4 + 65, &d), -EPROTO);
	memset(data, 'a', sizeof data);
	memcpy(data, "error ", 6);
	assert_int_equal(datagram_parse(data, LIMIT_DATAGRAM, &d), 0);
	assert_int_equal(datagram_parse(data, LIMIT_DATAGRAM + 1, &d), -EPROTO);
	memset(data, 'a', sizeof data);
	data[0] = '+';
	memcpy(data + 1 + LIMIT_NAME, " 1", 2);
	assert_int_equal(datagram_parse(data, 1 + LIMIT_NAME + 2, &d), 0);
	memset(data + 1, 'a', LIMIT_NAME + 1);
	memcpy(data + 2 + LIMIT_NAME, " 1", 2);
	assert_int_equal(datagram_parse(data, 2 + LIMIT_NAME + 2, &d), -EPROTO);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
	char text[2 * LIMIT_DATAGRAM], made[LIMIT_DATAGRAM];
	struct datagram d = {
	    .kind = DATAGRAM_ERROR, .text = text, .len = sizeof text};

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(datagram_make(&d, made), LIMIT_DATAGRAM);
	assert_memory_equal(made, "error xxx", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_command_is_taken_apart_and_made_again),
	    cmocka_unit_test(malformed_ones_are_refused),
	    cmocka_unit_test(a_person_may_end_a_command_with_a_newline),
	    cmocka_unit_test(names_and_rooms_have_their_limits),
	    cmocka_unit_test(a_text_that_is_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
