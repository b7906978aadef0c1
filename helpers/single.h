/*
 * What those helpers share of which one runs a host (fanout, gallery), from
 * main's first line to its last (design 8):
 *
 *	single_options(argc, argv, "fanout", help);
 *	single_load(&single, "fanout");        settings; state, its owner's
 *	single_take_lock(&single);             stands by while another runs
 *	single_start(&single);                 loop, signals, watchdog
 *	... what it needs to be right before it is asked anything ...
 *	single_take_socket(&single);           systemd's, or its own
 *	... the rest ...
 *	single_confine(&single, &sandbox);
 *	single_ready(&single);
 *	r = sd_event_loop(single.event);
 *	single_withdraw(&single);
 *	... what it closes ...
 *	single_end(&single);
 *
 * All but the last three log what is wrong and exit (100 configuration, 111 the
 * system). Log events: listening, standby, stop.
 */
#ifndef SINGLE_H
#define SINGLE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "lib/sandbox.h"
#include "lib/settings.h"
#include "lib/state.h"

struct single {
	const char *name; /* "fanout": NAME.lock and NAME.sock are its files */
	struct settings settings;
	struct state state;
	int lock;
	int listener; /* SOCK_SEQPACKET, non-blocking */
	bool own_socket; /* we made it: not systemd */
	uint64_t files; /* how many descriptors it may have */
	sd_event *event;
};

/* --help and --version; other arguments are refused. */
void single_options(int argc, char **argv, const char *name, const char *help);

void single_load(struct single *, const char *name);

/* Confines it, once it has what it needs, as PARLANCE_SANDBOX says. */
void single_confine(const struct single *, const struct sandbox *);
void single_take_lock(struct single *);
void single_start(struct single *);
void single_take_socket(struct single *);
void single_ready(const struct single *);

/* The end: first of all the socket's file goes, while we still hold the lock
 * (who stands by makes its own). Where the sandbox forbids that, it stays, and
 * nobody listens on it. */
void single_withdraw(const struct single *);
void single_end(struct single *);

#endif
