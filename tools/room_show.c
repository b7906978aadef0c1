/* parlance room show, and how records are shown. */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/footer.h"
#include "lib/text.h"

#define PIECE 16384

/* The longest beginning of text, at most `most` bytes, that does not end
 * within a character (of UTF-8; of anything else: most). */
static size_t whole_characters(const char *text, size_t len, size_t most)
{
	size_t cut = most;

	if (len <= most)
		return len;
	while (cut > most - 4 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return cut > most - 4 ? cut : most;
}

void show_slice(struct slice text, char *ret_text, size_t size)
{
	char clean[3 * 256];
	size_t n = whole_characters(text.data, text.len, sizeof clean / 3);

	n = text_clean(clean, text.data, n);
	n = whole_characters(clean, n, size - 1);
	memcpy(ret_text, clean, n);
	ret_text[n] = '\0';
}

void show_time(struct slice text, char *ret_text, size_t size)
{
	int64_t seconds;
	struct tm tm;
	time_t t;

	if (clock_parse(text.data, text.len, &seconds) == 0) {
		t = (time_t)seconds;
		if (localtime_r(&t, &tm) &&
		    strftime(ret_text, size, "%Y-%m-%d %H:%M:%S", &tm))
			return;
	}
	show_slice(text, ret_text, size);
}

/* Bytes [start, end) as they are. */
static int show_stored(const struct room *room, uint64_t start, uint64_t end)
{
	char piece[PIECE];
	size_t n;
	int r;

	for (; start < end; start += n) {
		n = sizeof piece;
		if (end - start < n)
			n = (size_t)(end - start);
		r = room_read(room, start, piece, n);
		if (r < 0)
			return r;
		if (fwrite(piece, 1, n, stdout) != n)
			return -EPIPE;
	}
	return 0;
}

/* Further lines are set in, so that none passes for a record's first. */
static void print_lines(const char *text, size_t len)
{
	const char *newline;
	size_t n;

	while ((newline = memchr(text, '\n', len))) {
		n = (size_t)(newline - text);
		(void)fwrite(text, 1, n, stdout);
		(void)fputs("\n  ", stdout);
		text += n + 1;
		len -= n + 1;
	}
	(void)fwrite(text, 1, len, stdout);
}

static void print_clean(const char *text, size_t len)
{
	char clean[3 * PIECE];
	size_t n, cleaned;

	for (; len; text += n, len -= n) {
		n = whole_characters(text, len, PIECE);
		cleaned = text_clean(clean, text, n);
		print_lines(clean, cleaned);
	}
}

/* A record that was read whole, for people; its text is unescaped in place. */
static void print_record(char *record, size_t len, uint64_t number)
{
	struct slice body;
	struct footer footer;
	char author[256], when[64], door[64];

	room_record(record, len, &body, &footer);
	show_slice(footer.author, author, sizeof author);
	show_time(footer.time, when, sizeof when);
	show_slice(footer.door, door, sizeof door);
	(void)printf("#%ju %s%s%s%s%s%s\n", (uintmax_t)number, author,
	    *when ? ", " : "", when, *door ? " (" : "", door, *door ? ")" : "");
	body.len = text_unescape(record, body.data, body.len);
	print_clean(record, body.len);
	(void)fputs("\n\n", stdout);
}

static int show_readable(const struct room *room, uint64_t from)
{
	struct room_span span;
	char *record = NULL, *more;
	size_t len;
	int r = 0;

	for (; from <= room->count && !ferror(stdout); from++) {
		r = room_find(room, from, &span);
		if (r < 0)
			break;
		len = (size_t)(span.end - span.start);
		more = realloc(record, len);
		if (!more) {
			r = -ENOMEM;
			break;
		}
		record = more;
		r = room_read(room, span.start, record, len);
		if (r < 0)
			break;
		print_record(record, len, from);
	}
	free(record);
	return r < 0 ? r : ferror(stdout) ? -EPIPE : 0;
}

int show_records(
    const struct admin *admin, const struct room *room, uint64_t from)
{
	struct room_span span;
	int r;

	if (from > room->count)
		return 0;
	if (admin->options.readable || isatty(STDOUT_FILENO))
		return show_readable(room, from);
	r = room_find(room, from, &span);
	return r < 0 ? r : show_stored(room, span.start, room->end);
}

uint64_t show_from(const struct room *room, uint64_t last)
{
	return room->count > last ? room->count - last + 1 : 1;
}

int rooms_show(struct admin *admin, char **operands, int count)
{
	const struct options *o = &admin->options;
	struct rooms rooms;
	struct room room;
	int r = open_rooms(admin, &rooms);

	(void)count;
	if (r != DONE)
		return r;
	r = open_room(admin, &room, &rooms, operands[0], ROOM_READ);
	if (r == DONE) {
		r = show_records(
		    admin, &room, o->limited ? show_from(&room, o->last) : 1);
		r = r < 0 && r != -EPIPE ? complain_room(admin, room.name, r)
					 : finish(admin);
		room_close(&room);
	}
	rooms_close(&rooms);
	return r;
}
