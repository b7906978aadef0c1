/*
 * What may be a new password: 1 to LIMIT_PASSWORD_CHARS characters of UTF-8
 * without control characters, so that every door can carry it (toychat's
 * register has the tightest bound). Checked where one is set; logging in only
 * compares.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stddef.h>

enum password_fault {
	PASSWORD_FINE = 0,
	PASSWORD_EMPTY,
	PASSWORD_NOT_UTF8,
	PASSWORD_TOO_LONG, /* more than LIMIT_PASSWORD_CHARS characters */
	PASSWORD_CONTROL, /* a C0 or C1 control character, or DEL */
};

/* Checks a password. Length is judged before contents. */
enum password_fault password_check(const char *, size_t);

/* An English sentence without final stop; never NULL. */
const char *password_fault_says(enum password_fault);

#endif
