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

#include <errno.h>

#include "lib/clock.h"
#include "lib/http_peer.h"
#include "lib/log.h"

static const char help[] =
    "usage: chatfile\n"
    "Serves one HTTP client of the chatfile door on standard input and\n"
    "output; serve, systemd or inetd start it. STATE_DIRECTORY and\n"
    "RUNTIME_DIRECTORY say where the rooms are. See parlance-chatfile(8).\n";

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "meta", SANDBOX_READ},
    {SANDBOX_STATE, "lost", SANDBOX_MAKE | SANDBOX_WRITE | SANDBOX_REMOVE},
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_RUNTIME, "index",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_RUNTIME, "failed", SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE},
    {SANDBOX_RUNTIME, "auth", SANDBOX_WRITE | SANDBOX_MAKE},
    {SANDBOX_RUNTIME, "slots", SANDBOX_WRITE | SANDBOX_MAKE},
    {SANDBOX_NONE, NULL, 0},
};

static void log_repair(
    void *arg, const char *room, const char *lost, uint64_t bytes)
{
	struct log_line line;

	(void)arg;
	log_begin(&line, LOG_ERR, "repair");
	log_string(&line, "room", room);
	log_string(&line, "lost", lost);
	log_number(&line, "bytes", (int64_t)bytes);
	log_end(&line);
}

static void open_shared(struct session *s)
{
	const char *trusted = s->start.settings.trusted_proxies;
	int r = rooms_open(&s->rooms, &s->start.state);

	if (r < 0)
		log_die("rooms", r);
	s->rooms.notice = log_repair;
	store_init(&s->store, &s->start.state);
	r = auth_init(
	    &s->auth, &s->start.state, &s->store, s->start.settings.hash_slots);
	if (r < 0)
		log_die("auth", r);
	if (proxies_parse(&s->proxies, trusted, strlen(trusted), NULL) < 0)
		log_usage("chatfile", "PARLANCE_TRUSTED_PROXIES is malformed");
}

int chatfile_room(struct session *s)
{
	struct slice name = s->room_name;
	int r;

	if (s->room_open && strlen(s->room.name) == name.len &&
	    memcmp(s->room.name, name.data, name.len) == 0) {
		r = room_look(&s->room);
	} else {
		if (s->room_open)
			room_close(&s->room);
		r = room_open(
		    &s->room, &s->rooms, name.data, name.len, ROOM_CREATE);
		s->room_open = r == 0;
	}
	if (r < 0 && s->room_open) {
		room_close(&s->room);
		s->room_open = false;
	}
	return r < 0 ? r : 0;
}

static const struct {
	int error;
	unsigned status;
	const char *text;
} failures[] = {
    {EBUSY, 503, "the room is busy, try again"},
    {EUCLEAN, 503, "the room is damaged and closed until it is repaired"},
    {EKEYREVOKED, 503, "the disk failed; the room is closed until repaired"},
    {ENOSPC, 507, "the disk is full; nothing was stored"},
    {EDQUOT, 507, "the disk quota is used up; nothing was stored"},
    {EFBIG, 507, "the room is as large as a file can be"},
};

void chatfile_failed(struct session *s, int error)
{
	unsigned status = 500;
	const char *text = "the server's storage failed";
	struct log_line line;

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].error == -error) {
			status = failures[i].status;
			text = failures[i].text;
		}
	log_begin(&line, error == -EBUSY ? LOG_WARNING : LOG_ERR, "failure");
	log_text(&line, "room", s->room_name.data, s->room_name.len);
	log_errno(&line, error);
	log_end(&line);
	http_reply(&s->http, status);
	if (status == 503)
		http_field(&s->http, "Retry-After", "5");
	(void)http_text(&s->http, "%s\n", text);
}

/* --- who -------------------------------------------------------------- */

/* Behind a trusted proxy each request says who it is from. */
static void find_source(struct session *s)
{
	char address[HTTP_ADDRESS];

	s->source = s->start.source;
	if (!s->proxied)
		return;
	if (!http_peer(&s->http.head, &s->proxies, address)) {
		log_open(s->start.door, s->start.peer);
		return;
	}
	s->source = source_parse(address);
	log_open(s->start.door, address);
}

