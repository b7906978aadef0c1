/*
 * parlance: the admin command of a host (parlance(1)).
 *
 * It works on the state directly, beside running handlers: what it does is
 * seen by every door at once. Started as root over a state that belongs to
 * another user it becomes that user first. Files: those of parlance-room(5)
 * and the database. Exit codes: 0 done; 1 cannot be done as asked, or damage
 * was found; 100 usage or configuration; 111 the system failed.
 */
#include "parlance.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/parse.h"
#include "lib/text.h"

#define MANY 1000000
#define SHORT_OPTIONS ":hn:fru:y"

struct command {
	const char *name;
	const char *options; /* letters; '+': options come first */
	int least, most; /* operands */
	command_act *act;
	const char *usage;
	const char *help;
};

static const struct command commands[] = {
    {"user add", "", 1, 1, user_add, "NAME",
	"Makes an account. Its password is asked for, or read as one line of\n"
	"standard input where that is not a terminal.\n"},
    {"user passwd", "", 1, 1, user_passwd, "NAME",
	"Changes an account's password, as `user add` reads one. Whoever is\n"
	"logged in by the old one has to log in again.\n"},
    {"user del", "y", 1, 1, user_del, "[--yes] NAME",
	"Deletes an account: password and inbox go, the name stays taken.\n"
	"Asks first where standard input is a terminal.\n\n"
	"  -y, --yes  do not ask\n"},
    {"user disable", "", 1, 1, user_disable, "NAME",
	"Shuts an account out, until `user enable`.\n"},
    {"user enable", "", 1, 1, user_enable, "NAME",
	"Lets a disabled account in again.\n"},
    {"user list", "", 0, 0, user_list, "",
	"Lists accounts, one a line: NAME, and `disabled` if it is so.\n"},
    {"room list", "", 0, 0, rooms_list, "",
	"Lists rooms, one a line: name, records, bytes, time of the last\n"
	"record, and for rooms of the web door listed or unlisted and the\n"
	"subject. Separated by tabs where standard output is not a "
	"terminal.\n"},
    {"room show", "n:r", 1, 1, rooms_show, "[-n N] [-r] ROOM",
	"Shows a room: as it is stored, or, on a terminal, readable.\n\n"
	"  -n N  the last N records only\n"
	"  -r    readable, in a pipe too\n"},
    {"room tail", "fn:r", 1, 1, rooms_tail, "[-f] [-n N] [-r] ROOM",
	"Shows a room's last records.\n\n"
	"  -f    follow: show new ones as they are said, waiting for the room\n"
	"        if there is none\n"
	"  -n N  the last N records (10)\n"
	"  -r    readable, in a pipe too\n"},
    {"room say", "+u:", 1, 2, rooms_say, "-u USER ROOM [TEXT]",
	"Says something in a room as an account, whose password is not asked\n"
	"for. Without TEXT: standard input, less its last newline. The room "
	"is\n"
	"made if there is none. Options come first, so TEXT may begin with -.\n"
	"\n"
	"  -u USER  the account\n"},
    {"room redact", "y", 2, 2, rooms_redact, "[--yes] ROOM N",
	"Overwrites the text of record N with as many x. Copies already\n"
	"synced keep theirs. Asks first where standard input is a terminal.\n\n"
	"  -y, --yes  do not ask\n"},
    {"room del", "y", 1, 1, rooms_del, "[--yes] ROOM",
	"Deletes a room with all that was said in it. Asks first where\n"
	"standard input is a terminal.\n\n"
	"  -y, --yes  do not ask\n"},
    {"room check", "R", 0, MANY, rooms_check, "[--repair] [ROOM ...]",
	"Checks rooms (all, if none is named) and says a line about each.\n"
	"Exit status 1: one is damaged, or shut by a failed write.\n\n"
	"  --repair  move what is damaged to lost/ and open them again\n"},
    {"check", "R", 0, 0, host_check, "[--repair]",
	"Checks the database, accounts against their names' files, and all\n"
	"rooms. Exit status 1: something is wrong.\n\n"
	"  --repair  put right what can be\n"},
    {"backup", "", 1, 1, host_backup, "DIR",
	"Saves the host in DIR, which it makes, while the doors go on: all\n"
	"that was acknowledged before it began is in it. Exit status 1: a "
	"room\n"
	"or file, which it names, could not be saved; the others were.\n"},
    {"restore", "", 1, 1, host_restore, "DIR",
	"Fills an empty state with what `parlance backup` saved in DIR. Stop\n"
	"the doors first. What it writes belongs to the state's owner.\n"},
    {"maintain", "", 0, 0, host_maintain, "",
	"What a host needs once a day: forgets log-ins of long ago, tidies "
	"the\n"
	"database, removes rooms made on the web 30 days ago or more in which\n"
	"nobody ever spoke, then checks the host as `check` does. Exit status\n"
	"1: something is wrong.\n"},
};

