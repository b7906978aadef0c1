#include "parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	bool over = false;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(text[i] - '0'), &value))
			over = true;
	}
	if (over || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

static unsigned size_shift(char unit)
{
	switch (unit) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int parse_size(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	unsigned shift = len ? size_shift(text[len - 1]) : 0;
	uint64_t value;
	int r;

	r = parse_u64(text, shift ? len - 1 : len, UINT64_MAX, &value);
	if (r < 0)
		return r;
	if (value > max >> shift)
		return -ERANGE;
	*ret = value << shift;
	return 0;
}

bool parse_is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

bool parse_is_case(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

bool parse_is_token(const char *text, size_t len, size_t max, const char *also)
{
	if (len < 1 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(text[i]) && (!text[i] || !strchr(also, text[i])))
			return false;
	return true;
}
