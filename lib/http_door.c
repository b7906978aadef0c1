#include "http_door.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "live.h"
#include "log.h"
#include "parse.h"

/* --- start ------------------------------------------------------------ */

static void open_shared(struct http_door *d, const char *name)
{
	const char *trusted = d->start.settings.trusted_proxies;
	int r;

	start_rooms(&d->start, &d->rooms);
	store_init(&d->store, &d->start.state);
	r = auth_init(
	    &d->auth, &d->start.state, &d->store, d->start.settings.hash_slots);
	if (r < 0)
		log_die("auth", r);
	if (proxies_parse(&d->proxies, trusted, strlen(trusted), NULL) < 0)
		log_usage(name, "PARLANCE_TRUSTED_PROXIES is malformed");
}

void http_door_open(struct http_door *d, const char *name,
    const struct sandbox *sandbox, void (*before)(struct http_door *),
    char *body, size_t body_cap)
{
	start_load(&d->start, name);
	open_shared(d, name);
	if (before)
		before(d);
	start_confine(&d->start, sandbox);
	start_client(&d->start, 0, 1);
	d->proxied = proxies_match(
	    &d->proxies, d->start.address, strlen(d->start.address));
	http_init(&d->http, &d->start.client, body, body_cap);
	d->http.common = "Cache-Control: no-cache\r\n"
			 "X-Content-Type-Options: nosniff\r\n";
}

/* --- the loop --------------------------------------------------------- */

static void log_request(struct http_door *d)
{
	struct log_line line;

	if (!d->event)
		return;
	log_begin(&line, LOG_INFO, d->event);
	if (d->login.len)
		log_text(&line, "user", d->login.name, d->login.len);
	if (d->room_name.len)
		log_text(&line, "room", d->room_name.data, d->room_name.len);
	if (d->http.status)
		log_number(&line, "status", d->http.status);
	if (d->message)
		log_number(&line, "message", (int64_t)d->message);
	if (d->repeated)
		log_string(&line, "repeated", "yes");
	log_number(&line, "bytes", (int64_t)d->http.sent);
	if (d->http.gone)
		log_string(&line, "client", "gone");
	log_end(&line);
}

static void give_back(struct http_door *d)
{
	store_idle(&d->store);
	http_give_back(d->scratch, d->scratch_len);
}

/* Waits for a request; while nothing happens it costs little memory. */
static bool next(struct http_door *d)
{
	int r = http_wait(&d->http, clock_in(LIMIT_TRIM_MS));

	if (r == -ETIMEDOUT) {
		give_back(d);
		http_trim(&d->http);
		r = http_wait(
		    &d->http, clock_in(LIMIT_IDLE_MS - LIMIT_TRIM_MS));
	}
	if (r <= 0)
		return false;
	d->event = "refused";
	d->room_name = (struct slice){"", 0};
	d->login.len = 0;
	d->message = 0;
	d->repeated = false;
	r = http_next(&d->http);
	if (r <= 0 && d->http.status)
		log_request(d);
	return r > 0;
}

/* Behind a trusted proxy each request says who it is from. */
static void find_source(struct http_door *d)
{
	char address[HTTP_ADDRESS];

	d->source = d->start.source;
	if (!d->proxied)
		return;
	if (!http_peer(&d->http.head, &d->proxies, address)) {
		log_open(d->start.door, d->start.peer);
		return;
	}
	d->source = source_parse(address);
	log_open(d->start.door, address);
}

int http_door_serve(struct http_door *d, http_door_answer *answer)
{
	/* Who pipelines for ever would else never let it end. */
	while (!io_terminated() && next(d)) {
		d->event = "request";
		find_source(d);
		answer(d);
		log_request(d);
	}
	return http_end(&d->http);
}

/* --- rooms ------------------------------------------------------------ */

