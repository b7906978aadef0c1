/*
 * chatfile: serves one client of the chatfile door (HTTP) on standard input
 * and output, and ends. See parlance-chatfile(8) and specs/chatfile.txt.
 *
 *	POST /rooms/NAME.txt    sync: append a message, get what is new
 *	GET  /rooms/NAME.txt    the room, as a file
 *	GET  /rooms/            the rooms' names
 *
 * Everyone logs in (Basic). Limits: a head of 16 KiB in 64 fields, a message
 * of 65,535 bytes. Deadlines: 10 s for a head, 60 s between requests, 60 s
 * for a body and 30 s for a part of it, 30 s for a write that makes no
 * progress; a body without a length begins within 250 ms and pauses for 5 s
 * at most. Prefer: wait hangs for 60 s at most; a lock is waited for 5 s.
 *
 * Touches STATE_DIRECTORY/{rooms,lost,meta,db} and RUNTIME_DIRECTORY/{index,
 * failed,auth,slots,rate,fanout.sock}, nothing else once it is confined.
 *
 * Exit status: 0 done, 1 something could not be understood or was cut short,
 * 100 settings, 111 the system failed. SIGTERM: the current request is the
 * last one.
 */
#include "chatfile.h"

#include "handlers/rules.h"

static const char help[] =
    "usage: chatfile\n"
    "Serves one HTTP client of the chatfile door on standard input and\n"
    "output; serve, systemd or inetd start it. STATE_DIRECTORY and\n"
    "RUNTIME_DIRECTORY say where the rooms are. See parlance-chatfile(8).\n";

/* Whether the request may go on; if not, it was answered. */
static bool log_in(struct session *s)
{
	int r = http_door_login(&s->door);

	if (r == HTTP_NOBODY)
		(void)http_unauthorized(&s->door.http, "please log in");
	return r == HTTP_KNOWN;
}

/* --- what ------------------------------------------------------------- */

struct method {
	unsigned method;
	void (*answer)(struct session *);
};

static const struct method room_methods[] = {{HTTP_POST, chatfile_post},
    {HTTP_GET, chatfile_get}, {HTTP_HEAD, chatfile_get}, {0, NULL}};

static const struct method list_methods[] = {
    {HTTP_GET, chatfile_list}, {HTTP_HEAD, chatfile_list}, {0, NULL}};

/* Takes the room's name out of /rooms/NAME.txt. A "%" is in no name. */
static bool room_of(struct slice path, struct slice *ret)
{
	const size_t prefix = strlen("/rooms/"), suffix = strlen(".txt");
	struct slice name;

	if (path.len < prefix + suffix ||
	    memcmp(path.data, "/rooms/", prefix) != 0 ||
	    memcmp(path.data + path.len - suffix, ".txt", suffix) != 0)
		return false;
	name = (struct slice){path.data + prefix, path.len - prefix - suffix};
	if (!room_name_ok(name.data, name.len))
		return false;
	*ret = name;
	return true;
}

static void by_method(
    struct session *s, const struct method *methods, const char *allow)
{
	for (; methods->answer; methods++)
		if (methods->method == s->door.http.head.method) {
			methods->answer(s);
			return;
		}
	(void)http_not_allowed(&s->door.http, allow);
}

static void answer(struct http_door *door)
{
	struct session *s = (struct session *)door;
	struct slice path = door->http.head.path;

	if (!log_in(s))
		return;
	if (room_of(path, &door->room_name))
		by_method(s, room_methods, "GET, HEAD, POST");
	else if (path.len == 7 && memcmp(path.data, "/rooms/", 7) == 0)
		by_method(s, list_methods, "GET, HEAD");
	else
		(void)http_error(&door->http, 404,
		    "there is nothing here; a room is /rooms/NAME.txt, with "
		    "letters, digits, _ and - in NAME\n");
}

int main(int argc, char **argv)
{
	static struct session session; /* not on the stack: see http.h */
	struct session *s = &session;

	start_options(argc, argv, "chatfile", help);
	http_door_open(&s->door, "chatfile", &chatfile_sandbox, NULL, s->body,
	    sizeof s->body);
	return http_door_serve(&s->door, answer);
}