#define COMMANDS_LEN (sizeof commands / sizeof commands[0])

int complain(
    const struct admin *admin, enum outcome outcome, const char *format, ...)
{
	char text[4096], clean[3 * sizeof text];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	n = (int)text_clean(clean, text, (size_t)n);
	(void)fprintf(stderr, "parlance%s%s: %.*s\n", admin->command ? " " : "",
	    admin->command ? admin->command : "", n, clean);
	return outcome;
}

int finish(const struct admin *admin)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = 0};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return DONE;
	if (io_wait(&out, 1, clock_in(0), IO_BUSY) > 0)
		return DONE; /* nobody reads any more: POLLERR, POLLHUP */
	return complain(admin, FAILED,
	    "standard output could not be written: is that disk full?");
}

/* The commands of one group ("user"), or with "" all. */
static void print_usage(FILE *file, const char *group)
{
	size_t len = strlen(group);

	(void)fputs("usage:\n", file);
	for (size_t i = 0; i < COMMANDS_LEN; i++)
		if (!len || (strncmp(commands[i].name, group, len) == 0 &&
				commands[i].name[len] == ' '))
			(void)fprintf(file, "  parlance %s%s%s\n",
			    commands[i].name, *commands[i].usage ? " " : "",
			    commands[i].usage);
	(void)fputs(
	    "Each tells more with --help. parlance(1) tells all.\n", file);
}

static bool is_group(const char *word)
{
	return strcmp(word, "user") == 0 || strcmp(word, "room") == 0;
}

/* Finds the command that the words begin with; *ret_words are its own. */
static const struct command *find_command(char **words, int *ret_words)
{
	char name[32];
	int n = is_group(words[0]) ? 2 : 1;

	if (n == 2 && !words[1])
		return NULL;
	(void)snprintf(name, sizeof name, "%.12s%s%.12s", words[0],
	    n == 2 ? " " : "", n == 2 ? words[1] : "");
	*ret_words = n;
	for (size_t i = 0; i < COMMANDS_LEN; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int misused(
    const struct admin *admin, const struct command *c, const char *what)
{
	(void)complain(admin, MISUSED, "%s", what);
	(void)fprintf(stderr, "usage: parlance %s%s%s\n", c->name,
	    *c->usage ? " " : "", c->usage);
	return MISUSED;
}

static int print_help(const struct admin *admin, const struct command *c)
{
	(void)printf("usage: parlance %s%s%s\n\n%s", c->name,
	    *c->usage ? " " : "", c->usage, c->help);
	return finish(admin);
}

static int take_option(struct options *o, int letter)
{
	switch (letter) {
	case 'n':
		o->limited = true;
		return parse_u64(optarg, strlen(optarg), UINT64_MAX, &o->last);
	case 'f':
		o->follow = true;
		break;
	case 'r':
		o->readable = true;
		break;
	case 'u':
		o->user = optarg;
		break;
	case 'y':
		o->yes = true;
		break;
	case 'R':
		o->repair = true;
		break;
	}
	return 0;
}

/* Returns 0 with optind at the first operand, or an outcome + 1: after
 * --help, that of DONE. */
static int take_options(
    struct admin *admin, const struct command *c, int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
	    {"yes", no_argument, NULL, 'y'}, {"repair", no_argument, NULL, 'R'},
	    {NULL, 0, NULL, 0}};
	const char *shorts =
	    c->options[0] == '+' ? "+" SHORT_OPTIONS : SHORT_OPTIONS;
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (letter == 'h')
			return print_help(admin, c) + 1;
		if (letter == ':')
			return misused(admin, c, "an option lacks its value") +
			       1;
		if (letter == '?' || !strchr(c->options, letter))
			return misused(admin, c, "no such option") + 1;
		if (take_option(&admin->options, letter) < 0)
			return misused(admin, c, "-n takes a number") + 1;
	}
	return 0;
}

