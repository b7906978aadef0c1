/*
 * Credentials and addresses from outside. What auth_basic() takes, encoded
 * again, is what was given (but for blanks, case and the dropped line end);
 * name and password lie within the pair. source_parse() takes any text.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

/* Is this base64 somewhere in the header? */
static int holds(const char *header, size_t len, const char *bin, size_t n)
{
	char text[4096];

	if (sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL) >
	    sizeof text)
		return 0;
	(void)sodium_bin2base64(text, sizeof text, (const unsigned char *)bin,
	    n, sodium_base64_VARIANT_ORIGINAL);
	return memmem(header, len, text, strlen(text)) != NULL;
}

static void basic(const char *header, size_t len)
{
	struct auth_pair pair;
	size_t used;

	if (auth_basic(header, len, &pair) < 0)
		return;
	used = pair.name_len + 1 + pair.password_len;
	demand(used <= sizeof pair.data);
	demand(pair.password == pair.data + pair.name_len + 1);
	demand(pair.password[-1] == ':');
	demand(!memchr(pair.data, ':', pair.name_len));
	demand(holds(header, len, pair.data, used) ||
	       holds(header, len, pair.data, used + 1) ||
	       holds(header, len, pair.data, used + 2));
	auth_pair_wipe(&pair);
}

static void source(const char *text, size_t len)
{
	char address[128];
	struct source s;

	if (len >= sizeof address)
		return;
	memcpy(address, text, len);
	address[len] = '\0';
	s = source_parse(address);
	/* IPv4 as mapped, ::1 whole, everything else without its last half. */
	demand(memcmp(s.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0 ||
	       memcmp(s.bytes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0 ||
	       sodium_is_zero(s.bytes + 8, 8));
	if (address[0] == '%')
		demand(sodium_is_zero(s.bytes, sizeof s.bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	basic((const char *)data, size);
	source((const char *)data, size);
	return 0;
}
