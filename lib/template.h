/*
 * Templates (issue 7): a handler that was loaded, has opened what every
 * connection needs and is confined, and then is copied for each client, since
 * a fork costs a tenth of an exec. serve and a template talk over a socket pair
 * of type SOCK_SEQPACKET, whose other end the template finds by TEMPLATE_
 * VARIABLE, in text, so that either may be of another version:
 *
 *	serve -> template   client NUMBER [ADDRESS PORT]   with a descriptor
 *	child -> serve      pid NUMBER PID
 *	template -> serve   error NUMBER ERRNO             it could not fork
 *
 * The child answers by itself, before it takes up its client, and not at all
 * goes on if it cannot. So a client belongs to serve until that answer is
 * there, and to the child from then on, whichever of them is killed when: after
 * shutdown(2) of serve's end and what can still be read there, who has not
 * answered never will. A child is serve's child, not the template's.
 *
 * The price: connections of one template share an address layout and stack
 * canaries, so serve replaces it now and then. What is opened before the fork
 * is one open file description for all: folders for *at() calls are fine, what
 * is locked or read from where the last one stopped is not.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#define TEMPLATE_VARIABLE "PARLANCE_TEMPLATE_FD"

/* A client on its way to a handler. */
struct template_client {
	uint64_t number; /* serve's, told back in the answer */
	char address[INET6_ADDRSTRLEN]; /* REMOTE_ADDR; "": a Unix socket */
	uint16_t port;
	int fd;
};

struct template_answer {
	uint64_t number;
	pid_t pid; /* > 0; or -errno: none could be started */
};

/* --- serve's side: nothing waits ------------------------------------------ */

/* Sends a client, whose descriptor stays the caller's: 0, -EAGAIN (too many
 * wait there already) or -errno. */
int template_send(int socket, const struct template_client *);

/* Reads an answer: 1; 0 there will be none any more; -EAGAIN none is there;
 * -EPROTO it is none; -errno. */
int template_answer(int socket, struct template_answer *ret);

/* --- the template's ------------------------------------------------------- */

/* The socket that the variable names, which is then gone from the environment:
 * a descriptor (O_CLOEXEC), -ENOENT (no variable: this is no template), or
 * -EBADF. */
int template_socket(void);

/* Waits for clients and forks a child for each. Returns in a child only, with
 * its client, the socket closed: 0; or where there is no more to do for the
 * template: 1 serve is done with it or it got SIGTERM; -errno. */
int template_serve(int socket, struct template_client *ret);

#endif
