#include "room_internal.h"

#include <errno.h>
#include <string.h>

#include "footer.h"
#include "io.h"

struct match {
	int fd;
	const struct room_post *post;
	bool same; /* look for *posted itself, not for the key */
	uint64_t start; /* where the record of the next hit begins */
	struct room_posted *posted;
};

/* Is [at, at + len) of the file these bytes? 1, 0 or -errno. */
static int equals(int fd, uint64_t at, const char *bytes, size_t len)
{
	char block[4096];

	while (len) {
		size_t n = len < sizeof block ? len : sizeof block;
		int r = io_pread(fd, block, n, at);

		if (r < 0)
			return r;
		if (memcmp(block, bytes, n) != 0)
			return 0;
		at += n;
		bytes += n;
		len -= n;
	}
	return 1;
}

/* Is the text before the footer line the post's? 1, 0 or -errno. */
static int body_equals(const struct match *m, uint64_t start, uint64_t line)
{
	size_t len = m->post->body_len;
	int r;

	if (line - start != len + m->post->newline)
		return 0;
	r = equals(m->fd, start, m->post->body, len);
	if (r == 1 && m->post->newline)
		r = equals(m->fd, start + len, "\n", 1);
	return r;
}

static bool slice_is(const struct slice *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

static bool has_key(const struct room_post *post, const struct scan_hit *hit)
{
	struct footer footer;
	struct slice key;

	footer_parse(&footer, hit->text, hit->len);
	return slice_is(&footer.author, post->author) &&
	       footer_value(&footer, "key", &key) && slice_is(&key, post->key);
}

static bool has_footer(const struct room_posted *p, const struct scan_hit *hit)
{
	return hit->len + 1 == p->footer_len &&
	       memcmp(hit->text, p->footer, hit->len) == 0;
}

static void take(
    struct room_posted *p, uint64_t start, const struct scan_hit *hit)
{
	p->start = start;
	p->end = hit->end;
	p->footer_len = hit->len + 1;
	memcpy(p->footer, hit->text, hit->len);
	p->footer[hit->len] = '\n';
}

static int match_found(void *arg, const struct scan_hit *hit)
{
	struct match *m = arg;
	uint64_t start = m->start;
	int r;

	m->start = hit->end;
	if (hit->len >= LIMIT_FOOTER)
		return 0;
	if (m->same ? !has_footer(m->posted, hit)
		    : start < m->post->since || !has_key(m->post, hit))
		return 0;
	r = body_equals(m, start, hit->line);
	if (r == 1)
		take(m->posted, start, hit);
	return r == 0 && !m->same ? -EEXIST : r;
}

static int match(const struct room *room, struct match *m, uint64_t to)
{
	uint64_t whole;

	m->fd = room->fd;
	return scan_file(room->fd, m->start, to, match_found, m, &whole);
}

int match_key(const struct room *room, const struct room_post *post,
    uint64_t from, uint64_t to, struct room_posted *ret)
{
	struct match m = {.post = post, .start = from, .posted = ret};

	return match(room, &m, to);
}

int match_same(const struct room *room, const struct room_post *post,
    uint64_t from, uint64_t to, struct room_posted *p)
{
	struct match m = {
	    .post = post, .same = true, .start = from, .posted = p};

	return match(room, &m, to);
}
