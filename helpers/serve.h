/*
 * What the parts of serve share. One process, one thread, one struct serve:
 *
 *	serve_address.c  DOOR=ADDRESS, as it is given
 *	serve_listen.c   listening sockets: made, accepted from, closed
 *	serve_inherit.c  listening sockets that systemd hands over
 *	serve_table.c    who is connected: limits per door and per source
 *	serve_connection.c  a connection on its way to a handler
 *	serve_template.c    by a template, which forks one
 *	serve_handler.c     by fork and exec
 *	serve_settings.c  the settings, and the old ones after a reload
 *	serve_reload.c   SIGHUP: executes itself anew
 *	serve_handover.c what it then hands on to itself
 *	serve_log.c      -l LOG
 *	serve_helper.c   fanout and its like: started, restarted, stopped last
 *	serve_loop.c     the loop, the draining
 *	serve_user.c     -u USER
 *	serve_detach.c   -d
 *
 * Functions named *_or_die log what is wrong and exit (100 usage or
 * configuration, 111 the system): they run before the loop only. Others that
 * can fail return -errno.
 */
#ifndef SERVE_H
#define SERVE_H

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <uthash.h>

#include "lib/chatlog.h"
#include "lib/proxies.h"
#include "lib/rate.h"
#include "lib/settings.h"

struct serve;

#define SERVE_LISTENERS 64
#define SERVE_DOORS 4
#define SERVE_HELPERS 2
#define SERVE_PLACES 2

/* Where the machine is out of something, accept nothing for so long. */
#define SERVE_PAUSE_MS 1000
/* And say so this often at most. */
#define SERVE_QUIET_MS 10000
/* A helper that dies is started again after 100 ms, then 200 ms ... 30 s;
 * one that ran for 10 s begins anew. */
#define SERVE_RETRY_FIRST_MS 100
#define SERVE_RETRY_MOST_MS 30000
#define SERVE_HEALTHY_MS 10000
/* What a helper gets from SIGTERM to SIGKILL. */
#define SERVE_HELPER_STOP_MS 3000

/* A template is replaced after so many connections, ends when none came for
 * so long, and is killed if one is not answered for so long. One that served
 * nobody is tried again as helpers are. */
#define SERVE_TEMPLATE_CONNECTIONS 1000
#define SERVE_TEMPLATE_IDLE_MS 60000
#define SERVE_TEMPLATE_STUCK_MS 1000
/* At once: one a door, and those that were replaced but not done. */
#define SERVE_TEMPLATES 16
/* What one that was retired gets to end, once its connections are answered. */
#define SERVE_TEMPLATE_END_MS 10000
/* What the check of new settings takes at most. */
#define SERVE_CHECK_MS 10000

