/*
 * What the parts of the bcs door share: bcs.c (start), bcs_session.c (the
 * table of states and messages), bcs_loop.c (the loop, deadlines), bcs_bytes.c
 * (input and output), bcs_register.c (names), bcs_send.c (messages in),
 * bcs_deliver.c (what goes out, in which order), bcs_record.c (records as
 * delivers), bcs_roster.c (who is there), bcs_transfer.c (files), bcs_names.c
 * (a set of names) and bcs_wire.c (frames).
 *
 * Nothing here waits but bcs_serve()'s one loop, and what must: an append for
 * the room's lock and the disk, a subscription for fanout's answer.
 */
#ifndef BCS_H
#define BCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bcs_names.h"
#include "bcs_wire.h"
#include "lib/chatlog.h"
#include "lib/files.h"
#include "lib/footer.h"
#include "lib/limits.h"
#include "lib/live.h"
#include "lib/log.h"
#include "lib/present.h"
#include "lib/room.h"
#include "lib/start.h"

#define BCS_LOBBY "lobby"
#define BCS_SERVER "server" /* who speaks of comings and goings */
#define BCS_DOOR "bcs"

/* A status' text. One waits at most, so one fits behind a deliver. */
#define BCS_STATUS_TEXT 512
#define BCS_OUT (BCS_FRAME_MAX + 2 * (4 + BCS_STATUS_TEXT))
/* Contents of uploads are taken in such pieces. */
#define BCS_IN (128 * 1024)
/* A record as it stands in the room; longer ones are read piece by piece. */
#define BCS_RECORD (LIMIT_MESSAGE_STORED + 1 + LIMIT_FOOTER)
/* An author, as shown. */
#define BCS_FROM 1024
/* Own records that the cursor has not passed. */
#define BCS_OWN 4096
/* A status that comes within that time is waited for in one call instead of
 * two. Whatever else may happen waits so long, a SIGTERM, too. */
#define BCS_SOON_MS 100
/* Comings and goings that were not shown yet. */
#define BCS_CHANGES 256
/* Sends at once, before PARLANCE_RATE is felt (clarifications). */
#define BCS_BURST 100

enum bcs_state {
	BCS_REGISTERING, /* its first message is awaited */
	BCS_JOINING, /* it has its name; fanout is telling the others */
	BCS_REGISTERED,
	BCS_UPLOADING, /* the contents of a sendfile are arriving */
	BCS_DOWNLOADING, /* the contents of a recvfile are going out */
	BCS_CLOSING, /* what is written still goes out */
	BCS_ENDED,
	BCS_STATES
};

/* What came or went, at its place: after record `at`. */
struct bcs_change {
	bool joined; /* else left */
	uint64_t at;
	char name[LIMIT_NAME + 1];
};

/* One connection. */
struct session {
	struct start start;
	struct rooms rooms;
	struct room room; /* the lobby */
	struct present present;
	struct claim claim;
	struct live live;
	struct files files;
	struct chatlog chatlog;

	enum bcs_state state;
	int exit; /* status */
	bool registered; /* it was welcomed */
	bool terminated; /* SIGTERM: no more requests */
	bool unnoted; /* the conversation's log fails; it was logged */
	bool failing; /* the lobby cannot be read; it was logged */
	int64_t patience; /* when registering or joining has lasted too long */
	char author[LIMIT_NAME + 2]; /* "~alice" */
	const char *name; /* "alice" within it; "" before registration */

	/* Input: bytes [in_at, in_len) of `in` are to be looked at. */
	size_t in_at, in_len;
	bool in_ended;
	bool in_blocked; /* the next request has to wait */
	int64_t in_time; /* when something came, or we would not have it */

	/* Output: bytes [out_at, out_len) of `out` are to go. */
	size_t out_at, out_len;
	size_t out_deliver; /* a deliver ends before this byte */
	bool out_status; /* a status is among them */
	bool out_broken; /* nobody reads any more */
	int64_t out_time; /* when something went */
	uint64_t out_total; /* bytes that went */
	size_t out_file; /* the download's contents go behind this byte */
	struct {
		int fd; /* -1: none */
		uint64_t at, left;
	} download;

	/* The upload that is arriving. */
	struct upload upload;
	uint32_t upload_left; /* bytes, of those announced */
	struct {
		enum bcs_code code; /* BCS_OK: it was not refused */
		const char *text;
	} refusal;

	/* Messages in. */
	int64_t tokens; /* thousandths of a send */
	int64_t tokens_time;
	int64_t pause; /* no send before that */
	size_t own_first, own_count; /* in `own` */
	uint64_t own_last; /* those between `own` and this are told by author */
	uint64_t sent, delivered; /* for the log */

	/* Messages out. */
	uint64_t next; /* the cursor: the record to deliver */
	uint64_t early; /* it may not have been told of who said these */
	uint64_t known; /* who came and went up to this record was heard */
	bool rung; /* there may be records past room.count */
	int64_t hear_at; /* more news, even if a deliver is outstanding */
	bool unexplained; /* it rang, and there were none */
	bool outstanding; /* a deliver without its status */
	bool unsent; /* ... of which something is still in `out` */
	int64_t ack_by;
	/* Of out_total, to know who is still taking what was sent: */
	uint64_t due_end; /* so much is to be taken before a status can come */
	uint64_t taken; /* so much of that was taken, at the last look */
	uint64_t proven; /* so much was taken surely */
	uint64_t contents_end; /* so much, then a download had gone */
	struct {
		bool begun; /* record `next` is delivered piece by piece */
		bool line; /* the next piece begins a line */
		uint64_t at, end; /* of its body, in the room */
		size_t from_len; /* in `from` */
	} piece;

