/*
 * A room file without a memo: the offset is the end of its last footer, found
 * by lines backwards (specs/chatfile.txt). A line that begins with a backslash
 * but is not "\AUTHOR @ ..." may as well be something that a person typed: then
 * the server is asked whether it has that line.
 *
 * --resync: the room is fetched from its beginning; the old file is kept under
 * another name, since after a 416 it may be the only copy of what it holds.
 */
#include "chatfile.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/text.h"

#define SHOW_LINE 60

/* Is this beyond doubt a server's line? */
static bool is_usual(const struct bytes *line)
{
	const char *space = memchr(line->data, ' ', line->len);
	size_t left = space ? line->len - (size_t)(space - line->data) : 0;

	return space > line->data + 1 && left > 3 &&
	       memcmp(space, " @ ", 3) == 0;
}

static enum outcome ask_server(
    struct sync *s, const struct bytes *line, uint64_t end)
{
	struct request q = {0};
	struct answer a = {0};
	char shown[3 * SHOW_LINE + 1];
	size_t len = line->len < SHOW_LINE ? line->len : SHOW_LINE;
	enum outcome o = sync_exchange(s, &q, &a);

	if (o == OUT_DONE && !answer_has_line(&a, line)) {
		shown[text_clean(shown, line->data, len)] = 0;
		o = sync_fail(s, OUT_TEXT,
		    "%s:%lu: a line may not begin with one backslash, which "
		    "marks the server's lines, and the server has no such "
		    "line: for  %s  write  \\%s",
		    s->local.name, local_line(&s->local, end - 1), shown,
		    shown);
	}
	answer_free(&a);
	return o;
}

enum outcome first_use(struct sync *s)
{
	struct memo *m = &s->memo;
	struct bytes line = {0};
	enum outcome o = OUT_DONE;
	uint64_t end = 0;
	int r;

	*m = (struct memo){0};
	r = local_last_footer(&s->local, &end, &line);
	if (r == 0 && end > 0 && !is_usual(&line))
		o = ask_server(s, &line, end);
	bytes_free(&line);
	if (o != OUT_DONE)
		return o;
	m->offset = end;
	if (r == 0)
		r = local_tail(&s->local, end, m->tail);
	if (r < 0)
		return sync_local_failed(s, r);
	/* A file that we made has nothing to be remembered, yet. */
	r = s->local.made ? memo_remove(s->local.dir, s->local.name)
			  : memo_save(m, s->local.dir, s->local.name);
	return r < 0 ? sync_memo_failed(s, r) : OUT_DONE;
}

/* --- --resync ------------------------------------------------------------- */

/* Where the unsent text begins: by the memo if it fits, else by lines
 * backwards. */
static int find_text(struct sync *s, uint64_t *ret)
{
	int r = memo_load(&s->memo, s->local.dir, s->local.name);

	if (r == 0 && sync_history(s, &s->memo) == OUT_DONE &&
	    (!s->memo.answered || take_finish(s) == OUT_DONE)) {
		*ret = s->memo.offset;
		return 0;
	}
	memo_free(&s->memo);
	s->memo = (struct memo){0};
	return local_last_footer(&s->local, ret, NULL);
}

/* What was sent and is found in the answer is no unsent text. */
static void forget_sent(
    struct sync *s, const struct answer *a, struct bytes *text)
{
	struct memo *m = &s->memo;
	bool same = memo_is_sent(m, text->data, text->len), keyed;
	bool found = answer_holds_sent(a, m, s->user, &keyed);

	if (found && same)
		bytes_cut(text, (size_t)m->sent);
	if (found || !same)
		memo_settle(m);
}

static enum outcome replace(
    struct sync *s, const struct answer *a, struct bytes *text)
{
	struct memo *m = &s->memo;
	char kept[300];
	int r;

	forget_sent(s, a, text);
	r = local_replace(&s->local, &a->body, text, kept);
	if (r == -ESTALE)
		return sync_fail(s, OUT_CHANGED,
		    "%s was replaced meanwhile; left alone", s->local.name);
	if (r < 0)
		return sync_local_failed(s, r);
	say("%s was fetched anew; the former one is kept as %s", s->local.name,
	    kept);
	m->serial = 0;
	m->offset = a->body.len;
	r = local_tail(&s->local, m->offset, m->tail);
	if (r == 0)
		r = memo_save(m, s->local.dir, s->local.name);
	return r < 0 ? sync_memo_failed(s, r) : OUT_DONE;
}

static enum outcome fetch_anew(struct sync *s, uint64_t offset)
{
	struct request q = {0};
	struct answer a = {0};
	struct bytes text = {0};
	enum outcome o = sync_exchange(s, &q, &a);
	int r = local_read(&s->local, offset, &text);

	if (o == OUT_DONE && r < 0)
		o = sync_local_failed(s, r);
	if (o == OUT_DONE)
		o = replace(s, &a, &text);
	answer_free(&a);
	bytes_free(&text);
	return o;
}

enum outcome first_anew(struct sync *s)
{
	enum outcome o = sync_lock(s);
	uint64_t offset = 0;
	int r;

	if (o != OUT_DONE)
		return o;
	r = s->local.made ? 0 : find_text(s, &offset);
	if (r < 0)
		o = sync_local_failed(s, r);
	else if (!s->local.made)
		o = fetch_anew(s, offset);
	local_unlock(&s->local);
	return o;
}
