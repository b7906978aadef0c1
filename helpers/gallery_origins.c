#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"
#include "lib/log.h"

/* As serve has it: local users, this host and its proxies have many people
 * behind one address. */
static bool is_exempt(const struct gallery *g, const char *address, size_t len)
{
	unsigned char bytes[16];

	return address_bytes(address, len, bytes) < 0 ||
	       address_is_loopback(bytes) ||
	       proxies_match(&g->proxies, address, len);
}

static struct source source_of(const char *address, size_t len)
{
	char text[64] = "";

	if (len < sizeof text)
		memcpy(text, address, len);
	return source_parse(text);
}

/* Once for as long as it stays there. */
static void tell(struct origin *o, const char *address, size_t len)
{
	struct log_line line;

	if (o->told)
		return;
	o->told = true;
	log_begin(&line, LOG_WARNING, "limit");
	log_text(&line, "source", address, len);
	log_number(&line, "viewers", (int64_t)o->count);
	log_end(&line);
}

static struct origin *get(struct gallery *g, struct source source)
{
	struct origin *o;

	HASH_FIND(hh, g->origins, &source, sizeof source, o);
	if (o)
		return o;
	o = calloc(1, sizeof *o);
	if (!o)
		return NULL;
	o->source = source;
	HASH_ADD(hh, g->origins, source, sizeof o->source, o);
	return o;
}

int origin_enter(
    struct gallery *g, const char *address, size_t len, struct origin **ret)
{
	struct origin *o;

	if (is_exempt(g, address, len)) {
		*ret = NULL;
		return 0;
	}
	o = get(g, source_of(address, len));
	if (!o)
		return -ENOMEM;
	if (o->count >= g->single.settings.connections_source) {
		tell(o, address, len);
		return -ENFILE;
	}
	o->count++;
	*ret = o;
	return 0;
}

void origin_leave(struct gallery *g, struct origin *o)
{
	if (!o)
		return;
	o->told = false;
	if (--o->count)
		return;
	HASH_DEL(g->origins, o);
	free(o);
}
