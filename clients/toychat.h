/*
 * The parts of the toychat client (specs/toychat.txt):
 *
 *	toychat.c            options, which server
 *	toychat_connect.c    to a Unix socket or a host
 *	toychat_link.c       commands out, replies in
 *	toychat_session.c    a command and its reply; signals meanwhile
 *	toychat_transfer.c   files out and in
 *	toychat_arrival.c    files that appear when they are whole
 *	toychat_pipe.c       the filter: the protocol's commands, one a line
 *	toychat_terminal.c   the line editor, what happens while it waits
 *	toychat_screen.c     where that line stands
 *	toychat_complete.c   its completion
 *	toychat_ask.c        questions on the terminal: passwords
 *	toychat_command.c    the commands that people type
 *	toychat_account.c    those about accounts
 *	toychat_inbox.c      what is unread, and of whom
 *	toychat_names.c      names that were seen
 *	toychat_show.c       replies as people read them
 *
 * All but toychat.c return what happened, 0 or -errno; what a server that
 * breaks the protocol does is -EPROTO.
 */
#ifndef TOYCHAT_H
#define TOYCHAT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/toychat_wire.h"
#include "lib/io.h"
#include "lib/limits.h"
#include "say.h"

#define EXIT_ERROR 1
#define EXIT_USAGE 100
#define EXIT_LOST 111

#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT "8888"

/* A reply that is longer is not waited for: bytes. */
#define REPLY_MAX (64 * 1024 * 1024)
/* Names that are kept for completion, and senders that are kept by name. */
#define NAMES_MAX 1000
/* Seconds: of a server's silence when it should answer (TOYCHAT_TIMEOUT), and
 * from one look at the inbox to the next (TOYCHAT_INTERVAL). */
#define PATIENCE_S 60
#define INTERVAL_S 5
/* A connection that ends sooner is not opened anew. */
#define SHORT_LIVED_MS 5000

/* --- toychat_connect.c ---------------------------------------------------- */

/* Where the server is. */
struct target {
	const char *path; /* a Unix socket; NULL: none */
	const char *host; /* NULL: none */
	const char *port;
	char found[PATH_MAX + 16]; /* the place that answered, for people */
	char why[PATH_MAX + 512]; /* why none did */
};

/* Tries path, then host: a connected socket, or -errno with why. */
int target_connect(struct target *);
/* The default places: RUNTIME_DIRECTORY's socket, else those of the user and
 * of the system, then localhost. */
int target_connect_default(struct target *);

/* --- toychat_link.c ------------------------------------------------------- */

/* The connection. */
struct link {
	struct client client; /* in: -1 once it is gone */
	char *data; /* what came and was not taken yet is at used to len */
	size_t used;
	size_t len;
	size_t size;
	struct toychat_scan scan;
	int signals; /* a signalfd that interrupts waits, or -1 */
	int64_t patience; /* ms */
};

int link_init(struct link *, int fd, int signals, int64_t patience);
/* The same with another socket: what came on the first is dropped. */
int link_renew(struct link *, int fd);
void link_close(struct link *);

/* Sends text, all of it. */
int link_send(struct link *, const char *, size_t);
/* Reads what came: > 0, or 0 at its end, or -EAGAIN, -EMSGSIZE, -errno. */
int link_fill(struct link *);
/* Waits for more and reads it: 0, or -ECONNRESET, -ETIMEDOUT, -EINTR (a signal
 * has come and is still to be read), -EMSGSIZE. */
int link_more(struct link *);
/* Takes a reply out of what came, -EAGAIN if there is none whole. It is valid
 * until the next call of any of these. */
int link_take(struct link *, struct toychat_command *ret_reply);
/* Why it ended, for people, after one of these failed. */
const char *link_why(int error);

/* --- toychat_names.c ------------------------------------------------------ */

/* A set of names, with a bound. */
struct names {
	char *list[NAMES_MAX];
	size_t count;
};

void names_add(struct names *, const char *, size_t);
void names_free(struct names *);

/* --- toychat_inbox.c ------------------------------------------------------ */

struct unread {
	char name[LIMIT_NAME * 3 + 1]; /* as it may be shown */
	uint64_t count;
};

/* What is unread, in the server's order. */
struct inbox {
	struct unread *list; /* the first NAMES_MAX */
	size_t listed;
	size_t senders; /* all of them */
};

/* Takes an "inbox" reply apart: 0, or -EPROTO and nothing is changed. */
int inbox_read(struct inbox *, const struct toychat_command *);
bool inbox_equal(const struct inbox *, const struct inbox *);
void inbox_free(struct inbox *);
/* "ben 2, * 1", of the first senders that fit. */
void inbox_summary(const struct inbox *, char *out, size_t size);

/* --- toychat_session.c ---------------------------------------------------- */

struct chat {
	struct link link;
	struct target target;
	int64_t since; /* clock_ms() of the connection */
	bool terminal; /* people type, people read */
	bool force; /* -f: downloads may replace files */
	unsigned stop; /* how often Ctrl-C was pressed during this command */
	int ending; /* a signal that ends us, or 0 */
	char name[LIMIT_PASSWORD + 1]; /* logged in; "": not */
	struct inbox inbox;
	bool
	    asked; /* a checkinbox is under way whose answer nobody waits for */
	struct names users;
	struct names files;
};

/* Sends a command, its CRLF included, and waits for the reply, as all of these
 * do: 0, or -errno when the connection is of no more use. */
int chat_ask(struct chat *, const char *, size_t, struct toychat_command *ret);
/* Sends a part of a command. */
int chat_send(struct chat *, const char *, size_t);
/* Waits for the reply; that to "asked" is taken in before. -ECANCELED: told to
 * end meanwhile. */
