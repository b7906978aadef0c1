/*
 * Tries what a program must not do, under that program's very rules and
 * filter, and prints what was possible: for tests of lib/sandbox.h.
 *
 *	probe chatfile|hchat|bcs|toychat|fanout|gallery [child]
 *
 * child: as a template's child, not as a handler that runs alone. It prints a
 * line for each folder, with what may be done in it, one for files of which
 * each program knows, and the calls that it may make and may not. What failed
 * otherwise than refused (EPERM, EACCES, ENOSYS) is told with its error.
 *
 * STATE_DIRECTORY and RUNTIME_DIRECTORY must be for it alone: it makes a
 * socket and files named probe-* there. Exit status: 0, 1 the probe failed, 77
 * the kernel does not confine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/rules.h"
#include "helpers/rules.h"
#include "tests/bin/probe.h"

#define SKIP 77

static const struct {
	const char *name;
	const struct sandbox *sandbox;
} programs[] = {{"chatfile", &chatfile_sandbox}, {"hchat", &hchat_sandbox},
    {"bcs", &bcs_sandbox}, {"toychat", &toychat_sandbox},
    {"fanout", &fanout_sandbox}, {"gallery", &gallery_sandbox}};

static const struct sandbox *sandbox;
static struct settings settings;
static bool as_child;

static _Noreturn void give_up(const char *what, int error, int status)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(error));
	exit(status);
}

static int confine(void)
{
	struct sandbox_missing missing;
	int r;

	if (!as_child)
		return sandbox_enter(
		    sandbox, &probe.state, &settings, &missing);
	r = sandbox_enter_template(sandbox, &probe.state, &settings, &missing);
	return r < 0 ? r : sandbox_enter_child(settings.sandbox);
}

/* What f returns, in a confined process of its own: there is no way back. */
static int confined(int (*f)(const void *), const void *arg)
{
	int status, r;
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork", errno, 1);
	if (pid == 0) {
		r = confine();
		_exit(r < 0 ? 255 : f(arg));
	}
	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid", errno, 1);
	if (!WIFEXITED(status))
		give_up("a probe was killed", 0, 1);
	if (WEXITSTATUS(status) == 255)
		give_up("cannot confine", 0, SKIP);
	return WEXITSTATUS(status);
}

static bool refused(int error)
{
	return error == EPERM || error == EACCES || error == ENOSYS;
}

static void print_possible(const char *name, int error)
{
	if (error == 0)
		printf(" %s", name);
	else if (!refused(error))
		printf(" %s(%s)", name, strerrorname_np(error));
}

/* --- folders and files ---------------------------------------------------- */

struct folder {
	const char *shown;
	int dir;
	const char *name;
};

static void make_files(const struct folder *f)
{
	static const char *const files[] = {"probe-a", "probe-b"};
	int dir = openat(f->dir, f->name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int fd = openat(dir, files[i],
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 || write(fd, "x", 1) != 1)
			give_up(files[i], errno, 1);
		(void)close(fd);
	}
	if (unlinkat(dir, "probe-new", 0) < 0)
		(void)unlinkat(dir, "probe-new", AT_REMOVEDIR);
	(void)close(dir);
}

static void probe_folder(const struct folder *f)
{
	static char path[8192];

	if (f->dir == AT_FDCWD)
		(void)snprintf(path, sizeof path, "%s", f->name);
	else
		(void)snprintf(
		    path, sizeof path, "/proc/self/fd/%d/%s", f->dir, f->name);
	probe.folder =
	    openat(f->dir, f->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	probe.folder_path = path;
	printf("%s:", f->shown);
	for (const struct probe *p = folder_probes; p->name; p++) {
		make_files(f);
		print_possible(p->name, confined(p->attempt, NULL));
	}
	puts("");
	(void)close(probe.folder);
}

/* PARLANCE_FILES, if that is set. */
static void probe_elsewhere(void)
{
	struct folder f = {"PARLANCE_FILES", AT_FDCWD, settings.files};

	if (f.name)
		probe_folder(&f);
}

static void probe_all_folders(void)
{
	const struct state *s = &probe.state;
	const struct folder folders[] = {{"state", s->state, "."},
	    {"rooms", s->state, "rooms"}, {"meta", s->state, "meta"},
	    {"lost", s->state, "lost"}, {"db", s->state, "db"},
	    {"accounts", s->state, "accounts"}, {"files", s->state, "files"},
	    {"runtime", s->runtime, "."}, {"index", s->runtime, "index"},
	    {"failed", s->runtime, "failed"}, {"auth", s->runtime, "auth"},
	    {"slots", s->runtime, "slots"}, {"present", s->runtime, "present"}};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		probe_folder(&folders[i]);
		if (strcmp(folders[i].shown, "files") == 0)
			probe_elsewhere();
	}
}

