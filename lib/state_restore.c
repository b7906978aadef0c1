/* A state that a backup is to fill, and the file `version`, which says whether
 * that was done. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "state_internal.h"

/* What holds what people said and have; db/ is the store's to judge. */
static const char *const contents[] = {
    "rooms", "meta", "files", "lost", "accounts", NULL};

/* --- version --- */

static int write_new(int dir, const char *name, const char *text)
{
	int fd, r;

	(void)unlinkat(dir, name, 0);
	fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = io_pwrite(fd, text, strlen(text), 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int version_replace(int dir, const char *text)
{
	int r = write_new(dir, ".version", text);

	if (r == 0 && renameat(dir, ".version", dir, "version") < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, ".version", 0);
		return r;
	}
	return state_fsync_folder(dir);
}

int state_version_put(int dir)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%d\n", STATE_VERSION);
	return version_replace(dir, text);
}

int state_there(struct state_error *error)
{
	struct state s;
	int r = state_find_paths(&s, error);

	if (r == 0 && access(s.state_path, F_OK) < 0)
		r = state_fail(error, -errno, s.state_path, NULL);
	return r;
}

/* --- what is in a folder --- */

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls f for all that is in a folder, which need not be there. */
static int each_entry(int dir, const char *name,
    int (*f)(void *arg, int folder, const char *name), void *arg)
{
	int folder = state_folder(dir, name), r;
	struct dirent *entry;
	DIR *list;

	if (folder < 0)
		return folder == -ENOENT ? 0 : folder;
	r = state_folder_list(folder, &list);
	if (r == 0) {
		while (r == 0 && (errno = 0, entry = readdir(list)))
			if (!is_dots(entry->d_name))
				r = f(arg, folder, entry->d_name);
		if (r == 0 && errno)
			r = -errno;
		(void)closedir(list);
	}
	(void)close(folder);
	return r;
}

struct found {
	const char *folder;
	const struct state *state;
	struct state_error *error;
};

static int tell_entry(void *arg, int folder, const char *name)
{
	const struct found *found = arg;

	(void)folder;
	(void)snprintf(found->error->text, sizeof found->error->text,
	    "%.4000s: is not empty: %s/%.255s is there",
	    found->state->state_path, found->folder, name);
	return -ENOTEMPTY;
}

static int check_empty(const struct state *s, struct state_error *error)
{
	struct found found = {.state = s, .error = error};
	int r = 0;

	for (int i = 0; r == 0 && contents[i]; i++) {
		found.folder = contents[i];
		r = each_entry(s->state, contents[i], tell_entry, &found);
		if (r < 0 && r != -ENOTEMPTY)
			(void)state_fail(error, r, s->state_path, NULL);
	}
	return r;
}

static int remove_entry(void *arg, int folder, const char *name)
{
	(void)arg;
	return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* --- opening --- */

static int open_empty(
    struct state *s, bool *ret_again, struct state_error *error)
{
	int r = state_open_directory(s, error);

	if (r < 0)
		return r;
	r = state_version_check(s->state, s->state_path, error);
	*ret_again = r == -EINPROGRESS;
	if (*ret_again || r == -ENOENT)
		r = 0;
	if (r == 0 && !*ret_again)
		r = check_empty(s, error);
	if (r < 0)
		return r;
	r = state_make_folders(s->state);
	return r < 0 ? state_fail(error, r, s->state_path, NULL) : 0;
}

int state_open_empty(
    struct state *s, bool *ret_again, struct state_error *error)
{
	int r;

	s->state = s->runtime = -1;
	(void)umask(0027);
	r = state_find_paths(s, error);
	if (r == 0)
		r = open_empty(s, ret_again, error);
	if (r == 0)
		r = state_open_runtime(s, error);
	if (r < 0)
		state_close(s);
	return r;
}

/* Where a host runs, fanout does, which holds this lock. */
bool state_in_use(const struct state *s)
{
	int fd = openat(
	    s->runtime, "fanout.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool used;

	if (fd < 0)
		return false;
	used = io_flock(fd, LOCK_SH, clock_in(0)) == -EBUSY;
	(void)close(fd);
	return used;
}

int state_restore_begin(const struct state *s, bool again)
{
	int r = version_replace(s->state, STATE_RESTORING "\n");

	for (int i = 0; again && r == 0 && contents[i]; i++)
		r = each_entry(s->state, contents[i], remove_entry, NULL);
	if (r == 0)
		r = each_entry(s->state, "db", remove_entry, NULL);
	if (r == 0)
		r = each_entry(s->runtime, "failed", remove_entry, NULL);
	return r;
}
