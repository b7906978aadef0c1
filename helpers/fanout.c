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
 * Environment: STATE_DIRECTORY, RUNTIME_DIRECTORY; of the settings
 * PARLANCE_SANDBOX; of systemd's LISTEN_FDS, NOTIFY_SOCKET and WATCHDOG_USEC.
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

#include <unistd.h>

#include "helpers/rules.h"
#include "lib/log.h"

#define RESERVE 64 /* descriptors that are not for subscribers */

static const char help[] =
    "usage: fanout\n"
    "Rings for parlance's rooms and tells who is there, on\n"
    "RUNTIME_DIRECTORY/fanout.sock. See parlance-fanout(8).\n";

static void load(struct fanout *f)
{
	struct state *state = &f->single.state;
	int r;

	f->index = state_folder(state->runtime, "index");
	if (f->index < 0)
		log_die("start", f->index);
	r = present_open(&f->present, state);
	if (r < 0)
		log_die("start", r);
}

/* The watches first, then the folder, then subscribers: nothing that happens
 * in between is missed, and what a scan finds is nobody's news. */
static void start(struct fanout *f)
{
	uint64_t files = f->single.files;
	int r = watch_start(f);

	f->most = files > 2 * RESERVE ? files - RESERVE : files / 2;
	if (r == 0)
		r = guests_scan(f);
	if (r < 0)
		log_die("start", r);
	single_take_socket(&f->single);
	r = subscribers_start(f);
	if (r < 0)
		log_die("start", r);
}

static void end(struct fanout *f)
{
	single_withdraw(&f->single);
	subscribers_end(f);
	guests_end(f);
	watcher_end(&f->watcher);
	(void)close(f->index);
	present_close(&f->present);
	single_end(&f->single);
}

int main(int argc, char **argv)
{
	struct fanout f = {0};
	int r;

	single_options(argc, argv, "fanout", help);
	single_load(&f.single, "fanout");
	load(&f);
	single_take_lock(&f.single);
	single_start(&f.single);
	start(&f);
	single_confine(&f.single, &fanout_sandbox);
	single_ready(&f.single);
	r = sd_event_loop(f.single.event);
	end(&f);
	if (r < 0)
		log_die("loop", r);
	return r;
}
