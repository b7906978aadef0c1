/*
 * What serve and a template say to each other (template.h), as text: words
 * with one blank between them. Words that follow the last known one are for
 * later versions, and are left out.
 *
 *	client NUMBER [ADDRESS PORT]
 *	pid NUMBER PID
 *	error NUMBER ERRNO
 */
#ifndef TEMPLATE_TEXT_H
#define TEMPLATE_TEXT_H

#include <stddef.h>

#include "template.h"

/* Enough for either, its NUL too. */
#define TEMPLATE_TEXT_MAX 128

/* Write one; return its length, without the NUL. The descriptor is not told. */
size_t template_client_text(
    const struct template_client *, char ret_text[TEMPLATE_TEXT_MAX]);
size_t template_answer_text(
    const struct template_answer *, char ret_text[TEMPLATE_TEXT_MAX]);

/* Read one: 0 or -EPROTO. A client's descriptor is left alone; its address is
 * of letters, digits, ":" and "." or, on a Unix socket, empty. */
int template_client_parse(
    const char *text, size_t len, struct template_client *ret);
int template_answer_parse(
    const char *text, size_t len, struct template_answer *ret);

#endif
