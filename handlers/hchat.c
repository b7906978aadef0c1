/*
 * hchat: serves one client of the web door (HTTP) on standard input and
 * output, and ends. See parlance-hchat(8) and specs/hchatd.txt.
 *
 *	GET  /                    the rooms there are
 *	GET  /chat_create         makes one
 *	GET  /chat/ID             its page; /chat/ID.txt: what was said in it
 *	GET  /msg/ID/N            message N, once it is there
 *	GET  /events/ID           all messages, as server-sent events
 *	POST /send/ID             sends one
 *	GET  /files/NAME          an upload
 *	GET, POST /login, POST /logout, GET /healthz, GET /assets/HASH/NAME
 *
 * Limits: a head of 16 KiB in 64 fields, a message of 65,535 bytes, 1000 rooms
 * on the first page; PARLANCE_CREATE_RATE rooms a minute and source. Deadlines:
 * 10 s for a head, 60 s between requests, 60 s for a body and 30 s for a part
 * of it, 30 s for a write that makes no progress; a lock is waited for 5 s.
 * A wait for a message ends after PARLANCE_POLL_TIMEOUT. An event stream is
 * handed to gallery where there is one.
 *
 * Touches STATE_DIRECTORY/{rooms,meta,lost,db,key,files} (or PARLANCE_FILES)
 * and RUNTIME_DIRECTORY/{index,failed,auth,slots,rate,fanout.sock,
 * gallery.sock}, nothing else once it is confined.
 *
 * Exit status: 0 done, 1 something could not be understood or was cut short,
 * 100 settings, 111 the system failed. SIGTERM: the current request is the
 * last one; one that waits is answered with 204.
 */
#include "hchat.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "handlers/hchat_page.h"
#include "handlers/rules.h"
#include "lib/log.h"
#include "lib/parse.h"

static const char help[] =
    "usage: hchat\n"
    "Serves one HTTP client of the web door on standard input and output;\n"
    "serve, systemd or inetd start it. STATE_DIRECTORY and RUNTIME_DIRECTORY\n"
    "say where the rooms are. See parlance-hchat(8).\n";

/* --- routes ----------------------------------------------------------- */

enum route_needs {
	NEEDS_ROOM = 1, /* the path names a room, which must exist */
	NEEDS_SENDER = 2, /* who it is matters before anything else */
	NO_HEAD = 4, /* its GET changes something */
};

/* In a path "#" is a room's name and "*" any one part. */
struct route {
	const char *path;
	int needs;
	void (*get)(struct session *); /* HEAD too */
	void (*post)(struct session *);
	const char *allow;
};

static const struct route routes[] = {
    {"/msg/#/*", NEEDS_ROOM, hchat_msg, NULL, "GET, HEAD"},
    {"/send/#", NEEDS_ROOM | NEEDS_SENDER, NULL, hchat_send, "POST"},
    {"/events/#", NEEDS_ROOM, hchat_events, NULL, "GET, HEAD"},
    {"/chat/#", NEEDS_ROOM, hchat_room, NULL, "GET, HEAD"},
    {"/chat/#.txt", NEEDS_ROOM, hchat_transcript, NULL, "GET, HEAD"},
    {"/files/*", 0, hchat_file, NULL, "GET, HEAD"},
    {"/", 0, hchat_index, NULL, "GET, HEAD"},
    {"/chat_create", NO_HEAD, hchat_create, NULL, "GET"},
    {"/login", 0, hchat_login_page, hchat_login, "GET, HEAD, POST"},
    {"/logout", 0, NULL, hchat_logout, "POST"},
    {"/assets/*/*", 0, hchat_asset, NULL, "GET, HEAD"},
    {"/healthz", 0, hchat_health, NULL, "GET, HEAD"},
};

static bool is_room_char(char c)
{
	return isascii((unsigned char)c) &&
	       (isalnum((unsigned char)c) || c == '_' || c == '-');
}

/* Takes the part that a "#" or "*" stands for off the path. */
static struct slice take_part(struct slice *path, char kind)
{
	struct slice part = {path->data, 0};

