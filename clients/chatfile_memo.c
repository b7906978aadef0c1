/*
 * The memo, .NAME.txt.chatfile: key=value lines, an empty line, then (while an
 * answer is being taken in) the bytes of merge.answer, .before and .text. It
 * is replaced by rename, so whoever reads it finds a whole one.
 *
 *	chatfile=1
 *	offset=4711
 *	tail=HEX		hash of the 4096 bytes before the offset
 *	keys=1			the server keeps Idempotency-Keys
 *	key=HEX sent=12 hash=HEX	(a line each) the message under way
 *	answer=N before=N text=N	(a line each) what follows the empty
 *line
 *
 * And .chatfile, which a person may write: url=, user=, # comments.
 */
#include "chatfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/io.h"
#include "lib/parse.h"

#define HEAD_BYTES 1024
#define CONFIG_BYTES 8192

static void memo_name(char *out, size_t size, const char *name, const char *end)
{
	(void)snprintf(out, size, ".%s.chatfile%s", name, end);
}

/* --- writing -------------------------------------------------------------- */

static void add_hash(struct buf *b, const char *name, const unsigned char *hash)
{
	char hex[2 * HASH_BYTES + 1];

	(void)sodium_bin2hex(hex, sizeof hex, hash, HASH_BYTES);
	buf_fmt(b, "%s=%s\n", name, hex);
}

static void write_head(struct buf *b, const struct memo *m)
{
	buf_fmt(b, "chatfile=1\noffset=%ju\n", (uintmax_t)m->offset);
	add_hash(b, "tail", m->tail);
	buf_fmt(b, "keys=%d\n", m->keys);
	if (m->key[0]) {
		buf_fmt(b, "key=%s\nsent=%ju\n", m->key, (uintmax_t)m->sent);
		add_hash(b, "hash", m->hash);
	}
	if (m->answered)
		buf_fmt(b, "answer=%zu\nbefore=%zu\ntext=%zu\n",
		    m->merge.answer.len, m->merge.before.len,
		    m->merge.text.len);
	buf_str(b, "\n");
}

static int write_parts(int fd, const struct memo *m)
{
	const struct bytes *part[] = {
	    &m->merge.answer, &m->merge.before, &m->merge.text};
	char data[HEAD_BYTES];
	struct buf head;
	uint64_t at;
	int r;

	buf_init(&head, data, sizeof data);
	write_head(&head, m);
	at = head.len;
	r = io_pwrite(fd, head.data, head.len, 0);
	for (int i = 0; i < 3 && r == 0 && m->answered; i++) {
		r = io_pwrite(fd, part[i]->data, part[i]->len, at);
		at += part[i]->len;
	}
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int memo_save(const struct memo *m, int dir, const char *name)
{
	char temp[300], path[300];
	int fd, r;

	memo_name(path, sizeof path, name, "");
	memo_name(temp, sizeof temp, name, ".new");
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_parts(fd, m);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir, temp, dir, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, temp, 0);
	else if (fsync(dir) < 0)
		r = -errno;
	return r;
}

