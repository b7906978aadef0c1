/*
 * Many processes on one room through room.h, while things are done to them.
 *
 *	room_stress kill WRITERS APPENDS     writers are killed at random
 *	room_stress edit WRITERS EDITS       the file is edited and replaced
 *	room_stress stop                     a writer is stopped with the lock
 *
 * over STATE_DIRECTORY and RUNTIME_DIRECTORY, in a room called "stress". What
 * was acknowledged is compared with the file at the end; two readers compare
 * what they were shown. SEED in the environment repeats a run.
 *
 * Exit codes: 0 all is as it should be, 1 not so (with a message).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/room.h"
#include "lib/room_internal.h"
#include "lib/state.h"

#define NAME "stress"
#define FILE_NAME NAME ".txt"
#define WRITERS_MAX 64
#define BODY_MAX 9000
#define SEEN_MAX ((size_t)256 * 1024 * 1024)
#define FIRST "the first record\n\\ivan @ 2020\n"

/* An acknowledged append; written to a pipe whole. */
struct ack {
	uint32_t writer;
	uint32_t message;
	uint64_t start;
	uint64_t end;
	uint64_t number;
	uint64_t era; /* edits seen before, and after */
	uint64_t era_after;
};

/* Shared by all processes. */
struct shared {
	_Atomic uint64_t era; /* odd while an edit is under way */
	_Atomic bool stop;
};

struct stress {
	struct state state;
	struct rooms rooms;
	struct shared *shared;
	int acks[2];
	pid_t pids[WRITERS_MAX];
	unsigned seed;
	uint32_t next_id;
	struct ack *all;
	size_t n;
	size_t cap;
};

static void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	_exit(1);
}

static struct stress *the;

static void open_room(struct room *room)
{
	int r = room_open(room, &the->rooms, NAME, strlen(NAME), ROOM_CREATE);

	if (r < 0)
		fail("room_open: %s", strerror(-r));
}

/* The text of a message follows from its name, so that the file alone tells
 * whether it is whole. */
static size_t make_body(char body[BODY_MAX], uint32_t writer, uint32_t message)
{
	unsigned seed = writer * 7919 + message;
	size_t n = (size_t)snprintf(body, BODY_MAX, "w%u-%u ", writer, message);
	size_t more = (size_t)rand_r(&seed) % 120;

	if (rand_r(&seed) % 50 == 0)
		more = (size_t)rand_r(&seed) % (BODY_MAX - 100);
	for (size_t i = 0; i < more; i++)
		body[n++] = (char)('a' + rand_r(&seed) % 26);
	body[n++] = '\n';
	return n;
}

/* --- writers and readers --- */

static bool append(struct room *room, struct ack *ack)
{
	static char body[BODY_MAX];
	struct room_post post = {
	    .body = body, .author = "alice", .door = "test", .keys = ""};
	struct room_posted posted;
	int r;

	ack->era = the->shared->era;
	post.body_len = make_body(body, ack->writer, ack->message);
	r = room_append(room, &post, &posted);
	ack->era_after = the->shared->era;
	if (r < 0 && ack->era == ack->era_after && ack->era % 2 == 0)
		fail("room_append: %s", strerror(-r));
	ack->number = r < 0 ? 0 : posted.number;
	ack->start = posted.start;
	ack->end = posted.end;
	return r == 0;
}

static void writer(uint32_t id)
{
	struct ack ack = {.writer = id};
	struct room room;

	open_room(&room);
	for (; !the->shared->stop; ack.message++)
		if (append(&room, &ack) &&
		    write(the->acks[1], &ack, sizeof ack) != sizeof ack)
			_exit(1);
	_exit(0);
}

