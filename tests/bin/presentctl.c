/*
 * Presence by hand, for tests of lib/present.h, as roomctl is for rooms:
 *
 *	presentctl hold NAME [PEER]    claims it ("held" or "taken") and holds
 *	                               it until its standard input ends
 *	presentctl roster              "NAME PID PEER" a line
 *	presentctl held NAME           "yes" or "no"
 *	presentctl churn COUNT         COUNT times: claims a name that is free,
 *	                               releases it; prints how many failed
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io.h"
#include "lib/parse.h"
#include "lib/present.h"

static int fail(int error)
{
	printf("%s\n", strerrorname_np(-error));
	return 1;
}

static int hold(const struct present *p, const char *name, const char *peer)
{
	struct claim claim;
	char byte;
	int r = present_claim(&claim, p, name, strlen(name), peer);

	if (r < 0 && r != -EADDRINUSE)
		return fail(r);
	puts(r == 0 ? "held" : "taken");
	(void)fflush(stdout);
	while (r == 0 && read(STDIN_FILENO, &byte, 1) > 0)
		;
	present_release(&claim);
	return r < 0;
}

static int show(void *arg, const struct present_line *line)
{
	(void)arg;
	printf("%s %ju %s\n", line->name, (uintmax_t)line->pid, line->peer);
	return 0;
}

static int held(const struct present *p, const char *name)
{
	int r = present_held(p, name, strlen(name));

	if (r < 0)
		return fail(r);
	puts(r ? "yes" : "no");
	return 0;
}

static int churn(const struct present *p, uint64_t count)
{
	uint64_t failed = 0;
	struct claim claim;

	while (count--) {
		failed += present_claim(&claim, p, "churn", 5, "test") < 0;
		present_release(&claim);
	}
	printf("%ju\n", (uintmax_t)failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *what = argc > 2 ? argv[2] : "";
	struct state state;
	struct state_error error;
	struct present p;
	uint64_t n;
	int r;

	io_signals();
	r = state_open(&state, &error);
	if (r == 0)
		r = present_open(&p, &state);
	if (r < 0)
		return fail(r);
	if (strcmp(verb, "hold") == 0)
		return hold(&p, what, argc > 3 ? argv[3] : "test");
	if (strcmp(verb, "roster") == 0)
		return present_each(&p, show, NULL) < 0;
	if (strcmp(verb, "held") == 0)
		return held(&p, what);
	if (strcmp(verb, "churn") == 0 &&
	    parse_u64(what, strlen(what), UINT32_MAX, &n) == 0)
		return churn(&p, n);
	return 100;
}
