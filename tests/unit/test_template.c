#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "guard.h"
#include "lib/template_text.h"

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

static int client(const char *text, size_t len, struct template_client *ret)
{
	memset(ret, 'x', sizeof *ret);
	return template_client_parse(guard_put(&g, text, len), len, ret);
}

static int answer(const char *text, size_t len, struct template_answer *ret)
{
	memset(ret, 'x', sizeof *ret);
	return template_answer_parse(guard_put(&g, text, len), len, ret);
}

#define LONGEST "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"

static const struct {
	const char *text, *address;
	uint64_t number;
	uint16_t port;
} clients[] = {
    {"client 0", "", 0, 0},
    {"client 18446744073709551615", "", UINT64_MAX, 0},
    {"client 7 192.0.2.7 65535", "192.0.2.7", 7, 65535},
    {"client 7 2001:db8::7 0", "2001:db8::7", 7, 0},
    {"client 7 " LONGEST " 1", LONGEST, 7, 1},
};

static void a_client_is_told_with_its_address(void **state)
{
	struct template_client got;
	char back[TEMPLATE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
		size_t len = strlen(clients[i].text);

		assert_int_equal(client(clients[i].text, len, &got), 0);
		assert_string_equal(got.address, clients[i].address);
		assert_true(got.number == clients[i].number);
		assert_int_equal(got.port, clients[i].port);
		assert_int_equal(template_client_text(&got, back), len);
		assert_string_equal(back, clients[i].text);
	}
}

static void an_answer_is_a_pid_or_an_error(void **state)
{
	static const struct {
		const char *text;
		pid_t pid;
	} answers[] = {{"pid 7 4242", 4242}, {"pid 7 2147483647", 2147483647},
	    {"error 7 11", -11}};
	struct template_answer got;
	char back[TEMPLATE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		size_t len = strlen(answers[i].text);

		assert_int_equal(answer(answers[i].text, len, &got), 0);
		assert_true(got.number == 7);
		assert_int_equal(got.pid, answers[i].pid);
		assert_int_equal(template_answer_text(&got, back), len);
		assert_string_equal(back, answers[i].text);
	}
}

static void what_a_later_version_adds_is_left_out(void **state)
{
	struct template_client c;
	struct template_answer a;

	(void)state;
	assert_int_equal(client("client 7 ::1 5 more", 19, &c), 0);
	assert_int_equal(c.port, 5);
	assert_int_equal(answer("pid 7 5 more", 12, &a), 0);
	assert_int_equal(a.pid, 5);
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "c", "client", "client ",
	    "client  7", "client x", "client -1", "client 18446744073709551616",
	    "client 7 ::1", "client 7 ::1 ", "client 7 ::1 65536",
	    "client 7 ::1 -1", "client 7 " LONGEST "5 1", "client 7 a/b 1",
	    "client 7 ::1\n 1", " client 7", "Client 7", "clients 7", "pid",
	    "pid 7", "pid 7 ", "pid 7 0", "pid 7 -1", "pid 7 2147483648",
	    "pid x 5", "error 7 0", "error 7", "e 7 5", "pids 7 5"};
	struct template_client c;
	struct template_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t len = strlen(bad[i]);

		assert_int_equal(client(bad[i], len, &c), -EPROTO);
		assert_int_equal(answer(bad[i], len, &a), -EPROTO);
	}
	assert_int_equal(client("client 7 ::\0001 5", 15, &c), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_is_told_with_its_address),
	    cmocka_unit_test(an_answer_is_a_pid_or_an_error),
	    cmocka_unit_test(what_a_later_version_adds_is_left_out),
	    cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
