/*
 * What the parts of the toychat handler share: one connection, served by one
 * thread that reads a command, answers it, and reads the next.
 *
 *	toychat_session.c  what comes in and goes out, and the log of both
 *	toychat_cmd.c      the table of commands, and who is logged in
 *	toychat_inbox.c    send, checkinbox, recv
 *	toychat_files.c    upload, getfilelist, download
 *	toychat_log.c      one line for each message, with passwords masked
 */
#ifndef TOYCHAT_H
#define TOYCHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/auth.h"
#include "lib/files.h"
#include "lib/room.h"
#include "lib/start.h"
#include "lib/store.h"
#include "toychat_wire.h"

struct toychat {
	struct start start;
	struct rooms rooms;
	struct room lobby;
	bool lobby_open;
	struct store store;
	struct auth auth;
	struct files files;

	/* Who is logged in. */
	bool in;
	struct store_user me; /* as it was then */
	unsigned failures; /* failed log-ins of this connection, in a row */

	/* Input: data[at, have) is still to be looked at. */
	struct toychat_scan scan;
	size_t at;
	size_t have;
	int64_t login_deadline; /* CLOCK_NEVER: logged in */
	char data[TOYCHAT_COMMAND_MAX + 2];

	bool close; /* no further command */
	int status; /* the handler's exit status */
};

/* --- toychat_session.c --- */

/* Serves the client until it goes or must go. Returns the exit status. */
int toychat_serve(struct toychat *);

/* Reads more behind what there is, making room by dropping what was used:
 * slices of earlier input are void then. Bytes read (> 0), 0 at the end of
 * input, or -errno of io_read(). */
ssize_t toychat_read(struct toychat *, int64_t deadline, enum io_how);

/* Each sends one response and logs it; the client's going away sets close. */
void toychat_ok(struct toychat *);
void toychat_fail(struct toychat *, const char *text);
void toychat_reply(struct toychat *, const char *, size_t); /* CRLF included */

/* What -errno of store.h or lobby.h is answered; logs what is the system's
 * fault. -EPERM, an account that was shut meanwhile, logs out. */
const char *toychat_trouble(struct toychat *, const char *what, int error);

/* Each answers and logs -errno: of store.h or lobby.h, of room.h. */
void toychat_failed(struct toychat *, const char *what, int error);
void toychat_failed_room(struct toychat *, const char *what, int error);

/* The lobby, opened or looked at: 0 or -errno of room.h. */
int toychat_lobby(struct toychat *);

/* --- toychat_cmd.c --- */

/* Checks a command and does what it says. */
void toychat_command(struct toychat *, const struct toychat_command *);

/* Ends being logged in: the time to log in again begins. */
void toychat_leave(struct toychat *);

/* Is it still the account that logged in, not deleted or disabled since, its
 * password the same? 0, -EPERM, -errno. */
int toychat_still_in(struct toychat *);

/* --- toychat_inbox.c --- */

void toychat_send(struct toychat *, const struct slice *fields);
void toychat_checkinbox(struct toychat *, const struct slice *fields);
void toychat_recv(struct toychat *, const struct slice *fields);

/* --- toychat_files.c --- */

/* Takes in what follows the head of an upload, and answers it. It is read past
 * where it is refused, logged in or not. */
void toychat_upload(struct toychat *, const struct toychat_command *);

void toychat_getfilelist(struct toychat *, const struct slice *fields);
void toychat_download(struct toychat *, const struct slice *fields);

/* --- toychat_log.c --- */

/* One line each: what a client sent, without its CRLF, and what it was
 * answered; of passwords and of files' contents nothing (clarifications). */
void toychat_log_received(
    const struct toychat *, const struct toychat_command *);
void toychat_log_sent(const struct toychat *, const char *, size_t);

#endif
