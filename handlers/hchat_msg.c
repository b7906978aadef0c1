/*
 * What was said: one message, once it is there; all of them, as a stream of
 * events or as the room's text.
 */
#include "hchat.h"

#include <errno.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/http_file.h"
#include "lib/park.h"
#include "lib/parse.h"
#include "lib/text.h"

#define NUMBER_MAX (UINT64_C(1) << 53) /* what a script's number can be */

/* Of a footer that others wrote, as much as a field of ours may hold. */
#define AUTHOR_SHOWN (LIMIT_NAME + 8)
#define TIME_SHOWN 64

/* Decimal, from 1, without leading zeros: a message has one path. */
static bool is_number(struct slice text, uint64_t *ret)
{
	return text.len && text.data[0] != '0' &&
	       parse_u64(text.data, text.len, NUMBER_MAX, ret) == 0;
}

/* --- one message ------------------------------------------------------ */

static void put_author(struct http *h, struct slice author)
{
	char clean[3 * AUTHOR_SHOWN], out[9 * AUTHOR_SHOWN];
	size_t n = author.len < AUTHOR_SHOWN ? author.len : AUTHOR_SHOWN;

	n = percent_encode(out, clean, text_clean(clean, author.data, n));
	http_field(h, "Chat-Author", "%.*s", (int)n, out);
}

/* Others may have written anything in its place. */
static void put_time(struct http *h, struct slice when)
{
	char out[TIME_SHOWN];
	size_t n = when.len < sizeof out ? when.len : sizeof out;

	for (size_t i = 0; i < n; i++)
		out[i] = when.data[i] > 0x20 && when.data[i] < 0x7f
			     ? when.data[i]
			     : '?';
	http_field(h, "Chat-Time", "%.*s", (int)n, out);
}

/* The upload that it announces, percent-encoded, if it does. */
static void put_file(struct http *h, const struct footer *footer)
{
	char name[LIMIT_FILE_NAME], clean[3 * LIMIT_FILE_NAME];
	char out[9 * LIMIT_FILE_NAME];
	size_t len, n = footer_file(footer, name);

	if (!n)
		return;
	len = percent_encode(out, clean, text_clean(clean, name, n));
	http_field(h, "Chat-File", "%.*s", (int)len, out);
}

/* The message as it was typed; clean where others wrote what no door takes,
 * and no more of it than a message may have. */
static struct slice text_of(struct session *s, struct slice body)
{
	char *text = (char *)body.data;
	size_t len = text_unescape(text, text, body.len);

	if (len > LIMIT_MESSAGE) {
		len = LIMIT_MESSAGE;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len && text_check(text, len, NULL) != TEXT_FINE) {
		len = text_clean(s->events.data, text, len);
		text = s->events.data;
	}
	return (struct slice){text, len};
}

static void tell(struct session *s, uint64_t number)
{
	struct http *h = &s->door.http;
	long n = events_record(&s->door.room, number, s->record);
	struct footer footer;
	struct slice body;
	struct http_part part;

	if (n < 0) {
		http_door_failed(&s->door, (int)n);
		return;
	}
	room_record(s->record, (size_t)n, &body, &footer);
	hchat_last(s);
	http_reply(h, 200);
	put_author(h, footer.author);
	put_time(h, footer.time);
	put_file(h, &footer);
	http_field(h, "Chat-Message", "%ju", (uintmax_t)number);
	body = text_of(s, body);
	part = (struct http_part){.data = body.data, .len = body.len};
	(void)http_send(h, HCHAT_TEXT, &part, 1);
}

/* The room may be deleted meanwhile. */
static int is_there(struct http_door *d, uint64_t number)
{
	if (d->room.fd < 0 &&
	    !room_is_chat(&d->rooms, d->room_name.data, d->room_name.len))
		return -ENOENT;
	return d->room.count >= number;
}

