/*
 * The first line of PROXY protocol v1, by which a proxy of any kind tells whose
 * connection it hands on (design 8):
 *
 *	PROXY TCP4 192.0.2.7 192.0.2.1 50122 8888\r\n
 *	PROXY TCP6 2001:db8::7 2001:db8::1 50122 8888\r\n
 *	PROXY UNKNOWN anything\r\n
 *
 * To be asked only about what a trusted peer sent. Pure; nothing is allocated.
 */
#ifndef PROXY_LINE_H
#define PROXY_LINE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest line, CR and LF included. */
#define PROXY_LINE_MAX 107

struct proxy_line {
	char address[INET6_ADDRSTRLEN]; /* the client's, as inet_ntop(3)
					 * writes it; "": UNKNOWN */
	uint16_t port;
};

/* Reads a line from the first bytes of a connection. Returns its length, CR and
 * LF included (1 to PROXY_LINE_MAX, and *ret is written); 0 these bytes begin
 * no such line; -EAGAIN so far they may; -EPROTO they begin one that is
 * malformed or too long. Neither looks past len nor past PROXY_LINE_MAX. */
ssize_t proxy_line_parse(const char *data, size_t len, struct proxy_line *ret);

#endif