/* Takes in all that is new, and at last looks whether it is in the file. */
static void reader(void)
{
	size_t n = 0;
	char *seen = mmap(NULL, SEEN_MAX, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char block[4096];
	struct room room;

	(void)close(the->acks[1]);
	open_room(&room);
	for (bool last = false; !last;) {
		last = the->shared->stop;
		if (room_look(&room) < 0)
			fail("a reader cannot look");
		if (room.end < n || room.end > SEEN_MAX)
			fail("the room got shorter");
		if (room.end > n &&
		    room_read(&room, n, seen + n, room.end - n) < 0)
			fail("a reader cannot read");
		n = room.end;
		if (n && seen[n - 1] != '\n')
			fail("a reader was shown half a record");
		(void)io_wait(NULL, 0, clock_in(1), IO_BUSY);
	}
	for (size_t at = 0; at < n; at += sizeof block) {
		size_t len = n - at < sizeof block ? n - at : sizeof block;

		if (io_pread(room.fd, block, len, at) < 0 ||
		    memcmp(block, seen + at, len) != 0)
			fail("a reader saw what is not in the file at %zu", at);
	}
	_exit(0);
}

static void start_writer(int place)
{
	uint32_t id = the->next_id++;

	the->pids[place] = fork();
	if (the->pids[place] == 0)
		writer(id);
}

static pid_t start_reader(void)
{
	pid_t pid = fork();

	if (pid == 0)
		reader();
	return pid;
}

static void end_process(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		fail("a writer or reader failed");
}

/* --- what was acknowledged --- */

/* The next one, or false when all writers have ended. */
static bool take_ack(void)
{
	struct ack ack;
	ssize_t n = read(the->acks[0], &ack, sizeof ack);

	if (n == 0)
		return false;
	if (n != sizeof ack)
		fail("half an acknowledgement");
	if (the->n == the->cap) {
		the->cap = the->cap ? the->cap * 2 : 1024;
		the->all = realloc(the->all, the->cap * sizeof ack);
		if (!the->all)
			fail("out of memory");
	}
	the->all[the->n++] = ack;
	return true;
}

static void end_writers(int writers)
{
	the->shared->stop = true;
	(void)close(the->acks[1]);
	while (take_ack())
		;
	for (int i = 0; i < writers; i++)
		end_process(the->pids[i]);
}

/* Which message record `number` is: its name, or 0 for what is none of ours.
 * It must be whole. */
static uint64_t name_of(struct room *room, uint64_t number)
{
	static char text[2 * BODY_MAX], body[BODY_MAX];
	unsigned who, what;
	struct room_span span;
	struct footer footer;
	struct slice got;
	size_t len;

	if (room_find(room, number, &span) < 0 ||
	    span.end - span.start > sizeof text - 1)
		fail("record %ju cannot be found", (uintmax_t)number);
	len = (size_t)(span.end - span.start);
	if (room_read(room, span.start, text, len) < 0)
		fail("record %ju cannot be read", (uintmax_t)number);
	text[len] = '\0';
	if (sscanf(text, "w%u-%u ", &who, &what) != 2)
		return 0;
	room_record(text, len, &got, &footer);
	len = make_body(body, who, what);
	if (got.len + 1 != len || memcmp(body, text, len) != 0)
		fail("record %ju is torn: %s", (uintmax_t)number, text);
	return ((uint64_t)(who + 1) << 32) + what;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool must_stand(const struct ack *ack)
{
	return ack->era == ack->era_after && ack->era % 2 == 0;
}

/* An editor takes no lock: what was sent while it was at work may be in what
 * it read, too. */
static bool during_edit(uint64_t name)
{
	for (size_t i = 0; i < the->n; i++) {
		const struct ack *a = &the->all[i];

		if (((uint64_t)(a->writer + 1) << 32) + a->message == name)
			return !must_stand(a);
	}
	return false;
}

/* After the next append nothing is left to be repaired. */
static void assert_healthy(struct room *room)
{
	struct ack ack = {.writer = the->next_id++};
	struct room_health h;

	if (!append(room, &ack))
		fail("the next append failed");
	if (room_check(&the->rooms, NAME, false, &h) < 0 || h.torn ||
	    h.settled || h.failed)
		fail("something is left to be repaired");
}

static void assert_once(const uint64_t *sorted, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1] && !during_edit(sorted[i]))
			fail("w%ju-%ju stands twice",
			    (uintmax_t)(sorted[i] >> 32) - 1,
			    (uintmax_t)(uint32_t)sorted[i]);
}

/* names: of each record, by its number; NULL: numbers may be others by now. */
static void assert_there(const struct ack *a, const uint64_t *sorted, size_t n,
    const uint64_t *names, uint64_t count)
{
	uint64_t name = ((uint64_t)(a->writer + 1) << 32) + a->message;

	if (must_stand(a) &&
	    !bsearch(&name, sorted, n, sizeof *sorted, compare))
		fail("w%u-%u was acknowledged in era %ju and is not there",
		    a->writer, a->message, (uintmax_t)a->era);
	if (names && (a->number > count || names[a->number] != name))
		fail("w%u-%u is not record %ju", a->writer, a->message,
		    (uintmax_t)a->number);
}

/* Everything acknowledged stands once, and everything is whole. */
static void verify(bool numbers)
{
	uint64_t *names, *sorted;
	size_t n = 0;
	struct room room;

	open_room(&room);
	assert_healthy(&room);
	names = calloc(room.count + 1, sizeof *names);
	sorted = calloc(room.count + 1, sizeof *sorted);
	for (uint64_t i = 1; i <= room.count; i++) {
		names[i] = name_of(&room, i);
		if (names[i])
			sorted[n++] = names[i];
	}
	qsort(sorted, n, sizeof *sorted, compare);
	assert_once(sorted, n);
	for (size_t i = 0; i < the->n; i++)
		assert_there(&the->all[i], sorted, n, numbers ? names : NULL,
		    room.count);
	printf(
	    "%zu acknowledged, %ju records, ", the->n, (uintmax_t)room.count);
	free(names);
	free(sorted);
	room_close(&room);
}

/* --- kill --- */

