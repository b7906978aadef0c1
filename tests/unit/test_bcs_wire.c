#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "handlers/bcs_wire.h"
#include "lib/io.h"

#define GREETING                                                               \
	"Gr\303\274\303\237e, \320\274\320\270\321\200! \360\237\221\213 "
#define ZOE "Zo\303\253"
#define REPORT "\320\276\321\202\321\207\321\221\321\202 2026.txt"

/* What stands in tests/data/bcs (its README): `count` times `piece` is the
 * last string, or the contents where there is no string but them. */
static const struct golden {
	const char *path;
	enum bcs_type type;
	uint8_t code;
	const char *name; /* the string before that, or NULL */
	const char *piece;
	size_t count;
	uint32_t length;
} goldens[] = {
    {"register", BCS_REGISTER, 0, NULL, "\303\261", 130, 0},
    {"send", BCS_SEND, 0, NULL, GREETING, 15, 0},
    {"deliver", BCS_DELIVER, 0, ZOE, GREETING, 12, 0},
    {"status", BCS_STATUS, 3, NULL, GREETING, 13, 0},
    {"sendfile", BCS_SENDFILE, 0, NULL, REPORT, 1, 300},
    {"fnotify", BCS_FNOTIFY, 0, ZOE, "\321\217", 130, 0},
    {"getfile", BCS_GETFILE, 0, NULL, "\321\217", 130, 0},
    {"recvfile", BCS_RECVFILE, 0, NULL, NULL, 0, 330},
};

static struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static void assert_slice(struct slice is, struct slice should)
{
	assert_non_null(is.data);
	assert_int_equal(is.len, should.len);
	assert_memory_equal(is.data, should.data, should.len);
}

static void assert_frame(
    const struct bcs_frame *is, const struct bcs_frame *should)
{
	assert_int_equal(is->type, should->type);
	assert_int_equal(is->code, should->code);
	assert_int_equal(is->length, should->length);
	assert_slice(is->first, should->first);
	assert_slice(is->second, should->second);
}

static struct bcs_frame golden_frame(const struct golden *g, char *text)
{
	struct bcs_frame frame = {.type = g->type,
	    .code = g->code,
	    .first = slice_of(""),
	    .second = slice_of(""),
	    .length = g->length};
	struct slice last = {text, 0};

	for (size_t i = 0; i < g->count; i++) {
		memcpy(text + last.len, g->piece, strlen(g->piece));
		last.len += strlen(g->piece);
	}
	frame.first = g->name ? slice_of(g->name) : last;
	if (g->name)
		frame.second = last;
	return frame;
}

static void golden_bytes_are_read_and_written(void **state)
{
	struct guard g, out;

	(void)state;
	guard_init(&g);
	guard_init(&out);
	for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
		char path[64], data[1024], text[1024];
		struct bcs_frame frame,
		    should = golden_frame(&goldens[i], text);
		ssize_t size;
		size_t len;
		char *at;

		(void)snprintf(path, sizeof path, "tests/data/bcs/%s.bin",
		    goldens[i].path);
		size = io_read_file(AT_FDCWD, path, data, sizeof data);
		assert_true(size > 0);
		len = (size_t)size - goldens[i].length;
		at = guard_put(&g, data, len);
		assert_int_equal(bcs_parse(&frame, at, len), len);
		assert_frame(&frame, &should);
		at = guard_room(&out, len);
		assert_int_equal(bcs_format(at, len, &should), len);
		assert_memory_equal(at, data, len);
	}
	guard_release(&g);
	guard_release(&out);
}

/* One of each type, with strings of these lengths. */
static struct bcs_frame sample(enum bcs_type type, size_t first, size_t second)
{
	static char text[BCS_STRING_MAX];
	struct bcs_frame frame = {
	    .type = type, .first = slice_of(""), .second = slice_of("")};

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7 + (i >> 8));
	if (type != BCS_RECVFILE)
		frame.first = (struct slice){text, first};
	if (type == BCS_DELIVER || type == BCS_FNOTIFY)
		frame.second = (struct slice){text, second};
	if (type == BCS_STATUS)
		frame.code = 255;
	if (type == BCS_SENDFILE || type == BCS_RECVFILE)
		frame.length = 0xfedcba98;
	return frame;
}

