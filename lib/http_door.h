/*
 * What the doors that speak HTTP (chatfile, hchat) have in common around
 * lib/http: a handler's start, its loop over requests with the log and the
 * memory of idle connections, who a request is from, rooms, what failing
 * storage and log-ins are answered with, waiting for a room. A door adds its
 * routes, and nothing else.
 *
 *	static struct session { struct http_door door; ... } session;
 *	http_door_open(&s->door, "chatfile", rules, NULL, body, sizeof body);
 *	return http_door_serve(&s->door, answer);
 *
 * It logs and exits: for programs only (as start.h).
 */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth.h"
#include "http.h"
#include "http_login.h"
#include "http_peer.h"
#include "room.h"
#include "start.h"
#include "store.h"

/* One connection. Large, for it holds a struct http: static storage. */
struct http_door {
	struct start start;
	struct rooms rooms;
	struct store store;
	struct auth auth;
	struct room room; /* the last request's; open if room_open */
	bool room_open;
	struct proxies proxies;
	bool proxied; /* the peer is one of them */

	/* Memory of the door that is given back with that of http while the
	 * connection waits; or NULL. */
	char *scratch;
	size_t scratch_len;

	/* The request. */
	struct source source; /* who it is from, for delays and rates */
	struct http_login login; /* len 0: nobody */
	struct slice room_name;
	const char *event; /* for the log; NULL: too common for one */
	uint64_t message; /* bytes of it that were stored */
	bool repeated;

	struct http http;
};

/* Answers one request, http_door.http, however it can. */
typedef void http_door_answer(struct http_door *);

/* Loads settings and state, opens what every request may need, confines the
 * process to the rules and takes up the client on descriptors 0 and 1. before
 * is called in front of the sandbox, or NULL. Messages go into body. Exits
 * with 100 or 111 where that fails. */
void http_door_open(struct http_door *, const char *name,
    const struct sandbox *, void (*before)(struct http_door *), char *body,
    size_t body_cap);

/* Answers requests, one log line each, until there is no next one. Returns the
 * handler's exit status. */
int http_door_serve(struct http_door *, http_door_answer *);

/* Opens or looks at the room that room_name says; it need not exist (its fd is
 * -1 then). 0, or -errno of room.h. */
int http_door_room(struct http_door *);

/* Waits until ready(door, arg) holds, which is asked after each look at the
 * room, or until the deadline, or SIGTERM, after which the answer will be the
 * last. ready returns 1, 0 or -errno. 1 if ready; 0 if not; -errno: of ready,
 * of the room, or -EPIPE (the client hung up; http.gone). */
int http_door_wait(struct http_door *, int64_t deadline,
    int (*ready)(struct http_door *, uint64_t arg), uint64_t arg);

/* The request's Idempotency-Key, "" if it has none. 0, or -1: it is malformed
 * or repeated, which was answered with 400. */
int http_door_key(struct http_door *, char ret_key[LIMIT_KEY + 1]);

/* Answers what a function of room.h could not do: 500, 503 or 507. */
void http_door_failed(struct http_door *, int error);

/* Logs a log-in that failed; the answer is the door's. */
void http_door_wrong(struct http_door *);

/* Answers that the accounts cannot be asked (-errno of auth.h): 503, 500. */
void http_door_no_accounts(struct http_door *, int error);

/* Checks Authorization: http_who with `login` set, HTTP_WRONG being answered
 * with 401 and logged; or -errno, answered. */
int http_door_login(struct http_door *);

#endif
