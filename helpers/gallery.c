/*
 * gallery: event streams of many viewers in one process (design 6). A viewer
 * only listens: the hchat handler checks its request, sends the response head,
 * hands the socket over on RUNTIME_DIRECTORY/gallery.sock (park.h) and ends.
 *
 * Started by serve, where it has the hchat door, or by systemd (parlance-
 * gallery.socket; Type=notify). It takes flock on RUNTIME_DIRECTORY/
 * gallery.lock; where another gallery holds it, it stands by and takes over
 * when that one ends. Then it takes the socket that systemd passes, or makes
 * gallery.sock (mode 0600), and serves until SIGTERM or SIGINT: the streams end
 * then, and browsers reconnect with Last-Event-ID.
 *
 * Environment: STATE_DIRECTORY, RUNTIME_DIRECTORY, of the settings
 * PARLANCE_CONNECTIONS_PER_SOURCE, PARLANCE_TRUSTED_PROXIES and
 * PARLANCE_SANDBOX; of systemd's LISTEN_FDS, NOTIFY_SOCKET and WATCHDOG_USEC.
 *
 * Reads STATE_DIRECTORY/rooms and RUNTIME_DIRECTORY/index; nothing else once
 * it is confined (Landlock), and writes nothing. It neither locks rooms nor
 * builds their index.
 *
 * Limits: as many viewers as descriptors (the hard limit of RLIMIT_NOFILE, less
 * RESERVE; a room with viewers takes two), and PARLANCE_CONNECTIONS_PER_SOURCE
 * a source, loopback and trusted proxies exempt: streams beyond are closed. One
 * who takes nothing for 30 s is dropped, as is one who sends 64 KiB. A ping
 * goes out after 25 s of silence.
 *
 * Log events: listening, standby, overflow (the kernel dropped events; all
 * rooms are looked at), full, limit (of a source), slow (dropped), failure (of
 * a room), stop.
 *
 * Exit codes: 0 after SIGTERM or SIGINT; 100 usage or configuration; 111 the
 * system failed, or RUNTIME_DIRECTORY was taken away: start it again.
 */
#include "gallery.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/rules.h"
#include "lib/log.h"

#define RESERVE 64 /* descriptors that are not for viewers and rooms */

static const char help[] =
    "usage: gallery\n"
    "Writes the event streams of parlance's web door, handed over on\n"
    "RUNTIME_DIRECTORY/gallery.sock. See parlance-gallery(8).\n";

bool gallery_has_place(const struct gallery *g, unsigned n)
{
	return g->used + n <= g->most;
}

static void load_proxies(struct gallery *g)
{
	const char *proxies = g->single.settings.trusted_proxies;

	if (proxies_parse(&g->proxies, proxies, strlen(proxies), NULL) < 0) {
		log_event(
		    LOG_ERR, "start", "PARLANCE_TRUSTED_PROXIES", proxies);
		exit(100);
	}
}

static void start(struct gallery *g)
{
	uint64_t files = g->single.files;
	int r = rooms_open(&g->rooms, &g->single.state);

	g->most = files > 2 * RESERVE ? files - RESERVE : files / 2;
	if (r == 0)
		r = watch_start(g);
	if (r == 0)
		r = wheel_start(g);
	if (r == 0)
		r = viewers_start(g);
	if (r < 0)
		log_die("start", r);
	single_take_socket(&g->single);
	r = callers_start(g);
	if (r < 0)
		log_die("start", r);
}

static void end(struct gallery *g)
{
	single_withdraw(&g->single);
	callers_end(g);
	viewers_end(g);
	wheel_end(g);
	watcher_end(&g->watcher);
	rooms_close(&g->rooms);
	single_end(&g->single);
}

int main(int argc, char **argv)
{
	static struct gallery gallery; /* not on the stack: see events.h */
	struct gallery *g = &gallery;
	int r;

	single_options(argc, argv, "gallery", help);
	single_load(&g->single, "gallery");
	load_proxies(g);
	single_take_lock(&g->single);
	single_start(&g->single);
	start(g);
	single_confine(&g->single, &gallery_sandbox);
	single_ready(&g->single);
	r = sd_event_loop(g->single.event);
	end(g);
	if (r < 0)
		log_die("loop", r);
	return r;
}
