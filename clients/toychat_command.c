/*
 * The commands that people type. A line is a word, a space and the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/parse.h"
#include "toychat.h"

#define PLACES 2

struct command {
	const char *name;
	const char *other; /* the protocol's word for it, or NULL */
	const char *arguments;
	const char *about;
	enum argument places[PLACES]; /* the last one takes the rest */
	int (*run)(struct chat *, char *rest); /* as command_run() */
};

static const struct command *find(const char *word, size_t len);

/* --- messages ------------------------------------------------------------- */

static int run_send(struct chat *c, char *rest)
{
	return command_plain(c, "send", rest);
}

static int run_all(struct chat *c, char *rest)
{
	char text[TOYCHAT_COMMAND_MAX];
	int n = snprintf(text, sizeof text, "* %s", rest);

	return n < 0 || (size_t)n >= sizeof text
		   ? command_plain(c, "send", "*")
		   : command_plain(c, "send", text);
}

static int run_inbox(struct chat *c, char *rest)
{
	int r;

	(void)rest;
	r = command_look(c);
	if (r == 0 && c->name[0])
		show_inbox(&c->inbox);
	return r;
}

/* One message: 0; REFUSED_HERE if there was none. */
static int take(struct chat *c, const char *name, bool must)
{
	struct toychat_command reply;
	int r = command_ask(c, "recv", name, &reply);

	if (r)
		return r;
	if (chat_is(&reply, "error")) {
		if (must)
			(void)command_error(&reply);
		return REFUSED_HERE;
	}
	if (!chat_is(&reply, "message") || !show_message(&reply))
		show_raw(&reply);
	show_flush();
	return 0;
}

/* All that are unread of one; the first must be there. */
static int take_all(struct chat *c, const char *name, uint64_t count)
{
	int r = 0;

	for (uint64_t i = 0; r == 0 && (i < count || i == 0) && !c->stop; i++) {
		r = take(c, name, i == 0);
		(void)chat_signals(c);
	}
	return r;
}

static uint64_t count_of(const struct inbox *in, const char *name)
{
	for (size_t i = 0; i < in->listed; i++)
		if (strcmp(in->list[i].name, name) == 0)
			return in->list[i].count;
	return 0;
}

static int read_everything(struct chat *c)
{
	struct inbox all = c->inbox; /* command_look() makes a new one */
	int r = 0;

	c->inbox = (struct inbox){0};
	if (!all.senders)
		(void)puts("nothing unread");
	for (size_t i = 0; r >= 0 && i < all.listed && !c->stop; i++)
		r = take_all(c, all.list[i].name, all.list[i].count);
	inbox_free(&all);
	return r;
}

static int run_read(struct chat *c, char *rest)
{
	int r = command_look(c);

	if (r < 0 || !c->name[0])
		return r;
	return *rest ? take_all(c, rest, count_of(&c->inbox, rest))
		     : read_everything(c);
}

static int run_recv(struct chat *c, char *rest)
{
	return take(c, rest, true);
}

/* --- files ---------------------------------------------------------------- */

static int run_files(struct chat *c, char *rest)
{
	struct toychat_command reply;
	int r = command_ask(c, "getfilelist", rest, &reply);

	if (r == 0 && !command_error(&reply))
		show_files(&reply);
	return r;
}

/* A path as the shell has it, "~/" at its front. */
static const char *expand(const char *path, char *out, size_t size)
{
	const char *home = getenv("HOME");
	int n;

	if (strncmp(path, "~/", 2) != 0 || !home)
		return path;
	n = snprintf(out, size, "%s%s", home, path + 1);
	return n < 0 || (size_t)n >= size ? path : out;
}

static void show_refusal(const struct refusal *refusal)
{
	(void)fputs("error: ", stdout);
	show_text(refusal->detail, strlen(refusal->detail));
	(void)putchar('\n');
}

static int run_upload(struct chat *c, char *rest)
{
	char at[PATH_MAX];
	struct toychat_command reply;
	struct refusal refusal = {0};
	int r =
	    transfer_upload(c, expand(rest, at, sizeof at), &reply, &refusal);

	if (r == REFUSED_HERE)
		show_refusal(&refusal);
	else if (r == 0 && !command_error(&reply))
		(void)puts("uploaded");
	return r;
}

/* May it go where something is? */
static bool may_replace(struct chat *c, struct slice name, const char *path)
{
	char answer[16];

	if (c->force || !arrival_exists(name, path))
		return c->force;
	if (ask_line(c, "It is there already. Replace it? [y/N] ", false,
		answer, sizeof answer) <= 0)
		return false;
	return strchr("yY", answer[0]) != NULL;
}

