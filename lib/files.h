/*
 * Uploads (design 7): one folder, STATE_DIRECTORY/files or PARLANCE_FILES,
 * that several doors fill and read. A file appears under its name when it is
 * complete and on disk, never before, and never in the place of another.
 *
 *	files_open(&files, &state, &settings);
 *	r = upload_begin(&upload, &files, name, len, size);
 *	upload_write(&upload, bytes, n) ...      as they arrive
 *	r = upload_commit(&upload);              0: it is there, durably
 *	upload_release(&upload);                 always; unfinished: gone
 *
 * An upload is an unnamed file (O_TMPFILE) until upload_commit() links it into
 * place, so one that is cut short, by a kill too, leaves nothing. No name
 * leads out of the folder: those with a slash are refused, and a symbolic link
 * that somebody put there is neither followed nor replaced.
 *
 * No lock is taken: linkat decides between two uploads of one name.
 *
 * What a confined door needs: READ, and for uploads WRITE|MAKE|REMOVE besides,
 * LIST for files_each, of the folder (files_rule()). files_open() goes before
 * the sandbox. The folder's file system must know O_TMPFILE and links.
 *
 * Errors, besides plain -errno:
 *   -EINVAL     not a file's name (file_name_check)
 *   -EEXIST     something has this name
 *   -EFBIG      longer than PARLANCE_FILE_MAX
 *   -ENOSPC     less than PARLANCE_MIN_FREE would stay free, or a hundredth of
 *               the files that there can be; or a full disk,
 *   -EDQUOT     or quota
 *   -EOPNOTSUPP the folder's file system knows no O_TMPFILE, or /proc is not
 *               mounted and the kernel older than 6.10
 *   -ENOENT     no such file; or what has the name is no regular file
 */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "limits.h"
#include "settings.h"
#include "state.h"

struct files {
	int folder;
	uint64_t max; /* bytes of one file: PARLANCE_FILE_MAX */
	uint64_t min_free; /* bytes to be left: PARLANCE_MIN_FREE */
};

/* A file that is on its way. */
struct upload {
	const struct files *files;
	int fd; /* -1: none */
	uint64_t size; /* announced */
	uint64_t done; /* bytes taken so far */
	bool linked; /* it has its name */
	char name[LIMIT_FILE_NAME + 1];
};

enum file_name_fault {
	FILE_NAME_FINE = 0,
	FILE_NAME_EMPTY,
	FILE_NAME_TOO_LONG, /* more than LIMIT_FILE_NAME bytes */
	FILE_NAME_NOT_UTF8,
	FILE_NAME_CHARACTER, /* a slash or a control character, C1 and those
				of lines and directions, too */
	FILE_NAME_DOT, /* begins with a dot; so do "." and ".." */
};

/* Names are 1 to 255 bytes of UTF-8 (clarifications, bcs). The first fault in
 * the order above. */
enum file_name_fault file_name_check(const char *, size_t);

/* An English sentence without final stop; never NULL. */
const char *file_name_fault_says(enum file_name_fault);

/* Opens the folder; one named by PARLANCE_FILES must exist. 0 or -errno. */
int files_open(struct files *, const struct state *, const struct settings *);
void files_close(struct files *);

/* Begins an upload of exactly size bytes. 0, or -errno before a byte was
 * taken: then *upload is released. */
int upload_begin(struct upload *, const struct files *, const char *name,
    size_t len, uint64_t size);

/* Takes the next bytes; more than announced is -EFBIG. Looks at the free space
 * each time. 0 or -errno: then the upload is to be released. */
int upload_write(struct upload *, const void *, size_t);

/* Makes it durable and gives it its name; -EMSGSIZE if bytes are missing. 0 or
 * -errno, in which case nothing has the name because of us. */
int upload_commit(struct upload *);

/* Takes the name back: the record that announces it could not be written. Only
 * if it is still this file's. 0 or -errno. */
int upload_undo(struct upload *);

/* Takes one that failed, or none, too. */
void upload_release(struct upload *);

/* Opens a file for reading. 0 and a descriptor, which the caller closes, and
 * its size then; it may be replaced by hand meanwhile: the descriptor stays
 * with the old one. */
int files_read(const struct files *, const char *name, size_t len, int *ret_fd,
    uint64_t *ret_size);

/* Calls f for each file that files_read() would open, in no order, until it
 * returns non-zero; returns that, 0 or -errno. The name is good until f
 * returns. */
int files_each(const struct files *,
    int (*f)(void *arg, const char *name, uint64_t size), void *arg);

/* The text and the footer keys of the lobby record that announces an upload
 * (design 7): "NAME has uploaded FILE" and "file=FILE", percent-encoded. Both
 * are NUL-terminated. */
#define FILES_TEXT (LIMIT_NAME + LIMIT_FILE_NAME + 16)
#define FILES_KEYS (LIMIT_FILE_NAME * 3 + 6)
void files_announce(const char *user, const char *name,
    char ret_text[FILES_TEXT], char ret_keys[FILES_KEYS]);

#endif
