#include "bcs_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void names_release(struct names *n)
{
	free(n->data);
	*n = (struct names){0};
}

/* Where the name that the byte `at` belongs to begins. */
static size_t begin_of(const struct names *n, size_t at)
{
	const char *nul = at ? memrchr(n->data, '\0', at) : NULL;

	return nul ? (size_t)(nul - n->data) + 1 : 0;
}

/* Where the first name begins that is not below this one; len if none. */
static size_t place(const struct names *n, const char *name)
{
	size_t low = 0, high = n->len, mid;

	while (low < high) {
		mid = begin_of(n, low + (high - low) / 2);
		if (strcmp(n->data + mid, name) < 0)
			low = mid + strlen(n->data + mid) + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct names *n, size_t at, const char *name)
{
	return at < n->len && strcmp(n->data + at, name) == 0;
}

static int make_room(struct names *n, size_t len)
{
	size_t cap = n->cap ? n->cap : FIRST_CAP;
	char *data;

	while (cap < n->len + len)
		cap *= 2;
	if (cap == n->cap)
		return 0;
	data = realloc(n->data, cap);
	if (!data)
		return -ENOMEM;
	n->data = data;
	n->cap = cap;
	return 0;
}

int names_add(struct names *n, const char *name)
{
	size_t len = strlen(name) + 1, at = place(n, name);
	int r;

	if (is_at(n, at, name))
		return 0;
	r = make_room(n, len);
	if (r < 0)
		return r;
	memmove(n->data + at + len, n->data + at, n->len - at);
	memcpy(n->data + at, name, len);
	n->len += len;
	return 1;
}

int names_remove(struct names *n, const char *name)
{
	size_t len = strlen(name) + 1, at = place(n, name);

	if (!is_at(n, at, name))
		return 0;
	memmove(n->data + at, n->data + at + len, n->len - at - len);
	n->len -= len;
	return 1;
}

bool names_have(const struct names *n, const char *name)
{
	return is_at(n, place(n, name), name);
}

const char *names_first(const struct names *n)
{
	return n->len ? n->data : NULL;
}

const char *names_after(const struct names *n, const char *name)
{
	size_t at = place(n, name);

	if (is_at(n, at, name))
		at += strlen(name) + 1;
	return at < n->len ? n->data + at : NULL;
}

const char *names_missing(
    const struct names *a, const struct names *b, const char *after)
{
	const char *n = after ? names_after(a, after) : names_first(a);

	while (n && names_have(b, n))
		n = names_after(a, n);
	return n;
}
