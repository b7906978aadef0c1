#include "http_head.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http_field.h"
#include "parse.h"

static const char not_http[] = "not a request of HTTP/1.1";
static const char only_1[] = "only HTTP/1.0 and 1.1 are spoken here";

static const char too_many[] = "the head has too many fields";

static struct http_head *head_of(llhttp_t *parser)
{
	return parser->data;
}

static int refuse(struct http_head *h, unsigned status, const char *why)
{
	/* The first reason stands: llhttp adds one of its own. */
	if (!h->status) {
		h->status = status;
		h->why = why;
	}
	return -EPROTO;
}

/* --- what llhttp tells -------------------------------------------------------
 * A span may come in pieces; they adjoin, since the input does not move. */

static void grow(struct slice *s, const char *at, size_t len)
{
	if (!s->data)
		s->data = at;
	s->len = (size_t)(at + len - s->data);
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	grow(&head_of(parser)->target, at, len);
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	struct http_head *h = head_of(parser);

	if (h->body) /* trailers say nothing to us */
		return 0;
	if (h->count == 0 || h->in_value) {
		if (h->count == LIMIT_HEADERS) /* scan_in_line saw it */
			return HPE_USER;
		h->fields[h->count++] = (struct http_head_field){0};
		h->in_value = false;
	}
	grow(&h->fields[h->count - 1].name, at, len);
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct http_head *h = head_of(parser);

	if (h->body || h->count == 0)
		return 0;
	grow(&h->fields[h->count - 1].value, at, len);
	h->in_value = true;
	return 0;
}

static int on_value_complete(llhttp_t *parser)
{
	head_of(parser)->in_value = true;
	return 0;
}

static int on_pause(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	buf_add(head_of(parser)->body, at, len);
	return head_of(parser)->body->full ? HPE_USER : 0;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_pause,
    .on_body = on_body,
    .on_message_complete = on_pause,
};

void http_head_init(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
	memset(&h->status, 0, sizeof *h - offsetof(struct http_head, status));
	llhttp_init(&h->parser, HTTP_REQUEST, &callbacks);
	h->parser.data = h;
}

/* --- the bytes ---------------------------------------------------------------
 * What llhttp lets through and must not pass (it also has modes that are more
 * lenient): a CR or LF by itself, folded lines, blanks before a colon, control
 * characters.
 *
 *	START  CRLF, LF: START	any byte: LINE
 *	LINE   CRLF: FIELD
 *	FIELD  CRLF: the end	blank: folded	token byte: NAME
 *	NAME   ":": VALUE	token byte: NAME
 *	VALUE  CRLF: FIELD
 */

static const char *scan_end_of_line(struct http_head *h)
{
	if (h->scan == HTTP_SCAN_NAME)
		return "a field without a colon";
	if (h->scan == HTTP_SCAN_FIELD)
		h->end = h->seen;
	else if (h->scan != HTTP_SCAN_START)
		h->scan = HTTP_SCAN_FIELD;
	return NULL;
}

static const char *scan_in_line(struct http_head *h, char c)
{
	if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
		return "a control character in the head";
	if (h->scan == HTTP_SCAN_START) {
		h->scan = HTTP_SCAN_LINE;
		h->first = c;
	}
	if (h->scan == HTTP_SCAN_FIELD && (c == ' ' || c == '\t'))
		return "a folded field";
	if (h->scan == HTTP_SCAN_NAME && c == ':')
		h->scan = HTTP_SCAN_VALUE;
	if (h->scan != HTTP_SCAN_FIELD && h->scan != HTTP_SCAN_NAME)
		return NULL;
	if (h->scan == HTTP_SCAN_FIELD && h->names++ == LIMIT_HEADERS)
		return too_many;
	h->scan = HTTP_SCAN_NAME;
	return http_is_token(&c, 1) ? NULL : "a malformed field name";
}

/* What is wrong with the next byte: NULL, nothing. Sets h->end at the last. */
static const char *scan_byte(struct http_head *h, char c)
{
	bool cr = h->cr;

	h->cr = c == '\r';
	if (cr && c != '\n')
		return "a CR without LF in the head";
	if (!cr && c == '\n' && h->scan != HTTP_SCAN_START)
		return "a line of the head that ends in LF without CR";
	if (c == '\n')
		return scan_end_of_line(h);
	return c == '\r' ? NULL : scan_in_line(h, c);
}

/* --- what it means ---------------------------------------------------- */

static struct slice trim(struct slice s)
{
	while (s.len && strchr(" \t", s.data[s.len - 1]))
		s.len--;
	while (s.len && strchr(" \t", s.data[0]))
		s.data++, s.len--;
	return s;
}

static bool has_scheme(const char *target, size_t len, size_t *ret_len)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < 2; i++) {
		*ret_len = strlen(schemes[i]);
		if (len >= *ret_len &&
		    strncasecmp(target, schemes[i], *ret_len) == 0)
			return true;
	}
	return false;
}

/* Origin form, or absolute form (RFC 9112, 3.2), of which authority and
 * scheme are dropped. */
static void split_target(struct http_head *h)
{
	const char *at = h->target.data, *end = at + h->target.len, *mark;
	size_t skip;

	if (has_scheme(at, h->target.len, &skip))
		for (at += skip; at < end && *at != '/' && *at != '?';)
			at++;
	mark = memchr(at, '?', (size_t)(end - at));
	if (mark)
		h->query = (struct slice){mark + 1, (size_t)(end - mark - 1)};
	h->path = (struct slice){at, (size_t)((mark ? mark : end) - at)};
	if (h->path.len == 0)
		h->path = (struct slice){"/", 1};
}

