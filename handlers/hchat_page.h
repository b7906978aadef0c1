/*
 * Pages out of the templates in web/ (hchat_assets.h): each {{KEY}} is
 * replaced by that slot's value, or by nothing if there is none.
 */
#ifndef HCHAT_PAGE_H
#define HCHAT_PAGE_H

#include "handlers/hchat.h"

struct hchat_slot {
	const char *key;
	struct slice value;
	bool raw; /* it is HTML; else it is escaped */
};

/* A slot of a C string. */
struct hchat_slot hchat_slot(const char *key, const char *value);

/* Sends a page, after http_reply() and fields of one's own. */
void hchat_page(struct session *, const char *template,
    const struct hchat_slot *, size_t count);

/* Answers with a status and why: a page for a browser that goes there, one
 * line for others. After http_reply(). */
void hchat_say(struct session *, const char *why);

/* Escapes for HTML, in attributes too. out takes up to 6 * len bytes, or is
 * NULL: then only the length is returned. */
size_t hchat_escape(char *out, const char *, size_t);

#endif
