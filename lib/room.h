/*
 * Rooms (design 4): append-only text files, one a room, in
 * STATE_DIRECTORY/rooms/NAME.txt, that any number of processes append to and
 * read at once. The room file is the truth; RUNTIME_DIRECTORY/index/NAME is a
 * cache that says where each record ends, and an entry in it means: whole and
 * on disk. Readers see what is indexed and nothing else.
 *
 *	rooms_open(&rooms, &state);
 *	room_open(&room, &rooms, "lobby", 5, ROOM_READ);
 *	room_append(&room, &post, &posted);     acknowledge only after this
 *	for (;;) {
 *		room_look(&room);               count and end are now news
 *		room_find(&room, k, &span);     record k, from 1
 *		room_read(&room, span.start, buf, n);
 *		... wait for a doorbell (live.h) ...
 *	}
 *	room_close(&room);
 *	rooms_close(&rooms);
 *
 * Locks: appending takes flock on the room file, for a moment and never across
 * the network or the wait for the disk. Reading takes none, unless the index
 * must be built. A room file that was replaced or edited by hand is
 * noticed: every call follows the path.
 *
 * A record that its writer left whole but not indexed (it was killed between
 * the two) is shown by the next append or by room_settle(), not by opening or
 * looking: most such tails are a living writer's, waiting for the disk.
 *
 * What a confined door needs (sandbox.h): rooms READ|WRITE|MAKE|REMOVE (and
 * LIST for rooms_each), meta READ, lost MAKE|WRITE|REMOVE, index
 * READ|WRITE|MAKE|REMOVE, failed READ|MAKE|WRITE. rooms_open() goes before the
 * sandbox. Files in index/ whose names begin with "." are being built.
 *
 * With ROOM_WATCH nothing is locked, built, repaired or opened for writing, so
 * that rooms READ and index READ are enough, and no call waits. Where there is
 * no index to go by, the call fails with -ESTALE and the room is as if it were
 * not there: whoever opens it otherwise builds one, and that rings.
 *
 * Errors, besides plain -errno:
 *   -ENOENT     no such room
 *   -EINVAL     not a room's name, or what has it is no regular file
 *   -ESTALE     ROOM_WATCH: no index yet
 *   -EBUSY      the lock was not to be had within LIMIT_LOCK_MS; or the file
 *               is being replaced by hand right now: half of it is there
 *   -EUCLEAN    closed: damage of more than LIMIT_TORN bytes (appends only)
 *   -EKEYREVOKED closed: a sync failed earlier (RUNTIME_DIRECTORY/failed/);
 *               reading too, if there is no index that says what is on disk
 *   -EIO        this call's own sync failed; the room is now marked so
 *   -ENOSPC, -EDQUOT, -EFBIG   nothing was stored
 *   -EACCES, -EROFS   the room file can only be read (appends only)
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "footer.h"
#include "limits.h"
#include "state.h"

/* A repair that took place: so many bytes moved to STATE_DIRECTORY/lost/NAME.
 * To be logged as an error by the program. */
typedef void room_notice(
    void *arg, const char *room, const char *lost_name, uint64_t bytes);

/* The folders of all rooms, opened once a process. */
struct rooms {
	int rooms;
	int meta;
	int lost;
	int index;
	int failed;
	unsigned char boot[16];
	room_notice *notice; /* NULL: repairs are silent */
	void *notice_arg;
};

enum room_mode {
	ROOM_READ, /* the room must exist: -ENOENT, from room_look() too */
	ROOM_CREATE, /* it need not: it is empty until an append makes it */
	ROOM_WATCH, /* the same, for those who only read: see below */
};

struct room {
	const struct rooms *rooms;
	char name[LIMIT_ROOM_NAME + 1];
	enum room_mode mode;
	int fd; /* the room file; below end its bytes never change; -1: none */
	int index;
	uint64_t count; /* records seen in the index: numbers 1 to count */
	uint64_t end; /* where the last of them ends; 0 if none */

