#include "state_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io.h"
#include "parse.h"

#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#define CEPH_MAGIC 0x00c36400
#define NINEP_MAGIC 0x01021997
#define LUSTRE_MAGIC 0x0bd00bd0

struct folder {
	const char *name;
	mode_t mode;
};

static const struct folder state_folders[] = {{"rooms", 02750}, {"meta", 02750},
    {"files", 02750}, {"lost", 02750}, {"db", 0700}, {"accounts", 0750},
    {NULL, 0}};

static const struct folder runtime_folders[] = {{"index", 0700},
    {"present", 0700}, {"auth", 0700}, {"failed", 0700}, {"slots", 0700},
    {NULL, 0}};

int state_fail(
    struct state_error *error, int code, const char *path, const char *what)
{
	(void)snprintf(error->text, sizeof error->text, "%s: %s", path,
	    what ? what : strerror(-code));
	return code;
}

/* A directory named by a variable (systemd may list several: the first), or
 * for root below `root`, or for others below `base` of their home. */
static int find_path(char *ret_path, size_t size, const char *variable,
    const char *root, const char *base_variable, const char *home_base)
{
	const char *set = getenv(variable), *base = getenv(base_variable);
	const char *home = getenv("HOME");
	int n;

	if (set && *set)
		n = snprintf(
		    ret_path, size, "%.*s", (int)strcspn(set, ":"), set);
	else if (geteuid() == 0)
		n = snprintf(ret_path, size, "%s", root);
	else if (base && *base)
		n = snprintf(ret_path, size, "%s/parlance", base);
	else if (home && *home && home_base)
		n = snprintf(ret_path, size, "%s/%s/parlance", home, home_base);
	else
		return -ENOENT;
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	while (n > 1 && ret_path[n - 1] == '/')
		ret_path[--n] = '\0';
	return 0;
}

int state_runtime_path(char *ret_path, size_t size, struct state_error *error)
{
	int r = find_path(ret_path, size, "RUNTIME_DIRECTORY", "/run/parlance",
	    "XDG_RUNTIME_DIR", NULL);

	return r < 0 ? state_fail(error, r, "RUNTIME_DIRECTORY",
			   "not set, and neither is XDG_RUNTIME_DIR")
		     : 0;
}

int state_find_paths(struct state *s, struct state_error *error)
{
	int r =
	    find_path(s->state_path, sizeof s->state_path, "STATE_DIRECTORY",
		"/var/lib/parlance", "XDG_STATE_HOME", ".local/state");

	if (r < 0)
		return state_fail(error, r, "STATE_DIRECTORY",
		    "not set, and neither is HOME");
	return state_runtime_path(
	    s->runtime_path, sizeof s->runtime_path, error);
}

static bool is_network(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CEPH_MAGIC:
	case NINEP_MAGIC:
	case LUSTRE_MAGIC:
		return true;
	default:
		return false;
	}
}

