/* Messages in: checked, stored, and told apart from others'. */
#include "bcs.h"

#include <errno.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/text.h"

/* --- PARLANCE_RATE ---------------------------------------------------- */

/* Takes a token. False: not before s->pause. */
static bool take_token(struct session *s)
{
	int64_t rate = (int64_t)s->start.settings.rate;
	int64_t now, full = BCS_BURST * 1000;

	if (rate == 0)
		return true;
	now = clock_ms();
	/* Never more than it takes to be full, so nothing overflows. */
	if (now - s->tokens_time >= full / rate)
		s->tokens = full;
	else
		s->tokens += (now - s->tokens_time) * rate;
	if (s->tokens > full)
		s->tokens = full;
	s->tokens_time = now;
	if (s->tokens < 1000) {
		s->pause = now + (1000 - s->tokens + rate - 1) / rate;
		return false;
	}
	s->tokens -= 1000;
	return true;
}

/* --- own records ------------------------------------------------------ */

/* Who sends that many without answering a deliver: from there on, to the last
 * of them, they are told apart by name. */
static void own_add(struct session *s, uint64_t number)
{
	if (s->own_count == BCS_OWN || s->next <= s->own_last) {
		s->own_last = number;
		return;
	}
	s->own[(s->own_first + s->own_count) % BCS_OWN] = number;
	s->own_count++;
}

bool bcs_own(struct session *s, uint64_t number)
{
	while (s->own_count && s->own[s->own_first] < number) {
		s->own_first = (s->own_first + 1) % BCS_OWN;
		s->own_count--;
	}
	return s->own_count && s->own[s->own_first] == number;
}

/* The ring's numbers are the lower ones. */
bool bcs_own_perhaps(const struct session *s, uint64_t number)
{
	return number <= s->own_last && s->own_count == 0;
}

int bcs_post(struct session *s, const char *text, size_t len, const char *keys)
{
	struct room_post post = {.body = text,
	    .body_len = len,
	    .newline = true,
	    .author = s->author,
	    .door = BCS_DOOR,
	    .keys = keys};
	struct room_posted posted;
	struct log_line line;
	int64_t from = clock_ms();
	int r = room_append(&s->room, &post, &posted);

	/* That we were at work is not the client's fault. */
	if (s->outstanding)
		s->ack_by += clock_ms() - from;
	if (r == 0) {
		own_add(s, posted.number);
		return 0;
	}
	bcs_log(s, &line, r == -EBUSY ? LOG_WARNING : LOG_ERR, "failure");
	log_errno(&line, r);
	log_end(&line);
	return r;
}

/* --- send ------------------------------------------------------------- */

static const struct {
	int error;
	const char *text;
} failures[] = {
    {EBUSY, "the room is busy, try again"},
    {EUCLEAN, "the room is damaged and closed until it is repaired"},
    {EKEYREVOKED, "the disk failed; the room is closed until it is repaired"},
    {ENOSPC, "the disk is full; nothing was stored"},
    {EDQUOT, "the disk quota is used up; nothing was stored"},
    {EFBIG, "the room is as large as a file can be"},
};

const char *bcs_failure(int error)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].error == -error)
			return failures[i].text;
	return "the server's storage failed";
}

static void log_send(const struct session *s, size_t bytes)
{
	struct log_line line;

	bcs_log(s, &line, LOG_INFO, "send");
	log_number(&line, "bytes", (int64_t)bytes);
	log_end(&line);
}

/* Text that was checked. It is not in the way of a record that is delivered
 * piece by piece: each piece is read anew. */
static void store(struct session *s, struct slice text)
{
	size_t len = text_escape(s->record, text.data, text.len);
	int r = bcs_post(s, s->record, len, "");

	s->fat |= len > 2048 || s->own_first > 512;
	if (r < 0) {
		bcs_status(s, BCS_STORAGE, "%s", bcs_failure(r));
		return;
	}
	s->sent++;
	log_send(s, text.len);
	bcs_noted(
	    s, chatlog_message(&s->chatlog, s->name, text.data, text.len));
	bcs_status(s, BCS_OK, "ok");
}

bool bcs_send(struct session *s, const struct bcs_frame *frame)
{
	struct slice text = frame->first;
	enum text_fault fault;

	if (!take_token(s))
		return false;
	fault = text_check(text.data, text.len, NULL);
	if (fault == TEXT_FINE)
		store(s, text);
	else
		bcs_status(s, BCS_MESSAGE, "%s", text_fault_says(fault));
	return true;
}