/* Whole and in every first part, each right before the unmapped page. */
static void assert_round_trip(struct guard *g, const struct bcs_frame *should)
{
	char *made = guard_room(g, GUARD_ROOM);
	long len = bcs_format(made, BCS_FRAME_MAX, should);
	size_t step = len > 1000 ? 509 : 1;
	struct bcs_frame frame, untouched = {.type = BCS_SEND, .code = 77};
	char *at;

	assert_in_range(len, 1, BCS_FRAME_MAX);
	for (size_t part = 0; part < (size_t)len; part += step) {
		at = g->end - part;
		memcpy(at, made, part);
		frame = untouched;
		assert_int_equal(bcs_parse(&frame, at, part), -EAGAIN);
		assert_int_equal(frame.code, 77);
	}
	at = g->end - len;
	memcpy(at, made, (size_t)len);
	assert_int_equal(bcs_parse(&frame, at, (size_t)len), len);
	assert_frame(&frame, should);
	/* What follows changes nothing. */
	memcpy(at - 1, made, (size_t)len);
	assert_int_equal(bcs_parse(&frame, at - 1, (size_t)len + 1), len);
	assert_frame(&frame, should);
}

static void every_type_comes_back_whole_and_never_early(void **state)
{
	static const size_t sizes[] = {0, 1, 255, 256, 300, BCS_STRING_MAX};
	struct guard g;

	(void)state;
	guard_init(&g);
	for (int type = BCS_REGISTER; type <= BCS_RECVFILE; type++)
		for (size_t i = 0; i < 36; i++) {
			struct bcs_frame frame = sample(
			    (enum bcs_type)type, sizes[i / 6], sizes[i % 6]);

			assert_round_trip(&g, &frame);
		}
	guard_release(&g);
}

static void the_longest_frames_are_as_long_as_the_header_says(void **state)
{
	static char out[BCS_FRAME_MAX];
	struct bcs_frame deliver =
	    sample(BCS_DELIVER, BCS_STRING_MAX, BCS_STRING_MAX);
	struct bcs_frame sendfile = sample(BCS_SENDFILE, BCS_STRING_MAX, 0);

	(void)state;
	assert_int_equal(bcs_format(out, sizeof out, &deliver), BCS_FRAME_MAX);
	assert_int_equal(
	    bcs_format(out, sizeof out, &sendfile), BCS_REQUEST_MAX);
}

static void a_frame_cut_anywhere_waits_for_the_rest(void **state)
{
	struct bcs_frame made = sample(BCS_DELIVER, 300, BCS_STRING_MAX), frame;
	char *bytes = malloc(BCS_FRAME_MAX);
	long len;

	(void)state;
	assert_non_null(bytes);
	len = bcs_format(bytes, BCS_FRAME_MAX, &made);
	assert_int_equal(len, 1 + 2 + 300 + 2 + BCS_STRING_MAX);
	for (size_t part = 0; part < (size_t)len; part++)
		assert_int_equal(bcs_parse(&frame, bytes, part), -EAGAIN);
	assert_int_equal(bcs_parse(&frame, bytes, (size_t)len), len);
	assert_frame(&frame, &made);
	free(bytes);
}

static void a_type_that_is_none_is_told_by_the_first_byte(void **state)
{
	struct bcs_frame frame = {.code = 77};
	struct guard g;
	char byte, *at;

	(void)state;
	guard_init(&g);
	for (int type = 0; type < 256; type++) {
		bool known = type >= BCS_REGISTER && type <= BCS_RECVFILE;

		byte = (char)type;
		at = guard_put(&g, &byte, 1);
		assert_int_equal(
		    bcs_parse(&frame, at, 1), known ? -EAGAIN : -EPROTO);
	}
	assert_int_equal(bcs_parse(&frame, g.end, 0), -EAGAIN);
	assert_int_equal(bcs_parse(&frame, NULL, 0), -EAGAIN);
	assert_int_equal(frame.code, 77);
	guard_release(&g);
}

