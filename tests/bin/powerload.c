/*
 * Writers and readers on a disk that will lose power (see powercut.c).
 *
 *	powerload COUNTER LEDGERS WRITERS RECORDS room|bare
 *
 * In STATE_DIRECTORY and RUNTIME_DIRECTORY, WRITERS processes append RECORDS
 * messages each through room.h, to rooms that are made as they go, and note in
 * LEDGERS what was acknowledged when; two more read what they are shown. Some
 * messages end as if their sender had been killed while it wrote.
 *
 * With `bare` instead of `room` the writers are loops of their own that sync
 * only every fourth message and acknowledge all: what the checker should find.
 *
 * Exit codes: 0 all was written, 1 something failed (with a message).
 */
#include "power.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/parse.h"
#include "lib/room.h"
#include "lib/state.h"

#define READERS 2
#define RECORDS_MOST 1000 /* of a writer */
#define BURST 40 /* records left by killed senders at once */

struct load {
	struct state state;
	struct rooms rooms;
	struct room room[POWER_ROOMS];
	bool open[POWER_ROOMS];
	const _Atomic uint64_t *counter;
	_Atomic bool *done; /* the writers are */
	const char *ledgers;
	uint32_t writers;
	uint32_t records;
	bool bare;
	int ledger; /* acked or shown */
	int moved;
};

