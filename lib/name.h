/*
 * Names of people (design 7): 1 to 30 characters in NFC, each a letter, mark
 * or digit of any script or `_`, the first not a mark, none default-ignorable.
 * Two names are the same person if their keys are equal: the key is the
 * case-folded NFC form, and is what users.name_key, accounts/ and present/ use.
 */
#ifndef NAME_H
#define NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

enum name_fault {
	NAME_FINE = 0,
	NAME_EMPTY,
	NAME_NOT_UTF8,
	NAME_TOO_LONG, /* more than LIMIT_NAME_CHARS characters */
	NAME_CHARACTER, /* one that is not allowed, or not in NFC */
};

/* Checks a name. Length in characters is judged before contents. */
enum name_fault name_check(const char *, size_t);

/* An English sentence without final stop; never NULL. */
const char *name_fault_says(enum name_fault);

/* The key of a name that passed name_check, NUL-terminated.
 * Returns 0, or -ENAMETOOLONG, which no name we know of causes. */
int name_key(const char *, size_t, char ret_key[LIMIT_NAME_KEY + 1]);

/* Is this key one of server, guest, anonymous? */
bool name_key_reserved(const char *key);

#endif
