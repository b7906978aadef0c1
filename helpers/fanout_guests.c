#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fanout.h"

/*
 * Each name in present/ that was heard of:
 *
 * told  probing	how it got there
 * no	 no		(forgotten)
 * yes	 no		written by its holder: +NAME went out
 * any	 yes		closed by somebody, but still held: by another, who
 *			came since or was there all the time, or by a process
 *			whose end is not complete. It is asked again after 1,
 *			2, 4 ... 1000 ms, and each second of a minute.
 *
 * A name whose lock is free is swept: -NAME if it was told, and forgotten.
 * One that another process wrote leaves and comes.
 */
struct guest {
	struct fanout *fanout;
	bool told;
	uint64_t pid; /* who was told of */
	unsigned probes;
	sd_event_source *timer; /* probing */
	UT_hash_handle hh;
	char name[LIMIT_NAME + 1];
	char key[]; /* the file's name */
};

#define PROBE_FIRST_USEC 1000
#define PROBE_MOST_USEC 1000000
#define PROBES 70
#define PROBE_ACCURACY_USEC 100

static void guest_tell(const struct guest *g, enum datagram_kind kind)
{
	struct datagram d = {.kind = kind,
	    .text = g->name,
	    .len = strlen(g->name),
	    .count = room_count(g->fanout, LOBBY)};

	presence_tell(g->fanout, &d);
}

static struct guest *guest_find(struct fanout *f, const char *key)
{
	struct guest *g;

	HASH_FIND_STR(f->guests, key, g);
	return g;
}

static struct guest *guest_get(struct fanout *f, const char *key)
{
	struct guest *g = guest_find(f, key);
	size_t len = strlen(key);

	if (g)
		return g;
	g = calloc(1, sizeof *g + len + 1);
	if (!g)
		return NULL;
	g->fanout = f;
	memcpy(g->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, f->guests, g->key, len, g);
	return g;
}

static void guest_free(struct guest *g)
{
	HASH_DEL(g->fanout->guests, g);
	(void)sd_event_source_disable_unref(g->timer);
	free(g);
}

/* The file is gone: so is who held it. */
static void guest_left(struct guest *g)
{
	if (g->told)
		guest_tell(g, DATAGRAM_LEFT);
	guest_free(g);
}

static bool same(const struct guest *g, const struct present_line *line)
{
	return g->pid == line->pid && strcmp(g->name, line->name) == 0;
}

/* With `again` a holder who was told of is told of again: it waits for that,
 * and may have the pid of the one before. */
static void look(struct fanout *f, const char *key, bool again)
{
	struct present_line line;
	struct guest *g;

	if (present_read(&f->present, key, &line) < 0)
		return;
	g = guest_get(f, key);
	if (!g || (g->told && same(g, &line) && !again))
		return;
	if (g->told && !same(g, &line))
		guest_tell(g, DATAGRAM_LEFT);
	memcpy(g->name, line.name, sizeof g->name);
	g->pid = line.pid;
	g->told = true;
	guest_tell(g, DATAGRAM_CAME);
}

static void probe(struct guest *g);

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	probe(arg);
	return 0;
}

static void probe_later(struct guest *g)
{
	uint64_t wait = PROBE_FIRST_USEC;
	int r;

	if (g->probes == PROBES) {
		if (!g->told)
			guest_free(g);
		return;
	}
	for (unsigned i = 0; i < g->probes && wait < PROBE_MOST_USEC; i++)
		wait *= 2;
	if (wait > PROBE_MOST_USEC)
		wait = PROBE_MOST_USEC;
	g->probes++;
	if (!g->timer)
		r = sd_event_add_time_relative(g->fanout->single.event,
		    &g->timer, CLOCK_MONOTONIC, wait, PROBE_ACCURACY_USEC,
		    on_timer, g);
	else
		r = sd_event_source_set_time_relative(g->timer, wait);
	if (r >= 0)
		(void)sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

/* An error leaves the name as it is; it counts as held. */
static void probe(struct guest *g)
{
	if (present_sweep(&g->fanout->present, g->key) == 0)
		guest_left(g);
	else
		probe_later(g);
}

void guest_written(struct fanout *f, const char *key)
{
	look(f, key, true);
}

void guest_closed(struct fanout *f, const char *key)
{
	struct guest *g = guest_get(f, key);

	if (!g)
		return;
	g->probes = 0;
	probe(g);
}

static int scan_one(void *arg, const char *key)
{
	look(arg, key, false);
	guest_closed(arg, key);
	return 0;
}

int guests_scan(struct fanout *f)
{
	struct guest *g, *next;

	for (g = f->guests; g; g = next) {
		next = g->hh.next;
		g->probes = 0;
		probe(g);
	}
	return present_each_key(&f->present, scan_one, f);
}

void guests_end(struct fanout *f)
{
	struct guest *g, *next;

	for (g = f->guests; g; g = next) {
		next = g->hh.next;
		guest_free(g);
	}
}
