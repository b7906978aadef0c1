/*
 * Who a browser is, told by what it holds and nothing that we keep
 * (clarifications, "signing in and out", "who is the author"). Both are keyed
 * BLAKE2b under STATE_DIRECTORY/key.
 *
 *	session=USER.EXPIRY.MAC    an account; USER percent-encoded (so that
 *	                           names, which hold no ".", stay apart), EXPIRY
 *	                           in seconds since 1970, MAC 64 hex digits
 *
 * The MAC covers the account's stored password hash: a new password, disabling
 * and deleting end all of its sessions at once, without a table of them.
 *
 * A guest is a random token; others see 8 hex digits made of it.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "state.h"
#include "store.h"

#define SESSION_MAC 64
#define SESSION_MAX (3 * LIMIT_NAME + 1 + 20 + 1 + SESSION_MAC + 1)
#define SESSION_GUEST 8

/* A session of that account until expiry; NUL-terminated. */
void session_make(const unsigned char key[STATE_KEY_BYTES],
    const struct store_user *, int64_t expiry, char ret_text[SESSION_MAX]);

/* Whose session is it at time now? 1 and the account's name; 0 if nobody's:
 * malformed, forged, expired, or the account is not as it was; -errno of
 * store_user_find(). Takes the same time wherever a forged MAC differs. */
int session_check(const unsigned char key[STATE_KEY_BYTES], struct store *,
    int64_t now, const char *text, size_t len, char ret_name[LIMIT_NAME + 1]);

/* What others see of a guest's token. */
void session_guest(const unsigned char key[STATE_KEY_BYTES], const char *token,
    size_t len, char ret_id[SESSION_GUEST + 1]);

#endif