	/* For room*.c alone. */
	dev_t dev; /* which file fd is */
	ino_t ino;
	int64_t born; /* its birth time, seconds and nanoseconds, or 0 */
	uint32_t born_ns;
	int read_only; /* 0, or the -errno of opening it for writing */
	bool edited; /* its index did not fit: replaced or edited by hand */
	bool made; /* an append made it, and nothing stands in it yet */
	uint64_t spare; /* bytes that its index can grow by for sure */
	unsigned loads; /* how often an index was loaded or built */
	struct {
		uint64_t before; /* how many records there were, */
		uint64_t ends[16]; /* ... where they end, and entries then */
		size_t n;
		unsigned loads; /* of this index */
	} fresh; /* what room_advance() took in last */
	struct timespec unmarked; /* failed/ as it was without our mark */
};

/* Where record `number` stands: [start, end), footer line included. */
struct room_span {
	uint64_t start;
	uint64_t end;
	bool upload; /* it announces an upload: file= in its footer */
};

/* A record to append. */
struct room_post {
	const char *body; /* stored form (text.h), checked by the caller */
	size_t body_len;
	bool newline; /* add "\n" to the body */
	const char *author; /* footer's fields; its time is the append's */
	const char *door;
	const char *keys; /* "" or "k=v k=v"; key=KEY is added for `key` */

	/* The chatfile door: the sender holds all bytes below `since`; -ERANGE
	 * if the room is shorter. And its Idempotency-Key, or NULL: a record
	 * by the same author with that key at or after `since` is taken for
	 * this one; -EEXIST if its body differs. */
	uint64_t since;
	const char *key;
};

/* Where it went. */
struct room_posted {
	uint64_t start; /* the room's size before: the record's offset */
	uint64_t end; /* after the record */
	uint64_t size; /* the room's size then: end, or more if repeated */
	uint64_t number; /* of the record, from 1 */
	bool repeated; /* it stood there already: nothing was appended */
	size_t footer_len;
	char footer[LIMIT_FOOTER]; /* the footer line, "\n" included */
};

/* NAME matching [A-Za-z0-9_-]{1,64}? An hchat id (32 lowercase hex digits)? */
bool room_name_ok(const char *name, size_t len);
bool room_name_is_id(const char *name, size_t len);

/* Opens the folders. 0 or -errno. */
int rooms_open(struct rooms *, const struct state *);
void rooms_close(struct rooms *);

/* Opens a room, builds its index if need be (which repairs a torn tail), and
 * looks. 0, or -errno: then *room is closed. */
int room_open(struct room *, const struct rooms *, const char *name, size_t len,
    enum room_mode);
void room_close(struct room *);

/* Brings count and end up to date; reopens a room whose path names another
 * file now. Two system calls where nothing happened. 1 if count or end
 * changed or the file is another one, 0 if not, -errno. Appending and settling
 * bring them up to date, too: what is new is what lies past your own cursor. */
int room_look(struct room *);

/* A cheaper look, for one that was rung: takes in entries that the index got,
 * some at a time, and does not ask whether the path names another file now. 1
 * if count and end changed, 0 if not (room_look() has the last word), -errno.
 * One system call. */
int room_advance(struct room *);

/* Where a record stands. 0, -ENOENT if number is 0 or above count. */
int room_find(const struct room *, uint64_t number, struct room_span *ret);

/* The number of the first record that ends after offset; count + 1 if none. */
int room_number_at(const struct room *, uint64_t offset, uint64_t *ret_number);

/* How many of the records number `from` (at least 1) to count are messages:
 * all but those that announce an upload. Reads 8 bytes of index for each. 0 or
 * -errno. */
int room_messages(const struct room *, uint64_t from, uint64_t *ret_messages);

/* The first such record from number `from` (at least 1) on. 0, or -ENOENT if
 * there is none up to count, -errno. */
int room_next_message(const struct room *, uint64_t from, uint64_t *ret_number);

/* Reads exactly len bytes below `end` from offset. 0 or -errno. */
int room_read(const struct room *, uint64_t offset, void *, size_t len);

/* Takes a record apart that was read whole: body in stored form, without the
 * "\n" before the footer line, and footer. */
void room_record(const char *record, size_t len, struct slice *ret_body,
    struct footer *ret_footer);

