/*
 * What goes out, and in which order: who is there; then records from the
 * cursor on and, each in its place between them, comings and goings. The next
 * one goes when the one before was acknowledged. Nothing is queued: the room is
 * the queue.
 */
#include "bcs.h"

#include <string.h>

#include "lib/clock.h"

/* The room can be another file, with fewer records, if it was replaced by
 * hand: what is said from now on is news. */
static void mend_cursor(struct session *s)
{
	if (s->next <= s->room.count + 1)
		return;
	s->next = s->room.count + 1;
	s->known = s->room.count;
	s->piece.begun = false;
	s->own_count = 0;
	s->own_last = 0;
}

static void log_failing(struct session *s, int error)
{
	struct log_line line;

	if (s->failing)
		return;
	s->failing = true;
	bcs_log(s, &line, LOG_ERR, "failure");
	log_errno(&line, error);
	log_end(&line);
}

void bcs_look(struct session *s)
{
	int r = room_look(&s->room);

	if (r < 0)
		log_failing(s, r);
	else
		s->failing = false;
}

void bcs_tell(
    struct session *s, struct slice from, const char *text, size_t len)
{
	struct bcs_frame frame = {
	    .type = BCS_DELIVER, .first = from, .second = {text, len}};

	bcs_put(s, &frame);
}

static bool may_deliver(const struct session *s)
{
	return (s->state == BCS_REGISTERED || s->state == BCS_UPLOADING) &&
	       !s->outstanding && !s->out_broken && bcs_flushed(s);
}

bool bcs_deliver(struct session *s)
{
	if (!may_deliver(s))
		return false;
	mend_cursor(s);
	if (s->listing) {
		bcs_roster_tell(s);
		return true;
	}
	if (bcs_roster_next(s))
		return true;
	if (s->next <= s->known) {
		bcs_record(s);
		return true;
	}
	/* It rang while there was no need to know, or the room grew by an
	 * append of our own. */
	if (!s->rung && s->next > s->room.count)
		return false;
	bcs_news(s, false);
	return true;
}
