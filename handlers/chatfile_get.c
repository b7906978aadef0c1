/*
 * GET and HEAD: a room as an ordinary file, and the list of rooms.
 */
#include "chatfile.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/http_file.h"

void chatfile_get(struct session *s)
{
	int r;

	s->door.event = "get";
	r = http_door_room(&s->door);
	if (r < 0)
		http_door_failed(&s->door, r);
	else if (s->door.room.fd < 0)
		(void)http_error(
		    &s->door.http, 404, "there is no such room yet\n");
	else
		(void)http_file(&s->door.http, s->door.room.fd,
		    s->door.room.end, CHATFILE_TEXT);
}

/* --- the list --------------------------------------------------------- */

struct list {
	const struct rooms *rooms;
	char (*names)[LIMIT_ROOM_NAME + 2]; /* with a "\n" once sorted */
	size_t count;
	size_t room;
};

static int list_add(void *arg, const char *name)
{
	struct list *l = arg;
	size_t room = l->room ? 2 * l->room : 64;
	void *more;

	if (!room_listed(l->rooms, name))
		return 0;
	if (l->count == l->room) {
		more = reallocarray(l->names, room, sizeof *l->names);
		if (!more)
			return -ENOMEM;
		l->names = more;
		l->room = room;
	}
	(void)snprintf(l->names[l->count++], sizeof *l->names, "%s", name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Closes the gaps between the names, a line each. Returns the length. */
static size_t list_join(struct list *l)
{
	char *text = (char *)l->names;
	size_t at = 0;

	for (size_t i = 0; i < l->count; i++) {
		size_t len = strlen(l->names[i]);

		memmove(text + at, l->names[i], len);
		at += len;
		text[at++] = '\n';
	}
	return at;
}

void chatfile_list(struct session *s)
{
	struct list l = {.rooms = &s->door.rooms};
	struct http_part part = {.data = ""};
	int r;

	s->door.event = "list";
	r = rooms_each(&s->door.rooms, list_add, &l);
	if (r < 0) {
		http_door_failed(&s->door, r);
	} else {
		if (l.count) {
			qsort(l.names, l.count, sizeof *l.names, by_name);
			part.len = list_join(&l);
			part.data = (char *)l.names;
		}
		http_reply(&s->door.http, 200);
		(void)http_send(&s->door.http, CHATFILE_TEXT, &part, 1);
	}
	free(l.names);
}
