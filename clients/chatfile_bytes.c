#include "chatfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bytes_reserve(struct bytes *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 4096;
	char *data;

	if (more > SIZE_MAX / 4 - b->len)
		return -ENOMEM;
	while (cap < b->len + more)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (!len)
		return 0;
	if (bytes_reserve(b, len) < 0)
		return -ENOMEM;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

bool bytes_begin(const struct bytes *b, const char *data, size_t len)
{
	return b->len >= len && (!len || memcmp(b->data, data, len) == 0);
}

void bytes_cut(struct bytes *b, size_t n)
{
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}
