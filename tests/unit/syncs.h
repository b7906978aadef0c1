/*
 * Syncs that fail, for tests of the database: SQLite's own come here. Include
 * after cmocka.h.
 */
#ifndef SYNCS_H
#define SYNCS_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failing_syncs; /* so many of the next ones */

int fdatasync(int fd)
{
	if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

#endif
