/*
 * The parts of the chatfile client. What they do together is told in
 * chatfile_sync.c; the words:
 *
 *	room file    NAME.txt, here and on the server
 *	offset       the end of what is synced: equal on both sides
 *	text         what stands behind the offset: typed, not sent yet
 *	memo         the small file beside the room file that remembers the
 *		     offset and whatever is under way (.NAME.txt.chatfile)
 *	answer       the body of the server's response
 *
 * Functions that talk to a person on failure return an enum outcome; the
 * others 0 or -errno.
 */
#ifndef CHATFILE_H
#define CHATFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/limits.h"
#include "say.h"

#define HASH_BYTES 32
#define KEY_CHARS 32 /* an Idempotency-Key of ours: 16 random bytes in hex */
#define TAIL_BYTES 4096 /* of the history before the offset, remembered */
#define WAIT_S 50 /* Prefer: wait */
#define NAME_BYTES (LIMIT_ROOM_NAME + sizeof ".txt")
#define URL_BYTES 2048

enum exit_code {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 100,
	EXIT_FAILED = 111,
};

enum outcome {
	OUT_DONE = 0,
	OUT_AGAIN, /* file or memo changed under us: look at them again */
	OUT_TEXT, /* the text may not be sent as it is (said) */
	OUT_REFUSED, /* the server refuses, or the file is in no state for it */
	OUT_CHANGED, /* the history here is not what was synced */
	OUT_OFFLINE, /* network, or the server failed: later it may work */
	OUT_BROKEN, /* the system failed here */
	OUT_STOPPED, /* a signal asked us to end */
};

/* --- chatfile_bytes.c: a growing run of bytes ----------------------------- */

struct bytes {
	char *data; /* NULL while empty */
	size_t len;
	size_t cap;
};

int bytes_add(struct bytes *, const void *data, size_t len); /* 0, -ENOMEM */
int bytes_reserve(struct bytes *, size_t more); /* room for that many more */
void bytes_free(struct bytes *); /* leaves it empty */
bool bytes_begin(const struct bytes *, const char *data, size_t len);
void bytes_cut(struct bytes *, size_t n); /* drops the first n */

/* --- chatfile_merge.c: the answer goes between history and text ----------- */

/* What shall stand behind the offset: answer, then text; and what stood there
 * when that was decided. */
struct merge {
	struct bytes answer;
	struct bytes before;
	struct bytes text;
};

/* Given what stands behind the offset now (after a crash, or because someone
 * typed), which of it is the user's text that belongs behind the answer? Sets
 * *ret (0), or -ENOMEM. The table is in the source. */
int merge_text(
    const struct merge *, const char *now, size_t len, struct bytes *ret);

/* How many bytes the file grows by: answer + text - before, never < 0. */
size_t merge_growth(const struct merge *);
void merge_free(struct merge *);

/* --- chatfile_memo.c: the memo -------------------------------------------- */

struct memo {
	uint64_t serial; /* of the file that it was read from, or 0 */
	uint64_t offset;
	unsigned char tail[HASH_BYTES]; /* hash of TAIL_BYTES before it */
	bool keys; /* this server keeps Idempotency-Keys */
	char key[KEY_CHARS + 1]; /* of the message under way; "" if none */
	uint64_t sent; /* its length and hash */
	unsigned char hash[HASH_BYTES];
	bool answered; /* merge is to be carried out */
	struct merge merge;
};

/* 0, -ENOENT (first use), -EUCLEAN (not one of ours), -errno. */
int memo_load(struct memo *, int dir, const char *name);
/* Replaces the file durably: afterwards it is the old or the new one, whatever
 * fails. -ESTALE: it is no more the one that was loaded. */
int memo_save(struct memo *, int dir, const char *name);
/* Is it still the one that was loaded? 0 or -ESTALE. */
int memo_check(const struct memo *, int dir, const char *name);
/* 0 or -errno. */
int memo_remove(int dir, const char *name);
void memo_key(struct memo *, const char *text, size_t len); /* a new one */
bool memo_is_sent(const struct memo *, const char *, size_t); /* that text? */
void memo_settle(struct memo *); /* nothing is under way any more */
void memo_free(struct memo *);

/* --- chatfile_config.c ---------------------------------------------------- */

