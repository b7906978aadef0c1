#include "name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

static const char *const faults[] = {
    [NAME_FINE] = "the name is fine",
    [NAME_EMPTY] = "the name is empty",
    [NAME_NOT_UTF8] = "the name is not valid UTF-8",
    [NAME_TOO_LONG] = "the name is longer than 30 characters",
    [NAME_CHARACTER] = "the name has characters other than letters, digits and "
		       "_, or begins with a mark, or is not in NFC",
};

static const char *const reserved[] = {"server", "guest", "anonymous"};

const char *name_fault_says(enum name_fault fault)
{
	return (unsigned)fault < sizeof faults / sizeof *faults
		   ? faults[fault]
		   : "the name cannot be used";
}

static bool is_ascii_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

static bool may_stand(ucs4_t uc, bool first)
{
	if (uc < 0x80)
		return is_ascii_word((unsigned char)uc);
	if (uc_is_property_default_ignorable_code_point(uc))
		return false;
	if (uc_is_general_category(uc, UC_CATEGORY_M))
		return !first;
	return uc_is_general_category(uc, UC_CATEGORY_L) ||
	       uc_is_general_category(uc, UC_CATEGORY_Nd);
}

static bool characters_fine(const uint8_t *name, size_t len)
{
	size_t at = 0;
	ucs4_t uc;

	while (at < len) {
		int n = u8_mbtoucr(&uc, name + at, len - at);

		if (n <= 0 || !may_stand(uc, at == 0))
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool is_ascii(const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] >= 0x80)
			return false;
	return true;
}

/* len is at most LIMIT_NAME. Out of memory counts as not in NFC. */
static bool is_nfc(const uint8_t *name, size_t len)
{
	uint8_t room[LIMIT_NAME * 3], *normal;
	size_t n = sizeof room;
	bool same;

	if (is_ascii(name, len))
		return true;
	normal = u8_normalize(UNINORM_NFC, name, len, room, &n);
	same = normal && n == len && memcmp(normal, name, len) == 0;
	if (normal != room)
		free(normal);
	return same;
}

enum name_fault name_check(const char *text, size_t len)
{
	const uint8_t *name = (const uint8_t *)text;

	if (len == 0)
		return NAME_EMPTY;
	if (u8_check(name, len))
		return NAME_NOT_UTF8;
	if (len > LIMIT_NAME || u8_mbsnlen(name, len) > LIMIT_NAME_CHARS)
		return NAME_TOO_LONG;
	return characters_fine(name, len) && is_nfc(name, len) ? NAME_FINE
							       : NAME_CHARACTER;
}

static int fold_ascii(const uint8_t *name, size_t len, char *ret_key)
{
	for (size_t i = 0; i < len; i++)
		ret_key[i] =
		    (char)(name[i] +
			   (name[i] >= 'A' && name[i] <= 'Z' ? 32 : 0));
	ret_key[len] = '\0';
	return 0;
}

/* u8_casefold decomposes before it folds, as a canonical caseless match wants
 * it (Unicode 3.13, D145), and composes afterwards. */
int name_key(const char *text, size_t len, char ret_key[LIMIT_NAME_KEY + 1])
{
	const uint8_t *name = (const uint8_t *)text;
	uint8_t room[LIMIT_NAME * 4], *key;
	size_t n = sizeof room;
	int r = 0;

	if (len > LIMIT_NAME)
		return -ENAMETOOLONG;
	if (is_ascii(name, len))
		return fold_ascii(name, len, ret_key);
	key = u8_casefold(name, len, NULL, UNINORM_NFC, room, &n);
	if (!key)
		return -errno;
	if (n > LIMIT_NAME_KEY) {
		r = -ENAMETOOLONG;
	} else {
		memcpy(ret_key, key, n);
		ret_key[n] = '\0';
	}
	if (key != room)
		free(key);
	return r;
}

bool name_key_reserved(const char *key)
{
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (strcmp(key, reserved[i]) == 0)
			return true;
	return false;
}
