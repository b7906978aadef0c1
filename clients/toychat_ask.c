#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lib/clock.h"
#include "toychat.h"

/* A signal came: 0 to ask again, or -ECANCELED. */
static int interrupted(struct chat *c)
{
	unsigned before = c->stop;
	int last = chat_signals(c);

	if (c->ending || c->stop > before)
		return -ECANCELED;
	if (last == SIGTSTP)
		(void)raise(SIGSTOP);
	return last == SIGTSTP ? 0 : -EAGAIN;
}

static long read_line(struct chat *c, char *out, size_t size)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = c->link.signals, .events = POLLIN}};
	ssize_t n;
	int r = 0;

	while (r == 0 || r == -EAGAIN) {
		r = io_wait(p, 2, CLOCK_NEVER, IO_BUSY);
		if (r < 0)
			return r;
		if (!p[1].revents)
			break;
		r = interrupted(c);
		if (r == 0)
			return -EINTR;
		if (r == -ECANCELED)
			return r;
	}
	n = read(STDIN_FILENO, out, size - 1);
	if (n <= 0)
		return -ECANCELED;
	if (out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return n;
}

long ask_line(
    struct chat *c, const char *prompt, bool secret, char *out, size_t size)
{
	struct termios shown, silent;
	long n;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return -ECANCELED;
	silent = shown;
	if (secret)
		silent.c_lflag &= ~(tcflag_t)ECHO;
	do { /* again once we were stopped and are continued */
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
		(void)fputs(prompt, stdout);
		show_flush();
		n = read_line(c, out, size);
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
		if (secret || n < 0)
			(void)putchar('\n');
	} while (n == -EINTR);
	show_flush();
	return n;
}
