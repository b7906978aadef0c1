/*
 * A bounded buffer that is only ever appended to. It does not own its memory
 * and never grows: what does not fit sets `full`, after which nothing more is
 * added, so a caller may build a whole head or line and ask once at the end.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	bool full; /* something did not fit: the contents end before it */
};

/* An empty buffer over the cap bytes at data, which the caller keeps. */
void buf_init(struct buf *, char *data, size_t cap);

/* Each appends all of its argument or, setting `full`, nothing. None adds a
 * NUL that counts; buf_fmt is printf's. */
void buf_add(struct buf *, const void *data, size_t len);
void buf_str(struct buf *, const char *text);
void buf_char(struct buf *, char c);
void buf_fmt(struct buf *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *, const char *format, va_list)
    __attribute__((format(printf, 2, 0)));

#endif
