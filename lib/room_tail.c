#include "room_internal.h"

#include <errno.h>
#include <unistd.h>

#include "io.h"

/* What one pread takes in under the lock: the footer before the index' end
 * and what is not indexed yet. */
#define WINDOW 16384
#define WINDOW_BACK 512

static void tail_init(struct tail *tail, uint64_t from)
{
	tail->from = tail->size = from;
	tail->n = 0;
}

void tail_add(struct tail *tail, uint64_t entry)
{
	tail->size = INDEX_END(entry);
	if (tail->n == TAIL_ENDS) {
		tail->from = INDEX_END(tail->ends[TAIL_ENDS - 1]);
		tail->n = 0;
	}
	tail->ends[tail->n++] = entry;
}

/* A scan_found. */
static int tail_found(void *arg, const struct scan_hit *hit)
{
	bool upload = scan_is_upload(hit->text, hit->len);

	tail_add(arg, hit->end | (upload ? INDEX_UPLOAD : 0));
	return 0;
}

/* Is what the index names the file's, and the rest whole? Fills tail with the
 * rest. 0, -ESTALE if the index does not fit; *ret_whole < size if torn. */
static int look_at_tail(
    struct room *room, uint64_t size, struct tail *tail, uint64_t *ret_whole)
{
	char window[WINDOW];
	size_t back = room->end < WINDOW_BACK ? (size_t)room->end : WINDOW_BACK;
	uint64_t rest = size - room->end;
	size_t len = back + (rest < WINDOW - back ? (size_t)rest : 0);
	int r = io_pread(room->fd, window, len, room->end - back);

	if (r < 0)
		return r;
	r = room->end == 0 ? 1
			   : scan_ends_record(window, back, back == room->end);
	if (r == -EAGAIN)
		r = scan_file_ends_record(room->fd, room->end);
	if (r <= 0)
		return r < 0 ? r : -ESTALE;
	tail_init(tail, room->end);
	if (len - back == rest)
		return scan_memory(window + back, (size_t)rest, room->end,
		    tail_found, tail, ret_whole);
	return scan_file(
	    room->fd, room->end, size, tail_found, tail, ret_whole);
}

/* Builds the index anew. Afterwards nothing is left to index. */
static int rebuild(struct room *room, uint64_t size, struct tail *tail)
{
	int torn, r;

	if (room->index >= 0)
		room->edited = true;
	r = index_build(room, size, &size, &torn);
	if (r < 0)
		return r;
	tail_init(tail, size);
	return torn;
}

/* Makes sure of index and tail. As room_lock_prepared(), and -ESTALE. */
static int make_sure(struct room *room, uint64_t size, struct tail *ret)
{
	char lost[ROOM_LOST_NAME];
	uint64_t whole;
	int r = room->index >= 0 ? 1 : index_load(room);

	if (r < 0)
		return r;
	r = r == 0 || room->end > size ? -ESTALE
				       : look_at_tail(room, size, ret, &whole);
	if (r == -ESTALE)
		return rebuild(room, size, ret);
	if (r < 0 || whole == size)
		return r;
	return size - whole > LIMIT_TORN ? -EUCLEAN
					 : room_cut(room, whole, size, lost);
}

/* Somebody who takes no lock, an editor, may change the file meanwhile: then
 * whatever failed did so for that, and building an index takes long enough to
 * look again, too. */
static int prepare(struct room *room, uint64_t size, struct tail *ret)
{
	unsigned loads = room->loads;
	uint64_t now;
	int r = make_sure(room, size, ret);

	if (r == 0)
		r = index_reserve(room);
	if (r == 0 && loads == room->loads)
		return 0;
	if (r == 0)
		size = ret->size;
	return room_file_size(room, &now) == 0 && now != size ? -ESTALE : r;
}

void room_unmake(struct room *room)
{
	char file[ROOM_FILE_NAME];
	uint64_t size;

	if (!room->made || room_file_size(room, &size) < 0 || size > 0)
		return;
	room_file_name(room->name, file);
	(void)unlinkat(room->rooms->rooms, file, 0);
	(void)unlinkat(room->rooms->index, room->name, 0);
}

int room_lock_prepared(struct room *room, bool create, struct tail *tail)
{
	uint64_t size;
	int r;

	if (room_is_marked(room))
		return -EKEYREVOKED;
	/* What others index from here on we take for not indexed yet. If the
	 * index was replaced, maybe by someone who repaired the room after a
	 * failed sync, our descriptor may still have that failure to tell. */
	if (room->index >= 0 && index_refresh(room) != 1)
		room_detach(room);
	for (int i = 0; i < ROOM_TRIES; i++) {
		r = room_lock(room, create, &size);
		if (r < 0)
			return r;
		r = prepare(room, size, tail);
		if (r == 0)
			return 0;
		if (r != -ESTALE)
			room_unmake(room);
		room_unlock(room);
		if (r != -ESTALE)
			return r;
		room_detach(room);
	}
	return -EBUSY;
}
