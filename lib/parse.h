/*
 * Numbers and simple values from untrusted text. Everything takes pointer and
 * length, looks at every byte, and writes its result on success only.
 */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits, nothing else, at least one; leading zeros are allowed.
 * Returns 0, -EINVAL (not a number) or -ERANGE (above max, inclusive). */
int parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret);

/* A decimal number with an optional K, M or G (powers of 1024). As above. */
int parse_size(const char *text, size_t len, uint64_t max, uint64_t *ret);

/* Is the text equal to a C string, exactly or apart from ASCII case? */
bool parse_is(const char *text, size_t len, const char *word);
bool parse_is_case(const char *text, size_t len, const char *word);

/* Are all bytes of it letters, digits or in `also`, and 1 to max of them? */
bool parse_is_token(const char *text, size_t len, size_t max, const char *also);

#endif
