/* parlance maintain: what a host needs once a day. */
#include "parlance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/auth.h"
#include "lib/clock.h"
#include "lib/store_check.h"

#define UNSPOKEN_S (INT64_C(30) * 86400)

static int forget_pairs(struct admin *admin, struct store *store)
{
	struct auth auth;
	int r =
	    auth_init(&auth, &admin->state, store, admin->settings.hash_slots);

	if (r == 0) {
		r = auth_sweep(&auth);
		auth_release(&auth);
	}
	if (r < 0)
		return complain(
		    admin, FAILED, "remembered log-ins: %s", strerror(-r));
	(void)printf("log-ins: %d forgotten\n", r);
	return DONE;
}

static int tidy_store(struct admin *admin, struct store *store)
{
	int r = store_checkpoint(store);

	/* The check that follows tells of one that is shut or damaged. */
	if (r < 0 && r != -EKEYREVOKED && r != -EBADMSG)
		return complain(admin, FAILED, "database: %s", store_says(r));
	return DONE;
}

static int expire_rooms(struct admin *admin)
{
	struct rooms rooms;
	uint64_t count = 0;
	int r = open_rooms(admin, &rooms);

	if (r != DONE)
		return r;
	r = rooms_expire(&rooms, clock_now() - UNSPOKEN_S, &count);
	rooms_close(&rooms);
	if (r < 0)
		return complain(admin, FAILED, "rooms: %s", strerror(-r));
	(void)printf(
	    "rooms: %" PRIu64 " removed, in which nobody spoke\n", count);
	return DONE;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

/* One that fails does not keep the others from being done. */
int host_maintain(struct admin *admin, char **operands, int count)
{
	struct store store;
	int r;

	store_init(&store, &admin->state);
	r = forget_pairs(admin, &store);
	r = worse(r, tidy_store(admin, &store));
	store_release(&store);
	r = worse(r, expire_rooms(admin));
	return worse(r, host_check(admin, operands, count));
}
