/*
 * What comes back goes into the room file: by way of the memo, and only after
 * another look at file and memo, since people and other programs did not wait.
 */
#include "chatfile.h"

#include <errno.h>
#include <string.h>

#define ROUNDS 16 /* of someone else's writing between ours */

/* --- FINISH --------------------------------------------------------------- */

/* The file is neither as before nor as wanted: what of it is text? */
static int plan_again(struct sync *s, struct bytes *now)
{
	struct merge *m = &s->memo.merge;
	struct bytes text = {0};
	int r = merge_text(m, now->data, now->len, &text);

	if (r < 0) {
		bytes_free(&text);
		return r;
	}
	bytes_free(&m->text);
	bytes_free(&m->before);
	m->text = text;
	m->before = *now;
	*now = (struct bytes){0};
	return memo_save(&s->memo, s->local.dir, s->local.name);
}

static int carry_out(struct sync *s)
{
	const struct merge *m = &s->memo.merge;
	struct bytes now = {0};
	int r = local_read(&s->local, s->memo.offset, &now);

	if (r == 0 && (now.len != m->before.len ||
			  !bytes_begin(&now, m->before.data, m->before.len)))
		r = plan_again(s, &now);
	bytes_free(&now);
	if (r == 0 && !local_holds(&s->local, s->memo.offset, m))
		r = local_apply(&s->local, s->memo.offset, m);
	return r;
}

enum outcome take_finish(struct sync *s)
{
	struct memo *m = &s->memo;
	int r = 0, round = 0;

	while (r == 0 && !local_holds(&s->local, m->offset, &m->merge))
		r = round++ < ROUNDS ? carry_out(s) : -EBUSY;
	if (r < 0)
		return sync_local_failed(s, r);
	m->offset += m->merge.answer.len;
	s->left = m->merge.text.len;
	memo_free(m);
	r = local_tail(&s->local, m->offset, m->tail);
	if (r == 0)
		r = memo_save(m, s->local.dir, s->local.name);
	return r < 0 ? sync_memo_failed(s, r) : OUT_DONE;
}

/* --- taking in an answer -------------------------------------------------- */

/* Is everything as it was before the server was asked? *ret_replaced: the path
 * names another file, which is locked now. */
static enum outcome look_again(struct sync *s, bool *ret_replaced)
{
	int replaced = local_replaced(&s->local), r;
	enum outcome o = OUT_DONE;

	*ret_replaced = replaced != 0;
	if (replaced) {
		s->make = false;
		o = sync_lock(s);
	}
	if (o != OUT_DONE)
		return o;
	r = memo_check(&s->memo, s->local.dir, s->local.name);
	return r < 0 ? OUT_AGAIN : sync_history(s, &s->memo);
}

/* What of the text stays behind the answer, if `gone` of it is in there. The
 * line end that someone typed to end a line sent without is that line's. */
static void drop_sent(struct bytes *text, size_t gone)
{
	bool open = gone && text->data[gone - 1] != '\n';

	if (open && text->len > gone && text->data[gone] == '\n')
		gone++;
	else if (open && text->len > gone + 1 && text->data[gone] == '\r' &&
		 text->data[gone + 1] == '\n')
		gone += 2;
	bytes_cut(text, gone);
}

/* Makes the memo `answered` and carries it out. body becomes the memo's. gone:
 * how much of the text is in it. */
static enum outcome take(
    struct sync *s, struct bytes *body, struct bytes *now, size_t gone)
{
	struct merge *m = &s->memo.merge;
	int r = bytes_add(&m->before, now->data, now->len);

	m->answer = *body;
	m->text = *now;
	*body = *now = (struct bytes){0};
	drop_sent(&m->text, gone);
	s->left = m->text.len;
	s->memo.answered = m->answer.len > 0;
	if (r == 0)
		r = memo_save(&s->memo, s->local.dir, s->local.name);
	if (r < 0)
		return sync_memo_failed(s, r);
	s->local.made = false;
	if (s->memo.answered)
		return take_finish(s);
	memo_free(&s->memo);
	return OUT_DONE;
}

enum outcome take_sent(
    struct sync *s, struct answer *a, const struct bytes *sent)
{
	struct bytes now = {0};
	bool replaced;
	enum outcome o = look_again(s, &replaced);
	int r = o == OUT_DONE ? local_read(&s->local, s->memo.offset, &now) : 0;

	if (r < 0)
		o = sync_local_failed(s, r);
	if (o == OUT_DONE && !bytes_begin(&now, sent->data, sent->len))
		o = !replaced
			? OUT_AGAIN
			: sync_fail(s, OUT_CHANGED,
			      "%s was replaced meanwhile and does not begin "
			      "with what was sent; left alone, run chatfile "
			      "again",
			      s->local.name);
	else if (o == OUT_DONE) {
		s->memo.keys = answer_keeps_key(a, &s->memo);
		memo_settle(&s->memo);
		o = take(s, &a->body, &now, sent->len);
	}
	bytes_free(&now);
	return o;
}

enum outcome take_fetched(struct sync *s, struct answer *a)
{
	struct bytes now = {0};
	bool replaced, keyed = false, found, same;
	enum outcome o = look_again(s, &replaced);
	size_t gone = 0;
	int r = o == OUT_DONE ? local_read(&s->local, s->memo.offset, &now) : 0;

	if (r < 0)
		o = sync_local_failed(s, r);
	if (o == OUT_DONE) {
		found = answer_holds_sent(a, &s->memo, s->user, &keyed);
		same = memo_is_sent(&s->memo, now.data, now.len);
		s->memo.keys |= keyed;
		if (found && same)
			gone = (size_t)s->memo.sent;
		if (found || !same)
			memo_settle(&s->memo);
		o = take(s, &a->body, &now, gone);
	}
	bytes_free(&now);
	return o;
}
