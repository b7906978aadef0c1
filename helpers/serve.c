/*
 * serve [-dt] [-l LOG] [-u USER] DOOR=ADDRESS...
 *
 * The accept loop: one handler process for each connection, for hosts without
 * systemd and for speed. A handler is forked by its door's template, a process
 * of the same program that has done once what is the same for every connection
 * (lib/template.h); else it is started. DOOR is chatfile, hchat, bcs or
 * toychat. ADDRESS is HOST:PORT, [V6]:PORT, *:PORT or :PORT (every address of
 * the host), or /path (a Unix socket, mode 0666); a door may have several.
 * systemd may hand over listening sockets instead, named (FileDescriptorName=)
 * after their doors.
 *
 * Limits: PARLANCE_CONNECTIONS a door: the next ones wait in the backlog.
 * PARLANCE_CONNECTIONS_PER_SOURCE: the next one is closed, and that is logged
 * once (event=limit); loopback and PARLANCE_TRUSTED_PROXIES are exempt. When
 * descriptors, processes or memory run out, nothing is accepted until a
 * handler ends, or for a second.
 *
 * Signals: SIGTERM and SIGINT drain: no more is accepted, handlers finish what
 * they are at within 10 s, and are killed then, or when a second signal comes.
 * SIGHUP, unless our terminal is gone: new settings, log and programs, with the
 * same pid, and no connection refused or dropped. fanout is started beside it,
 * unless systemd did, and again when it dies.
 *
 * -l LOG: the bcs door's registrations, messages and disconnects are appended
 * to LOG ("-": standard output). Its handlers get the descriptor, by
 * PARLANCE_LOG_FD; for one that died of a signal we write the disconnect.
 *
 * Files: /path and /path.lock; parlance.conf is read (PARLANCE_CONF);
 * STATE_DIRECTORY and RUNTIME_DIRECTORY are made. Started as root it becomes
 * their owner, or USER and makes them his.
 *
 * Log: event=listening door=D address=A for each once all are up; event=exit
 * door=D pid=P signal=N peer=A for a handler that died of a signal;
 * event=reload after SIGHUP.
 *
 * Exit codes: 0 drained; 100 usage or configuration; 111 the system failed.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/state.h"

static const char help[] =
    "usage: serve [-dt] [-l LOG] [-u USER] DOOR=ADDRESS...\n"
    "\n"
    "Accepts connections and starts a handler process for each.\n"
    "\n"
    "  DOOR     chatfile, hchat, bcs or toychat\n"
    "  ADDRESS  HOST:PORT, [V6]:PORT, *:PORT (every address) or /path\n"
    "           (a Unix socket); port 0 picks a free one\n"
    "  -d       detach once all listeners are up, and print the pid; the log\n"
    "           goes to the journal then, or where there is none to syslog\n"
    "  -l LOG   append the bcs door's registrations, messages and disconnects\n"
    "           to LOG (-: standard output)\n"
    "  -t       look at settings and arguments, serve nobody, and exit\n"
    "  -u USER  run as USER, to whom the state then belongs\n"
    "\n"
    "See parlance-serve(8).\n";

void serve_die(const char *event, const char *key, const char *value, int error)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, event);
	if (key)
		log_string(&line, key, value);
	log_errno(&line, error);
	log_end(&line);
	exit(111);
}

void serve_refuse(const char *key, const char *value, const char *what)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "start");
	if (key)
		log_string(&line, key, value);
	log_string(&line, "error", what);
	log_end(&line);
	exit(100);
}

/* An accepted connection must never become descriptor 0, 1 or 2, and what was
 * left open for us is not for handlers. */
