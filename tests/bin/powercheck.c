/*
 * Was every promise kept that was made before the power cut? (see powercut.c,
 * powerload.c)
 *
 *	powercheck LEDGERS CUT
 *
 * STATE_DIRECTORY is on the disk that lost power, mounted again;
 * RUNTIME_DIRECTORY is empty, as after a boot. Each room is opened, which
 * repairs it, and then looked at through room.h:
 *
 *	- what was acknowledged, or shown to a reader, before CUT stands at the
 *	  same place, byte for byte: offsets of synced clients hold;
 *	- no record is there twice, and each that is there is whole, whether or
 *	  not anybody was promised it;
 *	- what was behind the last of them is now in lost/, byte for byte, and
 *	  the room file ends with the last record;
 *	- what repairs moved to lost/ before the cut is still there;
 *	- room_check() finds nothing to repair, and the next append works.
 *
 * Prints a line for every promise broken and one of counts at the end. Exit
 * codes: 0 all were kept, 1 not.
 */
#include "power.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/parse.h"
#include "lib/room.h"
#include "lib/state.h"

#define NUMBERS 65536 /* messages a writer may have written */

/* A file read whole. */
struct bytes {
	char *data;
	size_t len;
};

struct check {
	struct state state;
	struct rooms rooms;
	struct promise *promises; /* those made before the cut */
	size_t count;
	char lost_name[128]; /* what the last repair moved */
	uint64_t lost_bytes;
	size_t file_size, first_nul; /* of the room's file, as it was found */
	uint64_t records, moved, tails, kept, broken;
	unsigned char *seen; /* NUMBERS a writer */
};

