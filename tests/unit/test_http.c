#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/http.h"
#include "lib/http_file.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"
#define BODY_CAP 64

static struct http http;
static char body[BODY_CAP];
static char output[1 << 20];
static size_t output_len;
static int status; /* http_end's */
static int file = -1;

static void answer(struct http *h)
{
	struct slice text;

	if (memmem(h->head.path.data, h->head.path.len, "skip", 4)) {
		(void)http_error(h, 404, "no\n");
	} else if (memmem(h->head.path.data, h->head.path.len, "file", 4)) {
		(void)http_file(h, file, 200, "text/plain");
	} else if (http_body(h, &text) > 0) {
		struct http_part parts[2] = {{.data = ">", .len = 1},
		    {.data = text.data, .len = text.len}};

		http_reply(h, 200);
		(void)http_send(h, NULL, parts, 2);
	}
}

static void serve(struct client *client)
{
	int r;

	http_init(&http, client, body, sizeof body);
	while (
	    (r = http_wait(&http, clock_in(5000))) > 0 && http_next(&http) > 0)
		answer(&http);
	assert_int_not_equal(r, -ETIMEDOUT);
	status = http_end(&http);
}

static void collect(int fd)
{
	ssize_t n;

	output_len = 0;
	while ((n = read(fd, output + output_len,
		    sizeof output - 1 - output_len)) > 0)
		output_len += (size_t)n;
	output[output_len] = '\0';
}