static void login_failed(struct session *s)
{
	struct log_line line;

	log_begin(&line, LOG_NOTICE, "login-failed");
	log_text(&line, "user", s->login.name, s->login.len);
	log_end(&line);
	(void)http_unauthorized(&s->http, "wrong name or password");
}

static void login_impossible(struct session *s, int error)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "login");
	log_errno(&line, error);
	log_end(&line);
	http_reply(&s->http, error == -EBUSY ? 503 : 500);
	if (error == -EBUSY)
		http_field(&s->http, "Retry-After", "5");
	(void)http_text(&s->http, "the accounts are %s\n",
	    error == -EBUSY ? "busy, try again" : "out of order");
}

/* Whether the request may go on; if not, it was answered. */
static bool log_in(struct session *s)
{
	int r = http_login(&s->http, &s->auth, s->source, &s->login);

	switch (r) {
	case HTTP_KNOWN:
		return true;
	case HTTP_NOBODY:
		(void)http_unauthorized(&s->http, "please log in");
		return false;
	case HTTP_WRONG:
		login_failed(s);
		return false;
	default:
		s->login.len = 0;
		login_impossible(s, r);
		return false;
	}
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
		if (methods->method == s->http.head.method) {
			methods->answer(s);
			return;
		}
	(void)http_not_allowed(&s->http, allow);
}

static void answer(struct session *s)
{
	struct slice path = s->http.head.path;

	s->event = "request";
	find_source(s);
	if (!log_in(s))
		return;
	if (room_of(path, &s->room_name))
		by_method(s, room_methods, "GET, HEAD, POST");
	else if (path.len == 7 && memcmp(path.data, "/rooms/", 7) == 0)
		by_method(s, list_methods, "GET, HEAD");
	else
		(void)http_error(&s->http, 404,
		    "there is nothing here; a room is /rooms/NAME.txt, with "
		    "letters, digits, _ and - in NAME\n");
}

static void log_request(struct session *s)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, s->event);
	if (s->login.len)
		log_text(&line, "user", s->login.name, s->login.len);
	if (s->room_name.len)
		log_text(&line, "room", s->room_name.data, s->room_name.len);
	if (s->http.status)
		log_number(&line, "status", s->http.status);
	if (s->message)
		log_number(&line, "message", (int64_t)s->message);
	if (s->repeated)
		log_string(&line, "repeated", "yes");
	log_number(&line, "bytes", (int64_t)s->http.sent);
	if (s->http.gone)
		log_string(&line, "client", "gone");
	log_end(&line);
}

/* Waits for a request; while nothing happens it costs little memory. */
static bool next(struct session *s)
{
	int r = http_wait(&s->http, clock_in(LIMIT_TRIM_MS));

	if (r == -ETIMEDOUT) {
		store_idle(&s->store);
		http_trim(&s->http);
		r = http_wait(
		    &s->http, clock_in(LIMIT_IDLE_MS - LIMIT_TRIM_MS));
	}
	if (r <= 0)
		return false;
	s->event = "refused";
	s->room_name = (struct slice){"", 0};
	s->login.len = 0;
	s->message = 0;
	s->repeated = false;
	r = http_next(&s->http);
	if (r <= 0 && s->http.status)
		log_request(s);
	return r > 0;
}

static int serve(struct session *s)
{
	const char *peer = getenv("REMOTE_ADDR");

	s->proxied = peer && proxies_match(&s->proxies, peer, strlen(peer));
	http_init(&s->http, &s->start.client, s->body, sizeof s->body);
	s->http.common = "Cache-Control: no-cache\r\n"
			 "X-Content-Type-Options: nosniff\r\n";
	while (next(s)) {
		answer(s);
		log_request(s);
	}
	return http_end(&s->http);
}

int main(int argc, char **argv)
{
	static struct session session; /* not on the stack: see http.h */
	struct session *s = &session;

	start_options(argc, argv, "chatfile", help);
	start_load(&s->start, "chatfile");
	open_shared(s);
	start_confine(&s->start, rules);
	start_client(&s->start, 0, 1);
	return serve(s);
}
