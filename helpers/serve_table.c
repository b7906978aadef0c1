#include "lib/log.h"

#define uthash_fatal(message) log_die(message, ENOMEM)

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/parse.h"
#include "serve.h"

struct door *door_find(struct serve *s, const char *name, size_t len)
{
	for (size_t i = 0; i < SERVE_DOORS; i++)
		if (parse_is(name, len, s->doors[i].name))
			return &s->doors[i];
	return NULL;
}

/* Local users, this host and its proxies have many people behind one
 * address. */
static bool is_exempt(const struct serve *s, const struct peer *peer)
{
	size_t len = strlen(peer->address);
	unsigned char bytes[16];

	return address_bytes(peer->address, len, bytes) < 0 ||
	       address_is_loopback(bytes) ||
	       proxies_match(&s->proxies, peer->address, len);
}

static struct origin *origin_find(
    const struct serve *s, const struct source *source)
{
	struct origin *found;

	HASH_FIND(hh, s->origins, source, sizeof *source, found);
	return found;
}

bool table_admits(
    struct serve *s, const struct peer *peer, const struct door *door)
{
	struct source source = source_parse(peer->address);
	struct origin *o = origin_find(s, &source);
	struct log_line line;

	if (!o || o->count < s->settings.connections_source ||
	    is_exempt(s, peer))
		return true;
	if (o->told)
		return false;
	o->told = true;
	log_begin(&line, LOG_WARNING, "limit");
	log_string(&line, "door", door->name);
	log_string(&line, "source", peer->address);
	log_number(&line, "connections", (int64_t)o->count);
	log_end(&line);
	return false;
}

static struct origin *origin_enter(struct serve *s, const struct peer *peer)
{
	struct source source = source_parse(peer->address);
	struct origin *o;

	if (is_exempt(s, peer))
		return NULL;
	o = origin_find(s, &source);
	if (!o) {
		o = calloc(1, sizeof *o);
		if (!o)
			return NULL;
		o->source = source;
		HASH_ADD(hh, s->origins, source, sizeof o->source, o);
	}
	o->count++;
	return o;
}

static void origin_leave(struct serve *s, struct origin *o)
{
	if (!o)
		return;
	o->count--;
	if (o->count < s->settings.connections_source)
		o->told = false;
	if (!o->count) {
		HASH_DEL(s->origins, o);
		free(o);
	}
}

void table_enter(struct serve *s, struct connection *c)
{
	c->origin = origin_enter(s, &c->peer);
	c->door->count++;
}

static void leave(struct serve *s, struct connection *c)
{
	c->door->count--;
	origin_leave(s, c->origin);
	free(c);
}

void table_drop(struct serve *s, struct connection *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	leave(s, c);
}

void table_started(struct serve *s, struct connection *c, pid_t pid)
{
	c->pid = pid;
	HASH_ADD_INT(s->connections, pid, c);
}

/* One that we asked to end may not have been listening yet. */
static void tell_death(struct serve *s, const struct connection *c, int signal)
{
	char peer[PEER_TEXT];
	struct log_line line;

	if (s->phase != PHASE_SERVE && signal == SIGTERM)
		return;
	peer_text(&c->peer, peer);
	log_begin(&line, LOG_ERR, "exit");
	log_string(&line, "door", c->door->name);
	log_number(&line, "pid", c->pid);
	log_number(&line, "signal", signal);
	log_string(&line, "peer", peer);
	log_end(&line);
	conversation_ended(s, c, signal);
}

bool table_remove(struct serve *s, pid_t pid, int status)
{
	struct connection *c;

	HASH_FIND_INT(s->connections, &pid, c);
	if (!c)
		return false;
	if (WIFSIGNALED(status))
		tell_death(s, c, WTERMSIG(status));
	HASH_DEL(s->connections, c);
	leave(s, c);
	return true;
}

void table_signal(const struct serve *s, int signal)
{
	struct connection *c, *next;

	HASH_ITER (hh, s->connections, c, next)
		(void)kill(c->pid, signal);
}
