#include "room_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

/* --- writing --- */

/* The footer's keys, with the Idempotency-Key among them. */
static int format_footer(
    const struct room_post *post, int64_t now, struct room_posted *p)
{
	char keys[LIMIT_FOOTER];
	struct footer_new new = {post->author, now, post->door, keys};
	int n = snprintf(keys, sizeof keys, "%s%s%s%s", post->keys,
	    post->key && *post->keys ? " " : "", post->key ? "key=" : "",
	    post->key ? post->key : "");

	if (n < 0 || (size_t)n >= sizeof keys)
		return -EINVAL;
	n = footer_format(p->footer, sizeof p->footer, &new);
	if (n < 0)
		return -EINVAL;
	p->footer_len = (size_t)n;
	return 0;
}

/* Writes the record at the end, which is `start`, or nothing. */
static int write_record(
    struct room *room, const struct room_post *post, struct room_posted *p)
{
	struct iovec iov[] = {
	    {(void *)(uintptr_t)post->body, post->body_len},
	    {(void *)(uintptr_t) "\n", post->newline},
	    {p->footer, p->footer_len},
	};
	size_t len = post->body_len + post->newline + p->footer_len;
	ssize_t n = writev(room->fd, iov, 3);
	int r = n < 0 ? -errno : -ENOSPC;

	p->end = p->start + len;
	if (n == (ssize_t)len)
		return 0;
	/* If this fails, too, what is there is torn, and the next repairs. */
	if (n > 0)
		(void)room_truncate(room, p->start, p->start + (uint64_t)n);
	return r;
}

/* --- the whole of it --- */

/* Makes all up to the tail's end durable and visible. */
static int publish(struct room *room, struct tail *tail)
{
	int r = room_sync(room);

	/* Another process' sync may have failed, and told it, not us. */
	if (r == 0 && room_is_marked(room))
		r = -EKEYREVOKED;
	return r < 0 ? r : index_add(room, tail);
}

/* Where the record begins that a scan for what stands at or after offset
 * starts with. */
static int record_at(
    const struct room *room, uint64_t offset, uint64_t *ret_start)
{
	struct room_span span;
	uint64_t number;
	int r = room_number_at(room, offset, &number);

	if (r == 0 && number > room->count) {
		*ret_start = room->end;
		return 0;
	}
	if (r == 0)
		r = room_find(room, number, &span);
	if (r == 0)
		*ret_start = span.start;
	return r;
}

/* What was done before the lock was taken, to have less to do under it. */
struct ready {
	unsigned loads; /* the key was looked for in this index */
	uint64_t end; /* up to here */
	int64_t time; /* the footer was formatted for this second */
	bool again; /* it was stored, and the file replaced then */
};

/* Looks for the key in [since, end) of what is visible. 1 with *p, 0, -errno.
 */
static int find_visible(struct room *room, const struct room_post *post,
    struct ready *ready, struct room_posted *p)
{
	uint64_t start;
	int r = room_look(room);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = record_at(room, post->since, &start);
	if (r < 0)
		return r;
	ready->loads = room->loads;
	ready->end = room->end;
	return start < ready->end ? match_key(room, post, start, ready->end, p)
				  : 0;
}

/* The same for the rest, under the lock. */
static int find_rest(struct room *room, const struct room_post *post,
    const struct ready *ready, uint64_t size, struct room_posted *p)
{
	uint64_t start;
	int r = record_at(room, post->since, &start);

	if (r < 0)
		return r;
	if (ready->loads == room->loads && ready->end > start)
		start = ready->end;
	return match_key(room, post, start, size, p);
}

/* Is the record still there? 1 with *p where it is now, 0 or -errno; -ERANGE:
 * it is, but before what the sender has, who has synced another file then. */
static int find_again(struct room *room, const struct room_post *post,
    uint64_t size, struct room_posted *p)
{
	uint64_t from;
	int r = 0;

	if (p->end <= size)
		r = match_same(room, post, p->start, p->end, p);
	/* The file was edited or replaced: somewhere near its end, then. */
	if (r == 0) {
		r = record_at(
		    room, size > LIMIT_TORN ? size - LIMIT_TORN : 0, &from);
		if (r == 0)
			r = match_same(room, post, from, size, p);
	}
	return r == 1 && p->start < post->since ? -ERANGE : r;
}

