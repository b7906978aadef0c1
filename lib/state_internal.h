/*
 * What the parts of state.h share; nobody else includes this.
 *
 *	state.c          finding, making and opening both directories
 *	state_owner.c    root's commands become the owner
 *	state_restore.c  a state that a backup is to fill
 */
#ifndef STATE_INTERNAL_H
#define STATE_INTERNAL_H

#include <stddef.h>

#include "state.h"

/* What stands in `version` while a backup is being restored. */
#define STATE_RESTORING "restoring"

/* Says "PATH: WHAT" (NULL: what the code means); returns the code. */
int state_fail(
    struct state_error *, int code, const char *path, const char *what);

/* Both paths, from the environment. 0 or -errno with a text. */
int state_find_paths(struct state *, struct state_error *);

/* mkdir -p of what is above path, as the umask has it. 0 or -errno. */
int state_make_parents(const char *path);

/* mkdir -p, the last with the mode given. 0, where it was there already too,
 * or -errno. */
int state_make_path(const char *path, mode_t mode);

/* Opens STATE_DIRECTORY, making it, and nothing in it. 0 or -errno, with a
 * text. */
int state_open_directory(struct state *, struct state_error *);

/* Opens RUNTIME_DIRECTORY, making it with its folders. 0 or -errno, with a
 * text. */
int state_open_runtime(struct state *, struct state_error *);

int state_fsync_folder(int dir);

#endif
