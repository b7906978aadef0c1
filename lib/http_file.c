#include "http_file.h"

#include <sys/stat.h>

#include "clock.h"
#include "http_field.h"
#include "parse.h"

struct validators {
	char tag[64];
	char date[HTTP_DATE];
	int64_t modified; /* seconds since 1970 */
};

static void validators_of(
    struct validators *ret, const struct stat *st, uint64_t size)
{
	int64_t shown = (int64_t)st->st_mtim.tv_sec, now = clock_now();

	(void)snprintf(ret->tag, sizeof ret->tag, "\"%jx-%jx-%jx-%lx\"",
	    (uintmax_t)st->st_ino, (uintmax_t)size,
	    (uintmax_t)st->st_ctim.tv_sec, (long)st->st_ctim.tv_nsec);
	ret->modified = shown;
	/* More may come within this second. Whoever has what there is now
	 * must not be told later that nothing did. */
	http_date_text(shown < now ? shown : now - 1, ret->date);
}

/* Does any field of that name list the tag? -1: there is none of that name. */
static int lists_tag(const struct http *h, const char *name, const char *tag,
    enum http_match how)
{
	int found = -1;

	for (unsigned i = 0; i < h->head.count; i++) {
		const struct http_head_field *f = &h->head.fields[i];

		if (!parse_is_case(f->name.data, f->name.len, name))
			continue;
		if (http_tag_matches(f->value.data, f->value.len, tag, how))
			return 1;
		found = 0;
	}
	return found;
}

/* Was it modified after the date that a field gives? -1: no such (valid)
 * date. */
static int modified_since(
    const struct http *h, const char *name, const struct validators *v)
{
	struct slice value;
	int64_t since;

	if (!http_head_find(&h->head, name, &value) ||
	    http_date_parse(value.data, value.len, &since) < 0)
		return -1;
	return v->modified > since;
}

/* The status that a precondition demands, or 200 (RFC 9110, 13.2.2). */
static unsigned precondition(const struct http *h, const struct validators *v)
{
	int r = lists_tag(h, "if-match", v->tag, HTTP_STRONG);

	if (r == 0 ||
	    (r < 0 && modified_since(h, "if-unmodified-since", v) == 1))
		return 412;
	r = lists_tag(h, "if-none-match", v->tag, HTTP_WEAK);
	if (r == 1 || (r < 0 && modified_since(h, "if-modified-since", v) == 0))
		return 304;
	return 200;
}

/* Whether the part is of the file that the client has begun to fetch. */
static bool range_applies(const struct http *h, const struct validators *v)
{
	struct slice value;

	if (!http_head_find(&h->head, "if-range", &value))
		return true;
	if (value.len && value.data[0] == '"')
		return parse_is(value.data, value.len, v->tag);
	return parse_is(value.data, value.len, v->date);
}

static enum http_range range_of(const struct http *h,
    const struct validators *v, struct http_part *part, uint64_t size)
{
	struct slice value;
	uint64_t start, end;
	enum http_range r;

	if (h->head.method == HTTP_HEAD ||
	    !http_head_find(&h->head, "range", &value) || !range_applies(h, v))
		return HTTP_RANGE_ALL;
	r = http_range(value.data, value.len, size, &start, &end);
	if (r == HTTP_RANGE_PART) {
		part->offset = start;
		part->len = end - start;
	}
	return r;
}

static int unsatisfiable(struct http *h, uint64_t size)
{
	http_reply(h, 416);
	http_field(h, "Content-Range", "bytes */%ju", (uintmax_t)size);
	return http_text(h, "there are %ju bytes\n", (uintmax_t)size);
}

static int send_part(struct http *h, const struct validators *v,
    const struct http_part *part, uint64_t size, const char *type)
{
	http_field(h, "ETag", "%s", v->tag);
	http_field(h, "Last-Modified", "%s", v->date);
	http_field(h, "Accept-Ranges", "bytes");
	if (h->status == 206)
		http_field(h, "Content-Range", "bytes %ju-%ju/%ju",
		    (uintmax_t)part->offset,
		    (uintmax_t)(part->offset + part->len - 1), (uintmax_t)size);
	return http_send(h, type, part, 1);
}

int http_file(struct http *h, int file, uint64_t size, const char *type)
{
	struct http_part part = {.file = file, .len = size};
	struct validators v;
	enum http_range wanted;
	struct slice range;
	struct stat st;
	unsigned status;

	if (http_head_find(&h->head, "range", &range) > 1)
		return http_error(h, 400, "a Range that is there twice\n");
	if (fstat(file, &st) < 0)
		return http_error(h, 500, "the file could not be read\n");
	validators_of(&v, &st, size);
	status = precondition(h, &v);
	if (status == 412)
		return http_error(h, 412, "the file is another by now\n");
	if (status == 304) {
		http_reply(h, 304);
		http_field(h, "ETag", "%s", v.tag);
		return http_send(h, NULL, NULL, 0);
	}
	wanted = range_of(h, &v, &part, size);
	if (wanted == HTTP_RANGE_NONE)
		return unsatisfiable(h, size);
	http_reply(h, wanted == HTTP_RANGE_PART ? 206 : 200);
	return send_part(h, &v, &part, size, type);
}
