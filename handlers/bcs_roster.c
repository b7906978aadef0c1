/*
 * Who is there (design 6): told once to the newcomer, then every coming and
 * going in its place in the conversation. The set of names that the client was
 * told of decides what is news to it: what fanout says twice, or missed, makes
 * no difference.
 */
#include "bcs.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/clock.h"

static const struct slice server = {BCS_SERVER, sizeof BCS_SERVER - 1};

/* --- the roster ------------------------------------------------------- */

#define BEGINNING "Also here: "

struct reading {
	struct names *names;
	const char *us;
};

static int read_one(void *arg, const struct present_line *line)
{
	const struct reading *reading = arg;
	int r;

	if (strcmp(line->name, reading->us) == 0)
		return 0;
	r = names_add(reading->names, line->name);
	return r < 0 ? r : 0;
}

int bcs_roster_read(struct session *s, struct names *names)
{
	struct reading reading = {names, s->name};
	int r = present_each(&s->present, read_one, &reading);

	/* What reading a folder took. */
	(void)malloc_trim(0);
	return r;
}

/* As many names as fit, from the first that was not listed on. */
static size_t list(struct session *s, char *text, size_t size)
{
	const char *name = names_after(&s->shown, s->listed);
	struct buf b;

	buf_init(&b, text, size);
	buf_str(&b, BEGINNING);
	for (; name && b.len + 2 + strlen(name) <= size;
	     name = names_after(&s->shown, name)) {
		if (b.len > strlen(BEGINNING))
			buf_str(&b, ", ");
		buf_str(&b, name);
		(void)snprintf(s->listed, sizeof s->listed, "%s", name);
	}
	s->listing = name != NULL;
	return b.len;
}

void bcs_roster_tell(struct session *s)
{
	static const char nobody[] = "Nobody else is here";
	size_t len;

	if (!names_first(&s->shown)) {
		s->listing = false;
		bcs_tell(s, server, nobody, sizeof nobody - 1);
		return;
	}
	s->fat = true;
	len = list(s, s->record, BCS_STRING_MAX);
	bcs_tell(s, server, s->record, len);
}

/* --- comings and goings ----------------------------------------------- */

static void say(struct session *s, const char *name, const char *what)
{
	char text[LIMIT_NAME + 32];
	int n = snprintf(text, sizeof text, "%s %s", name, what);

	bcs_tell(s, server, text, (size_t)n);
}

/* True if it was news. */
static bool show(struct session *s, bool joined, const char *name)
{
	char copy[LIMIT_NAME + 1];

	(void)snprintf(copy, sizeof copy, "%s", name);
	if (joined ? names_add(&s->shown, copy) <= 0
		   : names_remove(&s->shown, copy) <= 0)
		return false;
	say(s, copy, joined ? "has connected" : "has left");
	return true;
}

/* All up to there was delivered, or there is less. */
static bool is_place(const struct session *s, uint64_t at)
{
	return s->next > at || s->next > s->room.count;
}

uint64_t bcs_settled(struct session *s)
{
	if (room_settle(&s->room) < 0)
		bcs_look(s);
	return s->room.count;
}

/* A leave's place may be put too late, after what a namesake said who came
 * since. */
static void add(struct session *s, bool joined, uint64_t at, const char *name)
{
	struct bcs_change *c;

	if (s->change_count == BCS_CHANGES) {
		s->change_count = s->change_old = 0;
		s->stale = true;
	}
	for (size_t i = 0; joined && i < s->change_count; i++) {
		c = &s->changes[i];
		if (c->at > at && strcmp(c->name, name) == 0)
			c->at = at;
	}
	s->fat |= s->change_count * sizeof *c > 4096;
	c = &s->changes[s->change_count++];
	c->joined = joined;
	c->at = at;
	(void)snprintf(c->name, sizeof c->name, "%s", name);
}

/* Nobody was told of whom we did not tell: no need to look at the room. */
static bool is_news(const struct session *s, bool joined, const char *name)
{
	return s->change_count || s->comparing || s->stale || s->listing ||
	       names_have(&s->shown, name) != joined;
}

void bcs_roster_change(struct session *s)
{
	bool joined = s->live.change.joined;
	const char *name = s->live.change.name;
	uint64_t at = s->live.change.count;

	if (strcmp(name, s->name) == 0) {
		if (joined && s->state == BCS_JOINING) {
			s->next = at + 1;
			bcs_welcome(s);
		}
		return;
	}
	if (s->state == BCS_JOINING || !is_news(s, joined, name))
		return;
	if (!joined)
		at = bcs_settled(s);
	else if (at > s->room.count)
		bcs_look(s);
	add(s, joined, at, name);
}

/* The folder first, then the room: whoever is gone from it has said all. */
static void compare(struct session *s)
{
	s->stale = s->comparing = false;
	names_release(&s->found);
	if (bcs_roster_read(s, &s->found) < 0)
		return;
	s->compare_at = bcs_settled(s);
	s->change_old = s->change_count;
	s->comparing = true;
}

/* What is known of a name and not shown yet: the first such. */
static const struct bcs_change *pending(
    const struct session *s, const char *name)
{
	for (size_t i = 0; i < s->change_count; i++)
		if (strcmp(s->changes[i].name, name) == 0)
			return &s->changes[i];
	return NULL;
}

