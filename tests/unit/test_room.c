/* Rooms as doors use them: appending, finding, reading, looking. */
#include "room_fixture.h"

static int setup(void **state)
{
	return fixture_new((struct fixture **)state);
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void names_are_letters_digits_dash_and_underscore(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"", "..", "a/b", "a.b", "a b",
	    "\xc3\xa4",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    NULL};
	struct room room;

	assert_true(room_name_ok("a-B_9", 5));
	assert_false(room_name_ok("a\0b", 3));
	for (int i = 0; bad[i]; i++) {
		assert_false(room_name_ok(bad[i], strlen(bad[i])));
		assert_int_equal(room_open(&room, &f->rooms, bad[i],
				     strlen(bad[i]), ROOM_CREATE),
		    -EINVAL);
	}
	assert_true(room_name_is_id("0123456789abcdef0123456789abcdef", 32));
	assert_false(room_name_is_id("0123456789ABCDEF0123456789abcdef", 32));
	assert_false(room_name_is_id("lobby", 5));
}

static void an_appended_record_reads_back(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("hello");
	struct room_posted p;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(room.count, 0);
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_int_equal(p.number, 1);
	assert_int_equal(p.start, 0);
	assert_int_equal(p.end, room.end);
	assert_int_equal(p.size, p.end);
	assert_false(p.repeated);
	assert_int_equal(p.footer_len, strlen(FOOTER));
	assert_memory_equal(p.footer, FOOTER, p.footer_len);
	assert_string_equal(record(f, &room, 1), "hello\n" FOOTER);
	assert_room(f, "hello\n" FOOTER);
	room_close(&room);
	assert_healthy(f);
}

static void a_record_is_taken_apart(void **state)
{
	static const char text[] = "a\n\\\\b\n\n\\bob @ 2026 door k=v\r\n";
	struct slice body;
	struct footer footer;

	(void)state;
	room_record(text, sizeof text - 1, &body, &footer);
	assert_int_equal(body.len, 6);
	assert_memory_equal(body.data, "a\n\\\\b\n", 6);
	assert_int_equal(footer.author.len, 3);
	assert_int_equal(footer.keys.len, 3);
	room_record("\\bob\n", 5, &body, &footer);
	assert_int_equal(body.len, 0);
	assert_int_equal(footer.author.len, 3);
	room_record("", 0, &body, &footer);
	assert_int_equal(body.len + footer.author.len, 0);
}

static void a_room_that_is_not_there_is_made_by_the_first_append(void **state)
{
	struct fixture *f = *state;
	struct room room, reader;

	assert_int_equal(open_room(&room, f, ROOM_READ), -ENOENT);
	assert_int_equal(open_room(&reader, f, ROOM_CREATE), 0);
	assert_int_equal(room_look(&reader), 0);
	assert_int_equal(room_settle(&reader), 0);
	assert_int_equal(access(room_path(f), F_OK), -1);
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "first"), 0);
	assert_int_equal(room_look(&reader), 1);
	assert_int_equal(reader.count, 1);
	assert_int_equal(room_look(&reader), 0);
	room_close(&room);
	room_close(&reader);
}

static void a_failed_first_append_leaves_no_room(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("x");
	struct room_posted p;
	struct room room;

	post.since = 1;
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(room_append(&room, &post, &p), -ERANGE);
	assert_int_equal(access(room_path(f), F_OK), -1);
	assert_int_equal(say(&room, "x"), 0);
	assert_room(f, "x\n" FOOTER);
	room_close(&room);
}

static void every_record_is_found_by_number_and_by_offset(void **state)
{
	struct fixture *f = *state;
	struct room_span span;
	struct room room;
	uint64_t number, at = 0;
	char text[32];

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	for (int i = 1; i <= 1000; i++) {
		(void)snprintf(text, sizeof text, "message %d", i);
		assert_int_equal(say(&room, text), 0);
		assert_int_equal(room.count, i);
	}
	assert_int_equal(room_find(&room, 0, &span), -ENOENT);
	assert_int_equal(room_find(&room, 1001, &span), -ENOENT);
	for (uint64_t i = 1; i <= 1000; i++) {
		(void)snprintf(text, sizeof text, "message %d\n", (int)i);
		assert_true(strstr(record(f, &room, i), text) == f->text);
		assert_int_equal(room_find(&room, i, &span), 0);
		assert_int_equal(span.start, at);
		at = span.end;
		assert_int_equal(room_number_at(&room, span.start, &number), 0);
		assert_int_equal(number, i);
		assert_int_equal(
		    room_number_at(&room, span.end - 1, &number), 0);
		assert_int_equal(number, i);
	}
	assert_int_equal(room_number_at(&room, room.end, &number), 0);
	assert_int_equal(number, 1001);
	assert_int_equal(room_number_at(&room, UINT64_MAX, &number), 0);
	assert_int_equal(number, 1001);
	assert_int_equal(room_read(&room, room.end, text, 1), -EINVAL);
	assert_int_equal(room_read(&room, UINT64_MAX, text, 2), -EINVAL);
	room_close(&room);
}

