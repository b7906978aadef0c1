/*
 * Room text (design 4): valid UTF-8 without NUL, C0 controls other than TAB
 * and LF (CR only right before LF), DEL and C1 controls, at most
 * LIMIT_MESSAGE bytes. And the two forms of a message: as people typed it, and
 * as a room stores it, where a line that begins with a backslash has that
 * backslash doubled, since a line with one backslash is a footer.
 *
 * Pure functions over pointer and length; nothing is allocated.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum text_fault {
	TEXT_FINE = 0,
	TEXT_EMPTY, /* no byte at all */
	TEXT_TOO_LONG, /* more than LIMIT_MESSAGE bytes */
	TEXT_NOT_UTF8,
	TEXT_CONTROL, /* a control character that is not allowed */
	TEXT_CR, /* a CR without LF after it, at the end too */
	TEXT_FOOTER, /* stored form only: a line begins with one backslash */
};

/* What is wrong with a message as typed. ret_at, if not NULL, is set to the
 * offset of the first bad byte when the result is not TEXT_FINE. */
enum text_fault text_check(const char *, size_t, size_t *ret_at);

/* The same for a message already in stored form (the chatfile door): besides,
 * every line, an unterminated last one too, begins with a backslash only if it
 * begins with two (specs/chatfile.txt). */
enum text_fault text_check_stored(const char *, size_t, size_t *ret_at);

/* An English sentence without final stop, for people; never NULL. */
const char *text_fault_says(enum text_fault);

/* The stored form of a message: its escaped text (the caller adds the "\n").
 * out takes up to 2 * len bytes. Returns the length. */
size_t text_escape(char *out, const char *, size_t);

/* Back: undoes text_escape exactly, in place or elsewhere (out may equal the
 * source). Returns the length. */
size_t text_unescape(char *out, const char *, size_t);

/* Copies text that may not be room text (histories of other servers), with
 * U+FFFD for each byte or character that a terminal should not see. out takes
 * up to 3 * len bytes. Returns the length. (design 4, "Reading is lenient") */
size_t text_clean(char *out, const char *, size_t);

#endif
