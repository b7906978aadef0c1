#include "single.h"

#include <errno.h>
#include <fcntl.h>
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

#define FILE_NAME 32

/* NAME.lock, NAME.sock */
static const char *file_of(
    const struct single *s, const char *suffix, char text[FILE_NAME])
{
	(void)snprintf(text, FILE_NAME, "%s.%s", s->name, suffix);
	return text;
}

void single_options(int argc, char **argv, const char *name, const char *help)
{
	if (argc < 2)
		return;
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("%s (parlance) %s\n", name, PARLANCE_VERSION);
		exit(fflush(stdout) ? 111 : 0);
	}
	if (strcmp(argv[1], "--help") == 0) {
		(void)fputs(help, stdout);
		exit(fflush(stdout) ? 111 : 0);
	}
	log_usage(name, "takes no arguments (--help tells more)");
}

static void die_with(const char *text, int status)
{
	log_event(LOG_ERR, "start", "error", text);
	exit(status);
}

void single_load(struct single *s, const char *name)
{
	struct settings_error wrong;
	struct state_error error;

	*s = (struct single){.name = name, .lock = -1, .listener = -1};
	log_open(name, NULL);
	if (settings_load(&s->settings, &wrong) < 0)
		die_with(wrong.text, 100);
	if (state_become_owner(&error) < 0 || state_open(&s->state, &error) < 0)
		die_with(error.text, 111);
}

void single_confine(const struct single *s, const struct sandbox *sandbox)
{
	struct sandbox_missing missing;
	struct log_line line;
	int r = sandbox_enter(sandbox, &s->state, &s->settings, &missing);

	if (r < 0)
		log_die("sandbox", r);
	if (!missing.what)
		return;
	log_begin(&line, LOG_WARNING, "sandbox");
	log_string(&line, "missing", missing.what);
	log_errno(&line, missing.error);
	log_end(&line);
}

/* --- the lock --------------------------------------------------------------
 */

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

/* Waits for the other one to end. To systemd that is being ready (a unit
 * would time out otherwise), and the watchdog wants to hear of it. */
static void stand_by(struct single *s, const char *lock)
{
	uint64_t usec = 0;
	bool watched = sd_watchdog_enabled(0, &usec) > 0;

	(void)signal(SIGTERM, on_signal_while_waiting);
	(void)signal(SIGINT, on_signal_while_waiting);
	block_signals(SIG_UNBLOCK);
	log_event(LOG_INFO, "standby", "lock", lock);
	(void)sd_notifyf(
	    0, "READY=1\nSTATUS=Standing by: another %s runs", s->name);
	do {
		s->lock = helper_lock(&s->state, lock,
		    watched ? clock_in((int64_t)(usec / 2000)) : CLOCK_NEVER);
		(void)sd_notify(0, "WATCHDOG=1");
	} while (s->lock == -EBUSY);
}

void single_take_lock(struct single *s)
{
	char lock[FILE_NAME];

	s->lock = helper_lock(&s->state, file_of(s, "lock", lock), 0);
	if (s->lock == -EBUSY)
		stand_by(s, lock);
	if (s->lock < 0)
		log_die("lock", s->lock);
}

/* --- the loop --------------------------------------------------------------
 */

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

void single_start(struct single *s)
{
	int r = sd_event_new(&s->event);

	s->files = helper_raise_files();
	(void)signal(SIGPIPE, SIG_IGN);
	block_signals(SIG_BLOCK);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGTERM, on_signal, s);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGINT, on_signal, s);
	if (r >= 0)
		r = sd_event_set_watchdog(s->event, true);
	if (r < 0)
		log_die("start", r);
}

/* --- the socket ------------------------------------------------------------
 */

static void inherit_socket(struct single *s, int n)
{
	int flags;

	s->listener = SD_LISTEN_FDS_START;
	if (n != 1 ||
	    sd_is_socket_unix(s->listener, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		die_with("LISTEN_FDS must be one listening Unix socket of type "
			 "SOCK_SEQPACKET",
		    100);
	}
	flags = fcntl(s->listener, F_GETFL);
	if (flags < 0 || fcntl(s->listener, F_SETFL, flags | O_NONBLOCK) < 0)
		log_die("listen", -errno);
}

void single_take_socket(struct single *s)
{
	char socket[FILE_NAME];
	int n = sd_listen_fds(1);

	if (n != 0) {
		inherit_socket(s, n);
		return;
	}
	s->listener = helper_listen(
	    &s->state, file_of(s, "sock", socket), SOCK_SEQPACKET, 0600);
	s->own_socket = true;
	if (s->listener < 0)
		log_die("listen", s->listener);
}

void single_ready(const struct single *s)
{
	char socket[FILE_NAME];
	struct log_line l;

	log_begin(&l, LOG_INFO, "listening");
	if (s->own_socket)
		log_string(&l, "socket", file_of(s, "sock", socket));
	else
		log_string(&l, "from", "systemd");
	log_string(&l, "address", s->state.runtime_path);
	log_end(&l);
	(void)sd_notify(0, "READY=1\nSTATUS=Serving");
}

void single_withdraw(const struct single *s)
{
	char socket[FILE_NAME];

	if (s->own_socket)
		(void)unlinkat(s->state.runtime, file_of(s, "sock", socket), 0);
}

void single_end(struct single *s)
{
	(void)sd_event_unref(s->event);
	(void)close(s->listener);
	(void)close(s->lock);
	state_close(&s->state);
}
