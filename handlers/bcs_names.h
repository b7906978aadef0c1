/*
 * A set of people's names, as a connection to the lobby keeps of those it has
 * told its client of. Names are sorted by their bytes and stand packed one
 * behind the other, each with its NUL: a thousand members, each holding such a
 * set, cost each other as many bytes as the names have.
 *
 *	struct names names = {0};
 *	names_add(&names, "alice");
 *	for (n = names_first(&names); n; n = names_after(&names, n)) ...
 *	names_release(&names);
 *
 * Names are NUL-terminated, not empty, of LIMIT_NAME bytes at most. Adding and
 * removing voids what names_first() and names_after() returned.
 */
#ifndef BCS_NAMES_H
#define BCS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
	char *data;
	size_t len;
	size_t cap;
};

void names_release(struct names *); /* leaves it empty */

/* 1 if it was added or removed, 0 if it was there, or was not, already;
 * -ENOMEM. */
int names_add(struct names *, const char *);
int names_remove(struct names *, const char *);

bool names_have(const struct names *, const char *);

/* In order; NULL at the end. names_after() takes a name that is not in the set,
 * too. */
const char *names_first(const struct names *);
const char *names_after(const struct names *, const char *);

/* The first name of a, behind `after` or NULL, that b does not have; NULL:
 * there is none. */
const char *names_missing(
    const struct names *a, const struct names *b, const char *after);

#endif
