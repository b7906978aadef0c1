/*
 * bench/append [ROUNDS [SECONDS]]: durable appends a second by 16
 * processes to one room, in three ways, interleaved so that the disk's moods
 * hit all of them:
 *
 *	room    room_append() of lib/room.h: returns when on disk and indexed
 *	bare    flock, writev, unlock, fdatasync of the same bytes
 *	inside  flock, writev, fdatasync, unlock: no flush is ever shared
 *
 * Prints each round and the medians of the rounds' ratios. To be had: room at
 * least 0.8 of bare, and more than inside. STATE_DIRECTORY is to be on a real
 * disk (in memory a flush costs nothing), RUNTIME_DIRECTORY in memory, as /run
 * is. A new room each round.
 */
#include <limits.h>
#include <sys/stat.h>

#include "bare.h"
#include "lib/room.h"
#include "lib/state.h"
#include "race.h"
#include "rounds.h"

#define WRITERS 16
#define ROUNDS_MOST 100

enum way { ROOM, BARE, INSIDE, WAYS };
static const char *const way_names[WAYS] = {"room", "bare", "inside"};

struct bench {
	struct state state;
	struct rooms rooms;
	struct race *race;
	int64_t ms;
	enum way way; /* of this round */
	char name[32]; /* of its room */
};

static void append_room(struct room *room)
{
	struct room_post post = {.body = BARE_BODY,
	    .body_len = sizeof BARE_BODY - 1,
	    .author = "~bench",
	    .door = "bench",
	    .keys = ""};
	struct room_posted posted;
	int r = room_append(room, &post, &posted);

	if (r < 0)
		fail("room_append", r);
}

static int open_file(const struct bench *b)
{
	char path[PATH_MAX + 64];
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/rooms/%s.txt", b->state.state_path, b->name);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		fail(path, errno);
	return fd;
}

static void writer(void *arg)
{
	const struct bench *b = arg;
	uint64_t n = 0;
	struct room room;
	int fd = -1, r;

	if (b->way == ROOM) {
		r = room_open(
		    &room, &b->rooms, b->name, strlen(b->name), ROOM_CREATE);
		if (r < 0)
			fail("room_open", r);
	} else {
		fd = open_file(b);
	}
	race_start(b->race);
	for (; !b->race->stop; n++) {
		if (b->way == ROOM)
			append_room(&room);
		else
			bare_append(fd, b->way == INSIDE);
	}
	b->race->done += n;
}

/* Appends a second. */
static double run(struct bench *b, enum way way, uint64_t round)
{
	(void)snprintf(b->name, sizeof b->name, "%s-%ju", way_names[way],
	    (uintmax_t)round);
	b->way = way;
	return race_run(b->race, WRITERS, b->ms, writer, b);
}

static double middle(const double *values, size_t n)
{
	double sorted[ROUNDS_MOST];

	memcpy(sorted, values, n * sizeof *values);
	qsort(sorted, n, sizeof *sorted, by_size);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static void rounds(struct bench *b, uint64_t n)
{
	double to_bare[ROUNDS_MOST] = {0}, to_inside[ROUNDS_MOST] = {0};
	double rate[WAYS];

	for (uint64_t i = 0; i < n; i++) {
		for (enum way w = 0; w < WAYS; w++)
			rate[w] = run(b, w, i);
		to_bare[i] = rate[ROOM] / rate[BARE];
		to_inside[i] = rate[ROOM] / rate[INSIDE];
		printf("append: room %.0f/s  bare %.0f/s  inside %.0f/s\n",
		    rate[ROOM], rate[BARE], rate[INSIDE]);
	}
	printf("append: room is %.2f of bare (at least 0.8), "
	       "%.2f of inside (more than 1)\n",
	    middle(to_bare, n), middle(to_inside, n));
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct state_error error;
	uint64_t n = number(argc, argv, 1, ROUNDS_MOST, 15);

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	b.ms = (int64_t)number(argc, argv, 2, 60, 1) * 1000;
	b.race = shared(sizeof *b.race);
	if (state_open(&b.state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&b.rooms, &b.state) < 0)
		fail("rooms_open", errno);
	rounds(&b, n);
	return 0;
}
