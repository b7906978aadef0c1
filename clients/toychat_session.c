#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "toychat.h"

bool chat_is(const struct toychat_command *reply, const char *word)
{
	return parse_is(reply->word.data, reply->word.len, word);
}

int chat_signals(struct chat *c)
{
	struct signalfd_siginfo s;
	int last = 0;

	while (read(c->link.signals, &s, sizeof s) == sizeof s) {
		last = (int)s.ssi_signo;
		if (last == SIGINT)
			c->stop++;
		if (last == SIGTERM || last == SIGHUP || last == SIGQUIT)
			c->ending = last;
	}
	return last;
}

int chat_send(struct chat *c, const char *data, size_t len)
{
	return link_send(&c->link, data, len);
}

bool chat_inbox(struct chat *c, const struct toychat_command *reply)
{
	struct inbox now = {0};
	bool changed;

	if (inbox_read(&now, reply) < 0)
		return false;
	for (size_t i = 0; i < now.listed; i++)
		names_add(
		    &c->users, now.list[i].name, strlen(now.list[i].name));
	changed = !inbox_equal(&now, &c->inbox);
	inbox_free(&c->inbox);
	c->inbox = now;
	return changed;
}

int chat_interrupted(struct chat *c, const char *what)
{
	unsigned before = c->stop;

	(void)chat_signals(c);
	if (c->ending || c->stop > 1)
		return -ECANCELED;
	if (c->stop > before)
		say("%s; Ctrl-C again to leave at once", what);
	return 0;
}

static int next_reply(struct chat *c, struct toychat_command *ret)
{
	int r;

	while ((r = link_take(&c->link, ret)) == -EAGAIN) {
		r = link_more(&c->link);
		if (r == -EINTR)
			r = chat_interrupted(c, "waiting for the server");
		if (r < 0)
			return r;
	}
	return r;
}

int chat_answer(struct chat *c, struct toychat_command *ret)
{
	int r = next_reply(c, ret);

	if (r < 0 || !c->asked)
		return r;
	c->asked = false;
	if (ret->counted)
		return -EPROTO;
	(void)chat_inbox(c, ret);
	return next_reply(c, ret);
}

int chat_ask(struct chat *c, const char *command, size_t len,
    struct toychat_command *ret)
{
	int r = chat_send(c, command, len), s;

	/* A server that closes says why before it does. */
	s = r < 0 && r != -EPIPE && r != -ECONNRESET ? r : chat_answer(c, ret);
	if (s == 0 && ret->counted)
		return -EPROTO;
	return s;
}

int chat_revive(struct chat *c)
{
	int r = link_fill(&c->link), fd;

	if (r == -EAGAIN || r > 0)
		return 0;
	if (c->name[0] || clock_ms() - c->since < SHORT_LIVED_MS)
		return r == 0 ? -ECONNRESET : r;
	fd = target_connect(&c->target);
	if (fd < 0)
		return -ECONNRESET;
	c->since = clock_ms();
	return link_renew(&c->link, fd);
}
