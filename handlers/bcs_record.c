/*
 * Records as delivers. Ours are short enough to be one each; those of other
 * servers' histories, or written by hand, can be of any length and hold
 * anything: they are delivered piece by piece, each read anew.
 */
#include "bcs.h"

#include <errno.h>
#include <string.h>

#include "lib/name.h"
#include "lib/parse.h"
#include "lib/text.h"

/* What is not room text can become three times as long. */
#define DIRTY (BCS_STRING_MAX / 3)
/* ... and is cleaned to behind where it stands. */
#define CLEAN (BCS_RECORD - BCS_STRING_MAX)
/* Of an author, so much is looked at. */
#define AUTHOR (BCS_FROM / 3)

_Static_assert(BCS_STRING_MAX < CLEAN, "a piece and its clean form fit");

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The length that a text is to be cut to, at most `most`, less than len, so
 * that no character is cut in two. */
static size_t cut(const char *text, size_t most)
{
	size_t n = most;

	while (n > most - 3 && is_continuation(text[n]))
		n--;
	/* More of them in a row are no character. */
	return is_continuation(text[n]) ? most : n;
}

static bool is_bcs(const struct footer *footer)
{
	return parse_is(footer->door.data, footer->door.len, BCS_DOOR);
}

/* Who spoke through bcs is shown by the bare name. */
static void set_from(struct session *s, const struct footer *footer)
{
	struct slice author = footer->author;

	if (is_bcs(footer) && author.len && author.data[0] == '~') {
		author.data++;
		author.len--;
	}
	if (author.len > AUTHOR)
		author.len = cut(author.data, AUTHOR);
	s->piece.from_len = text_clean(s->from, author.data, author.len);
}

static struct slice from(const struct session *s)
{
	return (struct slice){s->from, s->piece.from_len};
}

static void pass(struct session *s)
{
	s->piece.begun = false;
	s->next++;
}

static void tell(struct session *s, const char *text, size_t len)
{
	s->delivered++;
	bcs_tell(s, from(s), text, len);
}

/* --- a whole record --------------------------------------------------- */

static bool is_clean(const char *text, size_t len)
{
	return len == 0 || text_check(text, len, NULL) == TEXT_FINE;
}

static void begin_pieces(struct session *s, uint64_t start, uint64_t end)
{
	s->piece.begun = true;
	s->piece.line = true;
	s->piece.at = start;
	s->piece.end = end;
}

/* Does it announce a file by its name? */
static bool tell_file(struct session *s, const struct footer *footer)
{
	char name[LIMIT_FILE_NAME];
	size_t n = footer_file(footer, name);
	struct bcs_frame frame = {.type = BCS_FNOTIFY,
	    .first = from(s),
	    .second = (struct slice){name, n}};

	if (file_name_check(name, n) != FILE_NAME_FINE)
		return false;
	bcs_put(s, &frame);
	return true;
}

/* Does somebody speak through bcs of whom our client was never told? */
static bool is_stranger(const struct session *s, const struct footer *footer,
    char ret_name[LIMIT_NAME + 1])
{
	size_t len = s->piece.from_len;

	if (!is_bcs(footer) || len > LIMIT_NAME)
		return false;
	memcpy(ret_name, s->from, len);
	ret_name[len] = '\0';
	return !names_have(&s->shown, ret_name);
}

/* Could he have come since? What was written by hand may have any author, and
 * one of our own name was here before us. */
static bool may_have_come(const struct session *s, const char *name)
{
	return strcmp(name, s->name) != 0 &&
	       name_check(name, strlen(name)) == NAME_FINE;
}

static bool is_ours(const struct session *s, const struct footer *footer)
{
	return bcs_own_perhaps(s, s->next) && is_bcs(footer) &&
	       parse_is(footer->author.data, footer->author.len, s->author);
}

/* The record stands in s->record. */
static void whole(struct session *s, const struct room_span *span, size_t len)
{
	char name[LIMIT_NAME + 1];
	struct footer footer;
	struct slice body;
	bool stranger;
	size_t n;

	room_record(s->record, len, &body, &footer);
	set_from(s, &footer);
	stranger = is_stranger(s, &footer, name);
	if (stranger && s->next > s->early && may_have_come(s, name) &&
	    bcs_roster_speaks(s, name))
		return;
	/* Between the place where the others were told of us and our welcome,
	 * somebody may have left whom our client was never told of: what he
	 * said is not for it. */
	if ((stranger && s->next <= s->early) || is_ours(s, &footer) ||
	    (span->upload && tell_file(s, &footer))) {
		pass(s);
		return;
	}
	n = text_unescape(s->record, body.data, body.len);
	if (n <= BCS_STRING_MAX && is_clean(s->record, n)) {
		pass(s);
		tell(s, s->record, n);
	} else {
		begin_pieces(s, span->start, span->start + body.len);
	}
}

