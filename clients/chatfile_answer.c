#include "chatfile.h"

#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "lib/footer.h"
#include "lib/parse.h"
#include "lib/text.h"

#define WORDS_BYTES 200

/* The first line of what the server says about it, fit for a terminal. */
static const char *words(const struct answer *a, char out[3 * WORDS_BYTES + 3])
{
	const char *text = a->body.data + a->skip;
	size_t len = a->body.len - a->skip, n;

	if (!len)
		return "";
	if (len > WORDS_BYTES)
		len = WORDS_BYTES;
	for (n = 0; n < len && text[n] != '\n' && text[n] != '\r'; n++)
		;
	if (!n || text[0] == '<')
		return "";
	out[0] = ':';
	out[1] = ' ';
	out[2 + text_clean(out + 2, text, n)] = 0;
	return out;
}

static enum outcome refused(
    struct sync *s, const struct request *q, const struct answer *a)
{
	char says[3 * WORDS_BYTES + 3];
	const char *why = words(a, says);

	switch (a->status) {
	case 401:
		return sync_fail(s, OUT_REFUSED, "wrong user or password%s%s",
		    s->user ? ", for user " : "", s->user ? s->user : "");
	case 404:
		return sync_fail(s, OUT_REFUSED,
		    "the server has no place for %s (404%s)", s->room, why);
	case 409:
		return sync_fail(s, OUT_REFUSED,
		    "the server holds another text under this key (409%s)",
		    why);
	case 413:
		return sync_fail(s, OUT_TEXT,
		    "the message is too long for the server (413%s)", why);
	case 416:
		return sync_fail(s, OUT_REFUSED,
		    "the server's %s is shorter than the %" PRIu64
		    " bytes synced here (416): it was lost or replaced; "
		    "--resync fetches it anew and keeps your unsent text",
		    s->room, q->offset);
	default:
		return sync_fail(s, a->status == 400 ? OUT_TEXT : OUT_REFUSED,
		    "the server refuses (%ld%s)", a->status, why);
	}
}

static enum outcome redirected(struct sync *s, const struct answer *a)
{
	char place[3 * WORDS_BYTES + 1];
	size_t len = strnlen(a->place, WORDS_BYTES);

	place[text_clean(place, a->place, len)] = 0;
	return sync_fail(s, OUT_REFUSED,
	    "the server redirects (%ld) to %s: use that address", a->status,
	    place[0] ? place : "nowhere");
}

enum outcome answer_status(
    struct sync *s, const struct request *q, const struct answer *a)
{
	char says[3 * WORDS_BYTES + 3];

	if (a->status / 100 == 2)
		return OUT_DONE;
	if (a->status / 100 == 3)
		return redirected(s, a);
	if (a->status / 100 == 4 && a->status != 408 && a->status != 429)
		return refused(s, q, a);
	return sync_fail(s, OUT_OFFLINE,
	    "the server %s (%ld%s); try again later, unsent text stays and "
	    "is sent once",
	    a->status == 503 || a->status == 429 ? "is busy" : "failed",
	    a->status, words(a, says));
}

/* --- is it whole? --------------------------------------------------------- */

/* The length of the line at `at`, or -1 where it has no end. */
static ptrdiff_t line_length(const char *at, const char *end)
{
	const char *nl = memchr(at, '\n', (size_t)(end - at));

	return nl ? nl - at : -1;
}

static bool ends_record(const char *data, size_t len)
{
	const char *nl;

	if (!len)
		return true;
	if (data[len - 1] != '\n')
		return false;
	nl = memrchr(data, '\n', len - 1);
	nl = nl ? nl + 1 : data;
	return footer_is(nl, (size_t)(data + len - 1 - nl));
}

/* Behind a message comes its footer, on a line of its own. Returns where that
 * line begins, or NULL. */
static const char *own_footer(
    const char *text, size_t len, const char *data, const char *end)
{
	ptrdiff_t n;

	if (data < end && *data == '\n')
		data++;
	else if (text[len - 1] != '\n')
		return NULL;
	n = data < end ? line_length(data, end) : -1;
	return n >= 0 && footer_is(data, (size_t)n) ? data : NULL;
}

