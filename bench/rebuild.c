/*
 * bench/rebuild [MEGABYTES [ROUNDS]]: the first room_open() of a room after a
 * boot, when its index must be built, beside `wc -l` of the same file, both
 * with the file in memory and interleaved. Prints each round and the median of
 * the rounds' ratios. To be had: at most 4 for 200 MB.
 *
 * The room is synced before: building syncs it again, with nothing to write.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/parse.h"
#include "lib/room.h"
#include "lib/state.h"
#include "rounds.h"

#define ROUNDS_MOST 100
#define ROOM "rebuild"

extern char **environ;

struct bench {
	struct state state;
	struct rooms rooms;
	char path[PATH_MAX + 64]; /* the room file's */
};

static void fail(const char *what, int error)
{
	(void)fprintf(stderr, "rebuild: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1000000;
}

/* Messages of one line to four, as people write them. */
static void make_room(const struct bench *b, uint64_t bytes)
{
	static const char line[] =
	    "so I said to her, why not let the disk decide what is true?\n";
	FILE *file = fopen(b->path, "we");
	uint64_t n = 0;

	if (!file)
		fail(b->path, errno);
	for (uint64_t i = 0; n < bytes; i++) {
		for (uint64_t k = 0; k <= i % 4; k++)
			n += (uint64_t)fprintf(file, "%s", line);
		n += (uint64_t)fprintf(file,
		    "\\~ivan%ju @ 2026-11-20T14:03:07Z chatfile\n",
		    (uintmax_t)(i % 10));
	}
	if (fflush(file) != 0 || fsync(fileno(file)) < 0 || fclose(file) != 0)
		fail(b->path, errno);
}

static double run_open(const struct bench *b, uint64_t *ret_records)
{
	struct room room;
	double start;
	int r;

	if (unlinkat(b->rooms.index, ROOM, 0) < 0 && errno != ENOENT)
		fail("index", errno);
	start = now_ms();
	r = room_open(&room, &b->rooms, ROOM, strlen(ROOM), ROOM_READ);
	if (r < 0)
		fail("room_open", r);
	start = now_ms() - start;
	*ret_records = room.count;
	room_close(&room);
	return start;
}

static double run_wc(struct bench *b)
{
	char wc[] = "wc", lines[] = "-l", *argv[] = {wc, lines, b->path, NULL};
	posix_spawn_file_actions_t actions;
	double start = now_ms();
	int status = 1;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(
		&actions, 1, "/dev/null", O_WRONLY, 0) != 0 ||
	    posix_spawnp(&pid, "wc", &actions, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status)
		fail("wc", errno);
	(void)posix_spawn_file_actions_destroy(&actions);
	return now_ms() - start;
}

static void rounds(struct bench *b, uint64_t n)
{
	double ratio[ROUNDS_MOST] = {0}, wc, open;
	uint64_t records;

	(void)run_wc(b);
	for (uint64_t i = 0; i < n; i++) {
		wc = run_wc(b);
		open = run_open(b, &records);
		ratio[i] = open / wc;
		printf("rebuild: first open %.0f ms (%ju records)  "
		       "wc -l %.0f ms\n",
		    open, (uintmax_t)records, wc);
	}
	qsort(ratio, n, sizeof *ratio, by_size);
	printf("rebuild: %.2f of wc -l (at most 4)\n",
	    (ratio[(n - 1) / 2] + ratio[n / 2]) / 2);
}

static uint64_t number(
    int argc, char **argv, int i, uint64_t otherwise, uint64_t max)
{
	uint64_t n = otherwise;

	if (i < argc &&
	    (parse_u64(argv[i], strlen(argv[i]), max, &n) < 0 || !n))
		fail(argv[i], EINVAL);
	return n;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct state_error error;
	uint64_t megabytes = number(argc, argv, 1, 200, 100000);
	uint64_t n = number(argc, argv, 2, 9, ROUNDS_MOST);

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (state_open(&b.state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&b.rooms, &b.state) < 0)
		fail("rooms_open", errno);
	(void)snprintf(
	    b.path, sizeof b.path, "%s/rooms/" ROOM ".txt", b.state.state_path);
	make_room(&b, megabytes * 1000000);
	rounds(&b, n);
	return 0;
}
