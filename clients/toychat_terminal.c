/*
 * Between two commands libedit(3) asks get_key() for one key after another.
 * While none is pressed this looks after everything else: the inbox, the
 * server's end, signals. All signals are blocked and come by a descriptor, so
 * that whatever happens is noticed there, or in the wait for a reply, and the
 * terminal can be given back as it was.
 */
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

#include "lib/clock.h"
#include "toychat.h"

#define HISTORY 1000
/* Ctrl-_: we press it ourselves to have the line drawn again. */
#define REFRESH_KEY L'\x1f'

struct ui {
	struct chat *chat;
	EditLine *editor;
	History *history;
	HistEvent event;
	mbstate_t decoder;
	char prompt[1024];
	bool stale; /* the prompt that is shown */
	bool modal; /* the next keys are not commands: search, quoting */
	bool dropped; /* Ctrl-C: the line */
	int lost; /* -errno: the connection is */
	int64_t interval;
	int64_t look_at; /* when to look at the inbox */
	int64_t answer_by; /* for the one under way */
};

static struct ui *ui_of(EditLine *e)
{
	void *ui = NULL;

	(void)el_get(e, EL_CLIENTDATA, &ui);
	return ui;
}

static void make_prompt(struct ui *ui)
{
	struct chat *c = ui->chat;
	char unread[sizeof ui->prompt - LIMIT_NAME - 8];

	inbox_summary(&c->inbox, unread, sizeof unread);
	if (!c->name[0])
		(void)snprintf(ui->prompt, sizeof ui->prompt, "toychat> ");
	else if (!unread[0])
		(void)snprintf(
		    ui->prompt, sizeof ui->prompt, "%.120s> ", c->name);
	else
		(void)snprintf(ui->prompt, sizeof ui->prompt, "%.120s [%s]> ",
		    c->name, unread);
}

static char *prompt(EditLine *e)
{
	struct ui *ui = ui_of(e);

	make_prompt(ui);
	return ui->prompt;
}

static void leave_line(struct ui *ui)
{
	screen_leave(ui->editor, ui->prompt);
}

static void draw_again(struct ui *ui)
{
	(void)el_set(ui->editor, EL_REFRESH);
}

/* --- while no key is pressed ---------------------------------------------- */

static void stopped(struct ui *ui)
{
	(void)el_set(ui->editor, EL_PREP_TERM, 0);
	leave_line(ui);
	(void)raise(SIGSTOP);
}

static void continued(struct ui *ui)
{
	(void)el_set(ui->editor, EL_PREP_TERM, 0);
	(void)el_set(ui->editor, EL_PREP_TERM, 1);
	draw_again(ui);
}

/* 0, or -1: the line ends here. */
static int signalled(struct ui *ui)
{
	struct chat *c = ui->chat;
	unsigned before = c->stop;
	int last = chat_signals(c);

	if (c->stop > before) {
		(void)fputs("^C", stdout);
		ui->dropped = true;
	}
	if (ui->dropped || c->ending) {
		leave_line(ui);
		return -1;
	}
	if (last == SIGTSTP)
		stopped(ui);
	if (last == SIGCONT)
		continued(ui);
	if (last == SIGWINCH)
		screen_resized(ui->editor, ui->prompt);
	return 0;
}

static int lose(struct ui *ui, int error)
{
	ui->lost = error;
	leave_line(ui);
	return -1;
}

/* A reply that nobody waits for: the inbox, or none of ours. */
static int overheard(struct ui *ui, const struct toychat_command *reply)
{
	struct chat *c = ui->chat;

	if (reply->counted)
		return lose(ui, -EPROTO);
	if (!c->asked) {
		leave_line(ui);
		(void)fputs("The server says: ", stdout);
		show_raw(reply);
		draw_again(ui);
		return 0;
	}
	c->asked = false;
	ui->stale |= chat_inbox(c, reply);
	return 0;
}

/* The server said something, or left. */
static int hear(struct ui *ui)
{
	struct chat *c = ui->chat;
	struct toychat_command reply;
	int r = chat_revive(c);

	if (r < 0)
		return lose(ui, r);
	while ((r = link_take(&c->link, &reply)) == 0)
		if (overheard(ui, &reply) < 0)
			return -1;
	return r == -EAGAIN ? 0 : lose(ui, r);
}

static int look(struct ui *ui)
{
	static const char ask[] = "checkinbox\r\n";
	struct chat *c = ui->chat;
	int r;

	if (c->asked)
		return lose(ui, -ETIMEDOUT);
	r = chat_send(c, ask, sizeof ask - 1);
	if (r < 0)
		return lose(ui, r);
	c->asked = true;
	ui->answer_by = clock_in(c->link.patience);
	ui->look_at = clock_in(ui->interval);
	return 0;
}

/* When something is to be done though nothing happens. */
static int64_t deadline(const struct ui *ui)
{
	if (ui->chat->asked)
		return ui->answer_by;
	return ui->chat->name[0] ? ui->look_at : CLOCK_NEVER;
}

/* --- keys ----------------------------------------------------------------- */

/* Keys after which the next ones are no commands, and those that end it. */
static void note_mode(struct ui *ui, wchar_t key)
{
	if (key == L'\x12' || key == L'\x13' || key == L'\x16')
		ui->modal = true;
	if (key == L'\r' || key == L'\n' || key == L'\x1b' || key == L'\x07')
		ui->modal = false;
}

/* A byte was typed: 1 and a whole character, 0 for a part of one, or -1: the
 * terminal is gone. */
