/*
 * What the commands that serve one door alone share (chatfiled, hchatd,
 * bcs_server, toychatd): a front reads its options and becomes serve.
 *
 *	static const struct front front = {.name = "chatfiled",
 *	    .door = "chatfile", .port = "8080", .options = options};
 *	return front_main(&front, argc, argv);
 *
 * -a ADDRESS, -p PORT, --help and --version are every front's; its own options
 * stand in a table. Exits with 100 for a wrong usage and 111 if serve cannot
 * be started.
 */
#ifndef FRONT_H
#define FRONT_H

#include <limits.h>
#include <stddef.h>

#define FRONT_ARGUMENTS 16

struct front;

/* The command line of serve as it comes about. */
struct front_plan {
	const struct front *front;
	const char *address; /* -a; NULL: every address */
	const char *port; /* -p, or the front's own */
	char listen[PATH_MAX]; /* DOOR=ADDRESS of those two */
	size_t count;
	char *argv[FRONT_ARGUMENTS + 1]; /* of serve */
};

/* An option of one front. */
struct front_option {
	char letter; /* '\0' ends a table */
	const char *argument; /* its name in the help; NULL: takes none */
	const char *help;
	/* Does what it stands for: value is its argument, or NULL. Exits by
	 * log_usage() if that is wrong. */
	void (*apply)(struct front_plan *, const char *value);
};

struct front {
	const char *name;
	const char *door;
	const char *port; /* default of -p */
	const char *about; /* one sentence for --help */
	const struct front_option *options; /* NULL: none of its own */
	/* Called when all options are read; NULL: nothing is left to do. */
	void (*finish)(struct front_plan *);
};

/* For the table of a front that has a letter for --help. */
void front_help(struct front_plan *, const char *value);

/* Adds an argument for serve; text must stay valid. */
void front_add(struct front_plan *, const char *text);

/* A path as other processes, elsewhere, can use it; option is what it was
 * given with. Exits by log_usage() if it is too long. */
void front_absolute(const char *program, const char *option, const char *path,
    char ret[PATH_MAX]);

/* All that a front does: becomes serve. Returns only if it could not, with the
 * exit status. */
int front_main(const struct front *, int argc, char **argv);

#endif
