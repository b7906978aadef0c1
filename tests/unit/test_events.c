/* Events out of records; rooms of other servers among them. */
#include "lib/events.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "room_fixture.h"

#include "guard.h"

#define AT "2026-11-20T14:03:07Z"
#define ALICE "\\alice @ " AT " hchat"

struct sample {
	const char *record;
	const char *json; /* after the number */
};

#define EVENT(author, text, more)                                              \
	"\"author\":\"" author "\",\"time\":\"" AT "\",\"text\":\"" text       \
	"\"" more "}"

static const struct sample samples[] = {
    {"hi\n" ALICE "\n", EVENT("alice", "hi", "")},
    {"\n" ALICE "\n", EVENT("alice", "", "")},
    {ALICE "\n", EVENT("alice", "", "")},
    {"hi\n\\~ivan @ " AT " hchat id=3f\n", EVENT("~ivan", "hi", "")},
    /* What JSON or the stream would take for its own. */
    {"a\"b\\c\n" ALICE "\n", EVENT("alice", "a\\\"b\\\\c", "")},
    {"a\nb\r\nc\td\n\n" ALICE "\n", EVENT("alice", "a\\nb\\r\\nc\\td\\n", "")},
    {"</script>\n" ALICE "\n", EVENT("alice", "</script>", "")},
    {"id: 7\n\ndata: x\n" ALICE "\n", EVENT("alice", "id: 7\\n\\ndata: x", "")},
    {"\xe2\x80\xa8\xf0\x9f\x98\x80\n" ALICE "\n",
	EVENT("alice", "\xe2\x80\xa8\xf0\x9f\x98\x80", "")},
    /* The stored form is undone. */
    {"\\\\alice @ x\n\\\\\\\\b\n" ALICE "\n",
	EVENT("alice", "\\\\alice @ x\\n\\\\\\\\\\\\b", "")},
    /* A chatfile client with CRLF. */
    {"hello\r\n" ALICE "\r\n", EVENT("alice", "hello\\r", "")},
    /* No room text. */
    {"a\x01z\x7f\xff\xc2\x85\rb\n" ALICE "\n",
	EVENT("alice",
	    "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "b",
	    "")},
    {"hi\n\\a\"\x1b @ " AT "\n", EVENT("a\\\"\xef\xbf\xbd", "hi", "")},
    {"hi\n\\\n", "\"author\":\"\",\"time\":\"\",\"text\":\"hi\"}"},
    {"", "\"author\":\"\",\"time\":\"\",\"text\":\"\"}"},
    /* An upload. */
    {"got\n" ALICE " file=a%20%22b%22%c3%bc.txt\n",
	EVENT("alice", "got", ",\"file\":\"a \\\"b\\\"\xc3\xbc.txt\"")},
    {"got\n" ALICE " file=%zz\n", EVENT("alice", "got", "")},
    {"got\n" ALICE " file=\n", EVENT("alice", "got", "")},
};

static char event[EVENTS_MAX], wanted[EVENTS_MAX];

static void assert_event(size_t len, uint64_t number, const char *json)
{
	int n = snprintf(wanted, sizeof wanted,
	    "id: %ju\ndata: {\"number\":%ju,%s\n\n", (uintmax_t)number,
	    (uintmax_t)number, json);

	if (len < sizeof event)
		event[len] = '\0';
	assert_string_equal(event, wanted);
	assert_int_equal(len, n);
}

static void each_record_is_one_line_of_json(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		size_t len = strlen(samples[i].record);

		assert_event(events_format(event, i + 1,
				 guard_put(&g, samples[i].record, len), len),
		    i + 1, samples[i].json);
	}
	guard_release(&g);
}

/* The event of a message of that many times this character. */
static size_t format_long(
    struct guard *g, const char *character, size_t times, const char *footer)
{
	size_t n = strlen(character), len = n * times;
	char *record = guard_room(g, len + strlen(footer));

	for (size_t i = 0; i < times; i++)
		memcpy(record + i * n, character, n);
	memcpy(record + len, footer, strlen(footer));
	return events_format(
	    event, UINT64_C(1) << 53, record, len + strlen(footer));
}

static bool is_cut(size_t len)
{
	return memmem(event, len, "\",\"cut\":true}\n\n", 15) != NULL;
}

