/*
 * Uploads on a disk that will lose power (see powercut.c), and whether what
 * was said of them still holds afterwards.
 *
 *	powerfiles load COUNTER LEDGERS WRITERS UPLOADS
 *
 * In STATE_DIRECTORY and RUNTIME_DIRECTORY, WRITERS processes upload UPLOADS
 * files each through files.h, some under a name that others want, too, and note
 * in LEDGERS/files.W which are there, and which they took back again, when.
 *
 *	powerfiles check LEDGERS CUT
 *
 * Whatever is in the folder is a whole file, what was told to be there before
 * CUT is, and what was taken back before CUT is not. Prints a line for every
 * promise broken and one of counts at the end.
 *
 * Exit codes: 0 fine, 1 not, or something failed (with a message).
 */
#include "power.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/io.h"
#include "lib/parse.h"

#define UPLOADS_MOST 1000
#define SIZE_MOST (256 * 1024)
#define SHARED 4 /* one name in so many is wanted by all */

/* In "files.W". `writer` and `number` say what it holds. */
struct stored {
	uint64_t when;
	uint32_t writer;
	uint32_t number;
	bool undone;
};

static struct files files;
static const _Atomic uint64_t *counter;

static void fail(const char *what, int error)
{
	(void)fprintf(
	    stderr, "powerfiles: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static uint32_t number_of(const char *text, uint64_t max)
{
	uint64_t n;

	if (parse_u64(text, strlen(text), max, &n) < 0)
		fail(text, EINVAL);
	return (uint32_t)n;
}

static void name_of(char name[32], uint32_t writer, uint32_t number)
{
	if (number % SHARED == 0)
		(void)snprintf(name, 32, "all.%u", number);
	else
		(void)snprintf(name, 32, "%u.%u", writer, number);
}

/* Begins with who it is from; most are small. Returns its size. */
static size_t contents(
    unsigned char bytes[SIZE_MOST], uint32_t writer, uint32_t number)
{
	const uint32_t from[2] = {writer, number};
	uint64_t random = writer * 1000003U + number;
	size_t size = sizeof from + power_random(&random) % 9000;

	if (power_random(&random) % 8 == 0)
		size = power_random(&random) % SIZE_MOST;
	if (size < sizeof from)
		size = sizeof from;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)power_random(&random);
	memcpy(bytes, from, sizeof from);
	return size;
}

static void open_files(struct state *state)
{
	const struct settings settings = {.file_max = SIZE_MOST};
	struct state_error error;
	int r;

	if (state_open(state, &error) < 0)
		fail(error.text, 0);
	r = files_open(&files, state, &settings);
	if (r < 0)
		fail("files", r);
}

/* --- before the cut ----------------------------------------------------- */

static FILE *open_ledger(const char *ledgers, uint32_t writer, const char *mode)
{
	char path[PATH_MAX];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/files.%u", ledgers, writer);
	file = fopen(path, mode);
	if (!file && errno != ENOENT)
		fail(path, errno);
	return file;
}

static int transfer(struct upload *u, const unsigned char *bytes, size_t size)
{
	size_t n;
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += n) {
		n = size - at < 10000 ? size - at : 10000;
		r = upload_write(u, bytes + at, n);
	}
	return r == 0 ? upload_commit(u) : r;
}

/* -EEXIST: another was faster. */
static void upload(FILE *ledger, uint32_t writer, uint32_t number)
{
	static unsigned char bytes[SIZE_MOST];
	size_t size = contents(bytes, writer, number);
	struct stored s = {
	    .writer = writer, .number = number, .undone = number % 7 == 1};
	struct upload u;
	char name[32];
	int r;

	name_of(name, writer, number);
	r = upload_begin(&u, &files, name, strlen(name), size);
	if (r == 0)
		r = transfer(&u, bytes, size);
	if (r == 0 && s.undone)
		r = upload_undo(&u);
	upload_release(&u);
	s.when = *counter;
	if (r == 0 && fwrite(&s, sizeof s, 1, ledger) != 1)
		fail("ledger", errno);
	if (r < 0 && (r != -EEXIST || number % SHARED))
		fail(name, r);
}

static void writer(const char *ledgers, uint32_t writer, uint32_t uploads)
{
	FILE *ledger = open_ledger(ledgers, writer, "abe");

	for (uint32_t i = 0; ledger && i < uploads; i++)
		upload(ledger, writer, i);
	exit(ledger && fclose(ledger) == 0 ? 0 : 1);
}

