#include "room_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "footer.h"
#include "io.h"

#define SCAN_SMALL 4096
#define SCAN_BACK_MAX (2 * 1024 * 1024)

struct scan {
	scan_found *found;
	void *arg;
	uint64_t at; /* where the block begins in the file */
	uint64_t whole;
	bool line; /* the block begins a line */
};

static int hit(struct scan *s, const char *block, const char *line, size_t len)
{
	struct scan_hit h = {
	    .line = s->at + (uint64_t)(line - block), .text = line, .len = len};
	int r;

	h.end = h.line + len + 1;
	r = s->found(s->arg, &h);
	if (r == 0)
		s->whole = h.end;
	return r;
}

/* Goes through a block. *ret_done is len, or where a line begins that must be
 * seen to its end. */
static int scan_block(
    struct scan *s, const char *block, size_t len, size_t *ret_done)
{
	const char *at = block, *end = block + len, *newline;
	int r;

	/* Backslashes are rare but for footers: look for them, not for
	 * lines. */
	while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
		if (at == block ? !s->line : at[-1] != '\n') {
			at++;
			continue;
		}
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline) {
			*ret_done = (size_t)(at - block);
			return 0;
		}
		if (at[1] != '\\') {
			r = hit(s, block, at, (size_t)(newline - at));
			if (r)
				return r;
		}
		at = newline + 1;
	}
	*ret_done = len;
	return 0;
}

int scan_memory(const char *text, size_t len, uint64_t from, scan_found *found,
    void *arg, uint64_t *ret_whole)
{
	struct scan s = {found, arg, from, from, true};
	const char *nul = len ? memchr(text, '\0', len) : NULL;
	size_t done;
	int r = scan_block(&s, text, nul ? (size_t)(nul - text) : len, &done);

	*ret_whole = s.whole;
	return r;
}

/* A line longer than the buffer, which holds its beginning: finds its end.
 * Returns 1 if it has one before `to` and any NUL, else 0, or -errno. */
static int long_line(int fd, uint64_t at, uint64_t to, uint64_t *ret_end)
{
	char block[SCAN_SMALL];
	const char *newline, *nul;
	size_t len;
	int r;

	for (; at < to; at += len) {
		len = to - at < sizeof block ? (size_t)(to - at) : sizeof block;
		r = io_pread(fd, block, len, at);
		if (r < 0)
			return r;
		newline = memchr(block, '\n', len);
		nul = memchr(block, '\0', len);
		if (newline && (!nul || newline < nul)) {
			*ret_end = at + (uint64_t)(newline - block) + 1;
			return 1;
		}
		if (nul)
			return 0;
	}
	return 0;
}

/* The block is one line's beginning. 0 with s->at behind it, 1 if it does not
 * end, -errno or what the callback said. */
static int scan_long(
    struct scan *s, int fd, const char *block, size_t len, uint64_t to)
{
	struct scan_hit h = {.line = s->at, .text = block, .len = len};
	int r = long_line(fd, s->at + len, to, &h.end);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = len > 1 && block[1] == '\\' ? 0 : s->found(s->arg, &h);
	if (r)
		return r;
	if (len < 2 || block[1] != '\\')
		s->whole = h.end;
	s->at = h.end;
	s->line = true;
	return 0;
}

/* After a block: keeps its unfinished line, at the front. Returns how much. */
static size_t carry(struct scan *s, char *block, size_t len, size_t done)
{
	s->line = done < len || (len && block[len - 1] == '\n');
	s->at += done;
	memmove(block, block + done, len - done);
	return len - done;
}

static int scan_blocks(
    struct scan *s, int fd, uint64_t to, char *block, size_t cap)
{
	const char *nul = NULL;
	size_t len = 0, more, done = 0;
	int r;

	while (s->at + len < to && !nul) {
		more = to - s->at - len < cap - len ? (size_t)(to - s->at - len)
						    : cap - len;
		r = io_pread(fd, block + len, more, s->at + len);
		if (r < 0)
			return r;
		nul = memchr(block + len, '\0', more);
		len = nul ? (size_t)(nul - block) : len + more;
		r = scan_block(s, block, len, &done);
		if (r)
			return r;
		len = carry(s, block, len, done);
		if (len < cap || nul)
			continue;
		r = scan_long(s, fd, block, len, to);
		if (r)
			return r == 1 ? 0 : r;
		len = 0;
	}
	return 0;
}

int scan_file(int fd, uint64_t from, uint64_t to, scan_found *found, void *arg,
    uint64_t *ret_whole)
{
	struct scan s = {found, arg, from, from, true};
	size_t cap = SCAN_SMALL;
	char *block;
	int r;

	*ret_whole = from;
	if (from >= to)
		return 0;
	if (to - from > cap)
		cap = to - from < SCAN_CHUNK ? (size_t)(to - from) : SCAN_CHUNK;
	block = malloc(cap);
	if (!block)
		return -ENOMEM;
	r = scan_blocks(&s, fd, to, block, cap);
	free(block);
	*ret_whole = s.whole;
	return r;
}

int scan_ends_record(const char *buf, size_t len, bool first)
{
	const char *newline;
	size_t line = 0;

	if (!len || buf[len - 1] != '\n')
		return 0;
	newline = memrchr(buf, '\n', len - 1);
	if (newline)
		line = (size_t)(newline - buf) + 1;
	else if (!first)
		return -EAGAIN;
	return footer_is(buf + line, len - 1 - line);
}

int scan_file_ends_record(int fd, uint64_t end)
{
	char small[512], *buf = small;
	size_t len = sizeof small;
	int r;

	if (end == 0)
		return 1;
	do {
		if (len > end)
			len = (size_t)end;
		r = io_pread(fd, buf, len, end - len);
		if (r == 0)
			r = scan_ends_record(buf, len, len == end);
		if (buf != small)
			free(buf);
		if (r != -EAGAIN)
			return r == -EIO ? 0 : r;
		len *= 16;
		buf = malloc(len);
		if (!buf)
			return -ENOMEM;
	} while (len <= SCAN_BACK_MAX);
	free(buf);
	return 0;
}

bool scan_is_upload(const char *line, size_t len)
{
	struct footer footer;
	struct slice file;

	/* Most footers have no key at all; a rebuild asks this of each. */
	if (!memchr(line, '=', len))
		return false;
	footer_parse(&footer, line, len);
	return footer_value(&footer, "file", &file);
}
