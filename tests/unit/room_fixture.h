/*
 * A state of its own for a test of rooms, and short words for what tests do
 * with a room called "lobby".
 */
#ifndef ROOM_FIXTURE_H
#define ROOM_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/room.h"
#include "place.h"

#define ROOM "lobby"
#define NOW "1795183387" /* 2026-11-20T14:03:07Z */
#define FOOTER "\\alice @ 2026-11-20T14:03:07Z test\n"

struct fixture {
	struct place place;
	struct rooms rooms;
	unsigned notices;
	char lost[128]; /* the last notice's */
	uint64_t lost_bytes;
	char text[4 * 1024 * 1024]; /* what was read last */
};

static void fixture_notice(
    void *arg, const char *room, const char *lost_name, uint64_t bytes)
{
	struct fixture *f = arg;

	assert_true(strncmp(room, lost_name, strlen(room)) == 0);
	f->notices++;
	f->lost_bytes = bytes;
	(void)snprintf(f->lost, sizeof f->lost, "%s", lost_name);
}

static int fixture_new(struct fixture **ret)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)setenv("PARLANCE_NOW", NOW, 1);
	place_init(&f->place);
	assert_int_equal(rooms_open(&f->rooms, &f->place.state), 0);
	f->rooms.notice = fixture_notice;
	f->rooms.notice_arg = f;
	*ret = f;
	return 0;
}

static void fixture_free(struct fixture *f)
{
	rooms_close(&f->rooms);
	place_release(&f->place);
	free(f);
}

/* A path below the fixture's directory; static. */
__attribute__((unused)) static const char *path_of(
    const struct fixture *f, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", f->place.path, name);
	return path;
}

__attribute__((unused)) static const char *room_path(const struct fixture *f)
{
	return path_of(f, "state/rooms/" ROOM ".txt");
}

__attribute__((unused)) static const char *index_path(const struct fixture *f)
{
	return path_of(f, "run/index/" ROOM);
}

__attribute__((unused)) static const char *lost_path(const struct fixture *f)
{
	static char name[160];

	(void)snprintf(name, sizeof name, "state/lost/%s", f->lost);
	return path_of(f, name);
}

/* Makes or replaces a file's contents, in place. */
__attribute__((unused)) static void put_file(
    const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	(void)close(fd);
}

/* A whole file, in f->text, with a NUL behind it. */
__attribute__((unused)) static size_t get_file(
    struct fixture *f, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, f->text, sizeof f->text - 1);
	assert_true(n >= 0);
	f->text[n] = '\0';
	(void)close(fd);
	return (size_t)n;
}

__attribute__((unused)) static void assert_file(
    struct fixture *f, const char *path, const char *text, size_t len)
{
	assert_int_equal(get_file(f, path), len);
	assert_memory_equal(f->text, text, len);
}

__attribute__((unused)) static void assert_room(
    struct fixture *f, const char *text)
{
	assert_file(f, room_path(f), text, strlen(text));
}

__attribute__((unused)) static void put_room(
    const struct fixture *f, const char *text)
{
	put_file(room_path(f), text, strlen(text));
}

__attribute__((unused)) static int open_room(
    struct room *room, const struct fixture *f, enum room_mode mode)
{
	return room_open(room, &f->rooms, ROOM, strlen(ROOM), mode);
}

__attribute__((unused)) static struct room_post a_post(const char *body)
{
	size_t len = strlen(body);
	struct room_post post = {.body = body,
	    .body_len = len,
	    .newline = len && body[len - 1] != '\n',
	    .author = "alice",
	    .door = "test",
	    .keys = ""};

	return post;
}

__attribute__((unused)) static int say(struct room *room, const char *body)
{
	struct room_post post = a_post(body);
	struct room_posted posted;

	return room_append(room, &post, &posted);
}

/* What a writer killed between write and index leaves. */
__attribute__((unused)) static void append_bare(
    const struct fixture *f, const char *text)
{
	int fd = open(room_path(f), O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* The whole of record `number`, footer and all, in f->text. */
__attribute__((unused)) static const char *record(
    struct fixture *f, const struct room *room, uint64_t number)
{
	struct room_span span;
	size_t len;

	assert_int_equal(room_find(room, number, &span), 0);
	len = (size_t)(span.end - span.start);
	assert_true(len < sizeof f->text);
	assert_int_equal(room_read(room, span.start, f->text, len), 0);
	f->text[len] = '\0';
	return f->text;
}

/* The room is whole and has so many records, as a process sees it that comes
 * to it now. */
__attribute__((unused)) static void assert_records(
    const struct fixture *f, uint64_t count)
{
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room.count, count);
	room_close(&room);
}

__attribute__((unused)) static void assert_healthy(const struct fixture *f)
{
	struct room_health h;

	assert_int_equal(room_check(&f->rooms, ROOM, false, &h), 0);
	assert_int_equal(h.torn, 0);
	assert_int_equal(h.settled, 0);
	assert_false(h.failed);
}

#endif
