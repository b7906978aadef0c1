/*
 * The line that ends a record (design 4):
 *
 *	\AUTHOR @ TIMESTAMP DOOR[ key=value]...
 *
 * Reading is lenient: any line that begins with one backslash (not two) is a
 * footer; fields that it lacks are empty. Writing is strict.
 */
#ifndef FOOTER_H
#define FOOTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

/* A piece of a line, not NUL-terminated; never NULL. */
struct slice {
	const char *data;
	size_t len;
};

/* Slices of the line that was parsed, valid as long as it is. */
struct footer {
	struct slice author; /* as stored, a leading ~ included */
	struct slice time; /* field 2, where field 1 is "@" or anything */
	struct slice door;
	struct slice keys; /* the rest: "key=value key=value" */
};

/* What we write. author is an account's name, or `~` and a name. time is
 * seconds since 1970. keys is "" or "key=value key=value": no spaces within,
 * no control characters: the caller's care. */
struct footer_new {
	const char *author;
	int64_t time;
	const char *door;
	const char *keys;
};

/* Does this line, given without its "\n", end a record? */
bool footer_is(const char *line, size_t len);

/* Takes a footer line, without its "\n", apart: fields stand between single
 * spaces. A final CR does not count. What others wrote may be no UTF-8, of any
 * length and hold control characters: text_clean() it before it is shown. */
void footer_parse(struct footer *ret, const char *line, size_t len);

/* The value of a key: true and *ret if it is there (the first counts). */
bool footer_value(const struct footer *, const char *key, struct slice *ret);

/* The name of the upload that it announces (file=), decoded: 1 to
 * LIMIT_FILE_NAME bytes, of anything. Their number; 0: it announces none. */
size_t footer_file(const struct footer *, char ret_name[LIMIT_FILE_NAME]);

/* Writes a footer line with its "\n". Returns its length, or -ENOSPC, or
 * -EINVAL for a field that would be two, or another line, or no footer: an
 * author or door that is empty or holds a space or a control character, an
 * author with a backslash in front, a year past 9999. */
int footer_format(char *out, size_t size, const struct footer_new *);

/* Percent-encodes all but A-Za-z0-9._~- and back (file= and headers). Encode
 * takes up to 3 * len bytes. Decode works in place too; it returns the length,
 * or -EINVAL for a broken escape. */
size_t percent_encode(char *out, const char *, size_t);
long percent_decode(char *out, const char *, size_t);

#endif