static void settle_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd > 2)
		(void)close(fd);
	(void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

#define DELETED " (deleted)" /* proc(5) */

static void find_folder(struct serve *s)
{
	char *at;
	ssize_t n = readlink("/proc/self/exe", s->folder, sizeof s->folder - 1);

	if (n <= 0)
		serve_die("start", "path", "/proc/self/exe", -errno);
	s->folder[n] = '\0';
	/* Where an upgrade was faster than we. */
	if (access(s->folder, F_OK) < 0 && (at = strstr(s->folder, DELETED)) &&
	    !at[strlen(DELETED)])
		*at = '\0';
	(void)snprintf(s->program, sizeof s->program, "%s", s->folder);
	*strrchr(s->folder, '/') = '\0';
}

/* Takes DOOR=ADDRESS apart. */
static struct door *argument_split(
    struct serve *s, const char *argument, struct address *ret)
{
	size_t len = strcspn(argument, "=");
	struct door *door = door_find(s, argument, len);

	if (!argument[len])
		serve_refuse("argument", argument, "not DOOR=ADDRESS");
	if (!door)
		serve_refuse("argument", argument,
		    "no such door (chatfile, hchat, bcs and toychat are)");
	if (address_split(argument + len + 1, ret) < 0)
		serve_refuse("argument", argument,
		    "the address is not HOST:PORT, [V6]:PORT, *:PORT or /path");
	return door;
}

/* Each kind of socket has its turn. */
static void listen_at(struct serve *s, const char *argument, bool local)
{
	struct address address;
	struct door *door = argument_split(s, argument, &address);

	if (address.local != local)
		return;
	if (local)
		listen_local_or_die(s, door, &address);
	else
		listen_inet_or_die(s, door, &address);
}

static void become_owner(const char *user)
{
	struct state_error error;
	struct state state;

	if (user)
		user_become_or_die(user);
	else if (state_become_owner(&error) < 0)
		serve_die("start", "state", error.text, -EPERM);
	if (state_open(&state, &error) < 0) {
		log_event(LOG_ERR, "start", "error", error.text);
		exit(111);
	}
	if (setenv("STATE_DIRECTORY", state.state_path, 1) < 0 ||
	    setenv("RUNTIME_DIRECTORY", state.runtime_path, 1) < 0)
		serve_die("start", NULL, NULL, -ENOMEM);
	state_close(&state);
}

static void find_handler(struct serve *s, struct door *door)
{
	int r = program_find(s, door->name, door->handler);

	if (r < 0)
		serve_die("start", "handler", door->name, r);
}

static void find_handlers(struct serve *s)
{
	for (size_t i = 0; i < s->listener_count; i++)
		find_handler(s, s->listeners[i].door);
}

/* One that is not there now may be in a moment. */
static void find_handlers_again(struct serve *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		struct door *door = s->listeners[i].door;
		int r = program_find(s, door->name, door->handler);

		if (r < 0)
			log_event(LOG_ERR, "reload", "handler", door->handler);
	}
}

static void say_listening(const struct serve *s)
{
	struct log_line line;

	for (size_t i = 0; i < s->listener_count; i++) {
		log_begin(&line, LOG_INFO, "listening");
		log_string(&line, "door", s->listeners[i].door->name);
		log_string(&line, "address", s->listeners[i].address);
		log_end(&line);
	}
	(void)sd_notify(0, "READY=1");
}

static void say_reloaded(const struct serve *s)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "reload");
	log_number(&line, "connections", HASH_COUNT(s->connections));
	log_string(&line, "version", PARLANCE_VERSION);
	log_end(&line);
	(void)sd_notify(0, "READY=1");
}

struct options {
	const char *user; /* -u; NULL: the owner of the state */
	const char *log; /* -l; NULL: none */
	bool detached;
	bool test; /* -t */
};

/* Without it handlers refuse to serve. Not asked when we start, since it may be
 * mounted later. */
