#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/http_peer.h"

static struct guard guard;

/* "" where none is found. */
static const char *peer(const char *fields)
{
	static const char trusted[] = "127.0.0.1, ::1 10.0.0.0/8";
	static char address[HTTP_ADDRESS];
	static struct http_head head;
	struct proxies proxies;
	char text[500];
	int len;

	assert_int_equal(
	    proxies_parse(&proxies, trusted, strlen(trusted), NULL), 0);
	len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n", fields);
	http_head_init(&head);
	assert_int_equal(http_head_feed(&head,
			     guard_put(&guard, text, (size_t)len), (size_t)len),
	    len);
	return http_peer(&head, &proxies, address) ? address : "";
}

static void the_rightmost_stranger_is_the_peer(void **state)
{
	static const struct {
		const char *fields, *want;
	} samples[] = {
	    {"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
	    {"x-forwarded-for: 203.0.113.9, 192.0.2.1\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: 203.0.113.9,192.0.2.1 , 10.1.2.3,::1\r\n",
		"192.0.2.1"},
	    {"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.1\r\n"
	     "X-Forwarded-For: 10.0.0.1\r\n",
		"192.0.2.1"},
	    {"X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
	    {"X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1"},
	    {"X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
	    {"X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n", "10.0.0.2"},
	    {"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.1\r\n", "10.0.0.1"},
	    {"X-Forwarded-For: 192.0.2.1, unknown\r\n", ""},
	    {"X-Forwarded-For: 192.0.2.1,\r\n", ""},
	    {"X-Forwarded-For:\r\n", ""},
	    {"X-Forwarded-For: [\r\n", ""},
	    {"Forwarded: for=192.0.2.1\r\n", ""},
	    {"", ""},
	};

	(void)state;
	guard_init(&guard);
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
		assert_string_equal(peer(samples[i].fields), samples[i].want);
	guard_release(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rightmost_stranger_is_the_peer),
	};

	return cmocka_run_group_tests_name("http_peer", tests, NULL, NULL);
}
