/*
 * Arbitrary bytes as a room file, found after a boot and again under a running
 * process: what is read must be what a plain reading of the format finds, line
 * by line; the rest must be in lost/; and the room must take another message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/footer.h"
#include "lib/room.h"
#include "lib/state.h"

#define NAME "fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/dev/shm/parlance-fuzz-XXXXXX";
static struct state state;
static struct rooms rooms;
static char lost[256];

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static void clean_up(void)
{
	char command[64];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
	(void)!system(command);
}

static void on_notice(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	(void)arg;
	(void)room;
	(void)bytes;
	(void)snprintf(lost, sizeof lost, "%s", lost_name);
}

static void set_up(void)
{
	static char path[64];
	struct state_error error;

	if (state.state)
		return;
	CHECK(mkdtemp(directory));
	CHECK(atexit(clean_up) == 0);
	(void)snprintf(path, sizeof path, "%s/state", directory);
	CHECK(setenv("STATE_DIRECTORY", path, 1) == 0);
	(void)snprintf(path, sizeof path, "%s/run", directory);
	CHECK(setenv("RUNTIME_DIRECTORY", path, 1) == 0);
	CHECK(state_open(&state, &error) == 0);
	CHECK(rooms_open(&rooms, &state) == 0);
	rooms.notice = on_notice;
}

static void put(const uint8_t *data, size_t size, int how)
{
	int fd =
	    openat(rooms.rooms, NAME ".txt", O_WRONLY | O_CREAT | how, 0640);

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	CHECK(close(fd) == 0);
}

/* Where the next record ends, by the letter of design 4; 0 if there is none. */
static size_t next_end(const char *data, size_t size, size_t from)
{
	for (size_t line = from, i = from; i < size && data[i]; i++) {
		if (data[i] != '\n')
			continue;
		if (footer_is(data + line, i - line))
			return i + 1;
		line = i + 1;
	}
	return 0;
}

/* The room has the records that these bytes hold. Returns where they end. */
static size_t compare(const struct room *room, const char *data, size_t size)
{
	size_t at = 0, end;
	uint64_t k = 0, found;
	struct room_span span;
	struct footer footer;
	struct slice body, file;

	while ((end = next_end(data, size, at))) {
		CHECK(room_find(room, ++k, &span) == 0);
		CHECK(span.start == at && span.end == end);
		room_record(data + at, end - at, &body, &footer);
		CHECK(span.upload == footer_value(&footer, "file", &file));
		CHECK(body.len < end - at);
		CHECK(room_number_at(room, at, &found) == 0 && found == k);
		at = end;
	}
	CHECK(room->count == k && room->end == at);
	return at;
}

static void check_file(int dir, const char *name, const char *data, size_t size)
{
	char *read_back = malloc(size + 1);
	int fd = openat(dir, name, O_RDONLY);

	CHECK(read_back && fd >= 0);
	CHECK(read(fd, read_back, size + 1) == (ssize_t)size);
	CHECK(memcmp(read_back, data, size) == 0);
	CHECK(close(fd) == 0);
	free(read_back);
}

static void say(struct room *room)
{
	struct room_post post = {.body = "more",
	    .body_len = 4,
	    .newline = true,
	    .author = "alice",
	    .door = "fuzz",
	    .keys = ""};
	uint64_t count = room->count, end = room->end;
	struct room_posted p;
	struct room_health h;

	CHECK(room_append(room, &post, &p) == 0);
	CHECK(p.number == count + 1 && p.start == end);
	CHECK(room->count == count + 1 && room->end == p.end);
	CHECK(room_check(&rooms, NAME, false, &h) == 0);
	CHECK(h.records == room->count && !h.torn && !h.settled);
}

/* As found after a boot. */
static void found(struct room *room, const char *data, size_t size)
{
	size_t whole;

	lost[0] = '\0';
	CHECK(room_open(room, &rooms, NAME, strlen(NAME), ROOM_READ) == 0);
	whole = compare(room, data, size);
	CHECK(!lost[0] == (whole == size));
	check_file(rooms.rooms, NAME ".txt", data, whole);
	if (whole == size)
		return;
	check_file(rooms.lost, lost, data + whole, size - whole);
	CHECK(unlinkat(rooms.lost, lost, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct room room;
	uint64_t count, end;

	set_up();
	(void)unlinkat(rooms.index, NAME, 0);
	(void)unlinkat(rooms.rooms, NAME ".txt", 0);
	put(data, size, O_TRUNC);
	found(&room, (const char *)data, size);
	say(&room);

	/* As left behind by a killed writer, or added by hand. */
	put(data, size, O_APPEND);
	lost[0] = '\0';
	CHECK(room_settle(&room) == 0);
	if (lost[0])
		CHECK(unlinkat(rooms.lost, lost, 0) == 0);
	say(&room);

	/* And all of it is found again. */
	count = room.count;
	end = room.end;
	CHECK(unlinkat(rooms.index, NAME, 0) == 0);
	CHECK(room_look(&room) >= 0);
	CHECK(room.count == count && room.end == end);
	say(&room);
	room_close(&room);
	return 0;
}
