/*
 * Input right against an unmapped page: one byte read or written past its end
 * is a fault. For tests of parsers (style 21); include after cmocka.h.
 *
 *	struct guard g;
 *	guard_init(&g);
 *	parse(guard_put(&g, "text", 4), 4);
 *	guard_release(&g);
 */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_ROOM ((size_t)512 * 1024)

struct guard {
	char *base;
	char *end; /* the unmapped page */
};

static inline void guard_init(struct guard *g)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	g->base = mmap(NULL, GUARD_ROOM + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g->base != MAP_FAILED);
	g->end = g->base + GUARD_ROOM;
	assert_int_equal(mprotect(g->end, page, PROT_NONE), 0);
}

/* Room for len bytes (at most GUARD_ROOM) that ends at the page. */
static inline char *guard_room(struct guard *g, size_t len)
{
	assert_true(len <= GUARD_ROOM);
	return g->end - len;
}

/* The same with a copy of data in it. */
static inline char *guard_put(struct guard *g, const void *data, size_t len)
{
	char *at = guard_room(g, len);

	if (len)
		memcpy(at, data, len);
	return at;
}

static inline void guard_release(struct guard *g)
{
	(void)munmap(g->base, GUARD_ROOM + (size_t)sysconf(_SC_PAGESIZE));
}

#endif
