/*
 * Folders of RUNTIME_DIRECTORY, watched by inotify: what fanout and gallery
 *hear doorbells by.
 *
 *	watcher_start(&w, &single, &calls, arg);
 *	wd = watcher_add(&w, "index", IN_MODIFY);
 *	...
 *	watcher_end(&w);
 *
 * Where RUNTIME_DIRECTORY or a folder that is needed is taken away, that is
 * logged (gone) and the event loop ends with 111: whoever starts us again makes
 * them anew.
 */
#ifndef WATCHER_H
#define WATCHER_H

#include <stdint.h>
#include <sys/inotify.h>

#include "single.h"

#define WATCHER_FOLDERS 3

struct watcher_calls {
	/* In a folder that is watched. */
	void (*event)(void *arg, const struct inotify_event *);
	/* Events were lost: anything may have happened. */
	void (*overflow)(void *arg);
	/* At the end of a batch of these, which may be many thousands. */
	void (*batch)(void *arg);
	const char *const *needed; /* names of folders, up to NULL */
};

struct watcher {
	struct single *single;
	const struct watcher_calls *calls;
	void *arg;
	int inotify;
	int folders[WATCHER_FOLDERS]; /* watch descriptors, or -1 */
};

/* Watches RUNTIME_DIRECTORY itself. 0 or -errno. */
int watcher_start(
    struct watcher *, struct single *, const struct watcher_calls *, void *arg);

/* Watches a folder below it. The watch descriptor, or -errno. */
int watcher_add(struct watcher *, const char *name, uint32_t events);
void watcher_remove(struct watcher *, int wd);

void watcher_end(struct watcher *);

#endif
