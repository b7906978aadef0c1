#include "clock.h"

#include <errno.h>
#include <limits.h>
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

static void text_as(
    int64_t seconds, const char *format, char *ret_text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(ret_text, size, format, &tm))
		ret_text[0] = '\0';
}

void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT])
{
	text_as(seconds, "%Y-%m-%dT%H:%M:%SZ", ret_text, CLOCK_TEXT);
}

void clock_compact(int64_t seconds, char ret_text[CLOCK_COMPACT])
{
	text_as(seconds, "%Y%m%dT%H%M%SZ", ret_text, CLOCK_COMPACT);
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
