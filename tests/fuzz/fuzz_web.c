/*
 * What the web door takes apart besides HTTP: forms, cookies, codings, rooms'
 * metadata. Results lie within their bounds, and what is written from what was
 * read is read as the same. The input's first byte says which.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/http_field.h"
#include "lib/http_form.h"
#include "lib/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

static void form(const char *text, size_t len)
{
	char out[64], encoded[3 * 64 + 2] = "a=", back[64];
	long n = http_form(out, sizeof out, text, len, "a");

	demand(n == -ENOENT || n == -EINVAL || n == -EMSGSIZE ||
	       (n >= 0 && n <= 64));
	if (n < 0)
		return;
	len = 2 + percent_encode(encoded + 2, out, (size_t)n);
	demand(http_form(back, sizeof back, encoded, len, "a") == n);
	demand(memcmp(out, back, (size_t)n) == 0);
}

static void cookie(const char *text, size_t len)
{
	struct slice value;

	if (!cookie_find(text, len, "a", &value))
		return;
	demand(value.data >= text + 2 && value.data + value.len <= text + len);
	demand(value.data[-1] == '=' && value.data[-2] == 'a');
	demand(!memchr(value.data, ';', value.len));
}

static void meta(const char *text, size_t len)
{
	struct room_meta m, back;
	char again[1024], when[CLOCK_TEXT];
	int n;

	if (room_meta_parse(&m, text, len) < 0)
		return;
	n = (int)strlen(m.subject);
	demand(n == 0 || room_subject_ok(m.subject, (size_t)n));
	clock_text(m.created, when);
	n = snprintf(again, sizeof again,
	    "format=1\nsubject=%s\nlisted=%d\ncreated=%s\n", m.subject,
	    m.listed, when);
	demand(room_meta_parse(&back, again, (size_t)n) == 0);
	demand(strcmp(back.subject, m.subject) == 0);
	demand(back.listed == m.listed && back.created == m.created);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		form(text, size - 1);
		break;
	case 1:
		cookie(text, size - 1);
		break;
	case 2:
		meta(text, size - 1);
		break;
	default:
		(void)http_accepts(text, size - 1, "gzip");
	}
	return 0;
}
