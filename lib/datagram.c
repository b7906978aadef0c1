#include "datagram.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "parse.h"

enum argument { NOTHING, ROOM, NAME, TEXT };

static const struct form {
	const char *word; /* up to and with the blank, if one follows */
	enum argument argument;
	bool count; /* and then a blank and a number */
} forms[] = {
    [DATAGRAM_SUB] = {"sub ", ROOM, false},
    [DATAGRAM_WHO] = {"who", NOTHING, false},
    [DATAGRAM_OK] = {"ok ", ROOM, true},
    [DATAGRAM_BELL] = {"bell ", ROOM, false},
    [DATAGRAM_CAME] = {"+", NAME, true},
    [DATAGRAM_LEFT] = {"-", NAME, true},
    [DATAGRAM_ROSTER] = {"roster", NOTHING, false},
    [DATAGRAM_ERROR] = {"error ", TEXT, false},
};

/* Is there no byte below `least`, and no DEL? */
static bool is_plain(const char *text, size_t len, unsigned char least)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < least || text[i] == 0x7f)
			return false;
	return true;
}

static bool argument_ok(enum argument what, const char *text, size_t len)
{
	switch (what) {
	case NOTHING:
		return len == 0;
	case ROOM:
		return parse_is_token(text, len, LIMIT_ROOM_NAME, "_-");
	case NAME:
		return len && len <= LIMIT_NAME && is_plain(text, len, ' ' + 1);
	case TEXT:
		return is_plain(text, len, ' ');
	}
	return false;
}

/* Cuts " COUNT" off the end. */
static int take_count(struct datagram *d)
{
	const char *blank = memrchr(d->text, ' ', d->len);
	size_t before;

	if (!blank)
		return -EPROTO;
	before = (size_t)(blank - d->text);
	if (parse_u64(blank + 1, d->len - before - 1, UINT64_MAX, &d->count) <
	    0)
		return -EPROTO;
	d->len = before;
	return 0;
}

static int take_form(
    const struct form *form, const char *data, size_t len, struct datagram *ret)
{
	size_t word = strlen(form->word);
	struct datagram d = {.kind = (enum datagram_kind)(form - forms)};

	if (len < word || memcmp(data, form->word, word) != 0)
		return -EPROTO;
	d.text = data + word;
	d.len = len - word;
	if (form->count && take_count(&d) < 0)
		return -EPROTO;
	if (!argument_ok(form->argument, d.text, d.len))
		return -EPROTO;
	*ret = d;
	return 0;
}

int datagram_parse(const char *data, size_t len, struct datagram *ret)
{
	if (len > LIMIT_DATAGRAM)
		return -EPROTO;
	if (len && data[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (take_form(&forms[i], data, len, ret) == 0)
			return 0;
	return -EPROTO;
}

size_t datagram_make(const struct datagram *d, char ret_data[LIMIT_DATAGRAM])
{
	const struct form *form = &forms[d->kind];
	size_t word = strlen(form->word), len = d->len;
	struct buf b;

	buf_init(&b, ret_data, LIMIT_DATAGRAM);
	buf_add(&b, form->word, word);
	if (form->argument == TEXT && len > LIMIT_DATAGRAM - word)
		len = LIMIT_DATAGRAM - word;
	if (form->argument != NOTHING)
		buf_add(&b, d->text, len);
	if (form->count)
		buf_fmt(&b, " %ju", (uintmax_t)d->count);
	return b.len;
}
