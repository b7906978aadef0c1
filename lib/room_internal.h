/*
 * What the parts of room.h share; nobody else includes this.
 *
 *	room.c         folders, opening, looking, the lock
 *	room_scan.c    finding the lines that end records
 *	room_index.c   the index: loading, adding to it
 *	room_build.c   building it
 *	room_tail.c    what stands behind the index' end, under the lock
 *	room_append.c  appending and settling
 *	room_match.c   finding a record that was posted already
 *	room_repair.c  torn tails go to lost/
 *	room_read.c    finding and reading records
 *	room_admin.c   check, redact, delete, list
 *
 * The one lock is the room file's. What is written into the index without it
 * is settled beforehand (index_add).
 */
#ifndef ROOM_INTERNAL_H
#define ROOM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "room.h"

/* The index (design 4): 64 bytes of header, then 8 bytes a record. */
#define INDEX_HEADER 64
#define INDEX_ENTRY 8
#define INDEX_UPLOAD (UINT64_C(1) << 63)

/* So many bytes more than it has are reserved for it when it is written to. */
#define INDEX_SPARE 1024

#define INDEX_END(entry) ((entry) & ~INDEX_UPLOAD)

/* When the file was replaced or its index built anew: begin anew, so often. */
#define ROOM_TRIES 8

#define ROOM_LOST_NAME (LIMIT_ROOM_NAME + 32)
#define ROOM_FILE_NAME (LIMIT_ROOM_NAME + sizeof ".txt")

/* --- room.c --- */

/* NAME.txt. */
void room_file_name(const char *name, char ret[ROOM_FILE_NAME]);

/* Takes up the name: nothing is opened. 0 or -EINVAL. */
int room_init(struct room *, const struct rooms *, const char *name, size_t len,
    enum room_mode);

/* Forgets which file the path named, and closes it. */
void room_detach(struct room *);

/* Takes the lock of the file that the path names, attached anew if need be,
 * waiting LIMIT_LOCK_MS at most. 0 with the file's size, or -errno. */
int room_lock(struct room *, bool create, uint64_t *ret_size);
void room_unlock(struct room *);

/* In bytes, of the file that is open. 0 or -errno. */
int room_file_size(const struct room *, uint64_t *ret_size);

/* Cuts the file to size `to`, under the lock, if it still has size `from`: an
 * editor takes no lock, and what it wrote must not go. 0, -ESTALE, -errno. */
int room_truncate(struct room *, uint64_t to, uint64_t from);

/* room_failed(), but cheap to ask again. */
bool room_is_marked(struct room *);

/* fdatasync; marks the room in RUNTIME_DIRECTORY/failed/ if it fails. 0 or
 * -errno. */
int room_sync(struct room *);

/* --- room_scan.c --- */

/* A line that ends a record, without its "\n": [line, end) in the file, end
 * being after the "\n". A line of more than SCAN_CHUNK bytes is cut. */
struct scan_hit {
	uint64_t line;
	uint64_t end;
	const char *text;
	size_t len;
};

/* Returns 0 to go on; anything else ends the scan, which returns it. */
typedef int scan_found(void *arg, const struct scan_hit *);

#define SCAN_CHUNK (256 * 1024)

/* Finds all such lines in [from, to) of a file, or until the first NUL; from
 * begins a line. *ret_whole is where the last one ends, or from. */
int scan_file(int fd, uint64_t from, uint64_t to, scan_found *found, void *arg,
    uint64_t *ret_whole);

/* The same for len bytes in memory, that stand at `from` in the file. */
int scan_memory(const char *text, size_t len, uint64_t from, scan_found *found,
    void *arg, uint64_t *ret_whole);

/* Is the line that ends at buf[len], its "\n" included, one that ends a
 * record? -EAGAIN if it begins before buf; `first` says that buf begins a
 * line. */
int scan_ends_record(const char *buf, size_t len, bool first);

