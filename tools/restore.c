/*
 * parlance restore: an empty state is filled with what a backup holds.
 *
 * While it goes on, and if it is cut short, the state's `version` says so and
 * nobody opens it; another restore begins anew. What only root may read root
 * opens, but everything is written as the owner of the state, and before
 * SQLite, or anything but a copy, looks into it, we are root no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "lib/files.h"
#include "lib/store_backup.h"
#include "lib/store_check.h"

struct restore {
	struct copy copy;
	struct admin *admin;
	const char *path;
	bool again; /* one that was cut short left something */
	struct files files;
	int root; /* the state, open for syncfs, which tells of failures since
		   */
};

/* --- may it be done? ------------------------------------------------------ */

/* Is it a whole backup, of a version that we know? */
static int check_place(struct admin *admin, const char *path)
{
	struct state_error error = {""};
	struct stat st;
	int fd = place_file(admin, admin->place, "version", &st), r = fd;

	if (fd >= 0) {
		(void)close(fd);
		r = state_owner_leave(&admin->owner);
		if (r == 0)
			r = state_version_check(admin->place, path, &error);
		if (state_owner_enter(&admin->owner) < 0)
			r = -EPERM;
	}
	if (r == -ENOENT || r == -EINPROGRESS)
		return complain(admin, REFUSED,
		    "%s: no whole backup: it has no file \"version\", which is "
		    "written last",
		    path);
	if (r == -EUCLEAN)
		return complain(admin, MISUSED, "%s", error.text);
	return r < 0 ? complain(
			   admin, FAILED, "%s/version: %s", path, strerror(-r))
		     : DONE;
}

/* A state that somebody copied by other means, perhaps while it was in use:
 * the database is not all in its one file. */
static int check_log(struct admin *admin, const char *path)
{
	struct stat st;
	int db = place_folder(admin, admin->place, "db"), fd = -ENOENT;

	if (db >= 0) {
		fd = place_file(admin, db, STORE_DATABASE "-wal", &st);
		(void)close(db);
	}
	if (fd < 0)
		return DONE;
	(void)close(fd);
	if (st.st_size == 0)
		return DONE;
	return complain(admin, REFUSED,
	    "%s: a copy of a state, not what parlance backup made: the "
	    "database's log, db/%s-wal, is beside it",
	    path, STORE_DATABASE);
}

int restore_open(struct admin *admin, char **operands)
{
	struct state_error error;
	int r = load_settings(admin);

	if (r != DONE)
		return r;
	admin->above = -1;
	r = state_owner(&admin->owner, &error);
	if (r < 0)
		return complain_state(admin, r, &error);
	r = place_open(admin, operands[0]);
	if (r != DONE)
		return r;
	if (state_owner_enter(&admin->owner) < 0)
		return complain(admin, FAILED,
		    "cannot become the owner of the "
		    "state");
	r = check_place(admin, operands[0]);
	return r == DONE ? check_log(admin, operands[0]) : r;
}

static int tell_file(void *arg, const char *name, uint64_t size)
{
	const struct restore *d = arg;

	(void)size;
	return complain(d->admin, REFUSED, "%s: is not empty: %s is there",
	    d->admin->settings.files, name);
}

static int check_files(struct restore *d)
{
	int r = files_open(&d->files, &d->admin->state, &d->admin->settings);

	if (r == 0 && d->admin->settings.files)
		r = files_each(&d->files, tell_file, d);
	return r < 0 ? complain(d->admin, FAILED, "%s: %s",
			   d->admin->settings.files ? d->admin->settings.files
						    : "files",
			   strerror(-r))
		     : r;
}

static int check_database(struct restore *d)
{
	struct store store;
	int r;

	if (d->again)
		return DONE;
	store_init(&store, &d->admin->state);
	r = store_is_empty(&store);
	store_release(&store);
	if (r < 0)
		return complain(d->admin, FAILED, "%s/db: %s",
		    d->admin->state.state_path, store_says(r));
	return r ? DONE
		 : complain(d->admin, REFUSED,
		       "%s: is not empty: its database has accounts",
		       d->admin->state.state_path);
}

static int check_state(struct restore *d)
{
	struct state_error error;
	int r = state_open_empty(&d->admin->state, &d->again, &error);

	if (r < 0)
		return complain_state(d->admin, r, &error);
	if (state_in_use(&d->admin->state))
		return complain(d->admin, REFUSED,
		    "the host is running; stop its doors first");
	d->root = openat(
	    d->admin->state.state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0)
		return complain(d->admin, FAILED, "%s: %s",
		    d->admin->state.state_path, strerror(errno));
	r = check_files(d);
	return r == DONE ? check_database(d) : r;
}

/* --- copying -------------------------------------------------------------- */

static int fill(struct restore *d, const char *name, int to, uint64_t *count)
{
	struct copy_folder c = {
	    .copy = &d->copy, .to = to, .label = name, .count = count};
	int r;

	if (to < 0)
		return copy_complain(
		    &d->copy, FAILED, "%s: %s", name, strerror(-to));
	c.from = place_folder(d->admin, d->admin->place, name);
	if (c.from == -ENOENT)
		return DONE;
	if (c.from < 0) {
		(void)copy_complain(&d->copy, REFUSED, "%s/%s: %s; left out",
		    d->path, name,
		    c.from == -EINVAL ? "not a folder" : strerror(-c.from));
		return DONE;
	}
	r = copy_folder(&c);
	(void)close(c.from);
	return r;
}