static void the_longest_message_is_whole(void **state)
{
	struct guard g;
	size_t len;

	(void)state;
	guard_init(&g);
	len = format_long(&g, "\"", LIMIT_MESSAGE, "\n" ALICE "\n");
	assert_true(len > 2 * LIMIT_MESSAGE && !is_cut(len));
	len = format_long(&g, "\x01", LIMIT_MESSAGE, "\n" ALICE "\n");
	assert_true(len > 3 * LIMIT_MESSAGE && !is_cut(len));
	len = format_long(&g, "\\\\\n", LIMIT_MESSAGE / 2, "x\n" ALICE "\n");
	assert_true(len > 2 * LIMIT_MESSAGE && !is_cut(len));
	len = format_long(
	    &g, "\xf0\x9f\x98\x80", LIMIT_MESSAGE / 4, "abc\n" ALICE "\n");
	assert_true(len > LIMIT_MESSAGE && !is_cut(len));
	assert_null(memmem(event, len, "\xef\xbf\xbd", 3));
	guard_release(&g);
}

static void a_longer_one_is_cut_between_characters(void **state)
{
	struct guard g;
	size_t len;

	(void)state;
	guard_init(&g);
	len = format_long(&g, "x", LIMIT_MESSAGE + 1, "\n" ALICE "\n");
	assert_true(is_cut(len));
	len = format_long(
	    &g, "\xf0\x9f\x98\x80", LIMIT_MESSAGE / 4 + 1, "\n" ALICE "\n");
	assert_true(is_cut(len));
	assert_null(memmem(event, len, "\xef\xbf\xbd", 3));
	/* Fields of any length. */
	len = format_long(&g, "\x01", LIMIT_MESSAGE, "\n\\");
	assert_true(len < EVENTS_MAX);
	guard_release(&g);
}

/* Texts are cleaned piece by piece: nobody sees where. */
static void every_length_is_as_good_as_the_next(void **state)
{
	char record[4200], json[8600];

	(void)state;
	for (size_t pad = 0; pad < 9; pad++) {
		size_t at = (size_t)snprintf(record, sizeof record, "%.*s",
			   (int)pad, "xxxxxxxxx"),
		       to = (size_t)snprintf(json, sizeof json,
			   "\"author\":\"alice\",\"time\":\"" AT
			   "\",\"text\":\"%.*s",
			   (int)pad, "xxxxxxxxx");

		while (at < 4000) {
			at += (size_t)snprintf(record + at, sizeof record - at,
			    "\xe2\x82\xac\r\n\xf0\x9f\x98\x80");
			to += (size_t)snprintf(json + to, sizeof json - to,
			    "\xe2\x82\xac\\r\\n\xf0\x9f\x98\x80");
		}
		at += (size_t)snprintf(
		    record + at, sizeof record - at, "\n" ALICE "\n");
		(void)snprintf(json + to, sizeof json - to, "\"}");
		assert_event(events_format(event, 1, record, at), 1, json);
	}
}

/* --- of rooms --- */

static struct events events;

static int setup(void **state)
{
	return fixture_new((struct fixture **)state);
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void room_with(
    struct fixture *f, struct room *room, const char *text, size_t len)
{
	put_file(room_path(f), text, len);
	assert_int_equal(
	    room_open(room, &f->rooms, ROOM, strlen(ROOM), ROOM_READ), 0);
}

static void several_are_filled_in_at_once(void **state)
{
	struct fixture *f = *state;
	char text[100000];
	struct room room;
	size_t len = 0;

	for (int i = 1; i <= 600; i++)
		len += (size_t)snprintf(
		    text + len, sizeof text - len, "%d\n" ALICE "\n", i);
	room_with(f, &room, text, len);
	assert_int_equal(events_fill(&events, &room, 345), 0);
	assert_int_equal(events.count, 256);
	memcpy(event, events.data + events.ends[254],
	    events.ends[255] - events.ends[254]);
	assert_event(events.ends[255] - events.ends[254], 600,
	    EVENT("alice", "600", ""));
	assert_int_equal(events_fill(&events, &room, 600), 0);
	assert_int_equal(events.count, 1);
	assert_int_equal(events_fill(&events, &room, 601), 0);
	assert_int_equal(events.count, 0);
	room_close(&room);
}

static void long_ones_come_one_by_one(void **state)
{
	struct fixture *f = *state;
	static char text[3 * 70000];
	struct room room;
	size_t len = 0;

	for (int i = 1; i <= 3; i++) {
		memset(text + len, 'x', 60000);
		len += 60000;
		len += (size_t)snprintf(
		    text + len, sizeof text - len, "\n" ALICE "\n");
	}
	room_with(f, &room, text, len);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(events_fill(&events, &room, i), 0);
		assert_int_equal(events.count, 1);
		assert_int_equal(events.first, i);
		assert_in_range(events.ends[0], 60000, 60200);
	}
	assert_int_equal(events_read(event, &room, 4, events.scratch), -ENOENT);
	assert_true(events_read(event, &room, 3, events.scratch) > 60000);
	room_close(&room);
}

