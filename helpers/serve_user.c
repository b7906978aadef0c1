#include <errno.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/state.h"
#include "serve.h"

/* All below path, symbolic links themselves and not what they name. Without
 * FTS_NOCHDIR, so that who owned it so far cannot put a link in a folder's
 * place meanwhile: fts(3) looks where it got to. */
static int give_tree(char *path, const struct passwd *to)
{
	char *paths[] = {path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL, NULL);
	FTSENT *at;
	int r = 0;

	if (!tree)
		return -errno;
	while (r == 0 && (at = fts_read(tree))) {
		if (at->fts_info == FTS_DP || at->fts_info == FTS_NS)
			continue;
		if (lchown(at->fts_accpath, to->pw_uid, to->pw_gid) < 0 &&
		    errno != ENOENT)
			r = -errno;
	}
	(void)fts_close(tree);
	return r;
}

/* A chown takes set-group-id bits off files only: folders keep theirs. */
static void give(char *path, const struct passwd *to)
{
	struct stat st;
	int r = stat(path, &st) < 0 ? -errno : 0;

	if (r == 0 && (st.st_uid != to->pw_uid || st.st_gid != to->pw_gid))
		r = give_tree(path, to);
	if (r < 0)
		serve_die("user", "path", path, r);
}

void user_become_or_die(const char *user)
{
	const struct passwd *to = getpwnam(user);
	struct state_error error;
	struct state state;

	if (!to)
		serve_refuse("user", user, "no such user");
	if (geteuid() == to->pw_uid)
		return;
	if (geteuid() != 0)
		serve_die("user", "name", user, -EPERM);
	if (state_open(&state, &error) < 0)
		serve_die("start", "state", error.text, -EIO);
	give(state.state_path, to);
	give(state.runtime_path, to);
	if (setenv("STATE_DIRECTORY", state.state_path, 1) < 0 ||
	    setenv("RUNTIME_DIRECTORY", state.runtime_path, 1) < 0 ||
	    initgroups(user, to->pw_gid) < 0 || setgid(to->pw_gid) < 0 ||
	    setuid(to->pw_uid) < 0)
		serve_die("user", "name", user, -errno);
	state_close(&state);
}
