/*
 * Who a handler's client is: as the environment says it, else the socket, and
 * where that is a trusted proxy, as the PROXY line that it may have sent says.
 *
 * The line is recognised by its first bytes, and no door's protocol begins like
 * that: so it is optional, and what is none stays where it is, for the door.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "proxies.h"
#include "proxy_line.h"
#include "start.h"

#define PORT_TEXT 8
#define ADDRESS_TEXT 64 /* with a link-local one's interface */

/* inetd and its like set no REMOTE_ADDR. */
static int peer_of_socket(int fd, char *address, char *port)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
	    (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
		return -1;
	return getnameinfo((struct sockaddr *)&peer, len, address, ADDRESS_TEXT,
		   port, PORT_TEXT, NI_NUMERICHOST | NI_NUMERICSERV)
		   ? -1
		   : 0;
}

static void peer_text(struct start *s, const char *address, const char *port)
{
	bool v6 = strchr(address, ':') != NULL;

	(void)snprintf(s->peer, sizeof s->peer, "%s%.60s%s%s%.8s",
	    v6 ? "[" : "", address, v6 ? "]" : "", *port ? ":" : "", port);
	(void)snprintf(s->address, sizeof s->address, "%.45s", address);
	s->source = source_parse(address);
}

static void peer_find(struct start *s, const char *address, const char *port)
{
	char a[ADDRESS_TEXT], p[PORT_TEXT];
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (address && *address)
		peer_text(s, address, port ? port : "");
	else if (s->client.socket && peer_of_socket(s->client.in, a, p) == 0)
		peer_text(s, a, p);
	else if (s->client.socket && getsockopt(s->client.in, SOL_SOCKET,
					 SO_PEERCRED, &cred, &len) == 0)
		(void)snprintf(
		    s->peer, sizeof s->peer, "uid:%ju", (uintmax_t)cred.uid);
}

static bool peer_is_trusted(const struct start *s)
{
	const char *trusted = s->settings.trusted_proxies;
	struct proxies proxies;

	/* Malformed, settings_load() would have refused it. */
	return *trusted && *s->address &&
	       proxies_parse(&proxies, trusted, strlen(trusted), NULL) == 0 &&
	       proxies_match(&proxies, s->address, strlen(s->address));
}

/* Takes a line off the socket: its length; 0 none came, which leaves the bytes
 * there; -EPROTO a malformed one, which is left there, too. */
static ssize_t take_line(struct client *c, struct proxy_line *ret)
{
	int64_t deadline = clock_in(LIMIT_PROXY_MS);
	char text[PROXY_LINE_MAX];
	size_t known = 0;
	ssize_t n, len;

	for (;;) {
		n = io_peek(c, text, sizeof text, known, deadline, IO_TERM);
		if (n <= (ssize_t)known)
			return 0;
		known = (size_t)n;
		len = proxy_line_parse(text, known, ret);
		if (len != -EAGAIN)
			break;
	}
	for (size_t left = len > 0 ? (size_t)len : 0; left > 0;) {
		n = io_read_now(c, text, left);
		if (n <= 0)
			return 0;
		left -= (size_t)n;
	}
	return len;
}

void start_peer(struct start *s, const char *address, const char *port)
{
	struct proxy_line line;
	char text[PORT_TEXT];
	ssize_t r;

	peer_find(s, address, port);
	r = peer_is_trusted(s) ? take_line(&s->client, &line) : 0;
	if (r > 0 && line.address[0]) {
		(void)snprintf(text, sizeof text, "%u", (unsigned)line.port);
		peer_text(s, line.address, text);
	}
	log_open(s->door, s->peer[0] ? s->peer : NULL);
	if (r < 0)
		log_event(
		    LOG_WARNING, "proxy", "error", "malformed PROXY line");
}
