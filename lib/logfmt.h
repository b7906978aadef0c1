/*
 * A field of a logfmt line, for the log (log.h) and for the log of a
 * conversation (chatlog.h).
 *
 * What could split a line, forge one or turn one round on a terminal is
 * escaped: `\n`, `\"`, `\\`, and `\xNN` for each byte of other control
 * characters, of what is not UTF-8 and of characters that break lines or
 * reverse text. A byte becomes four at most.
 */
#ifndef LOGFMT_H
#define LOGFMT_H

#include <stddef.h>

#include "buf.h"

/* Appends ` key=value`: the value bare where no reader could split or misread
 * it, else quoted. What does not fit is cut, with the buffer's `full` set. */
void logfmt_text(struct buf *, const char *key, const char *, size_t);

/* The same, but quoted in any case. */
void logfmt_quoted(struct buf *, const char *key, const char *, size_t);

#endif
