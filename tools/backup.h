/*
 * What `parlance backup` and `parlance restore` share: the directory that holds
 * a backup, and copying from folder to folder.
 *
 * Either may be run by root over a host that belongs to another user. That user
 * is less to be trusted than root: what it controls, root does not follow.
 */
#ifndef TOOLS_BACKUP_H
#define TOOLS_BACKUP_H

#include <sys/stat.h>

#include "parlance.h"

/* --- the directory (place.c) --------------------------------------------- */

/* Makes it, or takes an empty one, for the owner of the state: admin->place, of
 * which admin->above is the parent, or -1. Complains; an outcome. */
int place_make(struct admin *, const char *path);

/* Opens it for reading: admin->place. */
int place_open(struct admin *, const char *path);

/* Opens what stands there, or in one of its folders, as the state's owner, or
 * else as root if nobody else's file can have been put in its place. A regular
 * file, with what it is, or a folder. A descriptor or -errno; -EINVAL: what has
 * the name is something else. */
int place_file(
    const struct admin *, int folder, const char *name, struct stat *ret);
int place_folder(const struct admin *, int folder, const char *name);

/* --- copying (copy.c) ---------------------------------------------------- */

struct copy {
	const struct admin *admin;
	const char *doing; /* "saving" */
	const char *done; /* "saved" */
	enum outcome worst; /* REFUSED: something was left out, and named */
	uint64_t rooms, files, accounts, bytes;
	bool shows; /* standard error is a terminal */
	int64_t shown; /* when (clock_ms) */
};

void copy_init(
    struct copy *, const struct admin *, const char *doing, const char *done);

/* complain(), where the line that shows progress stands. */
int copy_complain(struct copy *, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies the first bytes of an open file to a new one, with its time. DONE;
 * REFUSED: they could not be read, which is told and noted, and nothing has
 * the name; FAILED: they could not be written, which is told. */
struct copy_file {
	int from;
	const struct stat *stat; /* of that file */
	uint64_t len;
	int to; /* the folder */
	const char *name;
	mode_t mode;
	const char *label; /* the folder, for messages */
};
int copy_file(struct copy *, const struct copy_file *);

/* Calls f for each entry of a folder but those that begin with a dot, until it
 * returns FAILED. An outcome, DONE or FAILED. */
typedef int copy_entry(void *arg, const char *name);
int copy_each(
    struct copy *, int folder, const char *label, copy_entry *f, void *arg);

/* Copies a file, or each file of a folder, by place_file(): what is no regular
 * file or cannot be read is named and left out. DONE or FAILED. */
struct copy_folder {
	struct copy *copy;
	int from, to;
	const char *label;
	uint64_t *count; /* which of the copy's counts it adds to, or NULL */
};
int copy_named(struct copy *, const struct copy_folder *, const char *name,
    const char *new_name, mode_t mode);
int copy_folder(const struct copy_folder *);

/* Shows how far it is, and at the end in one line what was done. */
void copy_show(struct copy *);
int copy_finish(struct copy *, const char *where, const char *path);

#endif
