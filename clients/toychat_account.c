#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "toychat.h"

/* --- asking --------------------------------------------------------------- */

/* Says what an error reply says, and true. */
bool command_error(const struct toychat_command *reply)
{
	if (!chat_is(reply, "error"))
		return false;
	(void)fputs("error:", stdout);
	show_text(reply->tail.data, reply->tail.len);
	(void)putchar('\n');
	return true;
}

/* Sends WORD REST and waits for the reply. */
int command_ask(struct chat *c, const char *word, const char *rest,
    struct toychat_command *ret)
{
	static char command[TOYCHAT_COMMAND_MAX + 3];
	int n = snprintf(command, sizeof command, "%s%s%s\r\n", word,
	    *rest ? " " : "", rest);

	if (n < 0 || (size_t)n >= sizeof command) {
		(void)puts("error: command too long");
		return REFUSED_HERE;
	}
	n = chat_ask(c, command, (size_t)n, ret);
	explicit_bzero(command, sizeof command);
	return n;
}

/* Does what takes no more than a reply: "success", or it is shown. */
int command_plain(struct chat *c, const char *word, const char *rest)
{
	struct toychat_command reply;
	int r = command_ask(c, word, rest, &reply);

	if (r == 0 && !chat_is(&reply, "success") && !command_error(&reply))
		show_raw(&reply);
	return r;
}

int command_look(struct chat *c)
{
	struct toychat_command reply;
	int r = command_ask(c, "checkinbox", "", &reply);

	if (r == 0 && chat_is(&reply, "inbox"))
		(void)chat_inbox(c, &reply);
	else if (r == 0)
		(void)command_error(&reply);
	return r;
}

/* --- accounts ------------------------------------------------------------- */

/* Asks for a password, twice if so said. Its length or -ECANCELED. */
static long ask_password(struct chat *c, bool twice, char *out, size_t size)
{
	char again[LIMIT_PASSWORD + 2];
	long n = ask_line(c, "Password: ", true, out, size);

	if (n <= 0 || !twice)
		return n > 0 ? n : -ECANCELED;
	n = ask_line(c, "The same again: ", true, again, sizeof again);
	if (n >= 0 && strcmp(out, again) != 0) {
		(void)puts("These are two different passwords.");
		n = -ECANCELED;
	}
	explicit_bzero(again, sizeof again);
	return n > 0 ? n : -ECANCELED;
}

/* "NAME PASSWORD" into out: 0, or -ECANCELED. */
static int credentials(
    struct chat *c, const char *rest, bool twice, char *out, size_t size)
{
	size_t name = strcspn(rest, " ");
	bool given = rest[name] && rest[name + 1];
	size_t len = given ? strlen(rest) : name;

	if (len + LIMIT_PASSWORD + 4 > size)
		return -ECANCELED;
	memcpy(out, rest, len);
	out[len] = '\0';
	if (given)
		return 0;
	out[len++] = ' ';
	return ask_password(c, twice, out + len, size - len) < 0 ? -ECANCELED
								 : 0;
}

static int enter(struct chat *c, const char *word, const char *rest)
{
	char text[2 * LIMIT_PASSWORD + LIMIT_NAME + 8];
	struct toychat_command reply;
	int r;

	if (c->name[0]) {
		(void)printf("You are %s; logout first.\n", c->name);
		return 0;
	}
	if (credentials(c, rest, *word == 'r', text, sizeof text) < 0)
		return 0;
	r = chat_revive(c);
	if (r == 0)
		r = command_ask(c, word, text, &reply);
	if (r == 0 && chat_is(&reply, "success")) {
		(void)snprintf(c->name, sizeof c->name, "%.*s",
		    (int)strcspn(text, " "), text);
		r = command_look(c);
		if (r == 0 && c->inbox.senders)
			show_inbox(&c->inbox);
	} else if (r == 0) {
		(void)command_error(&reply);
	}
	explicit_bzero(text, sizeof text);
	return r;
}

int run_login(struct chat *c, char *rest)
{
	return enter(c, "login", rest);
}

int run_register(struct chat *c, char *rest)
{
	return enter(c, "register", rest);
}

int run_logout(struct chat *c, char *rest)
{
	struct toychat_command reply;
	int r = command_ask(c, "logout", rest, &reply);

	if (r == 0 && !command_error(&reply)) {
		c->name[0] = '\0';
		inbox_free(&c->inbox);
	}
	return r;
}
