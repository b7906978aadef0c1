/*
 * What the helpers of a host (fanout, gallery) and those who speak to them
 * share: one helper of a kind at a time, by flock on RUNTIME_DIRECTORY/
 * NAME.lock, and its socket beside it (design 8). Paths of sockets may be
 * longer than a sockaddr holds: these go through the directory's descriptor
 * in /proc/self/fd, or by the path where there is no /proc.
 *
 *	lock = helper_lock(&state, "fanout.lock", CLOCK_NEVER);
 *	fd = helper_listen(&state, "fanout.sock", SOCK_SEQPACKET, 0600);
 *	...
 *	fd = helper_connect(&state, "fanout.sock", SOCK_SEQPACKET);
 */
#ifndef HELPER_H
#define HELPER_H

#include <stdint.h>
#include <sys/types.h>

#include "state.h"

/* Takes the lock, waiting for it till the deadline (clock.h). Returns the
 * descriptor that holds it until it is closed, -EBUSY or -errno. The file is
 * never removed. */
int helper_lock(const struct state *, const char *name, int64_t deadline);

/* Makes a listening socket, non-blocking, in place of what stands there: to be
 * called under the lock alone. The mode is the file's, whatever the umask.
 * Returns it or -errno. */
int helper_listen(
    const struct state *, const char *name, int type, mode_t mode);

/* Connects, without waiting. Returns a non-blocking socket, or -ENOENT or
 * -ECONNREFUSED (nobody listens), -EAGAIN (its backlog is full), -errno. */
int helper_connect(const struct state *, const char *name, int type);

/* Raises the soft limit of descriptors to the hard one; returns it. */
uint64_t helper_raise_files(void);

#endif
