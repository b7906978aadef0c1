/* What is taken for a datagram is made again from its fields as it was, but
 * for the newline that a person may add and zeros before a number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len, const struct datagram *d)
{
	char made[LIMIT_DATAGRAM];
	struct datagram again;
	size_t n = datagram_make(d, made);

	if (d->text < text || d->text + d->len > text + len)
		abort();
	if (datagram_parse(made, n, &again) < 0 || again.kind != d->kind ||
	    again.len != d->len || memcmp(again.text, d->text, d->len) != 0)
		abort();
	if ((d->kind == DATAGRAM_OK || d->kind == DATAGRAM_CAME ||
		d->kind == DATAGRAM_LEFT) &&
	    again.count != d->count)
		abort();
	if (n > len || memcmp(made, text, n < 3 ? n : 3) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct datagram d;

	if (datagram_parse((const char *)data, size, &d) == 0)
		check((const char *)data, size, &d);
	return 0;
}