static int load(const char *ledgers, uint32_t writers, uint32_t uploads)
{
	int status, bad = 0;

	for (uint32_t i = 0; i < writers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork", errno);
		if (pid == 0)
			writer(ledgers, i, uploads);
	}
	for (; writers && wait(&status) > 0; writers--)
		bad |= status;
	return bad ? 1 : 0;
}

static void map_counter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	counter = mmap(NULL, sizeof *counter, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || counter == MAP_FAILED)
		fail(path, errno);
	(void)close(fd);
}

/* --- after it ------------------------------------------------------------- */

struct check {
	uint64_t promises, whole, broken;
};

static void broken(struct check *c, const char *name, const char *what)
{
	printf("%s: %s\n", name, what);
	c->broken++;
}

/* Which file it is, by its contents; false if it is none of ours, whole. */
static bool read_whole(const char *name, uint64_t size, uint32_t ret_from[2])
{
	static unsigned char is[SIZE_MOST], should[SIZE_MOST];
	uint64_t again;
	int fd, r = files_read(&files, name, strlen(name), &fd, &again);
	char expected[32];

	if (r < 0)
		fail(name, r);
	if (size >= 2 * sizeof *ret_from && size <= SIZE_MOST)
		r = io_pread(fd, is, size, 0);
	else
		r = -EIO;
	(void)close(fd);
	if (r < 0)
		return false;
	memcpy(ret_from, is, 2 * sizeof *ret_from);
	name_of(expected, ret_from[0], ret_from[1]);
	return ret_from[0] < POWER_WRITERS && ret_from[1] < UPLOADS_MOST &&
	       strcmp(name, expected) == 0 &&
	       contents(should, ret_from[0], ret_from[1]) == size &&
	       memcmp(is, should, size) == 0;
}

static int check_file(void *arg, const char *name, uint64_t size)
{
	struct check *c = arg;
	uint32_t from[2];

	if (read_whole(name, size, from))
		c->whole++;
	else
		broken(c, name, "is not whole");
	return 0;
}

static void check_promise(struct check *c, const struct stored *s)
{
	char name[32];
	uint32_t from[2];
	uint64_t size;
	int fd, r;

	name_of(name, s->writer, s->number);
	r = files_read(&files, name, strlen(name), &fd, &size);
	c->promises++;
	if (r == 0)
		(void)close(fd);
	else if (r != -ENOENT)
		fail(name, r);
	/* Of a name that all want, another may have been there since. */
	if (s->undone && r == 0 && s->number % SHARED)
		broken(c, name, "was taken back and is there");
	if (!s->undone && r < 0)
		broken(c, name, "promised and gone");
	if (!s->undone && r == 0 && read_whole(name, size, from) &&
	    from[0] != s->writer)
		broken(c, name, "promised and replaced");
}

static int check(const char *ledgers, uint64_t cut)
{
	struct check c = {0};
	struct stored s;
	int r = files_each(&files, check_file, &c);

	if (r < 0)
		fail("files", r);
	for (uint32_t i = 0; i < POWER_WRITERS; i++) {
		FILE *ledger = open_ledger(ledgers, i, "rbe");

		while (ledger && fread(&s, sizeof s, 1, ledger) == 1)
			if (s.when <= cut)
				check_promise(&c, &s);
		if (ledger)
			(void)fclose(ledger);
	}
	printf("promises=%" PRIu64 " records=%" PRIu64
	       " tails=0 moved=0 kept=0 broken=%" PRIu64 "\n",
	    c.promises, c.whole, c.broken);
	return c.broken ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct state state;

	if (argc == 6 && strcmp(argv[1], "load") == 0) {
		map_counter(argv[2]);
		open_files(&state);
		return load(argv[3], number_of(argv[4], POWER_WRITERS),
		    number_of(argv[5], UPLOADS_MOST));
	}
	if (argc == 4 && strcmp(argv[1], "check") == 0) {
		open_files(&state);
		return check(argv[2], number_of(argv[3], UINT32_MAX));
	}
	fail("usage: load COUNTER LEDGERS WRITERS UPLOADS | check LEDGERS CUT",
	    EINVAL);
	return 1;
}
