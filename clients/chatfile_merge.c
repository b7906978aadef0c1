/*
 * The answer goes between the history and whatever was typed meanwhile. The
 * memo holds, on disk before the room file is touched:
 *
 *	answer   what comes behind the offset: the message as sent and the
 *		 server's response, or only the latter for an empty message
 *	before   what stood behind the offset at that moment
 *	text     the part of `before` that stays behind the answer
 *
 * wanted = answer + text; growth = |wanted| - |before|. local_apply() appends
 * the last `growth` bytes of wanted in one O_APPEND write (usually that is the
 * response and all), then overwrites what still differs below. A shell's
 * `echo >> NAME.txt` at any moment lands behind everything and is not
 * overwritten, because the file only ever grows by appending; where it landed
 * between `before` and the append, that is found and planned for anew before
 * anything is overwritten. The file passes through:
 *
 *	before				nothing done yet
 *	before + part of last		killed in the append, or disk full
 *	before + last			appended
 *	a mixture of that and wanted	killed in the overwriting
 *	wanted				done
 *
 * each possibly followed by what someone typed since, or with that typed
 * between before and last. merge_text() tells these apart, byte by byte where
 * it must; what none of them explains was edited by the user, and is text: it
 * may look odd then, but no typed byte is ever dropped.
 *
 *	case	now						the user's text
 *	1	before+last or wanted, mixed, cut short, + Z	text + Z
 *	2	answer + Z					Z
 *	3	before + Y + last + Z				text + Y + Z
 *	4	before + Z					text + Z
 *	5	Y + answer + Z					Y + Z
 *	6	anything else					all of it
 *
 * NULs are read as "not written before the power cut" (they are no room text).
 */
#include "chatfile.h"

#include <errno.h>
#include <string.h>

/* A piece of the last append this long is nothing that someone typed. */
#define TORN_BYTES 16

size_t merge_growth(const struct merge *m)
{
	return m->answer.len + m->text.len - m->before.len;
}

void merge_free(struct merge *m)
{
	bytes_free(&m->answer);
	bytes_free(&m->before);
	bytes_free(&m->text);
}

static char wanted_at(const struct merge *m, size_t i)
{
	return i < m->answer.len ? m->answer.data[i]
				 : m->text.data[i - m->answer.len];
}

/* before + last, the file's state once the append is done. */
static char appended_at(const struct merge *m, size_t i)
{
	return i < m->before.len ? m->before.data[i] : wanted_at(m, i);
}

/* Case 1. */
static bool in_progress(const struct merge *m, const char *now, size_t len)
{
	size_t wanted = m->answer.len + m->text.len;

	if (len < m->before.len)
		return false;
	for (size_t i = 0; i < len && i < wanted; i++)
		if (now[i] != wanted_at(m, i) && now[i] != appended_at(m, i) &&
		    (now[i] || i < m->before.len))
			return false;
	return true;
}

/* Where the last append stands in now from `from` on: its offset, or len. */
static size_t find_last(
    const struct merge *m, const char *now, size_t len, size_t from)
{
	size_t growth = merge_growth(m), k;

	for (; from + growth <= len; from++) {
		for (k = 0; k < growth; k++)
			if (now[from + k] != wanted_at(m, m->before.len + k))
				break;
		if (k == growth)
			return from;
	}
	return len;
}

/* How much of the last append stands at the beginning of z, torn. */
static size_t torn(const struct merge *m, const char *z, size_t len)
{
	size_t growth = merge_growth(m), k = 0;

	while (k < len && k < growth && z[k] == wanted_at(m, m->before.len + k))
		k++;
	return k >= TORN_BYTES ? k : 0;
}

static int join(
    struct bytes *ret, const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = bytes_add(ret, a, a_len);

	return r < 0 ? r : bytes_add(ret, b, b_len);
}

/* Cases 3 and 4. */
static int behind_before(
    const struct merge *m, const char *now, size_t len, struct bytes *ret)
{
	size_t begin = m->before.len, growth = merge_growth(m);
	size_t at = find_last(m, now, len, begin);

	if (bytes_add(ret, m->text.data, m->text.len) < 0)
		return -ENOMEM;
	if (at < len)
		return join(ret, now + begin, at - begin, now + at + growth,
		    len - at - growth);
	begin += torn(m, now + begin, len - begin);
	return bytes_add(ret, now + begin, len - begin);
}

/* Cases 5 and 6. */
static int edited(
    const struct merge *m, const char *now, size_t len, struct bytes *ret)
{
	const char *at = NULL;
	size_t end;

	if (m->answer.len)
		at = memmem(now, len, m->answer.data, m->answer.len);
	if (!at)
		return bytes_add(ret, now, len);
	end = (size_t)(at - now) + m->answer.len;
	return join(ret, now, (size_t)(at - now), now + end, len - end);
}

int merge_text(
    const struct merge *m, const char *now, size_t len, struct bytes *ret)
{
	struct bytes all = {.data = (char *)now, .len = len};
	size_t wanted = m->answer.len + m->text.len;
	size_t extra = len > wanted ? wanted : len;

	if (in_progress(m, now, len))
		return join(
		    ret, m->text.data, m->text.len, now + extra, len - extra);
	if (bytes_begin(&all, m->answer.data, m->answer.len))
		return bytes_add(ret, now + m->answer.len, len - m->answer.len);
	if (bytes_begin(&all, m->before.data, m->before.len))
		return behind_before(m, now, len, ret);
	return edited(m, now, len, ret);
}