/* The same for a place in a file. 1, 0 or -errno. */
int scan_file_ends_record(int fd, uint64_t end);

/* Does this footer line announce an upload? */
bool scan_is_upload(const char *line, size_t len);

/* --- room_tail.c --- */

/* The records at the end of a room, found under its lock: [from, size) is
 * whole records which end at ends[0 .. n-1], in the index' form. Where there
 * are too many these are the last of them. */
#define TAIL_ENDS 256
struct tail {
	uint64_t from;
	uint64_t size;
	uint64_t number; /* of its last record, once indexed */
	size_t n;
	uint64_t ends[TAIL_ENDS];
};

/* A record more, where size was. */
void tail_add(struct tail *, uint64_t entry);

/* room_lock(), and then makes sure that the index is the file's and that the
 * file ends in a whole record. 0 with the records that are not indexed yet
 * (tail->size is the file's size), or -errno, unlocked: -EKEYREVOKED, -EUCLEAN
 * ... */
int room_lock_prepared(struct room *, bool create, struct tail *);

/* An append that made the room file and failed takes it away again, under the
 * lock. */
void room_unmake(struct room *);

/* --- room_index.c --- */

/* Opens the index and looks whether it matches the room file. 1 with count
 * and end, 0 if it does not or there is none, -errno. Takes no lock. */
int index_load(struct room *);

/* Reads how far it goes. 1 with count and end, 0 if it was replaced or is
 * damaged, -errno. */
int index_refresh(struct room *);

/* Makes sure that it can take a few more records: one that was written cannot
 * be taken back, and would stand there unseen. 0, -ENOSPC, -EDQUOT. */
int index_reserve(struct room *);

/* Where records number .. number + n - 1 end, top bits and all. */
int index_entries(
    const struct room *, uint64_t number, size_t n, uint64_t *ret_entries);

/* The entries of record `number` and of the one before it, of which only where
 * it ends is told, if room_advance() took them in last. */
bool index_fresh(const struct room *, uint64_t number, uint64_t ret[2]);

/* The header that this room's must have. */
void index_header(const struct room *, unsigned char header[INDEX_HEADER]);

/* Nothing happens where none is open. */
void index_close(struct room *);

/* Adds what the tail, found under the room's lock, holds: it is on disk now.
 * 0 with count, end and tail->number, -ESTALE if the index was replaced in
 * the meantime, -errno. Takes no lock. */
int index_add(struct room *, struct tail *);

/* --- room_build.c --- */

/* Scans [from, to) of the room and writes the entries to fd from `at` on. 0
 * with their number and where the last ends, or -errno. */
int index_write(const struct room *, int fd, uint64_t at, uint64_t from,
    uint64_t to, uint64_t *ret_count, uint64_t *ret_whole);

/* Builds it, under the room's lock, from a file of that size: syncs, scans,
 * moves a torn tail to lost/. 0 or -errno; *ret_size is the file's size then
 * and *ret_torn 0, or why what is torn is still there (-EUCLEAN: it is more
 * than LIMIT_TORN). -EBUSY: an editor is writing the file. */
int index_build(
    struct room *, uint64_t size, uint64_t *ret_size, int *ret_torn);

/* --- room_match.c --- */

/* Looks in [from, to), both where a record ends, for the record with the
 * post's author and key that begins at or after post->since. 1 with start, end
 * and footer, 0 if there is none, -EEXIST if its body differs, -errno. */
int match_key(const struct room *, const struct room_post *, uint64_t from,
    uint64_t to, struct room_posted *ret);

/* The same for a record that is byte for byte the one that *p describes. */
int match_same(const struct room *, const struct room_post *, uint64_t from,
    uint64_t to, struct room_posted *p);

/* --- room_repair.c --- */

/* Moves [whole, size) to lost/, under the lock. 0 or -errno. */
int room_cut(struct room *, uint64_t whole, uint64_t size,
    char ret_lost[ROOM_LOST_NAME]);

#endif
