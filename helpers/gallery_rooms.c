#include <errno.h>
#include <stdlib.h>

#include "gallery.h"
#include "lib/clock.h"
#include "lib/log.h"

#define SHOWN_MS 1000 /* events formatted earlier are formatted again */
#define HALL_FILES 2 /* room and index */

/* --- which rooms -----------------------------------------------------------
 */

static struct hall *find(const struct gallery *g, const char *name, size_t len)
{
	struct hall *h;

	HASH_FIND(hh, g->halls, name, len, h);
	return h;
}

static void log_failure(const struct hall *h, int error)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "failure");
	log_string(&line, "room", h->room.name);
	log_errno(&line, error);
	log_end(&line);
}

static void enter(struct gallery *g, struct hall *h)
{
	HASH_ADD(hh, g->halls, room.name, strlen(h->room.name), h);
	g->used += HALL_FILES;
	h->existed = h->room.fd >= 0;
}

static void release(struct gallery *g, struct hall *h)
{
	HASH_DEL(g->halls, h);
	g->used -= HALL_FILES;
	room_close(&h->room);
	free(h);
}

/* Watched first, read then. A room without an index waits for one (-ESTALE):
 * it has its name all the same. */
static int open_hall(
    struct gallery *g, struct hall *h, const char *name, size_t len)
{
	int r = room_open(&h->room, &g->rooms, name, len, ROOM_WATCH);

	return r == -ESTALE ? 0 : r;
}

int hall_get(struct gallery *g, const char *name, size_t len, struct hall **ret)
{
	struct hall *h = find(g, name, len);
	int r;

	if (h) {
		*ret = h;
		return 0;
	}
	if (!gallery_has_place(g, HALL_FILES))
		return -ENFILE;
	h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->room.fd = h->room.index = -1;
	r = watch_halls(g, true);
	if (r == 0)
		r = open_hall(g, h, name, len);
	if (r < 0) {
		free(h);
		(void)watch_halls(g, g->halls != NULL);
		return r;
	}
	enter(g, h);
	*ret = h;
	return 0;
}

void hall_leave(struct gallery *g, struct hall *h)
{
	/* One that is noted is about to be looked at. */
	if (h->viewers || h->noted)
		return;
	if (g->shown == h)
		g->shown = NULL;
	release(g, h);
	(void)watch_halls(g, g->halls != NULL);
}

/* --- what is new -----------------------------------------------------------
 */

void hall_note(struct gallery *g, struct hall *h)
{
	if (h->noted)
		return;
	h->noted = true;
	h->next_noted = g->noted;
	g->noted = h;
}

/* Its room was deleted: so are its streams. */
static void end_all(struct gallery *g, struct hall *h)
{
	struct viewer *next;

	for (struct viewer *v = h->viewers; v; v = next) {
		next = v->next;
		viewer_free(g, v);
	}
}

static void send_all(struct gallery *g, struct hall *h)
{
	struct viewer *next;

	for (struct viewer *v = h->viewers; v; v = next) {
		next = v->next;
		if (!v->blocked && !v->queued)
			viewer_send(g, v);
	}
}

static void look(struct gallery *g, struct hall *h)
{
	ino_t ino = h->room.ino;
	uint64_t count = h->room.count;
	int r = room_look(&h->room);

	if (g->shown == h && (h->room.ino != ino || h->room.count < count))
		g->shown = NULL;
	if (r == -ESTALE)
		return; /* until somebody has built the index: that rings */
	if (r < 0)
		log_failure(h, r);
	else if (h->existed && h->room.fd < 0)
		end_all(g, h);
	else if (r > 0)
		send_all(g, h);
	if (r >= 0)
		h->existed = h->room.fd >= 0;
}

/* A hall may have lost its last viewer since it was noted, or lose it here. */
void halls_look(struct gallery *g)
{
	struct hall *h;

	while ((h = g->noted)) {
		g->noted = h->next_noted;
		if (h->viewers)
			look(g, h);
		h->noted = false;
		hall_leave(g, h);
	}
}

/* --- events ----------------------------------------------------------------
 */

static bool is_shown(
    const struct gallery *g, const struct hall *h, uint64_t number)
{
	const struct events *e = &g->events;

	return g->shown == h && number >= e->first &&
	       number - e->first < e->count && clock_left(g->shown_until) > 0;
}

int hall_show(struct gallery *g, struct hall *h, uint64_t number)
{
	int r;

	if (number > h->room.count)
		return -ENOENT;
	if (is_shown(g, h, number))
		return 0;
	g->shown = NULL;
	r = events_fill(&g->events, &h->room, number);
	if (r < 0) {
		log_failure(h, r);
		return r;
	}
	if (g->events.count == 0)
		return -ENOENT;
	g->shown = h;
	g->shown_until = clock_in(SHOWN_MS);
	return 0;
}
