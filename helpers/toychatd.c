/*
 * toychatd [-p PORT] [-u PATH] [-a ADDRESS]: serves the text door alone, by
 * serve, on TCP and on a Unix socket at once (specs/toychat.txt, The chat
 * server). Without -u the socket is RUNTIME_DIRECTORY/toychat.sock, where the
 * client looks; a relative path is the starting folder's. What serve does and
 * logs, and its exit codes, are serve's.
 */
#include "front.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/settings.h"
#include "lib/state.h"

#define NAME "toychatd"
#define SOCKET "toychat.sock"

static char path[PATH_MAX]; /* -u */

static void set_path(struct front_plan *plan, const char *value)
{
	(void)plan;
	if (!*value)
		log_usage(NAME, "-u: an empty path");
	front_absolute(NAME, "-u", value, path);
}

/* The environment as it was: serve reads parlance.conf itself, so that it can
 * do so again. */
static char **copy_environment(void)
{
	size_t n = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof *copy);
	if (!copy)
		log_usage(NAME, "%s", strerror(ENOMEM));
	memcpy(copy, environ, n * sizeof *copy);
	return copy;
}

static void find_default(void)
{
	char **before = copy_environment();
	struct settings_error wrong;
	struct state_error none = {0};
	char runtime[PATH_MAX], here[PATH_MAX];
	int n;

	if (settings_import_default(&wrong) < 0)
		log_usage(NAME, "%s", wrong.text);
	if (state_runtime_path(runtime, sizeof runtime, &none) < 0)
		log_usage(NAME, "%s", none.text);
	environ = before;
	front_absolute(NAME, "RUNTIME_DIRECTORY", runtime, here);
	n = snprintf(path, sizeof path, "%s/" SOCKET, here);
	if (n < 0 || (size_t)n >= sizeof path)
		log_usage(NAME, "RUNTIME_DIRECTORY: the path is too long");
}

static void add_socket(struct front_plan *plan)
{
	static char listen[PATH_MAX + 16];

	if (!path[0])
		find_default();
	(void)snprintf(listen, sizeof listen, "toychat=%s", path);
	front_add(plan, listen);
}

int main(int argc, char **argv)
{
	static const struct front_option options[] = {
	    {'u', "PATH",
		"listen on this Unix socket, too, open to every user of the\n"
		"                machine; RUNTIME_DIRECTORY/" SOCKET
		" by default",
		set_path},
	    {0}};
	static const struct front front = {.name = NAME,
	    .door = "toychat",
	    .port = "8888",
	    .about = "Serves accounts, inboxes and files to clients of a text "
		     "protocol: the\ntoychat door.",
	    .options = options,
	    .finish = add_socket};

	return front_main(&front, argc, argv);
}
