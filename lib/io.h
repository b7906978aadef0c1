/*
 * Bytes in and out, with deadlines. EINTR, short transfers and waiting are
 * dealt with here and nowhere else.
 *
 *	io_signals();                       once, at start-up
 *	io_client(&client, 0, 1);
 *	n = io_read(&client, buf, sizeof buf, clock_in(LIMIT_HEAD_MS), IO_TERM);
 *	r = io_write(&client, reply, len);
 *
 * SIGTERM means "stop when it suits the protocol": it stays blocked except
 * inside a wait that is given IO_TERM, which then ends with -EINTR; from there
 * on every such wait ends so at once. Other waits finish their work.
 *
 * All return 0 or a count, or -errno; -ETIMEDOUT is a deadline, -EPIPE (or
 * -ECONNRESET) a client that is gone.
 */
#ifndef IO_H
#define IO_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum io_how {
	IO_BUSY = 0, /* in the midst of something: SIGTERM waits */
	IO_TERM = 1, /* SIGTERM ends the wait with -EINTR */
};

/* The client of a handler: a socket, or a pair of pipes, files, terminals. */
struct client {
	int in;
	int out;
	bool socket; /* out is a socket: non-blocking, and sendfile works */
	bool blocking; /* but for io_read_soon(): see io_client_soon() */
};

/* Ignores SIGPIPE and SIGXFSZ, blocks SIGTERM and notes its arrival. */
void io_signals(void);

/* Has SIGTERM arrived, noted by a wait or not? */
bool io_terminated(void);

/* Takes up two descriptors, which the caller keeps; makes sockets
 * non-blocking. Returns 0 or -errno. */
int io_client(struct client *, int in, int out);

/* For a socket, and for who calls io_wait(), io_read() and those below that say
 * `now` alone: io_read_soon() waits, so long at most. 0 or -errno: it does not.
 */
int io_client_soon(struct client *, int ms);

/* Waits as poll(2) does, until the deadline (CLOCK_NEVER: without end).
 * Returns the number of ready descriptors, > 0, or -ETIMEDOUT, or -EINTR
 * (IO_TERM only). */
int io_wait(struct pollfd *, nfds_t, int64_t deadline, enum io_how);

/* Reads what is there, 1 to size bytes; 0 is the end of input. */
ssize_t io_read(struct client *, void *, size_t, int64_t deadline, enum io_how);

/* Looks at what came by TCP, without taking it, once that is more than `known`
 * bytes or the peer has ended: what is there, up to size bytes, and no more
 * than known at the end. -ENOTSOCK: the client is none that this can be done
 * with. (lib/io_peek.c) */
ssize_t io_peek(struct client *, void *, size_t size, size_t known,
    int64_t deadline, enum io_how);

/* Writes all. Fails with -ETIMEDOUT after LIMIT_STALL_MS without progress. */
int io_write(struct client *, const void *, size_t);
int io_writev(struct client *, struct iovec *, int count); /* uses it up */

/* Sends len bytes of a file from offset on, by sendfile(2) to sockets.
 * -EIO if the file ends before. */
int io_send_file(struct client *, int file, uint64_t offset, uint64_t len);

/* For a loop that does many things at once (io_wait on in and out): what can
 * be done now, without waiting. Bytes, fewer than asked for where that is all;
 * -EAGAIN if none; -errno. */

/* Once io_wait said that `in` is readable: 0 is the end of input. */
ssize_t io_read_now(struct client *, void *, size_t);

/* Waits for it, in one call, as long as io_client_soon() was told; -EAGAIN
 * then. SIGTERM does not end the wait. */
ssize_t io_read_soon(struct client *, void *, size_t);

ssize_t io_write_now(struct client *, const void *, size_t);

/* Of a file from offset on, by sendfile(2) to sockets. -EIO if it ends there.
 */
ssize_t io_send_file_now(
    struct client *, int file, uint64_t offset, uint64_t len);

/* Bytes that were written to a socket and that the peer has not taken yet; 0
 * where that is not known. */
size_t io_untaken(const struct client *);

/* Says that no more will come, then reads and drops what the client still
 * sends, for a moment, so that the answer is not lost to a reset; after SIGTERM
 * only what is there. (lib/io_linger.c) */
void io_linger(struct client *);

/* The same, but first, SIGTERM or not, until the client took all that was
 * written, as long as it takes something each LIMIT_STALL_MS: for an answer
 * that is larger than what the kernel may hand on after our end. */
void io_linger_taken(struct client *);

/* pread and pwrite of all of it: 0, -EIO if the file ends before, -errno. */
int io_pread(int fd, void *, size_t, uint64_t offset);
int io_pwrite(int fd, const void *, size_t, uint64_t offset);

/* Copies len bytes at offset `at` of one file to the same place of another,
 * without their passing through this process; blocks are shared where the file
 * system can. 0, -EIO if the first ends before, -errno. */
int io_copy(int from, int to, uint64_t at, uint64_t len);

/* One pread: bytes, fewer than asked for at the file's end; -errno. */
ssize_t io_pread_some(int fd, void *, size_t, uint64_t offset);

/* Reads a small file whole. Returns its length, or -EFBIG if it is longer
 * than size, or -errno. */
ssize_t io_read_file(int dir, const char *name, void *, size_t);

/* Writes to a descriptor that others share, which may be a file, a pipe that is
 * full or a terminal that is stopped: in one write(2) where that takes it all,
 * and whatever its O_NONBLOCK. *ret_done is how much was written, on failure
 * too: -ETIMEDOUT at the deadline, -ENOSPC ... */
int io_append(int fd, const void *, size_t, int64_t deadline, size_t *ret_done);

/* flock(2), waiting until the deadline at most: 0, -EBUSY, -errno. Nothing is
 * polled: a timer (SIGALRM) interrupts the wait. */
int io_flock(int fd, int operation, int64_t deadline);

/* Locks a file below a directory, exclusively, making it (0600) if need be. The
 * descriptor, which holds the lock until it is closed; -EBUSY, -errno. */
int io_lock_file(int dir, const char *name, int64_t deadline);

#endif
