/* Rooms whose files are not as parlance left them: torn, edited, replaced,
 * brought from elsewhere, and the index too. */
#include "room_fixture.h"

#include <sys/file.h>
#include <time.h>

static int setup(void **state)
{
	return fixture_new((struct fixture **)state);
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

#define FIRST "one\n\\\\two\n" FOOTER
#define SECOND "\n\\~bob @ 2026-11-20T14:03:07Z hchat id=1 file=x\n"
#define THIRD "3\n" FOOTER

static void what_a_crash_left_half_written_moves_to_lost(void **state)
{
	static const char text[] = FIRST SECOND THIRD;
	const size_t ends[] = {
	    0, strlen(FIRST), strlen(FIRST SECOND), strlen(FIRST SECOND THIRD)};
	struct fixture *f = *state;
	unsigned notices = 0;
	size_t whole = 0;
	struct room room;

	/* As after a boot: cut at every byte, no index. */
	for (size_t cut = 0; cut < sizeof text; cut++) {
		if (cut == ends[whole + 1])
			whole++;
		put_file(room_path(f), text, cut);
		(void)unlink(index_path(f));
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		assert_int_equal(room.count, whole);
		assert_int_equal(room.end, ends[whole]);
		assert_file(f, room_path(f), text, ends[whole]);
		if (cut > ends[whole]) {
			notices++;
			assert_int_equal(f->lost_bytes, cut - ends[whole]);
			assert_file(f, lost_path(f), text + ends[whole],
			    cut - ends[whole]);
		}
		assert_int_equal(f->notices, notices);
		assert_int_equal(say(&room, "next"), 0);
		assert_int_equal(room.count, whole + 1);
		room_close(&room);
		assert_healthy(f);
	}
	/* All were moved in one second, and none over another. */
	assert_true(notices > 100);
}

static void what_a_killed_writer_left_half_written_moves_to_lost(void **state)
{
	static const char text[] = FIRST SECOND THIRD;
	struct fixture *f = *state;
	struct room room;

	/* With an index: the next append finds it. */
	for (size_t cut = strlen(FIRST); cut < sizeof text - 1; cut++) {
		put_room(f, FIRST);
		(void)unlink(index_path(f));
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		put_file(room_path(f), text, cut);
		assert_int_equal(room_look(&room), 0);
		assert_int_equal(say(&room, "next"), 0);
		assert_int_equal(
		    room.count, cut < strlen(FIRST SECOND) ? 2 : 3);
		room_close(&room);
		assert_healthy(f);
	}
}

static void zeros_and_all_behind_them_move_to_lost(void **state)
{
	static const char torn[] = "4\0\0\0\n" FOOTER "5\n" FOOTER;
	struct fixture *f = *state;
	char text[512];
	struct room room;

	(void)snprintf(text, sizeof text, "%s", FIRST SECOND);
	memcpy(text + strlen(FIRST SECOND), torn, sizeof torn - 1);
	put_file(room_path(f), text, strlen(FIRST SECOND) + sizeof torn - 1);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room.count, 2);
	assert_room(f, FIRST SECOND);
	assert_file(f, lost_path(f), torn, sizeof torn - 1);
	room_close(&room);
	/* Also where the room is nothing but zeros. */
	memset(text, 0, sizeof text);
	put_file(room_path(f), text, sizeof text);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_records(f, 0);
	assert_room(f, "");
}

static void more_than_a_mebibyte_of_damage_is_left_alone(void **state)
{
	struct fixture *f = *state;
	size_t first = strlen(FIRST), len = first + LIMIT_TORN + 1;
	char *text = malloc(len);
	struct room_health h;
	struct room room;

	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text, FIRST, first);
	put_file(room_path(f), text, len);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room.count, 1);
	assert_string_equal(record(f, &room, 1), FIRST);
	assert_int_equal(say(&room, "no"), -EUCLEAN);
	assert_int_equal(room_settle(&room), -EUCLEAN);
	assert_int_equal(room_look(&room), 0);
	assert_file(f, room_path(f), text, len);
	assert_int_equal(f->notices, 0);
	assert_int_equal(room_check(&f->rooms, ROOM, false, &h), 0);
	assert_int_equal(h.torn, LIMIT_TORN + 1);
	assert_false(h.repaired);
	assert_int_equal(room_check(&f->rooms, ROOM, true, &h), 0);
	assert_true(h.repaired);
	assert_int_equal(f->notices, 1);
	assert_string_equal(h.lost, f->lost);
	assert_file(f, lost_path(f), text + first, len - first);
	assert_int_equal(say(&room, "yes"), 0);
	assert_int_equal(room.count, 2);
	/* One byte less is a torn tail. */
	put_file(room_path(f), text, len - 1);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_int_equal(say(&room, "yes"), 0);
	assert_int_equal(f->lost_bytes, LIMIT_TORN);
	room_close(&room);
	free(text);
}

