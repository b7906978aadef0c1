#include "store_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_db.h"

#define VFS_NAME "parlance-copy"
#define COPY_URI 80

/* --- a file system that takes paths as they are ---------------------------
 */

/*
 * SQLite follows the links of a path itself, /proc/self/fd/N too, and then
 * fails where we may use the descriptor but not the path: the backup of a user
 * below a folder that only root may enter.
 */
static int take_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	size_t len = strlen(path);

	(void)vfs;
	if (size < 0 || len >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, path, len + 1);
	return SQLITE_OK;
}

static int register_vfs(void)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *standard;

	if (sqlite3_vfs_find(VFS_NAME))
		return 0;
	standard = sqlite3_vfs_find(NULL);
	if (!standard)
		return -EIO;
	vfs = *standard;
	vfs.zName = VFS_NAME;
	vfs.xFullPathname = take_path;
	return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? 0 : -ENOMEM;
}

/* Nobody else has the copy, so it is not locked: the file system that backups
 * go to may know no locks. */
static void copy_uri(int folder, char ret[COPY_URI])
{
	(void)snprintf(ret, COPY_URI,
	    "file:/proc/self/fd/%d/" STORE_DATABASE "?vfs=" VFS_NAME
	    "&nolock=1",
	    folder);
}

/* --- copying --------------------------------------------------------------
 */

static int make_empty(int folder)
{
	int fd = openat(folder, STORE_DATABASE,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : close(fd);
}

static int vacuum_into(struct store *s, int folder)
{
	char uri[COPY_URI];
	sqlite3_stmt *statement;
	int r = store_prepare(s, "VACUUM INTO ?1", &statement);

	if (r < 0)
		return r;
	copy_uri(folder, uri);
	(void)sqlite3_bind_text(statement, 1, uri, -1, SQLITE_STATIC);
	return store_finish(s, statement);
}

int store_copy(struct store *s, int folder)
{
	int r;

	/* Only before SQLite is first used. */
	(void)sqlite3_config(SQLITE_CONFIG_URI, 1);
	r = store_ready(s);
	if (r == 0)
		r = register_vfs();
	if (r == 0)
		r = make_empty(folder);
	return r < 0 ? r : vacuum_into(s, folder);
}

/* --- what is in a copy ----------------------------------------------------
 */

static int each_key(
    struct store *copy, int (*f)(void *arg, const char *key), void *arg)
{
	sqlite3_stmt *statement;
	char key[LIMIT_NAME_KEY + 1];
	int rc, r;

	r = store_prepare(
	    copy, "SELECT name_key FROM users ORDER BY 1", &statement);
	if (r < 0)
		return r;
	while (r == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		r = store_column_text(statement, 0, key, sizeof key);
		/* It becomes a file's name. */
		if (r >= 0 && (!key[0] || strchr(key, '/')))
			r = -EBADMSG;
		if (r >= 0)
			r = f(arg, key);
	}
	if (r == 0)
		r = store_error(copy, rc);
	(void)sqlite3_finalize(statement);
	return r;
}

int store_copy_keys(int folder, int (*f)(void *arg, const char *key), void *arg)
{
	struct store copy;
	char uri[COPY_URI];
	int r;

	store_init(&copy, NULL);
	copy_uri(folder, uri);
	r = store_error(&copy,
	    sqlite3_open_v2(uri, &copy.db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE,
		VFS_NAME));
	if (r == 0)
		r = each_key(&copy, f, arg);
	(void)sqlite3_close(copy.db);
	return r;
}

/* --- looking --------------------------------------------------------------
 */

int store_is_empty(struct store *s)
{
	sqlite3_stmt *statement;
	int rc, r = store_ready(s);

	if (r < 0)
		return r == -ENOENT ? 1 : r;
	r = store_prepare(s, "SELECT 1 FROM users LIMIT 1", &statement);
	if (r < 0)
		return r;
	rc = sqlite3_step(statement);
	r = rc == SQLITE_DONE ? 1 : store_error(s, rc);
	(void)sqlite3_finalize(statement);
	return r;
}

bool store_is_shut(const struct store *s)
{
	return faccessat(s->state->runtime, STORE_FAILED, F_OK, 0) == 0;
}
