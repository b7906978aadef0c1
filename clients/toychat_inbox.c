#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/parse.h"
#include "lib/text.h"
#include "toychat.h"

/* The next field of a tail. */
static bool next_field(struct slice *tail, struct slice *ret)
{
	const char *space;

	if (!tail->len)
		return false;
	tail->data++;
	tail->len--;
	space = memchr(tail->data, ' ', tail->len);
	*ret = (struct slice){
	    tail->data, space ? (size_t)(space - tail->data) : tail->len};
	tail->data += ret->len;
	tail->len -= ret->len;
	return ret->len > 0;
}

static int add(struct inbox *in, struct slice name, uint64_t count)
{
	struct unread *u;

	in->senders++;
	if (in->listed == NAMES_MAX)
		return 0;
	if (!in->list)
		in->list = calloc(NAMES_MAX, sizeof *in->list);
	if (!in->list)
		return -ENOMEM;
	if (name.len > LIMIT_NAME)
		return -EPROTO;
	u = &in->list[in->listed++];
	u->name[text_clean(u->name, name.data, name.len)] = '\0';
	u->count = count;
	return 0;
}

int inbox_read(struct inbox *ret, const struct toychat_command *reply)
{
	struct slice tail = reply->tail, name, number;
	struct inbox in = {0};
	uint64_t count;
	int r = 0;

	if (!parse_is(reply->word.data, reply->word.len, "inbox"))
		return -EPROTO;
	while (r == 0 && tail.len) {
		if (!next_field(&tail, &name) || !next_field(&tail, &number) ||
		    parse_u64(number.data, number.len, INT64_MAX, &count) < 0)
			r = -EPROTO;
		else
			r = add(&in, name, count);
	}
	if (r < 0)
		inbox_free(&in);
	else
		*ret = in;
	return r;
}

bool inbox_equal(const struct inbox *a, const struct inbox *b)
{
	if (a->senders != b->senders || a->listed != b->listed)
		return false;
	for (size_t i = 0; i < a->listed; i++)
		if (a->list[i].count != b->list[i].count ||
		    strcmp(a->list[i].name, b->list[i].name) != 0)
			return false;
	return true;
}

void inbox_free(struct inbox *in)
{
	free(in->list);
	*in = (struct inbox){0};
}

#define SUMMARY 3

void inbox_summary(const struct inbox *in, char *out, size_t size)
{
	struct buf b;

	buf_init(&b, out, size - 1);
	for (size_t i = 0; i < in->listed && i < SUMMARY; i++)
		buf_fmt(&b, "%s%s %ju", i ? ", " : "", in->list[i].name,
		    (uintmax_t)in->list[i].count);
	if (in->senders > SUMMARY)
		buf_fmt(&b, ", %zu more", in->senders - SUMMARY);
	out[b.len] = '\0';
}
