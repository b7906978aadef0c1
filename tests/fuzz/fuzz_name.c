/*
 * Names: one that passes is UTF-8 of at most 30 characters without anything
 * that a path, a footer or a terminal minds; its key fits, is stable under
 * folding, and is equal for what differs in case.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "lib/footer.h"
#include "lib/name.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

/* In upper case it is the same person. */
static void shout(const uint8_t *name, size_t size, const char *key)
{
	char other[LIMIT_NAME_KEY + 1];
	size_t n = 0;
	uint8_t *upper = u8_toupper(name, size, NULL, UNINORM_NFC, NULL, &n);

	demand(upper != NULL);
	if (n <= LIMIT_NAME && name_check((char *)upper, n) == NAME_FINE) {
		demand(name_key((char *)upper, n, other) == 0);
		/* Not all letters come back from upper case the same
		 * (dotless i); those that do not change do. */
		if (n == size && memcmp(upper, name, n) == 0)
			demand(strcmp(key, other) == 0);
	}
	free(upper);
}

static void check_key(const char *name, size_t size)
{
	char key[LIMIT_NAME_KEY + 1], again[LIMIT_NAME_KEY + 1];
	size_t len;

	demand(name_key(name, size, key) == 0);
	len = strlen(key);
	demand(len > 0 && len <= LIMIT_NAME_KEY);
	demand(!strpbrk(key, "/. ~\\\n%="));
	demand(u8_check((uint8_t *)key, len) == NULL);
	if (len <= LIMIT_NAME) {
		demand(name_key(key, len, again) == 0);
		demand(strcmp(key, again) == 0);
	}
	(void)name_key_reserved(key);
	shout((const uint8_t *)name, size, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name = (const char *)data;
	char author[LIMIT_NAME + 1], line[LIMIT_FOOTER];
	struct footer_new footer = {author, 0, "bcs", ""};

	if (name_check(name, size) != NAME_FINE)
		return 0;
	demand(size <= LIMIT_NAME && !memchr(name, 0, size));
	demand(u8_mbsnlen(data, size) <= LIMIT_NAME_CHARS);
	demand(text_check(name, size, NULL) == TEXT_FINE);
	memcpy(author, name, size);
	author[size] = '\0';
	demand(footer_format(line, sizeof line, &footer) > 0);
	check_key(name, size);
	return 0;
}
