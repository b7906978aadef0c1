/* What the tests of toychat's codec share; include after cmocka.h. */
#ifndef TOYCHAT_FIXTURE_H
#define TOYCHAT_FIXTURE_H

#include <string.h>

#include "handlers/toychat_wire.h"

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline void assert_slice(struct slice is, const char *should)
{
	assert_non_null(is.data);
	assert_int_equal(is.len, strlen(should));
	assert_memory_equal(is.data, should, is.len);
}

static inline long scan_whole(
    struct toychat_command *ret, const char *data, size_t len)
{
	struct toychat_scan scan;

	toychat_scan_init(&scan, "upload", TOYCHAT_COMMAND_MAX);
	return toychat_scan(&scan, ret, data, len);
}

#endif
