#include "proxy_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "parse.h"

#define MARK "PROXY "
#define MARK_LEN (sizeof MARK - 1)

struct word {
	const char *data;
	size_t len;
};

/* The next word of a line; len 0 where there is none. Words are separated by
 * one space each, so two in a row give an empty one between them. */
static struct word next_word(const char **at, const char *end)
{
	const char *space = memchr(*at, ' ', (size_t)(end - *at));
	struct word w = {*at, (size_t)((space ? space : end) - *at)};

	*at = space ? space + 1 : end;
	return w;
}

static int address_parse(struct word w, int family, char ret[INET6_ADDRSTRLEN])
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (w.len >= sizeof text || memchr(w.data, '\0', w.len))
		return -EPROTO;
	memcpy(text, w.data, w.len);
	text[w.len] = '\0';
	if (inet_pton(family, text, bytes) != 1)
		return -EPROTO;
	return inet_ntop(family, bytes, ret, INET6_ADDRSTRLEN) ? 0 : -EPROTO;
}

static int port_parse(struct word w, uint16_t *ret)
{
	uint64_t port;

	if ((w.len > 1 && w.data[0] == '0') ||
	    parse_u64(w.data, w.len, UINT16_MAX, &port) < 0)
		return -EPROTO;
	*ret = (uint16_t)port;
	return 0;
}

/* What stands between MARK and the CR. The receiver's own address and port must
 * be well formed and are not used. */
static int rest_parse(const char *at, const char *end, struct proxy_line *ret)
{
	struct word family = next_word(&at, end);
	struct proxy_line line = {0};
	char ignored[INET6_ADDRSTRLEN];
	uint16_t ignored_port;
	int af;

	if (parse_is(family.data, family.len, "UNKNOWN")) {
		*ret = line;
		return 0;
	}
	if (!parse_is(family.data, family.len, "TCP4") &&
	    !parse_is(family.data, family.len, "TCP6"))
		return -EPROTO;
	af = family.data[3] == '4' ? AF_INET : AF_INET6;
	if (address_parse(next_word(&at, end), af, line.address) < 0 ||
	    address_parse(next_word(&at, end), af, ignored) < 0 ||
	    port_parse(next_word(&at, end), &line.port) < 0 ||
	    port_parse((struct word){at, (size_t)(end - at)}, &ignored_port) <
		0)
		return -EPROTO;
	*ret = line;
	return 0;
}

ssize_t proxy_line_parse(const char *data, size_t len, struct proxy_line *ret)
{
	size_t most = len < PROXY_LINE_MAX ? len : PROXY_LINE_MAX;
	const char *cr, *end = data + most;

	if (memcmp(data, MARK, most < MARK_LEN ? most : MARK_LEN) != 0)
		return 0;
	if (most < MARK_LEN)
		return -EAGAIN;
	cr = memchr(data, '\r', most);
	/* A bare LF ends no line, and nothing good can come behind it. */
	if (memchr(data, '\n', (size_t)((cr ? cr : end) - data)))
		return -EPROTO;
	if (!cr || cr + 1 == end)
		return most == PROXY_LINE_MAX ? -EPROTO : -EAGAIN;
	if (cr[1] != '\n' || rest_parse(data + MARK_LEN, cr, ret) < 0)
		return -EPROTO;
	return cr + 2 - data;
}
