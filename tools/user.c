/* parlance user: accounts. */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/auth.h"
#include "lib/name.h"
#include "lib/present.h"

/* An error of store.h or auth.h about an account in plain words. */
static int complain_user(const struct admin *admin, const char *name, int r)
{
	switch (r) {
	case -ENOENT:
		return complain(admin, REFUSED,
		    "%s: no such account in %s (parlance user list names "
		    "them; case counts)",
		    name, admin->state.state_path);
	case -EBUSY:
		return complain(admin, FAILED,
		    "%s: the host is busy; nothing was changed, try again",
		    name);
	case -EUCLEAN:
		return complain(admin, MISUSED,
		    "%s/db: made by a newer parlance; this one is %s",
		    admin->state.state_path, PARLANCE_VERSION);
	case -EBADMSG:
		return complain(admin, FAILED,
		    "%s/db/parlance.db: damaged, or no database; restore it "
		    "from a backup (parlance check tells more)",
		    admin->state.state_path);
	case -EKEYREVOKED:
		return complain(admin, FAILED,
		    "%s: the database takes no changes since a write to disk "
		    "failed; see to the disk, then run parlance check --repair",
		    name);
	default:
		return complain(
		    admin, FAILED, "%s: database: %s", name, strerror(-r));
	}
}

static int check_name(const struct admin *admin, const char *name)
{
	enum name_fault fault = name_check(name, strlen(name));

	if (fault == NAME_FINE)
		return DONE;
	return complain(admin, MISUSED, "\"%s\" cannot be a name: %s", name,
	    name_fault_says(fault));
}

struct same {
	const char *key;
	char name[LIMIT_NAME + 1];
};

static int is_same(void *arg, const struct store_user *user)
{
	struct same *same = arg;
	char key[LIMIT_NAME_KEY + 1];

	if (name_key(user->name, strlen(user->name), key) < 0 ||
	    strcmp(key, same->key) != 0)
		return 0;
	memcpy(same->name, user->name, sizeof same->name);
	return 1;
}

/* Says who has a name that is taken; DONE if nobody does that is listed. */
static int check_taken(
    const struct admin *admin, struct store *store, const char *name)
{
	char key[LIMIT_NAME_KEY + 1] = "";
	struct same same = {.key = key};
	int r = name_key(name, strlen(name), key);

	if (r == 0)
		r = store_user_each(store, is_same, &same);
	if (r <= 0)
		return r < 0 ? complain_user(admin, name, r) : DONE;
	if (strcmp(same.name, name) == 0)
		return complain(admin, REFUSED,
		    "%s: there is such an account (parlance user passwd %s "
		    "sets its password)",
		    name, name);
	return complain(admin, REFUSED,
	    "%s: taken by %s; names that differ only in case are one", name,
	    same.name);
}

static int complain_taken(
    const struct admin *admin, struct store *store, const char *name)
{
	int r = check_taken(admin, store, name);

	return r != DONE ? r
			 : complain(admin, REFUSED,
			       "%s: was an account once; a name is never given "
			       "twice",
			       name);
}

static int complain_present(const struct admin *admin, const char *name)
{
	return complain(admin, REFUSED,
	    "%s: a guest of that name is connected; try again once they have "
	    "left",
	    name);
}

/* A guest who is here keeps the name that others see (design 7). */
static int check_absent(const struct admin *admin, const char *name)
{
	struct present present;
	int r = present_open(&present, &admin->state);

	if (r == 0) {
		r = present_held(&present, name, strlen(name));
		present_close(&present);
	}
	if (r < 0)
		return complain(admin, FAILED, "%s/present: %s",
		    admin->state.runtime_path, strerror(-r));
	return r == 0 ? DONE : complain_present(admin, name);
}

/* Is the name to be had? Asked before the password is. */
static int check_free(
    const struct admin *admin, struct store *store, const char *name)
{
	struct store_user user;
	char key[LIMIT_NAME_KEY + 1];
	int r = name_key(name, strlen(name), key);

	if (r < 0)
		return complain_user(admin, name, r);
	if (name_key_reserved(key))
		return complain(admin, REFUSED,
		    "%s: a reserved name; choose another", name);
	r = store_user_find(store, name, strlen(name), &user);
	if (r == 0)
		return complain_taken(admin, store, name);
	if (r != -ENOENT)
		return complain_user(admin, name, r);
	r = check_taken(admin, store, name);
	return r == DONE ? check_absent(admin, name) : r;
}

static int hash_password(
    struct admin *admin, struct store *store, const char *name, char *ret_hash)
{
	struct password password;
	struct auth auth;
	int r = ask_password(admin, &password);

