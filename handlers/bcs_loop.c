/* The one loop of a session, and its deadlines (bcs_session.c has the table).
 */
#include "bcs.h"

#include <errno.h>

#include "lib/clock.h"
#include "lib/io.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool wants_input(const struct session *s)
{
	return bcs_is_asked(s) && !s->in_ended && !s->in_blocked &&
	       s->in_len - s->in_at < sizeof s->in;
}

static bool is_frame_begun(const struct session *s)
{
	return s->in_len > s->in_at || s->state == BCS_UPLOADING;
}

/* Where we do not read, the status may have come long since. */
static int64_t ack_deadline(const struct session *s)
{
	bool runs = s->outstanding && !s->unsent && wants_input(s) &&
		    s->state != BCS_UPLOADING;

	return runs ? s->ack_by : CLOCK_NEVER;
}

static int64_t input_deadline(const struct session *s)
{
	return wants_input(s) && is_frame_begun(s) ? s->in_time + LIMIT_STALL_MS
						   : CLOCK_NEVER;
}

static int64_t output_deadline(const struct session *s)
{
	return bcs_flushed(s) ? CLOCK_NEVER : s->out_time + LIMIT_STALL_MS;
}

/* Those who are told 7. */
static const struct {
	int64_t (*deadline)(const struct session *);
	const char *text;
} timeouts[] = {
    {ack_deadline, "a message was not acknowledged in time"},
    {input_deadline, "a message was begun and not continued"},
};

/* What is to be acknowledged stands behind what the client is still taking, a
 * download perhaps: then it has time again. */
static bool is_taking(struct session *s)
{
	bool took = bcs_took(s);

	if (took)
		bcs_expect(s);
	return took;
}

static bool take_timeouts(struct session *s, int64_t now)
{
	if (ack_deadline(s) <= now && is_taking(s))
		return false;
	for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
		if (timeouts[i].deadline(s) <= now) {
			bcs_refuse(s, BCS_TIMEOUT, "%s", timeouts[i].text);
			return true;
		}
	if (s->state == BCS_REGISTERING && s->patience <= now) {
		bcs_refuse(s, BCS_TIMEOUT, "nobody registered in time");
		return true;
	}
	return false;
}

static void stalled(struct session *s)
{
	struct log_line line;

	bcs_log(s, &line, LOG_INFO, "stalled");
	log_number(&line, "unsent", (int64_t)(s->out_len - s->out_at));
	log_end(&line);
	s->out_broken = true;
	s->state = BCS_ENDED;
}

/* What came since poll(2) said that there is nothing. */
static bool is_heard_now(const struct session *s)
{
	struct pollfd in = {s->start.client.in, POLLIN, 0};

	return wants_input(s) && io_wait(&in, 1, 0, IO_BUSY) > 0;
}

/* With something just read, or not looked at yet, what is overdue may be in it;
 * but not for ever. */
static void expire(struct session *s, bool read)
{
	int64_t now = clock_ms();

	if (!read && earlier(ack_deadline(s), input_deadline(s)) <= now)
		read = is_heard_now(s);
	if (output_deadline(s) <= now)
		stalled(s);
	else if (!take_timeouts(s, read ? now - LIMIT_STALL_MS : now) &&
		 s->state == BCS_JOINING && s->patience <= now)
		bcs_welcome(s);
}

/* --- rounds ----------------------------------------------------------- */

/* Is it in the lobby? */
static bool listens(const struct session *s)
{
	return s->state >= BCS_JOINING && s->state < BCS_CLOSING;
}

static int64_t first_deadline(const struct session *s, int64_t news)
{
	int64_t t = earlier(ack_deadline(s), input_deadline(s));

	t = earlier(t, earlier(output_deadline(s), s->pause));
	if (s->state <= BCS_JOINING)
		t = earlier(t, s->patience);
	if (listens(s))
		t = earlier(t, live_deadline(&s->live));
	return earlier(t, news);
}

/* When news is to be heard: 0 at once, or not before that. */
static int64_t news_time(const struct session *s)
{
	if (!listens(s))
		return CLOCK_NEVER;
	if (s->state == BCS_JOINING || (!s->outstanding && bcs_flushed(s)))
		return 0;
	return s->hear_at;
}

enum { IN, OUT, LIVE, FDS };

/* A descriptor of which nothing is wanted is left out: it would tell of a
 * hang-up again and again. */