/* Which file a program is. */
struct binary {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct door {
	const char *name;
	char handler[PATH_MAX]; /* its program; "": not served */
	uint64_t count; /* connections now */
	int log; /* its conversation's log, for handlers; 0: none is kept */
	/* The last template: what it was made from, and when another may be
	 * tried if it served nobody. */
	struct binary binary;
	int64_t retry; /* 0: at once */
	int64_t delay;
};

/* What the loop waits for: the first member of that. */
struct watch {
	void (*ready)(struct serve *, struct watch *);
};

/* One listening socket. */
struct listener {
	struct watch watch;
	int fd; /* -1: closed */
	struct door *door;
	bool watched; /* the loop waits for it */
	char address[PATH_MAX]; /* for the log: "127.0.0.1:8080", "/a/path" */
	/* Of a Unix socket that we made; -1 for others: */
	int folder; /* where its file is */
	int lock; /* the lock beside it, held */
};

struct peer {
	char address[INET6_ADDRSTRLEN]; /* REMOTE_ADDR; "": a Unix socket */
	uint16_t port;
	uid_t uid; /* Unix socket only */
};

#define PEER_TEXT 80

/* A source that is connected, and how often. */
struct origin {
	struct source source; /* the key */
	uint64_t count;
	bool told; /* that it is at its limit */
	UT_hash_handle hh;
};

/* One connection, from when it was accepted till its handler ended. */
struct connection {
	pid_t pid; /* of the handler, the key; 0: it has none yet */
	struct door *door;
	struct origin *origin; /* NULL: exempt */
	struct peer peer;
	/* While it has none: */
	int fd; /* else -1 */
	uint64_t number; /* as a template knows it */
	int64_t deadline; /* for the template's answer */
	struct connection *prev, *next; /* in a template's list, or held */
	UT_hash_handle hh;
};

struct template
{
	struct watch watch;
	struct door *door;
	pid_t pid; /* 0: it ended */
	int fd; /* our socket; -1: closed. With pid 0: a free place */
	bool retired; /* gets no more connections, and ends */
	bool answered; /* ever */
	uint64_t sent; /* connections, since it was started */
	int64_t idle; /* when it is to end; retired: to have ended */
	struct connection *waiting; /* for its answer, the oldest first */
};

struct helper {
	const char *name;
	const char *door; /* needed where this door is served; NULL: always */
	pid_t pid; /* 0: not running */
	int64_t since; /* when it was started, clock_ms() */
	int64_t retry; /* deadline of the next start; CLOCK_NEVER: none */
	int64_t delay; /* ms, before that one */
	char *with; /* the settings that it heeds, when it was started; NULL */
};

enum phase {
	PHASE_SERVE,
	PHASE_DRAIN, /* handlers were asked to end */
	PHASE_KILL, /* and then made to */
	PHASE_HELPERS, /* no handler is left; helpers were asked to end */
	PHASE_HELPERS_KILL, /* and then made to */
};

struct serve {
	struct settings settings;
	struct proxies proxies;
	struct door doors[SERVE_DOORS];
	struct listener listeners[SERVE_LISTENERS];
	size_t listener_count;
	struct connection *connections; /* that have a handler, by pid */
	struct template templates[SERVE_TEMPLATES];
	uint64_t number; /* of the last connection sent to a template */
	struct origin *origins;
	struct chatlog conversation; /* door bcs: the same log, for us */
	struct helper helpers[SERVE_HELPERS];
	bool with_helpers; /* false: systemd's descriptors, systemd's helpers */
	char folder[PATH_MAX]; /* where this program is */
	int poll; /* epoll */
	int signals; /* signalfd */
	enum phase phase;
	int64_t deadline; /* of the phase; CLOCK_NEVER: none */
	int64_t pause; /* accept nothing until then; CLOCK_NEVER: do accept */
	int64_t quiet; /* say nothing of it until then */
	/* Connections whose handler could not be started for want of memory
	 * or processes wait for the end of the pause. */
	struct connection *held;
	struct watch on_signals;
	/* For SIGHUP: how we were called. */
	char program[PATH_MAX];
	struct binary checked; /* what was at that path for the check */
	bool places_found[SERVE_PLACES]; /* by us, and not given to us */
	bool dropped; /* we were root */
	char **argv;
	char **environment;
	bool terminal; /* we have one */
	const char *log; /* -l */
	int log_kept; /* that of our predecessor; -1 */
	struct {
		pid_t pid; /* 0: none runs */
		int64_t deadline;
		bool again; /* SIGHUP came meanwhile */
	} check;
};

/* --- serve_address.c ------------------------------------------------------ */

struct address {
	bool local; /* a Unix socket: host is its path */
	char host[PATH_MAX]; /* "": every address */
	char port[6];
};

/* Takes HOST:PORT, [V6]:PORT, *:PORT, :PORT or /path apart. 0 or -EINVAL. */
int address_split(const char *text, struct address *ret);

/* --- serve_listen.c ------------------------------------------------------- */

/* Binds and listens. A host name may mean several sockets. Unix sockets come
 * last, after privileges were dropped; low ports must come before that. */
void listen_inet_or_die(struct serve *, struct door *, const struct address *);
void listen_local_or_die(struct serve *, struct door *, const struct address *);

/* A free place in the table for this socket. */
struct listener *listener_add_or_die(struct serve *, struct door *, int fd);

/* What the sockets accepted from it are to inherit. */
void listener_tune(int fd);

/* Its address as text, from the socket. */
void listener_name(struct listener *);

/* Accepts one connection: a descriptor (O_CLOEXEC, blocking), or -EAGAIN (no
 * one is there, or no longer), or another -errno: the machine's trouble. */
int listener_accept(const struct listener *, struct peer *ret);

/* Closes it and removes its file. */
void listener_close(struct listener *);

void peer_text(const struct peer *, char ret_text[PEER_TEXT]);

/* --- serve_inherit.c ------------------------------------------------------ */

/* Takes what systemd handed over, by name. Returns how many. */
int listen_inherited_or_die(struct serve *);

/* --- serve_table.c -------------------------------------------------------- */

/* The door of this name; NULL: there is none. */
struct door *door_find(struct serve *, const char *name, size_t len);

/* May this peer have one connection more? If not, it is logged once a source
 * for as long as that stays at its limit. */
bool table_admits(struct serve *, const struct peer *, const struct door *);

/* Counts a connection of this door and peer. */
void table_enter(struct serve *, struct connection *);

/* It has a handler now. */
void table_started(struct serve *, struct connection *, pid_t);

/* Forgets one that has none, and frees it. */
void table_drop(struct serve *, struct connection *);

/* Strikes out a handler that ended; false: this pid is none. */
bool table_remove(struct serve *, pid_t, int status);

/* Sends a signal to every handler. */
void table_signal(const struct serve *, int signal);

/* --- serve_connection.c --------------------------------------------------- */

/* Gets it a handler: from the door's template, or else a new process. It may
 * be dropped, and is then freed. */
void connection_serve(struct serve *, struct connection *);

/* The same without the template, which has failed. */
void connection_spawn(struct serve *, struct connection *);

/* Its handler was started. */
void connection_served(struct serve *, struct connection *, pid_t);

/* No handler could be started: holds it where that is a shortage, else spawns
 * one. */
void connection_failed(struct serve *, struct connection *, int error);

/* The machine is out of something: accepts nothing for a while. */
void connections_pause(struct serve *, const char *event, int error);

/* Ends the pause, if there is one. */
void connections_resume(struct serve *);

/* --- serve_template.c ----------------------------------------------------- */

void templates_init(struct serve *);

/* Hands it to the door's template, starting one if need be; false: there is
 * none to be had. */
bool template_take(struct serve *, struct connection *);

/* Takes in what answers there are, of all. */
void templates_read(struct serve *);

/* Notes that one ended; false: this pid is none. */
bool templates_ended(struct serve *, pid_t, int status);

/* Ends those that are idle or stuck, and when that will be. */
void templates_turn(struct serve *);
int64_t templates_deadline(const struct serve *);

/* They get no more connections, and end when they have forked for those they
 * have; or at once. */
void templates_retire(struct serve *);
void templates_kill(struct serve *);

/* Is there any, or a connection that waits for one? */
bool templates_run(const struct serve *);

/* Ends them all between two answers: what has none is held. */
void templates_cut(struct serve *);

/* --- serve_handler.c ------------------------------------------------------ */

/* Finds a program of ours: beside this one, or in the build tree's
 * ../handlers. 0; or -ENOENT, -EACCES with where it ought
 * to be. */
int program_find(
    const struct serve *, const char *name, char ret_path[PATH_MAX]);

/* Is the file at path another than was noted? If so it is noted. False where
 * there is none: one is just being put into its place. */
bool program_changed(const char *path, struct binary *noted);

/* Prepares the environment that handlers and helpers get. */
void children_prepare_or_die(void);

/* Starts the door's handler for a connection, which stays the caller's to
 * close. 0, or -errno of the fork or the exec. */
int handler_start(
    const struct door *, int connection, const struct peer *, pid_t *ret_pid);

/* Starts it as a template with this socket (lib/template.h). As above. */
int handler_start_template(const struct door *, int socket, pid_t *ret_pid);

/* Starts this program anew, to look at its settings. As above. */
int check_start(char **argv, char **environment, pid_t *ret_pid);

/* Starts a helper, which gets SIGTERM should we die. As above. */
int helper_start(const char *path, pid_t *ret_pid);

/* --- serve_log.c ---------------------------------------------------------- */

/* -l: opens the log of the bcs door's conversation; "-" is standard output,
 * NULL no log. */
void conversation_open_or_die(struct serve *, const char *path);

/* The same after a reload. Where it cannot be opened our predecessor's is kept,
 * and that is logged. */
void conversation_open_again(struct serve *, const char *path);

/* Notes the disconnect of a handler that died of a signal, where its door's
 * conversation has a log. */
void conversation_ended(struct serve *, const struct connection *, int signal);

/* --- serve_helper.c ------------------------------------------------------- */

/* One that our predecessor started runs, and what settings with: before
 * helpers_init(). */
void helper_kept(
    struct serve *, const char *name, pid_t, int64_t since, int64_t delay);
void helper_kept_with(struct serve *, const char *name, const char *with);

/* Logs which of those that run are older than their program or settings. */
void helpers_tell_old(const struct serve *);

void helpers_init(struct serve *);

/* Starts those whose time has come. */
void helpers_turn(struct serve *);

/* When that will be, or CLOCK_NEVER. */
int64_t helpers_deadline(const struct serve *);

/* Notes that one ended; false: this pid is none. */
bool helpers_ended(struct serve *, pid_t, int status);

/* Signals those that run, and starts none again. True if any does. */
bool helpers_stop(struct serve *, int signal);

/* --- serve_loop.c --------------------------------------------------------- */

/* Blocks the signals that the loop reads, and opens what it waits on. */
void loop_open_or_die(struct serve *);

/* The same with connections in hand: tries until it can. */
void loop_open_again(struct serve *);

/* Serves until told to end; has drained on return. */
void loop_run(struct serve *);

/* --- serve_settings.c ----------------------------------------------------- */

/* From the file and the environment, which then has them all. */
void settings_take_or_die(struct serve *);

/* The same after a reload: where those are no good, logs that and goes on with
 * what the handover tells. */
void settings_take_again(struct serve *, int handover);

/* Lines of the handover. */
void settings_write(const struct serve *, FILE *);
void settings_read_place(struct serve *, char *text);
void settings_read_old(struct serve *, char *text);

/* No new privileges, for us and all that we start, unless that is off. */
void settings_confine(const struct serve *);

/* --- serve_reload.c ------------------------------------------------------- */

/* Remembers how we were called: before the environment is changed. */
void reload_prepare_or_die(struct serve *, char **argv);

/* Have we a terminal (still)? */
bool reload_has_terminal(void);

/* SIGHUP: has the new settings looked at, and if they are fine executes this
 * program anew, which then goes on with handover_read(). */
void reload_begin(struct serve *);

/* The check ended; false: this pid is none. */
bool reload_ended(struct serve *, pid_t, int status);

/* The check took too long, or is not wanted any more. */
void reload_give_up(struct serve *);

/* --- serve_handover.c ----------------------------------------------------- */

#define HANDOVER_VARIABLE "PARLANCE_SERVE_HANDOVER"

/* Writes down all that is ours into a memfd, and lets the descriptors in it
 * pass an exec: that memfd, or -errno. */
int handover_write(struct serve *);

/* And takes that back, where exec failed. */
void handover_undo(struct serve *, int fd);

/* The memfd that our predecessor left us, or -1. */
int handover_find(void);

/* Takes in what is in it, and closes it; what makes no sense is left out.
 * Before that, and any number of times: the old settings, into the environment,
 * and which places were found. */
void handover_read(struct serve *, int fd);
void handover_settings(struct serve *, int fd);
void handover_places(struct serve *, int fd);

/* For the check of another version: what it must be able to read. And in that
 * version: can it? */
#define HANDOVER_FORMAT "format 1"
bool handover_is_known(void);

/* --- serve_user.c --------------------------------------------------------- */

/* Makes the state belong to USER, and becomes that user. */
void user_become_or_die(const char *user);

/* --- serve.c -------------------------------------------------------------- */

/* Logs an event with what it was about, and exits with 111. */
void serve_die(const char *event, const char *key, const char *value, int error)
    __attribute__((noreturn));

/* Logs what is wrong with the configuration, and exits with 100. */
void serve_refuse(const char *key, const char *value, const char *what)
    __attribute__((noreturn));

/* --- serve_detach.c ------------------------------------------------------- */

/* Goes on in a child, in a session of its own, while the caller waits for
 * detach_end(): then it prints the child's pid and exits with 0, or with what
 * the child exits with before. Returns, in the child, what to give to
 * detach_end(), or -errno. */
int detach_begin(void);

/* Lets go of the terminal, with all listeners up: from here on the log goes to
 * the journal, or where there is none to syslog. */
void detach_end(int ready);

#endif
