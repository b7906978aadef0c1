/*
 * The exchange. Everything happens under flock of the room file, and whatever
 * is about to be done stands in the memo, durably, before it is done. So the
 * memo says at any moment what a crash left, and a run begins by finishing it:
 *
 *	memo		text behind the offset	what is done
 *	none		any			first use (chatfile_first.c)
 *	answered	any			FINISH
 *	idle		none			FETCH once; done
 *	idle		some			check it, memo := under way,
 *SEND under way	begins with what was	server keeps keys: SEND that
 *again sent			else FETCH; not found: SEND again under way
 *changed since		FETCH; memo := idle, so that the changed text is a new
 *message
 *
 *	SEND	POST from the offset, with the message and its key.
 *		2xx: memo := answered, with message + response; FINISH.
 *		4xx to the first attempt: nothing was stored: memo := idle.
 *		Else, and without an answer: the memo stays, and the next run
 *		goes on from it.
 *	FETCH	POST without a message. If the message under way is found in
 *		the answer, its typed text is dropped here and memo := answered
 *		with nothing under way; else as before, behind the new offset.
 *	FINISH	puts the answer between history and text (chatfile_merge.c),
 *		memo := idle or under way, with the new offset.
 *
 * Where a crash may fall, for a message:
 *
 *	before the memo "under way" is there	nothing happened
 *	until the server has stored it		sent again
 *	until "answered" is there		sent again with the same key,
 *						which the server answers as the
 *						first time, or found by asking
 *	until the room file is written		carried out from the memo
 *	until "idle" is there			found to be carried out
 *
 * With -n, and for text that may not be sent, FETCH is all that is done. While
 * a server is asked, an editor may replace the file, and another client lock
 * the new one: so before anything is taken in, path and memo are looked at
 * again; if the memo has moved on, the answer is dropped (OUT_AGAIN).
 */
#include "chatfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/text.h"

#define BUSY_TRIES 3
#define BUSY_MAX_S 30
#define SHOW_LINE 60

enum outcome sync_fail(struct sync *s, enum outcome o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(s->why, sizeof s->why, format, args);
	va_end(args);
	return o;
}

enum outcome sync_memo_failed(struct sync *s, int error)
{
	if (error == -ESTALE)
		return OUT_AGAIN; /* another client was faster */
	if (error == -EUCLEAN)
		return sync_fail(s, OUT_REFUSED,
		    ".%s.chatfile is damaged or of a newer version; "
		    "--resync makes a new one",
		    s->local.name);
	return sync_fail(
	    s, OUT_BROKEN, ".%s.chatfile: %s", s->local.name, strerror(-error));
}

enum outcome sync_local_failed(struct sync *s, int error)
{
	if (error == -ESTALE)
		return OUT_AGAIN;
	return sync_fail(
	    s, OUT_BROKEN, "%s: %s", s->local.name, strerror(-error));
}

enum outcome sync_lock(struct sync *s)
{
	int64_t patience = s->patience;
	int r = local_lock(
	    &s->local, s->make, clock_in(patience < 0 ? 500 : patience));

	if (r == -EBUSY && patience < 0) {
		progress("%s: waiting for another chatfile to end", s->room);
		r = local_lock(&s->local, s->make, CLOCK_NEVER);
		progress_end();
	}
	if (r == -EBUSY)
		return OUT_AGAIN;
	if (r == -ENOENT)
		return sync_fail(s, OUT_CHANGED, "%s is gone", s->local.name);
	return r < 0 ? sync_local_failed(s, r) : OUT_DONE;
}

enum outcome sync_history(struct sync *s, const struct memo *m)
{
	unsigned char tail[HASH_BYTES];
	int r = local_tail(&s->local, m->offset, tail);