static void poll_for(const struct session *s, bool live, struct pollfd *fds)
{
	const struct client *c = &s->start.client;
	bool in = wants_input(s), out = !bcs_flushed(s);

	fds[IN] = (struct pollfd){in ? c->in : -1, POLLIN, 0};
	fds[OUT] = (struct pollfd){out ? c->out : -1, POLLOUT, 0};
	if (c->in == c->out && in && out) {
		fds[IN].events |= POLLOUT;
		fds[OUT].fd = -1;
	}
	fds[LIVE] = live_poll(&s->live);
	if (!live)
		fds[LIVE].fd = -1;
}

/* What a round brought. True if the client was heard. */
static bool take_round(struct session *s, const struct pollfd *fds)
{
	bool heard = fds[IN].revents & ~POLLOUT;

	if (heard)
		(void)bcs_read(s, false);
	if ((fds[IN].revents | fds[OUT].revents) & ~POLLIN)
		bcs_flush(s);
	if (fds[LIVE].revents)
		bcs_news(s, true);
	return heard;
}

/* Time in which we would not listen is not the client's. If that was for an
 * answer or a file that it took slowly, it may have as much to catch up with.
 */
static void forgive(struct session *s, int64_t since)
{
	int64_t now = clock_ms();

	if (s->pause != CLOCK_NEVER)
		s->ack_by += now - since;
	else if (s->outstanding)
		bcs_expect(s);
	s->in_time = now;
}

/* Is a status all that can come in the time that bcs_read() waits? */
static bool is_simple(const struct session *s, const struct pollfd *fds,
    int64_t now, int64_t until)
{
	return s->start.client.blocking && s->outstanding && !s->terminated &&
	       fds[IN].fd >= 0 && fds[IN].events == POLLIN && fds[OUT].fd < 0 &&
	       fds[LIVE].fd < 0 && until - now > BCS_SOON_MS;
}

static void wait(struct session *s, bool busy)
{
	struct pollfd fds[FDS];
	int64_t now = clock_ms(), news = news_time(s), until;
	bool live = news <= now, deaf = !wants_input(s), heard = false;
	int r;

	until = busy ? 0 : first_deadline(s, live ? CLOCK_NEVER : news);

	if (s->out_broken && !deaf)
		until = 0;
	if (s->fat)
		until = earlier(until, now + LIMIT_TRIM_MS);
	poll_for(s, live, fds);
	if (is_simple(s, fds, now, until) && bcs_read(s, true)) {
		expire(s, true);
		return;
	}
	r = io_wait(fds, FDS, until, s->terminated ? IO_BUSY : IO_TERM);
	if (r == -EINTR)
		s->terminated = true;
	else if (r > 0)
		heard = take_round(s, fds);
	else if (s->out_broken && !deaf && !busy)
		bcs_close(s);
	else if (s->fat && clock_ms() - now >= LIMIT_TRIM_MS)
		bcs_trim(s);
	if (listens(s) && clock_left(live_deadline(&s->live)) == 0)
		bcs_news(s, false);
	if (deaf)
		forgive(s, now);
	expire(s, heard || busy);
}

/* What can be done at once. False: nothing. */
static bool step(struct session *s)
{
	bool did;

	if (s->terminated && s->state <= BCS_REGISTERED)
		bcs_close(s);
	did = bcs_deliver(s);
	did |= bcs_request(s);
	if (s->state == BCS_CLOSING && bcs_flushed(s))
		s->state = BCS_ENDED;
	return did;
}

/* Steps between two looks at what else there is. */
#define STEPS 16

static void finish(struct session *s)
{
	struct log_line line;

	bcs_unregister(s);
	bcs_download_end(s);
	upload_release(&s->upload);
	bcs_log(s, &line, LOG_INFO, "end");
	log_number(&line, "sent", (int64_t)s->sent);
	log_number(&line, "delivered", (int64_t)s->delivered);
	log_end(&line);
	if (!s->in_ended && !s->out_broken)
		bcs_linger(s);
}

int bcs_serve(struct session *s)
{
	int steps = 0;

	s->patience = clock_in(LIMIT_HEAD_MS);
	s->in_time = clock_ms();
	while (s->state != BCS_ENDED) {
		if (step(s) && ++steps < STEPS)
			continue;
		if (s->state != BCS_ENDED)
			wait(s, steps == STEPS);
		steps = 0;
	}
	finish(s);
	return s->exit;
}
