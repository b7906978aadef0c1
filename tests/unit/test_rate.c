#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rate.h"
#include "place.h"

static int unmake(void **state)
{
	(void)unsetenv("PARLANCE_NOW");
	return place_unmake(state);
}

static void at(long seconds)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%ld", 1800000000 + seconds);
	(void)setenv("PARLANCE_NOW", text, 1);
}

static bool same(const char *a, const char *b)
{
	struct source x = source_parse(a), y = source_parse(b);

	return memcmp(&x, &y, sizeof x) == 0;
}

static void addresses_fall_into_sources(void **state)
{
	(void)state;
	assert_true(same("192.0.2.7", "::ffff:192.0.2.7"));
	assert_true(same("192.0.2.7", "::ffff:c000:207"));
	assert_false(same("192.0.2.7", "192.0.2.8"));
	assert_true(same("2001:db8::1", "2001:db8::ffff:1"));
	assert_false(same("2001:db8::1", "2001:db8:0:1::1"));
	assert_false(same("127.0.0.1", "127.0.0.2"));
	assert_false(same("127.0.0.1", "::1"));
	assert_false(same("::1", "::2"));
	assert_false(same("::1", ""));
	assert_true(same("fe80::1%eth0", "fe80::2%eth1"));
	assert_true(same("", NULL));
	assert_true(same("", "localhost"));
	assert_true(same("", "192.0.2.7.1"));
	assert_true(same("", "%eth0"));
	assert_true(same(
	    "", "2001:0db8:0000:0000:0000:0000:0000:0001:0000:0000:0000:0000"));
	assert_false(same("", "0.0.0.0"));
}

static void the_fourth_failure_in_a_minute_is_delayed(void **state)
{
	struct place *p = *state;
	struct source eve = source_parse("192.0.2.7");
	struct source bob = source_parse("192.0.2.8");
	struct rate rate;

	at(0);
	assert_int_equal(rate_open(&rate, &p->state), 0);
	for (int i = 1; i <= 20; i++) {
		int wait = i <= 3 ? 0 : i <= 11 ? (i - 3) * 1000 : 8000;

		assert_int_equal(rate_login_failed(&rate, eve), wait);
	}
	assert_int_equal(rate_login_failed(&rate, bob), 0);
	at(59);
	assert_int_equal(rate_login_failed(&rate, eve), 8000);
	at(60);
	assert_int_equal(rate_login_failed(&rate, eve), 0);
}

static void failures_leave_the_minute_one_by_one(void **state)
{
	struct place *p = *state;
	struct source eve = source_parse("2001:db8::1");
	struct rate rate;

	assert_int_equal(rate_open(&rate, &p->state), 0);
	for (int i = 0; i < 4; i++) {
		at(i * 15);
		assert_int_equal(
		    rate_login_failed(&rate, eve), i < 3 ? 0 : 1000);
	}
	/* 15, 30 and 45 count, and this one. */
	at(60);
	assert_int_equal(rate_login_failed(&rate, eve), 1000);
	at(180);
	assert_int_equal(rate_login_failed(&rate, eve), 0);
	/* The clock went back. */
	at(0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_login_failed(&rate, eve), 0);
	assert_int_equal(rate_login_failed(&rate, eve), 1000);
}

static void a_bucket_empties_and_fills(void **state)
{
	struct place *p = *state;
	struct source s = source_parse("192.0.2.7");
	struct rate rate;

	at(0);
	assert_int_equal(rate_open(&rate, &p->state), 0);
	for (int i = 0; i < 30; i++)
		assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 2);
	at(1);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 1);
	at(2);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 2);
	at(2 + 60);
	for (int i = 0; i < 30; i++)
		assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 2);
	at(100000);
	for (int i = 0; i < 30; i++)
		assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 30, 30), 2);
	/* One a minute, and settings that make no sense. */
	s = source_parse("192.0.2.8");
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 1, 1), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 1, 1), 60);
	s = source_parse("192.0.2.9");
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 0, 0), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 0, 0), 60);
	assert_int_equal(
	    rate_take(&rate, RATE_CREATE, s, UINT64_MAX, UINT64_MAX), 1);
}

static void log_ins_and_rooms_are_counted_apart(void **state)
{
	struct place *p = *state;
	struct source s = source_parse("192.0.2.7");
	struct rate rate;

	at(0);
	assert_int_equal(rate_open(&rate, &p->state), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 1, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_login_failed(&rate, s), 0);
	assert_int_equal(rate_take(&rate, RATE_CREATE, s, 1, 1), 60);
	assert_int_equal(rate_login_failed(&rate, s), 1000);
}

/* Four failures: the fourth must tell that the table works. */
static void works(struct place *p)
{
	struct source s = source_parse("192.0.2.7");
	struct rate rate;

	assert_int_equal(rate_open(&rate, &p->state), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_login_failed(&rate, s), 0);
	assert_int_equal(rate_login_failed(&rate, s), 1000);
}

static void a_damaged_table_is_begun_anew(void **state)
{
	struct place *p = *state;
	int fd;

	at(0);
	works(p);
	fd = openat(p->state.runtime, "rate", O_RDWR);
	for (long size = 0; size < 5000; size += 311) {
		assert_int_equal(ftruncate(fd, size), 0);
		works(p);
	}
	/* Our header, then garbage. */
	for (long i = 0; i < 4096 * 8; i++)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff",
				     8, 64 + i * 8),
		    8);
	works(p);
	assert_int_equal(pwrite(fd, "garbage!", 8, 0), 8);
	works(p);
	(void)close(fd);
}

static void a_full_table_forgets_the_least_recent(void **state)
{
	struct place *p = *state;
	struct rate rate;
	char address[32];

	at(0);
	assert_int_equal(rate_open(&rate, &p->state), 0);
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(
		    address, sizeof address, "10.0.%u.%u", i / 250, i % 250);
		at(i / 1000);
		assert_int_equal(
		    rate_login_failed(&rate, source_parse(address)), 0);
	}
	works(p);
}

static int fail_often(struct place *p, int number)
{
	struct rate rate;
	bool fine = true;

	(void)number;
	if (rate_open(&rate, &p->state) < 0)
		return 1;
	for (int i = 0; i < 100; i++)
		fine &= rate_take(&rate, RATE_CREATE, source_parse("::1"), 800,
			    1) == 0;
	return !fine;
}

static void eight_processes_count_together(void **state)
{
	struct place *p = *state;
	struct rate rate;

	at(0);
	assert_int_equal(place_each(8, fail_often, p), 8);
	assert_int_equal(rate_open(&rate, &p->state), 0);
	assert_int_equal(
	    rate_take(&rate, RATE_CREATE, source_parse("::1"), 800, 1), 60);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, place_make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_fall_into_sources),
	    EACH(the_fourth_failure_in_a_minute_is_delayed),
	    EACH(failures_leave_the_minute_one_by_one),
	    EACH(a_bucket_empties_and_fills),
	    EACH(log_ins_and_rooms_are_counted_apart),
	    EACH(a_damaged_table_is_begun_anew),
	    EACH(a_full_table_forgets_the_least_recent),
	    EACH(eight_processes_count_together),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