static void kill_some(int writers, size_t appends)
{
	pid_t readers[2] = {start_reader(), start_reader()};
	unsigned kills = 0;

	for (int i = 0; i < writers; i++)
		start_writer(i);
	while (the->n < appends) {
		int victim = rand_r(&the->seed) % writers;

		if (!take_ack())
			fail("the writers are gone");
		if (rand_r(&the->seed) % 16)
			continue;
		(void)kill(the->pids[victim], SIGKILL);
		(void)waitpid(the->pids[victim], NULL, 0);
		start_writer(victim);
		kills++;
	}
	end_writers(writers);
	end_process(readers[0]);
	end_process(readers[1]);
	verify(true);
	printf("%u writers killed\n", kills);
}

/* --- edit --- */

/* Up to the last whole record: one may be half written. */
static size_t get(char *text)
{
	int fd = openat(the->rooms.rooms, FILE_NAME, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, SEEN_MAX);

	if (n < 0)
		fail("cannot read the room file");
	(void)close(fd);
	while (n > 0 && (text[n - 1] != '\n' ||
			    scan_ends_record(text, (size_t)n, true) != 1))
		n--;
	return (size_t)n;
}

static void put(const char *name, const char *text, size_t len)
{
	int fd =
	    openat(the->rooms.rooms, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		fail("cannot write the room file");
	(void)close(fd);
}

/* Makes the first line longer, so that all offsets change. */
static void edit(int how, char *text)
{
	size_t len;

	text[0] = '+';
	the->shared->era++;
	len = get(text + 1) + 1;
	switch (how) {
	case 0: /* sed -i */
		put("new", text, len);
		(void)renameat(
		    the->rooms.rooms, "new", the->rooms.rooms, FILE_NAME);
		break;
	case 1: /* rm and cp */
		(void)unlinkat(the->rooms.rooms, FILE_NAME, 0);
		put(FILE_NAME, text, len);
		break;
	default: /* in place */
		put(FILE_NAME, text, len);
	}
	the->shared->era++;
}

static void edit_often(int writers, int edits)
{
	char *text = mmap(NULL, SEEN_MAX, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	put(FILE_NAME, FIRST, strlen(FIRST));
	for (int i = 0; i < writers; i++)
		start_writer(i);
	for (int i = 0; i < edits; i++) {
		edit(i % 3, text);
		/* Service goes on, in the file that the path names. */
		for (int fresh = 0; fresh < 10;) {
			if (!take_ack())
				fail("the writers are gone");
			fresh += the->all[the->n - 1].era == the->shared->era;
		}
	}
	end_writers(writers);
	verify(false);
	printf("%d edits\n", edits);
}

/* --- stop --- */

/* Stops the writer at a moment when it holds the lock. */
static void stop_with_lock(pid_t pid)
{
	int fd = -1, status;

	for (int tries = 0; tries < 100000 && take_ack(); tries++) {
		if (fd < 0)
			fd = openat(the->rooms.rooms, FILE_NAME, O_RDONLY);
		(void)kill(pid, SIGSTOP);
		(void)waitpid(pid, &status, WUNTRACED);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			(void)close(fd);
			return;
		}
		(void)flock(fd, LOCK_UN);
		(void)kill(pid, SIGCONT);
	}
	fail("never caught it with the lock");
}

static void stop_one(void)
{
	struct room_post post = {.body = "x\n",
	    .body_len = 2,
	    .author = "alice",
	    .door = "test",
	    .keys = ""};
	struct room_posted posted;
	struct room room, late;
	int64_t start;
	int r;

	open_room(&room);
	start_writer(0);
	stop_with_lock(the->pids[0]);
	start = clock_ms();
	if (room_look(&room) < 0 || room.count == 0 || !name_of(&room, 1))
		fail("a reader cannot go on");
	open_room(&late);
	if (!name_of(&late, late.count))
		fail("a new reader cannot read");
	if (clock_ms() - start > 1000)
		fail("readers were kept waiting");
	start = clock_ms();
	r = room_append(&room, &post, &posted);
	if (r != -EBUSY)
		fail("a writer was told %d", r);
	if (clock_ms() - start < 4900 || clock_ms() - start > 7000)
		fail("a writer waited %jd ms", (intmax_t)(clock_ms() - start));
	(void)kill(the->pids[0], SIGCONT);
	r = room_append(&room, &post, &posted);
	if (r < 0)
		fail("afterwards: %s", strerror(-r));
	end_writers(1);
	verify(true);
	printf("1 stopped\n");
}

/* --- */

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static struct stress stress;
	struct state_error error;
	const char *seed = getenv("SEED");
	const char *what = argc > 1 ? argv[1] : "";

	the = &stress;
	the->seed = seed ? (unsigned)number(seed) : (unsigned)getpid();
	the->shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state_open(&the->state, &error) < 0)
		fail("%s", error.text);
	if (rooms_open(&the->rooms, &the->state) < 0 || pipe(the->acks) < 0)
		fail("cannot begin");
	if (argc == 4 && strcmp(what, "kill") == 0)
		kill_some(number(argv[2]), (size_t)number(argv[3]));
	else if (argc == 4 && strcmp(what, "edit") == 0)
		edit_often(number(argv[2]), number(argv[3]));
	else if (argc == 2 && strcmp(what, "stop") == 0)
		stop_one();
	else
		fail("usage: room_stress kill|edit|stop [WRITERS N]");
	return 0;
}
