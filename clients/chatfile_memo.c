/*
 * The memo, .NAME.txt.chatfile: key=value lines, an empty line, then (while an
 * answer is being taken in) the bytes of merge.answer, .before and .text. It
 * is replaced by rename, so whoever reads it finds a whole one. Two clients may
 * come to work on one memo for a moment, when an editor replaces the room file
 * whose lock the first holds: so a memo is only saved over the one that was
 * loaded, which its serial number tells, compared under flock of the folder.
 *
 *	chatfile=1
 *	serial=N		another number after each save
 *	offset=4711
 *	tail=HEX		hash of the 4096 bytes before the offset
 *	keys=1			the server keeps Idempotency-Keys
 *	key=HEX sent=12 hash=HEX	(a line each) the message under way
 *	answer=N before=N text=N	(a line each) what follows
 */
#include "chatfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/io.h"
#include "lib/parse.h"

#define HEAD_BYTES 1024

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
	buf_fmt(b, "chatfile=1\nserial=%ju\noffset=%ju\n", (uintmax_t)m->serial,
	    (uintmax_t)m->offset);
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

/* The serial number of the memo there, 0 for none or a damaged one. */
static uint64_t serial_there(int dir, const char *name)
{
	static const char begin[] = "chatfile=1\nserial=";
	const size_t skip = sizeof begin - 1;
	char path[300], data[64] = "";
	uint64_t serial = 0;
	ssize_t n;
	int fd;

	memo_name(path, sizeof path, name, "");
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : pread(fd, data, sizeof data - 1, 0);
	if (fd >= 0)
		(void)close(fd);
	if (n > (ssize_t)skip && memcmp(data, begin, skip) == 0)
		(void)parse_u64(data + skip, strspn(data + skip, "0123456789"),
		    INT64_MAX, &serial);
	return serial;
}

int memo_check(const struct memo *m, int dir, const char *name)
{
	return serial_there(dir, name) == m->serial ? 0 : -ESTALE;
}

static uint64_t next_serial(uint64_t serial)
{
	if (serial)
		return serial < INT64_MAX ? serial + 1 : 1;
	/* Unlike any that was there before the memo was removed. */
	return (uint64_t)randombytes_random() + 1;
}

static int write_new(struct memo *m, int dir, const char *name)
{
	char temp[300], path[300];
	int fd, r;

	memo_name(path, sizeof path, name, "");
	memo_name(temp, sizeof temp, name, ".new");
	/* A link that someone put there in a shared folder is not followed. */
	(void)unlinkat(dir, temp, 0);
	fd = openat(dir, temp,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
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

int memo_save(struct memo *m, int dir, const char *name)
{
	uint64_t was = m->serial;
	int r;

	(void)io_flock(dir, LOCK_EX, CLOCK_NEVER);
	r = memo_check(m, dir, name);
	m->serial = next_serial(was);
	if (r == 0)
		r = write_new(m, dir, name);
	if (r < 0)
		m->serial = was;
	(void)flock(dir, LOCK_UN);
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

static bool number(const struct pair *l, const char *key, uint64_t *ret, int *r)
{
	if (!parse_is(l->key, l->key_len, key))
		return false;
	if (parse_u64(l->value, l->len, INT64_MAX, ret) < 0)
		*r = -EUCLEAN;
	return true;
}

static bool hash(
    const struct pair *l, const char *key, unsigned char *ret, int *r)
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

static int read_line(struct memo *m, struct head *h, const struct pair *l)
{
	int r = 0;

	if (parse_is(l->key, l->key_len, "answer"))
		h->answered = true;
	if (number(l, "chatfile", &h->version, &r) ||
	    number(l, "serial", &m->serial, &r) ||
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
	struct pair l;
	int r = 0;

	while (r == 0 && at < end && pair_next(&l, &at, end))
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
