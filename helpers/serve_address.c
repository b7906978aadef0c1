#include <errno.h>
#include <string.h>

#include "lib/parse.h"
#include "serve.h"

static int copy(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return -EINVAL;
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

static bool is_port(const char *text)
{
	uint64_t port;

	return parse_u64(text, strlen(text), 65535, &port) == 0;
}

/* The host before the last colon: in brackets, "*" or nothing for all, or as
 * it is; then without colons, so that nobody wonders where a bare IPv6 address
 * ends and its port begins. */
static int split_host(const char *text, size_t len, struct address *a)
{
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
		return len == 2
			   ? -EINVAL
			   : copy(a->host, sizeof a->host, text + 1, len - 2);
	if (memchr(text, ':', len) || memchr(text, '[', len))
		return -EINVAL;
	if (len == 1 && text[0] == '*')
		len = 0;
	return copy(a->host, sizeof a->host, text, len);
}

int address_split(const char *text, struct address *ret)
{
	struct address a = {0};
	const char *colon = strrchr(text, ':');
	int r;

	if (strchr(text, '\n')) {
		r = -EINVAL; /* listeners are handed on as lines */
	} else if (text[0] == '/') {
		a.local = true;
		r = copy(a.host, sizeof a.host, text, strlen(text));
	} else if (!colon || !is_port(colon + 1)) {
		r = -EINVAL;
	} else {
		r = split_host(text, (size_t)(colon - text), &a);
		if (r == 0)
			r = copy(a.port, sizeof a.port, colon + 1,
			    strlen(colon + 1));
	}
	if (r == 0)
		*ret = a;
	return r;
}
