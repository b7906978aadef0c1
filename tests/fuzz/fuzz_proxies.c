/*
 * A list of proxies: what parses matches its own addresses, whatever the bytes
 * are no word is looked at past the end, and a fault lies within the text.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proxies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
	if (!holds)
		abort();
}

/* The address part of each word must match the list. */
static void check_words(const struct proxies *p, const char *text, size_t len)
{
	size_t at = 0, n;

	while (at < len) {
		for (n = 0; at + n < len && !memchr(", \t/", text[at + n], 4);)
			n++;
		if (n)
			check(proxies_match(p, text + at, n));
		at += n;
		while (at < len && text[at] == '/')
			while (at < len && !memchr(", \t", text[at], 3))
				at++;
		while (at < len && memchr(", \t", text[at], 3))
			at++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct proxies_fault fault = {0};
	struct proxies p;
	int r = proxies_parse(&p, text, size, &fault);

	(void)proxies_match(&(struct proxies){.count = 1}, text, size);
	check(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r == 0)
		check_words(&p, text, size);
	else
		check(fault.len && fault.word >= text &&
		      fault.word + fault.len <= text + size);
	return 0;
}