/* mkdir -p of what is above path, as the umask has it. 0 or -errno. */
int state_make_parents(const char *path)
{
	char copy[4096];
	size_t len = strlen(path);

	if (len >= sizeof copy)
		return -ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	for (char *at = copy + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

/* mkdir -p, the last with the mode given. 0, where it was there already too,
 * or -errno. */
int state_make_path(const char *path, mode_t mode)
{
	int r = 0;

	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0;
	if (errno == ENOENT)
		r = state_make_parents(path);
	else if (errno != EEXIST)
		r = -errno;
	if (r == 0 && mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0;
	return r == 0 && errno != EEXIST ? -errno : r;
}

static int open_directory(const char *path, mode_t mode)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	r = state_make_path(path, mode);
	if (r < 0)
		return r;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The mode is set by chmod: umask and the set-group-id bit do not pass
 * through mkdir. Only by who made it, and under a name nobody else uses yet
 * where that matters: the folders are empty. */
static int make_folders(int dir, const struct folder *folders)
{
	for (const struct folder *f = folders; f->name; f++) {
		if (mkdirat(dir, f->name, f->mode & 0777) < 0) {
			if (errno != EEXIST)
				return -errno;
			continue;
		}
		if (fchmodat(dir, f->name, f->mode, 0) < 0)
			return -errno;
	}
	return 0;
}

/* The folders are made in order, so the last one's presence tells of all:
 * one system call in the common case. */
static int ensure_folders(int dir, const struct folder *folders)
{
	const struct folder *last = folders;

	while (last[1].name)
		last++;
	if (faccessat(dir, last->name, F_OK, 0) == 0)
		return 0;
	return make_folders(dir, folders);
}

/* Makes name in dir with these contents, whole and on disk, unless it exists:
 * then -EEXIST. */
static int make_file(int dir, const char *name, const void *data, size_t len)
{
	char temporary[64];
	int fd, r;

	(void)snprintf(temporary, sizeof temporary, ".%s.%d", name, getpid());
	(void)unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = io_pwrite(fd, data, len, 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && linkat(dir, temporary, dir, name, 0) < 0)
		r = -errno;
	(void)unlinkat(dir, temporary, 0);
	(void)close(fd);
	return r;
}

int state_fsync_folder(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

static int version_write(int dir)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%d\n", STATE_VERSION);
	int r = make_file(dir, "version", text, (size_t)n);

	return r == -EEXIST ? 0 : r < 0 ? r : state_fsync_folder(dir);
}

static int version_newer(
    const char *path, uint64_t version, struct state_error *error)
{
	(void)snprintf(error->text, sizeof error->text,
	    "%s: state of version %ju, made by a newer parlance; this one "
	    "knows versions up to %d",
	    path, (uintmax_t)version, STATE_VERSION);
	return -EUCLEAN;
}

int state_version_check(int dir, const char *path, struct state_error *error)
{
	char text[32];
	uint64_t version;
	ssize_t n = io_read_file(dir, "version", text, sizeof text);

	if (n < 0)
		return state_fail(error, (int)n, path, NULL);
	if (n && text[n - 1] == '\n')
		n--;
	if (parse_is(text, (size_t)n, STATE_RESTORING))
		return state_fail(error, -EINPROGRESS, path,
		    "is being restored, or a restore was cut short: then run "
		    "parlance restore again");
	if (parse_u64(text, (size_t)n, UINT32_MAX, &version) < 0 || !version)
		return state_fail(
		    error, -EUCLEAN, path, "its file \"version\" is malformed");
	return version > STATE_VERSION ? version_newer(path, version, error)
				       : 0;
}

int state_open_directory(struct state *s, struct state_error *error)
{
	struct statfs fs;

	s->state = open_directory(s->state_path, 0750);
	if (s->state < 0)
		return state_fail(error, s->state, s->state_path, NULL);
	if (fstatfs(s->state, &fs) < 0)
		return state_fail(error, -errno, s->state_path, NULL);
	if (is_network(&fs))
		return state_fail(error, -EREMOTE, s->state_path,
		    "is on a network file system, whose locks and flushes "
		    "cannot be relied on");
	return 0;
}

int state_make_folders(int dir)
{
	return ensure_folders(dir, state_folders);
}

static int open_state(struct state *s, struct state_error *error)
{
	int r = state_open_directory(s, error);

	if (r < 0)
		return r;
	r = state_version_check(s->state, s->state_path, error);
	if (r == -ENOENT) {
		r = version_write(s->state);
		if (r < 0)
			(void)state_fail(error, r, s->state_path, NULL);
	}
	if (r < 0)
		return r;
	r = state_make_folders(s->state);
	return r < 0 ? state_fail(error, r, s->state_path, NULL) : 0;
}

int state_open_runtime(struct state *s, struct state_error *error)
{
	int r;

	s->runtime = open_directory(s->runtime_path, 0711);
	if (s->runtime < 0)
		return state_fail(error, s->runtime, s->runtime_path, NULL);
	r = ensure_folders(s->runtime, runtime_folders);
	return r < 0 ? state_fail(error, r, s->runtime_path, NULL) : 0;
}

int state_open(struct state *s, struct state_error *error)
{
	int r;

	s->state = s->runtime = -1;
	(void)umask(0027);
	r = state_find_paths(s, error);
	if (r == 0)
		r = open_state(s, error);
	if (r == 0)
		r = state_open_runtime(s, error);
	if (r < 0)
		state_close(s);
	return r;
}

void state_close(struct state *s)
{
	if (s->state >= 0)
		(void)close(s->state);
	if (s->runtime >= 0)
		(void)close(s->runtime);
	s->state = s->runtime = -1;
}

int state_folder(int directory, const char *name)
{
	int fd = openat(
	    directory, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int state_folder_list(int folder, DIR **ret)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	r = -errno;
	(void)close(fd);
	return r;
}

int state_secret(
    int dir, const char *name, unsigned char *ret_bytes, size_t len)
{
	unsigned char fresh[64];
	ssize_t n = io_read_file(dir, name, ret_bytes, len);
	int r;

	if (n == -ENOENT) {
		if (len > sizeof fresh || getentropy(fresh, len) < 0)
			return -EINVAL;
		r = make_file(dir, name, fresh, len);
		if (r < 0 && r != -EEXIST)
			return r;
		n = io_read_file(dir, name, ret_bytes, len);
	}
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EUCLEAN;
}

int state_key(const struct state *s, unsigned char ret_key[STATE_KEY_BYTES])
{
	return state_secret(s->state, "key", ret_key, STATE_KEY_BYTES);
}
