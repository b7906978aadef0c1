/* What benchmarks share that start a process and look at what it costs. */
#ifndef CHILD_H
#define CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/io.h"

extern char **environ;

/*
 * Starts a program, sought in PATH, with these as standard input and output
 * (this process' own for -1), its log going to /dev/null. Returns its id, for
 * the caller to await, or -errno. The descriptors stay the caller's.
 */
static inline pid_t child_run(char **argv, int in, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	if (in >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (out >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, out, 1);
	(void)posix_spawn_file_actions_addopen(
	    &actions, 2, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r ? -r : pid;
}

/* The same without arguments, fd being both. */
static inline pid_t child_spawn(const char *program, int fd)
{
	char *argv[] = {(char *)program, NULL};

	return child_run(argv, fd, fd);
}

/*
 * And on one end of a new pair of stream sockets; the other one, for the
 * caller to close, is in *ret_fd.
 */
static inline pid_t child_connected(const char *program, int *ret_fd)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = child_spawn(program, ends[1]);
	(void)close(ends[1]);
	if (pid < 0)
		(void)close(ends[0]);
	else
		*ret_fd = ends[0];
	return pid;
}

/* Nanoseconds that it has run, or -errno. */
static inline int64_t child_cpu_ns(pid_t pid)
{
	char path[64];
	int64_t ns = -ENODATA;
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fscanf(file, "%" SCNd64, &ns) != 1)
		ns = -ENODATA;
	(void)fclose(file);
	return ns;
}

/* The process and its children: how many, at most `most`, or -errno. */
static inline long child_family(pid_t pid, pid_t *ret, size_t most)
{
	static char text[65536];
	char path[64], *at = text, *end;
	size_t n = 0;
	ssize_t len;

	(void)snprintf(
	    path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	len = io_read_file(AT_FDCWD, path, text, sizeof text - 1);
	if (len < 0)
		return (long)len;
	text[len] = '\0';
	if (most)
		ret[n++] = pid;
	for (; n < most; at = end) {
		long child = strtol(at, &end, 10);

		if (end == at)
			break;
		ret[n++] = (pid_t)child;
	}
	return (long)n;
}

/* kB that are its own, or its share (PSS); or -errno. */
static inline long child_pss_kb(pid_t pid)
{
	char path[64], text[4096], *at;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	n = io_read_file(AT_FDCWD, path, text, sizeof text - 1);
	if (n < 0)
		return (long)n;
	text[n] = '\0';
	at = strstr(text, "\nPss:");
	return at ? strtol(at + 5, NULL, 10) : -ENODATA;
}

#endif
