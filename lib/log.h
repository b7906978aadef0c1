/*
 * The log: one logfmt line an event on stderr, control characters escaped,
 * with sd-daemon's <N> priorities where stderr is the journal.
 *
 *	log_open("chatfile", "127.0.0.1:50122");
 *	struct log_line l;
 *	log_begin(&l, LOG_INFO, "post");
 *	log_text(&l, "room", name, name_len);
 *	log_number(&l, "bytes", n);
 *	log_end(&l);
 *
 * gives: door=chatfile peer=127.0.0.1:50122 event=post room=lobby bytes=12
 *
 * Only programs log; no other file of lib does. Never given to it: passwords,
 * tokens, and message texts but where a spec demands those.
 */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "buf.h"
#include "limits.h"

struct log_line {
	struct buf buf;
	char data[LIMIT_LOG];
};

/* Names the program (`door=`; it must stay valid) and its peer, or NULL. With
 * "" lines begin with event=: serve speaks of many doors and peers. */
void log_open(const char *door, const char *peer);

/* Begin, any number of fields, end (one write; a failed one is nobody's). */
void log_begin(struct log_line *, int priority, const char *event);

/* Begins a line in the caller's own memory, for those that may be longer than
 * LIMIT_LOG; it is in use until log_end(). Not into a pipe, which many write
 * to: it takes no more than that in one piece (PIPE_BUF), and what a client
 * sent could come to stand where a line begins. */
void log_begin_in(struct log_line *, char *data, size_t size, int priority,
    const char *event);

void log_text(struct log_line *, const char *key, const char *, size_t);
void log_string(struct log_line *, const char *key, const char *);
void log_number(struct log_line *, const char *key, int64_t);
void log_errno(struct log_line *, int error); /* error="Text": takes -errno */
void log_end(struct log_line *);

/* An event with one field, or none (key NULL). */
void log_event(
    int priority, const char *event, const char *key, const char *value);

/* Logs event with error= and exits with 111: the system failed. The only
 * functions of lib that exit, for programs alone. */
void log_die(const char *event, int error) __attribute__((noreturn));

/* Writes "NAME: MESSAGE" and a newline to stderr and exits with 100. */
void log_usage(const char *name, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

#endif