static void wait_for(struct session *s, uint64_t number)
{
	struct http_door *d = &s->door;
	uint64_t seconds = d->start.settings.poll_timeout;
	int r = http_door_wait(d,
	    seconds ? clock_in((int64_t)seconds * 1000) : CLOCK_NEVER, is_there,
	    number);

	s->door.event = "wait";
	if (d->http.gone)
		return;
	if (r == 1) {
		tell(s, number);
	} else if (r == 0) {
		hchat_last(s);
		http_reply(&d->http, 204);
		(void)http_send(&d->http, NULL, NULL, 0);
	} else if (r == -ENOENT) {
		(void)http_error(&d->http, 404, "there is no such room\n");
	} else {
		http_door_failed(d, r);
	}
}

void hchat_msg(struct session *s)
{
	uint64_t number;

	s->door.event = "msg";
	if (!is_number(s->parts[0], &number))
		(void)http_error(
		    &s->door.http, 404, "a message is a number from 1\n");
	else if (number <= s->door.room.count)
		tell(s, number);
	else if (s->door.http.head.method == HTTP_HEAD)
		(void)http_error(
		    &s->door.http, 404, "there is no such message yet\n");
	else
		wait_for(s, number);
}

/* --- events ----------------------------------------------------------- */

/* "from=" of the query: N, or -N for the last N. False if it is malformed. */
static bool first_of(const struct session *s, uint64_t *ret)
{
	uint64_t count = s->door.room.count, n;
	struct slice rest = s->door.http.head.query, one;
	const char *end;

	*ret = 1;
	for (; rest.len; rest.data = end, rest.len -= one.len) {
		end = memchr(rest.data, '&', rest.len);
		end = end ? end + 1 : rest.data + rest.len;
		one = (struct slice){rest.data, (size_t)(end - rest.data)};
		if (one.len < 5 || memcmp(one.data, "from=", 5) != 0)
			continue;
		one = (struct slice){one.data + 5, one.len - 5};
		one.len -= one.len && one.data[one.len - 1] == '&';
		if (one.len && one.data[0] == '-') {
			one.data++, one.len--;
			if (!is_number(one, &n))
				return false;
			*ret = n < count ? count - n + 1 : 1;
			return true;
		}
		return is_number(one, ret);
	}
	return true;
}

/* A browser that comes back says what it had. */
static void go_on_after(const struct session *s, uint64_t *next)
{
	struct slice last;
	uint64_t n;

	if (http_head_find(&s->door.http.head, "last-event-id", &last) &&
	    parse_u64(last.data, last.len, NUMBER_MAX - 1, &n) == 0)
		*next = n + 1;
}

static void stream(struct session *s, uint64_t next)
{
	struct http_door *d = &s->door;
	int r = -ENOTSOCK;

	if (d->start.client.socket)
		r = park_hand_over(&d->start.state, d->start.client.out,
		    d->room.name, next, d->source);
	if (r < 0)
		r = events_serve(&s->events, &d->start.client, &d->start.state,
		    &d->room, next);
	/* Whoever writes to it now, it is not us. */
	d->http.gone = true;
}

void hchat_events(struct session *s)
{
	struct http *h = &s->door.http;
	uint64_t next;

	s->door.event = "events";
	if (!first_of(s, &next)) {
		(void)http_error(
		    h, 400, "from is a number from 1, or -N for the last N\n");
		return;
	}
	go_on_after(s, &next);
	http_reply(h, 200);
	if (http_stream(h, "text/event-stream") == 0 &&
	    h->head.method != HTTP_HEAD)
		stream(s, next);
}

/* --- the transcript --------------------------------------------------- */

void hchat_transcript(struct session *s)
{
	struct http *h = &s->door.http;

	s->door.event = "transcript";
	if (s->door.room.fd >= 0) {
		(void)http_file(
		    h, s->door.room.fd, s->door.room.end, HCHAT_TEXT);
		return;
	}
	http_reply(h, 200);
	(void)http_send(h, HCHAT_TEXT, NULL, 0);
}
