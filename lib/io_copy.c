/* Copying within the machine, by whatever the kernel does itself. */
#include <errno.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "io.h"

/* So much at once: the kernel goes no further than 2 GiB. */
#define COPY_MAX (1024 * 1024 * 1024)

/* Two file systems, or one that shares no blocks: by the page cache. */
static ssize_t copy_by_sending(int from, int to, uint64_t at, size_t len)
{
	off_t offset = (off_t)at;

	if (lseek(to, (off_t)at, SEEK_SET) < 0)
		return -1;
	return sendfile(to, from, &offset, len);
}

static ssize_t copy_some(
    int from, int to, uint64_t at, size_t len, bool *by_range)
{
	off_t in = (off_t)at, out = (off_t)at;
	ssize_t n;

	if (*by_range) {
		n = copy_file_range(from, &in, to, &out, len, 0);
		if (n > 0)
			return n;
		*by_range = n < 0 && (errno == EINTR || errno == ENOSPC ||
					 errno == EDQUOT || errno == EFBIG);
		if (*by_range)
			return n;
	}
	return copy_by_sending(from, to, at, len);
}

int io_copy(int from, int to, uint64_t at, uint64_t len)
{
	bool by_range = true;
	ssize_t n;

	while (len) {
		n = copy_some(from, to, at,
		    len < COPY_MAX ? (size_t)len : COPY_MAX, &by_range);
		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
	return 0;
}
