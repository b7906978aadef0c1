/*
 * fanout: live delivery and presence (design 6). One process a host, single-
 * threaded; it holds no message and writes no file but its lock and socket.
 *
 * Started by serve or by systemd (parlance-fanout.socket; Type=notify). It
 * takes flock on RUNTIME_DIRECTORY/fanout.lock; where another fanout holds it,
 * it stands by and takes over when that one ends. Then it takes the socket that
 * systemd passes, or makes RUNTIME_DIRECTORY/fanout.sock (mode 0600), and
 * serves until SIGTERM or SIGINT.
 *
 * Environment: STATE_DIRECTORY, RUNTIME_DIRECTORY; of systemd's LISTEN_FDS,
 * NOTIFY_SOCKET and WATCHDOG_USEC.
 *
 * Limits: as many subscribers as descriptors (the hard limit of RLIMIT_NOFILE,
 * less RESERVE); those beyond wait in the backlog, and look once a second
 * meanwhile. A subscriber who does not read has SEND_BUFFER in the kernel and a
 * bit a room here. 16 rooms a connection.
 *
 * Log events: listening, standby, overflow (the kernel dropped events; all are
 * rung), full (no more subscribers), stop.
 *
 * Exit codes: 0 after SIGTERM or SIGINT; 100 usage or configuration; 111 the
 * system failed, or RUNTIME_DIRECTORY was taken away: start it again.
 */
#include "fanout.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/helper.h"
#include "lib/log.h"

#define SOCKET "fanout.sock"
#define RESERVE 64 /* descriptors that are not for subscribers */

static void options(int argc, char **argv)
{
	if (argc < 2)
		return;
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("fanout (parlance) %s\n", PARLANCE_VERSION);
		exit(fflush(stdout) ? 111 : 0);
	}
	if (strcmp(argv[1], "--help") == 0) {
		(void)fputs("usage: fanout\n"
			    "Rings for parlance's rooms and tells who is there,"
			    " on RUNTIME_DIRECTORY/fanout.sock.\n"
			    "See parlance-fanout(8).\n",
		    stdout);
		exit(fflush(stdout) ? 111 : 0);
	}
	log_usage("fanout", "takes no arguments (--help tells more)");
}

static void load(struct fanout *f)
{
	struct state_error error;
	int r = state_become_owner(&error);

	if (r == 0)
		r = state_open(&f->state, &error);
	if (r < 0) {
		log_event(LOG_ERR, "start", "error", error.text);
		exit(111);
	}
	f->index = state_folder(f->state.runtime, "index");
	if (f->index < 0)
		log_die("start", f->index);
	r = present_open(&f->present, &f->state);
	if (r < 0)
		log_die("start", r);
}

static void block_signals(int how)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigprocmask(how, &mask, NULL);
}

static void on_signal_while_waiting(int number)
{
	(void)number;
	_exit(0);
}

/* Waits for the other fanout to end. To systemd that is being ready (a unit
 * would time out otherwise), and the watchdog wants to hear of it. */
static void stand_by(struct fanout *f)
{
	uint64_t usec = 0;
	bool watched = sd_watchdog_enabled(0, &usec) > 0;

	(void)signal(SIGTERM, on_signal_while_waiting);
	(void)signal(SIGINT, on_signal_while_waiting);
	block_signals(SIG_UNBLOCK);
	log_event(LOG_INFO, "standby", "lock", "fanout.lock");
	(void)sd_notify(0, "READY=1\nSTATUS=Standing by: another fanout runs");
	do {
		f->lock = helper_lock(&f->state, "fanout.lock",
		    watched ? clock_in((int64_t)(usec / 2000)) : CLOCK_NEVER);
		(void)sd_notify(0, "WATCHDOG=1");
	} while (f->lock == -EBUSY);
}

static void take_lock(struct fanout *f)
{
	f->lock = helper_lock(&f->state, "fanout.lock", 0);
	if (f->lock == -EBUSY)
		stand_by(f);
	if (f->lock < 0)
		log_die("lock", f->lock);
}

/* systemd's socket, or our own. */
static void take_socket(struct fanout *f)
{
	int n = sd_listen_fds(1);

	if (n == 0) {
		f->listener =
		    helper_listen(&f->state, SOCKET, SOCK_SEQPACKET, 0600);
		f->own_socket = true;
		if (f->listener < 0)
			log_die("listen", f->listener);
		return;
	}
	f->listener = SD_LISTEN_FDS_START;
	if (n != 1 ||
	    sd_is_socket_unix(f->listener, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		log_event(LOG_ERR, "start", "error",
		    "LISTEN_FDS must be one listening Unix socket of type "
		    "SOCK_SEQPACKET");
		exit(100);
	}
}

static int on_signal(
    sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct log_line l;

	(void)arg;
	(void)sd_notify(0, "STOPPING=1");
	log_begin(&l, LOG_INFO, "stop");
	log_number(&l, "signal", info->ssi_signo);
	log_end(&l);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int start_events(struct fanout *f)
{
	int r = sd_event_new(&f->event);

	(void)signal(SIGPIPE, SIG_IGN);
	block_signals(SIG_BLOCK);
	if (r >= 0)
		r = sd_event_add_signal(f->event, NULL, SIGTERM, on_signal, f);
	if (r >= 0)
		r = sd_event_add_signal(f->event, NULL, SIGINT, on_signal, f);
	if (r >= 0)
		r = sd_event_set_watchdog(f->event, true);
	return r < 0 ? r : 0;
}

/* The watches first, then the folder, then subscribers: nothing that happens
 * in between is missed, and what a scan finds is nobody's news. */
static void start(struct fanout *f)
{
	uint64_t files = helper_raise_files();
	int r = start_events(f);

	f->most = files > 2 * RESERVE ? files - RESERVE : files / 2;
	if (r == 0)
		r = watch_start(f);
	if (r == 0)
		r = guests_scan(f);
	if (r < 0)
		log_die("start", r);
	take_socket(f);
	r = subscribers_start(f);
	if (r < 0)
		log_die("start", r);
}

/* The sandbox (Landlock: RUNTIME_DIRECTORY; seccomp) goes here: all that is
 * opened later is below f->present.folder, for reading and unlinking. */
static void confine(struct fanout *f)
{
	(void)f;
}

static void ready(struct fanout *f)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "listening");
	if (f->own_socket)
		log_string(&l, "socket", SOCKET);
	else
		log_string(&l, "from", "systemd");
	log_string(&l, "address", f->state.runtime_path);
	log_end(&l);
	(void)sd_notify(0, "READY=1\nSTATUS=Serving");
}

/* The socket goes while we still hold the lock: who stands by makes its own. */
static void end(struct fanout *f)
{
	if (f->own_socket)
		(void)unlinkat(f->state.runtime, SOCKET, 0);
	subscribers_end(f);
	guests_end(f);
	(void)sd_event_unref(f->event);
	(void)close(f->inotify);
	(void)close(f->listener);
	(void)close(f->index);
	present_close(&f->present);
	(void)close(f->lock);
	state_close(&f->state);
}

int main(int argc, char **argv)
{
	struct fanout f = {.lock = -1, .listener = -1, .inotify = -1};
	int r;

	options(argc, argv);
	log_open("fanout", NULL);
	load(&f);
	take_lock(&f);
	start(&f);
	confine(&f);
	ready(&f);
	r = sd_event_loop(f.event);
	end(&f);
	if (r < 0)
		log_die("loop", r);
	return r;
}
