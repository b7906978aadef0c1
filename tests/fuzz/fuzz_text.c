/*
 * Room text: a plain, slow judge of the same rules must agree with
 * text_check() and text_check_stored() on verdict and place; escaping must
 * come back byte for byte; what text_clean() gives must be room text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "lib/limits.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

/* The first byte, if any, that is wrong at this very place. */
static enum text_fault judge_at(
    const uint8_t *data, size_t size, size_t at, int stored)
{
	uint8_t c = data[at];

	if (stored && c == '\\' && (at == 0 || data[at - 1] == '\n') &&
	    (at + 1 == size || data[at + 1] != '\\'))
		return TEXT_FOOTER;
	if (c == '\r')
		return at + 1 < size && data[at + 1] == '\n' ? TEXT_FINE
							     : TEXT_CR;
	if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
		return TEXT_CONTROL;
	if (c == 0xc2 && at + 1 < size && data[at + 1] >= 0x80 &&
	    data[at + 1] < 0xa0)
		return TEXT_CONTROL;
	return TEXT_FINE;
}

static enum text_fault judge(
    const uint8_t *data, size_t size, int stored, size_t *ret_at)
{
	const uint8_t *bad;
	enum text_fault fault;

	*ret_at = 0;
	if (size == 0)
		return TEXT_EMPTY;
	*ret_at = LIMIT_MESSAGE;
	if (size > LIMIT_MESSAGE)
		return TEXT_TOO_LONG;
	bad = u8_check(data, size);
	for (size_t at = 0; at < size; at++) {
		*ret_at = at;
		if (data + at == bad)
			return TEXT_NOT_UTF8;
		fault = judge_at(data, size, at, stored);
		if (fault != TEXT_FINE)
			return fault;
	}
	return TEXT_FINE;
}

static void compare(const char *text, size_t size)
{
	size_t at = 0, wanted_at;
	enum text_fault wanted =
	    judge((const uint8_t *)text, size, 0, &wanted_at);

	demand(text_check(text, size, &at) == wanted);
	demand(wanted == TEXT_FINE || at == wanted_at);
	wanted = judge((const uint8_t *)text, size, 1, &wanted_at);
	demand(text_check_stored(text, size, &at) == wanted);
	demand(wanted == TEXT_FINE || at == wanted_at);
}

static void go_and_come_back(const char *text, size_t size)
{
	char *stored = malloc(2 * size + 1), *back = malloc(2 * size + 1);
	size_t n;

	demand(stored && back);
	n = text_escape(stored, text, size);
	demand(n >= size && n <= 2 * size);
	/* No line of it is a footer, whatever it was. */
	demand(n > LIMIT_MESSAGE ||
	       text_check_stored(stored, n, NULL) != TEXT_FOOTER);
	demand(text_unescape(back, stored, n) == size);
	demand(size == 0 || memcmp(back, text, size) == 0);
	demand(text_unescape(stored, stored, n) == size);
	demand(size == 0 || memcmp(stored, text, size) == 0);
	free(stored);
	free(back);
}

static void clean(const char *text, size_t size)
{
	char *out = malloc(3 * size + 1);
	size_t n;

	demand(out != NULL);
	n = text_clean(out, text, size);
	demand(n <= 3 * size && (n > 0) == (size > 0));
	if (n && n <= LIMIT_MESSAGE)
		demand(text_check(out, n, NULL) == TEXT_FINE);
	if (text_check(text, size, NULL) == TEXT_FINE)
		demand(n == size && memcmp(out, text, n) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	compare((const char *)data, size);
	go_and_come_back((const char *)data, size);
	clean((const char *)data, size);
	return 0;
}