struct pair { /* of a line key=value; without a = the key is empty */
	const char *key;
	size_t key_len;
	const char *value;
	size_t len;
};

/* Takes a line off the front of a text that is not empty. False: it was an
 * empty line. */
bool pair_next(struct pair *, const char **at, const char *end);

/* .chatfile in a directory: 0; -ENOENT; -EINVAL with the line's number; -errno.
 * Values that are not there are "". */
struct config {
	char url[URL_BYTES]; /* ends in a slash */
	char user[LIMIT_NAME + 1];
	unsigned line;
};
int config_load(struct config *, int dir);
int config_save(const struct config *, int dir); /* -EEXIST: there is one */

/* --- chatfile_local.c: the room file here --------------------------------- */

struct local {
	int dir; /* where it and its memo are */
	char name[256];
	int fd; /* -1 while not locked */
	dev_t dev;
	ino_t ino;
	bool made; /* by us, and empty so far */
};

/* Opens (making it if `make`) and locks, until the deadline; what is locked is
 * what the path names. 0, -EBUSY, -errno. */
int local_lock(struct local *, bool make, int64_t deadline);
/* Unlocks; a file that we made and that stayed empty goes. */
void local_unlock(struct local *);
/* Does the path name another file by now? 1, 0, -ENOENT, -errno. */
int local_replaced(const struct local *);
int local_sync(const struct local *); /* fsync */
/* Everything from an offset on, added to *ret. */
int local_read(const struct local *, uint64_t offset, struct bytes *ret);
/* The hash of the TAIL_BYTES (or less) before an offset; -ERANGE: too short. */
int local_tail(
    const struct local *, uint64_t offset, unsigned char ret[HASH_BYTES]);
/* The end of the last footer line, 0 without one; ret_line, if it is not
 * NULL, is set to that line. */
int local_last_footer(
    const struct local *, uint64_t *ret, struct bytes *ret_line);
/* The number of the line, from 1, that a byte stands in. */
unsigned long local_line(const struct local *, uint64_t at);
/* Is answer + text what stands from the offset on, text perhaps longer? */
int local_holds(
    const struct local *, uint64_t offset, const struct merge *); /* 1, 0 */
/* From merge.before to merge.answer + merge.text: one append, then what
 * differs; fsynced. On failure the file is cut back to what it was. If text
 * came between, only the append is done: see local_holds() and merge_text(). */
int local_apply(struct local *, uint64_t offset, const struct merge *);
/* Replaces the file by history + text, keeping the old one as NAME.old (or
 * .old.1 ...: ret_kept); locked as before. memo is removed on the way. */
int local_replace(struct local *, const struct bytes *history,
    const struct bytes *text, char ret_kept[300]);

/* --- chatfile_http.c: one exchange over libcurl --------------------------- */

struct request {
	uint64_t offset;
	const char *text; /* may be empty */
	size_t len;
	const char *key; /* or NULL */
	unsigned wait; /* seconds to wait for something new, or 0 */
};

struct answer {
	long status;
	struct bytes body; /* what was in it before stays in front */
	size_t skip; /* that much was */
	char range[128]; /* Content-Range, or "" */
	char place[URL_BYTES]; /* where a redirection leads, or "" */
	long retry_after; /* seconds, 0 if not said */
	int64_t took_ms;
};

struct http;

/* url is the room's; user NULL: ~/.netrc knows; password NULL: likewise. */
struct http *http_new(const char *url, const char *user, const char *password);
void http_free(struct http *);
/* Descriptors that interrupt an exchange when readable; -1: none. */
void http_wake(struct http *, int signals, int files);
/* Shows received bytes on stderr, as NAME's. */
void http_progress(struct http *, const char *name);

enum http_end {
	HTTP_ANSWERED,
	HTTP_FAILED, /* http_error() says why */
	HTTP_SIGNALLED,
	HTTP_FILES, /* the file descriptor woke us */
};
enum http_end http_post(struct http *, const struct request *, struct answer *);
const char *http_error(const struct http *);
/* Waits that long, or until a wake descriptor is readable: HTTP_FAILED means
 * the time is over. */
enum http_end http_pause(struct http *, int ms);
void answer_free(struct answer *);

/* --- chatfile_login.c ----------------------------------------------------- */

