#include "http_field.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "parse.h"

/* A place in a value that is being read. */
struct cursor {
	const char *at;
	const char *end;
};

static bool skip(struct cursor *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
		return false;
	c->at += len;
	return true;
}

static bool skip_bytes_unit(struct cursor *c)
{
	if (c->end - c->at < 6 || strncasecmp(c->at, "bytes=", 6) != 0)
		return false;
	c->at += 6;
	return true;
}

/* Reads digits; what does not fit is UINT64_MAX. False if there are none. */
static bool number(struct cursor *c, uint64_t *ret)
{
	const char *start = c->at;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
		c->at++;
	if (parse_u64(start, (size_t)(c->at - start), UINT64_MAX, ret) ==
	    -ERANGE)
		*ret = UINT64_MAX;
	return c->at > start;
}

int http_range_since(const char *text, size_t len, uint64_t *ret_since)
{
	struct cursor c = {text, text + len};
	uint64_t first, last;

	if (!skip_bytes_unit(&c) || !number(&c, &first) || !skip(&c, "-"))
		return -EINVAL;
	(void)number(&c, &last);
	if (c.at != c.end || first > INT64_MAX)
		return -EINVAL;
	*ret_since = first;
	return 0;
}

static enum http_range range_suffix(
    uint64_t length, uint64_t size, uint64_t *ret_start, uint64_t *ret_end)
{
	if (length == 0 || size == 0)
		return HTTP_RANGE_NONE;
	*ret_start = length < size ? size - length : 0;
	*ret_end = size;
	return HTTP_RANGE_PART;
}

enum http_range http_range(const char *text, size_t len, uint64_t size,
    uint64_t *ret_start, uint64_t *ret_end)
{
	struct cursor c = {text, text + len};
	uint64_t first = 0, last = UINT64_MAX;
	bool begins, ends;

	if (!skip_bytes_unit(&c))
		return HTTP_RANGE_ALL;
	begins = number(&c, &first);
	if (!skip(&c, "-"))
		return HTTP_RANGE_ALL;
	ends = number(&c, &last);
	if (c.at != c.end || (!begins && !ends) || (begins && last < first))
		return HTTP_RANGE_ALL;
	if (!begins)
		return range_suffix(last, size, ret_start, ret_end);
	if (first >= size)
		return HTTP_RANGE_NONE;
	*ret_start = first;
	*ret_end = last < size ? last + 1 : size;
	return HTTP_RANGE_PART;
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

/* Steps over one `"tag"` or `W/"tag"` and the comma after it. False where
 * there is none. */
static bool next_tag(
    struct cursor *c, const char **ret_tag, size_t *ret_len, bool *ret_weak)
{
	const char *close;

	while (c->at < c->end && strchr(" \t,", *c->at) && *c->at)
		c->at++;
	*ret_weak = skip(c, "W/");
	if (c->at == c->end || *c->at != '"')
		return false;
	close = memchr(c->at + 1, '"', (size_t)(c->end - c->at) - 1);
	if (!close)
		return false;
	*ret_tag = c->at;
	*ret_len = (size_t)(close + 1 - c->at);
	c->at = close + 1;
	return true;
}

bool http_tag_matches(
    const char *list, size_t len, const char *tag, enum http_match how)
{
	struct cursor c = {list, list + len};
	const char *one;
	size_t one_len;
	bool weak;

	if (parse_is(list, len, "*"))
		return true;
	while (next_tag(&c, &one, &one_len, &weak))
		if (parse_is(one, one_len, tag) && (how == HTTP_WEAK || !weak))
			return true;
	return false;
}

void http_date_text(int64_t seconds, char ret_text[HTTP_DATE])
{
	static const char days[7][4] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;

	clock_calendar(seconds, &tm);
	/* The remainders are for gcc, which fears for the length. */
	(void)snprintf(ret_text, HTTP_DATE,
	    "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	    tm.tm_mday % 100, months[tm.tm_mon], (tm.tm_year + 1900) % 10000,
	    tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

int http_date_parse(const char *text, size_t len, int64_t *ret_seconds)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
	    "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
	char copy[64];

	if (len >= sizeof copy)
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct tm tm = {0};
		const char *end = strptime(copy, forms[i], &tm);

		if (end == copy + len) {
			*ret_seconds = (int64_t)timegm(&tm);
			return 0;
		}
	}
	return -EINVAL;
}

/* Steps over everything up to the next comma outside of quotes. Returns its
 * start, blanks skipped, and cuts *ret_len at a `;` and trailing blanks. */
static const char *next_preference(struct cursor *c, size_t *ret_len)
{
	const char *start, *end = NULL;
	bool quoted = false;

	skip_blanks(c);
	for (start = c->at; c->at < c->end; c->at++) {
		if (*c->at == '"')
			quoted = !quoted;
		if (*c->at == ';' && !quoted && !end)
			end = c->at;
		if (*c->at == ',' && !quoted)
			break;
	}
	if (!end)
		end = c->at;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	c->at += c->at < c->end;
	*ret_len = (size_t)(end - start);
	return start;
}

static bool is_wait(struct cursor c, uint64_t *ret)
{
	bool quoted;

	if (c.end - c.at < 4 || strncasecmp(c.at, "wait", 4) != 0)
		return false;
	c.at += 4;
	skip_blanks(&c);
	if (!skip(&c, "="))
		return false;
	skip_blanks(&c);
	quoted = skip(&c, "\"");
	return number(&c, ret) && skip(&c, "\"") == quoted && c.at == c.end;
}

int http_prefer_wait(
    const char *text, size_t len, uint64_t max, uint64_t *ret_seconds)
{
	struct cursor c = {text, text + len};
	uint64_t seconds;
	size_t n;

	while (c.at < c.end) {
		const char *one = next_preference(&c, &n);

		if (is_wait((struct cursor){one, one + n}, &seconds)) {
			*ret_seconds = seconds < max ? seconds : max;
			return 0;
		}
	}
	return -ENOENT;
}

bool http_is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return len > 0;
}

/* Is the weight behind a coding ("; q=0", "; q=0.000") nought? */
static bool is_refused(const char *at, const char *end)
{
	const char *q = at;

	while (q < end && *q != 'q' && *q != 'Q')
		q++;
	for (q++; q < end && strchr("= \t", *q) && *q; q++)
		;
	if (q >= end || *q != '0')
		return false;
	while (q < end && (*q == '0' || *q == '.'))
		q++;
	return q == end || *q < '1' || *q > '9';
}

bool http_accepts(const char *text, size_t len, const char *coding)
{
	struct cursor c = {text, text + len};
	bool any = false;

	while (c.at < c.end) {
		size_t n;
		const char *one = next_preference(&c, &n);

		if (parse_is_case(one, n, coding))
			return !is_refused(one + n, c.at);
		if (parse_is(one, n, "*"))
			any = !is_refused(one + n, c.at);
	}
	return any;
}
