#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "footer.h"
#include "hash.h"
#include "parse.h"

#define MAC_BYTES (SESSION_MAC / 2)

_Static_assert(STATE_KEY_BYTES >= crypto_generichash_KEYBYTES_MIN &&
		   STATE_KEY_BYTES <= crypto_generichash_KEYBYTES_MAX,
    "the host's key is a key of BLAKE2b");

/* One key for two things: each says first what it is for. */
static void hash_begin(crypto_generichash_state *hash,
    const unsigned char key[STATE_KEY_BYTES], const char *what, size_t len)
{
	(void)crypto_generichash_init(hash, key, STATE_KEY_BYTES, len);
	hash_part(hash, what, strlen(what));
}

static void mac_of(const unsigned char key[STATE_KEY_BYTES],
    const struct store_user *user, uint64_t expiry,
    char ret_mac[SESSION_MAC + 1])
{
	unsigned char out[MAC_BYTES];
	crypto_generichash_state hash;

	hash_begin(&hash, key, "session", sizeof out);
	hash_part(&hash, user->name, strlen(user->name));
	hash_part(&hash, &expiry, sizeof expiry);
	hash_part(&hash, user->password, strlen(user->password));
	(void)crypto_generichash_final(&hash, out, sizeof out);
	(void)sodium_bin2hex(ret_mac, SESSION_MAC + 1, out, sizeof out);
}

void session_make(const unsigned char key[STATE_KEY_BYTES],
    const struct store_user *user, int64_t expiry, char ret_text[SESSION_MAX])
{
	char mac[SESSION_MAC + 1];
	size_t n = percent_encode(ret_text, user->name, strlen(user->name));

	mac_of(key, user, (uint64_t)expiry, mac);
	(void)snprintf(
	    ret_text + n, SESSION_MAX - n, ".%" PRId64 ".%s", expiry, mac);
}

struct parts {
	char name[3 * LIMIT_NAME];
	size_t name_len;
	uint64_t expiry;
	const char *mac;
};

/* From the end: MAC, EXPIRY, USER. */
static int split(const char *text, size_t len, struct parts *ret)
{
	const char *dot, *end;
	long n;

	if (len < SESSION_MAC + 1 || len >= SESSION_MAX)
		return -EINVAL;
	end = text + len - SESSION_MAC - 1;
	ret->mac = end + 1;
	dot = memrchr(text, '.', (size_t)(end - text));
	if (*end != '.' || !dot || (size_t)(dot - text) > sizeof ret->name ||
	    parse_u64(
		dot + 1, (size_t)(end - dot - 1), INT64_MAX, &ret->expiry) < 0)
		return -EINVAL;
	n = percent_decode(ret->name, text, (size_t)(dot - text));
	if (n <= 0 || n > LIMIT_NAME)
		return -EINVAL;
	ret->name_len = (size_t)n;
	return 0;
}

int session_check(const unsigned char key[STATE_KEY_BYTES], struct store *store,
    int64_t now, const char *text, size_t len, char ret_name[LIMIT_NAME + 1])
{
	struct store_user user;
	struct parts p;
	char mac[SESSION_MAC + 1];
	int r;

	if (split(text, len, &p) < 0 || p.expiry <= (uint64_t)now)
		return 0;
	r = store_user_find(store, p.name, p.name_len, &user);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	mac_of(key, &user, p.expiry, mac);
	if (user.disabled || user.deleted ||
	    sodium_memcmp(mac, p.mac, SESSION_MAC) != 0)
		return 0;
	memcpy(ret_name, user.name, sizeof user.name);
	return 1;
}

void session_guest(const unsigned char key[STATE_KEY_BYTES], const char *token,
    size_t len, char ret_id[SESSION_GUEST + 1])
{
	unsigned char out[crypto_generichash_BYTES_MIN];
	crypto_generichash_state hash;

	hash_begin(&hash, key, "guest", sizeof out);
	hash_part(&hash, token, len);
	(void)crypto_generichash_final(&hash, out, sizeof out);
	(void)sodium_bin2hex(ret_id, SESSION_GUEST + 1, out, SESSION_GUEST / 2);
}