/* A room that no door wrote. */
static void records_too_long_for_any_door_show_their_beginning(void **state)
{
	struct fixture *f = *state;
	static char text[1200000];
	struct room room;
	size_t len = 300000;
	long n;

	memset(text, 'x', sizeof text);
	len += (size_t)snprintf(text + len, sizeof text - len, "\n" ALICE "\n");
	len += (size_t)snprintf(
	    text + len, sizeof text - len, "short\n\\alice @ %s hchat k=", AT);
	text[len] = 'x';
	len += 200000;
	len += (size_t)snprintf(text + len, sizeof text - len, "\n");
	text[len] = 'x';
	len += 200000;
	len +=
	    (size_t)snprintf(text + len, sizeof text - len, "\n\\alice @ x y=");
	text[len] = 'x';
	len += 200000;
	len += (size_t)snprintf(text + len, sizeof text - len, "\n");
	room_with(f, &room, text, len);
	assert_int_equal(room.count, 3);
	n = events_read(event, &room, 1, events.scratch);
	assert_in_range(n, LIMIT_MESSAGE, LIMIT_MESSAGE + 200);
	assert_true(is_cut((size_t)n));
	assert_non_null(memmem(event, (size_t)n, "\"alice\"", 7));
	n = events_read(event, &room, 2, events.scratch);
	assert_true(n > 0);
	assert_event((size_t)n, 2, EVENT("alice", "short", ""));
	n = events_read(event, &room, 3, events.scratch);
	assert_in_range(n, LIMIT_MESSAGE, LIMIT_MESSAGE + 200);
	assert_non_null(memmem(event, (size_t)n, "\"author\":\"\"", 11));
	assert_int_equal(events_fill(&events, &room, 1), 0);
	assert_int_equal(events.count, 1);
	room_close(&room);
}

/* --- serving --- */

static void child_serves(struct fixture *f, int out, uint64_t next)
{
	struct client client;
	struct room room;
	int r;

	io_signals();
	if (io_client(&client, out, out) < 0 ||
	    room_open(&room, &f->rooms, ROOM, strlen(ROOM), ROOM_CREATE) < 0)
		_exit(9);
	r = events_serve(&events, &client, &f->place.state, &room, next);
	_exit(r < 0 ? 8 : 0);
}

static pid_t serve(struct fixture *f, int ends[2], uint64_t next)
{
	pid_t pid;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		child_serves(f, ends[1], next);
	}
	(void)close(ends[1]);
	return pid;
}

static void expect_ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void post(struct fixture *f, const char *text)
{
	struct room room;

	assert_int_equal(open_room(&room, f, ROOM_CREATE), 0);
	assert_int_equal(say(&room, text), 0);
	room_close(&room);
}

static void expect_event(int fd, uint64_t number, const char *json)
{
	size_t len = 0;
	ssize_t n;

	while (len < 2 || memcmp(event + len - 2, "\n\n", 2) != 0) {
		n = read(fd, event + len, 1);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_event(len, number, json);
}

/* fanout is not there: it looks once a second. */
static void a_stream_is_history_and_then_what_comes(void **state)
{
	struct fixture *f = *state;
	int ends[2];
	pid_t pid;

	post(f, "one");
	post(f, "two");
	pid = serve(f, ends, 2);
	expect_event(ends[0], 2, EVENT("alice", "two", ""));
	post(f, "three");
	expect_event(ends[0], 3, EVENT("alice", "three", ""));
	(void)close(ends[0]);
	expect_ended(pid);
}

static void a_stream_ends_by_sigterm_and_with_its_room(void **state)
{
	struct fixture *f = *state;
	int ends[2];
	pid_t pid;

	post(f, "one");
	pid = serve(f, ends, 1);
	expect_event(ends[0], 1, EVENT("alice", "one", ""));
	(void)kill(pid, SIGTERM);
	assert_int_equal(read(ends[0], event, 1), 0);
	expect_ended(pid);
	(void)close(ends[0]);
	pid = serve(f, ends, 1);
	expect_event(ends[0], 1, EVENT("alice", "one", ""));
	assert_int_equal(room_delete(&f->rooms, ROOM), 0);
	assert_int_equal(read(ends[0], event, 1), 0);
	expect_ended(pid);
	(void)close(ends[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_record_is_one_line_of_json),
	    cmocka_unit_test(the_longest_message_is_whole),
	    cmocka_unit_test(a_longer_one_is_cut_between_characters),
	    cmocka_unit_test(every_length_is_as_good_as_the_next),
	    TEST(several_are_filled_in_at_once),
	    TEST(long_ones_come_one_by_one),
	    TEST(records_too_long_for_any_door_show_their_beginning),
	    TEST(a_stream_is_history_and_then_what_comes),
	    TEST(a_stream_ends_by_sigterm_and_with_its_room),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