	if (r == DONE) {
		r = auth_init(
		    &auth, &admin->state, store, admin->settings.hash_slots);
		if (r == 0) {
			r = auth_hash(&auth, source_parse(NULL), password.data,
			    password.len, ret_hash);
			auth_release(&auth);
		}
		if (r < 0)
			r = complain_user(admin, name, r);
	}
	explicit_bzero(&password, sizeof password);
	return r;
}

/* What was said before an account was there is not unread to it. */
static int find_lobby_end(struct admin *admin, uint64_t *ret_count)
{
	struct rooms rooms;
	struct room lobby;
	int r = open_rooms(admin, &rooms);

	if (r != DONE)
		return r;
	r = open_room(admin, &lobby, &rooms, "lobby", ROOM_CREATE);
	if (r == DONE) {
		*ret_count = lobby.count;
		room_close(&lobby);
	}
	rooms_close(&rooms);
	return r;
}

static int add(struct admin *admin, struct store *store, const char *name)
{
	char hash[LIMIT_PASSWORD_HASH + 1];
	uint64_t lobby_end = 0;
	int r = check_name(admin, name);

	if (r == DONE)
		r = check_free(admin, store, name);
	if (r == DONE)
		r = hash_password(admin, store, name, hash);
	if (r == DONE)
		r = find_lobby_end(admin, &lobby_end);
	if (r != DONE)
		return r;
	r = store_user_add(store, name, strlen(name), hash, lobby_end);
	if (r == -EADDRINUSE)
		return complain_present(admin, name);
	if (r == -EEXIST)
		return complain_taken(admin, store, name);
	return r < 0 ? complain_user(admin, name, r) : DONE;
}

/* An account that is not deleted. */
static int find(const struct admin *admin, struct store *store,
    const char *name, struct store_user *ret)
{
	int r = store_user_find(store, name, strlen(name), ret);

	if (r == 0 && ret->deleted)
		r = -ENOENT;
	return r < 0 ? complain_user(admin, name, r) : DONE;
}

static int passwd(struct admin *admin, struct store *store, const char *name)
{
	char hash[LIMIT_PASSWORD_HASH + 1];
	struct store_user user;
	int r = find(admin, store, name, &user);

	if (r == DONE)
		r = hash_password(admin, store, name, hash);
	if (r != DONE)
		return r;
	r = store_user_set_password(store, name, strlen(name), hash);
	return r < 0 ? complain_user(admin, name, r) : DONE;
}

static int del(struct admin *admin, struct store *store, const char *name)
{
	struct store_user user;
	int r = find(admin, store, name, &user);

	if (r != DONE)
		return r;
	if (!ask_consent(admin,
		"Delete the account %s, its password and its inbox, for good?",
		user.name))
		return REFUSED;
	r = store_user_delete(store, name, strlen(name));
	return r < 0 ? complain_user(admin, name, r) : DONE;
}

static int disable(struct admin *admin, struct store *store, const char *name)
{
	int r = store_user_set_disabled(store, name, strlen(name), true);

	return r < 0 ? complain_user(admin, name, r) : DONE;
}

static int enable(struct admin *admin, struct store *store, const char *name)
{
	int r = store_user_set_disabled(store, name, strlen(name), false);

	return r < 0 ? complain_user(admin, name, r) : DONE;
}

static int list_one(void *arg, const struct store_user *user)
{
	char name[3 * sizeof user->name];

	(void)arg;
	/* A door that was broken into can write what it likes there. */
	show_slice(
	    (struct slice){user->name, strlen(user->name)}, name, sizeof name);
	(void)printf("%s%s\n", name, user->disabled ? " disabled" : "");
	return 0;
}

static int list(struct admin *admin, struct store *store, const char *name)
{
	int r = store_user_each(store, list_one, NULL);

	(void)name;
	return r < 0 ? complain_user(admin, "list", r) : finish(admin);
}

static int with_store(struct admin *admin,
    int (*act)(struct admin *, struct store *, const char *), const char *name)
{
	struct store store;
	int r;

	store_init(&store, &admin->state);
	r = act(admin, &store, name);
	store_release(&store);
	return r;
}

int user_add(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, add, operands[0]);
}

int user_passwd(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, passwd, operands[0]);
}

int user_del(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, del, operands[0]);
}

int user_disable(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, disable, operands[0]);
}

int user_enable(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, enable, operands[0]);
}

int user_list(struct admin *admin, char **operands, int count)
{
	(void)count;
	return with_store(admin, list, operands[0]);
}