/* What a client that sends this and then no more gets, over a socket. */
static const char *over_socket(const char *input, size_t len)
{
	struct client client;
	int fd[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(write(fd[0], input, len), (ssize_t)len);
	assert_int_equal(shutdown(fd[0], SHUT_WR), 0);
	assert_int_equal(io_client(&client, fd[1], fd[1]), 0);
	serve(&client);
	(void)close(fd[1]);
	collect(fd[0]);
	(void)close(fd[0]);
	return output;
}

/* The same over pipes, a byte at a time. */
static const char *over_pipes(const char *input, size_t len)
{
	int in[2], out[2];
	struct client client;
	pid_t child;

	assert_int_equal(pipe(in) | pipe(out), 0);
	child = fork();
	if (child == 0) {
		(void)close(in[0]);
		for (size_t i = 0; i < len; i++)
			(void)!write(in[1], input + i, 1);
		_exit(0);
	}
	(void)close(in[1]);
	assert_int_equal(io_client(&client, in[0], out[1]), 0);
	serve(&client);
	(void)close(in[0]);
	(void)close(out[1]);
	collect(out[0]);
	(void)close(out[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return output;
}

static void expect(const char *input, const char *want, int want_status)
{
	assert_string_equal(over_socket(input, strlen(input)), want);
	assert_int_equal(status, want_status);
	assert_string_equal(over_pipes(input, strlen(input)), want);
	assert_int_equal(status, want_status);
}

#define OK(length, text)                                                       \
	"HTTP/1.1 200 OK\r\n" DATE "Content-Length: " length "\r\n\r\n" text
#define LAST(status, length, text)                                             \
	"HTTP/1.1 " status "\r\n" DATE TEXT "Content-Length: " length          \
	"\r\nConnection: close\r\n\r\n" text

static void pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	expect("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	       "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
	       "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n"
	       "\r\n\r\nPOST /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
	       "GET /e HTTP/1.1\r\n\r\n\r\n",
	    OK("1", ">") OK("6", ">hello") OK("7", ">foobar") OK("1", ">")
		OK("1", ">"),
	    0);
}

static void an_unread_body_is_skipped_or_ends_the_connection(void **state)
{
	(void)state;
	expect("POST /skip HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
	       "GET /a HTTP/1.1\r\n\r\n",
	    "HTTP/1.1 404 Not Found\r\n" DATE TEXT
	    "Content-Length: 3\r\n\r\nno\n" OK("1", ">"),
	    0);
	expect("POST /skip HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "0\r\n\r\nGET /a HTTP/1.1\r\n\r\n",
	    LAST("404 Not Found", "3", "no\n"), 0);
	expect("POST /skip HTTP/1.1\r\nContent-Length: 131073\r\n\r\nhello",
	    LAST("404 Not Found", "3", "no\n"), 0);
	expect("POST /skip HTTP/1.1\r\nContent-Length: 5\r\n"
	       "Expect: 100-continue\r\n\r\n",
	    LAST("404 Not Found", "3", "no\n"), 0);
}

static void a_body_without_length_goes_to_the_end_of_input(void **state)
{
	(void)state;
	expect("POST /a HTTP/1.1\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\n" DATE
	    "Content-Length: 6\r\nConnection: close\r\n\r\n>hello",
	    0);
	expect("POST /a HTTP/1.1\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n" DATE
	    "Content-Length: 1\r\nConnection: close\r\n\r\n>",
	    0);
}

static void silence_instead_of_a_body_is_an_empty_one(void **state)
{
	static const char input[] = "POST /a HTTP/1.1\r\n\r\n";
	int64_t start = clock_ms();
	struct client client;
	struct slice text;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_true(write(fd[0], input, sizeof input - 1) > 0);
	assert_int_equal(io_client(&client, fd[1], fd[1]), 0);
	http_init(&http, &client, body, sizeof body);
	assert_int_equal(http_next(&http), 1);
	assert_int_equal(http_body(&http, &text), 1);
	assert_int_equal(text.len, 0);
	assert_true(clock_ms() - start >= LIMIT_BARE_FIRST_MS);
	assert_true(clock_ms() - start < LIMIT_BARE_NEXT_MS);
	assert_int_equal(http_error(&http, 200, "x"), 0);
	assert_int_equal(http_wait(&http, clock_in(1000)), 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void what_is_too_long_is_refused(void **state)
{
	static char request[40000];
	static const char chunks[] =
	    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "20\r\n0123456789abcdef0123456789abcdef\r\n"
	    "21\r\n0123456789abcdef0123456789abcdefg\r\n0\r\n\r\n";
	int n;

	(void)state;
	expect("POST /a HTTP/1.1\r\nContent-Length: 65\r\n\r\n",
	    LAST("413 Content Too Large", "21", "the body is too long\n"), 0);
	expect(chunks,
	    LAST("413 Content Too Large", "21", "the body is too long\n"), 0);
	n = snprintf(
	    request, sizeof request, "POST /a HTTP/1.1\r\n\r\n%065d", 1);
	expect(request,
	    LAST("413 Content Too Large", "21", "the body is too long\n"), 0);
	request[n - 1] = '\0';
	over_socket(request, (size_t)n - 1);
	assert_non_null(strstr(output, "Content-Length: 65\r\n"));

	/* A head of just the limit, and one byte more. */
	n = snprintf(request, sizeof request,
	    "GET /a HTTP/1.1\r\nA: %0*d\r\n\r\n", LIMIT_HEAD - 17 - 3 - 4, 1);
	assert_int_equal(n, LIMIT_HEAD);
	expect(request, OK("1", ">"), 0);
	n = snprintf(request, sizeof request,
	    "GET /a HTTP/1.1\r\nA: %0*d\r\n\r\n", LIMIT_HEAD - 17 - 3 - 3, 1);
	over_socket(request, (size_t)n);
	assert_int_equal(strncmp(output, "HTTP/1.1 431 ", 13), 0);
	assert_int_equal(status, 1);
	n = snprintf(request, sizeof request,
	    "GET /a HTTP/1.1\r\nA: %030000d\r\n\r\n", 1);
	over_socket(request, (size_t)n);
	assert_int_equal(strncmp(output, "HTTP/1.1 431 ", 13), 0);
}

static void what_is_cut_short_is_told_so(void **state)
{
	(void)state;
	expect("", "", 0);
	expect("\r\n", "", 0);
	expect("GET /a HT",
	    LAST("400 Bad Request", "26", "the request was cut short\n"), 1);
	expect("GET /a HTTP/1.1\r\n\r\nG",
	    OK("1", ">")
		LAST("400 Bad Request", "26", "the request was cut short\n"),
	    1);
	expect("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nhello",
	    LAST("400 Bad Request", "23", "the body was cut short\n"), 1);
	expect("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	    LAST("400 Bad Request", "23", "the body was cut short\n"), 1);
}

static void one_continue_is_said_before_an_expected_body(void **state)
{
	static const char head[] = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n"
				   "Expect: 100-Continue\r\n\r\n";
	struct client client;
	struct slice text;
	char reply[100];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_true(write(fd[0], head, sizeof head - 1) > 0);
	assert_int_equal(io_client(&client, fd[1], fd[1]), 0);
	http_init(&http, &client, body, sizeof body);
	assert_int_equal(http_next(&http), 1);
	assert_int_equal(shutdown(fd[0], SHUT_WR), 0);
	assert_int_equal(http_body(&http, &text), 0);
	assert_int_equal(read(fd[0], reply, 25), 25);
	assert_memory_equal(reply, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	(void)close(fd[0]);
	(void)close(fd[1]);

	/* Nobody waits for it: the body is there. */
	expect("POST /a HTTP/1.1\r\nContent-Length: 0\r\n"
	       "Expect: 100-continue\r\n\r\n",
	    OK("1", ">"), 0);
	expect("POST /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: x\r\n\r\n",
	    LAST("417 Expectation Failed", "34",
		"only 100-continue can be expected\n"),
	    0);
}

static void http_1_0_closes_unless_asked_not_to(void **state)
{
	(void)state;
	expect("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n" DATE
	    "Content-Length: 1\r\nConnection: close\r\n\r\n>",
	    0);
	expect("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	       "GET /b HTTP/1.1\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n" DATE
	    "Content-Length: 1\r\nConnection: keep-alive\r\n\r\n>"
	    "HTTP/1.1 200 OK\r\n" DATE
	    "Content-Length: 1\r\nConnection: close\r\n\r\n>",
	    0);
}

/* --- files ------------------------------------------------------------ */

static char tag[100], modified[100];

static void value_of(const char *name, char *ret, size_t size)
{
	const char *at = strstr(output, name), *end;

	assert_non_null(at);
	at += strlen(name);
	end = strstr(at, "\r\n");
	assert_true((size_t)(end - at) < size);
	memcpy(ret, at, (size_t)(end - at));
	ret[end - at] = '\0';
}

/* Asks for the file with a line of fields, %s being the tag or the date. */
static unsigned get(const char *method, const char *field, const char *value)
{
	char request[400], line[200];
	unsigned code = 0;

	(void)snprintf(line, sizeof line, field, value);
	(void)snprintf(request, sizeof request, "%s /file HTTP/1.1\r\n%s\r\n",
	    method, line);
	over_socket(request, strlen(request));
	assert_int_equal(sscanf(output, "HTTP/1.1 %u ", &code), 1);
	return code;
}

static const char *payload(void)
{
	return strstr(output, "\r\n\r\n") + 4;
}

static int make_file(void **state)
{
	const struct timespec times[2] = {{784000000, 0}, {784000000, 5}};

	(void)state;
	file = fileno(tmpfile());
	for (int i = 0; i < 50; i++)
		assert_int_equal(dprintf(file, "%04d\n", i), 5);
	assert_int_equal(futimens(file, times), 0);
	assert_int_equal(get("GET", "%s", ""), 200);
	value_of("ETag: ", tag, sizeof tag);
	value_of("Last-Modified: ", modified, sizeof modified);
	return 0;
}

static void a_file_ends_at_the_size_given(void **state)
{
	(void)state;
	assert_int_equal(get("GET", "%s", ""), 200);
	assert_int_equal(strlen(payload()), 200);
	assert_non_null(strstr(output, "Accept-Ranges: bytes\r\n"));
	assert_int_equal(get("HEAD", "%s", ""), 200);
	assert_non_null(strstr(output, "Content-Length: 200\r\n"));
	assert_int_equal(strlen(payload()), 0);
}

static void a_part_of_a_file_is_206(void **state)
{
	(void)state;
	assert_int_equal(get("GET", "Range: bytes=195-\r\n%s", ""), 206);
	assert_string_equal(payload(), "0039\n");
	assert_non_null(strstr(output, "Content-Range: bytes 195-199/200\r\n"));
	assert_int_equal(get("GET", "Range: bytes=-5\r\n%s", ""), 206);
	assert_string_equal(payload(), "0039\n");
	assert_int_equal(get("GET", "Range: bytes=0-\r\n%s", ""), 206);
	assert_int_equal(get("GET", "Range: bytes=200-\r\n%s", ""), 416);
	assert_non_null(strstr(output, "Content-Range: bytes */200\r\n"));
	assert_int_equal(get("GET", "Range: bytes=0-1,5-6\r\n%s", ""), 200);
	assert_int_equal(
	    get("GET", "Range: bytes=0-1\r\nRange: bytes=5-6\r\n%s", ""), 400);
	assert_int_equal(get("HEAD", "Range: bytes=195-\r\n%s", ""), 200);
}

static void conditions_are_kept(void **state)
{
	static const struct {
		const char *field;
		const char *value; /* NULL: one that does not fit */
		unsigned want;
	} samples[] = {
	    {"If-None-Match: %s\r\n", tag, 304},
	    {"If-None-Match: W/%s\r\n", tag, 304},
	    {"If-None-Match: *\r\n%.0s", tag, 304},
	    {"If-None-Match: \"x\"\r\nIf-None-Match: \"y\", %s\r\n", tag, 304},
	    {"If-None-Match: \"x\"\r\n%.0s", tag, 200},
	    {"If-Modified-Since: %s\r\n", modified, 304},
	    {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n%.0s",
		modified, 304},
	    {"If-Modified-Since: Sun, 06 Nov 1983 08:49:37 GMT\r\n%.0s",
		modified, 200},
	    {"If-Modified-Since: never\r\n%.0s", modified, 200},
	    {"If-None-Match: \"x\"\r\nIf-Modified-Since: %s\r\n", modified,
		200},
	    {"If-Match: %s\r\n", tag, 200},
	    {"If-Match: W/%s\r\n", tag, 412},
	    {"If-Match: \"x\"\r\n%.0s", tag, 412},
	    {"If-Unmodified-Since: %s\r\n", modified, 200},
	    {"If-Unmodified-Since: Sun, 06 Nov 1983 08:49:37 GMT\r\n%.0s",
		modified, 412},
	    {"Range: bytes=3-\r\nIf-Range: %s\r\n", tag, 206},
	    {"Range: bytes=3-\r\nIf-Range: %s\r\n", modified, 206},
	    {"Range: bytes=3-\r\nIf-Range: \"x\"\r\n%.0s", tag, 200},
	    {"Range: bytes=3-\r\nIf-Range: W/%s\r\n", tag, 200},
	    {"Range: bytes=3-\r\nIf-None-Match: %s\r\n", tag, 304},
	    {"Range: bytes=300-\r\nIf-None-Match: %s\r\n", tag, 304},
	};

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		unsigned code = get("GET", samples[i].field, samples[i].value);

		if (code != samples[i].want)
			fail_msg("%s: %u", samples[i].field, code);
		if (code == 304)
			assert_string_equal(payload(), "");
	}
}

static void a_file_edited_in_place_has_another_tag(void **state)
{
	struct timespec times[2] = {{784000000, 0}, {784000000, 5}};

	(void)state;
	assert_int_equal(pwrite(file, "xxxx", 4, 0), 4);
	assert_int_equal(futimens(file, times), 0);
	assert_int_equal(get("GET", "If-None-Match: %s\r\n", tag), 200);
	/* Changed within the second in which it is fetched. */
	times[1].tv_sec = 784111777;
	assert_int_equal(futimens(file, times), 0);
	assert_int_equal(get("GET", "%s", ""), 200);
	value_of("Last-Modified: ", modified, sizeof modified);
	assert_int_equal(
	    get("GET", "If-Modified-Since: %s\r\n", modified), 200);
}

static void a_large_file_is_whole_over_sockets_and_pipes(void **state)
{
	struct client client;
	int fd[2];
	char text[] = "GET /file HTTP/1.1\r\n\r\n";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_true(write(fd[0], text, sizeof text - 1) > 0);
	assert_int_equal(io_client(&client, fd[1], fd[1]), 0);
	/* More than the body's buffer: by sendfile. */
	http_init(&http, &client, body, 10);
	assert_int_equal(http_next(&http), 1);
	assert_int_equal(http_file(&http, file, 250, "a/b"), 0);
	assert_int_equal(http.sent, 250);
	(void)close(fd[1]);
	collect(fd[0]);
	assert_int_equal(strlen(payload()), 250);
	assert_memory_equal(payload() + 245, "0049\n", 5);
	(void)close(fd[0]);
	over_pipes(text, sizeof text - 1);
	assert_int_equal(strlen(payload()), 200);
}

/* Lengths that came out negative, of a room that was replaced: their sum is
 * small. */
static void parts_that_wrap_around_are_refused(void **state)
{
	const struct http_part parts[] = {
	    {.file = file, .len = (uint64_t)-100},
	    {.file = file, .len = 105},
	};
	struct client client;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(io_client(&client, fd[1], fd[1]), 0);
	http_init(&http, &client, body, 10);
	http_reply(&http, 206);
	assert_int_equal(http_send(&http, "a/b", parts, 2), 0);
	assert_int_equal(http.status, 500);
	(void)close(fd[1]);
	(void)close(fd[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pipelined_requests_are_answered_in_order),
	    cmocka_unit_test(an_unread_body_is_skipped_or_ends_the_connection),
	    cmocka_unit_test(a_body_without_length_goes_to_the_end_of_input),
	    cmocka_unit_test(silence_instead_of_a_body_is_an_empty_one),
	    cmocka_unit_test(what_is_too_long_is_refused),
	    cmocka_unit_test(what_is_cut_short_is_told_so),
	    cmocka_unit_test(one_continue_is_said_before_an_expected_body),
	    cmocka_unit_test(http_1_0_closes_unless_asked_not_to),
	    cmocka_unit_test_setup(a_file_ends_at_the_size_given, make_file),
	    cmocka_unit_test(a_part_of_a_file_is_206),
	    cmocka_unit_test(conditions_are_kept),
	    cmocka_unit_test(a_file_edited_in_place_has_another_tag),
	    cmocka_unit_test(a_large_file_is_whole_over_sockets_and_pipes),
	    cmocka_unit_test(parts_that_wrap_around_are_refused),
	};

	io_signals();
	(void)setenv("PARLANCE_NOW", "784111777", 1);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
