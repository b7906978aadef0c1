/*
 * What powerload writes and powercheck looks for (see powercut.c): messages
 * whose text follows from who wrote them, and ledgers of what was promised.
 *
 * A ledger is a file of struct promise, outside the disk that loses power:
 * "acked.W" of writer W's acknowledged records, "shown.R" of what reader R was
 * shown, "moved.N" of what writer or reader N took away from a torn room.
 * `when` is powercut's counter right after it happened: a cut at C must keep
 * every promise with when <= C.
 */
#ifndef POWER_H
#define POWER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define POWER_ROOMS 8
#define POWER_WRITERS 16
#define POWER_TEXT 40000 /* the longest message */
#define POWER_RECORD (POWER_TEXT + 1024)

struct promise {
	uint64_t when;
	uint64_t start;
	uint64_t end;
	uint64_t hash; /* of the bytes [start, end) */
	uint32_t room;
	uint32_t writer; /* or the reader */
	uint32_t number; /* of the writer's message, from 0 */
	uint32_t shown; /* 1: by a reader, which began at 0 */
};

/* What a repair moved to lost/NAME, in "moved.N". */
struct moved {
	uint64_t when;
	uint64_t bytes;
	uint64_t hash;
	char name[104];
};

#define POWER_HASH 14695981039346656037U /* FNV-1a, of nothing */

static inline uint64_t power_hash(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 1099511628211U;
	return hash;
}

static inline uint32_t power_random(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*state >> 33);
}

/* Message `number` of a writer: "W.NUMBER LENGTH " and lines of letters, most
 * of a line or two, some of many blocks. text takes POWER_TEXT bytes; returns
 * the length. */
static inline size_t power_text(char *text, uint32_t writer, uint32_t number)
{
	uint64_t random = writer * 1000003U + number;
	size_t len = 20 + power_random(&random) % 180;
	size_t at;
	int head;

	if (power_random(&random) % 16 == 0)
		len = 3000 + power_random(&random) % (POWER_TEXT - 3000);
	head = snprintf(text, 40, "%u.%u %zu ", writer, number, len);
	for (at = (size_t)head; at < len; at++)
		text[at] = at % 71 == 70
			       ? '\n'
			       : (char)('a' + power_random(&random) % 26);
	return len;
}

#endif
