#include "http_login.h"

#include <string.h>

static void given(struct http_login *ret, const char *name, size_t len)
{
	ret->len = len < LIMIT_NAME ? len : LIMIT_NAME;
	memcpy(ret->name, name, ret->len);
	ret->name[ret->len] = '\0';
}

int http_login(struct http *h, struct auth *auth, struct source source,
    struct http_login *ret)
{
	struct slice field;
	struct auth_pair pair;
	int r;

	if (!http_head_find(&h->head, "authorization", &field))
		return HTTP_NOBODY;
	given(ret, "", 0);
	if (auth_basic(field.data, field.len, &pair) < 0)
		return HTTP_WRONG;
	given(ret, pair.data, pair.name_len);
	r = auth_check(auth, source, pair.data, pair.name_len, pair.password,
	    pair.password_len, ret->name);
	auth_pair_wipe(&pair);
	if (r <= 0)
		return r < 0 ? r : HTTP_WRONG;
	ret->len = strlen(ret->name);
	h->refusals = 0;
	return HTTP_KNOWN;
}

int http_unauthorized(struct http *h, const char *why)
{
	/* A stranger with one connection could fill a disk with its log. */
	h->close |= ++h->refusals >= LIMIT_REFUSALS;
	http_reply(h, 401);
	http_field(h, "WWW-Authenticate",
	    "Basic realm=\"parlance\", charset=\"UTF-8\"");
	return http_text(h, "%s\n", why);
}
