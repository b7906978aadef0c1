#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/footer.h"
#include "lib/limits.h"

struct sample {
	const char *line;
	const char *author, *time, *door, *keys;
};

static const struct sample samples[] = {
    {"\\alice @ 2026-11-20T14:03:07Z chatfile", "alice", "2026-11-20T14:03:07Z",
	"chatfile", ""},
    {"\\~ivan @ 2026-11-20T14:03:09Z hchat id=3f9a12c0 key=a", "~ivan",
	"2026-11-20T14:03:09Z", "hchat", "id=3f9a12c0 key=a"},
    {"\\bob @ 2020-01-02", "bob", "2020-01-02", "", ""},
    {"\\bob @ 2020-01-02\r", "bob", "2020-01-02", "", ""},
    {"\\anything", "anything", "", "", ""},
    {"\\a b", "a", "", "", ""},
    {"\\a b ", "a", "", "", ""},
    {"\\", "", "", "", ""},
    {"\\\r", "", "", "", ""},
    {"\\ ", "", "", "", ""},
    {"\\ @ x", "", "x", "", ""},
};

static void slice_is(const struct slice *slice, const char *wanted)
{
	assert_non_null(slice->data);
	assert_int_equal(slice->len, strlen(wanted));
	assert_memory_equal(slice->data, wanted, slice->len);
}

static void footers_of_any_chatfile_server_are_read(void **state)
{
	struct guard g;
	struct footer f;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		size_t len = strlen(s->line);
		const char *line = guard_put(&g, s->line, len);

		assert_true(footer_is(line, len));
		footer_parse(&f, line, len);
		slice_is(&f.author, s->author);
		slice_is(&f.time, s->time);
		slice_is(&f.door, s->door);
		slice_is(&f.keys, s->keys);
	}
	guard_release(&g);
}

static void text_is_no_footer(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	assert_false(footer_is(guard_put(&g, "", 0), 0));
	assert_false(footer_is(guard_put(&g, "a", 1), 1));
	assert_false(footer_is(guard_put(&g, "\\\\", 2), 2));
	assert_false(footer_is(guard_put(&g, " \\a", 3), 3));
	guard_release(&g);
}

static void keys_are_found_and_the_first_counts(void **state)
{
	static const char line[] = "\\a @ t d xkey=0 key=1 key=2 no e= =z";
	struct footer f;
	struct slice v;

	(void)state;
	footer_parse(&f, line, sizeof line - 1);
	assert_true(footer_value(&f, "key", &v));
	slice_is(&v, "1");
	assert_true(footer_value(&f, "xkey", &v));
	slice_is(&v, "0");
	assert_true(footer_value(&f, "e", &v));
	slice_is(&v, "");
	assert_true(footer_value(&f, "", &v));
	slice_is(&v, "z");
	assert_false(footer_value(&f, "no", &v));
	assert_false(footer_value(&f, "ke", &v));
}

static void what_is_written_is_read_back(void **state)
{
	struct footer_new f = {"~ivan", 1795183387, "hchat", "id=1 file=a%20b"};
	static const char wanted[] =
	    "\\~ivan @ 2026-11-20T14:03:07Z hchat id=1 file=a%20b\n";
	struct footer back;
	struct guard g;
	char *line;
	int n;

	(void)state;
	guard_init(&g);
	line = guard_room(&g, sizeof wanted - 1);
	n = footer_format(line, sizeof wanted - 1, &f);
	assert_int_equal(n, sizeof wanted - 1);
	assert_memory_equal(line, wanted, (size_t)n);
	footer_parse(&back, line, (size_t)n - 1);
	slice_is(&back.author, "~ivan");
	slice_is(&back.time, "2026-11-20T14:03:07Z");
	slice_is(&back.door, "hchat");
	slice_is(&back.keys, "id=1 file=a%20b");
	for (size_t size = 0; size < sizeof wanted - 1; size++)
		assert_int_equal(
		    footer_format(guard_room(&g, size), size, &f), -ENOSPC);
	f.keys = "";
	n = footer_format(line, sizeof wanted - 1, &f);
	assert_int_equal(line[n - 2], 't');
	guard_release(&g);
}

static int format(
    const char *author, int64_t time, const char *door, const char *keys)
{
	struct footer_new f = {author, time, door, keys};
	char line[LIMIT_FOOTER];

	return footer_format(line, sizeof line, &f);
}

