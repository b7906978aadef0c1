#include "template_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

size_t template_client_text(
    const struct template_client *c, char ret_text[TEMPLATE_TEXT_MAX])
{
	int n = c->address[0] ? snprintf(ret_text, TEMPLATE_TEXT_MAX,
				    "client %" PRIu64 " %s %u", c->number,
				    c->address, (unsigned)c->port)
			      : snprintf(ret_text, TEMPLATE_TEXT_MAX,
				    "client %" PRIu64, c->number);

	return (size_t)n;
}

size_t template_answer_text(
    const struct template_answer *a, char ret_text[TEMPLATE_TEXT_MAX])
{
	int n = snprintf(ret_text, TEMPLATE_TEXT_MAX, "%s %" PRIu64 " %d",
	    a->pid < 0 ? "error" : "pid", a->number,
	    (int)(a->pid < 0 ? -a->pid : a->pid));

	return (size_t)n;
}

struct word {
	const char *at;
	size_t len;
};

/* The next word, and what is behind it; empty at the end. */
static struct word next(struct word *rest)
{
	const char *end = rest->len ? memchr(rest->at, ' ', rest->len) : NULL;
	struct word w = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t used = w.len + (end != NULL);

	rest->at += used;
	rest->len -= used;
	return w;
}

static bool next_is(struct word *rest, const char *text)
{
	struct word w = next(rest);

	return parse_is(w.at, w.len, text);
}

static int next_number(struct word *rest, uint64_t most, uint64_t *ret)
{
	struct word w = next(rest);

	return parse_u64(w.at, w.len, most, ret) < 0 ? -EPROTO : 0;
}

int template_client_parse(
    const char *text, size_t len, struct template_client *ret)
{
	struct word rest = {text, len}, address;
	struct template_client c = {.fd = ret->fd};
	uint64_t port = 0;

	if (!next_is(&rest, "client") ||
	    next_number(&rest, UINT64_MAX, &c.number) < 0)
		return -EPROTO;
	address = next(&rest);
	if (address.len && (!parse_is_token(address.at, address.len,
				sizeof c.address - 1, ":.") ||
			       next_number(&rest, UINT16_MAX, &port) < 0))
		return -EPROTO;
	memcpy(c.address, address.at, address.len);
	c.port = (uint16_t)port;
	*ret = c;
	return 0;
}

int template_answer_parse(
    const char *text, size_t len, struct template_answer *ret)
{
	struct word rest = {text, len};
	bool failed = len && *text == 'e';
	uint64_t number, value;

	if (!next_is(&rest, failed ? "error" : "pid") ||
	    next_number(&rest, UINT64_MAX, &number) < 0 ||
	    next_number(&rest, INT_MAX, &value) < 0 || !value)
		return -EPROTO;
	ret->number = number;
	ret->pid = failed ? -(pid_t)value : (pid_t)value;
	return 0;
}
