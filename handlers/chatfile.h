/*
 * What the parts of the chatfile door share: chatfile.c (start, routing, log),
 * chatfile_post.c (messages), chatfile_get.c (rooms as files, their list) and
 * chatfile_wait.c (Prefer: wait).
 *
 * chatfile_*() functions answer the request at hand, whatever happens; what
 * came of it stands in session.http.
 */
#ifndef CHATFILE_H
#define CHATFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/auth.h"
#include "lib/http.h"
#include "lib/http_login.h"
#include "lib/proxies.h"
#include "lib/room.h"
#include "lib/start.h"
#include "lib/store.h"

#define CHATFILE_TEXT "text/plain; charset=utf-8"

/* One connection. */
struct session {
	struct start start;
	struct rooms rooms;
	struct store store;
	struct auth auth;
	struct room room; /* the last request's; open if room_open */
	bool room_open;
	struct proxies proxies;
	bool proxied; /* the peer is one of them */

	/* The request. */
	struct source source; /* who it is from, for delays of log-ins */
	struct http_login login;
	struct slice room_name;
	const char *event; /* for the log */
	uint64_t message; /* bytes of it that were stored */
	bool repeated;

	struct http http;
	char body[LIMIT_MESSAGE];
};

/* Opens or looks at the room that the request names; it need not exist (its fd
 * is -1 then). 0 or -errno of room.h. */
int chatfile_room(struct session *);

/* Answers what a function of room.h could not do. */
void chatfile_failed(struct session *, int error);

void chatfile_post(struct session *);
void chatfile_get(struct session *);
void chatfile_list(struct session *);

/* Waits until the room has bytes past since, so many seconds at most, or until
 * SIGTERM. 0, or -errno: of the room, or -EPIPE (the client hung up). */
int chatfile_wait(struct session *, uint64_t since, uint64_t seconds);

#endif
