/* The session: its states, and what messages do in them. */
#include "bcs.h"

#include <errno.h>

#include "lib/clock.h"

/*
 * What a message does in which state. "waits": it stays where it is until the
 * state is another one. "error": status 1, then closing.
 *
 *		registering  joining  registered  uploading  downloading
 * register	bcs_register waits    error       (*)        error
 * send		error        waits    bcs_send    (*)        bcs_send
 * status	error        waits    acknowledge (*)        acknowledge
 * sendfile	error        waits    bcs_sendfile(*)        waits
 * getfile	error        waits    bcs_getfile (*)        waits
 * others	error        waits    error       (*)        error
 *
 * (*) what arrives is the file. While closing nothing is looked at.
 *
 * registering -> joining	the name is free: claimed
 * joining -> registered	fanout told the others, or is not there
 * registered -> uploading	sendfile, taken or refused; and back after
 *				its last byte
 * registered -> downloading	getfile; and back after its last byte
 * any -> closing		status 1, 2 of register, or 7; end of input or
 *				SIGTERM, when what was asked is answered
 * closing -> ended		all is written; or it takes nothing for 30 s
 *
 * Deadlines: registering 10 s, joining 5 s; a deliver's status
 * PARLANCE_BCS_ACK_TIMEOUT (not while uploading, nor while we pause or work for
 * this client); a frame, or a file, that was begun 30 s without a byte; output
 * 30 s without a byte taken.
 */

typedef bool request(struct session *, const struct bcs_frame *);

static bool error(struct session *s, const struct bcs_frame *frame)
{
	(void)frame;
	bcs_refuse(s, BCS_PROTOCOL,
	    s->state == BCS_REGISTERING ? "please register first"
					: "this message is not for a server "
					  "to take now");
	return true;
}

static bool waits(struct session *s, const struct bcs_frame *frame)
{
	(void)s;
	(void)frame;
	return false;
}

#define TYPES (BCS_RECVFILE + 1)

static request *const table[BCS_STATES][TYPES] = {
    [BCS_REGISTERING] = {[BCS_REGISTER] = bcs_register},
    [BCS_REGISTERED] = {[BCS_SEND] = bcs_send,
	[BCS_STATUS] = bcs_acknowledge,
	[BCS_SENDFILE] = bcs_sendfile,
	[BCS_GETFILE] = bcs_getfile},
    [BCS_DOWNLOADING] = {[BCS_SEND] = bcs_send,
	[BCS_STATUS] = bcs_acknowledge,
	[BCS_SENDFILE] = waits,
	[BCS_GETFILE] = waits},
};

static request *request_for(const struct session *s, unsigned char type)
{
	request *found = type < TYPES ? table[s->state][type] : NULL;

	return found ? found : error;
}

void bcs_close(struct session *s)
{
	s->state = BCS_CLOSING;
}

void bcs_log(const struct session *s, struct log_line *line, int priority,
    const char *event)
{
	log_begin(line, priority, event);
	if (s->name[0])
		log_string(line, "user", s->name);
}

void bcs_noted(struct session *s, int error)
{
	struct log_line line;

	if (error == 0 || s->unnoted)
		return;
	s->unnoted = true;
	bcs_log(s, &line, LOG_WARNING, "chatlog");
	log_errno(&line, error);
	log_end(&line);
}

/* --- requests --------------------------------------------------------- */

bool bcs_is_asked(const struct session *s)
{
	if (s->terminated && s->state != BCS_UPLOADING)
		return false;
	return !s->out_status && s->state != BCS_JOINING &&
	       s->state < BCS_CLOSING;
}

/* Of an input that has ended: all was answered, or the last was cut short. */
static void take_end(struct session *s, size_t rest)
{
	if (s->state == BCS_DOWNLOADING && rest == 0)
		return;
	if (rest || s->state == BCS_UPLOADING)
		s->exit = 1;
	bcs_close(s);
}

/* Contents of a file. False: nothing is there. */
static bool take_contents(struct session *s)
{
	bool did = bcs_contents(s);

	if (!did && s->in_ended)
		take_end(s, 0);
	return did;
}

static bool take_frame(struct session *s)
{
	const char *at = s->in + s->in_at;
	size_t len = s->in_len - s->in_at;
	struct bcs_frame frame = {0};
	request *act = len ? request_for(s, (unsigned char)at[0]) : NULL;
	long n = -EAGAIN;

	/* For these two it need not be whole. */
	if (act == error || act == waits)
		n = 0;
	else if (len)
		n = bcs_parse(&frame, at, len);
	if (n < 0 && s->in_ended)
		take_end(s, len);
	if (n < 0)
		return false;
	s->in_blocked = !act(s, &frame);
	if (!s->in_blocked)
		s->in_at += (size_t)n;
	return !s->in_blocked;
}

bool bcs_request(struct session *s)
{
	s->in_blocked = false;
	s->pause = CLOCK_NEVER;
	if (!bcs_is_asked(s))
		return false;
	return s->state == BCS_UPLOADING ? take_contents(s) : take_frame(s);
}

bool bcs_acknowledge(struct session *s, const struct bcs_frame *frame)
{
	(void)frame;
	if (!s->unsent)
		bcs_proved(s);
	return true;
}
