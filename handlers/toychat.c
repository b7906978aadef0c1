/*
 * toychat: serves one client of the toychat door, lines of text ended by CRLF,
 * on standard input and output, and ends. See parlance-toychat(8) and
 * specs/toychat.txt.
 *
 *	register NAME PASSWORD    login NAME PASSWORD    logout
 *	send NAME|* MESSAGE       checkinbox             recv NAME|*
 *	upload FILE LENGTH BYTES  getfilelist            download FILE
 *
 * Limits: a command of 64 KiB, a message of 256 characters, a name of 30, a
 * password of 50, a file of PARLANCE_FILE_MAX. Deadlines: 60 s to log in, 60 s
 * for a command from its first byte, 30 s for a file's next byte and for a
 * write that makes no progress; who is logged in may be silent for ever. A
 * failed log-in costs a delay from the fourth on. A lock is waited for 5 s.
 *
 * Every message received and every response is logged, with passwords masked
 * and files' contents as their length.
 *
 * Touches STATE_DIRECTORY/{rooms,lost,db,accounts,files} (or PARLANCE_FILES)
 * and RUNTIME_DIRECTORY/{index,failed,auth,slots,present,rate}, nothing else
 * once it is confined.
 *
 * Exit status: 0 done, 1 something could not be understood or was cut short,
 * 100 settings, 111 the system failed. SIGTERM: the current command is the
 * last one.
 */
#include "toychat.h"

#include "handlers/rules.h"
#include "lib/log.h"

static const char help[] =
    "usage: toychat\n"
    "Serves one client of the toychat door on standard input and output;\n"
    "serve, systemd or inetd start it. STATE_DIRECTORY and RUNTIME_DIRECTORY\n"
    "say where accounts, inboxes and rooms are. See parlance-toychat(8).\n";

static void open_shared(struct toychat *t)
{
	int r;

	start_rooms(&t->start, &t->rooms);
	start_files(&t->start, &t->files);
	store_init(&t->store, &t->start.state);
	r = auth_init(
	    &t->auth, &t->start.state, &t->store, t->start.settings.hash_slots);
	if (r < 0)
		log_die("auth", r);
}

int main(int argc, char **argv)
{
	static struct toychat toychat; /* large: not on the stack */

	start_options(argc, argv, "toychat", help);
	start_load(&toychat.start, "toychat");
	open_shared(&toychat);
	start_confine(&toychat.start, &toychat_sandbox);
	start_client(&toychat.start, 0, 1);
	return toychat_serve(&toychat);
}