static void histories_of_other_servers_are_rooms(void **state)
{
	static const char *const histories[] = {
	    "hi\n\\alice @ 2020-01-01T00:00:00.123456\nho\n\\bob @ x\n",
	    "hi\r\n\\alice @ 2020-01-01\r\nho\r\n\\bob\r\n", "\\\n\\ \n",
	    "\xff\xfe\x1b[2J\n\\anything \x80 goes\n\n\n\\\x01\n", NULL};
	struct fixture *f = *state;
	struct room room;

	for (int i = 0; histories[i]; i++) {
		put_room(f, histories[i]);
		(void)unlink(index_path(f));
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		assert_int_equal(room.count, 2);
		assert_int_equal(room.end, strlen(histories[i]));
		assert_int_equal(say(&room, "new"), 0);
		assert_int_equal(room.count, 3);
		assert_int_equal(get_file(f, room_path(f)),
		    strlen(histories[i]) + strlen("new\n" FOOTER));
		assert_true(strstr(f->text, histories[i]) == f->text);
		room_close(&room);
	}
	assert_int_equal(f->notices, 0);
}

static void footers_longer_than_any_buffer_are_footers(void **state)
{
	static const size_t lengths[] = {
	    511, 512, 513, 4096, 262144, 262145, 700000, 0};
	struct fixture *f = *state;
	char *text = malloc(1024 * 1024);
	struct room room;

	assert_non_null(text);
	for (int i = 0; lengths[i]; i++) {
		size_t n = lengths[i];

		memset(text, 'x', n);
		text[0] = '\\';
		text[n] = '\n';
		memcpy(text + n + 1, THIRD, strlen(THIRD));
		put_file(room_path(f), text, n + 1 + strlen(THIRD));
		(void)unlink(index_path(f));
		assert_records(f, 2);
		/* As the last, it is what each append looks at. */
		put_file(room_path(f), text, n + 1);
		(void)unlink(index_path(f));
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		assert_int_equal(room.count, 1);
		assert_int_equal(say(&room, "a"), 0);
		assert_int_equal(room.count, 2);
		room_close(&room);
		/* A body line that begins with two, as long, is none. */
		text[1] = '\\';
		put_file(room_path(f), text, n + 1 + strlen(THIRD));
		(void)unlink(index_path(f));
		assert_records(f, 1);
	}
	assert_int_equal(f->notices, 0);
	free(text);
}

/* --- the room file changes under us --- */

static void replace(const struct fixture *f, const char *text)
{
	char to[256];

	put_file(path_of(f, "state/rooms/new"), text, strlen(text));
	(void)snprintf(to, sizeof to, "%s", room_path(f));
	assert_int_equal(rename(path_of(f, "state/rooms/new"), to), 0);
}

