/*
 * Time: monotonic milliseconds for deadlines, wall-clock seconds for footers.
 * PARLANCE_NOW (seconds since 1970) replaces the wall clock in tests.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "2026-11-20T14:03:07Z" and a NUL. */
#define CLOCK_TEXT 21
/* "20261120T140307Z" and a NUL, for names of files. */
#define CLOCK_COMPACT 17

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

/* Milliseconds on CLOCK_MONOTONIC. */
int64_t clock_ms(void);

/* The deadline that many milliseconds from now. */
int64_t clock_in(int64_t ms);

/* Milliseconds left until a deadline for poll(2): 0 if past, -1 for never. */
int clock_left(int64_t deadline);

/* Seconds since 1970, UTC. */
int64_t clock_now(void);

/* The last second of the year 9999. */
#define CLOCK_LAST INT64_C(253402300799)

/* The date and time in UTC (all but tm_yday), of the years 1970 to 9999: what
 * lies outside becomes their first or last second. */
void clock_calendar(int64_t seconds, struct tm *ret_tm);

/* RFC 3339 in UTC, whole seconds (design 4), and the short form of lost/. */
void clock_text(int64_t seconds, char ret_text[CLOCK_TEXT]);
void clock_compact(int64_t seconds, char ret_text[CLOCK_COMPACT]);

/* Reads what clock_text wrote. 0, or -EINVAL for anything else. */
int clock_parse(const char *text, size_t len, int64_t *ret_seconds);

#endif