	if (r == -ERANGE)
		return sync_fail(s, OUT_CHANGED,
		    "%s is shorter than the %" PRIu64 " bytes that were "
		    "synced; undo that, or fetch the room anew with --resync",
		    s->local.name, m->offset);
	if (r < 0)
		return sync_local_failed(s, r);
	if (memcmp(tail, m->tail, HASH_BYTES) == 0)
		return OUT_DONE;
	return sync_fail(s, OUT_CHANGED,
	    "the history in %s (its first %" PRIu64 " bytes) was changed "
	    "here; undo that, or fetch the room anew with --resync",
	    s->local.name, m->offset);
}

/* --- asking ----------------------------------------------------------------
 */

enum outcome sync_exchange(
    struct sync *s, const struct request *q, struct answer *a)
{
	for (int tries = 0;; tries++) {
		long pause = 1L << tries;

		switch (http_post(s->http, q, a)) {
		case HTTP_ANSWERED:
			break;
		case HTTP_FAILED:
			return sync_fail(
			    s, OUT_OFFLINE, "%s", http_error(s->http));
		default:
			return sync_fail(s, OUT_STOPPED, "stopped");
		}
		s->unsure |= a->status / 100 == 5;
		if (a->retry_after > pause)
			pause = a->retry_after;
		if ((a->status != 503 && a->status != 429) ||
		    tries >= BUSY_TRIES || pause > BUSY_MAX_S)
			break;
		a->body.len = a->skip;
		progress(
		    "%s: the server is busy, again in %ld s", s->room, pause);
		if (http_pause(s->http, (int)pause * 1000) == HTTP_SIGNALLED)
			return sync_fail(s, OUT_STOPPED, "stopped");
	}
	enum outcome o = answer_status(s, q, a);
	return o == OUT_DONE ? answer_fits(s, q, a) : o;
}

/* --- SEND ----------------------------------------------------------------- */

static enum outcome not_stored(struct sync *s, enum outcome o)
{
	int r;

	memo_settle(&s->memo);
	r = memo_save(&s->memo, s->local.dir, s->local.name);
	return r < 0 ? sync_memo_failed(s, r) : o;
}

static enum outcome send_text(struct sync *s, const struct bytes *text)
{
	struct bytes sent = {.data = text->data, .len = (size_t)s->memo.sent};
	struct request q = {.offset = s->memo.offset,
	    .text = sent.data,
	    .len = sent.len,
	    .key = s->memo.key};
	struct answer a = {0};
	enum outcome o;

	if (bytes_add(&a.body, sent.data, sent.len) < 0)
		return sync_local_failed(s, -ENOMEM);
	s->unsure = !s->fresh;
	s->fresh = false;
	o = sync_exchange(s, &q, &a);
	if (o == OUT_DONE)
		o = take_sent(s, &a, &sent);
	else if ((!s->unsure && (o == OUT_TEXT || o == OUT_REFUSED)) ||
		 a.status == 409)
		o = not_stored(s, o);
	answer_free(&a);
	s->exchanged |= o == OUT_DONE;
	return o == OUT_DONE ? OUT_AGAIN : o;
}

/* --- FETCH ---------------------------------------------------------------- */

static enum outcome fetch(struct sync *s)
{
	struct request q = {.offset = s->memo.offset};
	struct answer a = {0};
	enum outcome o = sync_exchange(s, &q, &a);

	if (o == OUT_DONE)
		o = take_fetched(s, &a);
	answer_free(&a);
	s->exchanged |= o == OUT_DONE;
	return o == OUT_DONE ? OUT_AGAIN : o;
}

/* --- the run -------------------------------------------------------------- */

static enum outcome check_text(struct sync *s, const struct bytes *text)
{
	char line[3 * SHOW_LINE + 1];
	size_t at = 0, len;
	enum text_fault fault = text_check_stored(text->data, text->len, &at);
	unsigned long number;