static void fail(const char *what, int error)
{
	(void)fprintf(
	    stderr, "powerload: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static size_t room_name(char name[16], uint32_t number)
{
	return (size_t)snprintf(name, 16, "r%u", number);
}

static int open_ledger(const struct load *l, const char *kind, uint32_t number)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s.%u", l->ledgers, kind, number);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(path, errno);
	return fd;
}

/* The process' repairs: what is in lost/ by now is to stay there. */
static void note(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	const struct load *l = arg;
	char data[POWER_RECORD];
	struct moved m = {.bytes = bytes};
	int fd = openat(l->rooms.lost, lost_name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof data);

	if (n < 0 || (uint64_t)n != bytes)
		fail(room, errno);
	(void)close(fd);
	m.hash = power_hash(POWER_HASH, data, (size_t)n);
	(void)snprintf(m.name, sizeof m.name, "%s", lost_name);
	m.when = *l->counter;
	if (write(l->moved, &m, sizeof m) != sizeof m)
		fail("ledger", errno);
}

static void promise(struct load *l, const struct promise *p)
{
	if (write(l->ledger, p, sizeof *p) != sizeof *p)
		fail("ledger", errno);
}

/* --- writers --- */

/* Appends through room.h. Sets all of *p but `when`. */
static void append(struct load *l, struct promise *p, const char *text,
    size_t len, const char *author)
{
	struct room *room = &l->room[p->room];
	struct room_post post = {.body = text,
	    .body_len = len,
	    .newline = true,
	    .author = author,
	    .door = "test",
	    .keys = ""};
	struct room_posted posted;
	char name[16];
	size_t n = room_name(name, p->room);
	int r = 0;

	if (!l->open[p->room])
		r = room_open(room, &l->rooms, name, n, ROOM_CREATE);
	l->open[p->room] = true;
	if (r == 0)
		r = room_append(room, &post, &posted);
	if (r < 0)
		fail(name, r);
	p->start = posted.start;
	p->end = posted.end;
	p->hash = power_hash(POWER_HASH, text, len);
	p->hash = power_hash(p->hash, "\n", 1);
	p->hash = power_hash(p->hash, posted.footer, posted.footer_len);
}

static size_t make_record(
    char record[POWER_RECORD], const char *text, size_t len, const char *author)
{
	return (size_t)snprintf(record, POWER_RECORD,
	    "%.*s\n\\%s @ 2026-11-20T14:03:07Z test\n", (int)len, text, author);
}

/* Opens and locks a room file without the library; its size in *ret. */
static int lock_bare(const struct load *l, uint32_t room, uint64_t *ret)
{
	char path[PATH_MAX + 32];
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/rooms/r%u.txt", l->state.state_path, room);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		fail(path, errno);
	*ret = (uint64_t)lseek(fd, 0, SEEK_END);
	return fd;
}

static void write_bare(int fd, const char *record, size_t len)
{
	if (write(fd, record, len) != (ssize_t)len)
		fail("write", errno);
}

static void append_bare(struct load *l, struct promise *p, const char *text,
    size_t len, const char *author)
{
	char record[POWER_RECORD];
	size_t n = make_record(record, text, len, author);
	int fd = lock_bare(l, p->room, &p->start);

	p->end = p->start + n;
	p->hash = power_hash(POWER_HASH, record, n);
	write_bare(fd, record, n);
	if (p->number % 4 == 0 && fdatasync(fd) < 0)
		fail("fdatasync", errno);
	(void)close(fd);
}

/* Is the last line a footer? */
static bool ends_whole(int fd, uint64_t size)
{
	char line[48];
	size_t n = size < sizeof line ? (size_t)size : sizeof line;
	const char *begin;

	if (pread(fd, line, n, (off_t)(size - n)) != (ssize_t)n)
		fail("pread", errno);
	if (n == 0 || line[n - 1] != '\n')
		return n == 0;
	begin = memrchr(line, '\n', n - 1);
	return begin && begin[1] == '\\';
}

/* What a sender leaves that is killed in the midst of writing: some of the
 * record. Nobody is promised that. Like any sender, it would have repaired the
 * room first. */
static void append_torn(struct load *l, const struct promise *p,
    const char *text, size_t len, const char *author)
{
	char record[POWER_RECORD];
	size_t n = make_record(record, text, len, author);
	uint64_t size;
	int fd = lock_bare(l, p->room, &size);

	n = 1 + n * (p->number % 100) / 100;
	if (ends_whole(fd, size))
		write_bare(fd, record, n);
	(void)close(fd);
}

/* What many senders leave that are killed before they sync: whole records
 * that span some blocks, of which the disk may keep the later ones only. Their
 * numbers are those of the writer's message and so many thousands. */
static void append_unsynced(struct load *l, const struct promise *p,
    const char *text, size_t len, const char *author)
{
	char record[POWER_RECORD], other[POWER_TEXT];
	size_t n = make_record(record, text, len, author);
	uint64_t size;
	int fd = lock_bare(l, p->room, &size);

	for (uint32_t i = 1; ends_whole(fd, size) && i <= BURST; i++) {
		write_bare(fd, record, n);
		size += n;
		len =
		    power_text(other, p->writer, p->number + i * RECORDS_MOST);
		n = make_record(record, other, len, author);
	}
	(void)close(fd);
}

static void append_promised(struct load *l, struct promise *p, const char *text,
    size_t len, const char *author)
{
	(l->bare ? append_bare : append)(l, p, text, len, author);
	p->when = *l->counter;
	promise(l, p);
}

static int writer(struct load *l, uint32_t number)
{
	uint32_t killed;
	uint64_t random = number + 1;
	char text[POWER_TEXT], author[16];
	struct promise p = {.writer = number};
	size_t len;

	l->ledger = open_ledger(l, "acked", number);
	l->moved = open_ledger(l, "moved", number);
	(void)snprintf(author, sizeof author, "~w%u", number);
	for (p.number = 0; p.number < l->records; p.number++) {
		/* More rooms as time goes on. */
		p.room = power_random(&random) %
			 (1 + p.number * POWER_ROOMS / l->records);
		len = power_text(text, number, p.number);
		killed = l->open[p.room] ? power_random(&random) % 16 : 16;
		if (killed == 0)
			append_unsynced(l, &p, text, len, author);
		else if (killed == 1)
			append_torn(l, &p, text, len, author);
		else
			append_promised(l, &p, text, len, author);
	}
	return 0;
}

/* --- readers --- */

/* Hashes what is new: [p->end, room->end). */
static void take(struct load *l, const struct room *room, struct promise *p)
{
	char data[65536];
	size_t n;
	int r;

	for (; p->end < room->end; p->end += n) {
		n = room->end - p->end < sizeof data
			? (size_t)(room->end - p->end)
			: sizeof data;
		r = room_read(room, p->end, data, n);
		if (r < 0)
			fail("room_read", r);
		p->hash = power_hash(p->hash, data, n);
	}
	promise(l, p);
}

static void look(struct load *l, uint32_t number, struct promise *p)
{
	struct room *room = &l->room[number];
	char name[16];
	size_t n = room_name(name, number);
	int r;

	if (l->open[number])
		r = room_look(room);
	else
		r = room_open(room, &l->rooms, name, n, ROOM_READ);
	l->open[number] = l->open[number] || r == 0;
	if (r < 0 && r != -ENOENT)
		fail(name, r);
	/* Nobody waits for the bytes: they are shown from here on. */
	p->when = *l->counter;
	if (r >= 0 && room->end > p->end)
		take(l, room, p);
}

static int reader(struct load *l, uint32_t number)
{
	struct promise shown[POWER_ROOMS];
	char events[4096];
	struct pollfd bell = {
	    .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN};
	char path[PATH_MAX + 8];
	bool last;

	(void)snprintf(path, sizeof path, "%s/index", l->state.runtime_path);
	if (bell.fd < 0 ||
	    inotify_add_watch(bell.fd, path, IN_MODIFY | IN_MOVED_TO) < 0)
		fail(path, errno);
	l->ledger = open_ledger(l, "shown", number);
	l->moved = open_ledger(l, "moved", number);
	for (uint32_t i = 0; i < POWER_ROOMS; i++)
		shown[i] = (struct promise){.hash = POWER_HASH,
		    .room = i,
		    .writer = number,
		    .shown = 1};
	do {
		last = *l->done;
		(void)poll(&bell, 1, last ? 0 : 100);
		(void)!read(bell.fd, events, sizeof events);
		for (uint32_t i = 0; i < POWER_ROOMS; i++)
			look(l, i, &shown[i]);
	} while (!last);
	return 0;
}

/* --- all of them --- */

static void start(int (*f)(struct load *, uint32_t), struct load *l, uint32_t i)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork", errno);
	if (pid == 0)
		exit(f(l, i));
}