/* Appends a record, to a new file if the path names none: on return of 0 it is
 * on disk and indexed, and everyone waiting is being rung. On failure nothing
 * of it is shown to anyone, and but for -EIO and -EKEYREVOKED nothing is left
 * behind. *ret is written on success only. */
int room_append(struct room *, const struct room_post *, struct room_posted *);

/* Shows what a writer killed between its write and its index left whole: if
 * the file is longer than the index knows, takes the lock, syncs, indexes. */
int room_settle(struct room *);

/* Calls f for every room's name, in no order, until it returns non-zero;
 * returns that, 0 or -errno. */
int rooms_each(
    const struct rooms *, int (*f)(void *arg, const char *name), void *arg);

/* hchat's rooms (design 7): lobby, and those made by room_create_chat(), of
 * which STATE_DIRECTORY/meta/ID tells, a text file of lines key=value. Such a
 * room is there from then on; its room file comes with the first message. */
#define ROOM_ID 32

struct room_meta {
	char subject[LIMIT_SUBJECT + 1]; /* "": none that is fit to be shown */
	bool listed;
	int64_t created; /* seconds since 1970; 0: unknown */
};

/* 1 to LIMIT_SUBJECT_CHARS characters of room text in one line? */
bool room_subject_ok(const char *, size_t);

/* Takes the file's text apart. Lines and values that mean nothing to us are
 * passed over. 0, or -EUCLEAN if its format is not ours. */
int room_meta_parse(struct room_meta *ret, const char *, size_t);

/* Of the room, if it has such a file: 0, -ENOENT, -EUCLEAN, -errno. */
int room_meta_read(
    const struct rooms *, const char *name, struct room_meta *ret);

/* Makes a room with a random id: on return of 0 its metadata is complete and
 * on disk. -EINVAL: not a subject; -errno: nothing is left behind. Needs LIST,
 * MAKE, WRITE and REMOVE in meta/. */
int room_create_chat(
    const struct rooms *, const struct room_meta *, char ret_id[ROOM_ID + 1]);

/* Is it lobby, or a room that was made so? */
bool room_is_chat(const struct rooms *, const char *name, size_t len);

/* Calls f for each room made so that is listed, as rooms_each(). Needs LIST
 * and READ in meta/. */
int rooms_each_listed(const struct rooms *,
    int (*f)(void *arg, const char *id, const struct room_meta *), void *arg);

/* Is it shown to strangers? All but hchat ids that are not listed=1 in
 * STATE_DIRECTORY/meta/. */
bool room_listed(const struct rooms *, const char *name);

/* Was a sync of it failed, so that it refuses writes? */
bool room_failed(const struct rooms *, const char *name);

/* Overwrites a record's text with x, line ends kept (design 4, Redact). */
int room_redact(struct room *, uint64_t number);

/* Removes a room: file, metadata, index; also one of room_create_chat() in
 * which nobody has spoken yet. -ENOENT. */
int room_delete(const struct rooms *, const char *name);

/* Removes rooms made by room_create_chat() before that time (seconds since
 * 1970) in which nobody ever spoke: they are found no more, and what is left of
 * them goes at a call a day later, unless somebody was just speaking there;
 * then the room is back. Maintenance, outside sandboxes. 0, with how many there
 * were, or -errno. */
int rooms_expire(const struct rooms *, int64_t before, uint64_t *ret_count);

/* What room_check found, and with repair did. */
struct room_health {
	uint64_t records;
	uint64_t bytes; /* whole */
	uint64_t torn; /* bytes behind them that belong to no record */
	uint64_t settled; /* bytes whole on disk that were not indexed */
	bool failed; /* marked in RUNTIME_DIRECTORY/failed/ */
	bool repaired;
	char lost[LIMIT_ROOM_NAME + 32]; /* where torn bytes went, or "" */
};

/* Looks at a whole room under its lock; with repair moves what is torn, or
 * where a sync failed what is past the last index entry, to lost/, however
 * long, and lifts the mark. 0 (see *ret) or -errno. */
int room_check(const struct rooms *, const char *name, bool repair,
    struct room_health *ret);

#endif
