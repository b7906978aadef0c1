#include "text.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

#include "limits.h"

#define EVERY(byte) (0x0101010101010101ULL * (byte))
#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_LEN 3

static const char *const faults[] = {
    [TEXT_FINE] = "the message is fine",
    [TEXT_EMPTY] = "the message is empty",
    [TEXT_TOO_LONG] = "the message is longer than 65535 bytes",
    [TEXT_NOT_UTF8] = "the message is not valid UTF-8",
    [TEXT_CONTROL] = "the message holds a control character",
    [TEXT_CR] = "the message holds a carriage return without a line feed "
		"after it",
    [TEXT_FOOTER] = "a line of the message begins with a single backslash",
};

const char *text_fault_says(enum text_fault fault)
{
	return (unsigned)fault < sizeof faults / sizeof *faults
		   ? faults[fault]
		   : "the message is not room text";
}

/* Printable ASCII, TAB and LF: most bytes of most messages. */
static bool is_plain(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n';
}

/* Are all eight bytes in 0x20 to 0x7e? May say no to what is plain, never yes
 * to what is not: a borrow comes only out of a byte that is itself told. */
static bool is_plain_word(const char *at)
{
	uint64_t word, not_del;

	memcpy(&word, at, sizeof word);
	not_del = word ^ EVERY(0x7f);
	return (((word - EVERY(0x20)) | (not_del - EVERY(1)) | word) &
		   EVERY(0x80)) == 0;
}

/* How many bytes from the front are plain. */
static size_t plain_span(const char *text, size_t len)
{
	size_t at = 0, stop;

	while (at < len) {
		if (len - at >= 8 && is_plain_word(text + at)) {
			at += 8;
			continue;
		}
		stop = len - at > 8 ? at + 8 : len;
		while (at < stop && is_plain((unsigned char)text[at]))
			at++;
		if (at < stop)
			break;
	}
	return at;
}

/* The fault of the character that text begins with, if it has one; its length
 * otherwise in *ret_len. len > 0. */
static enum text_fault character(const char *text, size_t len, size_t *ret_len)
{
	unsigned char c = (unsigned char)text[0];
	ucs4_t uc;
	int n;

	*ret_len = 1;
	if (is_plain(c))
		return TEXT_FINE;
	if (c == '\r')
		return len > 1 && text[1] == '\n' ? TEXT_FINE : TEXT_CR;
	if (c < 0x80)
		return TEXT_CONTROL;
	n = u8_mbtoucr(&uc, (const uint8_t *)text, len);
	if (n <= 0)
		return TEXT_NOT_UTF8;
	*ret_len = (size_t)n;
	return uc < 0xa0 ? TEXT_CONTROL : TEXT_FINE;
}

/* The first character that a room does not take: its fault, or TEXT_FINE and
 * the text's end. */
static enum text_fault scan(const char *text, size_t len, size_t *ret_at)
{
	size_t at = 0, n = 0;
	enum text_fault fault = TEXT_FINE;

	for (;;) {
		at += plain_span(text + at, len - at);
		if (at == len)
			break;
		fault = character(text + at, len - at, &n);
		if (fault != TEXT_FINE)
			break;
		at += n;
	}
	*ret_at = at;
	return fault;
}

/* The offset at which a line begins with a single backslash, or len. Only
 * lines that begin before `end` are looked at. */
static size_t find_footer(const char *text, size_t len, size_t end)
{
	const char *slash;
	size_t at = 0;

	while (at < end && (slash = memchr(text + at, '\\', end - at))) {
		at = (size_t)(slash - text);
		if ((at == 0 || text[at - 1] == '\n') &&
		    (at + 1 == len || text[at + 1] != '\\'))
			return at;
		at++;
	}
	return len;
}

static enum text_fault check(
    const char *text, size_t len, bool stored, size_t *ret_at)
{
	enum text_fault fault;
	size_t at = 0, footer;

	if (len == 0)
		fault = TEXT_EMPTY;
	else if (len > LIMIT_MESSAGE)
		fault = TEXT_TOO_LONG, at = LIMIT_MESSAGE;
	else {
		fault = scan(text, len, &at);
		footer = stored ? find_footer(text, len, at) : len;
		if (footer < len)
			fault = TEXT_FOOTER, at = footer;
	}
	if (ret_at && fault != TEXT_FINE)
		*ret_at = at;
	return fault;
}

enum text_fault text_check(const char *text, size_t len, size_t *ret_at)
{
	return check(text, len, false, ret_at);
}

enum text_fault text_check_stored(const char *text, size_t len, size_t *ret_at)
{
	return check(text, len, true, ret_at);
}

/* The length of the line that text begins with, its newline included. */
static size_t line_length(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);

	return newline ? (size_t)(newline - text) + 1 : len;
}

size_t text_escape(char *out, const char *text, size_t len)
{
	size_t n = 0, line;

	for (; len; text += line, len -= line) {
		line = line_length(text, len);
		if (text[0] == '\\')
			out[n++] = '\\';
		memcpy(out + n, text, line);
		n += line;
	}
	return n;
}

size_t text_unescape(char *out, const char *text, size_t len)
{
	size_t n = 0, line, skip;

	for (; len; text += line, len -= line) {
		line = line_length(text, len);
		skip = line > 1 && text[0] == '\\' && text[1] == '\\';
		memmove(out + n, text + skip, line - skip);
		n += line - skip;
	}
	return n;
}

size_t text_clean(char *out, const char *text, size_t len)
{
	size_t n = 0, at = 0, good, bad;
	enum text_fault fault;

	while (at < len) {
		fault = scan(text + at, len - at, &good);
		memcpy(out + n, text + at, good);
		n += good;
		at += good;
		if (fault == TEXT_FINE)
			break;
		(void)character(text + at, len - at, &bad);
		memcpy(out + n, REPLACEMENT, REPLACEMENT_LEN);
		n += REPLACEMENT_LEN;
		at += bad;
	}
	return n;
}
