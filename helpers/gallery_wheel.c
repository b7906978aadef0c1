/*
 * One timer for all: a viewer is in the slot of the second in which it is
 * looked at next. Streams that are busy are not moved about; they are found to
 * be so when their second comes.
 */
#include <errno.h>
#include <utlist.h>

#include "gallery.h"
#include "lib/clock.h"
#include "lib/log.h"

/* The wheel counts whole seconds, begun ones too: so many are enough for
 * EVENTS_PING_MS, and one more for no less than LIMIT_STALL_MS. */
#define PING_S (EVENTS_PING_MS / 1000)
#define STALL_S (LIMIT_STALL_MS / 1000 + 1)

#define USEC UINT64_C(1000000)
#define ACCURACY_USEC 50000

uint32_t gallery_now(void)
{
	return (uint32_t)(clock_ms() / 1000);
}

static void wake_at(struct gallery *g, uint32_t second)
{
	g->alarm = second;
	(void)sd_event_source_set_time(g->turn, second * USEC);
	(void)sd_event_source_set_enabled(
	    g->turn, second ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void wheel_put(struct gallery *g, struct viewer *v, uint32_t seconds)
{
	v->due = gallery_now() + seconds;
	/* What is being turned now is not met again. */
	if (v->due <= g->turned)
		v->due = g->turned + 1;
	DL_APPEND2(g->wheel[v->due % WHEEL_SLOTS], v, wheel_prev, wheel_next);
	if (!g->alarm || v->due < g->alarm)
		wake_at(g, v->due);
}

void wheel_take(struct gallery *g, struct viewer *v)
{
	DL_DELETE2(g->wheel[v->due % WHEEL_SLOTS], v, wheel_prev, wheel_next);
}

static void drop(struct gallery *g, struct viewer *v)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "slow");
	log_string(&line, "room", v->hall->room.name);
	log_number(&line, "number", (int64_t)v->number);
	log_end(&line);
	viewer_free(g, v);
}

/* Rooms are looked at, too: of one whose file was removed by hand no index
 * tells. */
static void examine(struct gallery *g, struct viewer *v, uint32_t now)
{
	uint32_t silent = now - v->progress;
	uint32_t patience = v->blocked ? STALL_S : PING_S;

	wheel_take(g, v);
	if (silent < patience) {
		wheel_put(g, v, patience - silent);
		return;
	}
	wheel_put(g, v, PING_S);
	hall_note(g, v->hall);
	if (v->blocked)
		drop(g, v);
	else if (!v->queued)
		viewer_ping(g, v);
}

static void turn_slot(struct gallery *g, uint32_t second, uint32_t now)
{
	struct viewer *next;

	for (struct viewer *v = g->wheel[second % WHEEL_SLOTS]; v; v = next) {
		next = v->wheel_next;
		if (v->due <= now)
			examine(g, v, now);
	}
}

static void wake_for_next(struct gallery *g)
{
	for (uint32_t i = 1; i <= WHEEL_SLOTS; i++)
		if (g->wheel[(g->turned + i) % WHEEL_SLOTS]) {
			wake_at(g, g->turned + i);
			return;
		}
	wake_at(g, 0);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *arg)
{
	struct gallery *g = arg;
	uint32_t now = gallery_now(), from = g->turned + 1;

	(void)source;
	(void)usec;
	/* Where we slept through more than a whole turn, one is enough. */
	if (now - g->turned > WHEEL_SLOTS)
		from = now - WHEEL_SLOTS + 1;
	g->turned = now;
	for (; from <= now; from++)
		turn_slot(g, from, now);
	wake_for_next(g);
	halls_look(g);
	return 0;
}

int wheel_start(struct gallery *g)
{
	int r = sd_event_add_time(g->single.event, &g->turn, CLOCK_MONOTONIC, 0,
	    ACCURACY_USEC, on_turn, g);

	if (r < 0)
		return r;
	g->turned = gallery_now();
	wake_at(g, 0);
	return 0;
}

void wheel_end(struct gallery *g)
{
	(void)sd_event_source_disable_unref(g->turn);
}
