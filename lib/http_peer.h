/*
 * Who a request is from when a reverse proxy hands it on: X-Forwarded-For, if
 * the proxy is a trusted one (PARLANCE_TRUSTED_PROXIES; design 8).
 *
 *	if (proxies_match(&proxies, peer, strlen(peer)) &&
 *	    http_peer(&http.head, &proxies, address))
 *		source = source_parse(address);
 *
 * Pure; nothing is allocated.
 */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h>

#include "http_head.h"
#include "proxies.h"

/* An IPv6 address in text, and a NUL. */
#define HTTP_ADDRESS 46

/* The rightmost address of X-Forwarded-For that is not itself a trusted
 * proxy's: what stands left of it anyone can have written. If all are trusted,
 * the leftmost. What is no address ends the search; a port, and brackets
 * around IPv6, do not count. False if there is none. */
bool http_peer(const struct http_head *, const struct proxies *,
    char ret_address[HTTP_ADDRESS]);

#endif
