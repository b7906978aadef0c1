#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/name.h"

struct sample {
	const char *name;
	enum name_fault fault;
};

#define TEN "abcdefghij"
#define FROG "\xf0\x90\x90\x80" /* U+10400, a letter of four bytes */
#define FROGS FROG FROG FROG FROG FROG FROG FROG FROG FROG FROG

static const struct sample samples[] = {
    {"", NAME_EMPTY},
    {"alice", NAME_FINE},
    {"_", NAME_FINE},
    {"4tune", NAME_FINE},
    {TEN TEN TEN, NAME_FINE},
    {TEN TEN TEN "k", NAME_TOO_LONG},
    {FROGS FROGS FROGS, NAME_FINE},
    {FROGS FROGS FROGS "x", NAME_TOO_LONG},
    {TEN TEN TEN TEN " ", NAME_TOO_LONG},
    {"\xc3\xa9ric", NAME_FINE},
    {"e\xcc\x81ric", NAME_CHARACTER}, /* not in NFC */
    {"\xcc\x81ric", NAME_CHARACTER}, /* begins with a mark */
    {"x\xcc\xb2", NAME_FINE}, /* a mark that does not compose */
    {"\xd9\xa3", NAME_FINE}, /* ARABIC-INDIC DIGIT THREE */
    {"\xc2\xb2", NAME_CHARACTER}, /* superscript two is no digit */
    {"\xe2\x85\xa7", NAME_CHARACTER}, /* nor is a Roman eight */
    {"\xe4\xb8\xad\xe6\x96\x87", NAME_FINE},
    {"a b", NAME_CHARACTER},
    {"a-b", NAME_CHARACTER},
    {"~a", NAME_CHARACTER},
    {"a/b", NAME_CHARACTER},
    {"..", NAME_CHARACTER},
    {"a\n", NAME_CHARACTER},
    {"a\xe2\x80\x8d", NAME_CHARACTER}, /* ZERO WIDTH JOINER */
    {"a\xef\xb8\x8f", NAME_CHARACTER}, /* a variation selector: a mark */
    {"a\xcd\x8f", NAME_CHARACTER}, /* COMBINING GRAPHEME JOINER */
    {"\xe3\x85\xa4", NAME_CHARACTER}, /* HANGUL FILLER: a letter */
    {"\xe2\x84\xab", NAME_CHARACTER}, /* ANGSTROM SIGN: not in NFC */
    {"\xf0\x9f\x90\xb8", NAME_CHARACTER}, /* a picture */
    {"\xff", NAME_NOT_UTF8},
    {"a\xc3", NAME_NOT_UTF8},
    {"\xed\xa0\x80", NAME_NOT_UTF8},
};

static void names_are_judged_by_design_7(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		size_t len = strlen(samples[i].name);

		assert_int_equal(
		    name_check(guard_put(&g, samples[i].name, len), len),
		    samples[i].fault);
	}
	assert_int_equal(name_check("a\0b", 3), NAME_CHARACTER);
	guard_release(&g);
}

static void a_huge_name_is_too_long(void **state)
{
	struct guard g;
	char *name;

	(void)state;
	guard_init(&g);
	name = guard_room(&g, GUARD_ROOM);
	memset(name, 'a', GUARD_ROOM);
	assert_int_equal(name_check(name, GUARD_ROOM), NAME_TOO_LONG);
	guard_release(&g);
}

static void key_is(struct guard *g, const char *name, const char *wanted)
{
	char key[LIMIT_NAME_KEY + 1];
	size_t len = strlen(name);

	assert_int_equal(name_check(name, len), NAME_FINE);
	assert_int_equal(name_key(guard_put(g, name, len), len, key), 0);
	assert_string_equal(key, wanted);
}

static void nobody_poses_as_alice_beside_alice(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	key_is(&g, "alice", "alice");
	key_is(&g, "ALICE", "alice");
	key_is(&g, "Z_9", "z_9");
	key_is(&g, "\xc3\x89ric", "\xc3\xa9ric");
	key_is(&g,
	    "Stra\xc3\x9f"
	    "e",
	    "strasse");
	key_is(&g, "\xce\xa3\xce\xaf\xcf\x82", "\xcf\x83\xce\xaf\xcf\x83");
	key_is(&g, "\xef\xac\x83", "ffi");
	guard_release(&g);
}

/* A key is at most as long as a file's name may be, for any name. */
static void the_longest_key_fits(void **state)
{
	/* U+0390 and U+1FB7, which fold to three characters, U+10400 and
	 * U+FB03. */
	static const char *const letters[] = {
	    "\xce\x90", "\xe1\xbe\xb7", FROG, "\xef\xac\x83"};
	char name[LIMIT_NAME + 1], key[LIMIT_NAME_KEY + 1];

	(void)state;
	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
		size_t n = strlen(letters[i]);

		for (size_t k = 0; k < LIMIT_NAME_CHARS; k++)
			memcpy(name + k * n, letters[i], n + 1);
		n *= LIMIT_NAME_CHARS;
		assert_int_equal(name_check(name, n), NAME_FINE);
		assert_int_equal(name_key(name, n, key), 0);
		assert_true(strlen(key) <= LIMIT_NAME_KEY);
	}
}

static void some_names_are_reserved(void **state)
{
	(void)state;
	assert_true(name_key_reserved("server"));
	assert_true(name_key_reserved("guest"));
	assert_true(name_key_reserved("anonymous"));
	assert_false(name_key_reserved("alice"));
	assert_false(name_key_reserved("servers"));
}

static void every_fault_has_a_sentence(void **state)
{
	(void)state;
	for (int i = -1; i < 20; i++)
		assert_non_null(name_fault_says((enum name_fault)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_judged_by_design_7),
	    cmocka_unit_test(a_huge_name_is_too_long),
	    cmocka_unit_test(nobody_poses_as_alice_beside_alice),
	    cmocka_unit_test(the_longest_key_fits),
	    cmocka_unit_test(some_names_are_reserved),
	    cmocka_unit_test(every_fault_has_a_sentence),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
