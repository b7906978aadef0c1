#include "room_internal.h"

#include <errno.h>
#include <string.h>

#include "io.h"

int room_find(const struct room *room, uint64_t number, struct room_span *ret)
{
	uint64_t ends[2] = {0, 0};
	int r;

	if (number == 0 || number > room->count)
		return -ENOENT;
	if (index_fresh(room, number, ends))
		r = 0;
	else if (number == 1)
		r = index_entries(room, 1, 1, ends + 1);
	else
		r = index_entries(room, number - 1, 2, ends);
	if (r < 0)
		return r;
	ret->start = INDEX_END(ends[0]);
	ret->end = INDEX_END(ends[1]);
	ret->upload = ends[1] & INDEX_UPLOAD;
	return ret->start < ret->end ? 0 : -EUCLEAN;
}

/* So many entries are read at once. */
#define BLOCK 64

/* The first of n <= BLOCK entries from number `at` on that ends after offset
 * is number at + *ret_i; n if none does. */
static int search_block(const struct room *room, uint64_t at, size_t n,
    uint64_t offset, size_t *ret_i)
{
	uint64_t entries[BLOCK];
	size_t i = 0;
	int r = index_entries(room, at, n, entries);

	if (r < 0)
		return r;
	while (i < n && INDEX_END(entries[i]) <= offset)
		i++;
	*ret_i = i;
	return 0;
}

int room_number_at(
    const struct room *room, uint64_t offset, uint64_t *ret_number)
{
	/* All before low end too early, and high does not. */
	uint64_t low = 1, high = room->count + 1, at;
	size_t n, i;
	int r;

	if (offset >= room->end)
		low = high;
	/* Most ask for what is new: the last block comes first. */
	at = high - low > BLOCK ? high - BLOCK : low;
	while (low < high) {
		n = high - at < BLOCK ? (size_t)(high - at) : BLOCK;
		r = search_block(room, at, n, offset, &i);
		if (r < 0)
			return r;
		if (i == n)
			low = at + n;
		else if (i > 0)
			low = high = at + i;
		else
			high = at;
		at = high - low > BLOCK ? low + (high - low) / 2 : low;
	}
	*ret_number = low;
	return 0;
}

/* --- messages, that is all but uploads --- */

#define SPAN 512 /* entries: a page of the index */

/* The next entries from number `at` on. *ret_n is how many, 0 past count. */
static int read_entries(
    const struct room *room, uint64_t at, uint64_t entries[SPAN], size_t *ret_n)
{
	uint64_t left = at && at <= room->count ? room->count - at + 1 : 0;
	size_t n = left < SPAN ? (size_t)left : SPAN;
	int r = n ? index_entries(room, at, n, entries) : 0;

	*ret_n = n;
	return r;
}

int room_messages(
    const struct room *room, uint64_t from, uint64_t *ret_messages)
{
	uint64_t entries[SPAN], messages = 0;
	size_t n;
	int r;

	if (from == 0)
		return -EINVAL;
	while ((r = read_entries(room, from, entries, &n)) == 0 && n) {
		for (size_t i = 0; i < n; i++)
			messages += !(entries[i] & INDEX_UPLOAD);
		from += n;
	}
	if (r == 0)
		*ret_messages = messages;
	return r;
}

int room_next_message(
    const struct room *room, uint64_t from, uint64_t *ret_number)
{
	uint64_t entries[SPAN];
	size_t n;
	int r;

	if (from == 0)
		return -EINVAL;
	while ((r = read_entries(room, from, entries, &n)) == 0 && n) {
		for (size_t i = 0; i < n; i++)
			if (!(entries[i] & INDEX_UPLOAD)) {
				*ret_number = from + i;
				return 0;
			}
		from += n;
	}
	return r < 0 ? r : -ENOENT;
}

/* --- */

int room_read(const struct room *room, uint64_t offset, void *buf, size_t len)
{
	if (offset > room->end || len > room->end - offset)
		return -EINVAL;
	return io_pread(room->fd, buf, len, offset);
}

void room_record(const char *record, size_t len, struct slice *ret_body,
    struct footer *ret_footer)
{
	size_t end = len && record[len - 1] == '\n' ? len - 1 : len;
	const char *newline = end ? memrchr(record, '\n', end) : NULL;
	size_t line = newline ? (size_t)(newline - record) + 1 : 0;

	footer_parse(ret_footer, record + line, end - line);
	ret_body->data = record;
	ret_body->len = newline ? line - 1 : 0;
}