static int run_download(struct chat *c, char *rest)
{
	size_t len = strcspn(rest, " ");
	struct slice name = {rest, len};
	char at[PATH_MAX];
	const char *path =
	    expand(rest[len] ? rest + len + 1 : "", at, sizeof at);
	bool replace = may_replace(c, name, path);
	struct toychat_command reply;
	struct refusal refusal = {0};
	uint64_t length;
	int r = transfer_download(
	    c, name, path, replace, &reply, &length, &refusal);

	if (r == REFUSED_HERE)
		show_refusal(&refusal);
	else if (r == 0 && reply.counted)
		(void)printf("%ju bytes\n", (uintmax_t)length);
	else if (r == 0)
		(void)command_error(&reply);
	return r;
}

/* --- the rest ------------------------------------------------------------- */

static int run_quit(struct chat *c, char *rest)
{
	(void)c;
	(void)rest;
	return -ECANCELED;
}

static int run_help(struct chat *, char *rest);

static const struct command commands[] = {
    {"help", NULL, "[COMMAND]", "what there is to type", {ARG_COMMAND},
	run_help},
    {"login", NULL, "NAME", "the password is asked for", {ARG_NONE}, run_login},
    {"register", NULL, "NAME", "make an account, and log in", {ARG_NONE},
	run_register},
    {"logout", NULL, "", "and log in as somebody else", {ARG_NONE}, run_logout},
    {"send", NULL, "NAME TEXT", "a message for one; NAME may be *", {ARG_USER},
	run_send},
    {"all", NULL, "TEXT", "a message for everyone", {ARG_NONE}, run_all},
    {"inbox", "checkinbox", "", "who wrote you", {ARG_NONE}, run_inbox},
    {"read", NULL, "[NAME]", "what is unread, of one or of all; * is to all",
	{ARG_USER}, run_read},
    {"recv", NULL, "NAME", "one message only", {ARG_USER}, run_recv},
    {"files", "getfilelist", "", "what there is to download", {ARG_NONE},
	run_files},
    {"upload", NULL, "FILE", "for everyone", {ARG_LOCAL}, run_upload},
    {"download", NULL, "NAME [FILE]", "into FILE, or one of that name",
	{ARG_REMOTE, ARG_LOCAL}, run_download},
    {"quit", "exit", "", "as Ctrl-D does", {ARG_NONE}, run_quit},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void show_usage(const struct command *k)
{
	char head[64];

	(void)snprintf(head, sizeof head, "%s %s", k->name, k->arguments);
	(void)printf("  %-22s %s\n", head, k->about);
}

static int run_help(struct chat *c, char *rest)
{
	const struct command *one = find(rest, strlen(rest));

	(void)c;
	for (size_t i = 0; i < COMMANDS; i++)
		if (!one || one == &commands[i])
			show_usage(&commands[i]);
	if (!one)
		(void)puts("Tab completes, Ctrl-C drops a line, Ctrl-D quits.");
	return 0;
}

static const struct command *find(const char *word, size_t len)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *k = &commands[i];

		if (parse_is(word, len, k->name) ||
		    (k->other && parse_is(word, len, k->other)))
			return k;
	}
	return NULL;
}

const char *command_name(size_t n)
{
	return n < COMMANDS ? commands[n].name : NULL;
}

enum argument command_argument(const char *word, size_t len, unsigned place)
{
	const struct command *k = find(word, len);

	return k && place >= 1 && place <= PLACES ? k->places[place - 1]
						  : ARG_NONE;
}

size_t command_public(const char *line, size_t len)
{
	size_t at = strspn(line, " \t"), word;

	if (strncasecmp(line + at, "login", 5) != 0 &&
	    strncasecmp(line + at, "register", 8) != 0)
		return len;
	for (int i = 0; i < 2; i++) {
		word = at + strspn(line + at, " \t");
		at = word + strcspn(line + word, " \t");
	}
	return at;
}

/* A command that needs more than was typed: a word, or two. */
static bool is_short(const struct command *k, const char *rest)
{
	const char *second = strchr(k->arguments, ' ');
	bool two = second && second[1] != '[';

	if (!*k->arguments || k->arguments[0] == '[' ||
	    (*rest && (!two || strchr(rest, ' '))))
		return false;
	(void)printf("usage: %s %s\n", k->name, k->arguments);
	return true;
}

int command_run(struct chat *c, char *line)
{
	const struct command *k;
	size_t len;
	int r;

	line += strspn(line, " \t");
	len = strcspn(line, " ");
	if (!*line)
		return 0;
	k = find(line, len);
	if (!k) {
		(void)fputs("no such command: ", stdout);
		show_text(line, len);
		(void)puts(" (help lists them)");
		return 0;
	}
	line += len + (line[len] ? 1 : 0);
	if (is_short(k, line))
		return 0;
	r = chat_revive(c);
	if (r == 0)
		r = k->run(c, line);
	if (r == REFUSED_HERE)
		r = 0;
	/* So that the next prompt knows. */
	if (r == 0 && c->name[0] && k->run != run_inbox && k->run != run_help)
		r = command_look(c);
	return r;
}
