#include "toychat.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"

/* --- out -------------------------------------------------------------- */

void toychat_reply(struct toychat *t, const char *reply, size_t len)
{
	toychat_log_sent(t, reply, len);
	if (!t->close && io_write(&t->start.client, reply, len) < 0)
		t->close = true;
}

void toychat_ok(struct toychat *t)
{
	char reply[16];

	toychat_reply(t, reply, (size_t)toychat_success(reply, sizeof reply));
}

void toychat_fail(struct toychat *t, const char *text)
{
	char reply[128];

	toychat_reply(
	    t, reply, (size_t)toychat_error(reply, sizeof reply, text));
}

static const struct {
	int error;
	const char *text;
} failures[] = {
    {EBUSY, "server busy"},
    {EPERM, "must be logged in"},
    {ENOSPC, "storage full"},
    {EDQUOT, "storage full"},
    {EFBIG, "storage full"},
};

static const char *text_for(int error)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].error == -error)
			return failures[i].text;
	return "storage failed";
}

static void log_failure(const char *what, int error, const char *says)
{
	struct log_line line;

	log_begin(&line, error == -EBUSY ? LOG_WARNING : LOG_ERR, what);
	log_string(&line, "error", says);
	log_end(&line);
}

const char *toychat_trouble(struct toychat *t, const char *what, int error)
{
	if (error == -EPERM)
		toychat_leave(t);
	else
		log_failure(what, error, store_says(error));
	return text_for(error);
}

void toychat_failed(struct toychat *t, const char *what, int error)
{
	toychat_fail(t, toychat_trouble(t, what, error));
}

void toychat_failed_room(struct toychat *t, const char *what, int error)
{
	log_failure(what, error, strerror(-error));
	toychat_fail(t, text_for(error == -EPERM ? -EIO : error));
}

int toychat_lobby(struct toychat *t)
{
	int r;

	if (t->lobby_open)
		r = room_look(&t->lobby);
	else
		r = room_open(&t->lobby, &t->rooms, "lobby", 5, ROOM_CREATE);
	if (r < 0 && t->lobby_open)
		room_close(&t->lobby);
	t->lobby_open = r >= 0;
	return r < 0 ? r : 0;
}

/* --- in --------------------------------------------------------------- */

ssize_t toychat_read(struct toychat *t, int64_t deadline, enum io_how how)
{
	ssize_t n;

	if (t->at == t->have) {
		t->at = t->have = 0;
	} else if (t->have == sizeof t->data) {
		memmove(t->data, t->data + t->at, t->have - t->at);
		t->have -= t->at;
		t->at = 0;
	}
	n = io_read(&t->start.client, t->data + t->have,
	    sizeof t->data - t->have, deadline, how);
	if (n > 0)
		t->have += (size_t)n;
	return n;
}

/* While nothing happens, a connection costs little memory. */
static void give_back(struct toychat *t)
{
	store_idle(&t->store);
	(void)malloc_trim(0);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waits for the first bytes of a command. */
static ssize_t read_first(struct toychat *t)
{
	int64_t trim = earlier(clock_in(LIMIT_TRIM_MS), t->login_deadline);
	ssize_t n = toychat_read(t, trim, IO_TERM);

	if (n != -ETIMEDOUT)
		return n;
	give_back(t);
	return toychat_read(t, t->login_deadline, IO_TERM);
}

/* Takes the next command: 1; 0 there is none (end of input, a deadline,
 * SIGTERM, a client that is gone); -EMSGSIZE it is too long. */
static int next(struct toychat *t, struct toychat_command *ret)
{
	int64_t deadline = CLOCK_NEVER;
	ssize_t n;

	for (;;) {
		long used = toychat_scan(
		    &t->scan, ret, t->data + t->at, t->have - t->at);

		if (used >= 0)
			t->at += (size_t)used;
		if (used != -EAGAIN)
			return used < 0 ? (int)used : 1;
		if (t->at == t->have) {
			n = read_first(t);
		} else {
			if (deadline == CLOCK_NEVER)
				deadline = earlier(clock_in(LIMIT_COMMAND_MS),
				    t->login_deadline);
			n = toychat_read(t, deadline, IO_TERM);
		}
		if (n > 0)
			continue;
		/* What was begun is dropped. */
		if (t->at < t->have && n != -EINTR)
			t->status = 1;
		return 0;
	}
}

int toychat_serve(struct toychat *t)
{
	struct toychat_command command;
	int r = 0;

	toychat_scan_init(&t->scan, "upload", TOYCHAT_COMMAND_MAX);
	t->login_deadline = clock_in(LIMIT_LOGIN_MS);
	while (!t->close && !io_terminated()) {
		r = next(t, &command);
		if (r <= 0)
			break;
		toychat_log_received(t, &command);
		toychat_command(t, &command);
		/* Passwords come so, and the connection may last. */
		if (!command.counted)
			sodium_memzero(
			    (char *)command.tail.data, command.tail.len);
	}
	if (r == -EMSGSIZE) {
		t->status = 1;
		toychat_fail(t, "command too long");
		io_linger(&t->start.client);
	}
	store_release(&t->store);
	return t->status;
}
