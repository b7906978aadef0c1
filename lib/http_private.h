/*
 * What http.c, http_body.c and http_reply.c share and nobody else needs.
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include "http.h"

/* A counted body of at most this many bytes is skipped where it is not
 * wanted, so that the connection can go on. */
#define HTTP_SKIP LIMIT_MESSAGE_STORED

/* Answers what could not be understood, or was cut short, or is more than we
 * read: the connection ends. Returns 0, as what calls it does then. */
int http_fault(struct http *, unsigned status, const char *why);

/* The client is gone: notes it and returns error. */
int http_lost(struct http *, int error);

/* Skips a body that nobody read. 1, 0 (answered or cut short), -errno. */
int http_body_skip(struct http *);

#endif
