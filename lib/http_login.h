/*
 * Who sent a request: its Authorization field against the accounts (Basic,
 * RFC 7617). What to do about it is the door's: chatfile asks everyone to log
 * in, hchat takes guests.
 */
#ifndef HTTP_LOGIN_H
#define HTTP_LOGIN_H

#include <stddef.h>

#include "auth.h"
#include "http.h"
#include "limits.h"
#include "rate.h"

enum http_who {
	HTTP_NOBODY, /* no such field */
	HTTP_WRONG, /* not Basic, malformed, or not their password */
	HTTP_KNOWN,
};

struct http_login {
	char name[LIMIT_NAME + 1]; /* the account's; as given if wrong */
	size_t len; /* of name; it is any bytes if wrong */
};

/* Returns http_who and fills *ret but for HTTP_NOBODY; -EBUSY and other
 * -errno are auth_check()'s, whose delays it shares. */
int http_login(
    struct http *, struct auth *, struct source, struct http_login *ret);

/* 401 with the challenge (clarifications, "order of checks"). The connection
 * ends with the LIMIT_REFUSALSth in a row. */
int http_unauthorized(struct http *, const char *why);

#endif
