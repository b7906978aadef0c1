/*
 * send, checkinbox, recv: messages to one are in the database, messages to all
 * in the lobby (design 7).
 */
#include "toychat.h"

#include <errno.h>
#include <string.h>
#include <unistr.h>
#include <utstring.h>

#include "lib/clock.h"
#include "lib/lobby.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "lib/store_inbox.h"
#include "lib/text.h"

/* --- send ------------------------------------------------------------- */

/* What is wrong with a message, valid UTF-8 by now; NULL: nothing. */
static const char *refusal(struct slice message)
{
	const uint8_t *text = (const uint8_t *)message.data;

	if (!message.len)
		return "message is empty";
	if (u8_mbsnlen(text, message.len) > LIMIT_DIRECT_CHARS)
		return "message too long";
	if (text_check(message.data, message.len, NULL) != TEXT_FINE)
		return "message has invalid characters";
	return NULL;
}

static void send_to_all(struct toychat *t, struct slice message)
{
	char stored[2 * LIMIT_DIRECT];
	struct room_post post = {.body = stored,
	    .body_len = text_escape(stored, message.data, message.len),
	    .newline = true,
	    .author = t->me.name,
	    .door = t->start.door,
	    .keys = ""};
	struct room_posted posted;
	int r = toychat_lobby(t);

	if (r == 0)
		r = room_append(&t->lobby, &post, &posted);
	if (r < 0)
		toychat_failed_room(t, "send", r);
	else
		toychat_ok(t);
}

static void send_to_one(
    struct toychat *t, struct slice to, struct slice message)
{
	int r = inbox_send(
	    &t->store, t->me.id, to.data, to.len, message.data, message.len);

	if (r == -ENOENT)
		toychat_fail(t, "recipient does not exist");
	else if (r < 0)
		toychat_failed(t, "send", r);
	else
		toychat_ok(t);
}

void toychat_send(struct toychat *t, const struct slice *fields)
{
	struct slice to = fields[0], message = fields[1];
	const char *error = refusal(message);

	if (error)
		toychat_fail(t, error);
	else if (parse_is(to.data, to.len, "*"))
		send_to_all(t, message);
	else
		send_to_one(t, to, message);
}

/* --- checkinbox ------------------------------------------------------- */

static int add_entry(void *arg, const char *from, uint64_t count)
{
	char entry[LIMIT_NAME + 32];
	long n = toychat_inbox_entry(
	    entry, sizeof entry, (struct slice){from, strlen(from)}, count);

	if (n > 0)
		utstring_bincpy((UT_string *)arg, entry, (size_t)n);
	return 0;
}

void toychat_checkinbox(struct toychat *t, const struct slice *fields)
{
	UT_string reply;
	uint64_t unread;
	int r = toychat_lobby(t);

	(void)fields;
	utstring_init(&reply);
	utstring_bincpy(&reply, "inbox", 5);
	if (r == 0)
		r = lobby_unread(&t->store, &t->lobby, t->me.id, &unread);
	if (r == 0 && unread)
		(void)add_entry(&reply, "*", unread);
	if (r == 0)
		r = inbox_each(&t->store, t->me.id, add_entry, &reply);
	utstring_bincpy(&reply, TOYCHAT_CRLF, 2);
	if (r < 0)
		toychat_failed(t, "checkinbox", r);
	else
		toychat_reply(t, utstring_body(&reply), utstring_len(&reply));
	utstring_done(&reply);
}

/* --- recv ------------------------------------------------------------- */

static void reply_message(struct toychat *t, struct slice when,
    struct slice from, struct slice to, struct slice body)
{
	static char reply[3 * EVENTS_RECORD + 1024];
	long n = toychat_message(reply, sizeof reply, when, from, to, body);

	if (n < 0)
		toychat_failed(t, "recv", (int)n);
	else
		toychat_reply(t, reply, (size_t)n);
}

static struct slice text_slice(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static void recv_direct(struct toychat *t, struct slice from)
{
	struct inbox_message message;
	char when[CLOCK_TEXT];
	int r = inbox_take(&t->store, t->me.id, from.data, from.len, &message);

	if (r == -ENOENT) {
		toychat_fail(t, "user does not exist");
	} else if (r == -ENODATA) {
		toychat_fail(t, "no messages from user");
	} else if (r < 0) {
		toychat_failed(t, "recv", r);
	} else {
		clock_text(message.time, when);
		reply_message(t, text_slice(when), text_slice(message.from),
		    text_slice(message.to),
		    (struct slice){message.body, message.body_len});
	}
}

/* What somebody wrote by hand may be no author, no time and no room text. */
static void reply_lobby(struct toychat *t, struct lobby_message *message)
{
	static char body[3 * EVENTS_RECORD];
	char author[3 * EVENTS_AUTHOR], when[CLOCK_TEXT];
	struct footer *footer = &message->footer;
	struct slice from = footer->author;
	size_t len;
	int64_t seconds;

	if (from.len > EVENTS_AUTHOR)
		from.len = EVENTS_AUTHOR;
	from = (struct slice){author, text_clean(author, from.data, from.len)};
	if (!from.len)
		from = text_slice("?");
	if (clock_parse(footer->time.data, footer->time.len, &seconds) < 0)
		seconds = 0;
	clock_text(seconds, when);
	len = text_unescape(
	    message->record, message->body.data, message->body.len);
	len = text_clean(body, message->record, len);
	len = toychat_one_line(body, body, len);
	reply_message(t, text_slice(when), from, text_slice("*"),
	    (struct slice){body, len});
}

static void recv_lobby(struct toychat *t)
{
	static struct lobby_message message;
	int r = toychat_lobby(t);

	if (r == 0)
		r = lobby_take(&t->store, &t->lobby, t->me.id, &message);
	if (r == -ENODATA)
		toychat_fail(t, "no messages from user");
	else if (r < 0)
		toychat_failed(t, "recv", r);
	else
		reply_lobby(t, &message);
}

void toychat_recv(struct toychat *t, const struct slice *fields)
{
	if (parse_is(fields[0].data, fields[0].len, "*"))
		recv_lobby(t);
	else
		recv_direct(t, fields[0]);
}
