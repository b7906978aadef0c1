/*
 * Signing in and out, for browsers: a form, and a cookie that says who it is.
 */
#include "handlers/hchat_page.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/http_form.h"
#include "lib/parse.h"

/* Longer ones are nobody's, and cost no hash. */
#define NAME_GIVEN 256

struct form {
	char room[LIMIT_ROOM_NAME + 1]; /* where to go back to; "": the index */
	char name[NAME_GIVEN + 1];
	size_t name_len;
	char password[LIMIT_PASSWORD];
	size_t password_len;
};

/* Back goes to a room of ours or to the index, never anywhere else. */
static void take_room(struct form *f, struct slice form)
{
	long n =
	    http_form(f->room, sizeof f->room - 1, form.data, form.len, "room");

	if (n < 0 || !(room_name_is_id(f->room, (size_t)n) ||
			 parse_is(f->room, (size_t)n, "lobby")))
		n = 0;
	f->room[n] = '\0';
}

static void show(
    struct session *s, unsigned status, const struct form *f, const char *error)
{
	const struct hchat_slot slots[] = {hchat_slot("room", f->room),
	    {"name", {f->name, f->name_len}, false}, hchat_slot("error", error),
	    hchat_slot("guests", s->door.start.settings.guests ? "yes" : "no")};

	http_reply(&s->door.http, status);
	hchat_page(s, "login.html", slots, sizeof slots / sizeof *slots);
}

void hchat_login_page(struct session *s)
{
	struct form f = {.room = ""};

	s->door.event = "login-page";
	take_room(&f, s->door.http.head.query);
	show(s, 200, &f, "");
}

static void go_back(struct session *s, const char *room)
{
	http_field(
	    &s->door.http, "Location", "%s%s", room[0] ? "/chat/" : "/", room);
	(void)http_text(&s->door.http, "go back\n");
}

static void let_in(struct session *s, const struct form *f)
{
	struct http_door *d = &s->door;
	char text[SESSION_MAX];
	struct store_user user;
	int r = store_user_find(
	    &d->store, d->login.name, strlen(d->login.name), &user);

	if (r < 0) {
		http_door_no_accounts(d, r);
		return;
	}
	session_make(s->key, &user, clock_now() + LIMIT_SESSION_S, text);
	d->login.len = strlen(d->login.name);
	http_reply(&d->http, 303);
	http_field(&d->http, "Set-Cookie",
	    "session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d", text,
	    LIMIT_SESSION_S);
	go_back(s, f->room);
}

static void check(struct session *s, const struct form *f)
{
	struct http_door *d = &s->door;
	int r = auth_check(&d->auth, d->source, f->name, f->name_len,
	    f->password, f->password_len, d->login.name);

	if (r == 1) {
		let_in(s, f);
	} else if (r < 0) {
		http_door_no_accounts(d, r);
	} else {
		d->login.len =
		    f->name_len < LIMIT_NAME ? f->name_len : LIMIT_NAME;
		memcpy(d->login.name, f->name, d->login.len);
		http_door_wrong(d);
		show(s, 403, f, "Wrong name or password.");
	}
}

/* A field's length, 0 if it is not there; or -EINVAL, -EMSGSIZE. */
static long take(char *out, size_t cap, struct slice form, const char *name)
{
	long n = http_form(out, cap, form.data, form.len, name);

	return n == -ENOENT ? 0 : n;
}

static void log_in(struct session *s, struct form *f, struct slice form)
{
	long name = take(f->name, NAME_GIVEN, form, "name");
	long password = take(f->password, sizeof f->password, form, "password");

	take_room(f, form);
	if (name == -EINVAL || password == -EINVAL) {
		(void)http_error(
		    &s->door.http, 400, "a %% in the form is broken\n");
		return;
	}
	f->name_len = name > 0 ? (size_t)name : 0;
	f->password_len = password > 0 ? (size_t)password : 0;
	if (name <= 0 || password <= 0)
		show(s, 403, f,
		    name && password ? "Wrong name or password."
				     : "Give your name and password.");
	else
		check(s, f);
}

void hchat_login(struct session *s)
{
	struct form f = {.room = ""};
	struct slice form;

	s->door.event = "login";
	if (http_body(&s->door.http, &form) <= 0)
		return;
	log_in(s, &f, form);
	sodium_memzero(&f, sizeof f);
	sodium_memzero((char *)form.data, form.len);
}

void hchat_logout(struct session *s)
{
	struct form f = {.room = ""};
	struct slice form;

	s->door.event = "logout";
	if (http_body(&s->door.http, &form) <= 0)
		return;
	take_room(&f, form);
	http_reply(&s->door.http, 303);
	http_field(&s->door.http, "Set-Cookie",
	    "session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
	go_back(s, f.room);
}
