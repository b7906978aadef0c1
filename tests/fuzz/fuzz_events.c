/*
 * Events: whatever stands in a record, its event is an id and one line of
 * data, which is JSON and UTF-8 with the keys in their order; what is room
 * text reads back as what was typed. And hand-overs: what is taken apart is
 * made again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "lib/events.h"
#include "lib/park.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NUMBER 4711
#define HEAD "id: 4711\ndata: "

static void demand(int truth)
{
	if (!truth)
		abort();
}

/* --- a tiny reader of JSON -------------------------------------------------
 */

struct json {
	const char *at, *end;
};

static void take(struct json *j, const char *text)
{
	size_t len = strlen(text);

	demand((size_t)(j->end - j->at) >= len && !memcmp(j->at, text, len));
	j->at += len;
}

static bool has(const struct json *j, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(j->end - j->at) >= len && !memcmp(j->at, text, len);
}

static char unescaped(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	for (size_t i = 0; i + 1 < sizeof from; i++)
		if (from[i] == c)
			return to[i];
	abort();
}

/* A string's value; returns its length. */
static size_t take_string(struct json *j, char *value)
{
	size_t n = 0;

	take(j, "\"");
	while (j->at < j->end && *j->at != '"') {
		char c = *j->at++;

		demand((unsigned char)c >= 0x20 && c != 0x7f);
		if (c == '\\') {
			demand(j->at < j->end);
			c = unescaped(*j->at++);
		}
		value[n++] = c;
	}
	take(j, "\"");
	return n;
}

/* --- */

static char event[EVENTS_MAX + 1], text[EVENTS_MAX], typed[1 << 20];

static void check_text(const char *record, size_t len, size_t n)
{
	struct footer footer;
	struct slice body;
	size_t m;

	room_record(record, len, &body, &footer);
	demand(body.len <= sizeof typed);
	m = text_unescape(typed, body.data, body.len);
	if (m && text_check(typed, m, NULL) != TEXT_FINE)
		return;
	demand(n == m && memcmp(text, typed, m) == 0);
}

static void format(const char *record, size_t len)
{
	size_t n = events_format(event, NUMBER, record, len);
	struct json j = {event, event + n};

	demand(n > 0 && n <= EVENTS_MAX);
	demand(u8_check((const uint8_t *)event, n) == NULL);
	take(&j, HEAD);
	take(&j, "{\"number\":4711,\"author\":");
	(void)take_string(&j, text);
	take(&j, ",\"time\":");
	(void)take_string(&j, text);
	take(&j, ",\"text\":");
	n = take_string(&j, text);
	if (has(&j, ",\"cut\""))
		take(&j, ",\"cut\":true");
	else
		check_text(record, len, n);
	if (has(&j, ",\"file\"")) {
		take(&j, ",\"file\":");
		demand(take_string(&j, text) > 0);
	}
	take(&j, "}\n\n");
	demand(j.at == j.end);
}

static void park(const char *data, size_t len)
{
	char made[LIMIT_DATAGRAM];
	struct park p, q;
	size_t n;

	if (park_parse(data, len, &p) < 0)
		return;
	demand(p.room_len >= 1 && p.room_len <= LIMIT_ROOM_NAME && p.next);
	n = park_make(&p, made);
	demand(n < sizeof made && n <= len);
	demand(park_parse(made, n, &q) == 0 && q.next == p.next);
	demand(q.source_len == p.source_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > sizeof typed)
		return 0;
	format((const char *)data, size);
	park((const char *)data, size);
	return 0;
}