static bool number(const char **at, uint64_t *ret)
{
	size_t n = strspn(*at, "0123456789");
	int r = parse_u64(*at, n, INT64_MAX, ret);

	*at += n;
	return r == 0;
}

/* Content-Range: bytes A-B/T, where there is one: A behind what was sent, the
 * body's length, the file's new size. */
static bool range_fits(const struct request *q, const struct answer *a)
{
	uint64_t from, to, total, begin = q->offset + q->len;
	const char *at = a->range + sizeof "bytes " - 1;

	if (!a->range[0])
		return true;
	if (strncasecmp(a->range, "bytes ", sizeof "bytes " - 1) != 0)
		return false;
	if (!number(&at, &from) || *at++ != '-' || !number(&at, &to) ||
	    *at++ != '/')
		return false;
	if (from != begin || to + 1 != begin + a->body.len - a->skip)
		return false;
	return strcmp(at, "*") == 0 ||
	       (number(&at, &total) && !*at && total == to + 1);
}

enum outcome answer_fits(
    struct sync *s, const struct request *q, const struct answer *a)
{
	const char *data = a->body.data + a->skip, *what = NULL;
	size_t len = a->body.len - a->skip;

	if (!range_fits(q, a))
		what = "its Content-Range does not fit";
	else if (len && !ends_record(data, len))
		what = "it was cut short";
	else if (q->len &&
		 (!len || !own_footer(q->text, q->len, data, data + len)))
		what = "it does not begin with the message's footer";
	if (!what)
		return OUT_DONE;
	return sync_fail(s, OUT_OFFLINE,
	    "the server's answer makes no sense (%s); nothing was changed "
	    "here",
	    what);
}

/* --- what is in it? ------------------------------------------------------- */

static bool has_key(const char *line, size_t len, const char *key, bool *any)
{
	struct footer f;
	struct slice value;

	footer_parse(&f, line, len);
	*any = footer_value(&f, "key", &value);
	return *any && parse_is(value.data, value.len, key);
}

static bool is_author(const char *line, size_t len, const char *user)
{
	struct footer f;

	footer_parse(&f, line, len);
	return !user || parse_is(f.author.data, f.author.len, user);
}

bool answer_keeps_key(const struct answer *a, const struct memo *m)
{
	const char *data = a->body.data + a->skip;
	const char *end = a->body.data + a->body.len;
	ptrdiff_t n;
	bool any;

	if (data < end && *data == '\n')
		data++;
	n = data < end ? line_length(data, end) : -1;
	return n >= 0 && m->key[0] && has_key(data, (size_t)n, m->key, &any);
}

/* A stored text is the one sent, perhaps with a newline added. */
static bool is_text(const struct memo *m, const char *body, size_t len)
{
	return (len == m->sent ||
		   (len == m->sent + 1 && body[len - 1] == '\n')) &&
	       memo_is_sent(m, body, len);
}

bool answer_holds_sent(const struct answer *a, const struct memo *m,
    const char *user, bool *ret_keyed)
{
	const char *at = a->body.data + a->skip;
	const char *end = a->body.data + a->body.len, *begin = at;
	bool any, found = false;
	ptrdiff_t n;

	*ret_keyed = false;
	if (!m->key[0] || at == end)
		return false;
	for (; at < end && (n = line_length(at, end)) >= 0; at += n + 1) {
		if (!footer_is(at, (size_t)n))
			continue;
		*ret_keyed = has_key(at, (size_t)n, m->key, &any);
		if (*ret_keyed)
			return true;
		if (!any && !m->keys && is_author(at, (size_t)n, user) &&
		    is_text(m, begin, (size_t)(at - begin)))
			found = true;
		begin = at + n + 1;
	}
	return found;
}

bool answer_has_line(const struct answer *a, const struct bytes *line)
{
	const char *at = a->body.data + a->skip;
	const char *end = a->body.data + a->body.len;
	ptrdiff_t n;

	for (; at < end && (n = line_length(at, end)) >= 0; at += n + 1)
		if ((size_t)n == line->len &&
		    memcmp(at, line->data, line->len) == 0)
			return true;
	return false;
}
