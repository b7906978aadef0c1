/*
 * POST (specs/chatfile.txt): the client sends what it has typed and how many
 * bytes of the room it has; it gets the rest, the footer first. Afterwards its
 * file is as long as the room.
 */
#include "chatfile.h"

#include <errno.h>

#include "lib/http_field.h"
#include "lib/parse.h"
#include "lib/text.h"

/* What the head says. */
struct sync {
	uint64_t since; /* the client has the bytes below */
	uint64_t wait; /* seconds, for an empty message */
	char key[LIMIT_KEY + 1]; /* "": none */
};

/* 0, or -1 and an answer. */
static int sync_since(struct session *s, struct sync *sync)
{
	struct slice range;
	unsigned n = http_head_find(&s->door.http.head, "range", &range);

	if (n == 0)
		return 0;
	if (n == 1 &&
	    http_range_since(range.data, range.len, &sync->since) == 0)
		return 0;
	(void)http_error(&s->door.http, 400,
	    "Range must be bytes=N-, once, N being the bytes you have\n");
	return -1;
}

static void sync_wait(const struct session *s, struct sync *sync)
{
	for (unsigned i = 0; i < s->door.http.head.count; i++) {
		const struct http_head_field *f = &s->door.http.head.fields[i];

		if (parse_is_case(f->name.data, f->name.len, "prefer") &&
		    http_prefer_wait(f->value.data, f->value.len, LIMIT_WAIT_S,
			&sync->wait) == 0)
			return;
	}
}

/* 416: the client has more than there is. */
static void past_the_end(struct session *s, uint64_t since)
{
	uint64_t end = s->door.room.end;

	http_reply(&s->door.http, 416);
	http_field(
	    &s->door.http, "Content-Range", "bytes */%ju", (uintmax_t)end);
	(void)http_text(&s->door.http,
	    "you have %ju bytes, the room has %ju: it is not the one that you "
	    "have synced, fetch it anew\n",
	    (uintmax_t)since, (uintmax_t)end);
}

/* Looks at the room: 0, or -1 and an answer. */
static int look(struct session *s, const struct sync *sync)
{
	int r = http_door_room(&s->door);

	if (r < 0) {
		http_door_failed(&s->door, r);
		return -1;
	}
	if (sync->since > s->door.room.end) {
		past_the_end(s, sync->since);
		return -1;
	}
	return 0;
}

/* --- nothing typed ---------------------------------------------------- */

static void fetch(struct session *s, const struct sync *sync)
{
	uint64_t end = s->door.room.end;
	struct http_part part = {.file = s->door.room.fd,
	    .offset = sync->since,
	    .len = end - sync->since};

	http_reply(&s->door.http, 206);
	if (part.len)
		http_field(&s->door.http, "Content-Range", "bytes %ju-%ju/%ju",
		    (uintmax_t)part.offset, (uintmax_t)end - 1, (uintmax_t)end);
	(void)http_send(&s->door.http, CHATFILE_TEXT, &part, 1);
}

static void fetch_or_wait(struct session *s, const struct sync *sync)
{
	int r;

	if (look(s, sync) < 0)
		return;
	if (sync->wait && s->door.room.end == sync->since) {
		s->door.event = "wait";
		r = chatfile_wait(s, sync->since, sync->wait);
		if (r < 0 && !s->door.http.gone)
			http_door_failed(&s->door, r);
		if (r < 0 || look(s, sync) < 0)
			return;
	}
	fetch(s, sync);
}

/* --- a message -------------------------------------------------------- */

static void bad_text(
    struct session *s, struct slice text, enum text_fault fault, size_t at)
{
	uint64_t line = 1;

	for (size_t i = 0; i < at && i < text.len; i++)
		line += text.data[i] == '\n';
	(void)http_error(&s->door.http, fault == TEXT_TOO_LONG ? 413 : 400,
	    "line %ju: %s\n", (uintmax_t)line, text_fault_says(fault));
}

/* ("\n" if added) + footer + [since, size) but for the record itself. */
static void posted(struct session *s, const struct sync *sync,
    const struct room_post *post, const struct room_posted *p)
{
	struct http_part parts[HTTP_PARTS] = {
	    {.data = "\n", .len = post->newline},
	    {.data = p->footer, .len = p->footer_len},
	    {.file = s->door.room.fd,
		.offset = sync->since,
		.len = p->start - sync->since},
	    {.file = s->door.room.fd,
		.offset = p->end,
		.len = p->size - p->end},
	};

	s->door.message = post->body_len;
	s->door.repeated = p->repeated;
	http_reply(&s->door.http, 206);
	http_field(&s->door.http, "Content-Range", "bytes %ju-%ju/%ju",
	    (uintmax_t)(sync->since + post->body_len), (uintmax_t)p->size - 1,
	    (uintmax_t)p->size);
	(void)http_send(&s->door.http, CHATFILE_TEXT, parts, HTTP_PARTS);
}

static void append(
    struct session *s, const struct sync *sync, struct slice text)
{
	const struct room_post post = {.body = text.data,
	    .body_len = text.len,
	    .newline = text.data[text.len - 1] != '\n',
	    .author = s->door.login.name,
	    .door = "chatfile",
	    .keys = "",
	    .since = sync->since,
	    .key = sync->key[0] ? sync->key : NULL};
	struct room_posted p;
	int r = room_append(&s->door.room, &post, &p);

	if (r == 0)
		posted(s, sync, &post, &p);
	else if (r == -ERANGE)
		past_the_end(s, sync->since);
	else if (r == -EEXIST)
		(void)http_error(&s->door.http, 409,
		    "another message was sent with this Idempotency-Key\n");
	else
		http_door_failed(&s->door, r);
}

void chatfile_post(struct session *s)
{
	struct sync sync = {0};
	enum text_fault fault;
	struct slice text;
	size_t at = 0;

	s->door.event = "post";
	if (sync_since(s, &sync) < 0 || http_door_key(&s->door, sync.key) < 0 ||
	    look(s, &sync) < 0)
		return;
	if (http_body(&s->door.http, &text) <= 0)
		return;
	if (text.len == 0) {
		s->door.event = "fetch";
		sync_wait(s, &sync);
		fetch_or_wait(s, &sync);
		return;
	}
	fault = text_check_stored(text.data, text.len, &at);
	if (fault)
		bad_text(s, text, fault, at);
	else
		append(s, &sync, text);
}
