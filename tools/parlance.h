/*
 * What the sub-commands of parlance(1) share. Each is a function that is
 * handed its options and operands, checked against its line of the table in
 * parlance.c, with settings read and state open; it returns the exit status,
 * having complained where that is not 0.
 */
#ifndef TOOLS_PARLANCE_H
#define TOOLS_PARLANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/limits.h"
#include "lib/room.h"
#include "lib/settings.h"
#include "lib/state.h"
#include "lib/store.h"

enum outcome {
	DONE = 0,
	REFUSED = 1, /* cannot be done as asked; damage found */
	MISUSED = 100, /* usage or configuration */
	FAILED = 111, /* the system failed */
};

struct options {
	const char *user; /* -u; NULL: not given */
	uint64_t last; /* -n */
	bool limited; /* -n was given */
	bool follow; /* -f */
	bool readable; /* -r */
	bool yes; /* --yes */
	bool repair; /* --repair */
};

struct admin {
	const char *command; /* "user add", for messages */
	struct options options;
	struct settings settings;
	struct state state;
	struct state_owner owner; /* backup and restore: until it is become */
	int place; /* their directory, open */
	int above; /* the one that it is in, open, or -1 */
	bool damage; /* of a room, was found by check_rooms() */
};

/* Operands, as many as the table allows; operand[count] is NULL. */
typedef int command_act(struct admin *, char **operands, int count);

command_act user_add, user_passwd, user_del, user_disable, user_enable,
    user_list;
command_act rooms_list, rooms_show, rooms_tail, rooms_say, rooms_redact,
    rooms_del, rooms_check, host_check, host_backup, host_restore,
    host_maintain;

/* What is done before the command: reads the settings, opens the state (not
 * restore's). Complains; an outcome. */
typedef int command_open(struct admin *, char **operands);
command_open backup_open, restore_open;

/* Settings from file and environment. */
int load_settings(struct admin *);

/* Says what state_open() and its like failed with; returns the outcome. */
int complain_state(const struct admin *, int error, const struct state_error *);

/* Prints "parlance COMMAND: MESSAGE" on standard error, with U+FFFD for what
 * a terminal should not see; returns the outcome given. */
int complain(const struct admin *, enum outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Flushes standard output: DONE, or FAILED if not all could be written (a
 * reader that went away is nobody's fault: DONE). */
int finish(const struct admin *);

/* --- asking (ask.c) ------------------------------------------------------ */

struct password {
	char data[LIMIT_PASSWORD];
	size_t len;
};

/* A new password: asked for twice, without echo, where standard input is a
 * terminal; otherwise one line of standard input, and no byte more. Complains
 * and returns an outcome. The caller wipes it. */
int ask_password(const struct admin *, struct password *ret);

/* May it be done? Asks where standard input is a terminal and --yes was not
 * given; elsewhere the command itself is the answer. */
bool ask_consent(const struct admin *, const char *question, ...)
    __attribute__((format(printf, 2, 3)));

/* --- rooms (room.c) ------------------------------------------------------ */

/* Opens all rooms; repairs are told on standard error. DONE or complains. */
int open_rooms(struct admin *, struct rooms *);

/* Says what is wrong with a room in plain words and what to do about it: an
 * error of room.h becomes an outcome. */
int complain_room(const struct admin *, const char *room, int error);

/* As room_open, but complains; returns an outcome. */
int open_room(const struct admin *, struct room *, const struct rooms *,
    const char *name, enum room_mode);

/* The names of all rooms, sorted. Complains. */
struct room_names {
	char (*name)[LIMIT_ROOM_NAME + 1];
	size_t count, cap;
};
int room_names(const struct admin *, const struct rooms *, struct room_names *);
void room_names_release(struct room_names *);

/* Checks rooms (all if count is 0), with one line each on standard output. */
int check_rooms(struct admin *, char **names, int count);

/* --- showing (room_show.c)
 * ---------------------------------------------------- */

/* A footer's time in the local zone, or cleaned text if it is none, for
 * people. */
void show_time(struct slice time, char *ret_text, size_t size);

/* A slice with U+FFFD for what a terminal should not see, cut at size. */
void show_slice(struct slice, char *ret_text, size_t size);

/* Writes records from number on to the last, in stored form, or readable
 * where -r was given or standard output is a terminal. 0; -EPIPE if they could
 * not be written, which finish() tells; -errno. */
int show_records(const struct admin *, const struct room *, uint64_t from);

/* The record's number from which the last `last` ones begin. */
uint64_t show_from(const struct room *, uint64_t last);

#endif
