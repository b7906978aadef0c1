/*
 * One exchange: POST, with Range and the text, over libcurl. The multi
 * interface only because it lets other descriptors interrupt a wait: a signal,
 * or the room file having been written to.
 */
#include "chatfile.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/parse.h"

#define CONNECT_S 15
#define STALL_S 60 /* without a byte; CHATFILE_TIMEOUT says otherwise */
#define SHOW_MS 300
#define SHOW_BYTES (1024 * 1024)
#define REFUSAL_BYTES 65536 /* of the body that explains a refusal */

struct http {
	CURL *easy;
	CURLM *multi;
	char error[CURL_ERROR_SIZE + 64];
	int signals, files;
	const char *name; /* for progress */
	int64_t shown;
	long stall_s;
	struct answer *answer;
};

const char *http_error(const struct http *h)
{
	return h->error;
}

void http_wake(struct http *h, int signals, int files)
{
	h->signals = signals;
	h->files = files;
}

void http_progress(struct http *h, const char *name)
{
	h->name = name;
}

static void show_progress(struct http *h, const struct bytes *body)
{
	curl_off_t whole = 0;

	if (!h->name || body->len < SHOW_BYTES ||
	    clock_ms() - h->shown < SHOW_MS)
		return;
	h->shown = clock_ms();
	(void)curl_easy_getinfo(
	    h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &whole);
	if (whole > 0)
		progress("%s: %.1f of %.1f MB", h->name,
		    (double)body->len / 1e6, (double)whole / 1e6);
	else
		progress("%s: %.1f MB", h->name, (double)body->len / 1e6);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	struct bytes *body = &h->answer->body;
	long status = 0;

	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2 && body->len - h->answer->skip > REFUSAL_BYTES)
		return size * n;
	if (bytes_add(body, data, size * n) < 0)
		return 0;
	show_progress(h, body);
	return size * n;
}

static long stall_seconds(void)
{
	const char *text = getenv("CHATFILE_TIMEOUT");
	uint64_t s;

	if (text && parse_u64(text, strlen(text), 86400, &s) == 0 && s > 0)
		return (long)s;
	return STALL_S;
}

/* Whom to trust, as curl(1) is told. */
static void set_authorities(CURL *e)
{
	const char *file = getenv("CURL_CA_BUNDLE");

	if (!file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file)
		(void)curl_easy_setopt(e, CURLOPT_CAINFO, file);
}

static void set_login(struct http *h, const char *user, const char *password)
{
	CURL *e = h->easy;

	(void)curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	if (user)
		(void)curl_easy_setopt(e, CURLOPT_USERNAME, user);
	if (password)
		(void)curl_easy_setopt(e, CURLOPT_PASSWORD, password);
	else
		(void)curl_easy_setopt(
		    e, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
}

struct http *http_new(const char *url, const char *user, const char *password)
{
	struct http *h = calloc(1, sizeof *h);
	CURL *e;

	if (!h)
		return NULL;
	h->signals = h->files = -1;
	h->stall_s = stall_seconds();
	h->multi = curl_multi_init();
	h->easy = e = curl_easy_init();
	if (!h->multi || !e ||
	    curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK) {
		http_free(h);
		return NULL;
	}
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	(void)curl_easy_setopt(
	    e, CURLOPT_USERAGENT, "chatfile/" PARLANCE_VERSION);
	(void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT,
	    h->stall_s < CONNECT_S ? h->stall_s : (long)CONNECT_S);
	(void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	set_authorities(e);
	set_login(h, user, password);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->easy)
		curl_easy_cleanup(h->easy);
	if (h->multi)
		(void)curl_multi_cleanup(h->multi);
	free(h);
}

void answer_free(struct answer *a)
{
	bytes_free(&a->body);
	*a = (struct answer){0};
}

/* Appends a header to a list; NULL when out of memory, list freed. */
static struct curl_slist *header(struct curl_slist *list, const char *line)
{
	struct curl_slist *more = curl_slist_append(list, line);

	if (!more)
		curl_slist_free_all(list);
	return more;
}

static struct curl_slist *headers(const struct request *q)
{
	struct curl_slist *list;
	char line[128];

	/* libcurl leaves CURLOPT_RANGE out of a POST. */
	(void)snprintf(
	    line, sizeof line, "Range: bytes=%" PRIu64 "-", q->offset);
	list = header(NULL, line);
	if (list)
		list = header(list, "Content-Type: text/plain; charset=utf-8");
	if (list)
		list = header(list, "Expect:");
	if (list && q->key) {
		(void)snprintf(
		    line, sizeof line, "Idempotency-Key: %s", q->key);
		list = header(list, line);
	}
	if (list && q->wait) {
		(void)snprintf(line, sizeof line, "Prefer: wait=%u", q->wait);
		list = header(list, line);
	}
	return list;
}

/* Polls curl's sockets and ours. */
static enum http_end wait_for_it(struct http *h, int ms)
{
	struct curl_waitfd fds[2];
	unsigned n = 0;

	if (h->signals >= 0)
		fds[n++] =
		    (struct curl_waitfd){h->signals, CURL_WAIT_POLLIN, 0};
	if (h->files >= 0)
		fds[n++] = (struct curl_waitfd){h->files, CURL_WAIT_POLLIN, 0};
	(void)curl_multi_poll(h->multi, fds, n, ms, NULL);
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents)
			return fds[i].fd == h->signals ? HTTP_SIGNALLED
						       : HTTP_FILES;
	return HTTP_ANSWERED;
}