/* --- pieces ----------------------------------------------------------- */

/* Of a record that is too long, its end was read: the footer is there, unless
 * that alone is too long, which then is text. */
static void from_end(struct session *s, const struct room_span *span)
{
	uint64_t start = span->end - sizeof s->record;
	struct footer footer = {.author = {"", 0}, .door = {"", 0}};
	struct slice body;

	room_record(s->record, sizeof s->record, &body, &footer);
	if (body.len == 0)
		footer.author.len = 0;
	set_from(s, &footer);
	begin_pieces(s, span->start, body.len ? start + body.len : span->end);
}

/* Undoes escapes, which stand where lines begin: the first bytes may belong
 * to a line that began in the piece before. */
static size_t unescape(char *text, size_t len, bool line)
{
	char *newline = line ? NULL : memchr(text, '\n', len);
	size_t rest = line ? 0 : newline ? (size_t)(newline - text) + 1 : len;

	return rest + text_unescape(text + rest, text + rest, len - rest);
}

/* How much of the text makes a piece: no character, CR LF or doubled backslash
 * is cut in two. text[most] can be looked at. */
static size_t piece_length(const char *text, size_t most)
{
	size_t n = cut(text, most);

	while (n > most - 8 && (text[n - 1] == '\r' || text[n - 1] == '\\'))
		n--;
	return n;
}

/* Reads the next piece of at most so many bytes. Its length or -errno. */
static long read_piece(struct session *s, size_t most)
{
	uint64_t left = s->piece.end - s->piece.at;
	size_t len = left > most ? most + 1 : (size_t)left;
	int r = room_read(&s->room, s->piece.at, s->record, len);

	if (r < 0)
		return r;
	return (long)(left > most ? piece_length(s->record, most) : len);
}

/* Reads a piece of at most so many bytes and undoes its escapes. The length of
 * what it says, and *ret_taken in the room; or -errno. */
static long take_piece(struct session *s, size_t most, size_t *ret_taken)
{
	long n = read_piece(s, most);
	bool line = s->piece.line;

	if (n <= 0)
		return n < 0 ? n : -EUCLEAN;
	*ret_taken = (size_t)n;
	return (long)unescape(s->record, (size_t)n, line);
}

/* Does the byte before this place end a line? */
static bool begins_line(const struct session *s, uint64_t at)
{
	char before;

	return room_read(&s->room, at - 1, &before, 1) == 0 && before == '\n';
}

static int next_piece(struct session *s)
{
	const char *text = s->record;
	size_t taken = 0;
	long n = take_piece(s, BCS_STRING_MAX, &taken);

	if (n >= 0 && !is_clean(text, (size_t)n)) {
		n = take_piece(s, DIRTY, &taken);
		text = s->record + CLEAN;
		if (n >= 0)
			n = (long)text_clean(
			    s->record + CLEAN, s->record, (size_t)n);
	}
	if (n < 0)
		return (int)n;
	s->piece.at += taken;
	if (s->piece.at >= s->piece.end)
		pass(s);
	else
		s->piece.line = begins_line(s, s->piece.at);
	tell(s, text, (size_t)n);
	return 0;
}

/* --- either ----------------------------------------------------------- */

/* 0 or -errno */
static int begin(struct session *s)
{
	struct room_span span;
	bool fits;
	size_t len;
	int r = room_find(&s->room, s->next, &span);

	if (r < 0)
		return r;
	fits = span.end - span.start <= sizeof s->record;
	len = fits ? (size_t)(span.end - span.start) : sizeof s->record;
	s->fat |= len > 2048;
	r = room_read(&s->room, span.end - len, s->record, len);
	if (r < 0)
		return r;
	if (fits)
		whole(s, &span, len);
	else
		from_end(s, &span);
	return 0;
}

/* Passing over what cannot be read would be a lie: whoever comes back begins
 * behind it. */
static void failed(struct session *s, int error)
{
	struct log_line line;

	bcs_log(s, &line, LOG_ERR, "failure");
	log_number(&line, "message", (int64_t)s->next);
	log_errno(&line, error);
	log_end(&line);
	s->exit = 111;
	bcs_close(s);
}

void bcs_record(struct session *s)
{
	int r = 0;

	if (bcs_own(s, s->next))
		pass(s);
	else if (s->piece.begun)
		r = next_piece(s);
	else
		r = begin(s);
	if (r < 0)
		failed(s, r);
}