	if (fault == TEXT_FINE)
		return OUT_DONE;
	if (fault == TEXT_TOO_LONG)
		return sync_fail(s, OUT_TEXT,
		    "the unsent text in %s is %zu bytes long; a message has "
		    "at most %d",
		    s->local.name, text->len, LIMIT_MESSAGE);
	number = local_line(&s->local, s->memo.offset + at);
	if (fault != TEXT_FOOTER)
		return sync_fail(s, OUT_TEXT, "%s:%lu: %s", s->local.name,
		    number, text_fault_says(fault));
	for (len = 0; len < SHOW_LINE && at + len < text->len; len++)
		if (text->data[at + len] == '\n' ||
		    text->data[at + len] == '\r')
			break;
	line[text_clean(line, text->data + at, len)] = 0;
	return sync_fail(s, OUT_TEXT,
	    "%s:%lu: a line may not begin with one backslash, which marks "
	    "the server's lines: for  %s  write  \\%s",
	    s->local.name, number, line, line);
}

static enum outcome act(struct sync *s, const struct bytes *text)
{
	struct memo *m = &s->memo;
	bool same = memo_is_sent(m, text->data, text->len);
	enum outcome o;
	int r;

	s->left = text->len;
	if (s->fetch_only || s->hold || (!m->key[0] && !text->len))
		return s->exchanged ? OUT_DONE : fetch(s);
	if (m->key[0] && (!same || (!m->keys && !s->asked))) {
		s->asked = true;
		return fetch(s);
	}
	if (m->key[0])
		return send_text(s, text);
	o = check_text(s, text);
	if (o != OUT_DONE)
		return o;
	memo_key(m, text->data, text->len);
	s->fresh = true;
	/* What the server is given shall not be lost here. */
	r = local_sync(&s->local);
	if (r == 0)
		r = memo_save(m, s->local.dir, s->local.name);
	return r < 0 ? sync_memo_failed(s, r) : send_text(s, text);
}

/* Looks at memo and file, does the next thing. OUT_AGAIN: there may be more. */
static enum outcome step(struct sync *s)
{
	struct bytes text = {0};
	enum outcome o;
	int r;

	memo_free(&s->memo);
	o = local_replaced(&s->local) ? sync_lock(s) : OUT_DONE;
	if (o != OUT_DONE)
		return o;
	r = memo_load(&s->memo, s->local.dir, s->local.name);
	if (r == -ENOENT || (r == 0 && s->local.made))
		o = first_use(s);
	else
		o = r < 0 ? sync_memo_failed(s, r) : sync_history(s, &s->memo);
	if (o == OUT_DONE && s->memo.answered) {
		o = take_finish(s);
		return o == OUT_DONE ? OUT_AGAIN : o;
	}
	if (o == OUT_DONE) {
		r = local_read(&s->local, s->memo.offset, &text);
		o = r < 0 ? sync_local_failed(s, r) : act(s, &text);
	}
	bytes_free(&text);
	return o;
}

/* The first success: what `chatfile NAME.txt` will need from now on. */
static void save_config(struct sync *s)
{
	int r = s->config ? config_save(s->config, s->config_dir) : 0;

	if (r < 0 && r != -EEXIST)
		say(".chatfile: %s", strerror(-r));
	s->config = NULL;
}

/* Ends with the lock's. `settled`: nobody has typed since we last looked. */
static enum outcome end_run(struct sync *s, enum outcome o)
{
	s->settled = o == OUT_DONE && s->local.fd >= 0 &&
		     fstat(s->local.fd, &s->seen) == 0 &&
		     (uint64_t)s->seen.st_size == s->memo.offset + s->left;
	local_unlock(&s->local);
	return o;
}

enum outcome sync_run(struct sync *s)
{
	enum outcome o = sync_lock(s);

	s->asked = s->exchanged = s->fresh = false;
	if (o != OUT_DONE)
		return o;
	do
		o = step(s);
	while (o == OUT_AGAIN && s->local.fd >= 0);
	if (o == OUT_DONE) {
		s->local.made = false;
		save_config(s);
	}
	return end_run(s, o);
}

enum outcome sync_take_waited(struct sync *s, struct answer *a)
{
	enum outcome o = sync_lock(s);

	if (o == OUT_DONE)
		o = take_fetched(s, a);
	return end_run(s, o);
}
