#include "gallery.h"

/* Entries are added by pwrite, a rebuilt index is renamed into place, a
 * deleted room's is removed. */
#define INDEX_EVENTS (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)

static void note_named(void *arg, const struct inotify_event *e)
{
	struct gallery *g = arg;
	struct hall *h;

	HASH_FIND_STR(g->halls, e->name, h);
	if (h)
		hall_note(g, h);
}

static void note_all(void *arg)
{
	struct gallery *g = arg;

	for (struct hall *h = g->halls; h; h = h->hh.next)
		hall_note(g, h);
}

/* A hundred thousand entries have a room looked at once a batch. */
static void look(void *arg)
{
	halls_look(arg);
}

/* While nobody views anything, messages do not wake us. */
int watch_halls(struct gallery *g, bool wanted)
{
	int wd;

	if (wanted == (g->watch_index >= 0))
		return 0;
	if (!wanted) {
		watcher_remove(&g->watcher, g->watch_index);
		g->watch_index = -1;
		return 0;
	}
	wd = watcher_add(&g->watcher, "index", INDEX_EVENTS);
	if (wd < 0)
		return wd;
	g->watch_index = wd;
	return 0;
}

int watch_start(struct gallery *g)
{
	static const char *const needed[] = {"index", NULL};
	static const struct watcher_calls calls = {
	    note_named, note_all, look, needed};

	g->watch_index = -1;
	return watcher_start(&g->watcher, &g->single, &calls, g);
}
