/*
 * A stream of frames, contents of files read past: what is taken for a frame
 * is made again as the same bytes, in just the room it needs, and no shorter
 * part of it is taken for anything.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/bcs_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
	if (!truth)
		abort();
}

static void check_slice(struct slice s, const char *in, size_t len)
{
	check(s.data != NULL);
	if (s.len)
		check(s.data > in && s.data + s.len <= in + len);
}

static int is_same(struct slice a, struct slice b)
{
	return a.data == b.data && a.len == b.len;
}

/* The first len bytes, in an allocation of that very size: so a sanitizer sees
 * one byte too far. */
static long parse_part(const char *in, size_t len)
{
	char *exact = malloc(len ? len : 1);
	struct bcs_frame frame;
	long n;

	check(exact != NULL);
	memcpy(exact, in, len);
	n = bcs_parse(&frame, exact, len);
	free(exact);
	return n;
}

static void check_parts(const char *in, size_t len, struct bcs_frame whole)
{
	struct bcs_frame again;

	for (size_t part = 0; part < len; part++)
		check(bcs_parse(&again, in, part) == -EAGAIN);
	for (size_t part = 0; part < len && part < 16; part++)
		check(parse_part(in, part) == -EAGAIN);
	check(parse_part(in, len - 1) == -EAGAIN);
	check(parse_part(in, len) == (long)len);
	check(bcs_parse(&again, in, len) == (long)len);
	check(again.type == whole.type && again.code == whole.code &&
	      again.length == whole.length);
	if (whole.first.len)
		check(is_same(again.first, whole.first));
	if (whole.second.len)
		check(is_same(again.second, whole.second));
}

static void check_made(
    const char *in, size_t len, const struct bcs_frame *frame)
{
	char *out = malloc(len);

	check(out != NULL);
	check(bcs_format(out, len - 1, frame) == -ENOSPC);
	check(bcs_format(out, len, frame) == (long)len);
	check(memcmp(out, in, len) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	struct bcs_frame frame;
	long n;

	while ((n = bcs_parse(&frame, in, size)) > 0) {
		size_t len = (size_t)n;

		check(len <= size && len <= BCS_FRAME_MAX);
		check_slice(frame.first, in, len);
		check_slice(frame.second, in, len);
		check_parts(in, len, frame);
		check_made(in, len, &frame);
		in += len;
		size -= len;
		len = frame.length < size ? frame.length : size;
		in += len;
		size -= len;
	}
	check(n == -EAGAIN || n == -EPROTO);
	if (n == -EPROTO)
		check(in[0] < BCS_REGISTER || in[0] > BCS_RECVFILE);
	return 0;
}