static int fill_own(struct restore *d, const char *name, uint64_t *count)
{
	int to = state_folder(d->admin->state.state, name);
	int r = fill(d, name, to, count);

	if (to >= 0)
		(void)close(to);
	return r;
}

static int fill_key(struct restore *d)
{
	struct copy_folder c = {.copy = &d->copy,
	    .from = d->admin->place,
	    .to = d->admin->state.state,
	    .label = ""};

	/* One that was made at the first use of the empty state. */
	(void)unlinkat(c.to, "key", 0);
	return copy_named(&d->copy, &c, "key", "key", 0600);
}

/* Under the name from which store_adopt() takes it. *ret: there is one. */
static int fill_database(struct restore *d, uint64_t *ret)
{
	struct copy_folder c = {.copy = &d->copy, .label = "db", .count = ret};
	int r = DONE;

	c.from = place_folder(d->admin, d->admin->place, "db");
	c.to = state_folder(d->admin->state.state, "db");
	if (c.from >= 0 && c.to >= 0)
		r = copy_named(
		    &d->copy, &c, STORE_DATABASE, STORE_DATABASE_NEW, 0600);
	else if (c.from != -ENOENT)
		r = copy_complain(&d->copy, FAILED, "db: %s",
		    strerror(c.from < 0 ? -c.from : -c.to));
	if (c.from >= 0)
		(void)close(c.from);
	if (c.to >= 0)
		(void)close(c.to);
	return r;
}

static int fill_all(struct restore *d, uint64_t *ret_databases)
{
	int r = fill_own(d, "rooms", &d->copy.rooms);

	if (r == DONE)
		r = fill_own(d, "meta", NULL);
	if (r == DONE)
		r = fill(d, "files", d->files.folder, &d->copy.files);
	if (r == DONE)
		r = fill_own(d, "lost", NULL);
	if (r == DONE)
		r = fill_key(d);
	return r == DONE ? fill_database(d, ret_databases) : r;
}

/* --- the database --------------------------------------------------------- */

static void ignore_fault(void *arg, enum store_fault fault, const char *key)
{
	(void)arg;
	(void)fault;
	(void)key;
}

/* In WAL mode, sound, and with accounts/ to match. */
static int open_database(struct restore *d)
{
	struct store_health health = {.exists = false};
	struct store store;
	int r;

	store_init(&store, &d->admin->state);
	r = store_adopt(&store);
	if (r == 0)
		r = store_check(&store, true, ignore_fault, NULL, &health);
	store_release(&store);
	d->copy.accounts = health.users;
	if (r == 0 && health.damage[0])
		return copy_complain(&d->copy, FAILED, "%s/db: damaged: %s",
		    d->path, health.damage);
	return r < 0 ? copy_complain(&d->copy, FAILED, "%s/db: %s", d->path,
			   store_says(r))
		     : DONE;
}

/* --- */

static int restore(struct restore *d)
{
	struct state_error error;
	uint64_t databases = 0;
	int r = state_restore_begin(&d->admin->state, d->again);

	if (r < 0)
		return copy_complain(&d->copy, FAILED, "%s: %s",
		    d->admin->state.state_path, strerror(-r));
	r = fill_all(d, &databases);
	if (r != DONE)
		return r;
	if (state_owner_become(&d->admin->owner, &error) < 0)
		return copy_complain(&d->copy, FAILED, "%s", error.text);
	d->admin->owner.other = false;
	if (databases)
		r = open_database(d);
	if (r != DONE)
		return r;
	r = syncfs(d->root) < 0 || syncfs(d->files.folder) < 0 ? -errno : 0;
	if (r == 0)
		r = state_version_put(d->admin->state.state);
	return r < 0 ? copy_complain(&d->copy, FAILED,
			   "it could not be flushed to disk: %s", strerror(-r))
		     : DONE;
}

/* Root's by oversight: the backup was another user's, so the doors are, and
 * where there was no directory it was made for root. */
static void advise_owner(const struct restore *d)
{
	const char *path = d->admin->state.state_path;
	struct stat from, to;

	if (fstat(d->admin->place, &from) < 0 || fstat(d->root, &to) < 0 ||
	    to.st_uid != 0 || from.st_uid == 0)
		return;
	(void)complain(d->admin, DONE,
	    "note: %s is root's, %s is not; for doors of another user: "
	    "chown -R USER: %s",
	    path, d->path, path);
}

int host_restore(struct admin *admin, char **operands, int count)
{
	struct restore d = {
	    .admin = admin, .path = operands[0], .files = {.folder = -1}};
	int r;

	(void)count;
	copy_init(&d.copy, admin, "restoring", "restored");
	admin->state.state = admin->state.runtime = -1;
	r = check_state(&d);
	if (r == DONE) {
		r = restore(&d);
		if (r == DONE) {
			r = copy_finish(&d.copy, "to", admin->state.state_path);
			advise_owner(&d);
		} else
			r = copy_complain(&d.copy, FAILED,
			    "not restored: nobody can use %s until this was "
			    "run again and succeeds",
			    admin->state.state_path);
	}
	files_close(&d.files);
	if (d.root >= 0)
		(void)close(d.root);
	(void)close(admin->place);
	return r;
}
