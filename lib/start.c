#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "template.h"

/* Sanitizers tell at the end what they found. */
#if defined(__SANITIZE_ADDRESS__)
#define ENDS_AT_ONCE 0
#else
#define ENDS_AT_ONCE 1
#endif

#define TASK_COMM 16 /* prctl(2) */

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

void start_options(int argc, char **argv, const char *name, const char *help)
{
	if (argc < 2)
		return;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		(void)fputs(help, stdout);
		exit(fflush(stdout) ? 111 : 0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("%s (parlance) %s\n", name, PARLANCE_VERSION);
		exit(fflush(stdout) ? 111 : 0);
	}
	log_usage(name, "takes no arguments; it serves the client on standard "
			"input and output (--help tells more)");
}

static void die_with(const char *text, int status)
{
	log_event(LOG_ERR, "start", "error", text);
	exit(status);
}

/* In ps(1) and for pgrep(1): a template serves nobody. */
static void name_template(const char *door)
{
	char name[TASK_COMM];

	(void)snprintf(name, sizeof name, "%s-template", door);
	(void)prctl(PR_SET_NAME, name);
}

/* What cannot be one ends, and serve does without. */
static int find_template(const char *door)
{
	int fd = template_socket();

	if (fd == -EBADF)
		die_with(TEMPLATE_VARIABLE " is no socket of serve's", 100);
	if (fd >= 0)
		name_template(door);
	return fd < 0 ? -1 : fd;
}

void start_load(struct start *start, const char *door)
{
	struct settings_error wrong;
	struct state_error error;

	*start = (struct start){.door = door};
	io_signals();
	log_open(door, NULL);
	start->template = find_template(door);
	if (settings_load(&start->settings, &wrong) < 0)
		die_with(wrong.text, 100);
	if (state_become_owner(&error) < 0 ||
	    state_open(&start->state, &error) < 0)
		die_with(error.text, 111);
}

/* Notes in RUNTIME_DIRECTORY that this boot was told already. */
static bool first_this_boot(const struct state *s)
{
	char boot[64], noted[64];
	ssize_t n = io_read_file(AT_FDCWD, BOOT_ID, boot, sizeof boot);
	ssize_t m = io_read_file(s->runtime, "unconfined", noted, sizeof noted);
	int fd;

	if (n > 0 && n == m && memcmp(boot, noted, (size_t)n) == 0)
		return false;
	fd = openat(s->runtime, "unconfined",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		if (n > 0)
			(void)io_pwrite(fd, boot, (size_t)n, 0);
		(void)close(fd);
	}
	return true;
}

void start_confine(struct start *start, const struct sandbox *sandbox)
{
	struct sandbox_missing missing = {0};
	struct log_line line;
	int r;

	r = (start->template <0 ? sandbox_enter : sandbox_enter_template)(
	    sandbox, &start->state, &start->settings, &missing);
	if (r < 0)
		log_die("sandbox", r);
	if (!missing.what || !first_this_boot(&start->state))
		return;
	log_begin(&line, LOG_WARNING, "sandbox");
	log_string(&line, "missing", missing.what);
	log_errno(&line, missing.error);
	log_end(&line);
}

/* --- a template's clients ------------------------------------------------ */

/* What else is done at the end, for libraries, costs a connection that does
 * little a tenth: each of them writes to memory that is shared until then. */
static void leave(int status, void *arg)
{
	(void)arg;
	_exit(status);
}

/* Returns in a child, as if that had been started with its client. */
static void await_client(
    struct start *start, int in, int out, struct template_client *ret)
{
	int r = template_serve(start->template, ret);

	if (r == 1)
		exit(0);
	if (r == 0)
		r = sandbox_enter_child(start->settings.sandbox);
	(void)prctl(PR_SET_NAME, start->door);
	if (r == 0 && (dup2(ret->fd, in) < 0 || dup2(ret->fd, out) < 0))
		r = -errno;
	if (r < 0)
		log_die("template", r);
	(void)close(ret->fd);
	start->template = -1;
	if (ENDS_AT_ONCE)
		(void)on_exit(leave, NULL);
}

void start_client(struct start *start, int in, int out)
{
	struct template_client told = {.address = ""};
	char port[8];
	int r;

	if (start->template >= 0)
		await_client(start, in, out, &told);
	r = io_client(&start->client, in, out);
	if (r < 0)
		log_die("client", r);
	(void)snprintf(port, sizeof port, "%u", (unsigned)told.port);
	if (told.address[0])
		start_peer(start, told.address, port);
	else
		start_peer(start, getenv("REMOTE_ADDR"), getenv("REMOTE_PORT"));
}
