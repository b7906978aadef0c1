#include "auth_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"

#define HASH_BYTES 32

_Static_assert(AUTH_CACHE_NAME == 2 * HASH_BYTES + 1, "hex and a NUL");

void auth_cache_name(const struct auth *auth, const struct store_user *user,
    const char *password, size_t len, char ret_name[AUTH_CACHE_NAME])
{
	unsigned char out[HASH_BYTES];
	crypto_generichash_state hash;

	(void)crypto_generichash_init(
	    &hash, auth->key, sizeof auth->key, sizeof out);
	hash_part(&hash, user->name, strlen(user->name));
	hash_part(&hash, password, len);
	hash_part(&hash, user->password, strlen(user->password));
	(void)crypto_generichash_final(&hash, out, sizeof out);
	(void)sodium_bin2hex(ret_name, AUTH_CACHE_NAME, out, sizeof out);
	sodium_memzero(&hash, sizeof hash);
}

static bool is_fresh(const struct stat *st)
{
	int64_t age = clock_now() - (int64_t)st->st_mtim.tv_sec;

	return age >= 0 && age < LIMIT_AUTH_TTL_S;
}

bool auth_cache_has(const struct auth *auth, const char *name)
{
	struct stat st;

	return fstatat(auth->cache, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_fresh(&st);
}

void auth_cache_put(const struct auth *auth, const char *name)
{
	struct timespec times[2] = {
	    {.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)clock_now()}};
	int fd = openat(auth->cache, name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	(void)futimens(fd, times);
	(void)close(fd);
}

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
