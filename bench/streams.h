/* What bench/streams and bench/parked share: a room, and a gallery. */
#ifndef STREAMS_H
#define STREAMS_H

#include <signal.h>
#include <sys/wait.h>

#include "basics.h"
#include "lib/clock.h"
#include "lib/helper.h"
#include "lib/park.h"
#include "lib/room.h"
#include "lib/state.h"

#define ROOM "lobby"
#define BODY "the quick brown fox jumps over the lazy dog, and says so here"

struct stage {
	const char *gallery; /* the program */
	struct state state;
	struct rooms rooms;
	struct room room;
};

static inline void say(struct stage *s)
{
	struct room_post post = {.body = BODY,
	    .body_len = sizeof BODY - 1,
	    .newline = true,
	    .author = "~bench",
	    .door = "bench",
	    .keys = ""};
	struct room_posted posted;
	int r = room_append(&s->room, &post, &posted);

	if (r < 0)
		fail("room_append", r);
}

/* A room with one message in it. */
static inline void stage_open(struct stage *s, const char *gallery)
{
	struct state_error error;

	s->gallery = gallery;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)helper_raise_files();
	if (state_open(&s->state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&s->rooms, &s->state) < 0 ||
	    room_open(&s->room, &s->rooms, ROOM, strlen(ROOM), ROOM_CREATE) < 0)
		fail("room", errno);
	say(s);
}

static inline pid_t gallery_start(const struct stage *s)
{
	int64_t deadline = clock_in(10000);
	struct timespec moment = {0, 5000000};
	pid_t pid = fork();
	int fd;

	must("fork", pid);
	if (pid == 0) {
		silence();
		(void)execl(s->gallery, s->gallery, (char *)NULL);
		_exit(127);
	}
	while (
	    (fd = helper_connect(&s->state, PARK_SOCKET, SOCK_SEQPACKET)) < 0) {
		if (clock_left(deadline) == 0)
			fail(s->gallery, fd);
		(void)nanosleep(&moment, NULL);
	}
	(void)close(fd);
	return pid;
}

static inline void gallery_stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
}

/* Hands it over for what is said from now on, and closes it. */
static inline void gallery_park(const struct stage *s, int fd)
{
	int r = park_hand_over(
	    &s->state, fd, ROOM, s->room.count + 1, source_parse("127.0.0.1"));

	if (r < 0)
		fail("park_hand_over", r);
	(void)close(fd);
}

#endif