static void a_replaced_file_is_appended_to_and_read(void **state)
{
	struct fixture *f = *state;
	struct room writer, reader;

	put_room(f, FIRST SECOND THIRD);
	assert_int_equal(open_room(&writer, f, ROOM_READ), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	/* As sed -i does. */
	replace(f, FIRST THIRD);
	assert_int_equal(room_look(&reader), 1);
	assert_int_equal(reader.count, 2);
	assert_string_equal(record(f, &reader, 2), THIRD);
	assert_int_equal(say(&writer, "4"), 0);
	assert_int_equal(writer.count, 3);
	assert_room(f, FIRST THIRD "4\n" FOOTER);
	/* As rm and cp do, with the size that it had. */
	assert_int_equal(unlink(room_path(f)), 0);
	put_room(f, FIRST THIRD "5\n" FOOTER);
	assert_int_equal(say(&writer, "6"), 0);
	assert_int_equal(writer.count, 4);
	assert_int_equal(room_look(&reader), 1);
	assert_string_equal(record(f, &reader, 3), "5\n" FOOTER);
	room_close(&writer);
	room_close(&reader);
	assert_int_equal(f->notices, 0);
	assert_healthy(f);
}

static void a_removed_room_is_made_anew_by_an_append(void **state)
{
	struct fixture *f = *state;
	struct room writer, reader, waiter;

	put_room(f, FIRST);
	assert_int_equal(open_room(&writer, f, ROOM_READ), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	assert_int_equal(open_room(&waiter, f, ROOM_CREATE), 0);
	assert_int_equal(unlink(room_path(f)), 0);
	assert_int_equal(room_look(&reader), -ENOENT);
	assert_int_equal(reader.count, 0);
	assert_int_equal(room_look(&waiter), 1);
	assert_int_equal(waiter.count, 0);
	assert_int_equal(say(&writer, "1"), 0);
	assert_int_equal(writer.count, 1);
	assert_room(f, "1\n" FOOTER);
	assert_int_equal(room_look(&reader), 1);
	assert_int_equal(room_look(&waiter), 1);
	assert_int_equal(waiter.count, 1);
	room_close(&writer);
	room_close(&reader);
	room_close(&waiter);
}

static void a_file_edited_in_place_gets_a_new_index(void **state)
{
	static const char *const edits[] = {FIRST, /* shorter */
	    "longer " FIRST SECOND THIRD, /* all offsets differ */
	    FIRST SECOND THIRD "4\n\\carol\n", /* by hand, at the end */
	    "", NULL};
	static const uint64_t counts[] = {1, 3, 4, 0};
	struct fixture *f = *state;
	struct room room, other;

	for (int i = 0; edits[i]; i++) {
		put_room(f, FIRST SECOND THIRD);
		(void)unlink(index_path(f));
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		assert_int_equal(open_room(&other, f, ROOM_READ), 0);
		put_room(f, edits[i]);
		assert_int_equal(say(&room, "new"), 0);
		assert_int_equal(room.count, counts[i] + 1);
		assert_string_equal(
		    record(f, &room, counts[i] + 1), "new\n" FOOTER);
		assert_int_equal(room_look(&other), 1);
		assert_int_equal(other.count, counts[i] + 1);
		room_close(&room);
		room_close(&other);
		assert_healthy(f);
	}
}

/* Puts the text there as if it had been written at that time. */
static void put_room_at(struct fixture *f, const char *text, time_t when)
{
	struct timespec times[2] = {{when, 0}, {when, 0}};

	put_room(f, text);
	assert_int_equal(utimensat(AT_FDCWD, room_path(f), times, 0), 0);
}

static void a_file_half_of_which_is_there_yet_is_left_alone(void **state)
{
	static const char half[] = FIRST "tw";
	time_t now = 1763647387;
	struct fixture *f = *state;
	struct room room, reader;

	put_room(f, FIRST SECOND THIRD);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	(void)setenv("PARLANCE_NOW", "1763647387", 1);
	/* As cp does, a piece at a time. */
	put_room_at(f, half, now - 1);
	assert_int_equal(say(&room, "no"), -EBUSY);
	assert_int_equal(say(&room, "no"), -EBUSY);
	assert_int_equal(room_look(&reader), -EBUSY);
	assert_room(f, half);
	append_bare(f, "o\n" FOOTER);
	assert_int_equal(room_look(&reader), 1);
	assert_int_equal(reader.count, 2);
	assert_int_equal(say(&room, "3"), 0);
	assert_int_equal(room.count, 3);
	/* What rests so is torn. */
	put_room_at(f, half, now - 1);
	assert_int_equal(say(&room, "no"), -EBUSY);
	put_room_at(f, half, now - 3);
	assert_int_equal(say(&room, "2"), 0);
	assert_int_equal(room.count, 2);
	assert_int_equal(f->notices, 1);
	(void)unsetenv("PARLANCE_NOW");
	room_close(&room);
	room_close(&reader);
}

static void a_reader_notices_a_file_cut_short(void **state)
{
	struct fixture *f = *state;
	struct room room;

	put_room(f, FIRST SECOND THIRD);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(truncate(room_path(f), strlen(FIRST)), 0);
	assert_int_equal(room_look(&room), 1);
	assert_int_equal(room.count, 1);
	room_close(&room);
}

static void what_is_no_regular_file_is_no_room(void **state)
{
	struct fixture *f = *state;
	struct room room;

	put_file(path_of(f, "secret"), FIRST, strlen(FIRST));
	assert_int_equal(symlink("../../secret", room_path(f)), 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), -EINVAL);
	assert_int_equal(open_room(&room, f, ROOM_CREATE), -EINVAL);
	assert_int_equal(unlink(room_path(f)), 0);
	assert_int_equal(mkfifo(room_path(f), 0640), 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), -EINVAL);
	assert_int_equal(unlink(room_path(f)), 0);
	assert_int_equal(mkdir(room_path(f), 0750), 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), -EINVAL);
}

