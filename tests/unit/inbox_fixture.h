/*
 * Accounts with inboxes and a lobby, in a state of their own, and short words
 * for what they do; include after cmocka.h.
 *
 *	struct people *p = people_new();     alice, bob and carol
 *	send_text(p, p->alice, "bob", "hi");
 *	people_free(p);
 */
#ifndef INBOX_FIXTURE_H
#define INBOX_FIXTURE_H

#include <string.h>

#include "lib/lobby.h"
#include "lib/room.h"
#include "lib/store_inbox.h"
#include "place.h"

struct people {
	struct place place;
	struct store store;
	struct rooms rooms;
	struct room lobby;
	int64_t alice, bob, carol;
	char text[4096]; /* of the last show() */
};

static inline int64_t add_person(struct people *p, const char *name)
{
	struct store_user user;

	assert_int_equal(
	    store_user_add(&p->store, name, strlen(name), "hash", 0), 0);
	assert_int_equal(
	    store_user_find(&p->store, name, strlen(name), &user), 0);
	return user.id;
}

static inline struct people *people_new(void)
{
	struct people *p = calloc(1, sizeof *p);

	assert_non_null(p);
	place_init(&p->place);
	store_init(&p->store, &p->place.state);
	assert_int_equal(rooms_open(&p->rooms, &p->place.state), 0);
	assert_int_equal(
	    room_open(&p->lobby, &p->rooms, "lobby", 5, ROOM_CREATE), 0);
	p->alice = add_person(p, "alice");
	p->bob = add_person(p, "bob");
	p->carol = add_person(p, "carol");
	return p;
}

static inline void people_free(struct people *p)
{
	store_release(&p->store);
	room_close(&p->lobby);
	rooms_close(&p->rooms);
	place_release(&p->place);
	free(p);
}

/* cmocka's set-up and teardown of a test with people as its state. */
static inline int people_make(void **state)
{
	*state = people_new();
	return 0;
}

static inline int people_unmake(void **state)
{
	people_free(*state);
	return 0;
}

static inline int send_text(
    struct people *p, int64_t from, const char *to, const char *text)
{
	return inbox_send(&p->store, from, to, strlen(to), text, strlen(text));
}

static inline int take_from(
    struct people *p, int64_t me, const char *from, struct inbox_message *ret)
{
	return inbox_take(&p->store, me, from, strlen(from), ret);
}

/* Takes one that must be there, and have this text. */
static inline void assert_taken(
    struct people *p, int64_t me, const char *from, const char *text)
{
	struct inbox_message m;

	assert_int_equal(take_from(p, me, from, &m), 0);
	assert_string_equal(m.body, text);
	assert_int_equal(m.body_len, strlen(text));
	assert_string_equal(m.from, from);
}

static inline int show_one(void *arg, const char *from, uint64_t count)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)snprintf(text + len, 4096 - len, "%s%s %ju", len ? " " : "", from,
	    (uintmax_t)count);
	return 0;
}

/* The inbox as checkinbox would show it, less the lobby. */
static inline const char *show(struct people *p, int64_t me)
{
	p->text[0] = '\0';
	assert_int_equal(inbox_each(&p->store, me, show_one, p->text), 0);
	return p->text;
}

/* Says something in the lobby; keys as in a footer. */
static inline uint64_t say_with(
    struct people *p, const char *text, const char *keys)
{
	struct room_post post = {.body = text,
	    .body_len = strlen(text),
	    .newline = true,
	    .author = "dave",
	    .door = "test",
	    .keys = keys};
	struct room_posted posted;

	assert_int_equal(room_append(&p->lobby, &post, &posted), 0);
	return posted.number;
}

static inline uint64_t say(struct people *p, const char *text)
{
	return say_with(p, text, "");
}

/* The database, by SQLite alone. The caller closes it. */
static inline sqlite3 *open_plain(const struct place *p)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof path, "%s/state/db/parlance.db", p->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static inline void run_plain(const struct place *p, const char *sql)
{
	sqlite3 *db = open_plain(p);
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	(void)sqlite3_close(db);
}

/* 1, or what TEST_SCALE says. */
static inline int test_scale(void)
{
	const char *text = getenv("TEST_SCALE");

	return text && strcmp(text, "10") == 0 ? 10 : 1;
}

#endif
