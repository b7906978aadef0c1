/*
 * Who speaks: an account by Authorization or session, else a guest by the
 * cookie of a room's page, else anonymous. And whether the browser was made to
 * ask by another site's page.
 */
#include "hchat.h"

#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/http_form.h"
#include "lib/name.h"
#include "lib/parse.h"

/* --- other sites ------------------------------------------------------ */

/* "https://example.org" without its scheme, whose port goes unsaid. */
static bool is_origin_of(struct slice origin, struct slice host)
{
	static const struct {
		const char *scheme, *port;
	} schemes[] = {{"http://", ":80"}, {"https://", ":443"}};

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i].scheme);
		size_t port = strlen(schemes[i].port);

		if (origin.len <= n ||
		    memcmp(origin.data, schemes[i].scheme, n) != 0)
			continue;
		if (host.len > port && memcmp(host.data + host.len - port,
					   schemes[i].port, port) == 0)
			host.len -= port;
		return origin.len - n == host.len &&
		       strncasecmp(origin.data + n, host.data, host.len) == 0;
	}
	return false;
}

/* From a page that sends no referrers a form's Origin is "null". A browser that
 * says that it is the same site's all the same is believed: no page can make it
 * say so. */
static bool is_own_form(struct slice site, struct slice origin)
{
	return parse_is_case(site.data, site.len, "same-origin") &&
	       parse_is(origin.data, origin.len, "null");
}

bool hchat_is_foreign(struct session *s)
{
	const struct http_head *head = &s->door.http.head;
	struct slice site, origin, host;
	bool foreign;

	if (head->method != HTTP_POST)
		return false;
	(void)http_head_find(head, "host", &host);
	(void)http_head_find(head, "sec-fetch-site", &site);
	foreign = parse_is_case(site.data, site.len, "cross-site");
	if (!foreign && http_head_find(head, "origin", &origin))
		foreign =
		    !is_origin_of(origin, host) && !is_own_form(site, origin);
	if (!foreign)
		return false;
	s->door.event = "foreign";
	(void)http_error(&s->door.http, 403,
	    "this request was made by another site's page\n");
	return true;
}

/* --- accounts --------------------------------------------------------- */

bool hchat_session(struct session *s)
{
	struct http_door *d = &s->door;
	struct slice cookie;
	int r;

	if (!http_cookie(&d->http.head, "session", &cookie))
		return true;
	r = session_check(s->key, &d->store, clock_now(), cookie.data,
	    cookie.len, d->login.name);
	d->login.len = r == 1 ? strlen(d->login.name) : 0;
	if (r < 0)
		http_door_no_accounts(d, r);
	return r >= 0;
}

/* A challenge that a browser knows makes it ask for a password by itself, in
 * the midst of our page, which has a form for that. */
static void turn_away(struct http_door *d)
{
	struct slice dest;

	if (http_head_find(&d->http.head, "sec-fetch-dest", &dest)) {
		http_reply(&d->http, 401);
		http_field(
		    &d->http, "WWW-Authenticate", "Session realm=\"parlance\"");
		(void)http_text(&d->http, "guests may not speak here\n");
		return;
	}
	(void)http_unauthorized(&d->http, "guests may not speak here");
}

bool hchat_sender(struct session *s)
{
	struct http_door *d = &s->door;
	int r;

	if (d->http.head.method != HTTP_POST)
		return true;
	r = http_door_login(d);
	if (r != HTTP_NOBODY)
		return r == HTTP_KNOWN;
	if (!hchat_session(s))
		return false;
	if (d->login.len || d->start.settings.guests)
		return true;
	turn_away(d);
	return false;
}

/* --- guests ----------------------------------------------------------- */

void hchat_guest_name(const struct session *s, char ret_name[LIMIT_NAME + 1])
{
	char name[3 * LIMIT_NAME];
	struct slice cookie;
	long n = 0;

	ret_name[0] = '\0';
	if (!http_cookie(&s->door.http.head, "name", &cookie) ||
	    cookie.len > sizeof name)
		return;
	n = percent_decode(name, cookie.data, cookie.len);
	if (n <= 0 || n > LIMIT_NAME || name_check(name, (size_t)n))
		return;
	memcpy(ret_name, name, (size_t)n);
	ret_name[n] = '\0';
}

/* Whether a guest may be called so; if not, it was answered. */
static bool may_be_called(struct session *s, const char *name)
{
	char key[LIMIT_NAME_KEY + 1];
	int r = name_key(name, strlen(name), key);

	if (r == 0)
		r = name_key_reserved(key)
			? 1
			: account_exists(&s->door.start.state, key);
	if (r < 0)
		http_door_no_accounts(&s->door, r);
	if (r == 1)
		(void)http_error(&s->door.http, 409,
		    "the name %s belongs to an account or is reserved\n", name);
	return r == 0;
}

static bool guest(
    struct session *s, struct slice token, struct hchat_author *ret)
{
	char name[LIMIT_NAME + 1], id[SESSION_GUEST + 1];

	hchat_guest_name(s, name);
	if (name[0] && !may_be_called(s, name))
		return false;
	session_guest(s->key, token.data, token.len, id);
	(void)snprintf(
	    ret->name, sizeof ret->name, "~%s", name[0] ? name : "guest");
	(void)snprintf(ret->keys, sizeof ret->keys, "id=%s", id);
	return true;
}

bool hchat_author(struct session *s, struct hchat_author *ret)
{
	struct http_door *d = &s->door;
	struct slice token;

	ret->keys[0] = '\0';
	if (d->login.len) {
		(void)snprintf(
		    ret->name, sizeof ret->name, "%s", d->login.name);
		return true;
	}
	if (http_cookie(&d->http.head, "hchat", &token) &&
	    parse_is_token(token.data, token.len, LIMIT_TOKEN, "_-"))
		return guest(s, token, ret);
	(void)snprintf(ret->name, sizeof ret->name, "~anonymous");
	return true;
}
