#include "auth.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth_cache.h"
#include "clock.h"
#include "io.h"
#include "slots.h"

/* Argon2id with t=2, m=19 MiB, p=1 (libsodium's opslimit is t, its memlimit
 * is m in bytes): what OWASP's cheat sheet asks for. */
#define OPSLIMIT 2
#define MEMLIMIT ((size_t)19 * 1024 * 1024)

/* Nobody's password, under the same parameters as everyone's: so an unknown
 * user costs what a wrong password costs. */
static const char dummy[] =
    "$argon2id$v=19$m=19456,t=2,p=1$aP/XVWc9cSuw+ccd025weg"
    "$TZ4yPTJNTNdDz8bGdd5d/bM0fy9UEUghGC1WxMbzrY0";

_Static_assert(crypto_pwhash_STRBYTES <= LIMIT_PASSWORD_HASH + 1,
    "a hash fits where the store keeps it");
_Static_assert(AUTH_KEY_BYTES == crypto_generichash_KEYBYTES, "one key");

static void reset(struct auth *auth)
{
	auth->cache = auth->slots = -1;
	sodium_memzero(auth->key, sizeof auth->key);
}

int auth_init(struct auth *auth, const struct state *state, struct store *store,
    uint64_t slot_count)
{
	int r;

	*auth = (struct auth){
	    .state = state, .store = store, .slot_count = slot_count};
	reset(auth);
	r = rate_open(&auth->rate, state);
	if (r == 0)
		r = auth->cache = state_folder(state->runtime, "auth");
	if (r >= 0)
		r = auth->slots = state_folder(state->runtime, "slots");
	if (r >= 0)
		r = state_secret(
		    auth->cache, "key", auth->key, sizeof auth->key);
	if (r < 0)
		auth_release(auth);
	return r;
}

void auth_release(struct auth *auth)
{
	if (auth->cache >= 0)
		(void)close(auth->cache);
	if (auth->slots >= 0)
		(void)close(auth->slots);
	reset(auth);
}

/* --- hashing ------------------------------------------------------- */

/* Where a virtual machine traps CPUID, sodium_init() takes 40 us of every
 * connection, most of which need no hash. What else is used of libsodium (keyed
 * BLAKE2b, SipHash, Base64, hex, wiping) works without: it only chooses among
 * implementations and prepares the random numbers. */
static int take_slot(struct auth *auth, struct source source)
{
	unsigned char hash[crypto_generichash_BYTES];

	if (sodium_init() < 0)
		return -ENOSYS;
	/* Under a key: nobody can choose whose place is his, too. */
	(void)crypto_generichash(hash, sizeof hash, source.bytes,
	    sizeof source.bytes, auth->key, sizeof auth->key);
	return slots_take(auth->slots, auth->slot_count, hash[0]);
}

int auth_hash(struct auth *auth, struct source source, const char *password,
    size_t len, char ret_hash[LIMIT_PASSWORD_HASH + 1])
{
	char hash[crypto_pwhash_STRBYTES];
	int slot, r;

	if (len == 0 || len > LIMIT_PASSWORD)
		return -EINVAL;
	slot = take_slot(auth, source);
	if (slot < 0)
		return slot;
	r = crypto_pwhash_str_alg(hash, password, len, OPSLIMIT, MEMLIMIT,
	    crypto_pwhash_ALG_ARGON2ID13);
	slots_give(slot);
	if (r < 0)
		return -ENOMEM;
	memcpy(ret_hash, hash, sizeof hash);
	return 0;
}

/* 1, 0, -EBUSY, -ENOMEM, or -EBADMSG for a stored hash that is none. */
static int verify(struct auth *auth, struct source source, const char *hash,
    const char *password, size_t len)
{
	int slot = take_slot(auth, source), r;

	if (slot < 0)
		return slot;
	errno = 0;
	r = crypto_pwhash_str_verify(hash, password, len);
	if (r == 0)
		r = 1;
	else
		r = errno == EINVAL ? 0 : errno == ENOMEM ? -ENOMEM : -EBADMSG;
	slots_give(slot);
	return r;
}

/* --- checking ------------------------------------------------------ */

static bool may_enter(const struct store_user *user)
{
	return !user->disabled && !user->deleted;
}

/* Hashes whoever it is, and then says who may come in. */
static int check_slowly(struct auth *auth, struct source source,
    const struct store_user *user, const char *password, size_t len,
    const char *cached)
{
	bool known = user && !user->deleted;
	int r =
	    verify(auth, source, known ? user->password : dummy, password, len);

	if (r == 1 && !(known && may_enter(user)))
		r = 0;
	if (r == 1)
		auth_cache_put(auth, cached);
	return r;
}