static void fail(const char *what, int error)
{
	(void)fprintf(
	    stderr, "powercheck: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static void broken(struct check *c, uint32_t room, const char *what, uint64_t n)
{
	printf("r%u: %s (%ju)\n", room, what, (uintmax_t)n);
	c->broken++;
}

static void note(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	struct check *c = arg;

	(void)room;
	(void)snprintf(c->lost_name, sizeof c->lost_name, "%s", lost_name);
	c->lost_bytes = bytes;
}

/* 0 or -ENOENT. */
static int slurp(const char *folder, const char *name, struct bytes *ret)
{
	char path[PATH_MAX];
	FILE *file;
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "rbe");
	if (!file)
		return errno == ENOENT ? -ENOENT : (fail(path, errno), 0);
	if (fstat(fileno(file), &st) < 0)
		fail(path, errno);
	ret->len = (size_t)st.st_size;
	ret->data = malloc(ret->len + 1);
	if (!ret->data || fread(ret->data, 1, ret->len, file) != ret->len)
		fail(path, errno);
	(void)fclose(file);
	return 0;
}

/* --- promises --- */

/* Takes up a promise. The last one of what a reader was shown of a room holds
 * all before it; they begin at c->promises[from]. */
static void load_promise(struct check *c, const struct promise *p, size_t from)
{
	for (size_t i = from; p->shown && i < c->count; i++) {
		if (c->promises[i].room == p->room) {
			c->promises[i] = *p;
			return;
		}
	}
	c->promises[c->count++] = *p;
}

static void load_ledger(
    struct check *c, const char *folder, const char *name, uint64_t cut)
{
	const struct promise *p;
	struct bytes ledger;
	size_t from = c->count;

	if (slurp(folder, name, &ledger) < 0)
		return;
	c->promises = realloc(
	    c->promises, c->count * sizeof *c->promises + ledger.len + 1);
	if (!c->promises)
		fail("realloc", errno);
	p = (const struct promise *)ledger.data;
	for (size_t i = 0; i < ledger.len / sizeof *p; i++)
		if (p[i].when <= cut)
			load_promise(c, &p[i], from);
	free(ledger.data);
}

static void load(struct check *c, const char *folder, uint64_t cut)
{
	char name[32];

	for (uint32_t i = 0; i < POWER_WRITERS; i++) {
		(void)snprintf(name, sizeof name, "acked.%u", i);
		load_ledger(c, folder, name, cut);
		(void)snprintf(name, sizeof name, "shown.%u", i);
		load_ledger(c, folder, name, cut);
	}
}

static void broken_promise(struct check *c, const struct promise *p,
    const char *what, struct bytes now)
{
	printf("r%u: promised and %s: [%ju, %ju) at %ju, %s %u; the room ends "
	       "at %zu, its file ended at %zu, with a NUL at %zu\n",
	    p->room, what, (uintmax_t)p->start, (uintmax_t)p->end,
	    (uintmax_t)p->when, p->shown ? "reader" : "writer", p->writer,
	    now.len, c->file_size, c->first_nul);
	c->broken++;
}

static void check_promises(struct check *c, uint32_t room, struct bytes now)
{
	const struct promise *p;

	for (p = c->promises; p < c->promises + c->count; p++) {
		if (p->room != room)
			continue;
		if (p->end > now.len)
			broken_promise(c, p, "gone", now);
		else if (power_hash(POWER_HASH, now.data + p->start,
			     p->end - p->start) != p->hash)
			broken_promise(c, p, "altered", now);
	}
}

/* What a repair told to have moved must be there: it is no longer in the room
 * file. */
static void check_moved(struct check *c, const struct moved *m)
{
	struct bytes lost = {NULL, 0};
	char folder[PATH_MAX + 8];

	(void)snprintf(folder, sizeof folder, "%s/lost", c->state.state_path);
	if (slurp(folder, m->name, &lost) < 0 || lost.len != m->bytes ||
	    power_hash(POWER_HASH, lost.data, lost.len) != m->hash) {
		printf("lost/%s: gone or altered\n", m->name);
		c->broken++;
	}
	free(lost.data);
	c->kept++;
}

static void check_lost(struct check *c, const char *ledgers, uint64_t cut)
{
	const struct moved *m;
	struct bytes ledger;
	char name[32];

	for (uint32_t i = 0; i < POWER_WRITERS; i++) {
		(void)snprintf(name, sizeof name, "moved.%u", i);
		if (slurp(ledgers, name, &ledger) < 0)
			continue;
		m = (const struct moved *)ledger.data;
		for (size_t k = 0; k < ledger.len / sizeof *m; k++)
			if (m[k].when <= cut)
				check_moved(c, &m[k]);
		free(ledger.data);
	}
}

/* --- records --- */

/* Is it what a writer wrote, all of it? Which one, in *ret. */
static bool is_whole(struct slice body, const struct footer *f, size_t *ret)
{
	static char text[POWER_TEXT];
	char head[64], author[16];
	unsigned writer, number;
	size_t len = body.len < sizeof head - 1 ? body.len : sizeof head - 1;

	memcpy(head, body.data, len);
	head[len] = '\0';
	if (sscanf(head, "%u.%u ", &writer, &number) != 2 ||
	    writer >= POWER_WRITERS || number >= NUMBERS)
		return false;
	*ret = (size_t)writer * NUMBERS + number;
	len = power_text(text, writer, number);
	if (len != body.len || memcmp(text, body.data, len) != 0)
		return false;
	len = (size_t)snprintf(author, sizeof author, "~w%u", writer);
	return f->author.len == len && memcmp(f->author.data, author, len) == 0;
}

static void check_record(
    struct check *c, uint32_t room, uint64_t number, struct slice record)
{
	struct footer footer;
	struct slice body;
	size_t which = 0;

	room_record(record.data, record.len, &body, &footer);
	if (!is_whole(body, &footer, &which))
		broken(c, room, "a record is not whole, number", number);
	else if (c->seen[which]++)
		broken(c, room, "a record stands twice, number", number);
	c->records++;
}

static void check_records(
    struct check *c, uint32_t number, struct room *room, struct bytes now)
{
	struct room_span span;
	uint64_t end = 0;
	int r;

	for (uint64_t k = 1; k <= room->count; k++) {
		r = room_find(room, k, &span);
		if (r < 0)
			fail(room->name, r);
		if (span.start != end || span.end <= end || span.end > now.len)
			broken(c, number, "no such place, record", k);
		else
			check_record(c, number, k,
			    (struct slice){
				now.data + span.start, span.end - span.start});
		end = span.end;
	}
	if (end != room->end)
		broken(c, number, "the index ends early, at", end);
}

/* --- rooms --- */

/* What stood behind the whole records is in lost/ and no longer here. */
static void check_tail(struct check *c, uint32_t number,
    const struct bytes *before, const struct bytes *after, uint64_t end)
{
	size_t tail = before->len - (size_t)end;
	struct bytes lost = {NULL, 0};
	char folder[PATH_MAX + 8];

	if (after->len != end)
		broken(c, number, "bytes stay behind the records", after->len);
	if (tail != c->lost_bytes)
		broken(c, number, "moved and torn differ", c->lost_bytes);
	if (!tail)
		return;
	(void)snprintf(folder, sizeof folder, "%s/lost", c->state.state_path);
	if (slurp(folder, c->lost_name, &lost) < 0 || lost.len != tail ||
	    memcmp(lost.data, before->data + end, tail) != 0)
		broken(c, number, "the tail is not in lost/", tail);
	free(lost.data);
	c->tails++;
	c->moved += tail;
}

static void check_usable(struct check *c, uint32_t number, struct room *room)
{
	struct room_post post = {.body = "back again",
	    .body_len = 10,
	    .newline = true,
	    .author = "~w0",
	    .door = "test",
	    .keys = ""};
	struct room_posted posted;
	struct room_health health;
	uint64_t end = room->end;
	int r = room_check(&c->rooms, room->name, false, &health);

	if (r < 0)
		fail(room->name, r);
	if (health.torn || health.failed || health.settled)
		broken(c, number, "there is more to repair", health.torn);
	r = room_append(room, &post, &posted);
	if (r < 0)
		fail(room->name, r);
	if (posted.start != end)
		broken(c, number, "the next append stands at", posted.start);
}

static void check_open(struct check *c, uint32_t number, struct room *room,
    const struct bytes *before)
{
	char name[32], folder[PATH_MAX + 8];
	struct bytes after;

	(void)snprintf(name, sizeof name, "r%u.txt", number);
	(void)snprintf(folder, sizeof folder, "%s/rooms", c->state.state_path);
	if (slurp(folder, name, &after) < 0)
		fail(name, ENOENT);
	if (room->end > after.len || room->end > before->len ||
	    memcmp(after.data, before->data, room->end) != 0) {
		broken(c, number, "repair changed what it kept", room->end);
		return;
	}
	check_tail(c, number, before, &after, room->end);
	after.len = room->end;
	check_promises(c, number, after);
	check_records(c, number, room, after);
	free(after.data);
}

static void check_room(struct check *c, uint32_t number)
{
	char name[32], folder[PATH_MAX + 8];
	struct bytes before = {NULL, 0};
	struct room room;
	size_t len;
	int r;

	len = (size_t)snprintf(name, sizeof name, "r%u.txt", number) - 4;
	(void)snprintf(folder, sizeof folder, "%s/rooms", c->state.state_path);
	if (slurp(folder, name, &before) < 0) {
		check_promises(c, number, before);
		return;
	}
	c->lost_bytes = 0;
	c->file_size = before.len;
	c->first_nul = strnlen(before.data, before.len);
	r = room_open(&room, &c->rooms, name, len, ROOM_READ);
	if (r < 0) {
		broken(c, number, strerror(-r), before.len);
		return;
	}
	check_open(c, number, &room, &before);
	check_usable(c, number, &room);
	room_close(&room);
	free(before.data);
}

int main(int argc, char **argv)
{
	static struct check c;
	struct state_error error;
	uint64_t cut;

	if (argc != 3 || parse_u64(argv[2], strlen(argv[2]), UINT64_MAX, &cut))
		fail("usage: LEDGERS CUT", EINVAL);
	load(&c, argv[1], cut);
	c.seen = calloc(POWER_WRITERS, NUMBERS);
	if (!c.seen)
		fail("calloc", errno);
	if (state_open(&c.state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&c.rooms, &c.state) < 0)
		fail("rooms_open", errno);
	c.rooms.notice = note;
	c.rooms.notice_arg = &c;
	for (uint32_t i = 0; i < POWER_ROOMS; i++)
		check_room(&c, i);
	check_lost(&c, argv[1], cut);
	printf("promises=%zu records=%ju tails=%ju moved=%ju kept=%ju "
	       "broken=%ju\n",
	    c.count, (uintmax_t)c.records, (uintmax_t)c.tails,
	    (uintmax_t)c.moved, (uintmax_t)c.kept, (uintmax_t)c.broken);
	return c.broken ? 1 : 0;
}
