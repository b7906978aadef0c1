#include "events.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define PIECE 1024 /* text is cleaned in pieces of so many bytes */

/* --- JSON ------------------------------------------------------------------
 */

/* What stands in a JSON string for a character of clean text, or 0: itself. */
static char short_for(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static void put_escaped(struct buf *out, const char *text, size_t len)
{
	char escape[2] = {'\\', 0};
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		escape[1] = short_for(text[i]);
		if (!escape[1])
			continue;
		buf_add(out, text + run, i - run);
		buf_add(out, escape, sizeof escape);
		run = i + 1;
	}
	buf_add(out, text + run, len - run);
}

/* How much of it to clean at once: never half a character or line end. */
static size_t piece(const char *text, size_t len)
{
	size_t n = PIECE;

	if (len <= PIECE)
		return len;
	while (n > PIECE - 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return text[n] == '\n' ? n - 1 : n;
}

static void put_clean(struct buf *out, const char *text, size_t len)
{
	char clean[3 * PIECE];
	size_t n;

	for (; len; text += n, len -= n) {
		n = piece(text, len);
		put_escaped(out, clean, text_clean(clean, text, n));
	}
}

static void put_string(struct buf *out, const char *text, size_t len)
{
	buf_char(out, '"');
	put_clean(out, text, len);
	buf_char(out, '"');
}

/* --- a record --------------------------------------------------------------
 */

/* At most len bytes of a longer text, and no half character. */
static size_t cut(const char *text, size_t len)
{
	size_t n = len;

	while (n && len - n < 3 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static size_t at_most(struct slice s, size_t most)
{
	return s.len <= most ? s.len : cut(s.data, most);
}

/* Undoes the doubling of backslashes line by line (text_unescape). Up to
 * LIMIT_MESSAGE bytes; false if there was more. */
static bool put_stored(struct buf *out, const char *text, size_t len)
{
	size_t left = LIMIT_MESSAGE, line, n;
	const char *newline;

	for (; len; text += line, len -= line) {
		newline = memchr(text, '\n', len);
		line = newline ? (size_t)(newline - text) + 1 : len;
		if (line > 1 && text[0] == '\\' && text[1] == '\\')
			text++, line--, len--;
		n = line <= left ? line : cut(text, left);
		put_clean(out, text, n);
		if (n < line)
			return false;
		left -= n;
	}
	return true;
}

/* The CR of a body's last CRLF is no stray one, though its LF is not shown. */
static bool put_text(struct buf *out, struct slice body)
{
	bool cr = body.len && body.data[body.len - 1] == '\r', whole;

	buf_char(out, '"');
	whole = put_stored(out, body.data, body.len - cr);
	if (cr && whole)
		buf_str(out, "\\r");
	buf_char(out, '"');
	return whole;
}

static void put_file(struct buf *out, const struct footer *footer)
{
	char name[LIMIT_FILE_NAME];
	size_t n = footer_file(footer, name);

	if (!n)
		return;
	buf_str(out, ",\"file\":");
	put_string(out, name, n);
}

static size_t format(
    char *event, size_t size, uint64_t number, const char *record, size_t len)
{
	struct footer f;
	struct slice body;
	struct buf out;

	buf_init(&out, event, size);
	room_record(record, len, &body, &f);
	buf_fmt(&out, "id: %" PRIu64 "\ndata: {\"number\":%" PRIu64 ",", number,
	    number);
	buf_str(&out, "\"author\":");
	put_string(&out, f.author.data, at_most(f.author, EVENTS_AUTHOR));
	buf_str(&out, ",\"time\":");
	put_string(&out, f.time.data, at_most(f.time, EVENTS_TIME));
	buf_str(&out, ",\"text\":");
	if (!put_text(&out, body))
		buf_str(&out, ",\"cut\":true");
	put_file(&out, &f);
	buf_str(&out, "}\n\n");
	return out.len;
}

size_t events_format(
    char event[EVENTS_MAX], uint64_t number, const char *record, size_t len)
{
	return format(event, EVENTS_MAX, number, record, len);
}

/* --- of a room -------------------------------------------------------------
 */

/* Where a line begins with a single backslash, or len. */
static size_t find_footer(const char *text, size_t len)
{
	const char *at = text;

	for (; (at = memchr(at, '\\', len - (size_t)(at - text))); at++) {
		size_t i = (size_t)(at - text);

		if ((i == 0 || at[-1] == '\n') && footer_is(at, len - i))
			return i;
	}
	return len;
}

/* Makes of a record that is too long one that is not: the text's beginning,
 * then the footer line if that has a usual length. */
static long shorten(const struct room *room, const struct room_span *span,
    char scratch[EVENTS_RECORD])
{
	size_t head = LIMIT_MESSAGE_STORED;
	char *tail = scratch + head;
	const char *newline;
	int r = room_read(room, span->start, scratch, head);

	if (r == 0)
		r = room_read(
		    room, span->end - LIMIT_FOOTER - 1, tail, LIMIT_FOOTER + 1);
	if (r < 0)
		return r;
	if (find_footer(scratch, head) < head)
		return (long)head; /* what is too long is the footer */
	newline = memrchr(tail, '\n', LIMIT_FOOTER);
	if (!newline) {
		memcpy(tail, "\n\\", 2);
		return (long)head + 2;
	}
	r = (int)(tail + LIMIT_FOOTER + 1 - newline);
	memmove(tail, newline, (size_t)r);
	return (long)head + r;
}

static long read_record(const struct room *room, const struct room_span *span,
    char scratch[EVENTS_RECORD])
{
	size_t len = (size_t)(span->end - span->start);
	int r;

	if (len > EVENTS_RECORD)
		return shorten(room, span, scratch);
	r = room_read(room, span->start, scratch, len);
	return r < 0 ? r : (long)len;
}

long events_record(
    const struct room *room, uint64_t number, char scratch[EVENTS_RECORD])
{
	struct room_span span;
	int r = room_find(room, number, &span);

	return r < 0 ? r : read_record(room, &span, scratch);
}

long events_read(char event[EVENTS_MAX], const struct room *room,
    uint64_t number, char scratch[EVENTS_RECORD])
{
	long n = events_record(room, number, scratch);

	return n < 0 ? n
		     : (long)events_format(event, number, scratch, (size_t)n);
}

/* Formats the next one behind the others. 1, 0 if it does not fit, -errno. */
static int add(struct events *e, const struct room *room)
{
	size_t at = e->count ? e->ends[e->count - 1] : 0, most;
	struct room_span span;
	long n = room_find(room, e->first + e->count, &span);

	if (n < 0)
		return (int)n;
	most = span.end - span.start < LIMIT_MESSAGE
		   ? (size_t)(span.end - span.start)
		   : LIMIT_MESSAGE;
	most = EVENTS_FIELDS + 3 * most;
	if (most > sizeof e->data - at)
		return 0;
	n = read_record(room, &span, e->scratch);
	if (n < 0)
		return (int)n;
	n = (long)format(
	    e->data + at, most, e->first + e->count, e->scratch, (size_t)n);
	e->ends[e->count++] = (uint32_t)(at + (size_t)n);
	return 1;
}

int events_fill(struct events *e, const struct room *room, uint64_t first)
{
	int r = 1;

	e->first = first;
	e->count = 0;
	while (r == 1 && e->count < EVENTS_BATCH &&
	       first + e->count <= room->count)
		r = add(e, room);
	if (r < 0)
		e->count = 0;
	return r < 0 ? r : 0;
}
