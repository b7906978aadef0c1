/* Root's commands over a host that belongs to another user. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state_internal.h"

static int make_as_owner(const char *path, const struct stat *owner)
{
	gid_t group = getegid();
	int r;

	if (setegid(owner->st_gid) < 0)
		return -errno;
	r = seteuid(owner->st_uid) < 0 ? -errno : state_make_path(path, 0711);
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
	r = state_make_parents(parent);
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
		return state_fail(error, r, s->runtime_path,
		    r == -EACCES ? "cannot be made safely: make it, and give "
				   "it to the owner of the state"
				 : NULL);
	if (setenv("STATE_DIRECTORY", s->state_path, 1) < 0 ||
	    setenv("RUNTIME_DIRECTORY", s->runtime_path, 1) < 0)
		return state_fail(error, -ENOMEM, s->state_path, NULL);
	return 0;
}

int state_owner(struct state_owner *ret, struct state_error *error)
{
	struct state s;
	struct stat st;
	int r;

	*ret = (struct state_owner){.other = false};
	if (geteuid() != 0)
		return 0;
	r = state_find_paths(&s, error);
	if (r < 0)
		return r;
	if (stat(s.state_path, &st) < 0 || st.st_uid == 0)
		return 0;
	r = hand_over(&s, &st, error);
	if (r == 0)
		*ret = (struct state_owner){
		    .other = true, .uid = st.st_uid, .gid = st.st_gid};
	return r;
}

int state_owner_enter(const struct state_owner *owner)
{
	if (!owner->other)
		return 0;
	return setgroups(0, NULL) < 0 || setegid(owner->gid) < 0 ||
		       seteuid(owner->uid) < 0
		   ? -errno
		   : 0;
}

int state_owner_leave(const struct state_owner *owner)
{
	if (!owner->other)
		return 0;
	return seteuid(0) < 0 || setegid(0) < 0 ? -errno : 0;
}

int state_owner_become(
    const struct state_owner *owner, struct state_error *error)
{
	if (!owner->other)
		return 0;
	/* As root, all three ids of each kind. */
	if (seteuid(0) < 0 || setgroups(0, NULL) < 0 ||
	    setgid(owner->gid) < 0 || setuid(owner->uid) < 0)
		return state_fail(error, -errno, "the owner of the state",
		    "cannot be become");
	return 0;
}

int state_become_owner(struct state_error *error)
{
	struct state_owner owner;
	int r = state_owner(&owner, error);

	return r < 0 ? r : state_owner_become(&owner, error);
}
