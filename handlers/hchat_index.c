/*
 * Rooms: the list of those that are listed, making one, and a room's page.
 */
#include "handlers/hchat_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/http_form.h"
#include "lib/log.h"
#include "lib/parse.h"

/* --- the list --------------------------------------------------------- */

struct row {
	char name[LIMIT_ROOM_NAME + 1];
	char subject[LIMIT_SUBJECT + 1];
	uint64_t count;
	int64_t at; /* the last message's time, or the room's; 0: unknown */
};

#define ROW_MAX (6 * LIMIT_SUBJECT + 512)

struct list {
	const struct rooms *rooms;
	struct row *rows;
	size_t count;
	size_t room;
};

/* When the last message was sent, by its footer. */
static int64_t last_time(const struct room *room)
{
	char tail[LIMIT_FOOTER];
	struct room_span span;
	struct footer footer;
	struct slice body;
	int64_t at = 0;
	size_t len = sizeof tail;

	if (room_find(room, room->count, &span) < 0)
		return 0;
	if (span.end - span.start < len)
		len = (size_t)(span.end - span.start);
	if (room_read(room, span.end - len, tail, len) < 0)
		return 0;
	room_record(tail, len, &body, &footer);
	(void)clock_parse(footer.time.data, footer.time.len, &at);
	return at;
}

/* After a boot there is no index to go by; then it takes its time. A room that
 * cannot be read is shown without what is not known. */
static void look_into(const struct rooms *rooms, struct row *row)
{
	struct room room;
	size_t len = strlen(row->name);
	int64_t at;
	int r = room_open(&room, rooms, row->name, len, ROOM_WATCH);

	if (r < 0)
		r = room_open(&room, rooms, row->name, len, ROOM_CREATE);
	if (r < 0)
		return;
	row->count = room.count;
	at = last_time(&room);
	if (at)
		row->at = at;
	room_close(&room);
}

static int add(
    struct list *l, const char *name, const char *subject, int64_t created)
{
	size_t room = l->room ? 2 * l->room : 16;
	struct row *more;

	if (l->count == l->room) {
		more = reallocarray(l->rows, room, sizeof *l->rows);
		if (!more)
			return -ENOMEM;
		l->rows = more;
		l->room = room;
	}
	more = &l->rows[l->count++];
	*more = (struct row){.at = created};
	(void)snprintf(more->name, sizeof more->name, "%s", name);
	(void)snprintf(more->subject, sizeof more->subject, "%s", subject);
	look_into(l->rooms, more);
	return 0;
}

static const char *subject_of(const struct room_meta *m)
{
	return m->subject[0] ? m->subject : "Untitled";
}

static int add_listed(void *arg, const char *id, const struct room_meta *meta)
{
	return add(arg, id, subject_of(meta), meta->created);
}

static int by_activity(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void put_row(struct buf *out, const struct row *row)
{
	char subject[6 * LIMIT_SUBJECT], when[CLOCK_TEXT] = "";
	size_t n = hchat_escape(subject, row->subject, strlen(row->subject));

	if (row->at)
		clock_text(row->at, when);
	buf_fmt(out,
	    "<li><a href=\"/chat/%s\"><span class=\"subject\" dir=\"auto\">"
	    "%.*s</span> <span class=\"count\">%ju</span>",
	    row->name, (int)n, subject, (uintmax_t)row->count);
	if (when[0])
		buf_fmt(out, " <time datetime=\"%s\">%s</time>", when, when);
	buf_str(out, "</a></li>\n");
}

static void show_list(struct session *s, const struct list *l)
{
	size_t count = l->count < LIMIT_INDEX ? l->count : LIMIT_INDEX;
	char *html = malloc(count * ROW_MAX);
	struct hchat_slot slots[2];
	struct buf out;

	if (!html) {
		(void)http_error(&s->door.http, 503, "out of memory\n");
		return;
	}
	buf_init(&out, html, count * ROW_MAX);
	for (size_t i = 0; i < count; i++)
		put_row(&out, &l->rows[i]);
	slots[0] = (struct hchat_slot){"rooms", {html, out.len}, true};
	slots[1] =
	    hchat_slot("who", s->door.login.len ? s->door.login.name : "");
	http_reply(&s->door.http, 200);
	hchat_page(s, "index.html", slots, 2);
	free(html);
}

void hchat_index(struct session *s)
{
	struct list l = {.rooms = &s->door.rooms};
	int r;

	s->door.event = "index";
	if (!hchat_session(s))
		return;
	r = add(&l, "lobby", "lobby", 0);
	if (r == 0)
		r = rooms_each_listed(&s->door.rooms, add_listed, &l);
	if (r < 0) {
		http_door_failed(&s->door, r);
	} else {
		qsort(l.rows + 1, l.count - 1, sizeof *l.rows, by_activity);
		show_list(s, &l);
	}
	free(l.rows);
}

/* --- making one ------------------------------------------------------- */

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t")] == '\0';
}

