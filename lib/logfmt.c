#include "logfmt.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistr.h>

/* Bare where no reader could split or misread it, else quoted. */
static bool wants_quotes(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' ||
		    strchr("\"=\\\x7f", text[i]))
			return true;
	return len == 0;
}

/* U+2028 to U+202E and U+2066 to U+2069 break lines or turn round what follows
 * them, so that a line of the log reads as another. */
static bool is_misleading(const uint8_t at[3])
{
	if (at[0] != 0xe2)
		return false;
	if (at[1] == 0x80)
		return at[2] >= 0xa8 && at[2] <= 0xae;
	return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

/* The length of a character of two or more bytes that may be shown as it is;
 * 0 if it may not: C1 controls, and what is not UTF-8. */
static size_t shown_as_is(const char *text, size_t left)
{
	const uint8_t *at = (const uint8_t *)text;
	int n = u8_mblen(at, left);

	if (n < 2 || (at[0] == 0xc2 && at[1] < 0xa0))
		return 0;
	if (n == 3 && is_misleading(at))
		return 0;
	return (size_t)n;
}

static void add_escaped(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t wide = c < 0x80 ? 0 : shown_as_is(text + i, len - i);

		if (wide) {
			buf_add(b, text + i, wide);
			i += wide - 1;
		} else if (c == '"' || c == '\\') {
			buf_fmt(b, "\\%c", c);
		} else if (c == '\n') {
			buf_str(b, "\\n");
		} else if (c < ' ' || c >= 0x7f) {
			buf_fmt(b, "\\x%02x", c);
		} else {
			buf_char(b, (char)c);
		}
	}
}

static void add(
    struct buf *b, const char *key, const char *text, size_t len, bool quotes)
{
	buf_fmt(b, " %s=", key);
	if (quotes)
		buf_char(b, '"');
	add_escaped(b, text, len);
	if (quotes)
		buf_char(b, '"');
}

void logfmt_text(struct buf *b, const char *key, const char *text, size_t len)
{
	add(b, key, text, len, wants_quotes(text, len));
}

void logfmt_quoted(struct buf *b, const char *key, const char *text, size_t len)
{
	add(b, key, text, len, true);
}
