#include "park.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "footer.h"
#include "helper.h"
#include "io.h"
#include "parse.h"
#include "proxies.h"
#include "room.h"

/* --- the datagram ----------------------------------------------------------
 */

/* Takes what stands before the next space, or the end. */
static struct slice word(const char **at, const char *end)
{
	const char *space = memchr(*at, ' ', (size_t)(end - *at));
	struct slice s = {*at, (size_t)((space ? space : end) - *at)};

	*at = space ? space + 1 : end;
	return s;
}

static bool is_source(struct slice s)
{
	unsigned char bytes[16];

	return parse_is(s.data, s.len, "-") ||
	       address_bytes(s.data, s.len, bytes) == 0;
}

int park_parse(const char *data, size_t len, struct park *ret)
{
	const char *at = data, *end = data + len;
	struct slice room, next, source;
	uint64_t number;

	if (len && end[-1] == '\n')
		end--;
	if ((size_t)(end - at) < 5 || memcmp(at, "view ", 5) != 0)
		return -EPROTO;
	at += 5;
	room = word(&at, end);
	next = word(&at, end);
	source = (struct slice){at, (size_t)(end - at)};
	if (!room_name_ok(room.data, room.len) || !is_source(source) ||
	    parse_u64(next.data, next.len, PARK_NEXT_MAX, &number) < 0 ||
	    number == 0)
		return -EPROTO;
	*ret =
	    (struct park){room.data, room.len, number, source.data, source.len};
	return 0;
}

size_t park_make(const struct park *p, char data[LIMIT_DATAGRAM])
{
	return (size_t)snprintf(data, LIMIT_DATAGRAM,
	    "view %.*s %" PRIu64 " %.*s", (int)p->room_len, p->room, p->next,
	    (int)p->source_len, p->source);
}

/* Local users share the source that is all zeros. */
static void spell(struct source source, char text[INET6_ADDRSTRLEN])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const struct source local;
	const unsigned char *b = source.bytes;

	if (memcmp(&source, &local, sizeof local) == 0)
		(void)snprintf(text, INET6_ADDRSTRLEN, "-");
	else if (memcmp(b, mapped, sizeof mapped) == 0)
		(void)inet_ntop(AF_INET, b + 12, text, INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET6, b, text, INET6_ADDRSTRLEN);
}

/* --- handing over ----------------------------------------------------------
 */

static int send_with(int to, const char *data, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {(void *)data, len};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Gallery may take it yet, or has said that nobody will. */
static int end_stream(int fd)
{
	(void)shutdown(fd, SHUT_RDWR);
	return 0;
}

static int take_answer(int gallery, int fd)
{
	struct client c = {.in = gallery, .out = gallery, .socket = true};
	char answer[LIMIT_DATAGRAM];
	ssize_t n = io_read(
	    &c, answer, sizeof answer, clock_in(LIMIT_PARK_MS), IO_BUSY);

	if (n == -ETIMEDOUT)
		return end_stream(fd);
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	if (parse_is(answer, (size_t)n, PARK_OK))
		return 0;
	if (parse_is(answer, (size_t)n, PARK_FULL))
		return end_stream(fd);
	return -EPROTO;
}

int park_hand_over(const struct state *state, int fd, const char *room,
    uint64_t next, struct source source)
{
	char data[LIMIT_DATAGRAM], text[INET6_ADDRSTRLEN];
	struct park p = {.room = room,
	    .room_len = strlen(room),
	    .next = next,
	    .source = text};
	int gallery, r;

	spell(source, text);
	p.source_len = strlen(text);
	gallery = helper_connect(state, PARK_SOCKET, SOCK_SEQPACKET);
	if (gallery < 0)
		return gallery;
	r = send_with(gallery, data, park_make(&p, data), fd);
	if (r == 0)
		r = take_answer(gallery, fd);
	(void)close(gallery);
	return r;
}
