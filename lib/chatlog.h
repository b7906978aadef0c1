/*
 * The log of a conversation, as `bcs_server -l LOG` keeps it (specs/bcs.txt,
 * Server): successful registrations, messages and disconnects, one line each,
 * and nothing else. It is appended to the descriptor that PARLANCE_LOG_FD
 * names, which serve opened and many handlers share; without that variable no
 * such log is kept and all calls do nothing.
 *
 *	time=2026-11-21T10:00:00Z event=register user=alice peer=... pid=4711
 *	time=2026-11-21T10:00:01Z event=message user=alice peer=... text="hi"
 *	time=2026-11-21T10:00:09Z event=disconnect user=alice peer=...
 *
 * Fields are escaped as in log.h; a message's text is whole, however long. A
 * line is one write(2), so on a file lines of several processes stay whole. A
 * handler that dies of a signal has its disconnect line written by serve.
 *
 * All but chatlog_open return 0 or -errno (a full disk): the conversation goes
 * on, and the caller says so in its own log.
 */
#ifndef CHATLOG_H
#define CHATLOG_H

#include <stddef.h>
#include <sys/types.h>

struct chatlog {
	int fd; /* -1: none is kept */
	const char *peer;
};

/* Takes up the descriptor; peer must stay valid. 0, or -EINVAL if
 * PARLANCE_LOG_FD is no number of an open descriptor. */
int chatlog_open(struct chatlog *, const char *peer);

int chatlog_register(const struct chatlog *, const char *user);
int chatlog_message(
    const struct chatlog *, const char *user, const char *text, size_t len);

/* user NULL: not known (serve). signal 0: it ended by itself. */
int chatlog_disconnect(
    const struct chatlog *, const char *user, pid_t pid, int signal);

#endif
