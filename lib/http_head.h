/*
 * A request's head, and the chunked coding of its body: llhttp, and around it
 * the strictness that keeps a request from meaning one thing to a proxy and
 * another to us: lines end in CRLF and nothing else, no folded fields, no
 * control characters, one Content-Length or one "chunked".
 *
 *	http_head_init(&head);
 *	while ((n = http_head_feed(&head, in, len)) == -EAGAIN)
 *		... read more behind in + len ...
 *
 * The parser looks at each byte once and keeps slices of the input, so `in`
 * must be the same memory from call to call. Nothing is allocated or copied.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "footer.h"
#include "limits.h"

/* How a body is delimited. */
enum http_framing {
	HTTP_EMPTY, /* there is none */
	HTTP_LENGTH, /* head.length bytes */
	HTTP_CHUNKED,
	HTTP_BARE, /* POST that says nothing: to the end of input */
};

struct http_head_field {
	struct slice name;
	struct slice value; /* no blanks at its ends */
};

/* Where the check of the bytes is. */
enum http_scan {
	HTTP_SCAN_START, /* before the request line: empty lines */
	HTTP_SCAN_LINE, /* in it */
	HTTP_SCAN_FIELD, /* at the start of a line after it */
	HTTP_SCAN_NAME,
	HTTP_SCAN_VALUE,
};

struct http_head {
	/* What it says, once complete. */
	unsigned method; /* llhttp's number: HTTP_GET, HTTP_POST ... */
	struct slice target; /* as sent */
	struct slice path; /* of the target: begins with "/", or is "*" ... */
	struct slice query; /* behind its "?"; data NULL: none */
	unsigned minor; /* HTTP/1.0 or 1.1 */
	bool keep; /* the client would go on after the answer */
	enum http_framing framing;
	uint64_t length; /* HTTP_LENGTH only, never 0 */
	unsigned count;
	struct http_head_field fields[LIMIT_HEADERS];

	/* After -EPROTO: how to refuse it. */
	unsigned status;
	const char *why; /* a sentence without stop */

	/* Private. */
	llhttp_t parser;
	enum http_scan scan;
	bool cr; /* the last byte was one */
	char first; /* byte of the request line */
	unsigned names; /* lines that are fields */
	size_t seen;
	size_t end; /* the head's length, once complete */
	struct buf *body; /* where chunks go; NULL in the head */
	bool in_value; /* fields[count - 1] has a value already */
};

/* Before each request. */
void http_head_init(struct http_head *);

/* Goes on with a head of which len bytes are there, those of earlier calls
 * included. Returns its length (> 0: complete; what follows is the body),
 * -EAGAIN, or -EPROTO with status and why. */
long http_head_feed(struct http_head *, const char *in, size_t len);

/* The number of fields of that name, in any case; *ret is the first's value,
 * or empty. */
unsigned http_head_find(
    const struct http_head *, const char *name, struct slice *ret);

/* Continues behind the head: takes chunks apart, appending what they hold to
 * body. Returns the number of bytes used up, *ret_done telling whether the
 * last chunk's end was among them; -EPROTO, or -EMSGSIZE when body is full. */
long http_head_chunks(struct http_head *, const char *in, size_t len,
    struct buf *body, bool *ret_done);

#endif
