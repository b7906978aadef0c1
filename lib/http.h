/*
 * HTTP/1.1 on one connection (RFC 9112), for any door: requests in, replies
 * out, keep-alive, pipelining, Expect, deadlines. It answers by itself what
 * is no request; everything else is its caller's to answer.
 *
 *	http_init(&http, &client, body, sizeof body);
 *	while ((r = http_wait(&http, deadline)) > 0 && http_next(&http) > 0) {
 *		... http.head: checks that need no body ...
 *		r = http_body(&http, &text);
 *		http_reply(&http, 200);
 *		http_field(&http, "ETag", "%s", tag);
 *		http_text(&http, "fine\n");
 *	}
 *	return http_end(&http);             the handler's exit status
 *
 * Each request gets exactly one reply. A body that was not read is skipped
 * before the next request if it is short, else the reply closes the
 * connection. Other files: http_head.h (parser), http_field.h (values of
 * fields), http_file.h (files), http_login.h (Basic).
 *
 * -errno of any call: the client is gone or takes nothing; no reply is
 * possible any more and http_wait() will say 0.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "http_head.h"
#include "io.h"
#include "limits.h"

/* Behind the longest head there is place for chunks as they come. */
#define HTTP_IN (LIMIT_HEAD + 4096)
#define HTTP_REPLY_HEAD 2048
#define HTTP_PARTS 4

/* Large: keep it in static storage. On the stack, -fstack-clash-protection
 * would touch each of its pages. */
struct http {
	struct client *client;
	const char *common; /* field lines for every reply, or "" */

	/* The request; slices are good until the next http_next(). */
	struct http_head head;

	/* The last reply, for the log. */
	unsigned status; /* 0: none yet */
	uint64_t sent; /* bytes of its body */
	bool close; /* it is the last one */
	bool gone; /* the client hung up, or took nothing for too long */
	bool faulty; /* something could not be understood: exit status 1 */

	/* Private. */
	bool first; /* no request yet */
	bool unread; /* the body, or some of it */
	unsigned refusals; /* answers of 401 in a row */
	uint64_t left; /* of a counted body: bytes not taken out of `in` */
	char *body; /* the caller's */
	size_t body_cap;
	size_t used; /* bytes of `in` that are done with */
	size_t len; /* bytes in `in` */
	struct buf reply;
	char reply_data[HTTP_REPLY_HEAD];
	char in[HTTP_IN];
};

/* A connection whose messages have at most body_cap bytes, which are put into
 * the caller's body; it also serves as scratch for replies. */
void http_init(struct http *, struct client *, char *body, size_t body_cap);

/* Waits for the next request's first byte: 1 it is there; 0 there is no next
 * one (end of input, SIGTERM, the last reply closed); -ETIMEDOUT: call it
 * again or end. The first request's head has its own deadline. */
int http_wait(struct http *, int64_t deadline);

/* Reads a head: 1; 0 if there was none or it was answered here (400, 408, 431,
 * 501, 505). */
int http_next(struct http *);

/* Reads the whole body, saying "100 Continue" if that is awaited: 1 and its
 * bytes, good until the next reply; 0 if it was answered here (400, 408, 413,
 * 417); -errno. */
int http_body(struct http *, struct slice *ret);

/* A reply: its status, fields, and one of the calls below, which send it.
 * Date, Content-Length and Connection are added. 0 or -errno. */
void http_reply(struct http *, unsigned status);
void http_field(struct http *, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A piece of a body: memory, or bytes of a file if data is NULL. */
struct http_part {
	const char *data;
	int file;
	uint64_t offset;
	uint64_t len;
};

/* Sends up to HTTP_PARTS pieces; type NULL: no Content-Type. With files among
 * them, none may lie in the request's body (it is used as scratch). */
int http_send(
    struct http *, const char *type, const struct http_part *, size_t count);

/* Sends the head of a reply whose body has no known length: the caller writes
 * that to the client, and the connection ends with it. 0 or -errno. */
int http_stream(struct http *, const char *type);

/* Sends short text/plain. */
int http_text(struct http *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* http_reply() and http_text() in one. */
int http_error(struct http *, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 405 with Allow. */
int http_not_allowed(struct http *, const char *allow);

/* For waits of one's own: what to poll for to learn that the client hung up,
 * and whether it did (then `gone` is set). The end of input counts on a socket
 * only (design 3). */
struct pollfd http_hangup_poll(const struct http *);
bool http_hung_up(struct http *, const struct pollfd *);

/* Gives the pages of big buffers back while nothing is happening. */
void http_trim(struct http *);

/* The same for other memory, static or mapped, whose contents are done with:
 * whole pages of it. NULL is no memory. */
void http_give_back(char *, size_t len);

/* Lingers where the last reply may be lost to a reset. Returns the exit
 * status: 1 if something could not be understood, else 0. */
int http_end(struct http *);

/* "Not Found" and so on; "Unknown" for what we never say. */
const char *http_reason(unsigned status);

#endif
