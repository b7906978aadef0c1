#include "http_peer.h"

#include <string.h>

#include "parse.h"

static struct slice trim(struct slice s)
{
	while (s.len && strchr(" \t", s.data[s.len - 1]))
		s.len--;
	while (s.len && strchr(" \t", s.data[0]))
		s.data++, s.len--;
	return s;
}

/* "[2001:db8::1]:443" and "192.0.2.1:443" without what is around. */
static struct slice bare_address(struct slice s)
{
	const char *colon = memchr(s.data, ':', s.len), *close;

	if (s.len && s.data[0] == '[') {
		close = memchr(s.data, ']', s.len);
		if (close)
			return (struct slice){
			    s.data + 1, (size_t)(close - s.data - 1)};
	}
	if (colon && memchr(s.data, '.', (size_t)(colon - s.data)))
		s.len = (size_t)(colon - s.data);
	return s;
}

/* Takes the last element off a list. */
static struct slice pop(struct slice *list)
{
	const char *comma = memrchr(list->data, ',', list->len);
	struct slice last = *list;

	if (comma) {
		last.data = comma + 1;
		last.len = (size_t)(list->data + list->len - last.data);
	}
	list->len = comma ? (size_t)(comma - list->data) : 0;
	return bare_address(trim(last));
}

/* Goes leftwards through one field's list. True: the search is over. */
static bool search(struct slice list, const struct proxies *proxies,
    char ret_address[HTTP_ADDRESS], bool *ret_found)
{
	unsigned char bytes[16];

	while (list.len) {
		struct slice one = pop(&list);

		if (one.len >= HTTP_ADDRESS ||
		    address_bytes(one.data, one.len, bytes) < 0)
			return true;
		memcpy(ret_address, one.data, one.len);
		ret_address[one.len] = '\0';
		*ret_found = true;
		if (!proxies_match(proxies, one.data, one.len))
			return true;
	}
	return false;
}

bool http_peer(const struct http_head *h, const struct proxies *proxies,
    char ret_address[HTTP_ADDRESS])
{
	bool found = false;

	for (unsigned i = h->count; i > 0; i--) {
		const struct http_head_field *f = &h->fields[i - 1];

		if (parse_is_case(
			f->name.data, f->name.len, "x-forwarded-for") &&
		    search(f->value, proxies, ret_address, &found))
			break;
	}
	return found;
}