static void a_room_that_can_only_be_read_is_read(void **state)
{
	struct fixture *f = *state;
	struct room room;

	put_room(f, FIRST "torn");
	assert_int_equal(chmod(room_path(f), 0444), 0);
	if (geteuid() == 0 && (setegid(65534) < 0 || seteuid(65534) < 0))
		skip();
	/* Nobody may not even write the index: a plain error. */
	if (open_room(&room, f, ROOM_READ) == 0) {
		assert_int_equal(room.count, 1);
		assert_int_equal(say(&room, "no"), -EACCES);
		room_close(&room);
	}
	(void)!seteuid(0);
	(void)!setegid(0);
	assert_file(f, room_path(f), FIRST "torn", strlen(FIRST) + 4);
}

/* --- the index --- */

static void an_index_that_does_not_match_is_built_anew(void **state)
{
	struct fixture *f = *state;
	char good[256], bad[256];
	size_t len;
	struct room room;

	put_room(f, FIRST SECOND THIRD);
	assert_records(f, 3);
	len = get_file(f, index_path(f));
	assert_int_equal(len, 64 + 3 * 8);
	memcpy(good, f->text, len);
	/* Magic, version, boot, device, inode, birth; a byte of the last end
	 * (past the end, or no footer there); each truncation. */
	for (size_t i = 0; i < len; i++) {
		if ((i >= 52 && i < 64) || (i >= 64 && i < 80))
			continue;
		memcpy(bad, good, len);
		bad[i] ^= 1;
		assert_int_equal(unlink(index_path(f)), 0);
		put_file(index_path(f), bad, len);
		assert_int_equal(open_room(&room, f, ROOM_READ), 0);
		assert_int_equal(room.count, 3);
		assert_string_equal(record(f, &room, 1), FIRST);
		assert_string_equal(record(f, &room, 3), THIRD);
		assert_int_equal(say(&room, "4"), 0);
		assert_int_equal(room.count, 4);
		room_close(&room);
		put_room(f, FIRST SECOND THIRD);
	}
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(unlink(index_path(f)), 0);
		put_file(index_path(f), good, i);
		assert_records(f, 3);
	}
	assert_int_equal(f->notices, 0);
}

