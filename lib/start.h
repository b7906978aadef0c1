/*
 * How every handler begins (design 3), in two steps, so that a template
 * process can do the first once and the second for each client:
 *
 *	start_load(&start, "chatfile");     settings, state: "loaded"
 *	... open what every connection needs ...
 *	start_confine(&start, &sandbox);    "confined"
 *	start_client(&start, 0, 1);         "has a client"
 *
 * Where serve wants a template (template.h), start_client() returns once for
 * each client, in a process of its own: what comes before it is shared, and so
 * holds nothing that is locked, read from where it stands, or a database.
 *
 * Each logs what is wrong and exits (100 settings, 111 system): it is called
 * by programs only.
 */
#ifndef START_H
#define START_H

#include <netinet/in.h>

#include "io.h"
#include "rate.h"
#include "sandbox.h"
#include "settings.h"
#include "state.h"

struct start {
	const char *door;
	struct settings settings;
	struct state state;
	struct client client;
	char address[INET6_ADDRSTRLEN]; /* the peer's; "": it has none */
	struct source source; /* the same, for rates */
	char peer[80]; /* for the log: "127.0.0.1:50122", "uid:1000" */
	int template; /* serve's socket; -1: we have our client already */
};

struct files;
struct rooms;

void start_load(struct start *, const char *door);

/* For doors that have to do with rooms, once loaded: opens their folders
 * (room.h), and logs repairs that take place later. */
void start_rooms(const struct start *, struct rooms *ret);

/* For doors that have to do with uploads, once loaded: opens their folder
 * (files.h). That one named by PARLANCE_FILES cannot be opened is a fault of
 * the settings. */
void start_files(const struct start *, struct files *ret);

void start_confine(struct start *, const struct sandbox *);

/* Takes up the client: its descriptors, and its address from REMOTE_ADDR and
 * REMOTE_PORT or, where they are not set, from the socket (SO_PEERCRED of a
 * Unix one). A trusted proxy's PROXY line is read here (start_peer.c). In a
 * template it waits for clients, whose addresses serve tells it, and returns in
 * a process of each one's own, on those descriptors; that ends by exit(3)
 * without what else would be done then: it keeps nothing in stdio. */
void start_client(struct start *, int in, int out);

/* Who the client is; start_client() calls it. NULL, and an address of "": that
 * is asked of the socket. */
void start_peer(struct start *, const char *address, const char *port);

/* Answers --help and --version of a handler and refuses other arguments
 * (exit 0 or 100); help is its operator's note in short. */
void start_options(int argc, char **argv, const char *name, const char *help);

#endif
