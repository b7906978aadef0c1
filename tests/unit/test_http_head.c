#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "lib/http_head.h"

#define HEAD "POST /x HTTP/1.1\r\n"

static struct http_head head;
static struct guard guard;

static int set_up(void **state)
{
	(void)state;
	guard_init(&guard);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guard_release(&guard);
	return 0;
}

/* The head as a whole and byte by byte, against the end of a page. */
static long feed(const char *text)
{
	size_t len = strlen(text);
	const char *in = guard_put(&guard, text, len);
	unsigned status;
	long whole, r = -EAGAIN;

	http_head_init(&head);
	whole = http_head_feed(&head, in, len);
	status = head.status;
	http_head_init(&head);
	for (size_t n = 1; n <= len && r == -EAGAIN; n++)
		r = http_head_feed(&head, in, n);
	assert_int_equal(r, whole);
	assert_int_equal(head.status, status);
	return r;
}

static void expect_slice(struct slice s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.data, want, s.len);
}

static void the_spec_request_is_understood(void **state)
{
	static const char text[] =
	    "POST /rooms/roomname.txt HTTP/1.1\r\n"
	    "Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQK\r\n"
	    "Range: bytes=341-\r\n"
	    "\r\n"
	    "This is my message";
	struct slice value;

	(void)state;
	assert_int_equal(feed(text), strlen(text) - 18);
	assert_int_equal(head.method, HTTP_POST);
	assert_int_equal(head.framing, HTTP_BARE);
	assert_true(head.keep);
	expect_slice(head.path, "/rooms/roomname.txt");
	assert_null(head.query.data);
	assert_int_equal(http_head_find(&head, "range", &value), 1);
	expect_slice(value, "bytes=341-");
	assert_int_equal(http_head_find(&head, "AUTHORIZATION", &value), 1);
	expect_slice(value, "Basic dXNlcm5hbWU6cGFzc3dvcmQK");
	assert_int_equal(http_head_find(&head, "host", &value), 0);
	expect_slice(value, "");
}

static void targets_are_split(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} samples[] = {
	    {"/a/b.txt?x=/y?z", "/a/b.txt", "x=/y?z"},
	    {"/a?", "/a", ""},
	    {"/", "/", NULL},
	    {"http://host:80/a?q", "/a", "q"},
	    {"HTTPS://user@host/a%20b", "/a%20b", NULL},
	    {"http://host", "/", NULL},
	    {"http://host?q", "/", "q"},
	    {"//host/a", "//host/a", NULL},
	    {"*", "*", NULL},
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		(void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n\r\n",
		    samples[i].target[0] == '*' ? "OPTIONS" : "GET",
		    samples[i].target);
		assert_int_equal(feed(text), strlen(text));
		expect_slice(head.target, samples[i].target);
		expect_slice(head.path, samples[i].path);
		if (samples[i].query)
			expect_slice(head.query, samples[i].query);
		else
			assert_null(head.query.data);
	}
}

static void values_lose_the_blanks_around_them(void **state)
{
	struct slice value;

	(void)state;
	assert_true(
	    feed(HEAD "A: \t b c\t \r\nB:\r\nC:   \r\nA:d\r\n\r\n") > 0);
	assert_int_equal(head.count, 4);
	assert_int_equal(http_head_find(&head, "a", &value), 2);
	expect_slice(value, "b c");
	assert_int_equal(http_head_find(&head, "b", &value), 1);
	expect_slice(value, "");
	assert_int_equal(http_head_find(&head, "c", &value), 1);
	expect_slice(value, "");
}

struct bad {
	const char *text;
	unsigned status;
};