static int check_operands(
    const struct admin *admin, const struct command *c, int count)
{
	if (count < c->least)
		return misused(admin, c, "an operand is missing");
	if (count > c->most)
		return misused(admin, c,
		    c->act == rooms_say ? "too many operands: quote the text"
					: "too many operands");
	return DONE;
}

int load_settings(struct admin *admin)
{
	struct settings_error wrong;

	if (settings_import_default(&wrong) < 0 ||
	    settings_load(&admin->settings, &wrong) < 0)
		return complain(admin, MISUSED, "%s", wrong.text);
	return DONE;
}

int complain_state(
    const struct admin *admin, int error, const struct state_error *e)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return complain(admin, FAILED,
		    "%s: run this as the owner of the host's state, or as "
		    "root; PARLANCE_CONF or STATE_DIRECTORY names another host",
		    e->text);
	case -EUCLEAN:
	case -EREMOTE:
	case -EINPROGRESS:
		return complain(admin, MISUSED, "%s", e->text);
	case -ENOTEMPTY:
		return complain(admin, REFUSED, "%s", e->text);
	default:
		return complain(admin, FAILED, "%s", e->text);
	}
}

/* Settings; then the state, as its owner. */
static int open_host(struct admin *admin, char **operands)
{
	struct state_error error;
	int r = load_settings(admin);

	(void)operands;
	if (r != DONE)
		return r;
	r = state_become_owner(&error);
	if (r == 0)
		r = state_open(&admin->state, &error);
	return r < 0 ? complain_state(admin, r, &error) : DONE;
}

static command_open *opener(const struct command *c)
{
	if (c->act == host_backup)
		return backup_open;
	return c->act == host_restore ? restore_open : open_host;
}

static int run(
    struct admin *admin, const struct command *c, int argc, char **argv)
{
	int r = take_options(admin, c, argc, argv);

	if (r)
		return r - 1;
	r = check_operands(admin, c, argc - optind);
	if (r == DONE)
		r = opener(c)(admin, argv + optind);
	if (r != DONE)
		return r;
	r = c->act(admin, argv + optind, argc - optind);
	state_close(&admin->state);
	return r;
}

static int unknown(struct admin *admin, char **words)
{
	const char *group = is_group(words[0]) ? words[0] : NULL;

	if (group && !words[1]) {
		print_usage(stderr, group);
		return MISUSED;
	}
	if (strcmp(words[group ? 1 : 0], "--help") == 0) {
		print_usage(stdout, group ? group : "");
		return finish(admin);
	}
	return complain(admin, MISUSED,
	    "no such command: %s%s%s (parlance --help lists them)", words[0],
	    group ? " " : "", group ? words[1] : "");
}

int main(int argc, char **argv)
{
	struct admin admin = {0};
	const struct command *c;
	int words = 0;

	/* A reader that goes away and a file too large are told as errors. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		print_usage(stderr, "");
		return MISUSED;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("parlance %s\n", PARLANCE_VERSION);
		return finish(&admin);
	}
	c = find_command(argv + 1, &words);
	if (!c)
		return unknown(&admin, argv + 1);
	admin.command = c->name;
	return run(&admin, c, argc - words, argv + words);
}
