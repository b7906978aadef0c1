/*
 * What the parts of serve share. One process, one thread, one struct serve:
 *
 *	serve_address.c  DOOR=ADDRESS, as it is given
 *	serve_listen.c   listening sockets: made, accepted from, closed
 *	serve_inherit.c  listening sockets that systemd hands over
 *	serve_table.c    who is connected: limits per door and per source
 *	serve_handler.c  how a connection is handed to a handler
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
#include <sys/types.h>
#include <uthash.h>

#include "lib/chatlog.h"
#include "lib/proxies.h"
#include "lib/rate.h"
#include "lib/settings.h"

#define SERVE_LISTENERS 64
#define SERVE_DOORS 4
#define SERVE_HELPERS 2

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

struct door {
	const char *name;
	char handler[PATH_MAX]; /* its program; "": not served */
	uint64_t count; /* connections now */
	int log; /* its conversation's log, for handlers; 0: none is kept */
};

/* One listening socket. */
struct listener {
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

/* One running handler. */
struct connection {
	pid_t pid; /* the key */
	struct door *door;
	struct origin *origin; /* NULL: exempt */
	char peer[PEER_TEXT];
	UT_hash_handle hh;
};

struct helper {
	const char *name;
	const char *door; /* needed where this door is served; NULL: always */
	pid_t pid; /* 0: not running */
	int64_t since; /* when it was started, clock_ms() */
	int64_t retry; /* deadline of the next start; CLOCK_NEVER: none */
	int64_t delay; /* ms, before that one */
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
	struct connection *connections;
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
	/* A connection whose handler could not be started for want of memory
	 * or processes waits for the end of the pause. */
	struct {
		int fd; /* -1: none */
		struct door *door;
		struct peer peer;
	} held;
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

/* Enters a running handler; one that does not fit for want of memory is
 * served, and not counted. */
void table_add(struct serve *, pid_t, struct door *, const struct peer *);

/* Strikes out a handler that ended; false: this pid is none. */
bool table_remove(struct serve *, pid_t, int status);

/* Sends a signal to every handler. */
void table_signal(const struct serve *, int signal);

/* --- serve_handler.c ------------------------------------------------------ */

/* Finds a program of ours: beside this one, or in the build tree's
 * ../handlers. 0, -ENOENT, -EACCES. */
int program_find(
    const struct serve *, const char *name, char ret_path[PATH_MAX]);

/* Prepares the environment that handlers and helpers get. */
void children_prepare_or_die(void);

/* Starts the door's handler for a connection, which stays the caller's to
 * close. 0, or -errno of the fork or the exec. */
int handler_start(
    const struct door *, int connection, const struct peer *, pid_t *ret_pid);

/* Starts a helper, which gets SIGTERM should we die. As above. */
int helper_start(const char *path, pid_t *ret_pid);

/* --- serve_log.c ---------------------------------------------------------- */

/* -l: opens the log of the bcs door's conversation; "-" is standard output,
 * NULL no log. */
void conversation_open_or_die(struct serve *, const char *path);

/* Notes the disconnect of a handler that died of a signal, where its door's
 * conversation has a log. */
void conversation_ended(struct serve *, const struct connection *, int signal);

/* --- serve_helper.c ------------------------------------------------------- */

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

/* Serves until told to end; has drained on return. */
void loop_run(struct serve *);

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