/* As auth_check(), and when it was verified. */
static int check(struct auth *auth, struct source source,
    const struct store_user *user, const char *password, size_t len,
    int64_t *ret_when)
{
	char cached[AUTH_CACHE_NAME] = "";

	/* A longer one was never set; what it costs is the same. */
	if (len > LIMIT_PASSWORD)
		return check_slowly(
		    auth, source, NULL, password, LIMIT_PASSWORD, "");
	if (!user || user->deleted)
		return check_slowly(auth, source, NULL, password, len, "");
	auth_cache_name(auth, user, password, len, cached);
	*ret_when = auth_cache_has(auth, cached);
	if (may_enter(user) && *ret_when >= 0)
		return 1;
	*ret_when = clock_now();
	return check_slowly(auth, source, user, password, len, cached);
}

static void delay(struct auth *auth, struct source source)
{
	int64_t ms = rate_login_failed(&auth->rate, source);

	if (ms <= 0)
		return;
	/* Who guesses fast is many who wait: let each be small. */
	store_idle(auth->store);
	(void)io_wait(NULL, 0, clock_in(ms), IO_TERM);
}

/* 1, 0 or -errno. Whom the database knows as right is seen from then on. */
static int look_up(struct auth *auth, struct source source, const char *name,
    size_t name_len, const char *password, size_t len,
    const struct auth_seen *seen)
{
	struct store_user user;
	int64_t when = 0;
	int r = name_len <= LIMIT_NAME
		    ? store_user_find(auth->store, name, name_len, &user)
		    : -ENOENT;

	if (r == 0)
		r = check(auth, source, &user, password, len, &when);
	else if (r == -ENOENT)
		r = check(auth, source, NULL, password, len, &when);
	if (r == 1)
		auth_cache_see(auth, seen, when);
	return r;
}

int auth_check(struct auth *auth, struct source source, const char *name,
    size_t name_len, const char *password, size_t password_len,
    char ret_name[LIMIT_NAME + 1])
{
	struct auth_seen seen;
	int r = auth_cache_seen(
	    auth, name, name_len, password, password_len, &seen);

	if (r == 0)
		r = look_up(auth, source, name, name_len, password,
		    password_len, &seen);
	/* Addressing is exact: it is as it was given. */
	if (r == 1 && ret_name) {
		memcpy(ret_name, name, name_len);
		ret_name[name_len] = '\0';
	}
	if (r == 0)
		delay(auth, source);
	return r;
}

/* --- Basic --------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What follows the scheme, without blanks around; -EINVAL. */
static int credentials(const char **header, size_t *len)
{
	if (*len < 6 || strncasecmp(*header, "basic", 5) != 0 ||
	    !is_blank((*header)[5]))
		return -EINVAL;
	*header += 5;
	*len -= 5;
	while (*len && is_blank(**header)) {
		++*header;
		--*len;
	}
	while (*len && is_blank((*header)[*len - 1]))
		--*len;
	return 0;
}

/* libsodium 1.0.18 takes some bytes above 0x7f for digits of Base64. */
static bool is_all_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)text[i]))
			return false;
	return true;
}

static int split(struct auth_pair *pair, size_t len)
{
	const char *colon;

	if (len && pair->data[len - 1] == '\n') {
		len--;
		if (len && pair->data[len - 1] == '\r')
			len--;
	}
	colon = memchr(pair->data, ':', len);
	if (!colon)
		return -EINVAL;
	pair->name_len = (size_t)(colon - pair->data);
	pair->password = colon + 1;
	pair->password_len = len - pair->name_len - 1;
	return 0;
}

int auth_basic(const char *header, size_t len, struct auth_pair *ret)
{
	size_t n;
	int r = credentials(&header, &len);

	if (r == 0 && !is_all_ascii(header, len))
		r = -EINVAL;
	if (r == 0)
		r = sodium_base642bin((unsigned char *)ret->data,
		    sizeof ret->data, header, len, NULL, &n, NULL,
		    sodium_base64_VARIANT_ORIGINAL);
	if (r == 0)
		r = split(ret, n);
	if (r < 0) {
		auth_pair_wipe(ret);
		return -EINVAL;
	}
	return 0;
}

void auth_pair_wipe(struct auth_pair *pair)
{
	sodium_memzero(pair, sizeof *pair);
}