/* As one does who did not see them come. */
static void assert_found_as_anew(const struct fixture *f, struct room *room)
{
	struct room_span span, anew;
	struct room other;

	assert_int_equal(open_room(&other, f, ROOM_READ), 0);
	assert_int_equal(room->count, other.count);
	assert_int_equal(room->end, other.end);
	for (uint64_t i = 1; i <= room->count; i++) {
		assert_int_equal(room_find(room, i, &span), 0);
		assert_int_equal(room_find(&other, i, &anew), 0);
		assert_int_equal(span.start, anew.start);
		assert_int_equal(span.end, anew.end);
		assert_int_equal(span.upload, anew.upload);
	}
	room_close(&other);
}

static void records_that_a_bell_told_of_are_found(void **state)
{
	static const int batches[] = {1, 1, 14, 15, 16, 17, 63, 64, 65, 130};
	struct fixture *f = *state;
	struct room_post post = a_post("bob has uploaded a.txt");
	struct room_posted p;
	struct room writer, room;

	assert_int_equal(open_room(&writer, f, ROOM_CREATE), 0);
	assert_int_equal(say(&writer, "first"), 0);
	assert_int_equal(open_room(&room, f, ROOM_READ), 0);
	assert_int_equal(room_advance(&room), 0);
	for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
		for (int i = 0; i < batches[b]; i++) {
			post.keys = i % 3 ? "" : "file=a.txt";
			assert_int_equal(room_append(&writer, &post, &p), 0);
		}
		assert_int_equal(room_advance(&room), 1);
		assert_found_as_anew(f, &room);
	}
	/* An index built anew; then another room file. */
	assert_int_equal(unlink(index_path(f)), 0);
	assert_true(room_look(&room) >= 0);
	assert_found_as_anew(f, &room);
	put_room(f, "x\n\\a @ b c\nyy\n\\a @ b c\n");
	assert_true(room_look(&room) >= 0);
	assert_int_equal(room.count, 2);
	assert_found_as_anew(f, &room);
	room_close(&writer);
	room_close(&room);
}

static void the_longest_records_are_kept_whole(void **state)
{
	struct fixture *f = *state;
	char *body = malloc(LIMIT_MESSAGE_STORED + 1);
	struct room_post post;
	struct room_posted p;
	struct room room;

	assert_non_null(body);
	/* All of it lines that begin with a backslash. */
	for (size_t i = 0; i < LIMIT_MESSAGE_STORED; i++)
		body[i] = "\\\\\n"[i % 3];
	body[LIMIT_MESSAGE_STORED] = '\0';
	post = a_post(body);
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(room_append(&room, &post, &p), 0);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_int_equal(p.number, 6);
	for (int i = 1; i <= 6; i++)
		assert_memory_equal(
		    record(f, &room, 1), body, LIMIT_MESSAGE_STORED);
	room_close(&room);
	free(body);
	assert_healthy(f);
}

static void an_upload_is_flagged(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("bob has uploaded a.txt");
	struct room_posted p;
	struct room_span span;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "see file=a.txt"), 0);
	post.keys = "file=a.txt";
	assert_int_equal(room_append(&room, &post, &p), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(room_find(&room, 1, &span), 0);
		assert_false(span.upload);
		assert_int_equal(room_find(&room, 2, &span), 0);
		assert_true(span.upload);
		/* And again from a new index. */
		assert_int_equal(unlink(index_path(f)), 0);
		assert_true(room_look(&room) >= 0);
	}
	room_close(&room);
}

