/* Names: taking one, being welcomed under it, giving it back. */
#include "bcs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/name.h"
#include "lib/store.h"

/* With fanout, how long it may take to tell the others. */
#define JOIN_MS 5000

static void failed(struct session *s, const char *event, int error)
{
	struct log_line line;

	bcs_log(s, &line, error == -EBUSY ? LOG_WARNING : LOG_ERR, event);
	log_errno(&line, error);
	log_end(&line);
	bcs_refuse(s, BCS_STORAGE, "the server's storage failed");
}

/* 1 if an account has this name, or had it; 0; -errno. */
static int is_account(const struct session *s, struct slice name)
{
	char key[LIMIT_NAME_KEY + 1];
	int r = name_key(name.data, name.len, key);

	return r < 0 ? r : account_exists(&s->start.state, key);
}

static bool is_reserved(struct slice name)
{
	char key[LIMIT_NAME_KEY + 1];

	return name_key(name.data, name.len, key) < 0 || name_key_reserved(key);
}

/* Is it a name that somebody may have? If not, says so. */
static bool check(struct session *s, struct slice name)
{
	enum name_fault fault = name_check(name.data, name.len);

	if (!s->start.settings.guests)
		bcs_refuse(s, BCS_NAME,
		    "this server turns guests away, and here all are guests");
	else if (fault != NAME_FINE)
		bcs_refuse(s, BCS_NAME, "%s", name_fault_says(fault));
	else if (is_reserved(name))
		bcs_refuse(s, BCS_NAME, "this name is reserved");
	else
		return true;
	return false;
}

/* The mark first, then a look for the account's, so that no two who want one
 * name miss each other (present.h). 0, -EADDRINUSE, -EEXIST: an account, or
 * -errno. */
static int claim(struct session *s, struct slice name)
{
	int r = present_claim(
	    &s->claim, &s->present, name.data, name.len, s->start.peer);

	if (r == 0)
		r = is_account(s, name);
	if (r == 0)
		return 0;
	present_release(&s->claim);
	return r == 1 ? -EEXIST : r;
}

static void take_name(struct session *s, struct slice name)
{
	(void)snprintf(
	    s->author, sizeof s->author, "~%.*s", (int)name.len, name.data);
	s->name = s->author + 1;
}

static void log_register(const struct session *s)
{
	struct log_line line;

	bcs_log(s, &line, LOG_INFO, "register");
	log_end(&line);
}

/* Subscribed first, so that fanout can tell us of ourselves: then all others
 * have been told. */
bool bcs_register(struct session *s, const struct bcs_frame *frame)
{
	struct slice name = frame->first;
	int r;

	if (!check(s, name))
		return true;
	r = room_open(
	    &s->room, &s->rooms, BCS_LOBBY, strlen(BCS_LOBBY), ROOM_CREATE);
	if (r == 0) {
		live_init(&s->live, &s->start.state, BCS_LOBBY, LIVE_PRESENCE);
		r = claim(s, name);
	}
	if (r == -EADDRINUSE) {
		bcs_refuse(s, BCS_NAME, "somebody here has this name");
	} else if (r == -EEXIST) {
		bcs_refuse(s, BCS_NAME, "this name is an account's");
	} else if (r < 0) {
		failed(s, "registration", r);
	} else {
		take_name(s, name);
		s->state = BCS_JOINING;
		s->patience = clock_in(JOIN_MS);
		if (!live_connected(&s->live))
			bcs_welcome(s);
	}
	return true;
}

/* What is said from here on is delivered. The place is the one that the
 * others were told, if there is one. */
static void set_cursor(struct session *s)
{
	bcs_look(s);
	if (s->next == 0 || s->next > s->room.count + 1)
		s->next = s->room.count + 1;
}

void bcs_welcome(struct session *s)
{
	int r;

	set_cursor(s);
	r = bcs_roster_read(s, &s->shown);
	if (r < 0) {
		failed(s, "roster", r);
		return;
	}
	s->early = bcs_settled(s);
	s->state = BCS_REGISTERED;
	s->listing = s->registered = true;
	log_register(s);
	bcs_noted(s, chatlog_register(&s->chatlog, s->name));
	bcs_status(s, BCS_OK, "welcome");
}

/* The line first: the next one of this name has its own behind it. */
void bcs_unregister(struct session *s)
{
	if (s->registered)
		bcs_noted(
		    s, chatlog_disconnect(&s->chatlog, s->name, getpid(), 0));
	present_release(&s->claim);
	live_release(&s->live);
}
