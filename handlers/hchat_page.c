#include "handlers/hchat_page.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/hchat_assets.h"
#include "lib/http_field.h"
#include "lib/parse.h"

#define POLICY                                                                 \
	"default-src 'self'; base-uri 'none'; form-action 'self'; "            \
	"frame-ancestors 'none'"

struct hchat_slot hchat_slot(const char *key, const char *value)
{
	return (struct hchat_slot){key, {value, strlen(value)}, false};
}

/* --- filling ---------------------------------------------------------- */

/* Where it goes; data NULL: it is only measured. */
struct page {
	char *data;
	size_t len;
};

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void put(struct page *p, const char *text, size_t len)
{
	if (p->data && len)
		memcpy(p->data + p->len, text, len);
	p->len += len;
}

size_t hchat_escape(char *out, const char *text, size_t len)
{
	struct page p = {out, 0};

	for (size_t i = 0; i < len; i++) {
		const char *e = entity(text[i]);

		put(&p, e ? e : text + i, e ? strlen(e) : 1);
	}
	return p.len;
}

static void put_slot(struct page *p, struct slice key,
    const struct hchat_slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice v = slots[i].value;

		if (!parse_is(key.data, key.len, slots[i].key))
			continue;
		if (slots[i].raw)
			put(p, v.data, v.len);
		else
			p->len += hchat_escape(
			    p->data ? p->data + p->len : NULL, v.data, v.len);
	}
}

/* A template holds whole slots only: the build saw to that. */
static void fill(struct page *p, const struct hchat_asset *a,
    const struct hchat_slot *slots, size_t count)
{
	const char *at = (const char *)a->data, *end = at + a->len;
	const char *open, *close;

	while ((open = memmem(at, (size_t)(end - at), "{{", 2)) &&
	       (close = memmem(open, (size_t)(end - open), "}}", 2))) {
		put(p, at, (size_t)(open - at));
		put_slot(p,
		    (struct slice){open + 2, (size_t)(close - open - 2)}, slots,
		    count);
		at = close + 2;
	}
	put(p, at, (size_t)(end - at));
}

void hchat_page(struct session *s, const char *template,
    const struct hchat_slot *slots, size_t count)
{
	const struct hchat_asset *a =
	    hchat_asset_find(template, strlen(template));
	struct page p = {NULL, 0};
	struct http_part part;

	fill(&p, a, slots, count);
	p.data = malloc(p.len);
	if (!p.data) {
		(void)http_error(&s->door.http, 503, "out of memory\n");
		return;
	}
	p.len = 0;
	fill(&p, a, slots, count);
	part = (struct http_part){.data = p.data, .len = p.len};
	http_field(&s->door.http, "Content-Security-Policy", "%s", POLICY);
	(void)http_send(&s->door.http, a->type, &part, 1);
	free(p.data);
}

/* --- refusals --------------------------------------------------------- */

/* A browser that goes to a page says that it takes HTML. */
static bool wants_page(const struct session *s)
{
	const struct http_head *head = &s->door.http.head;
	struct slice accept;

	return http_head_find(head, "accept", &accept) &&
	       memmem(accept.data, accept.len, "text/html", 9);
}

void hchat_say(struct session *s, const char *why)
{
	const struct hchat_slot slots[] = {
	    hchat_slot("title", http_reason(s->door.http.status)),
	    hchat_slot("text", why)};

	if (wants_page(s))
		hchat_page(s, "error.html", slots, 2);
	else
		(void)http_text(&s->door.http, "%s\n", why);
}

/* --- assets ----------------------------------------------------------- */

static const struct hchat_asset *asset_of(const struct session *s)
{
	struct slice hash = s->parts[0], name = s->parts[1];
	const struct hchat_asset *a = hchat_asset_find(name.data, name.len);

	if (!a || !a->hash[0] || !parse_is(hash.data, hash.len, a->hash))
		return NULL;
	return a;
}

static bool takes_gzip(const struct session *s, const struct hchat_asset *a)
{
	struct slice accept;

	return a->gzip &&
	       http_head_find(&s->door.http.head, "accept-encoding", &accept) &&
	       http_accepts(accept.data, accept.len, "gzip");
}

void hchat_asset(struct session *s)
{
	struct http *h = &s->door.http;
	const struct hchat_asset *a = asset_of(s);
	struct slice known;
	struct http_part part;
	bool gzip, same;
	char tag[32];

	s->door.event = "asset";
	if (!a) {
		(void)http_error(h, 404, "there is no such asset\n");
		return;
	}
	gzip = takes_gzip(s, a);
	(void)snprintf(
	    tag, sizeof tag, "\"%s%s\"", a->hash, gzip ? "-gzip" : "");
	same = http_head_find(&h->head, "if-none-match", &known) &&
	       http_tag_matches(known.data, known.len, tag, HTTP_WEAK);
	h->common = "Cache-Control: public, max-age=31536000, immutable\r\n"
		    "X-Content-Type-Options: nosniff\r\n"
		    "Vary: Accept-Encoding\r\n";
	http_reply(h, same ? 304 : 200);
	http_field(h, "ETag", "%s", tag);
	if (gzip && !same)
		http_field(h, "Content-Encoding", "gzip");
	part =
	    (struct http_part){.data = (const char *)(gzip ? a->gzip : a->data),
		.len = gzip ? a->gzip_len : a->len};
	(void)http_send(h, same ? NULL : a->type, &part, 1);
}