static enum http_end drive(struct http *h, CURLcode *ret)
{
	enum http_end end = HTTP_ANSWERED;
	int running = 1, left;
	CURLMsg *msg;

	*ret = CURLE_FAILED_INIT;
	if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return HTTP_FAILED;
	while (end == HTTP_ANSWERED) {
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			break;
		if (!running)
			break;
		end = wait_for_it(h, 1000);
	}
	while ((msg = curl_multi_info_read(h->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			*ret = msg->data.result;
	(void)curl_multi_remove_handle(h->multi, h->easy);
	return end;
}

static void copy_header(CURL *e, const char *name, char *out, size_t size)
{
	struct curl_header *found;

	*out = 0;
	if (curl_easy_header(e, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK)
		(void)snprintf(out, size, "%s", found->value);
}

static void note_answer(struct http *h, struct answer *a)
{
	curl_off_t retry = 0;

	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &a->status);
	(void)curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &retry);
	a->retry_after = (long)retry;
	copy_header(h->easy, "Content-Range", a->range, sizeof a->range);
	copy_header(h->easy, "Location", a->place, sizeof a->place);
}

enum http_end http_post(
    struct http *h, const struct request *q, struct answer *a)
{
	struct curl_slist *list = headers(q);
	int64_t begin = clock_ms();
	enum http_end end;
	CURLcode code;

	if (!list)
		return HTTP_FAILED;
	a->skip = a->body.len;
	h->answer = a;
	h->error[0] = 0;
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, list);
	(void)curl_easy_setopt(h->easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE, (long)q->len);
	(void)curl_easy_setopt(
	    h->easy, CURLOPT_POSTFIELDS, q->len ? q->text : "");
	(void)curl_easy_setopt(
	    h->easy, CURLOPT_LOW_SPEED_TIME, h->stall_s + (long)q->wait);
	end = drive(h, &code);
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(list);
	a->took_ms = clock_ms() - begin;
	if (end != HTTP_ANSWERED)
		return end;
	if (code != CURLE_OK && !h->error[0])
		(void)snprintf(
		    h->error, sizeof h->error, "%s", curl_easy_strerror(code));
	if (code == CURLE_OK)
		note_answer(h, a);
	return code == CURLE_OK ? HTTP_ANSWERED : HTTP_FAILED;
}

enum http_end http_pause(struct http *h, int ms)
{
	int64_t deadline = clock_in(ms);
	enum http_end end;

	do
		end = wait_for_it(h, clock_left(deadline));
	while (end == HTTP_ANSWERED && clock_left(deadline) > 0);
	return end == HTTP_ANSWERED ? HTTP_FAILED : end;
}
