/* A durable append without a room, as a floor: many at once share the file. */
#ifndef BARE_H
#define BARE_H

#include <sys/file.h>
#include <sys/uio.h>

#include "basics.h"

#define BARE_BODY                                                              \
	"the quick brown fox jumps over the lazy dog, and says so here\n"
#define BARE_FOOTER "\\~bench @ 2026-11-20T14:03:07Z bench\n"

/* With the sync inside the lock no flush is ever shared. */
static inline void bare_append(int fd, bool inside)
{
	char body[] = BARE_BODY, footer[] = BARE_FOOTER;
	struct iovec record[] = {
	    {body, sizeof body - 1}, {footer, sizeof footer - 1}};

	if (flock(fd, LOCK_EX) < 0 || writev(fd, record, 2) < 0)
		fail("writev", errno);
	if (inside && fdatasync(fd) < 0)
		fail("fdatasync", errno);
	if (flock(fd, LOCK_UN) < 0)
		fail("flock", errno);
	if (!inside && fdatasync(fd) < 0)
		fail("fdatasync", errno);
}

#endif
