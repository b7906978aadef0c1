/*
 * .chatfile, which a person may write: url=, user=, # comments.
 */
#include "chatfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/io.h"
#include "lib/parse.h"

#define CONFIG_BYTES 8192

bool pair_next(struct pair *l, const char **at, const char *end)
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

static int set_value(char *out, size_t size, const struct pair *l)
{
	if (!l->len || l->len >= size || memchr(l->value, 0, l->len))
		return -EINVAL;
	memcpy(out, l->value, l->len);
	out[l->len] = 0;
	return 0;
}

static int config_line(struct config *c, struct pair *l)
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
	struct pair l;
	ssize_t n;
	int r = 0;

	*c = (struct config){0};
	n = io_read_file(dir, ".chatfile", data, sizeof data);
	if (n < 0)
		return (int)n;
	while (r == 0 && at < data + n) {
		c->line++;
		if (pair_next(&l, &at, data + n))
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
