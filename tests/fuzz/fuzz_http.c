/*
 * A request as a stream of bytes: its head and chunks must mean the same
 * whole and byte by byte, hold no byte that could be read in two ways, and
 * lie within the input; then every field as the value of each kind of field.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http_field.h"
#include "lib/http_head.h"

#define BODY_CAP 300

struct result {
	long head; /* http_head_feed's */
	long body; /* http_head_chunks', in all; 0: none */
	struct http_head parsed;
	struct buf out;
	char out_data[BODY_CAP];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

static void chunks(struct result *r, const char *in, size_t size, size_t step)
{
	size_t at = (size_t)r->head;
	bool done = false;
	long n = 0;

	buf_init(&r->out, r->out_data, sizeof r->out_data);
	while (at < size && !done && n >= 0) {
		size_t len = size - at < step ? size - at : step;

		n = http_head_chunks(&r->parsed, in + at, len, &r->out, &done);
		check(n <= (long)len);
		at += n > 0 ? (size_t)n : 0;
	}
	r->body = n < 0 ? n : done ? (long)at : -EAGAIN;
}

static void run(struct result *r, const char *in, size_t size, size_t step)
{
	size_t len = 0;

	r->body = 0;
	http_head_init(&r->parsed);
	do {
		len = size - len < step ? size : len + step;
		r->head = http_head_feed(&r->parsed, in, len);
	} while (r->head == -EAGAIN && len < size);
	if (r->head > 0 && r->parsed.framing == HTTP_CHUNKED)
		chunks(r, in, size, step);
}

static void check_within(struct slice s, const char *in, size_t size)
{
	/* An absent value or path is a constant of ours. */
	if (s.data < in || s.data > in + size)
		check(s.len <= 1);
	else
		check(s.len <= (size_t)(in + size - s.data));
	check(!memchr(s.data, '\n', s.len) && !memchr(s.data, '\0', s.len));
}

static void check_values(const char *text, size_t len)
{
	uint64_t start = 0, end = 0, number;
	int64_t date;

	if (http_range(text, len, 1000, &start, &end) == HTTP_RANGE_PART)
		check(start < end && end <= 1000);
	if (http_range_since(text, len, &number) == 0)
		check(number <= INT64_MAX);
	(void)http_tag_matches(text, len, "\"a\"", HTTP_STRONG);
	(void)http_date_parse(text, len, &date);
	if (http_prefer_wait(text, len, 60, &number) == 0)
		check(number <= 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result whole, bytes;
	const char *in = (const char *)data;

	check_values(in, size);
	run(&whole, in, size, size ? size : 1);
	run(&bytes, in, size, 1);
	check(whole.head == bytes.head);
	check(whole.parsed.status == bytes.parsed.status);
	if (whole.head <= 0)
		return 0;
	check(
	    (size_t)whole.head <= size && whole.parsed.count <= LIMIT_HEADERS);
	check(whole.parsed.framing == bytes.parsed.framing);
	check_within(whole.parsed.path, in, size);
	for (unsigned i = 0; i < whole.parsed.count; i++) {
		check(http_is_token(whole.parsed.fields[i].name.data,
		    whole.parsed.fields[i].name.len));
		check_within(whole.parsed.fields[i].value, in, size);
		check_values(whole.parsed.fields[i].value.data,
		    whole.parsed.fields[i].value.len);
	}
	/* Whether too long or malformed is told first depends on the pieces. */
	check((whole.body < 0) == (bytes.body < 0));
	if (whole.body > 0) {
		check(whole.body == bytes.body);
		check(whole.out.len == bytes.out.len);
		check(!memcmp(whole.out_data, bytes.out_data, whole.out.len));
	}
	return 0;
}