/* Who: the name given (-u, the URL) unless it is "", else .chatfile's, else
 * ~/.netrc's, else the login name. NULL: ~/.netrc, which libcurl reads. */
const char *login_user(const char *given, const struct config *);
/* The password: CHATFILE_PASSWORD, ~/.netrc (then NULL: libcurl reads it), or
 * asked for on the terminal. To be freed. */
char *login_password(const char *user, const char *url);

/* --- chatfile_sync.c ------------------------------------------------------ */

struct sync {
	struct local local;
	struct http *http;
	const char *user; /* NULL: not known (~/.netrc) */
	const char *room; /* NAME.txt */
	bool fetch_only; /* -n */
	bool hold; /* the text is bad: leave it alone for now */
	bool make; /* the local file may be made */
	int64_t patience; /* ms to wait for another client's lock, or -1 */
	struct memo memo; /* as last seen on disk */
	bool asked; /* this run: what is under way was looked for */
	bool fresh; /* this run made the key, and has not sent it yet */
	bool unsure; /* it may have been stored in spite of a refusal */
	bool exchanged; /* this run: the file is as new as the server's */
	uint64_t left; /* bytes of text behind the offset when last seen */
	bool settled; /* and so it is in `seen`, the file when unlocked */
	struct stat seen;
	const struct config *config; /* to be saved in config_dir, or NULL */
	int config_dir;
	char why[1024]; /* what went wrong, for people */
};

/* Exchanges until nothing is unsent (with -n: once). Takes the lock and drops
 * it. Any outcome but OUT_DONE has said why in sync.why. */
enum outcome sync_run(struct sync *);
/* Takes in what a wait brought, which was asked without the lock. */
enum outcome sync_take_waited(struct sync *, struct answer *);
/* Sets why and returns the outcome given. */
enum outcome sync_fail(struct sync *, enum outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One exchange, again if the server is busy; OUT_DONE is a fitting 2xx. */
enum outcome sync_exchange(
    struct sync *, const struct request *, struct answer *);
/* Is the room file's history what the memo says? OUT_DONE or OUT_CHANGED. */
enum outcome sync_history(struct sync *, const struct memo *);
/* Takes the local file's lock. */
enum outcome sync_lock(struct sync *);
/* Why, for a -errno of the memo's or the room file's. */
enum outcome sync_memo_failed(struct sync *, int error);
enum outcome sync_local_failed(struct sync *, int error);

/* --- chatfile_take.c: into the file --------------------------------------- */

/* Carries out an answered memo. */
enum outcome take_finish(struct sync *);
/* Takes in the answer (its body: what was sent, then the response) to a
 * message, or to none. Uses the body up. OUT_AGAIN: things have changed, the
 * answer is not for what is here now. */
enum outcome take_sent(
    struct sync *, struct answer *, const struct bytes *sent);
enum outcome take_fetched(struct sync *, struct answer *);

/* --- chatfile_answer.c: what the server says ------------------------------ */

/* Judges the status: OUT_DONE for 2xx, else why is set. */
enum outcome answer_status(
    struct sync *, const struct request *, const struct answer *);
/* Do the lengths fit, and is it whole records? OUT_DONE or OUT_OFFLINE. */
enum outcome answer_fits(
    struct sync *, const struct request *, const struct answer *);
/* Does the footer of the message sent, first in its answer, hold its key? */
bool answer_keeps_key(const struct answer *, const struct memo *);
/* Is the message that is under way among these records? *ret_keyed: the key
 * tells; else its author and text do, if the server keeps no keys. */
bool answer_holds_sent(const struct answer *, const struct memo *,
    const char *user, bool *ret_keyed);
/* Is this a line of it? */
bool answer_has_line(const struct answer *, const struct bytes *line);

/* --- chatfile_first.c: a room file without a memo, and --resync ----------- */

/* Finds the offset by lines backwards, and makes the memo. */
enum outcome first_use(struct sync *);
/* Fetches the room anew; unsent text stays at its end. */
enum outcome first_anew(struct sync *);

/* --- chatfile_follow.c ---------------------------------------------------- */

enum outcome follow(struct sync *);

/* --- chatfile.c ----------------------------------------------------------- */

/* Says it and ends. */
void die(int status, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
/* Copies len bytes and a NUL; a text that is too long is a usage error. */
void put(char *out, size_t size, const char *text, size_t len);

#endif