static void two_processes_see_each_others_records(void **state)
{
	struct fixture *f = *state;
	struct room a, b;

	assert_int_equal(open_room(&a, f, ROOM_CREATE), 0);
	assert_int_equal(say(&a, "1"), 0);
	assert_int_equal(open_room(&b, f, ROOM_READ), 0);
	assert_int_equal(b.count, 1);
	assert_int_equal(say(&b, "2"), 0);
	assert_int_equal(room_look(&a), 1);
	assert_int_equal(a.count, 2);
	assert_int_equal(say(&a, "3"), 0);
	assert_int_equal(say(&b, "4"), 0);
	assert_int_equal(b.count, 4);
	assert_int_equal(room_look(&a), 1);
	assert_int_equal(room_look(&a), 0);
	assert_room(f, "1\n" FOOTER "2\n" FOOTER "3\n" FOOTER "4\n" FOOTER);
	room_close(&a);
	room_close(&b);
}

static void only_who_holds_no_more_than_the_room_may_post(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("x");
	struct room_posted p;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	post.since = room.end + 1;
	assert_int_equal(room_append(&room, &post, &p), -ERANGE);
	post.since = UINT64_MAX;
	assert_int_equal(room_append(&room, &post, &p), -ERANGE);
	assert_int_equal(room.count, 1);
	post.since = room.end;
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_int_equal(p.number, 2);
	room_close(&room);
}

static void a_post_repeated_with_its_key_is_stored_once(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("once");
	struct room_posted first, p;
	struct room room, other;

	post.key = "k1";
	post.keys = "id=7";
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(open_room(&other, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "key=k1"), 0);
	assert_int_equal(room_append(&room, &post, &first), 0);
	assert_int_equal(first.number, 2);
	assert_non_null(
	    memmem(first.footer, first.footer_len, " id=7 key=k1\n", 13));
	assert_int_equal(say(&room, "later"), 0);
	assert_int_equal(room_append(&other, &post, &p), 0);
	assert_true(p.repeated);
	assert_int_equal(p.number, 2);
	assert_int_equal(p.start, first.start);
	assert_int_equal(p.end, first.end);
	assert_int_equal(p.size, room.end);
	assert_int_equal(p.footer_len, first.footer_len);
	assert_memory_equal(p.footer, first.footer, p.footer_len);
	assert_int_equal(other.count, 3);
	/* The newline that was added is part of what is compared. */
	post = a_post("once\n");
	post.key = "k1";
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_true(p.repeated);
	room_close(&room);
	room_close(&other);
}

static void a_key_with_another_text_is_refused(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("one");
	struct room_posted p;
	struct room room;

	post.key = "k1";
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(room_append(&room, &post, &p), 0);
	post.body = "two";
	assert_int_equal(room_append(&room, &post, &p), -EEXIST);
	post = a_post("one more");
	post.key = "k1";
	assert_int_equal(room_append(&room, &post, &p), -EEXIST);
	assert_int_equal(room.count, 1);
	room_close(&room);
}

static void a_key_counts_for_its_author_and_from_the_offset_on(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("x");
	struct room_posted p;
	struct room room;

	post.key = "k1";
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(room_append(&room, &post, &p), 0);
	post.author = "bob";
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_false(p.repeated);
	/* Bob's stands at p.start; from its middle on it is out of sight. */
	post.since = p.start;
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_true(p.repeated);
	post.since = p.start + 1;
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_false(p.repeated);
	assert_int_equal(p.number, 3);
	room_close(&room);
}

static void a_repeated_record_not_yet_indexed_is_found(void **state)
{
	struct fixture *f = *state;
	struct room_post post = a_post("x");
	struct room_posted p;
	struct room room;

	post.key = "k9";
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	append_bare(f, "x\n\\alice @ 2026-11-20T14:03:07Z test key=k9\n");
	assert_int_equal(room_append(&room, &post, &p), 0);
	assert_true(p.repeated);
	assert_int_equal(p.number, 2);
	assert_int_equal(room.count, 2);
	assert_int_equal(p.size, room.end);
	room_close(&room);
}

static void what_a_killed_writer_left_whole_shows_with_the_next_append(
    void **state)
{
	struct fixture *f = *state;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	append_bare(f, "2\n" FOOTER "3\n\\bob @ now x file=f\n");
	assert_int_equal(room_look(&room), 0);
	assert_int_equal(say(&room, "4"), 0);
	assert_int_equal(room.count, 4);
	assert_string_equal(record(f, &room, 2), "2\n" FOOTER);
	assert_string_equal(record(f, &room, 4), "4\n" FOOTER);
	room_close(&room);
	assert_healthy(f);
}

