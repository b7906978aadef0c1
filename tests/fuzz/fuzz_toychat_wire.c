/*
 * A connection's bytes, as a server reads them: whole, byte by byte and in
 * pieces of the size that the first byte says, they must mean the same; what a
 * command is taken apart into is what it was made of; and what fits into a
 * reply comes out of it again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/toychat_wire.h"

/* Small, so that inputs reach it. */
#define COMMAND_MAX 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
	if (!truth)
		abort();
}

/* What came of it, as a sum over everything that was found. */
struct result {
	uint64_t sum;
	size_t at; /* bytes used up */
	long last; /* 0: in the midst of contents */
};

static void note(struct result *r, uint64_t what)
{
	r->sum = (r->sum ^ what) * UINT64_C(1099511628211);
}

static void note_bytes(struct result *r, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		note(r, (unsigned char)data[i]);
}

/* Contents come in pieces: only their bytes and the end are noted. */
static void contents(struct result *r, struct toychat_payload *payload,
    const char *in, size_t size, size_t step)
{
	enum toychat_end end = TOYCHAT_MORE;
	size_t len, part, used;

	while (r->at < size && end == TOYCHAT_MORE) {
		len = size - r->at < step ? size - r->at : step;
		end = toychat_payload_feed(
		    payload, in + r->at, len, &part, &used);
		check(part <= used && used <= len);
		check(end != TOYCHAT_MORE || used == len);
		note_bytes(r, in + r->at, part);
		r->at += used;
	}
	check(end != TOYCHAT_WHOLE || !toychat_payload_is_bad(payload));
	check(end != TOYCHAT_MALFORMED || toychat_payload_is_bad(payload));
	note(r, (uint64_t)end);
	if (end == TOYCHAT_MORE)
		r->last = 0;
}

static void check_reply(struct slice a, struct slice b, struct slice body)
{
	struct slice back[4];
	struct toychat_command command;
	struct toychat_scan scan;
	char out[4 * COMMAND_MAX];
	long n = toychat_message(out, sizeof out, a, b, a, body);

	check(n > 0 || n == -EINVAL);
	if (n < 0)
		return;
	toychat_scan_init(&scan, "file", sizeof out);
	check(toychat_scan(&scan, &command, out, (size_t)n) == n);
	check(toychat_fields(&command, back, 4, true) == 0);
	check(back[0].len == a.len && back[1].len == b.len);
	check(back[3].len == body.len);
	check(memcmp(back[3].data, body.data, body.len) == 0);
}

/* Word, fields and the spaces between are the whole command. */
static void check_fields(const struct toychat_command *command)
{
	struct slice f[TOYCHAT_FIELDS];
	const char *end = command->tail.data + command->tail.len;

	check(command->word.data + command->word.len == command->tail.data);
	check((toychat_fields(command, f, 0, false) == 0) ==
	      (command->tail.len == 0));
	for (unsigned n = 1; n <= TOYCHAT_FIELDS; n++) {
		if (toychat_fields(command, f, n, true) < 0)
			continue;
		check(f[0].data == command->tail.data + 1);
		for (unsigned i = 0; i < n; i++) {
			check(f[i].data[-1] == ' ');
			check(f[i].len || i + 1 == n);
			check(i + 1 == n || !memchr(f[i].data, ' ', f[i].len));
			check(!i ||
			      f[i - 1].data + f[i - 1].len + 1 == f[i].data);
		}
		check(f[n - 1].data + f[n - 1].len == end);
		if (n == 3)
			check_reply(f[0], f[1], f[2]);
	}
}

static void head(struct result *r, const struct toychat_command *command,
    const char *in, size_t size, size_t step)
{
	struct toychat_payload payload;
	struct slice name;
	uint64_t length;

	if (toychat_counted(command, &name, &length) < 0) {
		toychat_payload_drop(&payload);
	} else {
		check(!memchr(name.data, ' ', name.len));
		check(length <= UINT64_C(9999999999));
		toychat_payload_init(&payload, length);
		note(r, length);
	}
	contents(r, &payload, in, size, step);
}

/* The first so many bytes, in an allocation of that very size. */
static long scan_part(struct toychat_scan *scan, struct toychat_command *ret,
    const char *in, size_t len)
{
	char *exact = malloc(len ? len : 1);
	struct toychat_command moved;
	long n;

	check(exact != NULL);
	memcpy(exact, in, len);
	n = toychat_scan(scan, &moved, exact, len);
	if (n > 0) {
		*ret = moved;
		ret->word.data = in + (moved.word.data - exact);
		ret->tail.data = in + (moved.tail.data - exact);
	}
	free(exact);
	return n;
}

static void run(struct result *r, const char *in, size_t size, size_t step)
{
	struct toychat_command command;
	struct toychat_scan scan;

	*r = (struct result){.last = 1};
	toychat_scan_init(&scan, "upload", COMMAND_MAX);
	while (r->last > 0) {
		size_t len = 0, most = size - r->at;

		do {
			len = most - len < step ? most : len + step;
			r->last = scan_part(&scan, &command, in + r->at,
			    len < 4 * COMMAND_MAX ? len : 4 * COMMAND_MAX);
		} while (r->last == -EAGAIN && len < most);
		if (r->last < 0)
			break;
		check((size_t)r->last <= COMMAND_MAX + 2);
		note_bytes(r, in + r->at, (size_t)r->last);
		note(r, command.counted);
		check_fields(&command);
		r->at += (size_t)r->last;
		if (command.counted)
			head(r, &command, in, size, step);
	}
	check(r->last == 0 || r->last == -EAGAIN || r->last == -EMSGSIZE);
}

static void check_one_line(const char *in, size_t size)
{
	char *out = malloc(size ? size : 1);
	size_t n;

	check(out != NULL);
	n = toychat_one_line(out, in, size);
	check(n <= size && !memchr(out, '\n', n));
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + 1;
	struct result whole, bytes, pieces;

	if (size == 0)
		return 0;
	size--;
	run(&whole, in, size, size ? size : 1);
	run(&bytes, in, size, 1);
	run(&pieces, in, size, data[0] ? data[0] : 256);
	check(whole.sum == bytes.sum && whole.sum == pieces.sum);
	check(whole.at == bytes.at && whole.at == pieces.at);
	check(whole.last == bytes.last && whole.last == pieces.last);
	check_one_line(in, size);
	return 0;
}
