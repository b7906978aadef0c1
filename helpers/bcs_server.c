/*
 * bcs_server [-p PORT] [-l LOG] [-f DIR] [-a ADDRESS]: serves the binary door
 * alone, by serve (specs/bcs.txt, Server). -l names the conversation's log,
 * standard output without it; -f the folder of uploads, which must be there.
 * Relative paths are the starting folder's. What serve does and logs, and its
 * exit codes, are serve's.
 */
#include "front.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"

#define NAME "bcs_server"

static char log_path[PATH_MAX] = "-";

static void set_log(struct front_plan *plan, const char *value)
{
	(void)plan;
	if (!*value)
		log_usage(NAME, "-l: an empty path");
	if (strcmp(value, "-") == 0)
		(void)snprintf(log_path, sizeof log_path, "-");
	else
		front_absolute(NAME, "-l", value, log_path);
}

static void set_files(struct front_plan *plan, const char *value)
{
	char path[PATH_MAX];
	struct stat st;

	(void)plan;
	if (stat(value, &st) < 0)
		log_usage(NAME, "-f %s: %s", value, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		log_usage(NAME, "-f %s: not a folder", value);
	front_absolute(NAME, "-f", value, path);
	if (setenv("PARLANCE_FILES", path, 1) < 0)
		log_usage(NAME, "-f %s: %s", value, strerror(errno));
}

static void add_log(struct front_plan *plan)
{
	front_add(plan, "-l");
	front_add(plan, log_path);
}

int main(int argc, char **argv)
{
	static const struct front_option options[] = {
	    {'f', "DIR", "keep uploads in this folder, which must be there",
		set_files},
	    {'l', "LOG",
		"append registrations, messages and disconnects to this file;\n"
		"                standard output by default, or with -",
		set_log},
	    {0}};
	static const struct front front = {.name = NAME,
	    .door = "bcs",
	    .port = "4000",
	    .about = "Serves chat to clients of a binary protocol: the bcs "
		     "door.",
	    .options = options,
	    .finish = add_log};

	return front_main(&front, argc, argv);
}
