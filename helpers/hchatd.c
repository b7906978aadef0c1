/*
 * hchatd [-h] [-d] [-a ADDRESS] [-p PORT]: serves the web door alone, by serve
 * (specs/hchatd.txt). What serve does and logs, and its exit codes, are
 * serve's.
 */
#include "front.h"

int main(int argc, char **argv)
{
	static const struct front front = {.name = "hchatd",
	    .door = "hchat",
	    .port = "1234",
	    .about = "Serves chat rooms to web browsers: the hchat door."};

	return front_main(&front, argc, argv);
}