static void nobody_forges_a_footer_through_a_field(void **state)
{
	(void)state;
	assert_true(format("a", 0, "d", "") > 0);
	assert_int_equal(format("", 0, "d", ""), -EINVAL);
	assert_int_equal(format("\\a", 0, "d", ""), -EINVAL);
	assert_int_equal(format("a b", 0, "d", ""), -EINVAL);
	assert_int_equal(format("a\n\\b", 0, "d", ""), -EINVAL);
	assert_int_equal(format("a", 0, "", ""), -EINVAL);
	assert_int_equal(format("a", 0, "d\r", ""), -EINVAL);
	assert_int_equal(format("a", 0, "d", " k=v"), -EINVAL);
	assert_int_equal(format("a", 0, "d", "k=v "), -EINVAL);
	assert_int_equal(format("a", 0, "d", "k=v  l=w"), -EINVAL);
	assert_int_equal(format("a", 0, "d", "k=v\nb"), -EINVAL);
	assert_int_equal(format("a", INT64_MAX, "d", ""), -EINVAL);
	assert_int_equal(format("a", 253402300800, "d", ""), -EINVAL);
}

/* In name; 0: none. */
static size_t file_of(const char *line, char name[LIMIT_FILE_NAME])
{
	struct footer f;

	footer_parse(&f, line, strlen(line));
	return footer_file(&f, name);
}

static void an_announced_file_has_its_name_or_none(void **state)
{
	char name[LIMIT_FILE_NAME], line[LIMIT_FOOTER];
	const char *head = "\a @ t bcs file=";

	(void)state;
	assert_int_equal(file_of("\a @ t bcs file=a%20b k=v", name), 3);
	assert_memory_equal(name, "a b", 3);
	assert_int_equal(file_of("\a @ t bcs k=v", name), 0);
	assert_int_equal(file_of("\a @ t bcs file=", name), 0);
	assert_int_equal(file_of("\a @ t bcs file=%2", name), 0);
	assert_int_equal(file_of("\a @ t bcs file=%00", name), 1);
	(void)snprintf(line, sizeof line, "%s%0*d", head, LIMIT_FILE_NAME, 1);
	assert_int_equal(file_of(line, name), LIMIT_FILE_NAME);
	(void)snprintf(
	    line, sizeof line, "%s%0*d", head, LIMIT_FILE_NAME + 1, 1);
	assert_int_equal(file_of(line, name), 0);
	(void)snprintf(
	    line, sizeof line, "%s%0*d", head, 3 * LIMIT_FILE_NAME + 1, 1);
	assert_int_equal(file_of(line, name), 0);
}

static void every_byte_survives_percent_coding(void **state)
{
	char all[256], coded[768];
	struct guard g;
	char *at;
	size_t n;

	(void)state;
	guard_init(&g);
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	n = percent_encode(coded, all, sizeof all);
	assert_int_equal(n, 66 + (256 - 66) * 3);
	for (size_t i = 0; i < n; i++)
		assert_non_null(
		    memchr("%-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
			   "abcdefghijklmnopqrstuvwxyz~",
			coded[i], 67));
	at = guard_put(&g, coded, n);
	assert_int_equal(percent_decode(at, at, n), 256);
	assert_memory_equal(at, all, 256);
	guard_release(&g);
}

static void broken_escapes_are_refused(void **state)
{
	static const char *const bad[] = {
	    "%", "a%", "%4", "a%4", "%4g", "%g4", "%%41", "%-1", "% 1", "%0x"};
	struct guard g;
	char out[8];

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t len = strlen(bad[i]);

		assert_int_equal(
		    percent_decode(out, guard_put(&g, bad[i], len), len),
		    -EINVAL);
	}
	assert_int_equal(percent_decode(out, "%4a+%4A", 7), 3);
	assert_memory_equal(out, "J+J", 3);
	assert_int_equal(percent_decode(out, "", 0), 0);
	guard_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(footers_of_any_chatfile_server_are_read),
	    cmocka_unit_test(text_is_no_footer),
	    cmocka_unit_test(keys_are_found_and_the_first_counts),
	    cmocka_unit_test(what_is_written_is_read_back),
	    cmocka_unit_test(nobody_forges_a_footer_through_a_field),
	    cmocka_unit_test(an_announced_file_has_its_name_or_none),
	    cmocka_unit_test(every_byte_survives_percent_coding),
	    cmocka_unit_test(broken_escapes_are_refused),
	};

	return cmocka_run_group_tests_name("footer", tests, NULL, NULL);
}
