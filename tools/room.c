/* parlance room list, del, redact, and what all of room's commands share. */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/footer.h"
#include "lib/parse.h"

static void tell_repair(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	const struct admin *admin = arg;

	(void)complain(admin, DONE,
	    "%s: %ju bytes that an interrupted write left were moved to "
	    "%s/lost/%s",
	    room, (uintmax_t)bytes, admin->state.state_path, lost_name);
}

int open_rooms(struct admin *admin, struct rooms *rooms)
{
	int r = rooms_open(rooms, &admin->state);

	if (r < 0)
		return complain(admin, FAILED, "%s: %s",
		    admin->state.state_path, strerror(-r));
	rooms->notice = tell_repair;
	rooms->notice_arg = admin;
	return DONE;
}

struct trouble {
	int error;
	enum outcome outcome;
	const char *text;
};

static const struct trouble troubles[] = {
    {-ENOENT, REFUSED, "no such room (parlance room list names them)"},
    {-EINVAL, MISUSED,
	"not a room's name: 1 to 64 of the characters A-Z a-z 0-9 _ and -"},
    {-EBUSY, FAILED,
	"busy: another process has held its lock for 5 seconds; try again"},
    {-EUCLEAN, FAILED,
	"damaged, so it takes no messages; parlance room check tells more, "
	"and with --repair puts it right"},
    {-EKEYREVOKED, FAILED,
	"shut since a write to disk failed; see to the disk, then run "
	"parlance room check --repair"},
    {-EIO, FAILED,
	"the disk failed, and the room is shut; see to the disk, then run "
	"parlance room check --repair"},
    {-ENOSPC, FAILED, "no space left on the disk; nothing was changed"},
    {-EDQUOT, FAILED, "the disk quota is used up; nothing was changed"},
    {-EFBIG, FAILED, "the file would grow too large; nothing was changed"},
};

int complain_room(const struct admin *admin, const char *room, int error)
{
	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
		if (troubles[i].error == error)
			return complain(admin, troubles[i].outcome, "%s: %s",
			    room, troubles[i].text);
	return complain(admin, FAILED, "%s: %s", room, strerror(-error));
}

int open_room(const struct admin *admin, struct room *room,
    const struct rooms *rooms, const char *name, enum room_mode mode)
{
	int r = room_open(room, rooms, name, strlen(name), mode);

	return r < 0 ? complain_room(admin, name, r) : DONE;
}

/* --- names -----------------------------------------------------------------
 */

