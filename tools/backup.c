/*
 * parlance backup: the host as it is, while the doors go on.
 *
 * In this order, so that what refers to something is saved before it: the
 * database, whose marks point into the lobby; rooms, each up to its last index
 * entry, which tell of uploads; what is known of rooms; uploads, which are
 * there before a room tells of them; lost/, the key; accounts/ as the copied
 * database has them. Then all is flushed, and `version` written: a directory
 * without it is no backup.
 */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/io.h"
#include "lib/store_backup.h"

/* A room that gets shorter while it is copied is copied anew, so often. */
#define TRIES 3

struct backup {
	struct copy copy;
	struct admin *admin;
	struct rooms rooms;
	int from, to; /* rooms/, here and there */
};

/* Root makes the directory before it becomes the owner; who is nobody else
 * opens the state first, so that where that fails nothing was made. */
int backup_open(struct admin *admin, char **operands)
{
	struct state_error error;
	bool other;
	int r = load_settings(admin);

	if (r != DONE)
		return r;
	r = state_there(&error);
	if (r == -ENOENT)
		return complain(admin, REFUSED, "%s", error.text);
	if (r == 0)
		r = state_owner(&admin->owner, &error);
	other = admin->owner.other;
	if (r == 0 && !other)
		r = state_open(&admin->state, &error);
	if (r < 0)
		return complain_state(admin, r, &error);
	r = place_make(admin, operands[0]);
	if (r != DONE || !other)
		return r;
	r = state_owner_become(&admin->owner, &error);
	admin->owner.other = false;
	if (r == 0)
		r = state_open(&admin->state, &error);
	return r < 0 ? complain_state(admin, r, &error) : DONE;
}

/* --- the database --------------------------------------------------------- */

static int save_key(void *arg, const char *key)
{
	struct backup *b = arg;
	int fd = openat(b->to, key,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return -errno;
	b->copy.accounts++;
	return close(fd) < 0 ? -errno : 0;
}

/* accounts/ is not copied: somebody who registers meanwhile stands there
 * without being in the copy of the database. */
static int save_accounts(struct backup *b, int db)
{
	int r;

	b->to = state_folder(b->admin->place, "accounts");
	if (b->to < 0)
		return b->to;
	r = store_copy_keys(db, save_key, b);
	(void)close(b->to);
	return r;
}

static int complain_database(struct backup *b, int r)
{
	return copy_complain(&b->copy, FAILED, "the database: %s%s",
	    store_says(r), r == -EBADMSG ? " (parlance check tells more)" : "");
}

static int save_database(struct backup *b)
{
	struct store store;
	struct stat st;
	int db = state_folder(b->admin->place, "db"), r;

	if (db < 0)
		return complain_database(b, db);
	store_init(&store, &b->admin->state);
	if (store_is_shut(&store))
		(void)copy_complain(&b->copy, REFUSED,
		    "the database is shut since a write to disk failed; what "
		    "it holds was saved");
	r = store_copy(&store, db);
	if (r == 0)
		r = save_accounts(b, db);
	else if (r == -ENOENT)
		r = 0; /* nobody ever had an account */
	if (r == 0 && fstatat(db, STORE_DATABASE, &st, 0) == 0)
		b->copy.bytes += (uint64_t)st.st_size;
	store_release(&store);
	(void)close(db);
	return r < 0 ? complain_database(b, r) : DONE;
}

/* --- rooms ---------------------------------------------------------------- */

/* Says that a room takes no messages; it is saved up to its last index entry.
 * One that only lags behind its writers is brought up to date. */
static void look_at_room(struct backup *b, struct room *room)
{
	struct stat st;
	int r = 0;

	if (room_failed(room->rooms, room->name))
		r = -EKEYREVOKED;
	else if (fstat(room->fd, &st) == 0 && (uint64_t)st.st_size > room->end)
		r = room_settle(room);
	if (r == -EKEYREVOKED || r == -EUCLEAN || r == -EIO)
		(void)copy_complain(&b->copy, REFUSED,
		    "rooms/%s.txt: %s; saved up to there", room->name,
		    r == -EUCLEAN ? "damaged behind its last whole record"
				  : "shut since a write to disk failed");
}

/* All below the end that was found never changes, so no lock is held. A file
 * that is shorter than that by now was edited. */
static int copy_room(struct backup *b, struct room *room, const char *file)
{
	struct stat st;
	struct copy_file c = {.stat = &st,
	    .to = b->to,
	    .name = file,
	    .mode = 0640,
	    .label = "rooms"};
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		r = fstat(room->fd, &st) < 0 ? -errno : 0;
		if (r == 0 && (uint64_t)st.st_size >= room->end)
			break;
		if (r == 0)
			r = room_look(room); /* edited */
		if (r < 0)
			return r;
	}
	c.from = room->fd;
	c.len = room->end;
	r = copy_file(&b->copy, &c);
	if (r == DONE)
		b->copy.rooms++;
	return r == FAILED ? FAILED : DONE;
}

