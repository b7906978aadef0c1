/*
 * bcs: serves one client of the bcs door (the Basic Chat Server's binary
 * protocol) on standard input and output, and ends. See parlance-bcs(8) and
 * specs/bcs.txt. Whoever speaks this protocol is in the lobby.
 *
 *	register	a name, first of all
 *	send		a message to the others: appended to the lobby
 *	deliver		a message of another, one at a time
 *	status		answers either
 *	sendfile, fnotify, getfile, recvfile
 *
 * Limits: messages of 65,535 bytes, files of PARLANCE_FILE_MAX; PARLANCE_RATE
 * messages a second, with 100 at once. Deadlines: 10 s to register;
 * PARLANCE_BCS_ACK_TIMEOUT for the status of a deliver; 30 s for the next byte
 * of what was begun; 30 s for the client to take a byte. A lock is waited for
 * 5 s.
 *
 * Touches STATE_DIRECTORY/{rooms,lost,accounts,files} and RUNTIME_DIRECTORY/
 * {index,failed,present,fanout.sock}, nothing else once it is confined.
 *
 * Exit status: 0 done, 1 the client broke the protocol or was cut short, 100
 * settings, 111 the system failed. SIGTERM: the current request is the last
 * one.
 */
#include "bcs.h"

#include "handlers/rules.h"
#include "lib/clock.h"
#include "lib/io.h"

static const char help[] =
    "usage: bcs\n"
    "Serves one client of the bcs door (Basic Chat Server) on standard input\n"
    "and output; serve, systemd or inetd start it. STATE_DIRECTORY and\n"
    "RUNTIME_DIRECTORY say where the lobby is. See parlance-bcs(8).\n";

static void init(struct session *s)
{
	s->name = "";
	s->claim.fd = -1;
	s->live.fd = -1;
	s->live.deadline = CLOCK_NEVER;
	s->room.fd = s->room.index = -1;
	s->pause = CLOCK_NEVER;
	s->upload.fd = s->download.fd = -1;
}

static void load(struct session *s)
{
	int r;

	start_load(&s->start, "bcs");
	start_rooms(&s->start, &s->rooms);
	r = present_open(&s->present, &s->start.state);
	if (r < 0)
		log_die("present", r);
	start_files(&s->start, &s->files);
	if (chatlog_open(&s->chatlog, s->start.peer) < 0)
		log_usage(
		    "bcs", CHATLOG_VARIABLE " is no descriptor to write to");
}

static void confine(struct session *s)
{
	const struct sandbox_rule more[] = {
	    chatlog_rule(&s->chatlog), {SANDBOX_NONE, NULL, 0}};
	struct sandbox sandbox = bcs_sandbox;

	sandbox.more = more;
	start_confine(&s->start, &sandbox);
}

int main(int argc, char **argv)
{
	/* Not on the stack: what is never touched costs nothing. */
	static struct session session;
	struct session *s = &session;

	start_options(argc, argv, "bcs", help);
	init(s);
	load(s);
	confine(s);
	start_client(&s->start, 0, 1);
	/* Where that cannot be, waiting takes a call more. */
	(void)io_client_soon(&s->start.client, BCS_SOON_MS);
	chatlog_again(&s->chatlog);
	return bcs_serve(s);
}
