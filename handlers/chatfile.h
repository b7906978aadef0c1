/*
 * What the parts of the chatfile door share: chatfile.c (start, routing, log),
 * chatfile_post.c (messages), chatfile_get.c (rooms as files, their list) and
 * chatfile_wait.c (Prefer: wait).
 *
 * chatfile_*() functions answer the request at hand, whatever happens; what
 * came of it stands in session.door.
 */
#ifndef CHATFILE_H
#define CHATFILE_H

#include <stdint.h>

#include "lib/http_door.h"

#define CHATFILE_TEXT "text/plain; charset=utf-8"

/* One connection. */
struct session {
	struct http_door door; /* the first: it is what answer() is given */
	char body[LIMIT_MESSAGE];
};

void chatfile_post(struct session *);
void chatfile_get(struct session *);
void chatfile_list(struct session *);

/* Waits until the room has bytes past since, so many seconds at most, or until
 * SIGTERM. 0, or -errno: of the room, or -EPIPE (the client hung up). */
int chatfile_wait(struct session *, uint64_t since, uint64_t seconds);

#endif