	while (part.len < path->len && path->data[part.len] != '/' &&
	       (kind == '*' || is_room_char(path->data[part.len])))
		part.len++;
	path->data += part.len;
	path->len -= part.len;
	return part;
}

static bool fits(struct session *s, const char *pattern, struct slice path)
{
	size_t parts = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '#') {
			s->door.room_name = take_part(&path, '#');
		} else if (*pattern == '*') {
			s->parts[parts++] = take_part(&path, '*');
		} else {
			if (!path.len || *path.data != *pattern)
				return false;
			path.data++;
			path.len--;
		}
	}
	return path.len == 0;
}

static const struct route *find_route(struct session *s)
{
	struct slice path = s->door.http.head.path;

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (fits(s, routes[i].path, path))
			return &routes[i];
	s->door.room_name = (struct slice){"", 0};
	return NULL;
}

/* --- answers ---------------------------------------------------------- */

void hchat_last(struct session *s)
{
	(void)snprintf(s->common, sizeof s->common,
	    HCHAT_COMMON "Chat-Last: %ju\r\n", (uintmax_t)s->door.room.count);
	s->door.http.common = s->common;
}

static void nothing_here(struct session *s, const char *why)
{
	http_reply(&s->door.http, 404);
	hchat_say(s, why);
}

/* 0, -ENOENT, or -errno of room.h. What was asked for last is there. */
static int open_room(struct session *s)
{
	struct http_door *d = &s->door;
	struct slice name = d->room_name;
	bool known = d->room_open && d->room.fd >= 0 &&
		     parse_is(name.data, name.len, d->room.name);
	int r;

	if (!known && !room_is_chat(&d->rooms, name.data, name.len))
		return -ENOENT;
	r = http_door_room(d);
	if (r == 0 && known && d->room.fd < 0 &&
	    !room_is_chat(&d->rooms, name.data, name.len))
		r = -ENOENT;
	return r;
}

/* Whether the request may go on; if not, it was answered. */
static bool enter_room(struct session *s)
{
	int r = open_room(s);

	if (r == 0) {
		hchat_last(s);
		return true;
	}
	if (r == -ENOENT)
		nothing_here(s, "there is no such room");
	else
		http_door_failed(&s->door, r);
	return false;
}

static void act(struct session *s, const struct route *route)
{
	unsigned method = s->door.http.head.method;

	if (method == HTTP_POST && route->post)
		route->post(s);
	else if (route->get &&
		 (method == HTTP_GET ||
		     (method == HTTP_HEAD && !(route->needs & NO_HEAD))))
		route->get(s);
	else
		(void)http_not_allowed(&s->door.http, route->allow);
}

static void route_to(struct session *s)
{
	const struct route *route;

	if (hchat_is_foreign(s))
		return;
	route = find_route(s);
	if (!route) {
		nothing_here(s, "there is nothing here");
		return;
	}
	if (route->needs & NEEDS_SENDER && !hchat_sender(s))
		return;
	if (route->needs & NEEDS_ROOM && !enter_room(s))
		return;
	act(s, route);
}

/* A route may add fields to its answer; the next one, which http may give by
 * itself (400), has them no more. */
static void answer(struct http_door *door)
{
	door->http.common = HCHAT_COMMON;
	route_to((struct session *)door);
	door->http.common = HCHAT_COMMON;
}

void hchat_health(struct session *s)
{
	s->door.event = NULL;
	http_reply(&s->door.http, 200);
	(void)http_text(&s->door.http, "fine\n");
}

static void open_more(struct http_door *d)
{
	struct session *s = (struct session *)d;
	int r = state_key(&d->start.state, s->key);

	if (r < 0)
		log_die("key", r);
	start_files(&d->start, &s->files);
}

int main(int argc, char **argv)
{
	static struct session session; /* not on the stack: see http.h */
	struct session *s = &session;

	start_options(argc, argv, "hchat", help);
	s->door.scratch = s->record;
	s->door.scratch_len = sizeof s->record;
	http_door_open(&s->door, "hchat", &hchat_sandbox, open_more, s->body,
	    sizeof s->body);
	return http_door_serve(&s->door, answer);
}
