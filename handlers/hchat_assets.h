/*
 * The files of web/, embedded at build time (lib/gen/embed.c makes the table).
 *
 * An asset is served as it is at /assets/HASH/NAME. Since its path changes
 * whenever its bytes do, the answer may be cached for a year (immutable), and
 * HASH is its ETag. Pages name assets as {{asset:NAME}}, which the build
 * replaces by that path.
 *
 * A template (index.html, room.html, login.html, error.html) is in the same
 * table with an empty hash: hchat_page() fills its {{KEY}} slots, and it is
 * never served as it stands, so nothing below /assets/ may match it.
 *
 * Everything here is constant: nothing is allocated, locked or released.
 */
#ifndef HCHAT_ASSETS_H
#define HCHAT_ASSETS_H

#include <stddef.h>

struct hchat_asset {
	const char *name; /* as in web/: style.css */
	const char *type; /* Content-Type, with its charset */
	const unsigned char *data;
	size_t len;
	const unsigned char *gzip; /* NULL: a template, or not smaller */
	size_t gzip_len;
	const char *hash; /* 16 lower-case hex digits; "" of a template */
};

/* The file of that name (bytes, not NUL-terminated), or NULL. */
const struct hchat_asset *hchat_asset_find(const char *name, size_t len);

#endif
