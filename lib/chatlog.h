/*
 * The log of a conversation, as `bcs_server -l LOG` keeps it (specs/bcs.txt,
 * Server): successful registrations, messages and disconnects, one line each,
 * and nothing else. It is appended to the descriptor that PARLANCE_LOG_FD
 * names, which serve opened and many handlers share; without that variable no
 * such log is kept and all calls do nothing.
 *
 *	time=2026-11-21T10:00:00Z event=register user=alice peer=... pid=4711
 *	time=2026-11-21T10:00:01Z event=message user=alice peer=... text="hi"
 *	time=2026-11-21T10:00:09Z event=disconnect user=alice peer=... pid=4711
 *
 * Fields are escaped (logfmt.h); text= is always quoted and whole, however
 * long the message. A handler that dies of a signal has its disconnect line
 * written by serve: it knows no user, and tells the signal.
 *
 * Lines of several processes stay whole: a line is one write(2) in append
 * mode, under flock on a file or pipe. What a full disk took of a line is cut
 * off again, and a line that was killed in the middle is ended before the next
 * one. Where nobody reads, a line is given up after LIMIT_CHATLOG_MS, and from
 * then on after LIMIT_CHATLOG_AGAIN_MS until one gets through. A descriptor
 * that its reader does not let us open anew (a pipe of another user, a socket)
 * is used without the lock: only lines above PIPE_BUF may mix there.
 *
 * All but chatlog_open and chatlog_take return 0 or -errno: -ENOSPC, -EIO;
 * -ETIMEDOUT: nobody reads; -EPIPE: nobody will. The conversation goes on, and
 * the caller says so in its own log. For one thread.
 */
#ifndef CHATLOG_H
#define CHATLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sandbox.h"

#define CHATLOG_VARIABLE "PARLANCE_LOG_FD"

struct chatlog {
	int fd; /* -1: none is kept */
	const char *peer; /* NULL or "": not known */
	bool own; /* fd is an open file of ours: may be locked */
	bool stuck; /* the last line found no reader in time */
	bool torn; /* and left half of itself behind */
};

/* Takes up the descriptor, before the sandbox is entered; peer must stay
 * valid. 0, or -EINVAL if PARLANCE_LOG_FD is no number of a descriptor (2 or
 * more) that is open for writing. */
int chatlog_open(struct chatlog *, const char *peer);

/* Once more, in a process that was forked since: its lock must be its own. The
 * sandbox has to allow what chatlog_rule() says; where that fails the log goes
 * on without a lock. */
void chatlog_again(struct chatlog *);

/* The file, for that; a rule that ends a list where it is none. Valid until the
 * next call. */
struct sandbox_rule chatlog_rule(const struct chatlog *);

/* The same with a descriptor that the caller keeps: 0 or -errno. */
int chatlog_take(struct chatlog *, int fd, const char *peer);

int chatlog_register(struct chatlog *, const char *user);
int chatlog_message(
    struct chatlog *, const char *user, const char *text, size_t len);

/* user NULL: not known (serve). pid is the handler's. signal 0: it ended by
 * itself. */
int chatlog_disconnect(
    struct chatlog *, const char *user, pid_t pid, int signal);

#endif
