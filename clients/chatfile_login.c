#include "chatfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "lib/io.h"

#define NETRC_BYTES 65536

/* --- ~/.netrc ------------------------------------------------------------- */

/* The next word of a text, or NULL; cuts it off with a NUL. */
static char *word(char **at)
{
	char *begin;

	while (isspace((unsigned char)**at))
		(*at)++;
	if (!**at)
		return NULL;
	begin = *at;
	while (**at && !isspace((unsigned char)**at))
		(*at)++;
	if (**at)
		*(*at)++ = 0;
	return begin;
}

/* libcurl reads the entry itself; it does not tell whether there is one. */
static bool has_netrc(const char *host)
{
	static char data[NETRC_BYTES + 1];
	const char *home = getenv("HOME");
	char path[4096], *at = data, *w;
	ssize_t n;

	(void)snprintf(path, sizeof path, "%s/.netrc", home ? home : "");
	n = io_read_file(AT_FDCWD, path, data, NETRC_BYTES);
	if (n < 0)
		return false;
	data[n] = 0;
	while ((w = word(&at))) {
		if (strcmp(w, "default") == 0)
			return true;
		if (strcmp(w, "machine") == 0 && (w = word(&at)) &&
		    strcasecmp(w, host) == 0)
			return true;
	}
	return false;
}

/* --- the prompt ----------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNALS (sizeof signals / sizeof *signals)

static void write_tty(int tty, const char *text)
{
	if (write(tty, text, strlen(text)) < 0)
		return; /* then nobody sees it */
}

/* A line without its end: its length, or -1 (a signal, end of input). Signals
 * are only let in while it waits, so that none comes just before. */
static ssize_t read_line(int tty, char *out, size_t size, const sigset_t *mask)
{
	struct pollfd p = {.fd = tty, .events = POLLIN};
	ssize_t n;

	if (ppoll(&p, 1, NULL, mask) < 0 || caught)
		return -1;
	n = read(tty, out, size - 1);
	if (n <= 0)
		return -1;
	if (out[n - 1] == '\n')
		n--;
	out[n] = 0;
	return n;
}

/* Echo goes before the prompt is shown, so that nothing typed is flushed. */
static ssize_t read_silently(
    int tty, const char *prompt, char *out, size_t size)
{
	struct sigaction action = {.sa_handler = on_signal}, old[SIGNALS];
	struct termios shown, silent;
	sigset_t block, mask;
	ssize_t n;

	if (tcgetattr(tty, &shown) < 0)
		return -1;
	caught = 0;
	(void)sigemptyset(&block);
	for (size_t i = 0; i < SIGNALS; i++) {
		(void)sigaddset(&block, signals[i]);
		(void)sigaction(signals[i], &action, &old[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &block, &mask);
	silent = shown;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(tty, TCSAFLUSH, &silent);
	write_tty(tty, prompt);
	n = read_line(tty, out, size, &mask);
	(void)tcsetattr(tty, TCSAFLUSH, &shown);
	write_tty(tty, "\n");
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &old[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (caught)
		(void)raise(caught);
	return n;
}

/* Asks on /dev/tty. NULL: there is none, or nothing was typed. */
static char *ask(const char *user, const char *url)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	char *password = calloc(1, LIMIT_PASSWORD + 2), prompt[512];
	ssize_t n = -1;

	(void)snprintf(
	    prompt, sizeof prompt, "Password of %s at %s: ", user, url);
	if (tty >= 0 && password)
		do /* again once we were stopped and are continued */
			n = read_silently(
			    tty, prompt, password, LIMIT_PASSWORD + 2);
		while (n < 0 && caught == SIGTSTP);
	if (tty >= 0)
		(void)close(tty);
	if (n > 0)
		return password;
	free(password);
	return NULL;
}

/* --- who ------------------------------------------------------------------ */

static void host_of(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, "/:");

	if (*host == '[')
		len = strcspn(++host, "]/");
	put(out, size, host, len);
}

static const char *login_name(void)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *name = pw ? pw->pw_name : getenv("USER");

	if (!name)
		die(EXIT_USAGE, "who are you? Use -u USER");
	return name;
}

const char *login_user(const char *user, const struct config *c)
{
	char host[URL_BYTES];

	if (!user[0])
		user = c->user;
	if (strchr(user, ':') || strlen(user) > LIMIT_NAME)
		die(EXIT_USAGE, "%s: no name of a user", user);
	if (user[0])
		return user;
	host_of(c->url, host, sizeof host);
	return !getenv("CHATFILE_PASSWORD") && has_netrc(host) ? NULL
							       : login_name();
}

char *login_password(const char *user, const char *url)
{
	const char *given = getenv("CHATFILE_PASSWORD");
	char host[URL_BYTES], *password;

	if (given)
		return strdup(given);
	host_of(url, host, sizeof host);
	if (has_netrc(host))
		return NULL;
	password = ask(user, url);
	if (!password)
		die(EXIT_USAGE,
		    "no password: set CHATFILE_PASSWORD, or put "
		    "`machine %s login %s password ...` into "
		    "~/.netrc",
		    host, user);
	return password;
}
