/*
 * What the parts of the hchat door share: hchat.c (start, routes),
 * hchat_who.c (authors, other sites' requests), hchat_msg.c (messages, event
 * streams, transcripts), hchat_file.c (uploads), hchat_send.c (sending),
 * hchat_index.c (the list of rooms, making one), hchat_login.c (signing in and
 * out), hchat_page.c (templates, assets).
 *
 * hchat_*() functions answer the request at hand, whatever happens; what came
 * of it stands in session.door.
 */
#ifndef HCHAT_H
#define HCHAT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/events.h"
#include "lib/files.h"
#include "lib/http_door.h"
#include "lib/session.h"

#define HCHAT_TEXT "text/plain; charset=utf-8"

/* A message as a form has it: each byte may be three. */
#define HCHAT_BODY (64 + 3 * LIMIT_MESSAGE)

/* Fields of every answer. */
#define HCHAT_COMMON                                                           \
	"Cache-Control: no-cache\r\n"                                          \
	"X-Content-Type-Options: nosniff\r\n"                                  \
	"Referrer-Policy: no-referrer\r\n"

/* Parts of a path that a route leaves open, besides the room. */
#define HCHAT_PARTS 2

/* One connection. */
struct session {
	struct http_door door; /* the first: it is what answer() is given */
	unsigned char key[STATE_KEY_BYTES];
	struct files files;

	/* The request. */
	struct slice parts[HCHAT_PARTS];
	char common[256]; /* fields of every answer */

	/* Scratch: a record; a message on its way in or out. */
	char record[EVENTS_RECORD];
	struct events events;
	char body[HCHAT_BODY];
};

/* --- hchat.c --- */

/* Adds Chat-Last, the room's newest number as of now, to the answer. */
void hchat_last(struct session *);

/* --- hchat_who.c --- */

/* Is it another site's page that makes the browser send this? Then it was
 * answered. */
bool hchat_is_foreign(struct session *);

/* Sets door.login to the session's account, if there is one; false if it was
 * answered. */
bool hchat_session(struct session *);

/* Who sends: Authorization, the session, or a guest (login.len 0). False if it
 * was answered. */
bool hchat_sender(struct session *);

/* A record's author and keys, as of hchat_sender(). */
struct hchat_author {
	char name[LIMIT_NAME + 2];
	char keys[4 + SESSION_GUEST];
};
bool hchat_author(struct session *, struct hchat_author *ret);

/* The guest's name of the cookie, decoded, or "" if that is none. */
void hchat_guest_name(const struct session *, char ret_name[LIMIT_NAME + 1]);

/* --- what the routes lead to --- */

void hchat_index(struct session *);
void hchat_create(struct session *);
void hchat_room(struct session *);
void hchat_transcript(struct session *);
void hchat_msg(struct session *);
void hchat_events(struct session *);
void hchat_file(struct session *);
void hchat_send(struct session *);
void hchat_login_page(struct session *);
void hchat_login(struct session *);
void hchat_logout(struct session *);
void hchat_health(struct session *);
void hchat_asset(struct session *);

#endif
