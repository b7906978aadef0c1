/* The small things everything stands on: buf, parse, clock, log, settings. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "lib/settings.h"

static void buf_keeps_what_fits_and_says_when_not(void **unused)
{
	char data[8];
	struct buf b;

	(void)unused;
	buf_init(&b, data, sizeof data);
	buf_str(&b, "12345");
	assert_false(b.full);
	buf_str(&b, "6789");
	assert_true(b.full);
	assert_int_equal(b.len, 5);
	buf_char(&b, 'x'); /* would fit, but the contents have ended */
	buf_fmt(&b, "y");
	assert_memory_equal(data, "12345", 5);
	assert_int_equal(b.len, 5);
}

static void u64_takes_digits_only(void **unused)
{
	uint64_t n = 7;

	(void)unused;
	assert_int_equal(parse_u64("0042", 4, 100, &n), 0);
	assert_int_equal(n, 42);
	assert_int_equal(parse_u64("", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_u64("-1", 2, 100, &n), -EINVAL);
	assert_int_equal(parse_u64("+1", 2, 100, &n), -EINVAL);
	assert_int_equal(parse_u64(" 1", 2, 100, &n), -EINVAL);
	assert_int_equal(parse_u64("1x", 2, 100, &n), -EINVAL);
	assert_int_equal(parse_u64("0x1", 3, 100, &n), -EINVAL);
	assert_int_equal(parse_u64("101", 3, 100, &n), -ERANGE);
	assert_int_equal(
	    parse_u64("18446744073709551616", 20, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(
	    parse_u64("99999999999999999999999x", 24, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(n, 42);
	assert_int_equal(
	    parse_u64("18446744073709551615", 20, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
}

static void size_takes_units(void **unused)
{
	uint64_t n;

	(void)unused;
	assert_int_equal(parse_size("64M", 3, UINT64_MAX, &n), 0);
	assert_int_equal(n, 64 << 20);
	assert_int_equal(parse_size("3", 1, UINT64_MAX, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(parse_size("M", 1, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(parse_size("1T", 2, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(
	    parse_size("18446744073709551615G", 21, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(parse_size("2K", 2, 2047, &n), -ERANGE);
}

static void token_is_a_whitelist(void **unused)
{
	(void)unused;
	assert_true(parse_is_token("aZ0_-", 5, 5, "_-"));
	assert_false(parse_is_token("aZ0_-", 5, 4, "_-"));
	assert_false(parse_is_token("", 0, 4, "_-"));
	assert_false(parse_is_token("a/b", 3, 4, "_-"));
	assert_false(parse_is_token("a\0b", 3, 4, "_-"));
	assert_false(parse_is_token("\xc3\xa4", 2, 4, "_-"));
}

static void time_is_rfc_3339_in_utc(void **unused)
{
	char text[CLOCK_TEXT], compact[CLOCK_COMPACT];
	int64_t when;

	(void)unused;
	clock_text(1763647387, text);
	assert_string_equal(text, "2025-11-20T14:03:07Z");
	clock_compact(1763647387, compact);
	assert_string_equal(compact, "20251120T140307Z");
	clock_text(-1, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	clock_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	clock_text(1763647387, text);
	assert_int_equal(clock_parse(text, 20, &when), 0);
	assert_int_equal(when, 1763647387);
	assert_int_equal(
	    clock_parse("2025-02-31T14:03:07Z", 20, &when), -EINVAL);
	assert_int_equal(
	    clock_parse("2025-11-20 14:03:07Z", 20, &when), -EINVAL);
	assert_int_equal(clock_parse(text, 19, &when), -EINVAL);
}

/* Every day of 400 years, against libc. */
static void the_calendar_is_that_of_libc(void **unused)
{
	(void)unused;
	for (int64_t day = 0; day < 146097; day++) {
		time_t when = (time_t)(day * 86400 + day % 86400);
		struct tm ours, theirs;

		clock_calendar(when, &ours);
		assert_non_null(gmtime_r(&when, &theirs));
		assert_int_equal(ours.tm_year, theirs.tm_year);
		assert_int_equal(ours.tm_mon, theirs.tm_mon);
		assert_int_equal(ours.tm_mday, theirs.tm_mday);
		assert_int_equal(ours.tm_wday, theirs.tm_wday);
		assert_int_equal(ours.tm_hour, theirs.tm_hour);
		assert_int_equal(ours.tm_min, theirs.tm_min);
		assert_int_equal(ours.tm_sec, theirs.tm_sec);
	}
}

static void deadlines_end(void **unused)
{
	(void)unused;
	assert_int_equal(clock_left(CLOCK_NEVER), -1);
	assert_int_equal(clock_left(clock_ms() - 5), 0);
	assert_in_range(clock_left(clock_in(1000)), 900, 1000);
}

/* What log_end writes, with stderr in a pipe for the moment. */
static size_t logged(struct log_line *l, char *ret, size_t size)
{
	int saved = dup(2), ends[2];
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	(void)dup2(ends[1], 2);
	(void)close(ends[1]);
	log_end(l);
	(void)dup2(saved, 2);
	(void)close(saved);
	n = read(ends[0], ret, size - 1);
	(void)close(ends[0]);
	assert_true(n >= 0);
	ret[n] = '\0';
	return (size_t)n;
}

static void log_lines_cannot_be_forged(void **unused)
{
	struct log_line l;
	char out[LIMIT_LOG + 2];

	(void)unused;
	log_open("bcs", "127.0.0.1:50122");
	log_begin(&l, LOG_INFO, "send");
	log_string(&l, "user", "alice");
	log_string(&l, "text", "a \"b\"\n\x1b[0m\xc2\x9b\\ \xc3\xa4\xff");
	log_string(
	    &l, "turned", "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\xaf");
	log_string(&l, "empty", "");
	log_number(&l, "bytes", 12);
	(void)logged(&l, out, sizeof out);
	assert_string_equal(out,
	    "door=bcs peer=127.0.0.1:50122 event=send user=alice "
	    "text=\"a \\\"b\\\"\\n\\x1b[0m\\xc2\\x9b\\\\ \xc3\xa4\\xff\" "
	    "turned=\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\xa8\xe2\x80\xaf "
	    "empty=\"\" "
	    "bytes=12\n");
}

static void log_lines_are_one_line_however_long(void **unused)
{
	char *text = malloc(100000), out[LIMIT_LOG + 100];
	struct log_line l;
	size_t n;

	(void)unused;
	memset(text, '\n', 100000);
	log_begin(&l, LOG_INFO, "x");
	log_text(&l, "text", text, 100000);
	n = logged(&l, out, sizeof out);
	assert_true(n <= LIMIT_LOG);
	assert_ptr_equal(strchr(out, '\n'), out + n - 1);
	free(text);
}

static void settings_name_what_is_malformed(void **unused)
{
	static const char *const bad[][2] = {{"PARLANCE_RATE", "many"},
	    {"PARLANCE_RATE", "-1"}, {"PARLANCE_RATE", ""},
	    {"PARLANCE_FILE_MAX", "64MB"}, {"PARLANCE_GUESTS", "true"},
	    {"PARLANCE_SANDBOX", "maybe"}, {"PARLANCE_HASH_SLOTS", "0"},
	    {"PARLANCE_BCS_ACK_TIMEOUT", "3601"}};
	struct settings s;
	struct settings_error e;

	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		(void)setenv(bad[i][0], bad[i][1], 1);
		assert_int_equal(settings_load(&s, &e), -EINVAL);
		assert_non_null(strstr(e.text, bad[i][0]));
		(void)unsetenv(bad[i][0]);
	}
	assert_int_equal(settings_load(&s, &e), 0);
	assert_int_equal(s.file_max, 64 << 20);
	assert_int_equal(s.rate, 20);
	assert_true(s.guests);
	assert_int_equal(s.sandbox, SANDBOX_TRY);
	assert_null(s.files);
}

static int import(const char *text, struct settings_error *e)
{
	char path[] = "/tmp/parlance-conf-XXXXXX";
	int fd = mkstemp(path), r;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	r = settings_import(path, e);
	(void)unlink(path);
	return r;
}

static void settings_file_yields_to_the_environment(void **unused)
{
	struct settings s;
	struct settings_error e;

	(void)unused;
	(void)setenv("PARLANCE_RATE", "7", 1);
	assert_int_equal(import("# comment\n\n ; too\nPARLANCE_RATE=9\n"
				"PARLANCE_GUESTS=\"no\"\r\n"
				"PARLANCE_FILES='/a b'",
			     &e),
	    0);
	assert_int_equal(settings_load(&s, &e), 0);
	assert_int_equal(s.rate, 7);
	assert_false(s.guests);
	assert_string_equal(s.files, "/a b");
	(void)unsetenv("PARLANCE_RATE");
	(void)unsetenv("PARLANCE_GUESTS");
	(void)unsetenv("PARLANCE_FILES");
}

static void settings_file_errors_have_a_line_number(void **unused)
{
	struct settings_error e;

	(void)unused;
	assert_int_equal(import("\nPARLANCE_RAT=9\n", &e), -EINVAL);
	assert_non_null(strstr(e.text, ":2: no such setting"));
	assert_int_equal(import("PARLANCE_RATE\n", &e), -EINVAL);
	assert_non_null(strstr(e.text, ":1: not NAME=VALUE"));
	assert_int_equal(settings_import("/nowhere/conf", &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nowhere/conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_keeps_what_fits_and_says_when_not),
	    cmocka_unit_test(u64_takes_digits_only),
	    cmocka_unit_test(size_takes_units),
	    cmocka_unit_test(token_is_a_whitelist),
	    cmocka_unit_test(time_is_rfc_3339_in_utc),
	    cmocka_unit_test(the_calendar_is_that_of_libc),
	    cmocka_unit_test(deadlines_end),
	    cmocka_unit_test(log_lines_cannot_be_forged),
	    cmocka_unit_test(log_lines_are_one_line_however_long),
	    cmocka_unit_test(settings_name_what_is_malformed),
	    cmocka_unit_test(settings_file_yields_to_the_environment),
	    cmocka_unit_test(settings_file_errors_have_a_line_number),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
