#include "toychat_wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/parse.h"

/* --- commands --- */

void toychat_scan_init(
    struct toychat_scan *scan, const char *counted, size_t max)
{
	*scan = (struct toychat_scan){.counted = counted, .max = max};
}

/* A space at `at`. Does it end the head of counted contents? */
static bool ends_head(struct toychat_scan *scan, const char *data, size_t at)
{
	if (scan->spaces == 0)
		scan->is_counted = parse_is(data, at, scan->counted);
	scan->spaces++;
	return scan->is_counted && scan->spaces == 3;
}

/* The length with its end, or -EAGAIN or -EMSGSIZE. */
static long find_end(struct toychat_scan *scan, const char *data, size_t len)
{
	for (; scan->seen < len; scan->seen++) {
		size_t at = scan->seen;

		/* Past max there may be CR, and then LF. */
		if ((at == scan->max && data[at] != '\r') ||
		    (at == scan->max + 1 && data[at] != '\n'))
			return -EMSGSIZE;
		if (data[at] == '\n' && at && data[at - 1] == '\r')
			return (long)at + 1;
		if (data[at] == ' ' && ends_head(scan, data, at))
			return (long)at + 1;
	}
	return -EAGAIN;
}

static void take_apart(
    struct toychat_command *ret, const char *text, size_t len)
{
	const char *space = memchr(text, ' ', len);
	size_t word = space ? (size_t)(space - text) : len;

	ret->word = (struct slice){text, word};
	ret->tail = (struct slice){text + word, len - word};
}

long toychat_scan(struct toychat_scan *scan, struct toychat_command *ret,
    const char *data, size_t len)
{
	long n = find_end(scan, data, len);

	if (n < 0)
		return n;
	ret->counted = data[n - 1] == ' ';
	take_apart(ret, data, (size_t)n - (ret->counted ? 1 : 2));
	toychat_scan_init(scan, scan->counted, scan->max);
	return n;
}

/* Takes the space at the front of the tail, and the field behind it. */
static bool take_field(struct slice *tail, bool is_last, struct slice *ret)
{
	const char *space = NULL;
	size_t len;

	if (!tail->len)
		return false;
	tail->data++;
	tail->len--;
	if (!is_last)
		space = memchr(tail->data, ' ', tail->len);
	len = space ? (size_t)(space - tail->data) : tail->len;
	*ret = (struct slice){tail->data, len};
	tail->data += len;
	tail->len -= len;
	return true;
}

int toychat_fields(const struct toychat_command *command,
    struct slice *ret_fields, unsigned count, bool last_may_be_empty)
{
	struct slice tail = command->tail, fields[TOYCHAT_FIELDS];

	if (count > TOYCHAT_FIELDS)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		bool is_last = i + 1 == count;

		if (!take_field(&tail, is_last, &fields[i]))
			return -EINVAL;
		if (!fields[i].len && !(is_last && last_may_be_empty))
			return -EINVAL;
	}
	if (tail.len)
		return -EINVAL;
	if (count)
		memcpy(ret_fields, fields, count * sizeof *fields);
	return 0;
}

/* --- counted contents --- */

int toychat_counted(const struct toychat_command *command,
    struct slice *ret_name, uint64_t *ret_length)
{
	struct slice tail = command->tail, name, length;
	uint64_t value;

	if (!take_field(&tail, false, &name) ||
	    !take_field(&tail, true, &length) ||
	    length.len > TOYCHAT_LENGTH_DIGITS ||
	    parse_u64(length.data, length.len, UINT64_MAX, &value) < 0)
		return -EINVAL;
	*ret_name = name;
	*ret_length = value;
	return 0;
}

/*
 *	state     CR          LF         another byte
 *	CONTENTS  (left bytes are taken, whatever they are)
 *	CR        LF          DROP       DROP
 *	LF        DROP_LF     whole      DROP
 *	DROP      DROP_LF     DROP       DROP
 *	DROP_LF   DROP_LF     malformed  DROP
 */
enum { CR, LF, DROP, DROP_LF };

void toychat_payload_init(struct toychat_payload *payload, uint64_t length)
{
	*payload = (struct toychat_payload){.left = length, .state = CR};
}

void toychat_payload_drop(struct toychat_payload *payload)
{
	*payload = (struct toychat_payload){.state = DROP};
}

