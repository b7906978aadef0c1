/* parlance room check: is each room whole? */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* On a terminal, what is being looked at, until its line is printed. */
static void progress(const char *name, size_t at, size_t of)
{
	if (isatty(STDERR_FILENO) && name)
		(void)fprintf(stderr, "%s (%zu of %zu) ...", name, at, of);
	else if (isatty(STDERR_FILENO))
		(void)fputs("\r\033[K", stderr);
}

static bool is_whole(const struct room_health *h)
{
	return h->repaired || (!h->failed && !h->torn);
}

static void print_damage(
    const struct admin *admin, const char *name, const struct room_health *h)
{
	const char *verb = h->repaired ? "repaired" : "damaged";

	(void)printf(
	    "%s: %s", name, is_whole(h) && !h->repaired ? "whole" : verb);
	(void)printf(", %ju records, %ju bytes", (uintmax_t)h->records,
	    (uintmax_t)h->bytes);
	if (h->settled)
		(void)printf(", %ju of them not indexed until now",
		    (uintmax_t)h->settled);
	if (h->torn)
		(void)printf("; %ju bytes after them belong to no whole record",
		    (uintmax_t)h->torn);
	if (h->failed)
		(void)printf(
		    "; %s shut by a failed write", h->repaired ? "was" : "is");
	if (h->lost[0])
		(void)printf(
		    "; moved to %s/lost/%s", admin->state.state_path, h->lost);
	(void)putchar('\n');
}

static int check_one(struct admin *admin, const struct rooms *rooms,
    const char *name, bool named)
{
	struct room_health health;
	int r = room_name_ok(name, strlen(name))
		    ? room_check(rooms, name, admin->options.repair, &health)
		    : -EINVAL;

	progress(NULL, 0, 0);
	if (r == -ENOENT && !named)
		return DONE; /* deleted meanwhile */
	if (r < 0)
		return complain_room(admin, name, r);
	print_damage(admin, name, &health);
	if (is_whole(&health))
		return DONE;
	admin->damage = true;
	return REFUSED;
}

int check_rooms(struct admin *admin, char **names, int count)
{
	struct room_names all = {0};
	struct rooms rooms;
	size_t n = (size_t)count;
	const char *name;
	int r, worst = open_rooms(admin, &rooms);

	if (worst != DONE)
		return worst;
	rooms.notice = NULL; /* each room's line tells it */
	if (!count) {
		worst = room_names(admin, &rooms, &all);
		n = all.count;
	}
	for (size_t i = 0; i < n; i++) {
		name = count ? names[i] : all.name[i];
		progress(name, i + 1, n);
		r = check_one(admin, &rooms, name, count > 0);
		worst = r > worst ? r : worst;
	}
	room_names_release(&all);
	rooms_close(&rooms);
	return worst;
}

/* Says how to go on where damage was found. */
int rooms_check(struct admin *admin, char **operands, int count)
{
	int r = check_rooms(admin, operands, count), f = finish(admin);

	if (admin->damage && !admin->options.repair)
		(void)complain(
		    admin, REFUSED, "damage found; --repair moves it to lost/");
	return f > r ? f : r;
}
