/*
 * SIGHUP: new settings and new binaries, with no refused and no dropped
 * connection (design 8). First this program is started anew with -t, which
 * looks at the settings and ends: whatever is wrong shows there, a program that
 * cannot even start too, and we go on as before. Then it executes itself, by
 * path, since an upgrade has put another file there. What goes wrong after that
 * is logged, and the new program goes on with what it was handed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "serve.h"

/* What we made of the environment at start-up and stay with. The rest is as it
 * was given to us: what a settings file added would win over that file. */
static const char *const kept[] = {
    "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "JOURNAL_STREAM"};
/* And what was for one start alone. */
static const char *const gone[] = {
    "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", HANDOVER_VARIABLE};

/* root's home, which is not that of who we are by now: settings.h looks there
 * for a user's own. */
static const char *const roots[] = {"HOME", "XDG_CONFIG_HOME"};

#define KEPT (sizeof kept / sizeof kept[0])
#define GONE (sizeof gone / sizeof gone[0])

/* That we are out of descriptors says nothing of it. */
bool reload_has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
	(void)close(fd);
	return true;
}

void reload_prepare_or_die(struct serve *s, char **argv)
{
	size_t count = 0;

	while (environ[count])
		count++;
	s->argv = argv;
	s->terminal = reload_has_terminal();
	s->environment = calloc(count + 1, sizeof *s->environment);
	if (!s->environment)
		serve_die("start", NULL, NULL, -ENOMEM);
	memcpy(s->environment, environ, count * sizeof *s->environment);
}

static bool is_named(const char *variable, const char *const *names, size_t n)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < n; i++)
		if (strncmp(variable, names[i], len) == 0 && !names[i][len])
			return true;
	return false;
}

static char *join(const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = malloc(size);

	if (text)
		(void)snprintf(text, size, "%s=%s", name, value);
	return text;
}

static void environment_free(char **e, size_t borrowed)
{
	for (size_t i = borrowed; e && e[i]; i++)
		free(e[i]);
	free(e);
}

static bool is_passed_on(const struct serve *s, const char *variable)
{
	return !is_named(variable, kept, KEPT) &&
	       !is_named(variable, gone, GONE) &&
	       !(s->dropped && is_named(variable, roots, 2));
}

/* With this about a handover. NULL: out of memory. The first *ret_borrowed of
 * it are not ours. */
static char **environment_make(
    const struct serve *s, const char *handover, size_t *ret_borrowed)
{
	size_t count = 0, n = 0;
	char **e;

	while (s->environment[count])
		count++;
	e = calloc(count + KEPT + 2, sizeof *e);
	if (!e)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (is_passed_on(s, s->environment[i]))
			e[n++] = s->environment[i];
	*ret_borrowed = n;
	for (size_t i = 0; i < KEPT; i++)
		if (getenv(kept[i]) && (e[n] = join(kept[i], getenv(kept[i]))))
			n++;
	e[n] = join(HANDOVER_VARIABLE, handover);
	return e;
}

/* --- the check ------------------------------------------------------------ */

static void tell(const char *error)
{
	log_event(LOG_ERR, "reload", "error", error);
	(void)sd_notify(0, "READY=1");
}

/* argv with -t in front of its options; what cannot be had is NULL. */
static int start_check(struct serve *s)
{
	size_t count = 0, borrowed = 0;
	char **argv, **e = environment_make(s, HANDOVER_FORMAT, &borrowed);
	int r = -ENOMEM;

	(void)program_changed(s->program, &s->checked);
	while (s->argv[count])
		count++;
	argv = calloc(count + 2, sizeof *argv);
	if (argv && e) {
		argv[0] = s->program;
		argv[1] = (char *)"-t";
		memcpy(argv + 2, s->argv + 1, (count - 1) * sizeof *argv);
		r = check_start(argv, e, &s->check.pid);
	}
	environment_free(e, borrowed);
	free(argv);
	return r;
}

void reload_begin(struct serve *s)
{
	int r;

	s->check.again = s->check.pid != 0;
	if (s->check.again)
		return;
	(void)sd_notifyf(
	    0, "RELOADING=1\nMONOTONIC_USEC=%jd", (intmax_t)clock_ms() * 1000);
	r = start_check(s);
	if (r < 0)
		tell(strerror(-r));
	else
		s->check.deadline = clock_in(SERVE_CHECK_MS);
}

void reload_give_up(struct serve *s)
{
	s->check.deadline = CLOCK_NEVER;
	if (s->check.pid)
		(void)kill(s->check.pid, SIGKILL);
}

/* --- itself --------------------------------------------------------------- */

static int execute(struct serve *s, int handover)
{
	size_t borrowed = 0;
	char number[16], **e;

	(void)snprintf(number, sizeof number, "%d", handover);
	e = environment_make(s, number, &borrowed);
	if (!e)
		return -ENOMEM;
	(void)execve(s->program, s->argv, e);
	environment_free(e, borrowed);
	return -errno;
}

/* Returns only if that was not to be. */
static void reload(struct serve *s)
{
	int fd, r;

	templates_cut(s);
	fd = handover_write(s);
	r = fd < 0 ? fd : execute(s, fd);
	handover_undo(s, fd);
	tell(strerror(-r));
	s->pause = clock_ms();
}

bool reload_ended(struct serve *s, pid_t pid, int status)
{
	bool again = s->check.again;

	if (!s->check.pid || pid != s->check.pid)
		return false;
	s->check.pid = 0;
	s->check.again = false;
	s->check.deadline = CLOCK_NEVER;
	if (s->phase != PHASE_SERVE)
		return true;
	if (again || program_changed(s->program, &s->checked))
		reload_begin(s);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		reload(s);
	else
		tell("the new settings or programs are no good: going on "
		     "with the old ones");
	return true;
}