static int check_coding(struct http_head *h)
{
	struct slice coding;

	if (!http_head_find(h, "transfer-encoding", &coding))
		return 0;
	if (h->minor == 0)
		return refuse(h, 400, "a transfer coding in HTTP/1.0");
	if (!parse_is_case(coding.data, coding.len, "chunked"))
		return refuse(h, 501, "no transfer coding but chunked");
	return 0;
}

static int check_head(struct http_head *h)
{
	static const char *const single[] = {
	    "host", "authorization", "content-length", "expect"};
	struct slice value;

	if (h->parser.http_major == 0) /* 0.9: a line without a version */
		return refuse(h, 400, not_http);
	if (h->parser.http_major != 1)
		return refuse(h, 505, only_1);
	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
		if (http_head_find(h, single[i], &value) > 1)
			return refuse(h, 400, "a field twice that stands once");
	return check_coding(h);
}

static enum http_framing framing_of(const struct http_head *h)
{
	if (h->parser.flags & F_CHUNKED)
		return HTTP_CHUNKED;
	if (h->parser.flags & F_CONTENT_LENGTH)
		return h->length ? HTTP_LENGTH : HTTP_EMPTY;
	return h->method == HTTP_POST ? HTTP_BARE : HTTP_EMPTY;
}

static int complete(struct http_head *h)
{
	for (unsigned i = 0; i < h->count; i++) {
		struct slice *value = &h->fields[i].value;

		*value = value->data ? trim(*value) : (struct slice){"", 0};
	}
	h->method = h->parser.method;
	h->minor = h->parser.http_minor;
	h->length = h->parser.content_length;
	h->keep = llhttp_should_keep_alive(&h->parser);
	if (check_head(h) < 0)
		return -EPROTO;
	h->framing = framing_of(h);
	split_target(h);
	return 0;
}

/* llhttp's view of the bytes. Its own words are for programmers. */
static int parse(struct http_head *h, const char *at, size_t len)
{
	switch (llhttp_execute(&h->parser, at, len)) {
	case HPE_OK:
	case HPE_PAUSED:
	case HPE_PAUSED_UPGRADE:
		return 0;
	case HPE_INVALID_METHOD:
		return h->first >= 'A' && h->first <= 'Z'
			   ? refuse(h, 501, "no method that is known here")
			   : refuse(h, 400, not_http);
	case HPE_INVALID_URL:
		return refuse(h, 400,
		    "the path holds more than what may "
		    "stand in a URL");
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		return refuse(h, 505, only_1);
	case HPE_INVALID_CONTENT_LENGTH:
		return refuse(h, 400, "a malformed Content-Length");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return refuse(h, 400,
		    "two Content-Lengths, or one beside Transfer-Encoding");
	case HPE_INVALID_TRANSFER_ENCODING:
		return refuse(h, 400, "a malformed Transfer-Encoding");
	default:
		return refuse(h, 400, not_http);
	}
}

/* What llhttp takes for a method that it does not know, a proxy's first line
 * (proxy_line.h), whoever set that proxy up will want to see named. */
static int name_proxy_line(struct http_head *h, const char *in, size_t len)
{
	if (h->status != 501 || len < 4 || memcmp(in, "PROX", 4) != 0)
		return -EPROTO;
	h->status = 400;
	h->why =
	    "a PROXY line that is malformed, or from who is no trusted proxy";
	return -EPROTO;
}

long http_head_feed(struct http_head *h, const char *in, size_t len)
{
	size_t from = h->seen;
	const char *why = NULL;

	while (h->seen < len && !why && !h->end)
		why = scan_byte(h, in[h->seen++]);
	/* What comes first is told first, however the bytes arrive. */
	if (parse(h, in + from, h->seen - from - (why ? 1 : 0)) < 0)
		return name_proxy_line(h, in, len);
	if (why)
		return refuse(h, why == too_many ? 431 : 400, why);
	if (!h->end)
		return -EAGAIN;
	return complete(h) < 0 ? -EPROTO : (long)h->end;
}

unsigned http_head_find(
    const struct http_head *h, const char *name, struct slice *ret)
{
	unsigned found = 0;

	*ret = (struct slice){"", 0};
	for (unsigned i = 0; i < h->count; i++) {
		const struct http_head_field *f = &h->fields[i];

		if (!parse_is_case(f->name.data, f->name.len, name))
			continue;
		if (found++ == 0)
			*ret = f->value;
	}
	return found;
}

long http_head_chunks(struct http_head *h, const char *in, size_t len,
    struct buf *body, bool *ret_done)
{
	llhttp_errno_t e;

	h->body = body;
	if (llhttp_get_errno(&h->parser) == HPE_PAUSED)
		llhttp_resume(&h->parser);
	e = llhttp_execute(&h->parser, in, len);
	*ret_done = e == HPE_PAUSED || e == HPE_PAUSED_UPGRADE;
	if (*ret_done)
		return llhttp_get_error_pos(&h->parser) - in;
	if (body->full)
		return -EMSGSIZE;
	return e == HPE_OK ? (long)len
			   : refuse(h, 400, "a malformed chunked body");
}
