#include "footer.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "clock.h"

bool footer_is(const char *line, size_t len)
{
	return len > 0 && line[0] == '\\' && (len == 1 || line[1] != '\\');
}

/* Takes the field up to the next space, and that space, off the front. */
static struct slice field(struct slice *rest)
{
	const char *space = memchr(rest->data, ' ', rest->len);
	size_t len = space ? (size_t)(space - rest->data) : rest->len;
	struct slice taken = {rest->data, len};

	if (space)
		len++;
	rest->data += len;
	rest->len -= len;
	return taken;
}

void footer_parse(struct footer *ret, const char *line, size_t len)
{
	struct slice rest = {line, len};

	if (rest.len && rest.data[rest.len - 1] == '\r')
		rest.len--;
	if (rest.len && rest.data[0] == '\\') {
		rest.data++;
		rest.len--;
	}
	ret->author = field(&rest);
	(void)field(&rest);
	ret->time = field(&rest);
	ret->door = field(&rest);
	ret->keys = rest;
}

bool footer_value(
    const struct footer *footer, const char *key, struct slice *ret)
{
	struct slice rest = footer->keys, word;
	size_t len = strlen(key);

	while (rest.len) {
		word = field(&rest);
		if (word.len > len && word.data[len] == '=' &&
		    memcmp(word.data, key, len) == 0) {
			ret->data = word.data + len + 1;
			ret->len = word.len - len - 1;
			return true;
		}
	}
	return false;
}

/* One field of a footer: not empty, nothing that would begin another field or
 * another line. */
static bool is_field(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (!*c)
		return false;
	for (; *c; c++)
		if (*c <= 0x20 || *c == 0x7f)
			return false;
	return true;
}

/* "" or fields with one space between. */
static bool are_fields(const char *text)
{
	bool space = false;

	for (const char *c = text; *c; c++) {
		if (*c == ' ' && (space || c == text))
			return false;
		space = *c == ' ';
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return !space;
}

int footer_format(char *out, size_t size, const struct footer_new *footer)
{
	char when[CLOCK_TEXT];
	struct buf b;

	if (footer->time < 0 || footer->time > CLOCK_LAST)
		return -EINVAL;
	clock_text(footer->time, when);
	if (!is_field(footer->author) || footer->author[0] == '\\' ||
	    !is_field(footer->door) || !are_fields(footer->keys))
		return -EINVAL;
	buf_init(&b, out, size);
	buf_char(&b, '\\');
	buf_str(&b, footer->author);
	buf_str(&b, " @ ");
	buf_str(&b, when);
	buf_char(&b, ' ');
	buf_str(&b, footer->door);
	if (footer->keys[0])
		buf_char(&b, ' ');
	buf_str(&b, footer->keys);
	buf_char(&b, '\n');
	return b.full ? -ENOSPC : (int)b.len;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '~' ||
	       c == '-';
}

size_t percent_encode(char *out, const char *text, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	return n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

long percent_decode(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (text[i] != '%') {
			out[n++] = text[i];
			continue;
		}
		if (len - i < 3)
			return -EINVAL;
		high = hex_digit(text[i + 1]);
		low = hex_digit(text[i + 2]);
		if (high < 0 || low < 0)
			return -EINVAL;
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return (long)n;
}

size_t footer_file(const struct footer *footer, char name[LIMIT_FILE_NAME])
{
	char decoded[3 * LIMIT_FILE_NAME];
	struct slice value;
	long n;

	if (!footer_value(footer, "file", &value) || value.len > sizeof decoded)
		return 0;
	n = percent_decode(decoded, value.data, value.len);
	if (n <= 0 || n > LIMIT_FILE_NAME)
		return 0;
	memcpy(name, decoded, (size_t)n);
	return (size_t)n;
}
