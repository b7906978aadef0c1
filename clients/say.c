#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool shown; /* a line of progress stands on the terminal */

void progress_end(void)
{
	if (shown)
		(void)fputs("\r\033[K", stderr);
	shown = false;
}

void say(const char *format, ...)
{
	va_list args;

	progress_end();
	va_start(args, format);
	(void)fprintf(stderr, "%s: ", say_name);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
}

void progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	progress_end();
	va_start(args, format);
	shown = vfprintf(stderr, format, args) > 0;
	va_end(args);
}
