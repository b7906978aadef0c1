/*
 * hchatd [-h] [-d] [-a ADDRESS] [-p PORT]: serves the web door alone, by serve
 * (specs/hchatd.txt). What serve does and logs, and its exit codes, are
 * serve's; -d is its -d.
 */
#include "front.h"

static void detach(struct front_plan *plan, const char *value)
{
	(void)value;
	front_add(plan, "-d");
}

int main(int argc, char **argv)
{
	static const struct front_option options[] = {
	    {'d', NULL, "work as a daemon: print the pid, log to the journal",
		detach},
	    {'h', NULL, "show this", front_help}, {0}};
	static const struct front front = {.name = "hchatd",
	    .door = "hchat",
	    .port = "1234",
	    .about = "Serves chat rooms to web browsers: the hchat door.",
	    .options = options};

	return front_main(&front, argc, argv);
}
