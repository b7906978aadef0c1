/*
 * The bytes of toychat (specs/toychat.txt): pure functions over pointer and
 * length, nothing is allocated, nothing outside what is given is looked at.
 *
 *	command = word *(" " field) CRLF
 *	upload = "upload " name " " length " " contents CRLF
 *
 * Only CRLF ends a command; an LF or a CR alone is part of it, a NUL too.
 * Replies have the same form, with "file" in the place of "upload": the client
 * reads them with the same functions.
 *
 * To read: keep what came, from the command's first byte on, in a buffer of
 * TOYCHAT_COMMAND_MAX + 2 bytes, and ask toychat_scan() when more has come.
 * It consumes a whole command, to be taken apart by toychat_fields(), or the
 * head of an upload: then toychat_counted(), and all that comes next goes
 * through a toychat_payload until that ends.
 *
 * UTF-8 and what a field may hold are the caller's to check.
 */
#ifndef TOYCHAT_WIRE_H
#define TOYCHAT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/footer.h"

/* A command without its CRLF, or an upload's head with its last space. */
#define TOYCHAT_COMMAND_MAX (64 * 1024)
/* An upload's length: decimal digits, leading zeros counted. */
#define TOYCHAT_LENGTH_DIGITS 10

/* The most fields that anything has: those of "message". */
#define TOYCHAT_FIELDS 4

#define TOYCHAT_CRLF "\r\n"

/* --- commands --- */

/* How far a command was looked at, so that no byte is looked at twice. */
struct toychat_scan {
	const char *counted; /* the word with counted contents: "upload" */
	size_t max; /* bytes of a command: TOYCHAT_COMMAND_MAX */
	size_t seen; /* bytes of this command, no end among them */
	unsigned spaces; /* among those */
	bool is_counted; /* it begins with that word and a space */
};

/* A command, slices of the bytes that were given. */
struct toychat_command {
	struct slice word; /* up to the first space; may be empty */
	struct slice tail; /* the rest: "", or a space and the fields */
	bool counted; /* an upload's head, complete */
};

/* counted, "upload" or for replies "file", must outlive the scan. */
void toychat_scan_init(struct toychat_scan *, const char *counted, size_t max);

/* Looks for the end of the command that begins at the first of these bytes;
 * those of the last call must still be at its front, wherever they lie now.
 * Returns the bytes it takes up, CRLF included, and is ready for the next one;
 * or -EAGAIN if bytes are missing; or -EMSGSIZE as soon as it must be longer
 * than max ("command too long"), and then again at every call. What it
 * returns does not depend on how the bytes came. An "upload" that a CRLF ends
 * before its third space is an ordinary command, with too few fields. */
long toychat_scan(
    struct toychat_scan *, struct toychat_command *ret, const char *, size_t);

/* Takes the tail apart into exactly count fields (0 to TOYCHAT_FIELDS), the
 * last one with all that is left, spaces too. Returns 0, or -EINVAL ("wrong
 * number of fields"): one is missing or empty, or there is anything at all and
 * count is 0. The last one may be empty, its space being there, if so said (the
 * message of a `send`, which has an error of its own). */
int toychat_fields(const struct toychat_command *, struct slice *ret_fields,
    unsigned count, bool last_may_be_empty);

/* --- counted contents --- */

/* The fields of a counted command's head. Returns 0, or -EINVAL for a length
 * that is not 1 to TOYCHAT_LENGTH_DIGITS digits ("invalid length field of
 * upload message"): pass what comes to toychat_payload_drop(). The name may be
 * empty. Nothing is written on failure. */
int toychat_counted(const struct toychat_command *, struct slice *ret_name,
    uint64_t *ret_length);

enum toychat_end {
	TOYCHAT_MORE, /* not at its end */
	TOYCHAT_WHOLE, /* all contents and their CRLF were there */
	TOYCHAT_MALFORMED, /* no CRLF after them; dropped up to the next one */
};

/* What follows the head of an upload, whether it is stored or read past. */
struct toychat_payload {
	uint64_t left; /* of the contents: whoever moves them by other means
			* subtracts here */
	int state;
};

/* So many bytes of contents will come, and CRLF. */
void toychat_payload_init(struct toychat_payload *, uint64_t length);

/* Their number is not known: drops what comes, up to CRLF, however much. */
void toychat_payload_drop(struct toychat_payload *);

/* Takes bytes: the first *ret_contents of them are contents. Sets *ret_used to
 * how many belong to the upload: all of them if TOYCHAT_MORE is returned,
 * else what follows is the next command. Not to be called after its end. A
 * caller that wants to answer before the end of what is dropped sees
 * toychat_payload_is_bad(). */
enum toychat_end toychat_payload_feed(struct toychat_payload *, const char *,
    size_t, size_t *ret_contents, size_t *ret_used);

/* Is it already known that it will end as TOYCHAT_MALFORMED? */
bool toychat_payload_is_bad(const struct toychat_payload *);

/* --- replies --- */

/* Each writes a reply, or a part of one, and returns its length; or -ENOSPC if
 * it does not fit size (then what is at out is undefined); or -EINVAL for a
 * field that would be two, or none, or end the reply: one that is empty or
 * holds a space, CR or LF; a last one (error, body) that holds CRLF. */

/* "success" and "error TEXT". */
long toychat_success(char *out, size_t size);
long toychat_error(char *out, size_t size, const char *text);

/* "message TIME FROM TO BODY"; TIME as clock_text() writes it. */
long toychat_message(char *out, size_t size, struct slice when,
    struct slice from, struct slice to, struct slice body);

/* "file NAME LENGTH ", after which the contents and TOYCHAT_CRLF follow. */
long toychat_file(char *out, size_t size, struct slice name, uint64_t length);

/* A list of any length goes out piece by piece: "inbox" or "filelist", its
 * entries (" NAME COUNT", " NAME"), TOYCHAT_CRLF. */
long toychat_inbox_entry(
    char *out, size_t size, struct slice name, uint64_t count);
long toychat_filelist_entry(char *out, size_t size, struct slice name);

/* A message of many lines in one: each LF, with the CR before it if there is
 * one, becomes a space (clarifications, `recv *`). out takes len bytes and may
 * equal the source. Returns the length. */
size_t toychat_one_line(char *out, const char *, size_t);

#endif
