#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A part of the client, not of lib. */
#include "clients/chatfile_bytes.c"
#include "clients/chatfile_merge.c"

#define ANSWER "hi\n\\alice @ 2026 chatfile\nyo\n\\bob @ 2026 chatfile\n"

struct sample {
	const char *answer;
	const char *before;
	const char *text;
	const char *now;
	const char *expected; /* the user's text behind the answer */
};

static const struct sample samples[] = {
    /* Nothing done yet, done, and done with more typed. */
    {ANSWER, "hi\n", "", "hi\n", ""},
    {ANSWER, "hi\n", "", ANSWER, ""},
    {ANSWER, "hi\n", "", ANSWER "more\n", "more\n"},
    {ANSWER, "hi\nmore\n", "more\n", "hi\nmore\n", "more\n"},
    {ANSWER, "hi\nmore\n", "more\n", ANSWER "more\n", "more\n"},
    {ANSWER, "hi\nmore\n", "more\n", ANSWER "more\nand\n", "more\nand\n"},
    /* The append was cut short; then somebody typed. */
    {ANSWER, "hi\n", "", "hi\n\\alice @ 20", ""},
    {ANSWER, "hi\n", "", "hi\n\\alice @ 2026 chatfil\nnew", "\nnew"},
    /* Power was cut: bytes not written. */
    {"yo\n\\bob\n", "", "", "yo\n\\b", ""},
    /* Typed before the append and behind it. */
    {ANSWER, "hi\n", "", "hi\nmore\n", "more\n"},
    {ANSWER, "hi\n", "",
	"hi\nbetween\n\\alice @ 2026 chatfile\nyo\n\\bob @ 2026 chatfile\n"
	"behind\n",
	"between\nbehind\n"},
    {ANSWER, "hi\nmore\n", "more\n",
	"hi\nmore\nagain\ne @ 2026 chatfile\nyo\n\\bob @ 2026 chatfile\n"
	"more\nbehind\n",
	"more\nagain\nbehind\n"},
    /* The text sent was edited since: all of it is a new message. */
    {ANSWER, "hi\n", "", "hello\n", "hello\n"},
    {ANSWER, "hi\n", "", "", ""},
    {ANSWER, "hi\n", "", "oh, " ANSWER "more\n", "oh, more\n"},
    /* What was sent is in a fetched answer and goes from the text. */
    {"yo\n\\bob\nhi\n\\alice key=1\n", "hi\nmore\n", "more\n", "hi\nmore\n",
	"more\n"},
};

static void set(struct bytes *b, const char *text)
{
	bytes_free(b);
	assert_int_equal(bytes_add(b, text, strlen(text)), 0);
}

static void each_sample_keeps_the_users_text(void **state)
{
	struct merge m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		struct bytes text = {0};

		set(&m.answer, s->answer);
		set(&m.before, s->before);
		set(&m.text, s->text);
		assert_int_equal(
		    merge_text(&m, s->now, strlen(s->now), &text), 0);
		if (text.len != strlen(s->expected) ||
		    (text.len && memcmp(text.data, s->expected, text.len) != 0))
			fail_msg("sample %zu: got <%.*s>", i, (int)text.len,
			    text.data ? text.data : "");
		bytes_free(&text);
	}
	merge_free(&m);
}

/* One scenario: what the file holds after a kill at a given byte of a given
 * phase, with text typed at the end then. */
static void check_kill(
    const struct merge *m, size_t appended, size_t over, const char *typed)
{
	struct bytes now = {0}, text = {0}, wanted = {0};
	size_t growth = merge_growth(m);

	(void)bytes_add(&wanted, m->answer.data, m->answer.len);
	(void)bytes_add(&wanted, m->text.data, m->text.len);
	(void)bytes_add(&now, m->before.data, m->before.len);
	(void)bytes_add(&now, wanted.data + m->before.len,
	    appended < growth ? appended : growth);
	if (over)
		memcpy(now.data, wanted.data, over);
	(void)bytes_add(&now, typed, strlen(typed));
	assert_int_equal(merge_text(m, now.data, now.len, &text), 0);
	(void)bytes_add(&wanted, typed, strlen(typed));
	assert_int_equal(text.len, wanted.len - m->answer.len);
	assert_true(bytes_begin(&text, wanted.data + m->answer.len, text.len));
	bytes_free(&now);
	bytes_free(&text);
	bytes_free(&wanted);
}

static void killed_at_every_byte_nothing_is_lost(void **state)
{
	static const char *const typed[] = {"", "typed during\n", "\n", "x"};
	struct merge m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
		set(&m.answer, ANSWER);
		set(&m.text, typed[i]);
		set(&m.before, "hi\n");
		assert_int_equal(
		    bytes_add(&m.before, typed[i], strlen(typed[i])), 0);
		for (size_t k = 0; k <= merge_growth(&m); k++)
			check_kill(&m, k, 0, "");
		for (size_t k = 0; k <= m.before.len; k++) {
			check_kill(&m, SIZE_MAX, k, "");
			check_kill(&m, SIZE_MAX, k, "later\n");
		}
		check_kill(&m, 0, 0, "later\n");
	}
	merge_free(&m);
}

static void bytes_not_written_before_a_power_cut_are_written(void **state)
{
	struct merge m = {0};
	struct bytes text = {0};
	char now[sizeof ANSWER] = ANSWER;

	(void)state;
	set(&m.answer, ANSWER);
	set(&m.before, "hi\n");
	set(&m.text, "");
	memset(now + 10, 0, 20);
	assert_int_equal(merge_text(&m, now, sizeof now - 1, &text), 0);
	assert_int_equal(text.len, 0);
	merge_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_sample_keeps_the_users_text),
	    cmocka_unit_test(killed_at_every_byte_nothing_is_lost),
	    cmocka_unit_test(bytes_not_written_before_a_power_cut_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
