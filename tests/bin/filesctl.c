/*
 * Uploads by hand, for tests of lib/files.h: what a door would do, confined as
 * one, and nothing else.
 *
 *	filesctl put NAME SIZE    standard input, of which SIZE bytes are
 *	                          announced, as it comes
 *	filesctl undo NAME SIZE   the same, and takes it back
 *	filesctl get NAME         to standard output
 *	filesctl list             "SIZE NAME" a line
 *
 * Prints "begin" to stderr where the upload begins (a place to look for in a
 * trace), and "ok" or errno's name to standard output; after "begun" there if
 * the name and the size were taken. Exit codes: 0, 1 something failed, 100.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/io.h"
#include "lib/parse.h"
#include "tests/unit/confine.h"

static struct files files;

static void say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static int told(int r)
{
	say(r < 0 ? strerrorname_np(-r) : "ok");
	say("\n");
	return r < 0;
}

/* The input to its end; -errno. */
static int take_input(struct upload *u)
{
	static char bytes[64 * 1024];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
		r = upload_write(u, bytes, (size_t)n);
	return r;
}

static int put(const char *name, uint64_t size, bool undo)
{
	struct upload u;
	int r;

	(void)!write(STDERR_FILENO, "begin\n", 6);
	r = upload_begin(&u, &files, name, strlen(name), size);
	if (r == 0)
		say("begun\n");
	if (r == 0)
		r = take_input(&u);
	if (r == 0)
		r = upload_commit(&u);
	if (r == 0 && undo)
		r = upload_undo(&u);
	upload_release(&u);
	return told(r);
}

static int get(const char *name)
{
	char bytes[4096];
	uint64_t size;
	ssize_t n;
	int fd, r = files_read(&files, name, strlen(name), &fd, &size);

	if (r < 0)
		return told(r);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			return 1;
	return close(fd) < 0 || n < 0;
}

static int list_one(void *arg, const char *name, uint64_t size)
{
	(void)arg;
	return printf("%" PRIu64 " %s\n", size, name) < 0 ? -EIO : 0;
}

static int list(void)
{
	int r = files_each(&files, list_one, NULL);

	return r < 0 ? told(r) : fflush(stdout) != 0;
}

static int usage(void)
{
	(void)fputs(
	    "usage: filesctl put|undo NAME SIZE | get NAME | list\n", stderr);
	return 100;
}

static int run(int argc, char **argv)
{
	bool undo = argc > 1 && strcmp(argv[1], "undo") == 0;
	uint64_t size;

	if (argc == 4 && (undo || strcmp(argv[1], "put") == 0) &&
	    parse_u64(argv[3], strlen(argv[3]), UINT64_MAX, &size) == 0)
		return put(argv[2], size, undo);
	if (argc == 3 && strcmp(argv[1], "get") == 0)
		return get(argv[2]);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	return usage();
}

int main(int argc, char **argv)
{
	static const struct sandbox_rule rules[] = {
	    {SANDBOX_FILES, NULL,
		SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
		    SANDBOX_REMOVE},
	    {SANDBOX_NONE, NULL, 0}};
	struct settings settings;
	struct settings_error wrong;
	struct state state;
	struct state_error error;

	io_signals();
	if (settings_load(&settings, &wrong) < 0 ||
	    state_open(&state, &error) < 0 ||
	    files_open(&files, &state, &settings) < 0)
		return 111;
	if (confine_to(&state, &settings, rules) < 0)
		return 111;
	return run(argc, argv);
}
