#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/text.h"
#include "toychat.h"

#define PIECE 4096
#define PROGRESS_MS 100
#define PROGRESS_BYTES (1024 * 1024)

void show_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	if (errno == EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	say("standard output: %s", strerror(errno));
	exit(EXIT_LOST);
}

/* How much of it can be cleaned by itself: no character is cut in two, nor a
 * line end of two bytes. */
static size_t piece_of(const char *text, size_t len)
{
	size_t n = PIECE;

	if (len <= PIECE)
		return len;
	for (int i = 0; i < 3 && ((unsigned char)text[n] & 0xc0) == 0x80; i++)
		n--;
	return text[n - 1] == '\r' ? n - 1 : n;
}

/* Each line feed in it is shown as another text. */
static void show_with(const char *text, size_t len, const char *feed)
{
	static char clean[3 * PIECE];
	size_t n, cleaned;

	for (; len; text += n, len -= n) {
		n = piece_of(text, len);
		cleaned = text_clean(clean, text, n);
		for (size_t i = 0; i < cleaned; i++) {
			if (clean[i] == '\n')
				(void)fputs(feed, stdout);
			else if (clean[i] != '\r')
				(void)putchar(clean[i]);
		}
	}
}

void show_text(const char *text, size_t len)
{
	show_with(text, len, "\n  ");
}

void show_raw(const struct toychat_command *reply)
{
	progress_end();
	show_with(reply->word.data, reply->word.len, "\\n");
	show_with(reply->tail.data, reply->tail.len, "\\n");
	(void)putchar('\n');
	show_flush();
}

/* --- messages ------------------------------------------------------------- */

/* The clock time, with the day unless it is today. */
static void show_time(struct slice when)
{
	int64_t seconds, now = clock_now();
	time_t then, today = (time_t)now;
	struct tm t, n;
	char text[64];

	if (clock_parse(when.data, when.len, &seconds) < 0) {
		show_text(when.data, when.len);
		return;
	}
	then = (time_t)seconds;
	if (!localtime_r(&then, &t) || !localtime_r(&today, &n))
		return;
	(void)strftime(text, sizeof text,
	    t.tm_year != n.tm_year   ? "%Y-%m-%d %H:%M"
	    : t.tm_yday != n.tm_yday ? "%e %b %H:%M"
				     : "%H:%M",
	    &t);
	(void)fputs(text, stdout);
}

bool show_message(const struct toychat_command *reply)
{
	struct slice f[TOYCHAT_FIELDS]; /* time, from, to, body */

	if (toychat_fields(reply, f, TOYCHAT_FIELDS, true) < 0)
		return false;
	show_time(f[0]);
	(void)putchar(' ');
	show_text(f[1].data, f[1].len);
	if (f[2].len == 1 && f[2].data[0] == '*')
		(void)fputs(" to all", stdout);
	(void)fputs(": ", stdout);
	show_text(f[3].data, f[3].len);
	(void)putchar('\n');
	return true;
}

void show_files(const struct toychat_command *reply)
{
	const char *at = reply->tail.data, *end = at + reply->tail.len;

	if (at == end)
		(void)puts("no files");
	while (at < end) {
		const char *space = memchr(at + 1, ' ', (size_t)(end - at - 1));

		if (!space)
			space = end;
		(void)fputs("  ", stdout);
		show_text(at + 1, (size_t)(space - at - 1));
		(void)putchar('\n');
		at = space;
	}
}

void show_inbox(const struct inbox *in)
{
	if (!in->senders)
		(void)puts("nothing unread");
	for (size_t i = 0; i < in->listed; i++)
		(void)printf("%5ju  %s%s\n", (uintmax_t)in->list[i].count,
		    in->list[i].name,
		    strcmp(in->list[i].name, "*") == 0 ? "  (to all)" : "");
	if (in->senders > in->listed)
		(void)printf("and of %zu more\n", in->senders - in->listed);
}

/* --- progress ------------------------------------------------------------- */

/* In the greatest unit that it fills. */
static void put_size(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	double n = (double)bytes;
	size_t u = 0;

	for (; n >= 1024 && u < 3; u++)
		n /= 1024;
	(void)snprintf(out, size, u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

void show_progress(const char *name, uint64_t done, uint64_t of)
{
	static int64_t next;
	char a[32], b[32], clean[3 * 32 + 1];
	bool first;
	size_t n;

	if (!name) {
		progress_end();
		next = 0;
		return;
	}
	if (!isatty(STDERR_FILENO) || clock_ms() < next)
		return;
	/* Small ones are done before anyone could read it. */
	first = !next;
	next = clock_in(PROGRESS_MS);
	if (first && of < PROGRESS_BYTES)
		return;
	n = strlen(name) < 32 ? strlen(name) : 32;
	while (n && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	clean[text_clean(clean, name, n)] = '\0';
	put_size(a, sizeof a, done);
	put_size(b, sizeof b, of);
	progress("%s  %s of %s  %.0f%%", clean, a, b,
	    of ? 100.0 * (double)done / (double)of : 100);
}
