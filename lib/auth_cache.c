#include "auth_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"

#define HASH_BYTES 32

_Static_assert(AUTH_CACHE_NAME == 2 * HASH_BYTES + 1, "hex and a NUL");

static void name_pair(const struct auth *auth, const char *name,
    size_t name_len, const char *password, size_t len, const char *third,
    char ret_name[AUTH_CACHE_NAME])
{
	unsigned char out[HASH_BYTES];
	crypto_generichash_state hash;

	(void)crypto_generichash_init(
	    &hash, auth->key, sizeof auth->key, sizeof out);
	hash_part(&hash, name, name_len);
	hash_part(&hash, password, len);
	hash_part(&hash, third, strlen(third));
	(void)crypto_generichash_final(&hash, out, sizeof out);
	(void)sodium_bin2hex(ret_name, AUTH_CACHE_NAME, out, sizeof out);
	sodium_memzero(&hash, sizeof hash);
}

void auth_cache_name(const struct auth *auth, const struct store_user *user,
    const char *password, size_t len, char ret_name[AUTH_CACHE_NAME])
{
	name_pair(auth, user->name, strlen(user->name), password, len,
	    user->password, ret_name);
}

static bool is_fresh(const struct stat *st)
{
	int64_t age = clock_now() - (int64_t)st->st_mtim.tv_sec;

	return age >= 0 && age < LIMIT_AUTH_TTL_S;
}

int64_t auth_cache_has(const struct auth *auth, const char *name)
{
	struct stat st;

	return fstatat(auth->cache, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		       is_fresh(&st)
		   ? (int64_t)st.st_mtim.tv_sec
		   : -1;
}

static void put(
    const struct auth *auth, const char *name, const struct timespec times[2])
{
	int fd = openat(auth->cache, name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	(void)futimens(fd, times);
	(void)close(fd);
}

void auth_cache_put(const struct auth *auth, const char *name)
{
	const struct timespec times[2] = {
	    {.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)clock_now()}};

	put(auth, name, times);
}

/* --- without the database ------------------------------------------- */

/* Of a hash, as much as every file system keeps of a time. */
static struct timespec hash_stamp(
    const struct auth *auth, const struct store_stamp *stamp)
{
	unsigned char out[HASH_BYTES];
	uint32_t words[2];

	(void)crypto_generichash(out, sizeof out, (const unsigned char *)stamp,
	    sizeof *stamp, auth->key, sizeof auth->key);
	memcpy(words, out, sizeof words);
	return (struct timespec){.tv_sec = (time_t)(words[0] & INT32_MAX),
	    .tv_nsec = (long)(words[1] % 1000000000)};
}

bool auth_cache_seen(const struct auth *auth, const char *name, size_t name_len,
    const char *password, size_t len, struct auth_seen *ret)
{
	struct store_stamp stamp;
	struct stat st;

	ret->known = name_len <= LIMIT_NAME && len <= LIMIT_PASSWORD &&
		     store_stamp(auth->store, &stamp) == 0;
	if (!ret->known)
		return false;
	/* No stored hash is like that. */
	name_pair(auth, name, name_len, password, len, "seen", ret->name);
	ret->stamp = hash_stamp(auth, &stamp);
	return fstatat(auth->cache, ret->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_fresh(&st) && st.st_atim.tv_sec == ret->stamp.tv_sec &&
	       st.st_atim.tv_nsec == ret->stamp.tv_nsec;
}

void auth_cache_see(
    const struct auth *auth, const struct auth_seen *seen, int64_t when)
{
	const struct timespec times[2] = {
	    seen->stamp, {.tv_sec = (time_t)when}};

	if (seen->known)
		put(auth, seen->name, times);
}

/* --- maintenance ------------------------------------------------------ */

static bool is_name(const char *name)
{
	return strlen(name) == AUTH_CACHE_NAME - 1 &&
	       strspn(name, "0123456789abcdef") == AUTH_CACHE_NAME - 1;
}

/* One that is verified anew between our look and our removal is verified
 * once more: that is all. */
static int sweep(DIR *dir)
{
	struct dirent *entry;
	struct stat st;
	int count = 0;

	while ((entry = readdir(dir))) {
		if (!is_name(entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) < 0 ||
		    is_fresh(&st))
			continue;
		count += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
	}
	return count;
}

int auth_sweep(struct auth *auth)
{
	int fd = openat(auth->cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	r = sweep(dir);
	(void)closedir(dir);
	return r;
}