static void probe_files(void)
{
	const struct state *s = &probe.state;
	const struct probe_file files[] = {{"key", s->state, "key"},
	    {"version", s->state, "version"},
	    {"database", s->state, "db/parlance.db"},
	    {"rate", s->runtime, "rate"},
	    {"fanout.lock", s->runtime, "fanout.lock"},
	    {"/etc/passwd", AT_FDCWD, "/etc/passwd"},
	    {"/proc/1/environ", AT_FDCWD, "/proc/1/environ"},
	    {"/proc/self/mem", AT_FDCWD, "/proc/self/mem"},
	    {"boot_id", AT_FDCWD, "/proc/sys/kernel/random/boot_id"},
	    {"/dev/tty", AT_FDCWD, "/dev/tty"}, {"/tmp", AT_FDCWD, "/tmp"}};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		bool reads = confined(try_reading, &files[i]) == 0;
		bool writes = confined(try_writing, &files[i]) == 0;

		if (reads || writes)
			printf("%s:%s%s\n", files[i].shown,
			    reads ? " read" : "", writes ? " write" : "");
	}
}

/* --- calls ---------------------------------------------------------------- */

static void probe_all_calls(void)
{
	enum { MOST = 200 };
	int errors[MOST];
	int n = 0;

	for (const struct probe *p = call_probes; p->name && n < MOST; p++)
		errors[n++] = confined(p->attempt, NULL);
	printf("may:");
	for (int i = 0; i < n; i++)
		print_possible(call_probes[i].name, errors[i]);
	printf("\nmay not:");
	for (int i = 0; i < n; i++)
		if (refused(errors[i]))
			printf(" %s", call_probes[i].name);
	puts("");
}

/* The kernel chooses the name. Nobody reads what is sent there. */
static void listen_abstract(void)
{
	struct sockaddr *name = (struct sockaddr *)&probe.abstract;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	probe.abstract.sun_family = AF_UNIX;
	probe.abstract_len = sizeof probe.abstract;
	if (fd < 0 || bind(fd, name, sizeof probe.abstract.sun_family) < 0 ||
	    getsockname(fd, name, &probe.abstract_len) < 0)
		give_up("socket", errno, 1);
}

static void prepare(void)
{
	struct state_error error;
	int fd;

	if (state_open(&probe.state, &error) < 0) {
		fprintf(stderr, "probe: %s\n", error.text);
		exit(1);
	}
	settings.files = getenv("PARLANCE_FILES");
	settings.sandbox = SANDBOX_REQUIRE;
	fd = openat(probe.state.runtime, "fanout.lock",
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	probe.parent = getpid();
	probe.listener =
	    helper_listen(&probe.state, "fanout.sock", SOCK_SEQPACKET, 0600);
	probe.unbound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	probe.program = open("/bin/true", O_RDONLY | O_CLOEXEC);
	if (probe.listener < 0 || probe.unbound < 0 || probe.program < 0)
		give_up("prepare", errno, 1);
	listen_abstract();
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs;
	     i++)
		if (strcmp(argv[1], programs[i].name) == 0)
			sandbox = programs[i].sandbox;
	if (!sandbox) {
		fprintf(stderr, "usage: probe PROGRAM [child]\n");
		return 100;
	}
	as_child = argc > 2;
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	prepare();
	probe_all_folders();
	probe_files();
	probe_all_calls();
	return 0;
}
