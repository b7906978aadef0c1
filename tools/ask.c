#include "parlance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io.h"
#include "lib/password.h"

/* Reads a line without its end, byte by byte: what follows is for others. The
 * end of input ends it too. 0, -ENODATA if there was nothing at all, -E2BIG,
 * -errno; -EINTR if a signal of `signals` (-1: none) came. */
static int read_line(int fd, int signals, struct password *ret)
{
	struct client in = {.in = fd, .out = -1};
	struct pollfd fds[] = {
	    {.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	size_t len = 0;
	ssize_t n;
	int r;
	char c;

	for (;;) {
		r = io_wait(fds, 2, CLOCK_NEVER, IO_BUSY);
		if (r < 0)
			return r;
		if (fds[1].revents)
			return -EINTR;
		n = io_read(&in, &c, 1, CLOCK_NEVER, IO_BUSY);
		if (n < 0)
			return (int)n;
		if (n == 0 && !len)
			return -ENODATA;
		if (n == 0 || c == '\n')
			break;
		if (len == sizeof ret->data)
			return -E2BIG;
		ret->data[len++] = c;
	}
	if (n && len && ret->data[len - 1] == '\r')
		len--;
	ret->len = len;
	return 0;
}

/* A terminal whose echo is off, with the signals that would leave it so. */
struct prompt {
	int tty;
	int signals;
	sigset_t blocked, before;
	struct termios old;
};

static int prompt_open(struct prompt *p)
{
	struct termios silent;

	p->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (p->tty < 0 || tcgetattr(p->tty, &p->old) < 0)
		return -errno;
	(void)sigemptyset(&p->blocked);
	(void)sigaddset(&p->blocked, SIGINT);
	(void)sigaddset(&p->blocked, SIGQUIT);
	(void)sigaddset(&p->blocked, SIGTERM);
	(void)sigaddset(&p->blocked, SIGHUP);
	p->signals = signalfd(-1, &p->blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0)
		return -errno;
	/* A stop would show the shell a terminal without echo. */
	(void)sigaddset(&p->blocked, SIGTSTP);
	(void)sigprocmask(SIG_BLOCK, &p->blocked, &p->before);
	silent = p->old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ECHONL;
	return tcsetattr(p->tty, TCSAFLUSH, &silent) < 0 ? -errno : 0;
}

/* Restores the terminal; a signal that came meanwhile takes effect here. */
static void prompt_close(struct prompt *p)
{
	if (p->signals >= 0) {
		(void)tcsetattr(p->tty, TCSAFLUSH, &p->old);
		(void)close(p->signals);
		(void)sigprocmask(SIG_SETMASK, &p->before, NULL);
	}
	if (p->tty >= 0)
		(void)close(p->tty);
}

static int prompt_line(struct prompt *p, const char *text, struct password *ret)
{
	int r;

	(void)dprintf(p->tty, "%s", text);
	r = read_line(p->tty, p->signals, ret);
	if (r == -EINTR || r == -ENODATA)
		(void)dprintf(p->tty, "\n");
	return r;
}

static int judge(const struct admin *admin, int r, const struct password *p)
{
	enum password_fault fault = PASSWORD_TOO_LONG;

	if (r == -EINTR)
		return FAILED; /* prompt_close() lets the signal end us */
	if (r == -ENODATA)
		return complain(admin, REFUSED,
		    isatty(STDIN_FILENO) ? "no password; nothing was changed"
					 : "no password: it is read as one "
					   "line of standard input");
	if (r < 0 && r != -E2BIG)
		return complain(
		    admin, FAILED, "reading the password: %s", strerror(-r));
	if (r == 0)
		fault = password_check(p->data, p->len);
	if (fault != PASSWORD_FINE)
		return complain(admin, REFUSED, "%s; nothing was changed",
		    password_fault_says(fault));
	return DONE;
}

static int ask_twice(
    const struct admin *admin, struct prompt *p, struct password *ret)
{
	struct password again;
	bool same;
	int r = prompt_open(p);

	if (r < 0)
		return complain(
		    admin, FAILED, "cannot use the terminal: %s", strerror(-r));
	r = judge(admin, prompt_line(p, "password: ", ret), ret);
	if (r != DONE)
		return r;
	r = prompt_line(p, "password again: ", &again);
	if (r == -EINTR)
		return FAILED;
	same = r == 0 && again.len == ret->len &&
	       memcmp(again.data, ret->data, ret->len) == 0;
	explicit_bzero(&again, sizeof again);
	return same ? DONE
		    : complain(admin, REFUSED,
			  "the two passwords differ; nothing was changed");
}

int ask_password(const struct admin *admin, struct password *ret)
{
	struct prompt p = {.tty = -1, .signals = -1};
	int r;

	if (!isatty(STDIN_FILENO))
		return judge(admin, read_line(STDIN_FILENO, -1, ret), ret);
	r = ask_twice(admin, &p, ret);
	prompt_close(&p);
	return r;
}

bool ask_consent(const struct admin *admin, const char *question, ...)
{
	struct password answer;
	va_list args;

	if (admin->options.yes || !isatty(STDIN_FILENO))
		return true;
	va_start(args, question);
	(void)vfprintf(stderr, question, args);
	va_end(args);
	(void)fputs(" [y/N] ", stderr);
	if (read_line(STDIN_FILENO, -1, &answer) == 0 && answer.len &&
	    (answer.data[0] == 'y' || answer.data[0] == 'Y'))
		return true;
	(void)complain(admin, REFUSED, "not done");
	return false;
}
