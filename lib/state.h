/*
 * The two directories that all of parlance shares (design 2 and 3):
 * STATE_DIRECTORY, to be backed up, and RUNTIME_DIRECTORY, which a reboot may
 * take. state_open() finds them in the environment, makes them and their
 * folders on first use with the modes of design 3, and refuses state on a
 * network file system or of a newer version.
 *
 *	state_become_owner(&error);   programs that root may start
 *	state_open(&state, &error);
 *	rooms_open(&rooms, &state);   ... and so on
 *	state_close(&state);
 */
#ifndef STATE_H
#define STATE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_VERSION 1
#define STATE_KEY_BYTES 32

struct state {
	int state; /* STATE_DIRECTORY, O_PATH */
	int runtime; /* RUNTIME_DIRECTORY, O_PATH */
	char state_path[4096];
	char runtime_path[4096];
};

/* What was wrong, in one line: for the log. */
struct state_error {
	char text[4608];
};

/* Becomes the owner of STATE_DIRECTORY, group and all, where we are root and
 * it exists and is not root's; so what root's commands leave behind, a handler
 * can use. Call it before anything is opened. Sets both variables in the
 * environment to the places where root looks, and makes RUNTIME_DIRECTORY for
 * that owner if there is none. 0 or -errno with a text. */
int state_become_owner(struct state_error *);

/* The same in steps, for a program that has to see to something as root first,
 * or again: all but state_owner() do nothing where the owner is not another
 * user. 0 or -errno. */
struct state_owner {
	bool other; /* we are root and the state is not root's: */
	uid_t uid;
	gid_t gid;
};
int state_owner(struct state_owner *ret, struct state_error *);
int state_owner_enter(const struct state_owner *); /* effective ids only */
int state_owner_leave(const struct state_owner *); /* root again */
int state_owner_become(const struct state_owner *, struct state_error *);

/* Opens both, making what is not there. Returns 0, or -errno with a text:
 * -EREMOTE a network file system, -EUCLEAN a newer or malformed version,
 * -EINPROGRESS a state that is being restored. */
int state_open(struct state *, struct state_error *);
void state_close(struct state *);

/* For `parlance backup` and `restore` (state_restore.c). */

/* Is there a state already? 0; -ENOENT or -errno, with a text. */
int state_there(struct state_error *);

/* Makes the folders of a state in an open directory, with their modes. */
int state_make_folders(int dir);

/* Is `version` in dir one that we know? 0, -ENOENT there is none, -EUCLEAN,
 * -EINPROGRESS, -errno, with a text that begins with path. */
int state_version_check(int dir, const char *path, struct state_error *);

/* Writes `version` there, replacing what it says: then all else in dir is on
 * disk. 0 or -errno. */
int state_version_put(int dir);

/* state_open() for a state that is to be filled: all folders are there and
 * empty, or *ret_again: a restore was cut short, and what it left is still
 * there. -ENOTEMPTY: something is in it, whose name the text tells. The
 * database is not looked at. Only what is made by state_open() is made. */
int state_open_empty(struct state *, bool *ret_again, struct state_error *);

/* Are doors up that use this RUNTIME_DIRECTORY? */
bool state_in_use(const struct state *);

/* From here to state_version_put() nobody opens the state: state_open() says
 * -EINPROGRESS. Removes what a restore left that was cut short, if `again`
 * (not from a folder of uploads elsewhere), a database, and the marks
 * of another state's failed syncs in RUNTIME_DIRECTORY. 0 or -errno. */
int state_restore_begin(const struct state *, bool again);

/* Where RUNTIME_DIRECTORY is, for who only looks for a socket there; nothing is
 * made. 0 or -errno with a text. */
int state_runtime_path(char *ret_path, size_t size, struct state_error *);

/* Opens a folder of either directory for *at() calls (O_PATH|O_DIRECTORY):
 * a descriptor, or -errno. The folders all exist once state_open returned. */
int state_folder(int directory, const char *name);

/* Opens a folder for readdir(3), anew: its own descriptor may be shared with
 * other processes, and with it the offset. 0 and *ret, which the caller closes,
 * or -errno. */
int state_folder_list(int folder, DIR **ret);

/* The host's secret, STATE_DIRECTORY/key, made at first use. 0 or -errno. */
int state_key(const struct state *, unsigned char ret_key[STATE_KEY_BYTES]);

/* A secret that is made once in a directory: reads name or, if it is not
 * there, links a file of that many random bytes (at most 64) into place, mode
 * 0600; two may try at once. 0 or -errno. */
int state_secret(
    int dir, const char *name, unsigned char *ret_bytes, size_t len);

#endif
