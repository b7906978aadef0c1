#include "buf.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, char *data, size_t cap)
{
	*b = (struct buf){.data = data, .cap = cap};
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (b->full || len > b->cap - b->len) {
		b->full = true;
		return;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

void buf_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vfmt(struct buf *b, const char *format, va_list ap)
{
	size_t room = b->full ? 0 : b->cap - b->len;
	int n = vsnprintf(b->data + b->len, room, format, ap);

	/* vsnprintf wants a byte for its NUL, so an exact fit is "full". */
	if (n < 0 || (size_t)n >= room)
		b->full = true;
	else
		b->len += (size_t)n;
}

void buf_fmt(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vfmt(b, format, ap);
	va_end(ap);
}
