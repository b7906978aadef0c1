/* parlance room say: the admin speaks for an account. */
#include "parlance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/name.h"
#include "lib/text.h"

/* The account's name in *ret, if it may speak. */
static int find_speaker(struct admin *admin, struct store_user *ret)
{
	const char *name = admin->options.user;
	struct store store;
	int r;

	if (!name)
		return complain(admin, MISUSED, "-u USER is missing");
	store_init(&store, &admin->state);
	r = store_user_find(&store, name, strlen(name), ret);
	store_release(&store);
	if (r == -ENOENT || (r == 0 && ret->deleted))
		return complain(admin, REFUSED,
		    "%s: no such account in %s (parlance user add %s makes it)",
		    name, admin->state.state_path, name);
	if (r < 0)
		return complain(
		    admin, FAILED, "%s: database: %s", name, strerror(-r));
	if (ret->disabled)
		return complain(admin, REFUSED,
		    "%s: the account is disabled (parlance user enable %s)",
		    name, name);
	return DONE;
}

/* All of standard input less its last newline, at most size bytes (one more
 * tells that it is too long). */
static ssize_t read_text(char *text, size_t size)
{
	struct client in = {.in = STDIN_FILENO, .out = -1};
	size_t len = 0;
	ssize_t n;

	if (isatty(STDIN_FILENO))
		(void)fputs("(what is to be said, then Ctrl-D)\n", stderr);
	while (len < size) {
		n = io_read(&in, text + len, size - len, CLOCK_NEVER, IO_BUSY);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len && text[len - 1] == '\n')
		len--;
	return (ssize_t)len;
}

static int check_text(const struct admin *admin, const char *text, size_t len)
{
	enum text_fault fault;
	size_t at = 0, line = 1;

	fault = text_check(text, len, &at);
	if (fault == TEXT_FINE)
		return DONE;
	if (fault == TEXT_EMPTY || fault == TEXT_TOO_LONG)
		return complain(admin, REFUSED, "nothing was said: %s",
		    text_fault_says(fault));
	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return complain(admin, REFUSED,
	    "nothing was said: %s (line %zu, byte %zu of the text)",
	    text_fault_says(fault), line, at + 1);
}

static int append(struct admin *admin, const char *name, const char *author,
    const char *text, size_t len)
{
	static char stored[LIMIT_MESSAGE_STORED];
	struct room_post post = {.body = stored,
	    .newline = true,
	    .author = author,
	    .door = "parlance",
	    .keys = ""};
	struct room_posted posted;
	struct rooms rooms;
	struct room room;
	int r = open_rooms(admin, &rooms);

	if (r != DONE)
		return r;
	r = open_room(admin, &room, &rooms, name, ROOM_CREATE);
	if (r == DONE) {
		post.body_len = text_escape(stored, text, len);
		r = room_append(&room, &post, &posted);
		room_close(&room);
		r = r < 0 ? complain_room(admin, name, r) : DONE;
	}
	rooms_close(&rooms);
	return r;
}

int rooms_say(struct admin *admin, char **operands, int count)
{
	static char input[LIMIT_MESSAGE + 2];
	const char *name = operands[0], *text = operands[1];
	struct store_user user;
	ssize_t len;
	int r;

	if (!room_name_ok(name, strlen(name)))
		return complain_room(admin, name, -EINVAL);
	r = find_speaker(admin, &user);
	if (r != DONE)
		return r;
	len =
	    count > 1 ? (ssize_t)strlen(text) : read_text(input, sizeof input);
	if (len < 0)
		return complain(
		    admin, FAILED, "standard input: %s", strerror((int)-len));
	if (count < 2)
		text = input;
	r = check_text(admin, text, (size_t)len);
	return r == DONE ? append(admin, name, user.name, text, (size_t)len)
			 : r;
}