bool toychat_payload_is_bad(const struct toychat_payload *payload)
{
	return payload->state == DROP || payload->state == DROP_LF;
}

/* One byte behind the contents. */
static enum toychat_end step(struct toychat_payload *payload, char byte)
{
	int was = payload->state;

	if (byte == '\n' && was == LF)
		return TOYCHAT_WHOLE;
	if (byte == '\n' && was == DROP_LF)
		return TOYCHAT_MALFORMED;
	if (byte == '\r')
		payload->state = was == CR ? LF : DROP_LF;
	else
		payload->state = DROP;
	return TOYCHAT_MORE;
}

enum toychat_end toychat_payload_feed(struct toychat_payload *payload,
    const char *data, size_t len, size_t *ret_contents, size_t *ret_used)
{
	size_t at = payload->left < len ? (size_t)payload->left : len;
	enum toychat_end end = TOYCHAT_MORE;
	const char *cr;

	payload->left -= at;
	*ret_contents = at;
	while (at < len && end == TOYCHAT_MORE) {
		/* Gigabytes may be dropped: not byte by byte. */
		if (payload->state == DROP) {
			cr = memchr(data + at, '\r', len - at);
			at = cr ? (size_t)(cr - data) : len;
		}
		if (at < len)
			end = step(payload, data[at++]);
	}
	*ret_used = at;
	return end;
}

/* --- replies --- */

static bool is_field(struct slice field)
{
	for (size_t i = 0; i < field.len; i++)
		if (field.data[i] == ' ' || field.data[i] == '\r' ||
		    field.data[i] == '\n')
			return false;
	return field.len > 0;
}

static bool is_last_field(struct slice field)
{
	return !memmem(field.data, field.len, TOYCHAT_CRLF, 2);
}

static void add_field(struct buf *b, struct slice field)
{
	buf_char(b, ' ');
	buf_add(b, field.data, field.len);
}

static void add_number(struct buf *b, uint64_t number)
{
	char digits[21];

	/* buf_fmt would want a byte for its NUL. */
	(void)snprintf(digits, sizeof digits, "%ju", (uintmax_t)number);
	buf_char(b, ' ');
	buf_str(b, digits);
}

static long made(const struct buf *b)
{
	return b->full ? -ENOSPC : (long)b->len;
}

long toychat_success(char *out, size_t size)
{
	struct buf b;

	buf_init(&b, out, size);
	buf_str(&b, "success" TOYCHAT_CRLF);
	return made(&b);
}

long toychat_error(char *out, size_t size, const char *text)
{
	struct slice last = {text, strlen(text)};
	struct buf b;

	if (!last.len || !is_last_field(last))
		return -EINVAL;
	buf_init(&b, out, size);
	buf_str(&b, "error");
	add_field(&b, last);
	buf_str(&b, TOYCHAT_CRLF);
	return made(&b);
}

long toychat_message(char *out, size_t size, struct slice when,
    struct slice from, struct slice to, struct slice body)
{
	struct buf b;

	if (!is_field(when) || !is_field(from) || !is_field(to) ||
	    !is_last_field(body))
		return -EINVAL;
	buf_init(&b, out, size);
	buf_str(&b, "message");
	add_field(&b, when);
	add_field(&b, from);
	add_field(&b, to);
	add_field(&b, body);
	buf_str(&b, TOYCHAT_CRLF);
	return made(&b);
}

long toychat_file(char *out, size_t size, struct slice name, uint64_t length)
{
	struct buf b;

	if (!is_field(name))
		return -EINVAL;
	buf_init(&b, out, size);
	buf_str(&b, "file");
	add_field(&b, name);
	add_number(&b, length);
	buf_char(&b, ' ');
	return made(&b);
}

long toychat_inbox_entry(
    char *out, size_t size, struct slice name, uint64_t count)
{
	struct buf b;

	if (!is_field(name))
		return -EINVAL;
	buf_init(&b, out, size);
	add_field(&b, name);
	add_number(&b, count);
	return made(&b);
}

long toychat_filelist_entry(char *out, size_t size, struct slice name)
{
	struct buf b;

	if (!is_field(name))
		return -EINVAL;
	buf_init(&b, out, size);
	add_field(&b, name);
	return made(&b);
}

size_t toychat_one_line(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			continue;
		out[n++] = text[i] == '\n' ? ' ' : text[i];
	}
	return n;
}
