/*
 * chatfiled [-a ADDRESS] [-p PORT]: serves the chatfile door alone, by serve.
 * What serve does and logs, and its exit codes, are serve's.
 */
#include "front.h"

int main(int argc, char **argv)
{
	static const struct front front = {.name = "chatfiled",
	    .door = "chatfile",
	    .port = "8080",
	    .about = "Serves room files over HTTP: the chatfile door."};

	return front_main(&front, argc, argv);
}
