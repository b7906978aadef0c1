#include "password.h"

#include <stdbool.h>
#include <stdint.h>
#include <unistr.h>

#include "limits.h"

static bool is_control(ucs4_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

enum password_fault password_check(const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;
	ucs4_t c;

	if (!len)
		return PASSWORD_EMPTY;
	if (u8_check(at, len))
		return PASSWORD_NOT_UTF8;
	if (u8_mbsnlen(at, len) > LIMIT_PASSWORD_CHARS)
		return PASSWORD_TOO_LONG;
	while (at < end) {
		at += u8_mbtouc(&c, at, (size_t)(end - at));
		if (is_control(c))
			return PASSWORD_CONTROL;
	}
	return PASSWORD_FINE;
}

const char *password_fault_says(enum password_fault fault)
{
	switch (fault) {
	case PASSWORD_FINE:
		return "the password is fine";
	case PASSWORD_EMPTY:
		return "the password is empty";
	case PASSWORD_NOT_UTF8:
		return "the password is not valid UTF-8";
	case PASSWORD_TOO_LONG:
		return "the password is longer than 50 characters";
	case PASSWORD_CONTROL:
		return "the password has a control character";
	}
	return "the password cannot be used";
}
