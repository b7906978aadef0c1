#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <stdbool.h>
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

static int fail(
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

	return r < 0 ? fail(error, r, "RUNTIME_DIRECTORY",
			   "not set, and neither is XDG_RUNTIME_DIR")
		     : 0;
}

static int find_paths(struct state *s, struct state_error *error)
{
	int r =
	    find_path(s->state_path, sizeof s->state_path, "STATE_DIRECTORY",
		"/var/lib/parlance", "XDG_STATE_HOME", ".local/state");

	if (r < 0)
		return fail(error, r, "STATE_DIRECTORY",
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
static int make_parents(const char *path)
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
static int make_path(const char *path, mode_t mode)
{
	int r = 0;

	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0;
	if (errno == ENOENT)
		r = make_parents(path);
	else if (errno != EEXIST)
		r = -errno;
	if (r == 0 && mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0;
	return r == 0 && errno != EEXIST ? -errno : r;
}

static int make_as_owner(const char *path, const struct stat *owner)
{
	gid_t group = getegid();
	int r;

	if (setegid(owner->st_gid) < 0)
		return -errno;
	r = seteuid(owner->st_uid) < 0 ? -errno : make_path(path, 0711);
	if (seteuid(0) < 0 || setegid(group) < 0)
		return -EPERM;
	return r;
}

/* Gives the owner a new folder, if nobody but root could have put another in
 * its place meanwhile: a link, say, to what is root's. */
static int give_new(int parent, const char *name, const struct stat *owner)
{
	struct stat st;
	int fd, r;

	if (faccessat(parent, name, F_OK, 0) == 0)
		return 0;
	if (fstat(parent, &st) < 0 || st.st_uid != 0 || st.st_mode & 0022)
		return -EACCES;
	if (mkdirat(parent, name, 0700) < 0)
		return -errno;
	fd = openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = fd < 0 || fchown(fd, owner->st_uid, owner->st_gid) < 0 ||
		    fchmod(fd, 0711) < 0
		? -errno
		: 0;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int make_as_root(const char *path, const struct stat *owner)
{
	char parent[4096], *name;
	size_t len = strlen(path);
	int fd, r;

	if (len >= sizeof parent)
		return -ENAMETOOLONG;
	memcpy(parent, path, len + 1);
	name = strrchr(parent, '/');
	if (!name)
		return -EACCES;
	r = make_parents(parent);
	if (r < 0)
		return r;
	*name++ = '\0';
	fd = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = give_new(fd, name, owner);
	(void)close(fd);
	return r;
}

/* Where root would look is settled before we are root no more; a runtime
 * directory that only root can make (below /run) is made here. */
static int hand_over(
    const struct state *s, const struct stat *owner, struct state_error *error)
{
	int r;

	/* What root makes on the way there the owner must get through. */
	(void)umask(0022);
	r = make_as_owner(s->runtime_path, owner);
	if (r == -EACCES || r == -EPERM)
		r = make_as_root(s->runtime_path, owner);
	if (r < 0)
		return fail(error, r, s->runtime_path,
		    r == -EACCES ? "cannot be made safely: make it, and give "
				   "it to the owner of the state"
				 : NULL);
	if (setenv("STATE_DIRECTORY", s->state_path, 1) < 0 ||
	    setenv("RUNTIME_DIRECTORY", s->runtime_path, 1) < 0)
		return fail(error, -ENOMEM, s->state_path, NULL);
	return 0;
}

int state_become_owner(struct state_error *error)
{
	struct state s;
	struct stat st;
	int r;

	if (geteuid() != 0)
		return 0;
	r = find_paths(&s, error);
	if (r < 0)
		return r;
	if (stat(s.state_path, &st) < 0 || st.st_uid == 0)
		return 0;
	r = hand_over(&s, &st, error);
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 ||
	    setuid(st.st_uid) < 0)
		return fail(
		    error, -errno, s.state_path, "cannot become its owner");
	return 0;
}

static int open_directory(const char *path, mode_t mode)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	r = make_path(path, mode);
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

static int fsync_folder(int dir)
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

	return r == -EEXIST ? 0 : r < 0 ? r : fsync_folder(dir);
}

static int version_check(int dir, const char *path, struct state_error *error)
{
	char text[32];
	uint64_t version;
	ssize_t n = io_read_file(dir, "version", text, sizeof text);
	int r;

	if (n == -ENOENT) {
		r = version_write(dir);
		return r < 0 ? fail(error, r, path, NULL) : 0;
	}
	if (n < 0)
		return fail(error, (int)n, path, NULL);
	if (n && text[n - 1] == '\n')
		n--;
	if (parse_u64(text, (size_t)n, UINT32_MAX, &version) < 0 || !version)
		return fail(
		    error, -EUCLEAN, path, "its file \"version\" is malformed");
	if (version <= STATE_VERSION)
		return 0;
	(void)snprintf(error->text, sizeof error->text,
	    "%s: state of version %ju, made by a newer parlance; this one "
	    "knows versions up to %d",
	    path, (uintmax_t)version, STATE_VERSION);
	return -EUCLEAN;
}

static int open_state(struct state *s, struct state_error *error)
{
	struct statfs fs;
	int r;

	s->state = open_directory(s->state_path, 0750);
	if (s->state < 0)
		return fail(error, s->state, s->state_path, NULL);
	if (fstatfs(s->state, &fs) < 0)
		return fail(error, -errno, s->state_path, NULL);
	if (is_network(&fs))
		return fail(error, -EREMOTE, s->state_path,
		    "is on a network file system, whose locks and flushes "
		    "cannot be relied on");
	r = version_check(s->state, s->state_path, error);
	if (r < 0)
		return r;
	r = ensure_folders(s->state, state_folders);
	return r < 0 ? fail(error, r, s->state_path, NULL) : 0;
}

static int open_runtime(struct state *s, struct state_error *error)
{
	int r;

	s->runtime = open_directory(s->runtime_path, 0711);
	if (s->runtime < 0)
		return fail(error, s->runtime, s->runtime_path, NULL);
	r = ensure_folders(s->runtime, runtime_folders);
	return r < 0 ? fail(error, r, s->runtime_path, NULL) : 0;
}

int state_open(struct state *s, struct state_error *error)
{
	int r;

	s->state = s->runtime = -1;
	(void)umask(0027);
	r = find_paths(s, error);
	if (r == 0)
		r = open_state(s, error);
	if (r == 0)
		r = open_runtime(s, error);
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