static void test_files(const struct serve *s)
{
	const char *path = s->settings.files;
	struct stat st;

	if (!path)
		return;
	if (stat(path, &st) < 0)
		serve_refuse("PARLANCE_FILES", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		serve_refuse("PARLANCE_FILES", path, strerror(ENOTDIR));
}

/* -t: all that can be looked at without being in the way of who serves. */
static void test(
    struct serve *s, const struct options *o, char *const *addresses, int count)
{
	struct address address;
	struct door *door;

	if (!handover_is_known())
		serve_refuse("handover", getenv(HANDOVER_VARIABLE),
		    "this version cannot go on from there");
	settings_take_or_die(s);
	find_folder(s);
	for (int i = 0; i < count; i++) {
		door = argument_split(s, addresses[i], &address);
		find_handler(s, door);
	}
	test_files(s);
	/* systemd's descriptors say which doors there are, not we. */
	if (count)
		conversation_open_or_die(s, o->log);
}

/* Low ports while we may be root, then the rest as who we are to be. */
static void set_up(
    struct serve *s, const struct options *o, char *const *addresses, int count)
{
	bool root = geteuid() == 0;
	int inherited;

	settings_take_or_die(s);
	find_folder(s);
	inherited = listen_inherited_or_die(s);
	if (!inherited && !count)
		log_usage("serve", "no DOOR=ADDRESS (--help tells more)");
	for (int i = 0; i < count; i++)
		listen_at(s, addresses[i], false);
	become_owner(o->user);
	s->dropped = root && geteuid() != 0;
	for (int i = 0; i < count; i++)
		listen_at(s, addresses[i], true);
	s->with_helpers = !inherited;
	find_handlers(s);
	conversation_open_or_die(s, o->log);
	loop_open_or_die(s);
	helpers_init(s);
}

/* After SIGHUP: who we are and where we listen has been settled. There are
 * connections in hand, so whatever is wrong is logged, and we go on. */
static void set_up_again(struct serve *s, const struct options *o, int handover)
{
	find_folder(s);
	settings_take_again(s, handover);
	handover_read(s, handover);
	find_handlers_again(s);
	conversation_open_again(s, o->log);
	loop_open_again(s);
	helpers_init(s);
	helpers_tell_old(s);
	/* Those that were accepted, but have no handler yet, go first. */
	s->pause = clock_ms();
}

static struct options read_options(int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'}, {0}};
	struct options o = {0};
	int c;

	while ((c = getopt_long(argc, argv, "dhl:tu:", longs, NULL)) >= 0) {
		switch (c) {
		case 'd':
			o.detached = true;
			break;
		case 'l':
			o.log = optarg;
			break;
		case 't':
			o.test = true;
			break;
		case 'u':
			o.user = optarg;
			break;
		case 'h':
			(void)fputs(help, stdout);
			exit(fflush(stdout) ? 111 : 0);
		case 'V':
			(void)printf("serve (parlance) %s\n", PARLANCE_VERSION);
			exit(fflush(stdout) ? 111 : 0);
		default: /* getopt has said what is wrong */
			(void)fputs("serve --help tells more\n", stderr);
			exit(100);
		}
	}
	return o;
}

static void start(
    struct serve *s, const struct options *o, char **addresses, int count)
{
	int ready = -1;

	if (o->detached && (ready = detach_begin()) < 0)
		serve_die("detach", NULL, NULL, ready);
	set_up(s, o, addresses, count);
	say_listening(s);
	if (o->detached) {
		detach_end(ready);
		say_listening(s);
	}
}

static void start_again(struct serve *s, const struct options *o, int handover)
{
	set_up_again(s, o, handover);
	say_reloaded(s);
}

int main(int argc, char **argv)
{
	static struct serve s = {
	    .doors = {{.name = "chatfile"}, {.name = "hchat"}, {.name = "bcs"},
		{.name = "toychat"}},
	    .log_kept = -1};
	struct options o;
	int handover = handover_find();

	reload_prepare_or_die(&s, argv);
	o = read_options(argc, argv);
	settle_descriptors();
	log_open("", NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (o.test) {
		test(&s, &o, argv + optind, argc - optind);
		return 0;
	}
	if (handover >= 0)
		start_again(&s, &o, handover);
	else
		start(&s, &o, argv + optind, argc - optind);
	settings_confine(&s);
	/* Now that the environment says where the log goes. */
	children_prepare_or_die();
	loop_run(&s);
	return 0;
}
