/*
 * The filter: a line of stdin is a command, a line of stdout the reply to it,
 * whatever became of it. What fails on this side is an "error" line too, with
 * the protocol's text, and more about it on stderr.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "toychat.h"

/* Lines of stdin. */
struct lines {
	char data[TOYCHAT_COMMAND_MAX + 2 + 1]; /* CRLF, and a NUL */
	size_t used;
	size_t len;
	bool ended;
	bool skipping; /* the rest of a line that was too long */
};

/* What the server says unasked. Returns 0 or -errno: it is gone. */
static int overhear(struct chat *c)
{
	struct toychat_command reply;
	int r = link_fill(&c->link);

	if (r == -EAGAIN)
		return 0;
	while (link_take(&c->link, &reply) == 0) {
		if (reply.counted)
			return -EPROTO;
		say("the server says unasked:");
		show_raw(&reply);
	}
	return r == 0 ? -ECONNRESET : r < 0 ? r : 0;
}

/* Reads more of stdin, with an eye on the server: 0 or -errno of that. */
static int read_more(struct chat *c, struct lines *in)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = c->link.client.in, .events = POLLIN}};
	ssize_t n;
	int r;

	memmove(in->data, in->data + in->used, in->len - in->used);
	in->len -= in->used;
	in->used = 0;
	r = io_wait(p, 2, CLOCK_NEVER, IO_BUSY);
	if (r < 0)
		return r;
	if (!p[0].revents)
		return overhear(c);
	n = read(
	    STDIN_FILENO, in->data + in->len, sizeof in->data - 1 - in->len);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		say("standard input: %s", strerror(errno));
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		in->ended = true;
	in->len += n > 0 ? (size_t)n : 0;
	return 0;
}

/* A line without its end and with a NUL behind it: 1, at its end 0, -EMSGSIZE
 * for one that is too long, or another -errno: the server is gone. */
static int next_line(struct chat *c, struct lines *in, char **ret, size_t *len)
{
	char *begin, *feed;
	int r;

	for (;;) {
		begin = in->data + in->used;
		feed = memchr(begin, '\n', in->len - in->used);
		if (feed || (in->ended && in->len > in->used))
			break;
		if (in->ended)
			return 0;
		if (in->len - in->used == sizeof in->data - 1) {
			in->used = in->len;
			if (!in->skipping) {
				in->skipping = true;
				return -EMSGSIZE;
			}
		}
		r = read_more(c, in);
		if (r < 0)
			return r;
	}
	*len = feed ? (size_t)(feed - begin) : in->len - in->used;
	in->used += *len + (feed ? 1 : 0);
	if (in->skipping) {
		in->skipping = false;
		return next_line(c, in, ret, len);
	}
	if (feed && *len && begin[*len - 1] == '\r')
		(*len)--;
	begin[*len] = '\0';
	*ret = begin;
	return *len > TOYCHAT_COMMAND_MAX ? -EMSGSIZE : 1;
}

/* The argument of a command that is done here, or NULL. */
static char *argument_of(char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	if (len <= n + 1 || memcmp(line, word, n) != 0 || line[n] != ' ' ||
	    memchr(line, '\0', len))
		return NULL;
	return line + n + 1;
}

static int download(struct chat *c, char *argument,
    struct toychat_command *reply, struct refusal *refusal)
{
	size_t len = strcspn(argument, " ");
	struct slice name = {argument, len};
	const char *path = argument[len] ? argument + len + 1 : "";
	uint64_t length;
	int r =
	    transfer_download(c, name, path, c->force, reply, &length, refusal);

	if (r == 0 && reply->counted) {
		(void)printf("file ");
		show_text(name.data, name.len);
		(void)printf(" %ju\n", (uintmax_t)length);
		show_flush();
	}
	return r;
}

/* 0, 1 after an error, or -errno: the connection is lost. */
static int run(struct chat *c, char *line, size_t len)
{
	static char command[TOYCHAT_COMMAND_MAX + 2];
	struct toychat_command reply = {0};
	struct refusal refusal = {0};
	char *up = argument_of(line, len, "upload");
	char *down = argument_of(line, len, "download");
	int r;

	if (up) {
		r = transfer_upload(c, up, &reply, &refusal);
	} else if (down && *down != ' ') {
		r = download(c, down, &reply, &refusal);
	} else {
		memcpy(command, line, len);
		memcpy(command + len, TOYCHAT_CRLF, 2);
		r = chat_ask(c, command, len + 2, &reply);
	}
	if (r == REFUSED_HERE) {
		say("%s", refusal.detail);
		(void)printf("error %s\n", refusal.why);
		show_flush();
	}
	if (r)
		return r;
	if (!reply.counted)
		show_raw(&reply);
	return chat_is(&reply, "error");
}

int pipe_run(struct chat *c)
{
	static struct lines in;
	int r, status = 0;
	size_t len;
	char *line;

	while ((r = next_line(c, &in, &line, &len))) {
		if (r == -EMSGSIZE) {
			(void)puts("error command too long");
			show_flush();
			status = EXIT_ERROR;
			continue;
		}
		if (r > 0)
			r = run(c, line, len);
		if (r < 0) {
			say("%s", link_why(r));
			return EXIT_LOST;
		}
		if (r)
			status = EXIT_ERROR;
	}
	return status;
}
