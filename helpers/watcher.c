#include "watcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/log.h"

/* A folder that is removed tells nobody while a descriptor of it is open: what
 * is above it does. */
#define ABOVE_EVENTS (IN_DELETE | IN_MOVED_FROM)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

#define EVENTS_BYTES 65536 /* taken at once */

static bool is_needed(const struct watcher *w, const char *name)
{
	const char *const *needed = w->calls->needed;

	while (*needed && strcmp(*needed, name) != 0)
		needed++;
	return *needed;
}

static bool is_watched(const struct watcher *w, int wd)
{
	for (size_t i = 0; i < WATCHER_FOLDERS; i++)
		if (w->folders[i] == wd)
			return true;
	return false;
}

static void take_event(struct watcher *w, const struct inotify_event *e)
{
	bool above = e->wd == w->folders[0];

	if (e->mask & IN_Q_OVERFLOW) {
		log_event(LOG_WARNING, "overflow", NULL, NULL);
		w->calls->overflow(w->arg);
	} else if (!is_watched(w, e->wd)) {
		return;
	} else if (e->mask & GONE ||
		   (above && e->len && is_needed(w, e->name))) {
		log_event(
		    LOG_ERR, "gone", "folder", w->single->state.runtime_path);
		(void)sd_event_exit(w->single->event, 111);
	} else if (!above && e->len) {
		w->calls->event(w->arg, e);
	}
}

static int on_events(
    sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	_Alignas(struct inotify_event) char events[EVENTS_BYTES];
	const struct inotify_event *e;
	struct watcher *w = arg;
	ssize_t n = read(fd, events, sizeof events);

	(void)source;
	(void)revents;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (const char *at = events; at < events + n;
	     at += sizeof *e + e->len) {
		e = (const struct inotify_event *)(const void *)at;
		take_event(w, e);
	}
	w->calls->batch(w->arg);
	return 0;
}

int watcher_add(struct watcher *w, const char *name, uint32_t events)
{
	char path[sizeof w->single->state.runtime_path + 16];
	size_t i = 0;
	int wd;

	while (w->folders[i] >= 0)
		if (++i == WATCHER_FOLDERS)
			return -ENOSPC;
	(void)snprintf(
	    path, sizeof path, "%s/%s", w->single->state.runtime_path, name);
	wd = inotify_add_watch(w->inotify, path,
	    events | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	if (wd < 0)
		return -errno;
	w->folders[i] = wd;
	return wd;
}

void watcher_remove(struct watcher *w, int wd)
{
	for (size_t i = 0; i < WATCHER_FOLDERS; i++)
		if (w->folders[i] == wd)
			w->folders[i] = -1;
	(void)inotify_rm_watch(w->inotify, wd);
}

int watcher_start(struct watcher *w, struct single *single,
    const struct watcher_calls *calls, void *arg)
{
	int r;

	*w = (struct watcher){single, calls, arg, -1, {-1, -1, -1}};
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify < 0)
		return -errno;
	r = watcher_add(w, "", ABOVE_EVENTS); /* folders[0] */
	if (r < 0)
		return r;
	r = sd_event_add_io(
	    single->event, NULL, w->inotify, EPOLLIN, on_events, w);
	return r < 0 ? r : 0;
}

void watcher_end(struct watcher *w)
{
	(void)close(w->inotify);
}