static int read_key(struct ui *ui, wchar_t *ret)
{
	char byte;
	ssize_t n = read(STDIN_FILENO, &byte, 1);
	size_t r;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
	r = mbrtowc(ret, &byte, 1, &ui->decoder);
	if (r == (size_t)-1)
		ui->decoder = (mbstate_t){0};
	if (r > 1)
		return 0;
	note_mode(ui, *ret);
	return 1;
}

/* libedit's read function: 1 and a key, or -1: the line ends. */
static int get_key(EditLine *e, wchar_t *ret)
{
	struct ui *ui = ui_of(e);
	struct chat *c = ui->chat;
	int r = 0;

	while (r == 0) {
		struct pollfd p[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
		    {.fd = c->link.client.in, .events = POLLIN},
		    {.fd = c->link.signals, .events = POLLIN}};

		if (ui->stale && !ui->modal) {
			ui->stale = false;
			*ret = REFRESH_KEY;
			return 1;
		}
		r = io_wait(p, 3, deadline(ui), IO_BUSY);
		if (r == -ETIMEDOUT)
			r = look(ui);
		else if (r < 0)
			return -1;
		else if (p[2].revents)
			r = signalled(ui);
		else if (p[1].revents)
			r = hear(ui);
		else
			r = read_key(ui, ret);
	}
	return r;
}

static unsigned char refresh(EditLine *e, int key)
{
	(void)e;
	(void)key;
	return CC_REFRESH;
}

static unsigned char on_tab(EditLine *e, int key)
{
	struct ui *ui = ui_of(e);
	unsigned char r;

	(void)key;
	r = complete(e, ui->chat);
	if (r != CC_REDISPLAY)
		return r;
	draw_again(ui);
	return CC_NORM;
}

/* --- lines ---------------------------------------------------------------- */

static void remember(struct ui *ui, const char *line)
{
	size_t len = command_public(line, strlen(line));
	char *copy = strndup(line, len);

	if (copy && len)
		(void)history(ui->history, &ui->event, H_ENTER, copy);
	free(copy);
}

/* The next line, to be freed; NULL: there will be none. */
static char *next_line(struct ui *ui)
{
	const char *line;
	char *copy;
	int n;

	do {
		ui->dropped = ui->modal = false;
		ui->chat->stop = 0;
		ui->decoder = (mbstate_t){0};
		line = el_gets(ui->editor, &n);
	} while (!line && ui->dropped && !ui->chat->ending);
	if (!line && !ui->lost && !ui->chat->ending)
		(void)putchar('\n');
	if (!line)
		return NULL;
	copy = strdup(line);
	if (copy)
		copy[strcspn(copy, "\r\n")] = '\0';
	return copy;
}

static void talk(struct ui *ui)
{
	char *line;
	int r = 0;

	while (r == 0 && (line = next_line(ui))) {
		remember(ui, line);
		r = command_run(ui->chat, line);
		show_flush();
		explicit_bzero(line, strlen(line));
		free(line);
		ui->look_at = clock_in(ui->interval);
		if (ui->chat->ending)
			break;
	}
	if (r < 0 && r != -ECANCELED)
		ui->lost = r;
	else if (ui->chat->stop)
		(void)putchar('\n'); /* behind ^C */
}

static void open_editor(struct ui *ui)
{
	ui->editor = el_init("toychat", stdin, stdout, stderr);
	ui->history = history_init();
	if (!ui->editor || !ui->history) {
		say("cannot edit lines on this terminal");
		exit(EXIT_LOST);
	}
	(void)history(ui->history, &ui->event, H_SETSIZE, HISTORY);
	(void)history(ui->history, &ui->event, H_SETUNIQUE, 1);
	(void)el_set(ui->editor, EL_CLIENTDATA, ui);
	(void)el_set(ui->editor, EL_PROMPT, prompt);
	(void)el_set(ui->editor, EL_SIGNAL, 0);
	(void)el_set(ui->editor, EL_EDITOR, "emacs");
	(void)el_set(ui->editor, EL_HIST, history, ui->history);
	(void)el_set(ui->editor, EL_GETCFN, get_key);
	(void)el_set(ui->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	(void)el_source(ui->editor, NULL);
	(void)el_set(
	    ui->editor, EL_ADDFN, "toychat-complete", "Complete", on_tab);
	(void)el_set(ui->editor, EL_ADDFN, "toychat-refresh", "Draw", refresh);
	(void)el_set(ui->editor, EL_BIND, "^I", "toychat-complete", NULL);
	(void)el_set(ui->editor, EL_BIND, "^_", "toychat-refresh", NULL);
	(void)el_set(ui->editor, EL_BIND, "-a", "^_", "toychat-refresh", NULL);
}

/* Ends as the signal would have us end. */
static void end_by(int number)
{
	sigset_t one;

	(void)signal(number, SIG_DFL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static int open_signals(void)
{
	static const int numbers[] = {
	    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		(void)sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int terminal_run(struct chat *c)
{
	struct ui ui = {
	    .chat = c, .interval = seconds_of("TOYCHAT_INTERVAL", INTERVAL_S)};

	c->link.signals = open_signals();
	open_editor(&ui);
	(void)printf(
	    "Connected to %s. Type help, or login NAME.\n", c->target.found);
	talk(&ui);
	el_end(ui.editor);
	history_end(ui.history);
	if (c->ending)
		end_by(c->ending);
	if (ui.lost) {
		say("%s", link_why(ui.lost));
		return EXIT_LOST;
	}
	return 0;
}
