#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "guard.h"
#include "lib/proxies.h"
#include "lib/rate.h"

static bool match(const char *list, const char *address)
{
	struct proxies p;

	assert_int_equal(proxies_parse(&p, list, strlen(list), NULL), 0);
	return proxies_match(&p, address, strlen(address));
}

static void an_address_in_the_list_is_trusted(void **state)
{
	(void)state;
	assert_true(match("192.0.2.1", "192.0.2.1"));
	assert_false(match("192.0.2.1", "192.0.2.2"));
	assert_true(match("10.0.0.0/8,2001:db8::/32", "10.255.0.9"));
	assert_false(match("10.0.0.0/8,2001:db8::/32", "11.0.0.0"));
	assert_true(match("10.0.0.0/8, 2001:db8::/32", "2001:db8:1::5"));
	assert_false(match("10.0.0.0/8 2001:db8::/32", "2001:db9::"));
	assert_true(match("2001:db8::1/128", "2001:db8::1"));
	assert_false(match("2001:db8::1/128", "2001:db8::2"));
	assert_true(match("0.0.0.0/0", "203.0.113.9"));
	assert_false(match("0.0.0.0/0", "2001:db8::1"));
	assert_false(match("", "127.0.0.1"));
	assert_false(match("0.0.0.0/0", "uid:0"));
	assert_false(match("0.0.0.0/0", ""));
}

static void host_bits_behind_a_prefix_do_not_count(void **state)
{
	(void)state;
	assert_true(match("10.1.2.3/8", "10.9.9.9"));
	assert_true(match("192.168.7.255/23", "192.168.6.0"));
	assert_false(match("192.168.7.255/23", "192.168.8.0"));
	assert_true(match("2001:db8::ff/121", "2001:db8::80"));
	assert_false(match("2001:db8::ff/121", "2001:db8::7f"));
}

static void a_mapped_address_is_its_ipv4_address(void **state)
{
	(void)state;
	assert_true(match("10.0.0.0/8", "::ffff:10.2.3.4"));
	assert_true(match("::ffff:10.0.0.0/104", "10.2.3.4"));
}

static void a_malformed_list_names_the_word(void **state)
{
	static const struct {
		const char *list, *word;
	} bad[] = {{"1.2.3", "1.2.3"}, {"1.2.3.4,", NULL}, {",,  ", NULL},
	    {"1.2.3.4,x", "x"}, {"10.0.0.0/33", "10.0.0.0/33"},
	    {"10.0.0.0/", "10.0.0.0/"}, {"10.0.0.0/-1", "10.0.0.0/-1"},
	    {"::/129 ::1", "::/129"}, {"/8", "/8"}, {"::1/8/8", "::1/8/8"},
	    {"1.2.3.4;::1", "1.2.3.4;::1"}, {"::1%lo", "::1%lo"},
	    {"10.0.0.0/99999999999999999999", "10.0.0.0/99999999999999999999"}};
	struct proxies_fault fault;
	struct proxies p;
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t len = strlen(bad[i].list);
		int r = proxies_parse(
		    &p, guard_put(&g, bad[i].list, len), len, &fault);

		assert_int_equal(r, bad[i].word ? -EINVAL : 0);
		if (!bad[i].word)
			continue;
		assert_int_equal(fault.len, strlen(bad[i].word));
		assert_memory_equal(fault.word, bad[i].word, fault.len);
	}
	guard_release(&g);
}

static void a_list_may_hold_64(void **state)
{
	char text[65 * 10];
	struct proxies_fault fault;
	struct proxies p;
	int n = 0;

	(void)state;
	for (int i = 0; i < 65; i++)
		n += snprintf(
		    text + n, sizeof text - (size_t)n, "10.0.0.%d ", i);
	assert_int_equal(proxies_parse(&p, text, (size_t)n, &fault), -E2BIG);
	assert_memory_equal(fault.word, "10.0.0.64", fault.len);
	n -= (int)strlen("10.0.0.64 ");
	assert_int_equal(proxies_parse(&p, text, (size_t)n, &fault), 0);
	assert_int_equal(p.count, 64);
	assert_true(proxies_match(&p, "10.0.0.63", 9));
	assert_false(proxies_match(&p, "10.0.0.64", 9));
}

static bool same_source(const char *a, const char *b)
{
	struct source x = source_parse(a), y = source_parse(b);

	return memcmp(&x, &y, sizeof x) == 0;
}

static void a_source_is_an_ipv4_address_or_a_64_of_ipv6(void **state)
{
	(void)state;
	assert_true(same_source("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(same_source("192.0.2.1", "192.0.2.2"));
	assert_true(same_source("2001:db8::1", "2001:db8::ffff:0:0:1"));
	assert_false(same_source("2001:db8::1", "2001:db8:0:1::1"));
	assert_false(same_source("127.0.0.1", "127.0.0.2"));
	assert_false(same_source("::1", "::"));
	assert_false(same_source("::1", NULL));
	assert_true(same_source("", NULL));
	assert_true(same_source("uid:7", NULL));
	assert_false(same_source("0.0.0.0", NULL));
}

static void loopback_is_127_and_the_one_of_ipv6(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} samples[] = {{"127.0.0.1", true}, {"127.255.0.9", true},
	    {"::ffff:127.0.0.1", true}, {"::1", true}, {"::", false},
	    {"128.0.0.1", false}, {"::2", false}, {"1::1", false}};
	unsigned char bytes[16];

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		const char *text = samples[i].text;

		assert_int_equal(address_bytes(text, strlen(text), bytes), 0);
		assert_int_equal(
		    address_is_loopback(bytes), samples[i].loopback);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_in_the_list_is_trusted),
	    cmocka_unit_test(host_bits_behind_a_prefix_do_not_count),
	    cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
	    cmocka_unit_test(a_malformed_list_names_the_word),
	    cmocka_unit_test(a_list_may_hold_64),
	    cmocka_unit_test(a_source_is_an_ipv4_address_or_a_64_of_ipv6),
	    cmocka_unit_test(loopback_is_127_and_the_one_of_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
