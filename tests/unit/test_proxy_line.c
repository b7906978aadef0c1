#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "guard.h"
#include "lib/proxy_line.h"

#define V6 "2001:db8:85a3:1234:5678:8a2e:370:7334"
#define V6_LONG "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static struct guard g;

static int set_up(void **state)
{
	(void)state;
	guard_init(&g);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guard_release(&g);
	return 0;
}

static ssize_t parse(const char *text, size_t len, struct proxy_line *ret)
{
	memset(ret, 'x', sizeof *ret);
	return proxy_line_parse(guard_put(&g, text, len), len, ret);
}

static const struct {
	const char *line, *address;
	uint16_t port;
} good[] = {
    {"PROXY TCP4 192.0.2.7 192.0.2.1 50122 8888\r\n", "192.0.2.7", 50122},
    {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0", 0},
    {"PROXY TCP6 " V6 " ::1 65535 0\r\n", V6, 65535},
    {"PROXY TCP6 2001:0DB8::0007 :: 1 2\r\n", "2001:db8::7", 1},
    {"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "::ffff:192.0.2.7", 1},
    {"PROXY TCP6 " V6_LONG " " V6_LONG " 65535 65535\r\n", V6_LONG, 65535},
    {"PROXY UNKNOWN\r\n", "", 0},
    {"PROXY UNKNOWN " V6_LONG " " V6_LONG " 65535 65535\r\n", "", 0},
    {"PROXY UNKNOWN a\tb  \x01\r\n", "", 0},
};

static void a_line_tells_address_and_port(void **state)
{
	struct proxy_line got;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t len = strlen(good[i].line);

		assert_int_equal(parse(good[i].line, len, &got), len);
		assert_string_equal(got.address, good[i].address);
		assert_int_equal(got.port, good[i].port);
	}
}

static void a_part_of_a_line_asks_for_more(void **state)
{
	struct proxy_line got;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		for (size_t n = 0; n < strlen(good[i].line); n++)
			assert_int_equal(parse(good[i].line, n, &got), -EAGAIN);
}

static void what_follows_a_line_is_not_its(void **state)
{
	static const char behind[] = "GET / HTTP/1.1\r\n\r\nPROXY \r\n";
	char text[256];
	struct proxy_line got;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		int len =
		    snprintf(text, sizeof text, "%s%s", good[i].line, behind);

		assert_int_equal(
		    parse(text, (size_t)len, &got), strlen(good[i].line));
		assert_string_equal(got.address, good[i].address);
	}
}

static void other_first_bytes_are_no_line(void **state)
{
	static const char *const others[] = {"G", "PO", "POST / HTTP/1.1\r\n",
	    "proxy TCP4", "PROXY\r", "PROXYX", "PROXY\tTCP4", "\r\nPROXY ",
	    " PROXY", "\r\n\r\n\0\r\nQUIT\n"};
	struct proxy_line got;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(parse(others[i], strlen(others[i]), &got), 0);
	assert_int_equal(parse("\0PROXY ", 7, &got), 0);
}

static void a_malformed_line_is_refused(void **state)
{
	static const char *const bad[] = {"PROXY \r\n", "PROXY  TCP4\r\n",
	    "PROXY TCP4\r\n", "PROXY TCP4 192.0.2.7\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
	    "PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1  2\r\n",
	    "PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n",
	    "PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n",
	    "PROXY TCP4 192.0.2.7 x 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
	    "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
	    "PROXY TCP6 ::g ::1 1 2\r\n", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", "PROXY TCP4 192.0.2.7\n",
	    "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\rx", "PROXY TCP5 a b 1 2\r\n",
	    "PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n", "PROXY UNKNOWNX\r\n",
	    "PROXY UNIX a b\r\n"};
	struct proxy_line got;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parse(bad[i], strlen(bad[i]), &got), -EPROTO);
	assert_int_equal(
	    parse("PROXY TCP4 192.0.2.7\0 192.0.2.1 1 2\r\n", 37, &got),
	    -EPROTO);
}

static void a_line_has_107_bytes_at_most(void **state)
{
	char text[PROXY_LINE_MAX + 8];
	struct proxy_line got;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "PROXY UNKNOWN ", 14);
	assert_int_equal(parse(text, PROXY_LINE_MAX - 1, &got), -EAGAIN);
	assert_int_equal(parse(text, PROXY_LINE_MAX, &got), -EPROTO);
	assert_int_equal(parse(text, sizeof text, &got), -EPROTO);
	memcpy(text + PROXY_LINE_MAX - 2, "\r\n", 2);
	assert_int_equal(parse(text, PROXY_LINE_MAX, &got), PROXY_LINE_MAX);
	assert_int_equal(parse(text, PROXY_LINE_MAX - 1, &got), -EAGAIN);
	memcpy(text + PROXY_LINE_MAX - 2, "x\r\n", 3);
	assert_int_equal(parse(text, PROXY_LINE_MAX, &got), -EPROTO);
	assert_int_equal(parse(text, PROXY_LINE_MAX + 1, &got), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_tells_address_and_port),
	    cmocka_unit_test(a_part_of_a_line_asks_for_more),
	    cmocka_unit_test(what_follows_a_line_is_not_its),
	    cmocka_unit_test(other_first_bytes_are_no_line),
	    cmocka_unit_test(a_malformed_line_is_refused),
	    cmocka_unit_test(a_line_has_107_bytes_at_most),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
