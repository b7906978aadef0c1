/* Apart from the rest of store: whoever only asks for names (bcs) must not
 * link SQLite for it. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int entry_path(const char *key, char ret_path[LIMIT_NAME_KEY + 16])
{
	int n = snprintf(ret_path, LIMIT_NAME_KEY + 16, "accounts/%s", key);

	return n < 0 || n >= LIMIT_NAME_KEY + 16 || strchr(key, '/') || !key[0]
		   ? -EINVAL
		   : 0;
}

int account_exists(const struct state *state, const char *key)
{
	char path[LIMIT_NAME_KEY + 16];
	int r = entry_path(key, path);

	if (r < 0)
		return r;
	if (faccessat(state->state, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}