/* Under the lock: writes the record, or finds that it is there. 0, or 1 if
 * it was, or -errno. */
static int put(struct room *room, const struct room_post *post,
    const struct ready *ready, uint64_t size, struct room_posted *p)
{
	int64_t now;
	int r = 0;

	if (post->since > size)
		return -ERANGE;
	if (ready->again)
		r = find_again(room, post, size, p);
	if (r == 0 && post->key)
		r = find_rest(room, post, ready, size, p);
	/* Under the lock, so that times stand in the order of records. */
	now = clock_now();
	if (r == 0 && (ready->again || now != ready->time))
		r = format_footer(post, now, p);
	if (r != 0)
		return r;
	p->start = size;
	return write_record(room, post, p);
}

/* Between our write and its index entry the index was replaced. 0 if the
 * record is indexed, -ESTALE if that happened again, -ENOENT if the file was
 * replaced by one without the record, -EIO if it is the same file, so that a
 * repair took the record away. */
static int confirm(
    struct room *room, const struct room_post *post, struct room_posted *p)
{
	dev_t dev = room->dev;
	ino_t ino = room->ino;
	struct tail tail;
	int r = room_lock_prepared(room, false, &tail);

	if (r < 0)
		return r;
	r = find_again(room, post, tail.size, p);
	if (r == 0)
		r = room->dev == dev && room->ino == ino ? -EIO : -ENOENT;
	room_unlock(room);
	return r < 0 ? r : publish(room, &tail);
}

/* The record stands at p->start, in the tail or (repeated) before its end:
 * makes all of the tail durable and visible. */
static int finish(struct room *room, const struct room_post *post,
    struct tail *tail, struct room_posted *p)
{
	int r = publish(room, tail);
	bool last = r == 0 && !p->repeated;

	for (int i = 0; i < ROOM_TRIES && r == -ESTALE; i++)
		r = confirm(room, post, p);
	p->size = p->repeated ? room->end : p->end;
	p->number = tail->number;
	if (r < 0 || last)
		return r;
	return room_number_at(room, p->start, &p->number);
}

/* 0, -ENOENT to begin anew, or -errno. */
static int append_once(struct room *room, const struct room_post *post,
    bool again, struct room_posted *p)
{
	struct ready ready = {.time = clock_now(), .again = again};
	struct tail tail;
	int r = 0;

	p->repeated = true;
	if (post->key)
		r = find_visible(room, post, &ready, p);
	if (r == 1) {
		p->size = room->end;
		return room_number_at(room, p->start, &p->number);
	}
	if (r == 0 && !again)
		r = format_footer(post, ready.time, p);
	if (r == 0)
		r = room_lock_prepared(room, true, &tail);
	if (r < 0)
		return r;
	r = put(room, post, &ready, tail.size, p);
	if (r < 0)
		room_unmake(room);
	room_unlock(room);
	if (r < 0)
		return r;
	room->made = false;
	p->repeated = r == 1;
	if (!p->repeated)
		tail_add(&tail,
		    p->end | (scan_is_upload(p->footer, p->footer_len - 1)
				     ? INDEX_UPLOAD
				     : 0));
	return finish(room, post, &tail, p);
}

int room_append(
    struct room *room, const struct room_post *post, struct room_posted *ret)
{
	struct room_posted posted;
	int r = -ENOENT;

	for (int i = 0; i < ROOM_TRIES && r == -ENOENT; i++)
		r = append_once(room, post, i > 0, &posted);
	if (r == 0)
		*ret = posted;
	return r == -ENOENT || r == -ESTALE ? -EBUSY : r;
}

int room_settle(struct room *room)
{
	struct tail tail;
	uint64_t size = 0;
	int r = room_look(room);

	if (r < 0 || room->fd < 0)
		return r < 0 ? r : 0;
	r = room_file_size(room, &size);
	if (r < 0 || size == room->end)
		return r;
	for (int i = 0; i < ROOM_TRIES; i++) {
		r = room_lock_prepared(room, false, &tail);
		if (r < 0)
			return r;
		room_unlock(room);
		r = publish(room, &tail);
		if (r != -ESTALE)
			return r;
	}
	return -EBUSY;
}
