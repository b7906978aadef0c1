#include "room_fixture.h"

#include "guard.h"
#include "lib/clock.h"

static struct guard guard;

static int parse(struct room_meta *m, const char *text)
{
	size_t len = strlen(text);

	return room_meta_parse(m, guard_put(&guard, text, len), len);
}

static void what_was_written_is_read(void **state)
{
	struct room_meta m;

	(void)state;
	assert_int_equal(parse(&m, "format=1\nsubject=Tea = caf\xc3\xa9\n"
				   "listed=1\ncreated=2026-11-20T14:03:07Z\n"),
	    0);
	assert_string_equal(m.subject, "Tea = caf\xc3\xa9");
	assert_true(m.listed);
	assert_int_equal(m.created, 1795183387);
}

static void what_means_nothing_is_passed_over(void **state)
{
	static const char *const nothing[] = {"", "\n\n", "=\n", "subject\n",
	    "subject=\n", "listed=yes\n", "listed=11\n", "created=now\n",
	    "subject=a\xff\n", "subject=a\tb\x1b\n", "subject=no line end",
	    "listed=1", " listed=1\n", "x=listed=1\n", "subject=\xc2\x85\n"};
	struct room_meta m;

	(void)state;
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
		assert_int_equal(parse(&m, nothing[i]), 0);
		assert_string_equal(m.subject, "");
		assert_false(m.listed);
		assert_int_equal(m.created, 0);
	}
	assert_int_equal(parse(&m, "format=2\n"), -EUCLEAN);
	assert_int_equal(parse(&m, "format=\n"), -EUCLEAN);
}

static void every_beginning_is_bounded(void **state)
{
	static const char text[] = "format=1\nsubject=x\nlisted=1\n";
	struct room_meta m;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++)
		assert_int_equal(
		    room_meta_parse(&m, guard_put(&guard, text, n), n), 0);
}

static void a_subject_is_a_line_of_120_characters(void **state)
{
	char text[LIMIT_SUBJECT + 8];

	(void)state;
	for (size_t i = 0; i < sizeof text; i += 4)
		memcpy(text + i, "\xf0\x9f\x98\x80", 4);
	assert_true(room_subject_ok(guard_put(&guard, text, 480), 480));
	assert_false(room_subject_ok(guard_put(&guard, text, 484), 484));
	assert_false(room_subject_ok(guard_put(&guard, text, 479), 479));
	memset(text, 'x', sizeof text);
	assert_true(room_subject_ok(text, 120));
	assert_false(room_subject_ok(text, 121));
	assert_false(room_subject_ok("", 0));
	assert_false(room_subject_ok("a\nb", 3));
	assert_false(room_subject_ok("a\r\nb", 4));
	assert_false(room_subject_ok("a\0b", 3));
	assert_true(room_subject_ok("a\tb", 3));
}

/* --- on disk --- */

static struct room_meta tea(bool listed)
{
	return (struct room_meta){
	    .subject = "Tea", .listed = listed, .created = 1795183387};
}

static void a_room_is_there_once_it_is_made(void **state)
{
	struct fixture *f = *state;
	struct room_meta m = tea(true), back;
	char id[ROOM_ID + 1], other[ROOM_ID + 1];

	assert_int_equal(room_create_chat(&f->rooms, &m, id), 0);
	assert_int_equal(room_create_chat(&f->rooms, &m, other), 0);
	assert_string_not_equal(id, other);
	assert_true(room_name_is_id(id, strlen(id)));
	assert_true(room_is_chat(&f->rooms, id, ROOM_ID));
	assert_true(room_listed(&f->rooms, id));
	assert_int_equal(room_meta_read(&f->rooms, id, &back), 0);
	assert_string_equal(back.subject, "Tea");
	assert_int_equal(back.created, m.created);
	assert_true(room_is_chat(&f->rooms, "lobby", 5));
	assert_false(room_is_chat(&f->rooms, "team", 4));
	id[0] = id[0] == 'a' ? 'b' : 'a';
	assert_false(room_is_chat(&f->rooms, id, ROOM_ID));
	assert_int_equal(room_meta_read(&f->rooms, id, &back), -ENOENT);
}

static void what_is_no_subject_makes_no_room(void **state)
{
	struct fixture *f = *state;
	struct room_meta m = {.subject = "a\nlisted=1"};
	char id[ROOM_ID + 1];

	assert_int_equal(room_create_chat(&f->rooms, &m, id), -EINVAL);
}

static int count_listed(void *arg, const char *id, const struct room_meta *meta)
{
	assert_true(room_name_is_id(id, strlen(id)));
	assert_string_equal(meta->subject, "Tea");
	++*(int *)arg;
	return 0;
}

static void only_listed_rooms_are_listed(void **state)
{
	struct fixture *f = *state;
	struct room_meta shown = tea(true), hidden = tea(false);
	char id[ROOM_ID + 1];
	int count = 0;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(room_create_chat(&f->rooms, &shown, id), 0);
		assert_int_equal(room_create_chat(&f->rooms, &hidden, id), 0);
		assert_false(room_listed(&f->rooms, id));
	}
	assert_int_equal(rooms_each_listed(&f->rooms, count_listed, &count), 0);
	assert_int_equal(count, 3);
}

static int guarded(void **state)
{
	guard_init(&guard);
	return fixture_new((struct fixture **)state);
}

static int unguarded(void **state)
{
	guard_release(&guard);
	fixture_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		what_was_written_is_read, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		what_means_nothing_is_passed_over, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		every_beginning_is_bounded, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		a_subject_is_a_line_of_120_characters, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		a_room_is_there_once_it_is_made, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		what_is_no_subject_makes_no_room, guarded, unguarded),
	    cmocka_unit_test_setup_teardown(
		only_listed_rooms_are_listed, guarded, unguarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
