/* parlance check: is the host's state whole? */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/store_check.h"

static void tell_fault(void *arg, enum store_fault fault, const char *key)
{
	const struct admin *admin = arg;
	const char *what = fault == STORE_STRAY
			       ? "belongs to no account (a registration that "
				 "was interrupted)"
			       : "is missing";

	(void)complain(admin, DONE, "%s/accounts/%s: %s",
	    admin->state.state_path, key, what);
}

static bool is_whole(const struct store_health *h)
{
	return !h->damage[0] &&
	       (h->repaired || (!h->shut && !h->strays && !h->missing));
}

/* SQLite's words hold names that stand in the database. */
static void print_damage(const char *damage)
{
	char clean[3 * 256];

	show_slice((struct slice){damage, strlen(damage)}, clean, sizeof clean);
	(void)printf("database: damaged: %s\n", clean);
}

/* One line on standard output about the database, one about accounts/. */
static void print_health(const struct store_health *h)
{
	const char *done = h->repaired ? ", repaired" : "";

	if (h->damage[0])
		print_damage(h->damage);
	else if (!h->exists)
		(void)printf("database: none yet\n");
	else
		(void)printf(
		    "database: %s, %ju accounts (with deleted ones)%s\n",
		    h->shut ? "shut by a failed write" : "whole",
		    (uintmax_t)h->users, h->shut ? done : "");
	if (h->damage[0])
		(void)printf("accounts: not looked at\n");
	else if (h->strays || h->missing)
		(void)printf("accounts: %ju files too many, %ju missing%s\n",
		    (uintmax_t)h->strays, (uintmax_t)h->missing, done);
	else
		(void)printf("accounts: whole\n");
}

/* What --repair does not do. */
static void advise(const struct admin *admin, const struct store_health *h)
{
	if (h->damage[0])
		(void)complain(admin, REFUSED,
		    "%s/db/parlance.db: restore it from a backup",
		    admin->state.state_path);
	else if (!h->exists && h->strays)
		(void)complain(admin, REFUSED,
		    "%s/db/parlance.db is gone, but there were accounts: "
		    "restore it from a backup",
		    admin->state.state_path);
}

static int check_store(struct admin *admin)
{
	struct store_health health;
	struct store store;
	int r;

	store_init(&store, &admin->state);
	r = store_check(
	    &store, admin->options.repair, tell_fault, admin, &health);
	store_release(&store);
	if (r < 0)
		return complain(admin, FAILED, "database: %s",
		    r == -EBUSY ? "busy; try again" : strerror(-r));
	print_health(&health);
	advise(admin, &health);
	return is_whole(&health) ? DONE : REFUSED;
}

int host_check(struct admin *admin, char **operands, int count)
{
	int r = check_store(admin), rooms = check_rooms(admin, operands, count);
	int f = finish(admin);

	r = rooms > r ? rooms : r;
	if (r == REFUSED && !admin->options.repair)
		(void)complain(admin, REFUSED,
		    "something is wrong; --repair puts right what can be");
	return f > r ? f : r;
}