/* Whose coming was missed. */
static const char *who_came(const struct session *s)
{
	const struct bcs_change *c;
	const char *n = names_missing(&s->found, &s->shown, NULL);

	for (; n; n = names_missing(&s->found, &s->shown, n)) {
		c = pending(s, n);
		if (!c || !c->joined)
			break;
	}
	return n;
}

/* Whose leave was missed. */
static const char *who_left(const struct session *s)
{
	const char *n = names_missing(&s->shown, &s->found, NULL);

	while (n && pending(s, n))
		n = names_missing(&s->shown, &s->found, n);
	return n;
}

/* The next difference. Where those who came did is not known, but before they
 * said anything: they are shown at once; those who left, when they have said
 * all. */
static bool show_difference(struct session *s)
{
	const char *name = who_came(s);

	if (name)
		return show(s, true, name);
	if (!is_place(s, s->compare_at))
		return false;
	name = who_left(s);
	if (name)
		return show(s, false, name);
	/* One who came before and is gone may still be to be shown. */
	if (s->change_old)
		return false;
	names_release(&s->found);
	s->comparing = false;
	return false;
}

/* Is it another one's turn first, of the same name? */
static bool is_behind(struct session *s, size_t i)
{
	const char *name = s->changes[i].name;

	while (i--)
		if (strcmp(s->changes[i].name, name) == 0)
			return true;
	return false;
}

/* What is newer than the folder's reading is true of that, too. */
static struct bcs_change take_out(struct session *s, size_t i)
{
	struct bcs_change c = s->changes[i];

	s->change_count--;
	memmove(s->changes + i, s->changes + i + 1,
	    (s->change_count - i) * sizeof c);
	if (i < s->change_old)
		s->change_old--;
	else if (s->comparing && c.joined)
		(void)names_add(&s->found, c.name);
	else if (s->comparing)
		(void)names_remove(&s->found, c.name);
	return c;
}

/* The first one whose place this is: who came is not to wait for those who
 * left before, but have more to say. True if one was shown. */
static bool show_change(struct session *s)
{
	struct bcs_change c;
	size_t i = 0;

	while (i < s->change_count) {
		if (!is_place(s, s->changes[i].at) || is_behind(s, i)) {
			i++;
			continue;
		}
		c = take_out(s, i);
		if (show(s, c.joined, c.name))
			return true;
		i = 0;
	}
	return false;
}

/* Without fanout the folder is compared each second: what the last time found
 * comes first. */
static bool is_to_compare(const struct session *s)
{
	return s->stale && (!s->comparing || live_connected(&s->live));
}

bool bcs_roster_next(struct session *s)
{
	if (is_to_compare(s))
		compare(s);
	if (s->comparing && show_difference(s))
		return true;
	return s->change_count && show_change(s);
}

bool bcs_roster_speaks(struct session *s, const char *name)
{
	/* He may be gone, and his leave was no news. */
	s->stale = true;
	return show(s, true, name);
}

/* --- news ------------------------------------------------------------- */

/* After a bell: what the index got since. */
static void heed(struct session *s)
{
	int r = room_advance(&s->room);

	s->rung = false;
	s->unexplained = r <= 0;
}

/* A socket holds about 85 pieces of news. With that many at once fanout may
 * have had no place for more, and its word for that may not be here yet. */
#define BACKLOG 48

/* While nothing can be delivered, news can wait, but not for so long that the
 * socket is full: then the place of who comes is lost. To be woken for it costs
 * as much as a delivery, so where little happens it may wait longer than most
 * clients take to acknowledge. */
#define CALM 16 /* pieces at once, or fewer */
#define CALM_MS 200
#define CROWDED_MS 20

/* First the room, then what was said of people, to the last word: who came
 * before a record was written is known before it is delivered. So bells are
 * looked into before what comes after them is taken, and what the room has is
 * known up to where it was before the last time that the socket was emptied.
 * What woke us is a bell, most likely, and whichever it is, it was there before
 * the room is looked at: that is done first, and need not be done after it. */
static void take(struct session *s, bool woken)
{
	bool presumed = woken && !s->rung && s->next > s->room.count;
	uint64_t count = s->room.count;
	int news, taken = 0;

	s->rung |= presumed;
	do {
		if (s->rung && s->next > s->room.count)
			heed(s);
		if (!live_held(&s->live))
			count = s->room.count;
		news = live_next(&s->live);
		if (presumed && !(news & LIVE_LOOK))
			s->unexplained = false;
		else if (!presumed && news & LIVE_LOOK)
			s->rung = true;
		presumed = false;
		if (news & LIVE_ROSTER)
			s->stale = true;
		if (news & LIVE_CHANGE)
			bcs_roster_change(s);
		if (++taken == BACKLOG)
			s->stale = true;
	} while (news && !(news & LIVE_LAST));
	s->known = count;
	s->hear_at = clock_in(taken > CALM ? CROWDED_MS : CALM_MS);
}

void bcs_news(struct session *s, bool woken)
{
	uint64_t count = s->room.count;

	take(s, woken);
	/* It rang for nothing: the room is another file, perhaps. */
	if (!s->unexplained || s->state == BCS_JOINING)
		return;
	s->unexplained = false;
	bcs_look(s);
	if (s->room.count != count)
		take(s, false);
}
