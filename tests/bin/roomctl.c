/*
 * A room by hand, for tests of lib/room.h: what a door would do, and nothing
 * else. In STATE_DIRECTORY and RUNTIME_DIRECTORY:
 *
 *	roomctl append ROOM COUNT [SIZE [KEY]]
 *		Appends COUNT messages of SIZE bytes (12), each "ROOM pid
 *		number xxx..."; makes the room. A line each:
 *		"ok NUMBER START END", or "ok ... repeated", or ENOSPC ...
 *		and no more messages.
 *	roomctl look ROOM         "count=N end=N": what readers see
 *	roomctl cat ROOM          those bytes
 *	roomctl settle ROOM       then as look
 *	roomctl check ROOM        "records=N bytes=N torn=N settled=N failed=0|1
 *	roomctl repair ROOM        repaired=0|1 lost=NAME"
 *	roomctl redact ROOM NUMBER
 *	roomctl delete ROOM
 *
 * Prints "begin" to stderr once all but the room is open (a place to look for
 * in a trace), and "moved ROOM NAME BYTES" there for each repair. Exit codes:
 * 0, 1 something failed: errno's name on stdout.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io.h"
#include "lib/parse.h"
#include "lib/room.h"
#include "lib/state.h"

struct args {
	const char *room;
	uint64_t count; /* or number */
	uint64_t size;
	const char *key;
};

static struct rooms rooms;

/* Prints errno's name for a failure; returns the exit code. */
static int told(int r)
{
	if (r >= 0)
		return 0;
	printf("%s\n", strerrorname_np(-r));
	return 1;
}

static void moved(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	(void)arg;
	(void)fprintf(
	    stderr, "moved %s %s %" PRIu64 "\n", room, lost_name, bytes);
}

static int open_room(
    struct room *room, const struct args *a, enum room_mode mode)
{
	return room_open(room, &rooms, a->room, strlen(a->room), mode);
}

static int append_one(struct room *room, const struct args *a, uint64_t i)
{
	char body[LIMIT_MESSAGE];
	struct room_post post = {.body = body,
	    .body_len = a->size,
	    .newline = true,
	    .author = "~roomctl",
	    .door = "test",
	    .keys = "",
	    .key = a->key};
	struct room_posted posted;
	int r;

	memset(body, 'x', sizeof body);
	r = snprintf(
	    body, sizeof body, "%s %d %" PRIu64 " ", a->room, getpid(), i);
	body[r] = 'x';
	r = room_append(room, &post, &posted);
	if (r < 0)
		return told(r);
	printf("ok %" PRIu64 " %" PRIu64 " %" PRIu64 "%s\n", posted.number,
	    posted.start, posted.end, posted.repeated ? " repeated" : "");
	return 0;
}

static int append(const struct args *a)
{
	struct room room;
	int bad = 0, r = open_room(&room, a, ROOM_CREATE);

	if (r < 0)
		return told(r);
	for (uint64_t i = 0; i < a->count && !bad; i++) {
		bad = append_one(&room, a, i);
		(void)fflush(stdout);
	}
	room_close(&room);
	return bad;
}

static void print_look(const struct room *room)
{
	printf("count=%" PRIu64 " end=%" PRIu64 "\n", room->count, room->end);
}

static int look(const struct args *a)
{
	struct room room;
	int r = open_room(&room, a, ROOM_READ);

	if (r < 0)
		return told(r);
	print_look(&room);
	room_close(&room);
	return 0;
}

static int cat(const struct args *a)
{
	struct room room;
	char *data;
	int r = open_room(&room, a, ROOM_READ);

	if (r < 0)
		return told(r);
	data = malloc(room.end + 1);
	r = data ? room_read(&room, 0, data, room.end) : -ENOMEM;
	if (r == 0)
		(void)fwrite(data, 1, room.end, stdout);
	free(data);
	room_close(&room);
	return told(r);
}

static int settle(const struct args *a)
{
	struct room room;
	int r = open_room(&room, a, ROOM_READ);

	if (r < 0)
		return told(r);
	r = room_settle(&room);
	if (r >= 0)
		r = room_look(&room);
	if (r >= 0)
		print_look(&room);
	room_close(&room);
	return told(r);
}

static int health(const struct args *a, bool repair)
{
	struct room_health h = {0};
	int r = room_check(&rooms, a->room, repair, &h);

	if (r < 0)
		return told(r);
	printf("records=%" PRIu64 " bytes=%" PRIu64 " torn=%" PRIu64
	       " settled=%" PRIu64 " failed=%d repaired=%d lost=%s\n",
	    h.records, h.bytes, h.torn, h.settled, h.failed, h.repaired,
	    h.lost);
	return 0;
}

static int check(const struct args *a)
{
	return health(a, false);
}

static int repair(const struct args *a)
{
	return health(a, true);
}

static int redact(const struct args *a)
{
	struct room room;
	int r = open_room(&room, a, ROOM_READ);

	if (r < 0)
		return told(r);
	r = room_redact(&room, a->count);
	room_close(&room);
	return told(r);
}

static int delete (const struct args *a)
{
	return told(room_delete(&rooms, a->room));
}

static const struct command {
	const char *name;
	int (*run)(const struct args *);
} commands[] = {{"append", append}, {"look", look}, {"cat", cat},
    {"settle", settle}, {"check", check}, {"repair", repair},
    {"redact", redact}, {"delete", delete}, {NULL, NULL}};

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
	uint64_t n = otherwise;

	if (i < argc && parse_u64(argv[i], strlen(argv[i]), UINT32_MAX, &n) < 0)
		exit(100);
	return n;
}

static int open_all(struct state *state)
{
	struct state_error error;
	int r = state_open(state, &error);

	if (r < 0) {
		(void)fprintf(stderr, "roomctl: %s\n", error.text);
		return r;
	}
	return rooms_open(&rooms, state);
}

int main(int argc, char **argv)
{
	const struct command *c = commands;
	struct state state;
	struct args a = {.room = argc > 2 ? argv[2] : "",
	    .count = number(argc, argv, 3, 1),
	    .size = number(argc, argv, 4, 12),
	    .key = argc > 5 ? argv[5] : NULL};
	int r;

	while (c->name && (argc < 3 || strcmp(c->name, argv[1]) != 0))
		c++;
	if (!c->name || a.size > LIMIT_MESSAGE)
		return 100;
	io_signals();
	r = open_all(&state);
	if (r < 0)
		return told(r);
	rooms.notice = moved;
	(void)!write(2, "begin\n", 6);
	return c->run(&a);
}