static int save_room(struct backup *b, const char *file)
{
	struct room room;
	int r = room_open(
	    &room, &b->rooms, file, strlen(file) - strlen(".txt"), ROOM_READ);

	if (r == -ENOENT)
		return DONE; /* deleted meanwhile */
	if (r < 0) {
		(void)copy_complain(&b->copy, REFUSED,
		    "rooms/%s: not saved, for the room cannot be read:", file);
		(void)complain_room(b->admin, room.name, r);
		return DONE;
	}
	look_at_room(b, &room);
	r = copy_room(b, &room, file);
	room_close(&room);
	if (r == -ENOENT)
		return DONE;
	if (r < 0)
		(void)copy_complain(&b->copy, REFUSED,
		    "rooms/%s: is being edited; not saved: %s", file,
		    strerror(-r));
	return r == FAILED ? FAILED : DONE;
}

/* Is it a room, and a file? What else there is in rooms/ is saved as it is. */
static bool is_room(const struct backup *b, const char *name)
{
	size_t len = strlen(name), suffix = strlen(".txt");
	struct stat st;

	return len > suffix && strcmp(name + len - suffix, ".txt") == 0 &&
	       room_name_ok(name, len - suffix) &&
	       (fstatat(b->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		   S_ISREG(st.st_mode));
}

static int save_in_rooms(void *arg, const char *name)
{
	struct backup *b = arg;
	struct copy_folder d = {&b->copy, b->from, b->to, "rooms", NULL};
	int r;

	r = is_room(b, name) ? save_room(b, name)
			     : copy_named(&b->copy, &d, name, name, 0640);
	copy_show(&b->copy);
	return r;
}

static int save_rooms(struct backup *b)
{
	int r = open_rooms(b->admin, &b->rooms);

	if (r != DONE)
		return r;
	b->from = place_folder(b->admin, b->admin->state.state, "rooms");
	b->to = state_folder(b->admin->place, "rooms");
	if (b->from < 0 || b->to < 0)
		r = copy_complain(&b->copy, FAILED, "rooms: %s",
		    strerror(b->from < 0 ? -b->from : -b->to));
	else
		r = copy_each(&b->copy, b->from, "rooms", save_in_rooms, b);
	if (b->from >= 0)
		(void)close(b->from);
	if (b->to >= 0)
		(void)close(b->to);
	rooms_close(&b->rooms);
	return r;
}

/* --- the rest ------------------------------------------------------------- */

static int save_opened(
    struct backup *b, int from, const char *name, uint64_t *count)
{
	struct copy_folder d = {
	    .copy = &b->copy, .from = from, .label = name, .count = count};
	int r;

	d.to = state_folder(b->admin->place, name);
	if (from < 0 || d.to < 0)
		r = copy_complain(&b->copy, FAILED, "%s: %s", name,
		    strerror(from < 0 ? -from : -d.to));
	else
		r = copy_folder(&d);
	if (d.to >= 0)
		(void)close(d.to);
	return r;
}

static int save_folder(struct backup *b, const char *name)
{
	int from = place_folder(b->admin, b->admin->state.state, name);
	int r = save_opened(b, from, name, NULL);

	if (from >= 0)
		(void)close(from);
	return r;
}

/* Wherever they are (PARLANCE_FILES). */
static int save_files(struct backup *b)
{
	struct files files;
	int r = files_open(&files, &b->admin->state, &b->admin->settings);

	r = save_opened(b, r < 0 ? r : files.folder, "files", &b->copy.files);
	files_close(&files);
	return r;
}

static int save_secret(struct backup *b)
{
	struct copy_folder d = {
	    &b->copy, b->admin->state.state, b->admin->place, "", NULL};

	return copy_named(&b->copy, &d, "key", "key", 0600);
}

/* Nothing says that this is a backup until all of it is on the disk. */
static int seal(struct backup *b)
{
	int r = syncfs(b->admin->place) < 0 ? -errno : 0;

	if (r == 0)
		r = state_version_put(b->admin->place);
	if (r == 0 && b->admin->above >= 0 && fsync(b->admin->above) < 0 &&
	    errno != EINVAL && errno != EACCES)
		r = -errno;
	return r < 0 ? copy_complain(&b->copy, FAILED,
			   "it could not be flushed to disk: %s", strerror(-r))
		     : DONE;
}

static int save(struct backup *b)
{
	int r = state_make_folders(b->admin->place);

	if (r < 0)
		return copy_complain(&b->copy, FAILED,
		    "its folders could not be made: %s", strerror(-r));
	r = save_database(b);
	if (r == DONE)
		r = save_rooms(b);
	if (r == DONE)
		r = save_folder(b, "meta");
	if (r == DONE)
		r = save_files(b);
	if (r == DONE)
		r = save_folder(b, "lost");
	if (r == DONE)
		r = save_secret(b);
	return r == DONE ? seal(b) : r;
}

int host_backup(struct admin *admin, char **operands, int count)
{
	struct backup b = {.admin = admin};
	int r;

	(void)count;
	copy_init(&b.copy, admin, "saving", "saved");
	r = save(&b);
	if (r == DONE)
		r = copy_finish(&b.copy, "in", operands[0]);
	else
		r = copy_complain(&b.copy, FAILED,
		    "%s is no whole backup: remove it", operands[0]);
	(void)close(admin->place);
	if (admin->above >= 0)
		(void)close(admin->above);
	return r;
}
