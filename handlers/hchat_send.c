/*
 * POST /send/ID: a message as text, or as message= in a form.
 */
#include "hchat.h"

#include <errno.h>
#include <string.h>

#include "lib/http_form.h"
#include "lib/parse.h"
#include "lib/text.h"

static bool is_form(const struct http_head *head)
{
	struct slice type;

	if (!http_head_find(head, "content-type", &type))
		return false;
	for (size_t i = 0; i < type.len; i++)
		if (strchr("; \t", type.data[i]))
			type.len = i;
	return parse_is_case(
	    type.data, type.len, "application/x-www-form-urlencoded");
}

/* Takes the message out of a form; false if it was answered. */
static bool from_form(struct session *s, struct slice *text)
{
	struct http *h = &s->door.http;
	long n = http_form(s->events.data, LIMIT_MESSAGE + 1, text->data,
	    text->len, "message");

	if (n == -ENOENT)
		(void)http_error(h, 400,
		    "the form has no message=; send the message as "
		    "text/plain, or in a form as message=TEXT\n");
	else if (n == -EINVAL)
		(void)http_error(h, 400, "a %% in the form is broken\n");
	else if (n < 0)
		(void)http_error(
		    h, 413, "%s\n", text_fault_says(TEXT_TOO_LONG));
	*text = (struct slice){s->events.data, (size_t)n};
	return n >= 0;
}

static bool read_message(struct session *s, struct slice *ret)
{
	struct http *h = &s->door.http;
	enum text_fault fault;

	if (http_body(h, ret) <= 0)
		return false;
	if (is_form(&h->head) && !from_form(s, ret))
		return false;
	fault = text_check(ret->data, ret->len, NULL);
	if (fault)
		(void)http_error(h, fault == TEXT_TOO_LONG ? 413 : 400, "%s\n",
		    text_fault_says(fault));
	return !fault;
}

/* A page whose answer was lost sends again, as may the browser of its own
 * accord: among so many last records it is found by its Idempotency-Key. */
#define RETRY_RECORDS 200

static uint64_t retry_since(struct room *room)
{
	struct room_span span;

	if (room_look(room) < 0 || room->count <= RETRY_RECORDS ||
	    room_find(room, room->count - RETRY_RECORDS, &span) < 0)
		return 0;
	return span.end;
}

static void append(struct session *s, struct slice text,
    const struct hchat_author *author, const char *key)
{
	const struct room_post post = {.body = s->record,
	    .body_len = text_escape(s->record, text.data, text.len),
	    .newline = true,
	    .author = author->name,
	    .door = "hchat",
	    .keys = author->keys,
	    .since = key[0] ? retry_since(&s->door.room) : 0,
	    .key = key[0] ? key : NULL};
	struct room_posted posted;
	int r = room_append(&s->door.room, &post, &posted);

	if (r == -EEXIST) {
		(void)http_error(&s->door.http, 409,
		    "another message was sent with this Idempotency-Key\n");
		return;
	}
	if (r < 0) {
		http_door_failed(&s->door, r);
		return;
	}
	s->door.message = text.len;
	s->door.repeated = posted.repeated;
	hchat_last(s);
	http_reply(&s->door.http, 200);
	http_field(
	    &s->door.http, "Chat-Message", "%ju", (uintmax_t)posted.number);
	(void)http_text(
	    &s->door.http, "sent as %ju\n", (uintmax_t)posted.number);
}

void hchat_send(struct session *s)
{
	struct hchat_author author;
	char key[LIMIT_KEY + 1];
	struct slice text;

	s->door.event = "send";
	if (hchat_author(s, &author) && http_door_key(&s->door, key) == 0 &&
	    read_message(s, &text))
		append(s, text, &author, key);
}
