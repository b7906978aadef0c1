#include "http_form.h"

#include <errno.h>
#include <string.h>

#include "parse.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a value: how many bytes it takes up, or -EINVAL. */
static int decode(const char *at, size_t len, char *ret)
{
	int high, low;

	*ret = *at == '+' ? ' ' : *at;
	if (*at != '%')
		return 1;
	if (len < 3)
		return -EINVAL;
	high = hex(at[1]);
	low = hex(at[2]);
	if (high < 0 || low < 0)
		return -EINVAL;
	*ret = (char)(high << 4 | low);
	return 3;
}

/* Decodes all of it, or only checks that it can be, with out NULL. */
static long decode_all(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = 0;
	char c;
	int r;

	for (; len; text += r, len -= (size_t)r) {
		r = decode(text, len, &c);
		if (r < 0)
			return r;
		if (out && n == cap)
			return -EMSGSIZE;
		if (out)
			out[n] = c;
		n++;
	}
	return (long)n;
}

static bool is_named(struct slice field, const char *name, struct slice *value)
{
	size_t n = strlen(name);

	if (field.len <= n || memcmp(field.data, name, n) != 0 ||
	    field.data[n] != '=')
		return false;
	*value = (struct slice){field.data + n + 1, field.len - n - 1};
	return true;
}

/* Cuts what stands before the separator off the list. */
static struct slice cut(struct slice *list, char separator)
{
	const char *end = memchr(list->data, separator, list->len);
	struct slice first = *list;

	if (end) {
		first.len = (size_t)(end - list->data);
		list->data = end + 1;
		list->len -= first.len + 1;
	} else {
		list->len = 0;
	}
	return first;
}

long http_form(
    char *out, size_t cap, const char *form, size_t len, const char *name)
{
	struct slice rest = {form, len}, value;

	if (decode_all(NULL, 0, form, len) < 0)
		return -EINVAL;
	while (rest.len)
		if (is_named(cut(&rest, '&'), name, &value))
			return decode_all(out, cap, value.data, value.len);
	return -ENOENT;
}

static struct slice trim(struct slice s)
{
	while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
		s.data++, s.len--;
	while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool cookie_find(
    const char *field, size_t len, const char *name, struct slice *ret)
{
	struct slice rest = {field, len};

	while (rest.len)
		if (is_named(trim(cut(&rest, ';')), name, ret))
			return true;
	return false;
}

bool http_cookie(
    const struct http_head *head, const char *name, struct slice *ret)
{
	for (unsigned i = 0; i < head->count; i++) {
		const struct http_head_field *f = &head->fields[i];

		if (parse_is_case(f->name.data, f->name.len, "cookie") &&
		    cookie_find(f->value.data, f->value.len, name, ret))
			return true;
	}
	return false;
}
