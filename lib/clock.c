#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parse.h"

int64_t clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_in(int64_t ms)
{
	return clock_ms() + ms;
}

int clock_left(int64_t deadline)
{
	int64_t left;

	if (deadline == CLOCK_NEVER)
		return -1;
	left = deadline - clock_ms();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int64_t clock_now(void)
{
	const char *text = getenv("PARLANCE_NOW");
	uint64_t seconds;

	if (text && parse_u64(text, strlen(text), INT32_MAX, &seconds) == 0)
		return (int64_t)seconds;
	return (int64_t)time(NULL);
}

/* Years are counted from March here, so that the leap day is the last of one:
 * 400 years are 146,097 days, a century 36,524, four years 1,461. */
static void calendar_day(int64_t days, struct tm *tm)
{
	int64_t era, year, day, month;

	days += 719468; /* from 1 March of the year 0 to 1 January 1970 */
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	tm->tm_mday = (int)(day - (153 * month + 2) / 5) + 1;
	tm->tm_mon = (int)(month < 10 ? month + 2 : month - 10);
	tm->tm_year = (int)(year + era * 400 + (month >= 10)) - 1900;
}

/* Not gmtime_r, which opens /etc/localtime: a call for each process, and one
 * that its sandbox forbids. */
void clock_calendar(int64_t seconds, struct tm *ret_tm)
{
	int64_t days;
	int rest;

	if (seconds < 0)
		seconds = 0;
	if (seconds > CLOCK_LAST)
		seconds = CLOCK_LAST;
	days = seconds / 86400;
	rest = (int)(seconds % 86400);
	*ret_tm = (struct tm){.tm_hour = rest / 3600,
	    .tm_min = rest / 60 % 60,
	    .tm_sec = rest % 60,
	    .tm_wday = (int)((days + 4) % 7)};
	calendar_day(days, ret_tm);
}

static void text_as(
    int64_t seconds, const char *format, char *ret_text, size_t size)
{
	struct tm tm;

	clock_calendar(seconds, &tm);
	(void)snprintf(ret_text, size, format, tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT])
{
	text_as(
	    seconds, "%04d-%02d-%02dT%02d:%02d:%02dZ", ret_text, CLOCK_TEXT);
}

void clock_compact(int64_t seconds, char ret_text[CLOCK_COMPACT])
{
	text_as(seconds, "%04d%02d%02dT%02d%02d%02dZ", ret_text, CLOCK_COMPACT);
}

int clock_parse(const char *text, size_t len, int64_t *ret_seconds)
{
	char copy[CLOCK_TEXT], again[CLOCK_TEXT];
	struct tm tm = {0};
	const char *end;

	if (len != CLOCK_TEXT - 1)
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return -EINVAL;
	/* strptime takes 31 February and blanks; what it made of it must
	 * read the same. */
	clock_text((int64_t)timegm(&tm), again);
	if (memcmp(copy, again, sizeof copy) != 0)
		return -EINVAL;
	*ret_seconds = (int64_t)timegm(&tm);
	return 0;
}