/* What the query asks for; false if it was answered. */
static bool read_query(struct session *s, struct room_meta *ret)
{
	struct slice query = s->door.http.head.query;
	char listed[2] = "";
	long n = http_form(
	    ret->subject, LIMIT_SUBJECT, query.data, query.len, "subject");

	if (n >= 0)
		ret->subject[n] = '\0';
	if (n == -ENOENT || (n >= 0 && is_blank(ret->subject) &&
				strlen(ret->subject) == (size_t)n))
		n = snprintf(ret->subject, sizeof ret->subject, "Untitled");
	if (n < 0 || !room_subject_ok(ret->subject, (size_t)n)) {
		http_reply(&s->door.http, 400);
		hchat_say(s, "a subject is one line of 1 to 120 characters");
		return false;
	}
	n = http_form(listed, 1, query.data, query.len, "listed");
	ret->listed = n == 1 && listed[0] == '1';
	return true;
}

/* Whether the source may make another room now; if not, it was answered. If
 * the table of rates cannot be had, nobody may: nobody could be stopped. */
static bool may_create(struct session *s)
{
	uint64_t rate = s->door.start.settings.create_rate;
	int64_t wait = rate_take(
	    &s->door.auth.rate, RATE_CREATE, s->door.source, rate, rate);

	if (wait == 0)
		return true;
	http_reply(&s->door.http, wait < 0 ? 503 : 429);
	http_field(&s->door.http, "Retry-After", "%jd",
	    wait < 0 ? (intmax_t)5 : (intmax_t)wait);
	hchat_say(s, wait < 0 ? "no room can be made now; try again"
			      : "too many new rooms; try again in a moment");
	return false;
}

static void not_created(struct session *s, int error)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "failure");
	log_errno(&line, error);
	log_end(&line);
	http_reply(&s->door.http, 507);
	hchat_say(s, "the disk is full or failing; no room was made");
}

void hchat_create(struct session *s)
{
	struct room_meta meta = {.subject = "", .created = clock_now()};
	char id[ROOM_ID + 1];
	int r;

	s->door.event = "create";
	if (!read_query(s, &meta) || !may_create(s))
		return;
	r = room_create_chat(&s->door.rooms, &meta, id);
	if (r < 0) {
		not_created(s, r);
		return;
	}
	http_reply(&s->door.http, 302);
	http_field(&s->door.http, "Location", "/chat/%s", id);
	(void)http_text(&s->door.http, "/chat/%s\n", id);
}

/* --- a room's page ---------------------------------------------------- */

static int choose_token(char token[33])
{
	unsigned char bytes[16];

	if (getentropy(bytes, sizeof bytes) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void show_room(struct session *s, const char *token, const char *subject)
{
	struct http_door *d = &s->door;
	char last[24], name[LIMIT_NAME + 1];
	struct hchat_slot slots[6];

	(void)snprintf(last, sizeof last, "%ju", (uintmax_t)d->room.count);
	hchat_guest_name(s, name);
	slots[0] = hchat_slot("subject", subject);
	slots[1] = hchat_slot("room", d->room.name);
	slots[2] = hchat_slot("last", last);
	slots[3] = hchat_slot("who", d->login.len ? d->login.name : "");
	slots[4] = hchat_slot("name", name);
	slots[5] =
	    hchat_slot("guests", d->start.settings.guests ? "yes" : "no");
	http_reply(&d->http, 200);
	http_field(&d->http, "Set-Cookie",
	    "hchat=%s; Path=/send/%s; HttpOnly; SameSite=Strict", token,
	    d->room.name);
	hchat_page(s, "room.html", slots, sizeof slots / sizeof *slots);
}

void hchat_room(struct session *s)
{
	struct room_meta meta = {.subject = ""};
	const char *name = s->door.room.name;
	char token[33];

	s->door.event = "chat";
	if (!hchat_session(s))
		return;
	(void)room_meta_read(&s->door.rooms, name, &meta);
	if (choose_token(token) < 0) {
		(void)http_error(&s->door.http, 503, "out of randomness\n");
		return;
	}
	show_room(s, token,
	    strcmp(name, "lobby") == 0 && !meta.subject[0] ? name
							   : subject_of(&meta));
}