static int names_add(void *arg, const char *name)
{
	struct room_names *names = arg;
	size_t cap = names->cap ? names->cap * 2 : 64;
	void *more;

	if (names->count == names->cap) {
		more = realloc(names->name, cap * sizeof names->name[0]);
		if (!more)
			return -ENOMEM;
		names->name = more;
		names->cap = cap;
	}
	(void)snprintf(
	    names->name[names->count++], sizeof names->name[0], "%s", name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int room_names(const struct admin *admin, const struct rooms *rooms,
    struct room_names *names)
{
	int r = rooms_each(rooms, names_add, names);

	if (r < 0)
		return complain(admin, FAILED, "%s/rooms: %s",
		    admin->state.state_path, strerror(-r));
	if (names->count)
		qsort(names->name, names->count, sizeof names->name[0],
		    compare_names);
	return DONE;
}

void room_names_release(struct room_names *names)
{
	free(names->name);
}

/* --- list ------------------------------------------------------------------
 */

/* Reads the last record's footer line; records may be long, footers not. */
static int last_time(const struct room *room, bool people, char *text, size_t n)
{
	struct room_span span;
	struct footer footer;
	char tail[LIMIT_FOOTER];
	size_t len, at;
	int r = room_find(room, room->count, &span);

	(void)snprintf(text, n, "-");
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	len = sizeof tail;
	if (span.end - span.start < len)
		len = (size_t)(span.end - span.start);
	r = room_read(room, span.end - len, tail, len);
	if (r < 0 || !len)
		return r;
	for (at = len - 1; at && tail[at - 1] != '\n'; at--)
		;
	footer_parse(&footer, tail + at, len - 1 - at);
	if (!footer.time.len || tail[at] != '\\')
		return 0;
	if (people)
		show_time(footer.time, text, n);
	else
		show_slice(footer.time, text, n);
	return 0;
}

/* The last columns, for a room made on the web: is it listed, and what is it
 * about? Its name tells nobody. */
static void show_listing(
    const struct rooms *rooms, const char *name, bool people)
{
	const char *gap = people ? "  " : "\t";
	char subject[LIMIT_SUBJECT + 1];
	struct room_meta meta = {.subject = ""};
	bool known;

	if (!room_name_is_id(name, strlen(name)))
		return;
	known = room_meta_read(rooms, name, &meta) == 0;
	(void)printf("%s%s", gap, known && meta.listed ? "listed" : "unlisted");
	if (!known || !meta.subject[0])
		return;
	show_slice((struct slice){meta.subject, strlen(meta.subject)}, subject,
	    sizeof subject);
	for (char *tab = subject; (tab = strchr(tab, '\t')); tab++)
		*tab = ' ';
	(void)printf("%s%s", people && meta.listed ? "    " : gap, subject);
}

static int list_one(const struct admin *admin, const struct rooms *rooms,
    const char *name, bool people)
{
	struct room room;
	char when[64];
	int r = room_open(&room, rooms, name, strlen(name), ROOM_READ);

	if (r == -ENOENT && !room_is_chat(rooms, name, strlen(name)))
		return DONE; /* deleted meanwhile */
	if (r < 0 && r != -ENOENT)
		return complain_room(admin, name, r);
	r = last_time(&room, people, when, sizeof when);
	if (r < 0)
		r = complain_room(admin, name, r);
	else {
		(void)printf(
		    people ? "%-32s %8ju %12ju  %-19s" : "%s\t%ju\t%ju\t%s",
		    name, (uintmax_t)room.count, (uintmax_t)room.end, when);
		show_listing(rooms, name, people);
		(void)putchar('\n');
	}
	room_close(&room);
	return r;
}

struct unspoken {
	struct room_names *names;
	size_t spoken; /* the first ones, sorted, have a file */
};

static int add_unspoken(void *arg, const char *id, const struct room_meta *meta)
{
	struct unspoken *u = arg;

	(void)meta;
	if (u->spoken && bsearch(id, u->names->name, u->spoken,
			     sizeof u->names->name[0], compare_names))
		return 0;
	return names_add(u->names, id);
}

/* And those which everybody sees on the web though nobody has spoken yet. */
static int names_to_list(const struct admin *admin, const struct rooms *rooms,
    struct room_names *names)
{
	struct unspoken u = {names, 0};
	int r = room_names(admin, rooms, names);

	if (r != DONE)
		return r;
	u.spoken = names->count;
	r = rooms_each_listed(rooms, add_unspoken, &u);
	if (r < 0)
		return complain(admin, FAILED, "%s/meta: %s",
		    admin->state.state_path, strerror(-r));
	if (names->count)
		qsort(names->name, names->count, sizeof names->name[0],
		    compare_names);
	return DONE;
}

int rooms_list(struct admin *admin, char **operands, int count)
{
	bool people = isatty(STDOUT_FILENO);
	struct room_names names = {0};
	struct rooms rooms;
	int r, worst = open_rooms(admin, &rooms);

	(void)operands;
	(void)count;
	if (worst != DONE)
		return worst;
	worst = names_to_list(admin, &rooms, &names);
	if (people && names.count)
		(void)printf(
		    "%-32s %8s %12s  %s\n", "ROOM", "RECORDS", "BYTES", "LAST");
	for (size_t i = 0; i < names.count; i++) {
		r = list_one(admin, &rooms, names.name[i], people);
		worst = r > worst ? r : worst;
	}
	room_names_release(&names);
	rooms_close(&rooms);
	r = finish(admin);
	return r > worst ? r : worst;
}

/* --- redact and del --------------------------------------------------------
 */

static int record_number(
    const struct admin *admin, const char *text, uint64_t *ret)
{
	if (parse_u64(text, strlen(text), UINT64_MAX, ret) == 0)
		return DONE;
	return complain(admin, MISUSED,
	    "%s: not a record's number (parlance room show -r tells them)",
	    text);
}

static int consent_redact(const struct admin *admin, const struct room *room,
    const struct room_span *span, uint64_t number)
{
	struct slice body;
	struct footer footer;
	char author[256], when[64], *record;
	size_t len = (size_t)(span->end - span->start);
	bool yes;
	int r;

	record = malloc(len);
	if (!record)
		return complain_room(admin, room->name, -ENOMEM);
	r = room_read(room, span->start, record, len);
	if (r < 0) {
		free(record);
		return complain_room(admin, room->name, r);
	}
	room_record(record, len, &body, &footer);
	show_slice(footer.author, author, sizeof author);
	show_time(footer.time, when, sizeof when);
	yes = ask_consent(admin,
	    "Overwrite the text (%zu bytes) of record %ju of %s, by %s at %s, "
	    "for good?",
	    body.len, (uintmax_t)number, room->name, author, when);
	free(record);
	return yes ? DONE : REFUSED;
}

static int redact(const struct admin *admin, struct room *room, uint64_t number)
{
	struct room_span span;
	int r = room_find(room, number, &span);

	if (r == -ENOENT)
		return complain(admin, REFUSED, "%s: no record %ju; it has %ju",
		    room->name, (uintmax_t)number, (uintmax_t)room->count);
	if (r < 0)
		return complain_room(admin, room->name, r);
	r = consent_redact(admin, room, &span, number);
	if (r != DONE)
		return r;
	r = room_redact(room, number);
	return r < 0 ? complain_room(admin, room->name, r) : DONE;
}

int rooms_redact(struct admin *admin, char **operands, int count)
{
	struct rooms rooms;
	struct room room;
	uint64_t number;
	int r = record_number(admin, operands[1], &number);

	(void)count;
	if (r == DONE)
		r = open_rooms(admin, &rooms);
	if (r != DONE)
		return r;
	r = open_room(admin, &room, &rooms, operands[0], ROOM_READ);
	if (r == DONE) {
		r = redact(admin, &room, number);
		room_close(&room);
	}
	rooms_close(&rooms);
	return r;
}

int rooms_del(struct admin *admin, char **operands, int count)
{
	const char *name = operands[0];
	struct rooms rooms;
	struct room room;
	int r = open_rooms(admin, &rooms);

	(void)count;
	if (r != DONE)
		return r;
	r = room_open(&room, &rooms, name, strlen(name), ROOM_READ);
	if (r == -ENOENT && room_name_is_id(name, strlen(name)))
		r = DONE; /* made on the web; nobody has spoken yet, or none */
	else if (r < 0)
		r = complain_room(admin, name, r);
	else {
		if (!ask_consent(admin,
			"Delete the room %s and its %ju records, for good?",
			name, (uintmax_t)room.count))
			r = REFUSED;
		room_close(&room);
	}
	if (r == DONE) {
		r = room_delete(&rooms, name);
		if (r < 0)
			r = complain_room(admin, name, r);
	}
	rooms_close(&rooms);
	return r;
}