/* Waits for n children. */
static int reap(uint32_t n)
{
	int status, bad = 0;

	for (; n && wait(&status) > 0; n--)
		bad |= status;
	return bad ? 1 : 0;
}

static void map_shared(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	l->counter =
	    mmap(NULL, sizeof *l->counter, PROT_READ, MAP_SHARED, fd, 0);
	l->done = mmap(NULL, sizeof *l->done, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->counter == MAP_FAILED || l->done == MAP_FAILED)
		fail(path, errno);
	(void)close(fd);
}

static uint32_t number(const char *text, uint64_t max)
{
	uint64_t n;

	if (parse_u64(text, strlen(text), max, &n) < 0)
		fail(text, EINVAL);
	return (uint32_t)n;
}

/* Readers end by themselves: once they were told that writers did, they look
 * a last time. Writers that fail leave before their ledger is complete. */
static int run(struct load *l)
{
	int bad;

	for (uint32_t i = 0; i < l->writers; i++)
		start(writer, l, i);
	bad = reap(l->writers);
	*l->done = true;
	return bad;
}

int main(int argc, char **argv)
{
	static struct load l;
	struct state_error error;
	int bad;

	if (argc != 6)
		fail(
		    "usage: COUNTER LEDGERS WRITERS RECORDS room|bare", EINVAL);
	map_shared(&l, argv[1]);
	l.ledgers = argv[2];
	l.writers = number(argv[3], POWER_WRITERS);
	l.records = number(argv[4], RECORDS_MOST);
	l.bare = strcmp(argv[5], "bare") == 0;
	if (state_open(&l.state, &error) < 0)
		fail(error.text, 0);
	if (rooms_open(&l.rooms, &l.state) < 0)
		fail("rooms_open", errno);
	l.rooms.notice = note;
	l.rooms.notice_arg = &l;
	for (uint32_t i = 0; !l.bare && i < READERS; i++)
		start(reader, &l, i);
	bad = run(&l);
	return bad | (l.bare ? 0 : reap(READERS));
}
