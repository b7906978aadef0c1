#include "room_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define DAY_S 86400

/*
 * A room's metadata in meta/, while nobody has spoken:
 *
 *	ID	the room is there	old -> .ID
 *	.ID	set aside		spoken in after all -> ID
 *					a day old: gone
 *
 * One may be about to speak who found the room just before it was set aside:
 * so it goes on the second visit only, when that one is long done. A .ID may
 * also be what a killed room_create_chat() left: it goes the same way.
 */
struct expiry {
	const struct rooms *rooms;
	int64_t before;
	int64_t now;
	uint64_t gone;
};

static bool is_spoken_in(const struct rooms *rooms, const char *id)
{
	char file[ROOM_FILE_NAME];

	room_file_name(id, file);
	return faccessat(rooms->rooms, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

static int bring_back(const struct rooms *rooms, const char *id)
{
	char aside[ROOM_ID + 2];

	(void)snprintf(aside, sizeof aside, ".%.*s", ROOM_ID, id);
	return renameat2(rooms->meta, aside, rooms->meta, id, RENAME_NOREPLACE)
		   ? -errno
		   : 0;
}

static int set_aside(struct expiry *e, const char *id)
{
	struct room_meta meta;
	char aside[ROOM_ID + 2];

	if (is_spoken_in(e->rooms, id) ||
	    room_meta_read(e->rooms, id, &meta) < 0 || !meta.created ||
	    meta.created >= e->before)
		return 0;
	(void)snprintf(aside, sizeof aside, ".%.*s", ROOM_ID, id);
	if (renameat(e->rooms->meta, id, e->rooms->meta, aside) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (is_spoken_in(e->rooms, id))
		return bring_back(e->rooms, id);
	e->gone++;
	return 0;
}

static int finish_aside(const struct expiry *e, const char *aside)
{
	int meta = e->rooms->meta;
	struct stat st;

	if (is_spoken_in(e->rooms, aside + 1))
		return bring_back(e->rooms, aside + 1);
	if (fstatat(meta, aside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Its change time is when it was set aside. */
	if (st.st_ctime > e->now - DAY_S)
		return 0;
	if (unlinkat(meta, aside, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int visit(struct expiry *e, const char *name)
{
	if (room_name_is_id(name, strlen(name)))
		return set_aside(e, name);
	if (*name == '.' && room_name_is_id(name + 1, strlen(name + 1)))
		return finish_aside(e, name);
	return 0;
}

int rooms_expire(const struct rooms *rooms, int64_t before, uint64_t *ret_count)
{
	struct expiry e = {
	    .rooms = rooms, .before = before, .now = clock_now()};
	struct dirent *entry;
	DIR *dir = NULL;
	int r = state_folder_list(rooms->meta, &dir);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		r = visit(&e, entry->d_name);
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(dir);
	if (r == 0)
		*ret_count = e.gone;
	return r;
}