int http_door_room(struct http_door *d)
{
	struct slice name = d->room_name;
	int r;

	if (d->room_open && strlen(d->room.name) == name.len &&
	    memcmp(d->room.name, name.data, name.len) == 0) {
		r = room_look(&d->room);
	} else {
		if (d->room_open)
			room_close(&d->room);
		r = room_open(
		    &d->room, &d->rooms, name.data, name.len, ROOM_CREATE);
		d->room_open = r == 0;
	}
	if (r < 0 && d->room_open) {
		room_close(&d->room);
		d->room_open = false;
	}
	return r < 0 ? r : 0;
}

int http_door_key(struct http_door *d, char ret_key[LIMIT_KEY + 1])
{
	struct slice key;
	unsigned n = http_head_find(&d->http.head, "idempotency-key", &key);

	ret_key[0] = '\0';
	if (n == 0)
		return 0;
	if (n == 1 && parse_is_token(key.data, key.len, LIMIT_KEY, "_-")) {
		memcpy(ret_key, key.data, key.len);
		ret_key[key.len] = '\0';
		return 0;
	}
	(void)http_error(&d->http, 400,
	    "Idempotency-Key must be 1 to %d of A-Z, a-z, 0-9, _ and -, "
	    "once\n",
	    LIMIT_KEY);
	return -1;
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

void http_door_failed(struct http_door *d, int error)
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
	log_text(&line, "room", d->room_name.data, d->room_name.len);
	log_errno(&line, error);
	log_end(&line);
	http_reply(&d->http, status);
	if (status == 503)
		http_field(&d->http, "Retry-After", "5");
	(void)http_text(&d->http, "%s\n", text);
}

/* --- waiting ---------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* 1 to look again, 0 to stop (SIGTERM), -EPIPE. */
static int turn(struct http_door *d, struct live *live, int64_t until)
{
	struct pollfd fds[2] = {http_hangup_poll(&d->http), live_poll(live)};
	int r = io_wait(fds, 2, until, IO_TERM);

	if (r == -EINTR) {
		d->http.close = true;
		return 0;
	}
	if (r > 0 && http_hung_up(&d->http, &fds[0]))
		return -EPIPE;
	(void)live_turn(live);
	return 1;
}

int http_door_wait(struct http_door *d, int64_t deadline,
    int (*ready)(struct http_door *, uint64_t arg), uint64_t arg)
{
	int64_t trim = clock_in(LIMIT_TRIM_MS);
	struct live live;
	int r;

	live_init(&live, &d->start.state, d->room.name, LIVE_ROOM);
	/* Only now: what came before the subscription rings no bell. */
	for (;;) {
		r = http_door_room(d);
		if (r == 0)
			r = ready(d, arg);
		if (r != 0 || clock_left(deadline) == 0)
			break;
		r = turn(d, &live,
		    earlier(earlier(deadline, trim), live_deadline(&live)));
		if (r <= 0)
			break;
		if (clock_left(trim) == 0) {
			give_back(d);
			trim = CLOCK_NEVER;
		}
	}
	live_release(&live);
	return r;
}

/* --- who -------------------------------------------------------------- */

void http_door_wrong(struct http_door *d)
{
	struct log_line line;

	log_begin(&line, LOG_NOTICE, "login-failed");
	log_text(&line, "user", d->login.name, d->login.len);
	log_end(&line);
}

void http_door_no_accounts(struct http_door *d, int error)
{
	struct log_line line;

	d->login.len = 0;
	log_begin(&line, LOG_ERR, "login");
	log_string(&line, "error", store_says(error));
	log_end(&line);
	http_reply(&d->http, error == -EBUSY ? 503 : 500);
	if (error == -EBUSY)
		http_field(&d->http, "Retry-After", "5");
	(void)http_text(&d->http, "the accounts are %s\n",
	    error == -EBUSY ? "busy, try again" : "out of order");
}

int http_door_login(struct http_door *d)
{
	int r = http_login(&d->http, &d->auth, d->source, &d->login);

	if (r == HTTP_WRONG) {
		http_door_wrong(d);
		(void)http_unauthorized(&d->http, "wrong name or password");
	} else if (r < 0) {
		http_door_no_accounts(d, r);
	}
	return r;
}