static void many_records_not_indexed_are_all_indexed(void **state)
{
	struct fixture *f = *state;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	for (int i = 0; i < 1000; i++)
		append_bare(f, "2\n" FOOTER);
	assert_int_equal(say(&room, "4"), 0);
	assert_int_equal(room.count, 1002);
	for (uint64_t i = 2; i < 1002; i++)
		assert_string_equal(record(f, &room, i), "2\n" FOOTER);
	room_close(&room);
	assert_healthy(f);
}

static void settle_shows_what_a_killed_writer_left_whole(void **state)
{
	struct fixture *f = *state;
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	append_bare(f, "2\n" FOOTER);
	assert_int_equal(room_settle(&room), 0);
	assert_int_equal(room.count, 2);
	assert_int_equal(room_settle(&room), 0);
	assert_records(f, 2);
	room_close(&room);
}

static void a_room_marked_failed_refuses_writes_and_is_read(void **state)
{
	struct fixture *f = *state;
	struct room room, reader;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	append_bare(f, "2\n" FOOTER);
	put_file(path_of(f, "run/failed/" ROOM), "", 0);
	assert_true(room_failed(&f->rooms, ROOM));
	assert_int_equal(say(&room, "3"), -EKEYREVOKED);
	assert_int_equal(room_settle(&room), -EKEYREVOKED);
	assert_int_equal(open_room(&reader, f, ROOM_READ), 0);
	assert_int_equal(reader.count, 1);
	room_close(&reader);
	/* Without an index nothing tells what is on disk. */
	assert_int_equal(unlink(index_path(f)), 0);
	assert_int_equal(open_room(&reader, f, ROOM_READ), -EKEYREVOKED);
	room_close(&room);
}

/* As one who may write neither rooms nor index would see it. */
static void who_only_watches_builds_nothing(void **state)
{
	struct fixture *f = *state;
	struct room room, watcher;

	assert_int_equal(open_room(&watcher, f, ROOM_WATCH), 0);
	assert_int_equal(room_look(&watcher), 0);
	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, "1"), 0);
	assert_int_equal(room_look(&watcher), 1);
	assert_int_equal(watcher.count, 1);
	assert_int_equal(fcntl(watcher.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(watcher.index, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(unlink(index_path(f)), 0);
	assert_int_equal(room_look(&watcher), -ESTALE);
	assert_int_equal(watcher.count, 0);
	assert_int_equal(access(index_path(f), F_OK), -1);
	assert_int_equal(say(&room, "2"), 0);
	assert_int_equal(room_look(&watcher), 1);
	assert_string_equal(record(f, &watcher, 2), "2\n" FOOTER);
	assert_int_equal(room_delete(&f->rooms, ROOM), 0);
	assert_int_equal(room_look(&watcher), 1);
	assert_int_equal(watcher.fd, -1);
	room_close(&room);
	room_close(&watcher);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(names_are_letters_digits_dash_and_underscore),
	    TEST(an_appended_record_reads_back),
	    TEST(a_record_is_taken_apart),
	    TEST(a_room_that_is_not_there_is_made_by_the_first_append),
	    TEST(a_failed_first_append_leaves_no_room),
	    TEST(every_record_is_found_by_number_and_by_offset),
	    TEST(records_that_a_bell_told_of_are_found),
	    TEST(the_longest_records_are_kept_whole),
	    TEST(an_upload_is_flagged),
	    TEST(two_processes_see_each_others_records),
	    TEST(only_who_holds_no_more_than_the_room_may_post),
	    TEST(a_post_repeated_with_its_key_is_stored_once),
	    TEST(a_key_with_another_text_is_refused),
	    TEST(a_key_counts_for_its_author_and_from_the_offset_on),
	    TEST(a_repeated_record_not_yet_indexed_is_found),
	    TEST(what_a_killed_writer_left_whole_shows_with_the_next_append),
	    TEST(many_records_not_indexed_are_all_indexed),
	    TEST(settle_shows_what_a_killed_writer_left_whole),
	    TEST(a_room_marked_failed_refuses_writes_and_is_read),
	    TEST(who_only_watches_builds_nothing),
	};

	return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