int chat_answer(struct chat *, struct toychat_command *ret);
/* Takes in a reply to checkinbox: true, the inbox changed. */
bool chat_inbox(struct chat *, const struct toychat_command *);
/* Reads what came. A connection that the server closed before anyone logged in
 * (it does so after a minute) is opened anew: nothing was lost. */
int chat_revive(struct chat *);
/* Reads what signals there are: into stop and ending. Returns the last. */
int chat_signals(struct chat *);
/* A signal came while the server is busy: 0, after the first Ctrl-C with a word
 * about what is going on; or -ECANCELED: enough of it. */
int chat_interrupted(struct chat *, const char *what);
/* Is this reply "success", or "error", or ... */
bool chat_is(const struct toychat_command *, const char *word);

/* --- toychat_transfer.c --------------------------------------------------- */

/* What came of a transfer that is not 0 or -errno: refused on this side. why
 * is the protocol's error text, detail for people. */
#define REFUSED_HERE 1
struct refusal {
	const char *why;
	char detail[PATH_MAX + 256];
};

/* Uploads the file at path, under its last part: 0 and the reply. */
int transfer_upload(struct chat *, const char *path,
    struct toychat_command *ret_reply, struct refusal *);
/* Downloads name to the file at path, "": to one of that name here; into it, if
 * it is a folder. 0 and a reply: an error, or "file", the contents being there
 * then; *ret_length says how long. replace: an old one may go. */
int transfer_download(struct chat *, struct slice name, const char *path,
    bool replace, struct toychat_command *ret_reply, uint64_t *ret_length,
    struct refusal *);
/* The last part of a path, "" behind a slash. */
const char *base_of(const char *path);

/* --- toychat_arrival.c ---------------------------------------------------- */

/* A file that is to appear when it is whole. */
struct arrival {
	char folder[PATH_MAX];
	char name[NAME_MAX + 1];
	char temporary[32]; /* where there are no nameless files, or "" */
	int dir;
	int fd;
	int error; /* the first that came up: from then on it only passes */
};

/* Makes ready for a download of name to path, see transfer_download(): 0, or
 * -errno: -EEXIST, -ENOTSUP there is something else than a file, -EINVAL the
 * name is none to save under. To be closed in any case. */
int arrival_open(
    struct arrival *, struct slice name, const char *path, bool replace);
/* All of it is there: it appears. 0 or -errno, nothing was changed. */
int arrival_finish(struct arrival *, bool replace);
/* What did not appear is gone. */
void arrival_close(struct arrival *);
/* Is there a file in the way of it? */
bool arrival_exists(struct slice name, const char *path);

/* --- toychat_show.c ------------------------------------------------------- */

/* All go to stdout, cleaned of what a terminal should not see. */
void show_text(const char *, size_t);
/* A reply in one line: its line feeds as \n. */
void show_raw(const struct toychat_command *);
/* A message with its time here. false: it is none. */
bool show_message(const struct toychat_command *);
/* The names of a filelist. */
void show_files(const struct toychat_command *);
void show_inbox(const struct inbox *);
/* A line about how far a transfer is, on stderr if that is a terminal; NULL
 * removes it. Now and then only, whenever called. */
void show_progress(const char *name, uint64_t done, uint64_t of);
/* Ends if stdout is gone or full. */
void show_flush(void);

/* --- toychat.c ------------------------------------------------------------ */

/* A setting of so many seconds, in milliseconds. A wrong one ends us. */
int64_t seconds_of(const char *variable, uint64_t standard);

/* --- the two ways to use it ----------------------------------------------- */

/* toychat_pipe.c: the exit status. */
int pipe_run(struct chat *);

/* toychat_terminal.c: the exit status. */
int terminal_run(struct chat *);

/* toychat_ask.c: reads a line without its end, not shown if secret. Its length,
 * or -ECANCELED: Ctrl-C, a signal or the end of input. */
long ask_line(
    struct chat *, const char *prompt, bool secret, char *out, size_t size);

/* toychat_command.c: does what was typed. 0; -ECANCELED: quit; -errno: the
 * connection is lost. */
int command_run(struct chat *, char *line);
/* The Nth command's name, for completion; NULL: no more. */
const char *command_name(size_t n);
/* What the argument at a place (from 1) of a command is. */
enum argument { ARG_NONE, ARG_USER, ARG_REMOTE, ARG_LOCAL, ARG_COMMAND };
enum argument command_argument(const char *word, size_t len, unsigned place);
/* The part of a line that may be remembered: all, or without a password. */
size_t command_public(const char *line, size_t len);

/* toychat_account.c: sends WORD REST and waits for the reply. 0, -errno, or
 * REFUSED_HERE if it is too long, which was said. */
int command_ask(struct chat *, const char *word, const char *rest,
    struct toychat_command *ret);
/* The same, and shows the reply unless it is "success". */
int command_plain(struct chat *, const char *word, const char *rest);
/* Looks at the inbox. */
int command_look(struct chat *);
/* If it is an error reply, says what it says; false: it is none. */
bool command_error(const struct toychat_command *reply);
int run_login(struct chat *, char *rest);
int run_register(struct chat *, char *rest);
int run_logout(struct chat *, char *rest);

struct editline; /* histedit.h's EditLine */

/* toychat_screen.c: the cursor goes below the line that is typed, however many
 * rows it has; and what to do when the terminal has another width. */
void screen_leave(struct editline *, const char *prompt);
void screen_resized(struct editline *, const char *prompt);

/* toychat_complete.c: Tab. What editline(3)'s functions return. */
unsigned char complete(struct editline *, struct chat *);

#endif
