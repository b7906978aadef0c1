#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "toychat.h"

#define PIECE (64 * 1024)
/* The greatest length that the protocol can say. */
#define LENGTH_MAX UINT64_C(9999999999)

static int refuse(
    struct refusal *ret, const char *why, const char *path, const char *detail)
{
	ret->why = why;
	(void)snprintf(ret->detail, sizeof ret->detail, "%s: %s", path, detail);
	return REFUSED_HERE;
}

const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name that could be taken for more than one field, or another command. */
static bool can_say(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f)
			return false;
	return true;
}

/* What is under way passes all the same: the protocol knows no way out. */
#define STOPPING "stopping when it is through"

/* --- up ------------------------------------------------------------------- */

/* The file and its length. */
static int open_source(
    const char *path, uint64_t *ret_length, struct refusal *refusal)
{
	static const char none[] = "could not read from file";
	int fd;
	struct stat st;

	if (!can_say(base_of(path)))
		return -refuse(refusal, "invalid file name", path,
		    "a name on the server holds no white space");
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -refuse(refusal, none, path, strerror(errno));
	*ret_length = (uint64_t)st.st_size;
	if (S_ISREG(st.st_mode) && *ret_length <= LENGTH_MAX)
		return fd;
	(void)close(fd);
	if (!S_ISREG(st.st_mode))
		return -refuse(refusal, none, path, "not a file");
	return -refuse(refusal, "file too large", path,
	    "longer than the protocol can say");
}

/* Waits until the server takes more, or Ctrl-C or a signal. */
static int wait_sendable(struct chat *c)
{
	struct pollfd p[2] = {{.fd = c->link.client.in, .events = POLLOUT},
	    {.fd = c->link.signals, .events = POLLIN}};
	int r;

	do {
		r = io_wait(p, 2, clock_in(c->link.patience), IO_BUSY);
		if (r > 0 && p[1].revents && chat_interrupted(c, STOPPING) < 0)
			return -ECANCELED;
	} while (r > 0 && !p[0].revents);
	return r < 0 ? r : 0;
}

/*
 * What was promised must be sent. If the file cannot be read to its end, or
 * the transfer is to stop, zeros take its place; then no CRLF follows them
 * (*ret_spoilt), by which the server knows that this is not to be kept.
 */
static int send_contents(
    struct chat *c, int fd, const char *name, uint64_t length, int *ret_spoilt)
{
	static char piece[PIECE];
	uint64_t at = 0;
	int r = 0;

	while (at < length && r == 0) {
		size_t n = length - at < PIECE ? (size_t)(length - at) : PIECE;

		show_progress(name, at, length);
		r = wait_sendable(c);
		if (!*ret_spoilt && c->stop)
			*ret_spoilt = -EINTR;
		if (!*ret_spoilt)
			*ret_spoilt = io_pread(fd, piece, n, at);
		if (*ret_spoilt)
			memset(piece, 0, n);
		if (r == 0)
			r = chat_send(c, piece, n);
		at += n;
	}
	show_progress(NULL, 0, 0);
	return r;
}

static int send_file(
    struct chat *c, int fd, const char *name, uint64_t length, int *ret_spoilt)
{
	char head[NAME_MAX + 64];
	int n = snprintf(
	    head, sizeof head, "upload %s %ju ", name, (uintmax_t)length);
	int r = chat_send(c, head, (size_t)n);

	if (r == 0)
		r = send_contents(c, fd, name, length, ret_spoilt);
	if (r == 0 && *ret_spoilt)
		r = chat_send(c, "?", 1);
	return r < 0 ? r : chat_send(c, TOYCHAT_CRLF, 2);
}

int transfer_upload(struct chat *c, const char *path,
    struct toychat_command *ret_reply, struct refusal *refusal)
{
	uint64_t length;
	int fd = open_source(path, &length, refusal), spoilt = 0, r;

	if (fd < 0)
		return REFUSED_HERE;
	r = send_file(c, fd, base_of(path), length, &spoilt);
	(void)close(fd);
	/* A server that closes says why before it does. */
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		r = chat_answer(c, ret_reply);
	if (r == 0 && ret_reply->counted)
		r = -EPROTO;
	if (r == 0 && spoilt)
		return refuse(refusal, "could not read from file", path,
		    spoilt == -EINTR ? "stopped, nothing was stored"
		    : spoilt == -EIO ? "it changed meanwhile"
				     : strerror(-spoilt));
	return r;
}

/* --- down -------------------------------------------------------------------
 */

/* Takes contents in until their end: 0 or -errno of the connection. */
static int receive(struct chat *c, struct arrival *a, uint64_t length)
{
	struct toychat_payload payload;
	struct link *l = &c->link;
	size_t contents, used;
	uint64_t at = 0;
	int r = 0;

	toychat_payload_init(&payload, length);
	while (r == 0) {
		enum toychat_end end = toychat_payload_feed(&payload,
		    l->data + l->used, l->len - l->used, &contents, &used);

		if (!a->error && c->stop)
			a->error = -EINTR;
		if (!a->error && contents)
			a->error =
			    io_pwrite(a->fd, l->data + l->used, contents, at);
		l->used += used;
		at += contents;
		if (end == TOYCHAT_WHOLE)
			break;
		if (end == TOYCHAT_MALFORMED ||
		    toychat_payload_is_bad(&payload)) {
			r = -EPROTO;
			break;
		}
		show_progress(a->name, at, length);
		r = link_more(l);
		if (r == -EINTR)
			r = chat_interrupted(c, STOPPING);
	}
	show_progress(NULL, 0, 0);
	return r;
}

/* Sends the request and takes what comes. */
static int fetch(struct chat *c, struct slice name, struct arrival *a,
    struct toychat_command *ret_reply, uint64_t *ret_length)
{
	char command[NAME_MAX + 64];
	struct slice theirs;
	int n = snprintf(command, sizeof command, "download %.*s\r\n",
	    (int)name.len, name.data);
	int r = chat_send(c, command, (size_t)n);

	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		r = chat_answer(c, ret_reply);
	if (r < 0 || !ret_reply->counted)
		return r;
	if (toychat_counted(ret_reply, &theirs, ret_length) < 0)
		return -EPROTO;
	return receive(c, a, *ret_length);
}

static const char *in_the_way(int error)
{
	switch (error) {
	case -EEXIST:
		return "is there already";
	case -ENOTSUP:
		return "is there already, and no file";
	case -EINVAL:
		return "say as which file to save that";
	case -EINTR:
		return "stopped";
	default:
		return strerror(-error);
	}
}

int transfer_download(struct chat *c, struct slice name, const char *path,
    bool replace, struct toychat_command *ret_reply, uint64_t *ret_length,
    struct refusal *refusal)
{
	static const char failed[] = "could not write to file";
	struct arrival a;
	int r;

	if (name.len > NAME_MAX)
		return refuse(refusal, "could not read from file", "download",
		    "the name is too long");
	r = arrival_open(&a, name, path, replace);
	if (r < 0) {
		arrival_close(&a);
		return refuse(refusal, failed,
		    *path	? path
		    : a.name[0] ? a.name
				: "download",
		    in_the_way(r));
	}
	r = fetch(c, name, &a, ret_reply, ret_length);
	if (r == 0 && ret_reply->counted) {
		a.error = arrival_finish(&a, replace);
		if (a.error)
			r = refuse(
			    refusal, failed, a.name, in_the_way(a.error));
	}
	arrival_close(&a);
	return r;
}
