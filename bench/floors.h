/*
 * What bench/deliver compares with: two bare servers for a crowd that need not
 * register. The first connection is the sender's. Each message is appended to
 * a file, synced, and then answered; each of the others gets it as a deliver
 * frame from that file, one at a time, and acknowledges it.
 *
 *	processes	one for each receiver, woken by a SEQPACKET datagram; it
 *			preads the record, writes the frame, reads the status
 *	loop		one process, one epoll loop
 *
 * Nothing is checked, nothing waits but for what is sure to come, every record
 * has the same length, no message is lost to a full socket.
 */
#ifndef FLOORS_H
#define FLOORS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "basics.h"
#include "crowd.h"

#define FLOOR_BODY_LEN (sizeof CROWD_BODY - 1)
#define FLOOR_FOOTER "\n\\~m0 @ 2026-11-20T14:03:07Z bench\n"
#define FLOOR_RECORD (FLOOR_BODY_LEN + sizeof FLOOR_FOOTER - 1)
#define FLOOR_HEAD (1 + 2 + 2 + 2) /* of a deliver from "m0" */
#define FLOOR_STATUS 4

struct floor {
	int file;
	off_t end; /* of the file */
	int sender;
	size_t count; /* receivers */
	int *receivers; /* sockets, or bells of processes */
	/* The loop's: */
	off_t *cursors;
	bool *waiting; /* for the acknowledgement */
	char frame[FLOOR_HEAD + FLOOR_RECORD];
	off_t in_frame; /* where the record in it stands; -1: none */
};

static inline void floor_head(char frame[FLOOR_HEAD])
{
	const unsigned char head[FLOOR_HEAD] = {
	    BCS_DELIVER, 0, 2, 'm', '0', 0, FLOOR_BODY_LEN};

	memcpy(frame, head, sizeof head);
}

/* Appends it, syncs, answers. */
static inline void floor_store(struct floor *f, const char *body)
{
	static const char ok[FLOOR_STATUS] = {BCS_STATUS, BCS_OK, 0, 0};
	char record[FLOOR_RECORD];

	memcpy(record, body, FLOOR_BODY_LEN);
	memcpy(record + FLOOR_BODY_LEN, FLOOR_FOOTER, sizeof FLOOR_FOOTER - 1);
	if (write(f->file, record, sizeof record) != (ssize_t)sizeof record ||
	    fdatasync(f->file) < 0 ||
	    write(f->sender, ok, sizeof ok) != (ssize_t)sizeof ok)
		_exit(111);
	f->end += (off_t)sizeof record;
}

/* The next message; the sender waits for its status. Ends the process with the
 * sender. */
static inline void floor_take(struct floor *f)
{
	char send_frame[3 + FLOOR_BODY_LEN];

	if (recv(f->sender, send_frame, sizeof send_frame, MSG_WAITALL) !=
	    (ssize_t)sizeof send_frame)
		_exit(0);
	floor_store(f, send_frame + 3);
}

/* --- a process for each ----------------------------------------------------
 */

static inline void floor_receiver(int file, int bell, int fd)
{
	char frame[FLOOR_HEAD + FLOOR_RECORD], status[FLOOR_STATUS];
	off_t end, cursor = 0;

	floor_head(frame);
	while (recv(bell, &end, sizeof end, 0) == (ssize_t)sizeof end)
		for (; cursor < end; cursor += (off_t)FLOOR_RECORD)
			if (pread(file, frame + FLOOR_HEAD, FLOOR_RECORD,
				cursor) < 0 ||
			    write(fd, frame, FLOOR_HEAD + FLOOR_BODY_LEN) < 0 ||
			    read(fd, status, sizeof status) <= 0)
				_exit(0);
	_exit(0);
}

static inline void floor_processes(struct floor *f, int listener)
{
	for (size_t i = 0; i < f->count; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), pair[2];

		if (socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			_exit(111);
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			floor_receiver(f->file, pair[1], fd);
		}
		(void)close(fd);
		(void)close(pair[1]);
		f->receivers[i] = pair[0];
	}
	for (;;) {
		floor_take(f);
		for (size_t i = 0; i < f->count; i++)
			if (send(f->receivers[i], &f->end, sizeof f->end,
				MSG_NOSIGNAL) < 0)
				_exit(111);
	}
}

/* --- one for all -----------------------------------------------------------
 */

/* The next message to those who wait for none and lack one. */
static inline void floor_serve(struct floor *f, size_t i)
{
	if (f->waiting[i] || f->cursors[i] == f->end)
		return;
	if (f->in_frame != f->cursors[i] &&
	    pread(f->file, f->frame + FLOOR_HEAD, FLOOR_RECORD, f->cursors[i]) <
		0)
		_exit(111);
	f->in_frame = f->cursors[i];
	if (write(f->receivers[i], f->frame, FLOOR_HEAD + FLOOR_BODY_LEN) < 0)
		_exit(0);
	f->waiting[i] = true;
	f->cursors[i] += (off_t)FLOOR_RECORD;
}

static inline void floor_event(struct floor *f, size_t i)
{
	char status[FLOOR_STATUS];

	if (i < f->count) {
		if (read(f->receivers[i], status, sizeof status) <= 0)
			_exit(0);
		f->waiting[i] = false;
		floor_serve(f, i);
		return;
	}
	floor_take(f);
	for (size_t k = 0; k < f->count; k++)
		floor_serve(f, k);
}

static inline void floor_loop(struct floor *f, int listener)
{
	struct epoll_event e = {.events = EPOLLIN}, events[256];
	int poll = epoll_create1(EPOLL_CLOEXEC), n;

	for (e.data.u64 = 0; e.data.u64 < f->count; e.data.u64++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		(void)epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
		f->receivers[e.data.u64] = fd;
	}
	(void)epoll_ctl(poll, EPOLL_CTL_ADD, f->sender, &e);
	while ((n = epoll_wait(poll, events, 256, -1)) > 0)
		for (int i = 0; i < n; i++)
			floor_event(f, events[i].data.u64);
	_exit(111);
}

/* Starts one over the file, which is made anew. Returns its process; it ends
 * with the sender's connection. */
static inline pid_t floor_start(void (*serve)(struct floor *, int),
    const char *path, size_t receivers, uint16_t *ret_port)
{
	struct floor f = {.count = receivers, .in_frame = -1};
	struct sockaddr_in at;
	int listener = loopback_listen(&at);
	pid_t pid;

	*ret_port = ntohs(at.sin_port);
	f.file =
	    open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	must(path, f.file);
	pid = fork();
	must("fork", pid);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		f.receivers = table(receivers, sizeof *f.receivers);
		f.cursors = table(receivers, sizeof *f.cursors);
		f.waiting = table(receivers, sizeof *f.waiting);
		floor_head(f.frame);
		f.sender = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		serve(&f, listener);
	}
	(void)close(listener);
	(void)close(f.file);
	return pid;
}

#endif
