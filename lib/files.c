#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <unistr.h>

#include "footer.h"
#include "io.h"

/* So many bytes may be on their way to the disk. */
#define HURRY_EVERY (UINT64_C(4) * 1024 * 1024)

/* --- names ------------------------------------------------------------ */

static const char *const faults[] = {
    [FILE_NAME_FINE] = "the file's name is fine",
    [FILE_NAME_EMPTY] = "the file's name is empty",
    [FILE_NAME_TOO_LONG] = "the file's name is longer than 255 bytes",
    [FILE_NAME_NOT_UTF8] = "the file's name is not valid UTF-8",
    [FILE_NAME_CHARACTER] = "the file's name holds a slash or a control "
			    "character",
    [FILE_NAME_DOT] = "the file's name begins with a dot",
};

const char *file_name_fault_says(enum file_name_fault fault)
{
	return (unsigned)fault < sizeof faults / sizeof *faults
		   ? faults[fault]
		   : "the file's name cannot be used";
}

/* Those that end a line or turn round what follows: of a name that ends in
 * "exe" they would show one that ends in "txt". */
static bool is_misleading(ucs4_t uc)
{
	return (uc >= 0x2028 && uc <= 0x202e) || (uc >= 0x2066 && uc <= 0x2069);
}

static bool may_stand(ucs4_t uc)
{
	return uc >= 0x20 && uc != '/' && (uc < 0x7f || uc >= 0xa0) &&
	       !is_misleading(uc);
}

enum file_name_fault file_name_check(const char *name, size_t len)
{
	const uint8_t *at = (const uint8_t *)name;
	ucs4_t uc;
	int n;

	if (len == 0)
		return FILE_NAME_EMPTY;
	if (len > LIMIT_FILE_NAME)
		return FILE_NAME_TOO_LONG;
	if (u8_check(at, len))
		return FILE_NAME_NOT_UTF8;
	for (size_t left = len; left; at += n, left -= (size_t)n) {
		n = u8_mbtoucr(&uc, at, left);
		if (n <= 0 || !may_stand(uc))
			return FILE_NAME_CHARACTER;
	}
	return name[0] == '.' ? FILE_NAME_DOT : FILE_NAME_FINE;
}

/* The name as the kernel takes it. 0 or -EINVAL. */
static int take_name(
    char ret[LIMIT_FILE_NAME + 1], const char *name, size_t len)
{
	if (file_name_check(name, len) != FILE_NAME_FINE)
		return -EINVAL;
	memcpy(ret, name, len);
	ret[len] = '\0';
	return 0;
}

/* --- the folder ------------------------------------------------------- */

/* Open for reading, not O_PATH: only so can it be fsynced, and once confined
 * nobody may open it without LIST. */
int files_open(
    struct files *f, const struct state *state, const struct settings *settings)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	*f = (struct files){.folder = -1,
	    .max = settings->file_max,
	    .min_free = settings->min_free};
	f->folder = settings->files
			? open(settings->files, flags)
			: openat(state->state, "files", flags | O_NOFOLLOW);
	return f->folder < 0 ? -errno : 0;
}

void files_close(struct files *f)
{
	if (f->folder >= 0)
		(void)close(f->folder);
	f->folder = -1;
}

/* Would more bytes leave enough free? What others have announced is not
 * counted, only what they have written: hence a look before each write. It
 * costs a microsecond; with fewer looks, a thousand uploads that stop short of
 * the next one could take all that was to be left. 0, -ENOSPC or -errno. */
static int check_space(const struct files *f, uint64_t more)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (fstatvfs(f->folder, &fs) < 0)
		return -errno;
	/* Who can send empty ones could take them all; not all file systems
	 * count them. */
	if (f->min_free && fs.f_favail < fs.f_files / 100)
		return -ENOSPC;
	/* A tmpfs without a limit has no size. */
	if (fs.f_blocks == 0)
		return 0;
	if (__builtin_mul_overflow(
		(uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &free_bytes))
		return 0;
	return free_bytes < f->min_free || free_bytes - f->min_free < more
		   ? -ENOSPC
		   : 0;
}

/* --- uploads ---------------------------------------------------------- */

/* 0 if nothing has the name. It is only so as not to take 64 MiB in vain:
 * linkat decides. */