static void frames_one_after_the_other_are_told_apart(void **state)
{
	char stream[64];
	size_t at = 0, end = 0;
	struct bcs_frame frame, made;
	long n = 0;

	(void)state;
	for (int type = BCS_REGISTER; type <= BCS_RECVFILE; type++) {
		made = sample((enum bcs_type)type, 2, 3);
		n = bcs_format(stream + end, sizeof stream - end, &made);
		assert_true(n > 0);
		end += (size_t)n;
	}
	for (int type = BCS_REGISTER; type <= BCS_RECVFILE; type++) {
		made = sample((enum bcs_type)type, 2, 3);
		n = bcs_parse(&frame, stream + at, end - at);
		assert_true(n > 0);
		assert_frame(&frame, &made);
		at += (size_t)n;
	}
	assert_int_equal(at, end);
}

static void too_little_room_is_told_and_nothing_is_written(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (int type = BCS_REGISTER; type <= BCS_RECVFILE; type++) {
		struct bcs_frame frame = sample((enum bcs_type)type, 260, 4);
		long len = bcs_format(g.base, GUARD_ROOM, &frame);

		for (size_t size = 0; size < (size_t)len; size++) {
			char *at = guard_room(&g, size);

			memset(at, '#', size);
			assert_int_equal(bcs_format(at, size, &frame), -ENOSPC);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(at[i], '#');
		}
		assert_int_equal(bcs_format(guard_room(&g, (size_t)len),
				     (size_t)len, &frame),
		    len);
	}
	guard_release(&g);
}

static void a_string_beyond_its_length_field_is_refused(void **state)
{
	static char out[BCS_FRAME_MAX + 1], text[BCS_STRING_MAX + 1];
	struct slice most = {text, BCS_STRING_MAX}, more = {text, sizeof text};
	struct bcs_frame frame = {
	    .type = BCS_DELIVER, .first = most, .second = more};

	(void)state;
	frame.first = most;
	assert_int_equal(bcs_format(out, sizeof out, &frame), -EMSGSIZE);
	frame.first = more;
	frame.second = most;
	assert_int_equal(bcs_format(out, sizeof out, &frame), -EMSGSIZE);
	/* Whatever the room. */
	assert_int_equal(bcs_format(out, 0, &frame), -EMSGSIZE);
	frame.first = most;
	assert_int_equal(bcs_format(out, sizeof out, &frame), BCS_FRAME_MAX);
	/* A string that the type does not have is not looked at. */
	frame = (struct bcs_frame){.type = BCS_RECVFILE, .first = more};
	assert_int_equal(bcs_format(out, sizeof out, &frame), 5);
}

static void no_frame_is_made_of_a_type_that_is_none(void **state)
{
	static const unsigned none[] = {0, 9, 255, 256, 257, 0x7fffffff};
	struct bcs_frame frame = {.first = {"a", 1}};
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		frame.type = (enum bcs_type)none[i];
		assert_int_equal(bcs_format(out, sizeof out, &frame), -EINVAL);
	}
}

static void an_empty_string_may_be_null(void **state)
{
	struct bcs_frame frame = {.type = BCS_DELIVER};
	char out[5];

	(void)state;
	assert_int_equal(bcs_format(out, sizeof out, &frame), 5);
	assert_memory_equal(out, "\3\0\0\0\0", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(golden_bytes_are_read_and_written),
	    cmocka_unit_test(every_type_comes_back_whole_and_never_early),
	    cmocka_unit_test(the_longest_frames_are_as_long_as_the_header_says),
	    cmocka_unit_test(a_frame_cut_anywhere_waits_for_the_rest),
	    cmocka_unit_test(a_type_that_is_none_is_told_by_the_first_byte),
	    cmocka_unit_test(frames_one_after_the_other_are_told_apart),
	    cmocka_unit_test(too_little_room_is_told_and_nothing_is_written),
	    cmocka_unit_test(a_string_beyond_its_length_field_is_refused),
	    cmocka_unit_test(no_frame_is_made_of_a_type_that_is_none),
	    cmocka_unit_test(an_empty_string_may_be_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
