/* Copying from folder to folder, for parlance backup and restore. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "lib/clock.h"
#include "lib/io.h"

/* So much is copied between two looks at the clock. */
#define STEP (UINT64_C(8) * 1024 * 1024)
#define SHOW_MS 100

/* --- what is shown -------------------------------------------------------- */

void copy_init(struct copy *c, const struct admin *admin, const char *doing,
    const char *done)
{
	*c = (struct copy){.admin = admin,
	    .doing = doing,
	    .done = done,
	    .shows = isatty(STDERR_FILENO)};
}

void copy_show(struct copy *c)
{
	int64_t now = clock_ms();

	if (!c->shows || now - c->shown < SHOW_MS)
		return;
	c->shown = now;
	(void)fprintf(stderr, "\r%s: %ju rooms, %ju files, %ju MB\033[K",
	    c->doing, (uintmax_t)c->rooms, (uintmax_t)c->files,
	    (uintmax_t)(c->bytes / 1000000));
}

static void hide(struct copy *c)
{
	if (c->shows && c->shown)
		(void)fputs("\r\033[K", stderr);
	c->shown = 0;
}

int copy_complain(struct copy *c, enum outcome outcome, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	hide(c);
	if (outcome == REFUSED)
		c->worst = REFUSED;
	return complain(c->admin, outcome, "%s", text);
}

int copy_finish(struct copy *c, const char *where, const char *path)
{
	int r;

	hide(c);
	(void)printf("%s %ju rooms, %ju files and %ju accounts, %ju bytes, "
		     "%s %s%s\n",
	    c->done, (uintmax_t)c->rooms, (uintmax_t)c->files,
	    (uintmax_t)c->accounts, (uintmax_t)c->bytes, where, path,
	    c->worst == DONE ? "" : "; not all, see above");
	r = finish(c->admin);
	return r > (int)c->worst ? r : (int)c->worst;
}

/* --- one file ------------------------------------------------------------- */

static int refuse(struct copy *c, const char *label, const char *name, int r)
{
	return copy_complain(c, REFUSED, "%s%s%s: %s; left out", label,
	    *label ? "/" : "", name,
	    r == -EINVAL ? "not a file"
	    : r == -EIO	 ? "could not be read, or was cut shorter meanwhile"
			 : strerror(-r));
}

static int fail(struct copy *c, const char *label, const char *name, int r)
{
	return copy_complain(c, FAILED, "%s%s%s: could not be written: %s",
	    label, *label ? "/" : "", name, strerror(-r));
}

static int copy_bytes(struct copy *c, int from, int to, uint64_t len)
{
	uint64_t at = 0, step;
	int r = 0;

	for (; r == 0 && at < len; at += step) {
		step = len - at < STEP ? len - at : STEP;
		r = io_copy(from, to, at, step);
		if (r == 0)
			c->bytes += step;
		copy_show(c);
	}
	return r;
}

/* Its time goes with it: doors tell it to clients, and rsync goes by it. */
static int set_time(int fd, const struct stat *st)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

	return futimens(fd, times) < 0 ? -errno : 0;
}

int copy_file(struct copy *c, const struct copy_file *f)
{
	int fd, r;

	fd = openat(f->to, f->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, f->mode);
	if (fd < 0)
		return fail(c, f->label, f->name, -errno);
	r = copy_bytes(c, f->from, fd, f->len);
	if (r == 0)
		r = set_time(fd, f->stat);
	/* A network file system may tell only now. */
	if (close(fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	if (r == 0)
		return DONE;
	(void)unlinkat(f->to, f->name, 0);
	return r == -EIO ? refuse(c, f->label, f->name, r)
			 : fail(c, f->label, f->name, r);
}

/* --- folders -------------------------------------------------------------- */

int copy_named(struct copy *c, const struct copy_folder *d, const char *name,
    const char *new_name, mode_t mode)
{
	struct stat st;
	struct copy_file file = {.stat = &st,
	    .to = d->to,
	    .name = new_name,
	    .mode = mode,
	    .label = d->label};
	int r;

	file.from = place_file(c->admin, d->from, name, &st);
	if (file.from == -ENOENT)
		return DONE; /* it went meanwhile */
	if (file.from < 0) {
		(void)refuse(c, d->label, name, file.from);
		return DONE;
	}
	file.len = (uint64_t)st.st_size;
	r = copy_file(c, &file);
	(void)close(file.from);
	if (r == DONE && d->count)
		++*d->count;
	copy_show(c);
	return r == FAILED ? FAILED : DONE;
}

static int copy_entry_named(void *arg, const char *name)
{
	const struct copy_folder *d = arg;

	return copy_named(d->copy, d, name, name, 0640);
}

int copy_folder(const struct copy_folder *d)
{
	struct copy_folder entry = *d;

	return copy_each(d->copy, d->from, d->label, copy_entry_named, &entry);
}

int copy_each(
    struct copy *c, int folder, const char *label, copy_entry *f, void *arg)
{
	struct dirent *entry;
	DIR *list = NULL;
	int fd = dup(folder), r = DONE;

	if (fd >= 0)
		list = fdopendir(fd);
	if (!list) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return copy_complain(c, FAILED, "%s: %s", label, strerror(-r));
	}
	while (r != FAILED && (errno = 0, entry = readdir(list)))
		if (entry->d_name[0] != '.')
			r = f(arg, entry->d_name);
	if (r != FAILED && errno)
		r = copy_complain(c, FAILED, "%s: %s", label, strerror(errno));
	(void)closedir(list);
	return r == FAILED ? FAILED : DONE;
}