	/* Who is there, but us. */
	struct names shown; /* as the client was told */
	struct names found; /* comparing: as the folder has it */
	bool comparing;
	uint64_t compare_at; /* the place of what it brings */
	bool stale; /* to be compared */
	bool listing; /* the roster is being told */
	char listed[LIMIT_NAME + 1]; /* up to this name */
	size_t change_count; /* in `changes` */
	size_t change_old; /* so many are older than `found` */

	bool fat; /* buffers were used that idling does not need */

	/* The large ones come last: what a delivery touches of the others, and
	 * beginnings of these, share a page or two. */
	char from[BCS_FROM]; /* of the record being delivered */
	char out[BCS_OUT];
	uint64_t own[BCS_OWN]; /* numbers of own records: a ring */
	struct bcs_change changes[BCS_CHANGES];
	char in[BCS_IN];
	char record[BCS_RECORD];
};

/* --- bcs_loop.c --- */

/* Serves the client to its end; returns the exit status. */
int bcs_serve(struct session *);

/* --- bcs_session.c --- */

/* Are requests looked at, and is there a place for the answer? */
bool bcs_is_asked(const struct session *);

/* Takes the next request, if there is one. False: nothing is to be done now. */
bool bcs_request(struct session *);

/* No more requests; what is written goes out, then it ends. */
void bcs_close(struct session *);

/* Begins a line of the log; `user` is in it. */
void bcs_log(
    const struct session *, struct log_line *, int priority, const char *event);

/* What came of a line of the conversation's log: a failure is logged, once. */
void bcs_noted(struct session *, int error);

/* --- bcs_bytes.c --- */

/* Takes what arrived (io_wait said so), or waits for that BCS_SOON_MS at most.
 * True: something came, or the end. */
bool bcs_read(struct session *, bool wait);

/* From now on there is time for the status of a deliver. */
void bcs_expect(struct session *);

/* It came: all before it was taken. */
void bcs_proved(struct session *);

/* Was something taken of a deliver, or of a download that may stand before it,
 * since this was asked or the deliver went? */
bool bcs_took(struct session *);

/* Writes what can be written. */
void bcs_flush(struct session *);

/* Is nothing left to be written? */
bool bcs_flushed(const struct session *);

/* Adds a frame to what is to be written, and writes. It fits: a deliver, an
 * fnotify and a recvfile go when bcs_flushed(), a status when no other waits.
 */
void bcs_put(struct session *, const struct bcs_frame *);

/* Answers a request. */
void bcs_status(struct session *, enum bcs_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, then the end: for codes 1, 2 and 7. Logs why. */
void bcs_refuse(struct session *, enum bcs_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Before the connection is closed: what was written shall arrive. */
void bcs_linger(struct session *);

/* Nothing was to be done for a while: gives memory back. */
void bcs_trim(struct session *);

/* --- requests: false if it has to wait, and is to be asked again --- */

bool bcs_register(struct session *, const struct bcs_frame *);
bool bcs_send(struct session *, const struct bcs_frame *);
bool bcs_acknowledge(struct session *, const struct bcs_frame *);

/* Those of files. */
bool bcs_sendfile(struct session *, const struct bcs_frame *);
bool bcs_getfile(struct session *, const struct bcs_frame *);

/* --- bcs_transfer.c --- */

/* Takes what arrived of a file. False: nothing is there. */
bool bcs_contents(struct session *);

/* The download is complete, or given up. */
void bcs_download_end(struct session *);

/* --- bcs_register.c --- */

/* Joining: the others were told, or it has taken too long. */
void bcs_welcome(struct session *);

/* Gives the name back: the others are told. */
void bcs_unregister(struct session *);

/* --- bcs_send.c --- */

/* Appends to the lobby as this client and notes that the record is its own. 0
 * or -errno, which was logged. */
int bcs_post(struct session *, const char *text, size_t len, const char *keys);

/* What a status says of such a failure. */
const char *bcs_failure(int error);

/* Is this record its own? The cursor passes it then. */
bool bcs_own(struct session *, uint64_t number);

/* ... of which there were too many: it may be, if this is its author. */
bool bcs_own_perhaps(const struct session *, uint64_t number);

/* --- bcs_deliver.c --- */

/* Delivers the next thing, if it may. True if something was done. */
bool bcs_deliver(struct session *);

/* Brings the room up to date. */
void bcs_look(struct session *);

/* Sends a deliver, which is to be acknowledged. */
void bcs_tell(
    struct session *, struct slice from, const char *text, size_t len);

/* --- bcs_record.c --- */

/* Delivers record `next`, or a piece of it, or passes over it. */
void bcs_record(struct session *);

/* --- bcs_roster.c --- */

/* Reads the folder into a set, leaving us out. 0 or -errno. */
int bcs_roster_read(struct session *, struct names *);

/* Tells the next part of who is there. */
void bcs_roster_tell(struct session *);

/* The last word of those who left is in the room: where it ends. */
uint64_t bcs_settled(struct session *);

/* A name came or went (live->change). */
void bcs_roster_change(struct session *);

/* Tells of the next coming or going whose place this is. True if it did. */
bool bcs_roster_next(struct session *);

/* Tells that somebody came of whom a record is next, but no word was heard: he
 * did not wait for fanout, or there is none. False: no memory for his name. */
bool bcs_roster_speaks(struct session *, const char *name);

/* Takes what fanout said, and looks at the room after each bell; `woken`: there
 * is something, poll(2) said. */
void bcs_news(struct session *, bool woken);

#endif