int memo_remove(int dir, const char *name)
{
	char path[300];

	memo_name(path, sizeof path, name, "");
	if (unlinkat(dir, path, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(dir) < 0 ? -errno : 0;
}

/* --- reading -------------------------------------------------------------- */

struct line {
	const char *key;
	size_t key_len;
	const char *value;
	size_t len;
};

/* Takes key=value off the front of a text: true, false at its end or for an
 * empty line, which is taken too. A line without = has an empty key. */
static bool next_line(struct line *l, const char **at, const char *end)
{
	const char *begin = *at, *nl = memchr(begin, '\n', (size_t)(end - *at));
	const char *stop = nl ? nl : end, *eq;

	*at = nl ? nl + 1 : end;
	if (stop == begin)
		return false;
	eq = memchr(begin, '=', (size_t)(stop - begin));
	l->key = begin;
	l->key_len = eq ? (size_t)(eq - begin) : 0;
	l->value = eq ? eq + 1 : begin;
	l->len = (size_t)(stop - l->value);
	return true;
}

static bool number(const struct line *l, const char *key, uint64_t *ret, int *r)
{
	if (!parse_is(l->key, l->key_len, key))
		return false;
	if (parse_u64(l->value, l->len, INT64_MAX, ret) < 0)
		*r = -EUCLEAN;
	return true;
}

static bool hash(
    const struct line *l, const char *key, unsigned char *ret, int *r)
{
	size_t n = 0;

	if (!parse_is(l->key, l->key_len, key))
		return false;
	if (l->len != 2 * HASH_BYTES ||
	    sodium_hex2bin(ret, HASH_BYTES, l->value, l->len, NULL, &n, NULL) <
		0 ||
	    n != HASH_BYTES)
		*r = -EUCLEAN;
	return true;
}

struct head {
	uint64_t version, keys, answer, before, text;
	bool answered;
};

static int read_line(struct memo *m, struct head *h, const struct line *l)
{
	int r = 0;

	if (parse_is(l->key, l->key_len, "answer"))
		h->answered = true;
	if (number(l, "chatfile", &h->version, &r) ||
	    number(l, "offset", &m->offset, &r) || hash(l, "tail", m->tail, &r))
		return r;
	if (number(l, "keys", &h->keys, &r) || number(l, "sent", &m->sent, &r))
		return r;
	if (hash(l, "hash", m->hash, &r) ||
	    number(l, "answer", &h->answer, &r) ||
	    number(l, "before", &h->before, &r) ||
	    number(l, "text", &h->text, &r))
		return r;
	if (!parse_is(l->key, l->key_len, "key"))
		return 0; /* of a later version */
	if (!parse_is_token(l->value, l->len, KEY_CHARS, ""))
		return -EUCLEAN;
	memcpy(m->key, l->value, l->len);
	return 0;
}

static int take_part(
    struct bytes *ret, uint64_t len, const char **at, const char *end)
{
	if (len > (size_t)(end - *at))
		return -EUCLEAN;
	*at += len;
	return bytes_add(ret, *at - len, (size_t)len);
}

static int parse_memo(struct memo *m, const struct bytes *all)
{
	const char *at = all->data, *end = at + all->len;
	struct head h = {0};
	struct line l;
	int r = 0;

	while (r == 0 && at < end && next_line(&l, &at, end))
		r = read_line(m, &h, &l);
	m->keys = h.keys;
	m->answered = h.answered;
	if (r == 0 && h.version != 1)
		r = -EUCLEAN;
	if (r == 0)
		r = take_part(&m->merge.answer, h.answer, &at, end);
	if (r == 0)
		r = take_part(&m->merge.before, h.before, &at, end);
	if (r == 0)
		r = take_part(&m->merge.text, h.text, &at, end);
	/* merge_growth() counts on it. */
	if (r == 0 && h.before > h.answer + h.text)
		r = -EUCLEAN;
	return r;
}

static int read_all(int dir, const char *path, struct bytes *ret)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0)
		r = bytes_reserve(ret, (size_t)st.st_size);
	if (r == 0)
		r = io_pread(fd, ret->data, (size_t)st.st_size, 0);
	if (r == 0)
		ret->len = (size_t)st.st_size;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

int memo_load(struct memo *m, int dir, const char *name)
{
	struct bytes all = {0};
	char path[300];
	int r;

	*m = (struct memo){0};
	memo_name(path, sizeof path, name, "");
	r = read_all(dir, path, &all);
	if (r == 0)
		r = parse_memo(m, &all);
	bytes_free(&all);
	if (r < 0)
		memo_free(m);
	return r;
}

/* --- what is under way ---------------------------------------------------- */

bool memo_same(const struct memo *a, const struct memo *b)
{
	return a->offset == b->offset && !a->answered && !b->answered &&
	       memcmp(a->tail, b->tail, HASH_BYTES) == 0 &&
	       memcmp(a->key, b->key, sizeof a->key) == 0;
}

void memo_key(struct memo *m, const char *text, size_t len)
{
	unsigned char random[KEY_CHARS / 2];

	randombytes_buf(random, sizeof random);
	(void)sodium_bin2hex(m->key, sizeof m->key, random, sizeof random);
	m->sent = len;
	(void)crypto_generichash(
	    m->hash, HASH_BYTES, (const unsigned char *)text, len, NULL, 0);
}

bool memo_is_sent(const struct memo *m, const char *text, size_t len)
{
	unsigned char now[HASH_BYTES];

	if (!m->key[0] || len < m->sent)
		return false;
	(void)crypto_generichash(now, HASH_BYTES, (const unsigned char *)text,
	    (size_t)m->sent, NULL, 0);
	return memcmp(now, m->hash, HASH_BYTES) == 0;
}

void memo_settle(struct memo *m)
{
	memset(m->key, 0, sizeof m->key);
	m->sent = 0;
}

void memo_free(struct memo *m)
{
	merge_free(&m->merge);
	m->answered = false;
}

/* --- .chatfile ------------------------------------------------------------ */

static int set_value(char *out, size_t size, const struct line *l)
{
	if (!l->len || l->len >= size || memchr(l->value, 0, l->len))
		return -EINVAL;
	memcpy(out, l->value, l->len);
	out[l->len] = 0;
	return 0;
}

static int config_line(struct config *c, struct line *l)
{
	while (l->len && isspace((unsigned char)l->value[l->len - 1]))
		l->len--;
	if (parse_is(l->key, l->key_len, "url"))
		return set_value(c->url, sizeof c->url, l);
	if (parse_is(l->key, l->key_len, "user"))
		return set_value(c->user, sizeof c->user, l);
	return !l->len || l->key[0] == '#' ? 0 : -EINVAL;
}

int config_load(struct config *c, int dir)
{
	char data[CONFIG_BYTES];
	const char *at = data;
	struct line l;
	ssize_t n;
	int r = 0;

	*c = (struct config){0};
	n = io_read_file(dir, ".chatfile", data, sizeof data);
	if (n < 0)
		return (int)n;
	while (r == 0 && at < data + n) {
		c->line++;
		if (next_line(&l, &at, data + n))
			r = config_line(c, &l);
	}
	n = (ssize_t)strlen(c->url);
	if (r == 0 && n && c->url[n - 1] != '/') {
		if ((size_t)n + 1 >= sizeof c->url)
			return -EINVAL;
		c->url[n] = '/';
		c->url[n + 1] = 0;
	}
	return r;
}

int config_save(const struct config *c, int dir)
{
	int fd = openat(
	    dir, ".chatfile", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	char data[CONFIG_BYTES];
	struct buf b;
	int r;

	if (fd < 0)
		return -errno;
	buf_init(&b, data, sizeof data);
	buf_fmt(&b, "url=%s\n", c->url);
	if (c->user[0])
		buf_fmt(&b, "user=%s\n", c->user);
	r = io_pwrite(fd, b.data, b.len, 0);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, ".chatfile", 0);
	return r;
}