static void an_index_of_a_reused_inode_is_not_taken_for_ours(void **state)
{
	struct fixture *f = *state;

	/* The same size, a footer at the same place: only inode or birth
	 * time tell. */
	put_room(f, "a\n" FOOTER "b\n" FOOTER);
	assert_records(f, 2);
	assert_int_equal(unlink(room_path(f)), 0);
	put_room(f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" FOOTER);
	assert_records(f, 1);
}

static void an_index_that_ends_in_a_piece_of_an_entry_is_used(void **state)
{
	struct fixture *f = *state;
	struct room room;
	struct stat before, after;
	int fd;

	put_room(f, FIRST SECOND);
	assert_records(f, 2);
	fd = open(index_path(f), O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\x07\x07\x07", 3), 3);
	(void)close(fd);
	assert_int_equal(stat(index_path(f), &before), 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room.count, 2);
	assert_int_equal(say(&room, "3"), 0);
	assert_int_equal(room.count, 3);
	assert_string_equal(record(f, &room, 3), "3\n" FOOTER);
	assert_int_equal(stat(index_path(f), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, 64 + 3 * 8);
	room_close(&room);
}

static void an_index_removed_under_us_is_built_anew(void **state)
{
	struct fixture *f = *state;
	struct room writer, reader;

	put_room(f, FIRST SECOND);
	assert_int_equal(open_room(&writer, f, ROOM_READ), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_int_equal(say(&writer, "3"), 0);
	assert_int_equal(writer.count, 3);
	assert_int_equal(room_look(&reader), 1);
	assert_int_equal(reader.count, 3);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_true(room_look(&reader) >= 0);
	assert_int_equal(reader.count, 3);
	assert_int_equal(access(index_path(f), F_OK), 0);
	room_close(&writer);
	room_close(&reader);
}

/* --- the admin's functions --- */

static void redacting_keeps_lines_offsets_and_footers(void **state)
{
	struct fixture *f = *state;
	struct room room, reader;

	put_room(f, FIRST "a\xc3\xa4\r\n\r\n\\\\b\n" FOOTER THIRD);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	assert_int_equal(room_redact(&room, 4), -ENOENT);
	assert_int_equal(room_redact(&room, 0), -ENOENT);
	assert_int_equal(room_redact(&room, 2), 0);
	assert_room(f, FIRST "xxx\r\n\r\nxxx\n" FOOTER THIRD);
	assert_int_equal(room_look(&reader), 0);
	assert_int_equal(reader.count, 3);
	assert_int_equal(say(&reader, "4"), 0);
	assert_int_equal(room_redact(&room, 4), 0);
	assert_string_equal(record(f, &room, 4), "x\n" FOOTER);
	room_close(&room);
	room_close(&reader);
	assert_healthy(f);
}

static void a_record_without_text_is_redacted_to_itself(void **state)
{
	struct fixture *f = *state;
	struct room room;

	put_room(f, FOOTER "\n" FOOTER);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room_redact(&room, 1), 0);
	assert_int_equal(room_redact(&room, 2), 0);
	assert_room(f, FOOTER "\n" FOOTER);
	room_close(&room);
}

static void a_deleted_room_is_gone_and_can_begin_again(void **state)
{
	struct fixture *f = *state;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	put_file(path_of(f, "state/meta/" ROOM), "format=1\n", 9);
	assert_int_equal(room_delete(&f->rooms, ROOM), 0);
	assert_int_equal(room_delete(&f->rooms, ROOM), -ENOENT);
	assert_int_equal(room_delete(&f->rooms, "../" ROOM), -EINVAL);
	assert_int_equal(access(path_of(f, "state/meta/" ROOM), F_OK), -1);
	assert_int_equal(access(index_path(f), F_OK), -1);
	assert_int_equal(room_look(&room), 1);
	assert_int_equal(room.count, 0);
	assert_int_equal(say(&room, "2"), 0);
	assert_room(f, "2\n" FOOTER);
	room_close(&room);
}

static void check_counts_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct room_health h;
	struct room room;

	assert_int_equal(room_check(&f->rooms, ROOM, true, &h), -ENOENT);
	put_room(f, FIRST SECOND);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	put_room(f, FIRST SECOND THIRD "torn");
	assert_int_equal(room_check(&f->rooms, ROOM, false, &h), 0);
	assert_int_equal(h.records, 3);
	assert_int_equal(h.bytes, strlen(FIRST SECOND THIRD));
	assert_int_equal(h.torn, 4);
	assert_int_equal(h.settled, strlen(THIRD));
	assert_false(h.failed || h.repaired);
	assert_room(f, FIRST SECOND THIRD "torn");
	assert_int_equal(room_check(&f->rooms, ROOM, true, &h), 0);
	assert_true(h.repaired);
	assert_int_equal(h.torn, 4);
	assert_room(f, FIRST SECOND THIRD);
	assert_int_equal(room_look(&room), 1);
	assert_int_equal(room.count, 3);
	assert_healthy(f);
	room_close(&room);
}

static void after_a_failed_sync_what_was_never_shown_moves_to_lost(void **state)
{
	struct fixture *f = *state;
	struct room_health h;
	struct room room;

	put_room(f, FIRST SECOND);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	put_room(f, FIRST SECOND THIRD);
	put_file(path_of(f, "run/failed/" ROOM), "", 0);
	assert_int_equal(room_check(&f->rooms, ROOM, false, &h), 0);
	assert_true(h.failed);
	assert_false(h.repaired);
	assert_int_equal(say(&room, "no"), -EKEYREVOKED);
	assert_int_equal(room_check(&f->rooms, ROOM, true, &h), 0);
	assert_true(h.failed && h.repaired);
	assert_false(room_failed(&f->rooms, ROOM));
	assert_room(f, FIRST SECOND);
	assert_file(f, lost_path(f), THIRD, strlen(THIRD));
	assert_int_equal(say(&room, "yes"), 0);
	assert_int_equal(room.count, 3);
	assert_healthy(f);
	room_close(&room);
}

static void after_a_failed_sync_without_index_the_disk_is_asked(void **state)
{
	struct fixture *f = *state;
	struct room_health h;
	struct room room;

	put_room(f, FIRST SECOND "torn");
	put_file(path_of(f, "run/failed/" ROOM), "", 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), -EKEYREVOKED);
	assert_int_equal(room_check(&f->rooms, ROOM, true, &h), 0);
	assert_true(h.repaired);
	assert_room(f, FIRST SECOND);
	assert_records(f, 2);
}

static int count_rooms(void *arg, const char *name)
{
	unsigned *seen = arg;

	*seen += strcmp(name, "lobby") == 0 ? 1 : 10;
	return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void all_rooms_are_listed_and_nothing_else(void **state)
{
	static const char *const no[] = {
	    "a b.txt", ".txt", ".x.txt", "notes", "x.txt~", NULL};
	struct fixture *f = *state;
	unsigned seen = 0;
	char path[64];

	put_room(f, FIRST);
	put_file(path_of(f, "state/rooms/b-2.txt"), "", 0);
	for (int i = 0; no[i]; i++) {
		(void)snprintf(path, sizeof path, "state/rooms/%s", no[i]);
		put_file(path_of(f, path), "", 0);
	}
	assert_int_equal(
	    symlink("b-2.txt", path_of(f, "state/rooms/l.txt")), 0);
	assert_int_equal(rooms_each(&f->rooms, count_rooms, &seen), 0);
	assert_int_equal(seen, 11);
	assert_int_equal(rooms_each(&f->rooms, count_rooms, &seen), 0);
	assert_int_equal(seen, 22);
	put_file(path_of(f, "state/rooms/stop.txt"), "", 0);
	assert_int_equal(rooms_each(&f->rooms, count_rooms, &seen), 7);
}

static void only_listed_ids_are_shown(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	struct fixture *f = *state;
	char path[64];

	(void)snprintf(path, sizeof path, "state/meta/%s", id);
	assert_true(room_listed(&f->rooms, "lobby"));
	assert_false(room_listed(&f->rooms, id));
	put_file(
	    path_of(f, path), "format=1\nsubject=listed=1\nlisted=0\n", 34);
	assert_false(room_listed(&f->rooms, id));
	put_file(path_of(f, path), "format=1\nlisted=1\nsubject=x\n", 28);
	assert_true(room_listed(&f->rooms, id));
}

/* --- locks --- */

static void a_held_lock_stops_no_reader_and_makes_writers_busy(void **state)
{
	struct fixture *f = *state;
	int fd;
	struct room room, late;

	put_room(f, FIRST);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	fd = open(room_path(f), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(open_room(&late, f, ROOM_READ), 0);
	assert_string_equal(record(f, &late, 1), FIRST);
	room_close(&late);
	assert_int_equal(say(&room, "no"), -EBUSY);
	assert_room(f, FIRST);
	(void)close(fd);
	assert_int_equal(say(&room, "yes"), 0);
	room_close(&room);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_a_crash_left_half_written_moves_to_lost),
	    TEST(what_a_killed_writer_left_half_written_moves_to_lost),
	    TEST(zeros_and_all_behind_them_move_to_lost),
	    TEST(more_than_a_mebibyte_of_damage_is_left_alone),
	    TEST(histories_of_other_servers_are_rooms),
	    TEST(footers_longer_than_any_buffer_are_footers),
	    TEST(a_replaced_file_is_appended_to_and_read),
	    TEST(a_removed_room_is_made_anew_by_an_append),
	    TEST(a_file_edited_in_place_gets_a_new_index),
	    TEST(a_file_half_of_which_is_there_yet_is_left_alone),
	    TEST(a_reader_notices_a_file_cut_short),
	    TEST(what_is_no_regular_file_is_no_room),
	    TEST(a_room_that_can_only_be_read_is_read),
	    TEST(an_index_that_does_not_match_is_built_anew),
	    TEST(an_index_of_a_reused_inode_is_not_taken_for_ours),
	    TEST(an_index_that_ends_in_a_piece_of_an_entry_is_used),
	    TEST(an_index_removed_under_us_is_built_anew),
	    TEST(redacting_keeps_lines_offsets_and_footers),
	    TEST(a_record_without_text_is_redacted_to_itself),
	    TEST(a_deleted_room_is_gone_and_can_begin_again),
	    TEST(check_counts_and_changes_nothing),
	    TEST(after_a_failed_sync_what_was_never_shown_moves_to_lost),
	    TEST(after_a_failed_sync_without_index_the_disk_is_asked),
	    TEST(all_rooms_are_listed_and_nothing_else),
	    TEST(only_listed_ids_are_shown),
	    TEST(a_held_lock_stops_no_reader_and_makes_writers_busy),
	};

	return cmocka_run_group_tests_name("room_repair", tests, NULL, NULL);
}
