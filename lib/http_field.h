/*
 * The values of HTTP fields: ranges, entity tags, dates, preferences. Pure
 * functions over pointer and length; nothing is copied or allocated, and what
 * is malformed is a result, not an error.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL. */
#define HTTP_DATE 30

/* What a Range asks of something `size` bytes long (RFC 9110, 14). */
enum http_range {
	HTTP_RANGE_ALL, /* nothing we honour: no range, several, malformed */
	HTTP_RANGE_PART, /* [*ret_start, *ret_end) of it */
	HTTP_RANGE_NONE, /* nothing of it: 416 */
};

/* For GET. One range, a suffix range too; numbers of any length. The results
 * are written with HTTP_RANGE_PART only. */
enum http_range http_range(const char *, size_t, uint64_t size,
    uint64_t *ret_start, uint64_t *ret_end);

/* For the chatfile's POST: `bytes=N-` or `bytes=N-M`, M any digits and
 * ignored, N below 2^63 (clarifications, chatfile). 0 or -EINVAL. */
int http_range_since(const char *, size_t, uint64_t *ret_since);

/* Is the tag, given with its quotes and strong, in a list of tags, or is the
 * list "*"? Weak: `W/` counts as equal (If-None-Match); strong: it never
 * matches (If-Match, If-Range). */
enum http_match { HTTP_STRONG, HTTP_WEAK };
bool http_tag_matches(
    const char *list, size_t len, const char *tag, enum http_match);

/* Writes and reads dates, seconds since 1970. Reads the three forms that RFC
 * 9110, 5.6.7 demands: 0, or -EINVAL. */
void http_date_text(int64_t seconds, char ret_text[HTTP_DATE]);
int http_date_parse(const char *, size_t, int64_t *ret_seconds);

/* Prefer: wait=SECONDS (RFC 7240) in one field's value. 0, or -ENOENT if it
 * says nothing of the kind; a number of any length is cut to max. */
int http_prefer_wait(const char *, size_t, uint64_t max, uint64_t *ret_seconds);

/* Does an Accept-Encoding take this coding (RFC 9110, 12.5.3)? It, or "*",
 * stands there and not with q=0. */
bool http_accepts(const char *, size_t, const char *coding);

/* May the bytes stand in a method or a field's name (RFC 9110, 5.6.2)? */
bool http_is_token(const char *, size_t);

#endif
