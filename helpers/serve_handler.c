/*
 * Programs that we start: a handler, by fork and exec with the connection as
 * descriptors 0 and 1; a template, which then does without the exec; helpers.
 *
 * vfork, since fork would copy our page tables and posix_spawn asks for the
 * disposition of each of 64 signals. The child shares our memory until it
 * executes, so it makes system calls and touches nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/template.h"
#include "serve.h"

/* What is between a service manager and us is nobody else's. */
static const char *const private[] = {"REMOTE_ADDR", "REMOTE_PORT",
    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID",
    "LISTEN_FDS", "LISTEN_FDNAMES", CHATLOG_VARIABLE, TEMPLATE_VARIABLE,
    HANDOVER_VARIABLE};

/* Places for what only one child gets: its peer or socket, and the log. */
#define OWN_VARIABLES 3

/* The environment of all children: ours, behind those places. */
static char **environment;

struct start {
	const char *path;
	char **argv; /* NULL: its path alone */
	char **environment;
	int connection; /* -1: none */
	int pass[2]; /* to keep; 0: none */
	pid_t parent; /* should it die, so does the child; 0: it need not */
};

int program_find(
    const struct serve *s, const char *name, char ret_path[PATH_MAX])
{
	static const char *const where[] = {"", "../handlers/"};
	int n, r = -ENOENT;

	for (size_t i = 0; i < 2; i++) {
		n = snprintf(
		    ret_path, PATH_MAX, "%s/%s%s", s->folder, where[i], name);
		if (n < 0 || n >= PATH_MAX)
			return -ENAMETOOLONG;
		if (access(ret_path, X_OK) == 0)
			return 0;
		if (errno != ENOENT)
			r = -errno;
	}
	n = snprintf(ret_path, PATH_MAX, "%s/%s", s->folder, name);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : r;
}

bool program_changed(const char *path, struct binary *noted)
{
	struct stat st;

	if (stat(path, &st) < 0 ||
	    (st.st_dev == noted->device && st.st_ino == noted->inode &&
		st.st_size == noted->size &&
		st.st_mtim.tv_sec == noted->changed.tv_sec &&
		st.st_mtim.tv_nsec == noted->changed.tv_nsec))
		return false;
	*noted = (struct binary){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
	return true;
}

static bool is_private(const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
		if (strncmp(variable, private[i], len) == 0 && !private[i][len])
			return true;
	return false;
}

void children_prepare_or_die(void)
{
	size_t count = 0, at = OWN_VARIABLES;

	while (environ[count])
		count++;
	environment = calloc(count + OWN_VARIABLES + 1, sizeof *environment);
	if (!environment)
		serve_die("start", NULL, NULL, -ENOMEM);
	for (size_t i = 0; i < count; i++)
		if (!is_private(environ[i]))
			environment[at++] = environ[i];
}

/* In the child. For a handler SIGTERM stays blocked, as io_signals() keeps it,
 * so that none kills it before it is ready; a terminal's Ctrl-C and hang-up are
 * for us, who then drain. Returns an errno. */
static int child_exec(const struct start *start)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	char *alone[] = {(char *)start->path, NULL};
	sigset_t mask;

	(void)sigaction(SIGINT, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigemptyset(&mask);
	if (start->connection >= 0)
		(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (start->connection >= 0 &&
	    (dup2(start->connection, 0) < 0 || dup2(start->connection, 1) < 0))
		return errno;
	for (size_t i = 0; i < 2; i++)
		if (start->pass[i] && fcntl(start->pass[i], F_SETFD, 0) < 0)
			return errno;
	if (start->parent) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != start->parent)
			return ESRCH;
	}
	(void)execve(
	    start->path, start->argv ? start->argv : alone, start->environment);
	return errno;
}

static int child_start(const struct start *start, pid_t *ret_pid)
{
	volatile int error = 0; /* the child's word: its memory is ours */
	pid_t pid = vfork();

	if (pid == 0) {
		error = child_exec(start);
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	if (error) {
		(void)waitpid(pid, NULL, 0);
		return -error;
	}
	*ret_pid = pid;
	return 0;
}

/* Room for one variable of a child's own. */
struct own {
	char text[sizeof "REMOTE_ADDR=" + INET6_ADDRSTRLEN];
};

_Static_assert(sizeof CHATLOG_VARIABLE "=2147483647" <= sizeof(struct own) &&
		   sizeof TEMPLATE_VARIABLE "=2147483647" <= sizeof(struct own),
    "they fit");

static void add_number(
    struct start *start, struct own *own, const char *name, int number)
{
	(void)snprintf(own->text, sizeof own->text, "%s=%d", name, number);
	*--start->environment = own->text;
}

static void add_log(
    struct start *start, struct own *own, const struct door *door)
{
	if (!door->log)
		return;
	add_number(start, own, CHATLOG_VARIABLE, door->log);
	start->pass[0] = door->log;
}

int handler_start(const struct door *door, int connection,
    const struct peer *peer, pid_t *ret_pid)
{
	struct own address = {0}, port = {0}, log = {0};
	struct start start = {.path = door->handler,
	    .environment = environment + OWN_VARIABLES,
	    .connection = connection};

	if (peer->address[0]) {
		(void)snprintf(address.text, sizeof address.text,
		    "REMOTE_ADDR=%s", peer->address);
		*--start.environment = address.text;
		add_number(&start, &port, "REMOTE_PORT", peer->port);
	}
	add_log(&start, &log, door);
	return child_start(&start, ret_pid);
}

/* A program that knows nothing of templates finds its client gone. */
int handler_start_template(const struct door *door, int socket, pid_t *ret_pid)
{
	static char bind_now[] = "LD_BIND_NOW=1";
	struct own own = {0}, log = {0};
	struct start start = {.path = door->handler,
	    .environment = environment + OWN_VARIABLES,
	    .connection = open("/dev/null", O_RDWR | O_CLOEXEC),
	    .pass = {0, socket}};
	int r;

	if (start.connection < 0)
		return -errno;
	/* Else each child would look its libraries' functions up for itself. */
	*--start.environment = bind_now;
	add_number(&start, &own, TEMPLATE_VARIABLE, socket);
	add_log(&start, &log, door);
	r = child_start(&start, ret_pid);
	(void)close(start.connection);
	return r;
}

int check_start(char **argv, char **its_environment, pid_t *ret_pid)
{
	struct start start = {.path = argv[0],
	    .argv = argv,
	    .environment = its_environment,
	    .connection = -1};

	return child_start(&start, ret_pid);
}

int helper_start(const char *path, pid_t *ret_pid)
{
	struct start start = {.path = path,
	    .environment = environment + OWN_VARIABLES,
	    .connection = -1,
	    .parent = getpid()};

	return child_start(&start, ret_pid);
}
