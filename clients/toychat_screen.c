#include <histedit.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "toychat.h"

#define COLUMNS 80

static size_t columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col
								     : COLUMNS;
}

/* Cells that a text takes. */
static size_t width(const char *text, size_t len)
{
	mbstate_t state = {0};
	size_t cells = 0, n;
	wchar_t w;

	for (; len; text += n, len -= n) {
		n = mbrtowc(&w, text, len, &state);
		if (n == 0 || n > len)
			break;
		cells += wcwidth(w) > 0 ? (size_t)wcwidth(w) : 0;
	}
	return cells;
}

/* The cursor goes below the line that is typed, however many rows it has. */
void screen_leave(struct editline *e, const char *prompt)
{
	const LineInfo *line = el_line(e);
	size_t before =
	    width(prompt, strlen(prompt)) +
	    width(line->buffer, (size_t)(line->cursor - line->buffer));
	size_t after = before + width(line->cursor,
				    (size_t)(line->lastchar - line->cursor));

	for (size_t i = before / columns(); i <= after / columns(); i++)
		(void)fputs("\r\n", stdout);
	(void)fflush(stdout);
}

/* The rows of the line are others now: it is wiped and drawn anew. */
void screen_resized(struct editline *e, const char *prompt)
{
	const LineInfo *line = el_line(e);
	size_t before =
	    width(prompt, strlen(prompt)) +
	    width(line->buffer, (size_t)(line->cursor - line->buffer));

	(void)putchar('\r');
	if (before / columns())
		(void)printf("\033[%zuA", before / columns());
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
	el_resize(e);
	(void)el_set(e, EL_REFRESH);
}