static int check_free_name(const struct files *f, const char *name)
{
	struct stat st;

	if (fstatat(f->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return errno == ENOENT ? 0 : -errno;
}

static int open_unnamed(const struct files *f)
{
	int fd = openat(f->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0640);

	/* Old kernels, and some file systems, take it for a directory that is
	 * to be written. */
	if (fd < 0)
		return errno == EISDIR ? -EOPNOTSUPP : -errno;
	return fd;
}

int upload_begin(struct upload *u, const struct files *f, const char *name,
    size_t len, uint64_t size)
{
	int r;

	*u = (struct upload){.files = f, .fd = -1, .size = size};
	r = take_name(u->name, name, len);
	if (r == 0 && size > f->max)
		r = -EFBIG;
	if (r == 0)
		r = check_free_name(f, u->name);
	if (r == 0)
		r = check_space(f, size);
	if (r == 0)
		r = open_unnamed(f);
	if (r >= 0)
		u->fd = r;
	return r < 0 ? r : 0;
}

static bool passes_mark(const struct upload *u, size_t len)
{
	return u->done / HURRY_EVERY != (u->done + len) / HURRY_EVERY;
}

/* Lets the disk begin with what is there, so that upload_commit(), during which
 * the caller does nothing else, has little left to wait for. That it cannot be
 * done is no failure; that it fails is. */
static int hurry(const struct upload *u)
{
	int r =
	    sync_file_range(u->fd, 0, (off_t)u->done, SYNC_FILE_RANGE_WRITE);

	return r < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT)
		   ? -errno
		   : 0;
}

int upload_write(struct upload *u, const void *bytes, size_t len)
{
	bool mark = passes_mark(u, len);
	int r;

	if (len > u->size - u->done)
		return -EFBIG;
	r = check_space(u->files, u->size - u->done);
	if (r == 0)
		r = io_pwrite(u->fd, bytes, len, u->done);
	if (r == 0)
		u->done += len;
	if (r == 0 && mark)
		r = hurry(u);
	/* A limit of the process or the file system, not of ours. */
	return r == -EFBIG ? -ENOSPC : r;
}

/* By the descriptor's name in /proc, since AT_EMPTY_PATH takes a capability on
 * kernels before 6.10; where there is no /proc it may do. */
static int give_name(const struct upload *u)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", u->fd);
	if (linkat(AT_FDCWD, path, u->files->folder, u->name,
		AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (linkat(u->fd, "", u->files->folder, u->name, AT_EMPTY_PATH) == 0)
		return 0;
	return errno == ENOENT ? -EOPNOTSUPP : -errno;
}

/* Takes the name away if it is this file's. 0, -ENOENT or -errno. */
static int take_back(struct upload *u)
{
	int folder = u->files->folder;
	struct stat ours, there;

	u->linked = false;
	if (fstat(u->fd, &ours) < 0 ||
	    fstatat(folder, u->name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return -ENOENT;
	return unlinkat(folder, u->name, 0) < 0 ? -errno : 0;
}

int upload_commit(struct upload *u)
{
	int r;

	if (u->done != u->size)
		return -EMSGSIZE;
	/* Before it can be seen: a name never stands for less than all. */
	if (fdatasync(u->fd) < 0)
		return -errno;
	r = give_name(u);
	if (r < 0)
		return r;
	u->linked = true;
	/* That it is linked is known to the file as well as to the folder, and
	 * not all file systems flush the one with the other. */
	if (fsync(u->fd) == 0 && fsync(u->files->folder) == 0)
		return 0;
	r = -errno;
	(void)take_back(u);
	return r;
}

int upload_undo(struct upload *u)
{
	int r;

	if (!u->linked)
		return -ENOENT;
	r = take_back(u);
	if (r == 0 && fsync(u->files->folder) < 0)
		r = -errno;
	return r;
}

void upload_release(struct upload *u)
{
	if (u->files && u->fd >= 0)
		(void)close(u->fd);
	*u = (struct upload){.fd = -1};
}

/* --- reading ---------------------------------------------------------- */

static int is_regular(int r, const struct stat *st)
{
	if (r < 0)
		return errno == ELOOP ? -ENOENT : -errno;
	return S_ISREG(st->st_mode) ? 0 : -ENOENT;
}

int files_read(const struct files *f, const char *name, size_t len, int *ret_fd,
    uint64_t *ret_size)
{
	char path[LIMIT_FILE_NAME + 1];
	struct stat st;
	int fd, r = take_name(path, name, len);

	/* Looked at first, since to open a device or a fifo does something;
	 * and if it becomes one meanwhile, opening does not block. */
	if (r == 0)
		r = is_regular(
		    fstatat(f->folder, path, &st, AT_SYMLINK_NOFOLLOW), &st);
	if (r < 0)
		return r;
	fd = openat(f->folder, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	r = is_regular(fd < 0 ? fd : fstat(fd, &st), &st);
	if (r == 0) {
		*ret_fd = fd;
		*ret_size = (uint64_t)st.st_size;
	} else if (fd >= 0) {
		(void)close(fd);
	}
	return r;
}

static bool refused(int r)
{
	return r == -EINVAL || r == -ENOENT || r == -EACCES;
}

int files_each(const struct files *f,
    int (*call)(void *arg, const char *name, uint64_t size), void *arg)
{
	struct dirent *entry;
	uint64_t size;
	DIR *dir;
	int fd, r = state_folder_list(f->folder, &dir);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		r = files_read(
		    f, entry->d_name, strlen(entry->d_name), &fd, &size);
		if (r == 0) {
			(void)close(fd);
			r = call(arg, entry->d_name, size);
		} else if (refused(r)) {
			r = 0;
		}
	}
	if (r == 0 && !entry)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* --- what is said about it -------------------------------------------- */

void files_announce(const char *user, const char *name,
    char ret_text[FILES_TEXT], char ret_keys[FILES_KEYS])
{
	static const char key[] = "file=";
	const size_t at = sizeof key - 1;

	(void)snprintf(ret_text, FILES_TEXT, "%s has uploaded %s", user, name);
	memcpy(ret_keys, key, at);
	ret_keys[at + percent_encode(ret_keys + at, name,
			  strnlen(name, LIMIT_FILE_NAME))] = '\0';
}