static const struct bad bad[] = {
    /* lines */
    {"POST /x HTTP/1.1\n\n", 400},
    {HEAD "A: b\n\r\n", 400},
    {HEAD "A: b\r\r\n\r\n", 400},
    {HEAD "A: b\rContent-Length: 5\r\n\r\n", 400},
    {HEAD "A: b\r\n c\r\n\r\n", 400},
    {HEAD " A: b\r\n\r\n", 400},
    {HEAD "A: b\r\n\tc\r\n\r\n", 400},
    {"\rPOST /x HTTP/1.1\r\n\r\n", 400},
    /* fields */
    {HEAD "A : b\r\n\r\n", 400},
    {HEAD "Content-Length : 5\r\n\r\n", 400},
    {HEAD "A b: c\r\n\r\n", 400},
    {HEAD ": b\r\n\r\n", 400},
    {HEAD "A\r\n\r\n", 400},
    {HEAD "A: b\x1b[2J\r\n\r\n", 400},
    {HEAD "A: \x7f\r\n\r\n", 400},
    {HEAD "A\xc3\xa9: b\r\n\r\n", 400},
    {HEAD "Host: a\r\nHost: b\r\n\r\n", 400},
    {HEAD "Authorization: a\r\nauthorization: b\r\n\r\n", 400},
    /* lengths */
    {HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {HEAD "Content-Length: 5, 5\r\n\r\n", 400},
    {HEAD "Content-Length: +5\r\n\r\n", 400},
    {HEAD "Content-Length: -5\r\n\r\n", 400},
    {HEAD "Content-Length: 0x5\r\n\r\n", 400},
    {HEAD "Content-Length: 5 5\r\n\r\n", 400},
    {HEAD "Content-Length:\r\n\r\n", 400},
    {HEAD "Content-Length: 18446744073709551616\r\n\r\n", 400},
    {HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	400},
    {HEAD "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {HEAD "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {HEAD "Transfer-Encoding: identity\r\n\r\n", 501},
    {"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    /* request lines */
    {"hello\r\n", 400},
    {"\x16\x03\x01", 400},
    {"POST /x\r\n\r\n", 400},
    {"POST  HTTP/1.1\r\n\r\n", 400},
    {"POST x HTTP/1.1\r\n\r\n", 400},
    {"POST /a b HTTP/1.1\r\n\r\n", 400},
    {"POST /a\x01 HTTP/1.1\r\n\r\n", 400},
    {"POST /x HTTP/1.1 \r\n\r\n", 505},
    {"POST /x HTTP/2.0\r\n\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\n", 505},
    {"FOO /x HTTP/1.1\r\n\r\n", 501},
    {"post /x HTTP/1.1\r\n\r\n", 400},
    {"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", 400},
};

static void what_proxies_could_read_in_another_way_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		long r = feed(bad[i].text);

		if (r != -EPROTO || head.status != bad[i].status || !head.why)
			fail_msg("%s: %ld, %u", bad[i].text, r, head.status);
	}
}

static void the_first_byte_that_is_wrong_is_told_at_once(void **state)
{
	(void)state;
	http_head_init(&head);
	assert_int_equal(http_head_feed(&head, "GE", 2), -EAGAIN);
	http_head_init(&head);
	assert_int_equal(http_head_feed(&head, "ge", 2), -EPROTO);
	http_head_init(&head);
	assert_int_equal(http_head_feed(&head, "GET /\0", 6), -EPROTO);
}

static void more_than_64_fields_are_too_many(void **state)
{
	char text[1000] = HEAD;
	size_t n = strlen(text);

	(void)state;
	for (int i = 0; i < LIMIT_HEADERS; i++, n += 6)
		memcpy(text + n, "A: b\r\n", 6);
	memcpy(text + n, "\r\n", 3);
	assert_true(feed(text) > 0);
	assert_int_equal(head.count, LIMIT_HEADERS);
	memcpy(text + n, "A: b\r\n\r\n", 9);
	assert_int_equal(feed(text), -EPROTO);
	assert_int_equal(head.status, 431);
}

static void each_framing_and_keep_alive_is_recognised(void **state)
{
	static const struct {
		const char *text;
		enum http_framing framing;
		bool keep;
	} samples[] = {
	    {HEAD "\r\n", HTTP_BARE, true},
	    {HEAD "Content-Length: 0\r\n\r\n", HTTP_EMPTY, true},
	    {HEAD "Content-Length: 00012\r\n\r\n", HTTP_LENGTH, true},
	    {HEAD "Transfer-Encoding: Chunked\r\n\r\n", HTTP_CHUNKED, true},
	    {HEAD "Connection: foo, Close\r\n\r\n", HTTP_BARE, false},
	    {"GET /x HTTP/1.1\r\n\r\n", HTTP_EMPTY, true},
	    {"GET /x HTTP/1.0\r\n\r\n", HTTP_EMPTY, false},
	    {"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_EMPTY,
		true},
	    {"\nGET /x HTTP/1.1\r\n\r\n", HTTP_EMPTY, true},
	    {"\r\n\r\nGET /x HTTP/1.1\r\n\r\n", HTTP_EMPTY, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		assert_int_equal(
		    feed(samples[i].text), strlen(samples[i].text));
		assert_int_equal(head.framing, samples[i].framing);
		assert_int_equal(head.keep, samples[i].keep);
	}
}

/* Chunks in pieces of `step` bytes. Returns as http_head_chunks(), but the
 * bytes in all when done, and -EAGAIN when not. */
static long chunks(const char *text, size_t step, struct buf *out)
{
	size_t len = strlen(text), at = 0;
	bool done = false;

	http_head_init(&head);
	assert_true(http_head_feed(&head,
			HEAD "Transfer-Encoding: chunked\r\n\r\n", 48) > 0);
	while (at < len && !done) {
		size_t n = len - at < step ? len - at : step;
		long r = http_head_chunks(
		    &head, guard_put(&guard, text + at, n), n, out, &done);

		if (r < 0)
			return r;
		at += (size_t)r;
	}
	return done ? (long)at : -EAGAIN;
}

static void chunks_are_joined_and_bad_ones_refused(void **state)
{
	static const struct {
		const char *text;
		long want;
	} samples[] = {
	    {"5\r\nhello\r\n0\r\n\r\nGET", 15},
	    {"2\r\nhe\r\n00003;a=b\r\nllo\r\n0\r\nX: y\r\n\r\nG", 34},
	    {"5\r\nhello\r\n0\r\n", -EAGAIN},
	    {"5\r\nhell", -EAGAIN},
	    {"5\nhello\n0\n\n", -EPROTO},
	    {"5\r\nhelloXX0\r\n\r\n", -EPROTO},
	    {"5\rXhello\r\n0\r\n\r\n", -EPROTO},
	    {"5 \r\nhello\r\n0\r\n\r\n", -EPROTO},
	    {"0x5\r\nhello\r\n0\r\n\r\n", -EPROTO},
	    {"-5\r\nhello\r\n0\r\n\r\n", -EPROTO},
	    {"\r\n5\r\nhello\r\n0\r\n\r\n", -EPROTO},
	    {"ffffffffffffffffff\r\n", -EPROTO},
	    {"9\r\nhellohello\r\n0\r\n\r\n", -EPROTO},
	    {"9\r\nhellohell\r\n0\r\n\r\n", -EMSGSIZE},
	};
	char data[8];
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
		for (size_t step = 1; step < 30; step += 4) {
			long r;

			buf_init(&out, data, sizeof data);
			r = chunks(samples[i].text, step, &out);
			/* Over the room in one piece, or after it. */
			if (r != samples[i].want &&
			    !(r == -EMSGSIZE && strstr(samples[i].text, "9\r")))
				fail_msg("%s: %ld", samples[i].text, r);
			if (r > 0)
				expect_slice(
				    (struct slice){data, out.len}, "hello");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_spec_request_is_understood),
	    cmocka_unit_test(targets_are_split),
	    cmocka_unit_test(values_lose_the_blanks_around_them),
	    cmocka_unit_test(what_proxies_could_read_in_another_way_is_refused),
	    cmocka_unit_test(the_first_byte_that_is_wrong_is_told_at_once),
	    cmocka_unit_test(more_than_64_fields_are_too_many),
	    cmocka_unit_test(each_framing_and_keep_alive_is_recognised),
	    cmocka_unit_test(chunks_are_joined_and_bad_ones_refused),
	};

	return cmocka_run_group_tests_name(
	    "http_head", tests, set_up, tear_down);
}
