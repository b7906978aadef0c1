/*
 * A PROXY line: what is told of a whole is told of it whatever follows, any
 * shorter part of it asks for more, and the address is one.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proxies.h"
#include "lib/proxy_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct proxy_line whole, part;
	unsigned char bytes[16];
	ssize_t r = proxy_line_parse(text, size, &whole);

	check(r >= -EPROTO && r <= PROXY_LINE_MAX && r <= (ssize_t)size);
	if (r <= 0) {
		check(r == 0 || r == -EAGAIN || r == -EPROTO);
		check(r != -EAGAIN || size < PROXY_LINE_MAX);
		return 0;
	}
	check(memcmp(text + r - 2, "\r\n", 2) == 0);
	check(!whole.address[0] ||
	      address_bytes(whole.address, strlen(whole.address), bytes) == 0);
	for (size_t n = 0; n < (size_t)r; n++)
		check(proxy_line_parse(text, n, &part) == -EAGAIN);
	check(proxy_line_parse(text, (size_t)r, &part) == r);
	check(strcmp(part.address, whole.address) == 0);
	return 0;
}
