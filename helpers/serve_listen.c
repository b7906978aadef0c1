#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve.h"

#include "lib/log.h"

#define SOCKET_MODE 0666

/* Seconds: a peer whose machine is gone is noticed in ten minutes. */
#define KEEPALIVE_IDLE_S 300
#define KEEPALIVE_INTERVAL_S 60
#define KEEPALIVE_COUNT 5

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

struct listener *listener_add_or_die(struct serve *s, struct door *door, int fd)
{
	struct listener *l = &s->listeners[s->listener_count];

	if (s->listener_count == SERVE_LISTENERS)
		serve_refuse("door", door->name, "too many addresses");
	*l =
	    (struct listener){.fd = fd, .door = door, .folder = -1, .lock = -1};
	s->listener_count++;
	return l;
}

static void set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

/* Accepted sockets inherit these on Linux: no call a connection. A Unix
 * socket knows none of them, which does no harm. */
void listener_tune(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
}

/* The address as text, an IPv4-mapped one as its IPv4 address. */
static void inet_text(
    const union socket_address *a, char ret_text[INET6_ADDRSTRLEN])
{
	const struct in6_addr *v6 = &a->v6.sin6_addr;

	if (a->any.sa_family == AF_INET)
		(void)inet_ntop(
		    AF_INET, &a->v4.sin_addr, ret_text, INET6_ADDRSTRLEN);
	else if (IN6_IS_ADDR_V4MAPPED(v6))
		(void)inet_ntop(
		    AF_INET, v6->s6_addr + 12, ret_text, INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET6, v6, ret_text, INET6_ADDRSTRLEN);
}

static uint16_t inet_port(const union socket_address *a)
{
	return ntohs(
	    a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

static void host_and_port(
    char *out, size_t size, const char *host, unsigned port)
{
	(void)snprintf(
	    out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

void listener_name(struct listener *l)
{
	union socket_address a = {0};
	socklen_t len = sizeof a;
	char host[INET6_ADDRSTRLEN];

	(void)getsockname(l->fd, &a.any, &len);
	if (a.any.sa_family == AF_UNIX) {
		(void)snprintf(l->address, sizeof l->address, "%.*s",
		    (int)sizeof a.local.sun_path, a.local.sun_path);
		return;
	}
	inet_text(&a, host);
	host_and_port(l->address, sizeof l->address, host, inet_port(&a));
}

/* A listening socket or -errno. One for every address of the host speaks
 * both families: so port 0 gives both the same. */
static int inet_socket(const struct addrinfo *a, bool both)
{
	int fd = socket(a->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (a->ai_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
	listener_tune(fd);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

static int listen_one(
    struct serve *s, struct door *door, const struct addrinfo *a, bool both)
{
	int fd = inet_socket(a, both);

	if (fd >= 0)
		listener_name(listener_add_or_die(s, door, fd));
	return fd < 0 ? fd : 0;
}

static bool is_absent(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* Every address: one IPv6 socket for both families, or where the machine has
 * no IPv6 one for IPv4. */
static int listen_all(
    struct serve *s, struct door *door, const struct addrinfo *list)
{
	static const int families[] = {AF_INET6, AF_INET};
	int r = -EAFNOSUPPORT;

	for (size_t i = 0; i < 2 && is_absent(r); i++)
		for (const struct addrinfo *a = list; a; a = a->ai_next)
			if (a->ai_family == families[i])
				r = listen_one(s, door, a, true);
	return r;
}

/* What a name stands for, less what this machine does not have ("localhost"
 * where there is no IPv6). */
static int listen_each(
    struct serve *s, struct door *door, const struct addrinfo *list)
{
	size_t before = s->listener_count;
	int r = 0, absent = 0;

	for (const struct addrinfo *a = list; a && r == 0; a = a->ai_next) {
		r = listen_one(s, door, a, false);
		if (is_absent(r)) {
			absent = r;
			r = 0;
		}
	}
	return r == 0 && s->listener_count == before ? absent : r;
}

void listen_inet_or_die(
    struct serve *s, struct door *door, const struct address *address)
{
	struct addrinfo want = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	bool all = !address->host[0];
	char text[PATH_MAX + 16];
	struct log_line line;
	int r = getaddrinfo(
	    all ? NULL : address->host, address->port, &want, &list);

	(void)snprintf(text, sizeof text,
	    strchr(address->host, ':') ? "[%s]:%s" : "%s:%s",
	    all ? "*" : address->host, address->port);
	if (r == EAI_AGAIN || r == EAI_MEMORY) {
		log_begin(&line, LOG_ERR, "resolve");
		log_string(&line, "address", text);
		log_string(&line, "error", gai_strerror(r));
		log_end(&line);
		exit(111);
	}
	if (r == EAI_SYSTEM)
		serve_die("resolve", "address", text, -errno);
	if (r)
		serve_refuse("address", text, gai_strerror(r));
	r = all ? listen_all(s, door, list) : listen_each(s, door, list);
	freeaddrinfo(list);
	if (r < 0)
		serve_die("listen", "address", text, r);
}

/* --- Unix sockets ---------------------------------------------------------
 *
 * The path may be longer than a sockaddr holds, so it is reached through a
 * descriptor of its folder. Whoever holds the lock beside it owns the name: a
 * file that is there already is then either stale, or of someone who knows no
 * lock and still answers.
 */

struct local {
	const char *base; /* the path's last part */
	int folder;
	int lock;
	struct sockaddr_un at; /* the socket, seen through folder */
};

static int local_lock(struct local *l)
{
	char name[NAME_MAX + 1];
	int n = snprintf(name, sizeof name, "%s.lock", l->base);

	if (n < 0 || (size_t)n >= sizeof name)
		return -ENAMETOOLONG;
	l->lock = openat(
	    l->folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock < 0)
		return -errno;
	if (flock(l->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	return 0;
}

/* 0 with folder, lock and address; -errno. */
static int local_open(struct local *l, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n;

	l->base = slash + 1;
	(void)snprintf(
	    folder, sizeof folder, "%.*s", (int)(l->base - path), path);
	l->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->folder < 0)
		return -errno;
	if (!*l->base)
		return -EISDIR;
	l->at = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(l->at.sun_path, sizeof l->at.sun_path,
	    "/proc/self/fd/%d/%s", l->folder, l->base);
	if (n < 0 || (size_t)n >= sizeof l->at.sun_path)
		return -ENAMETOOLONG;
	return local_lock(l);
}

/* Removes a socket that nobody listens on any more. */
static int local_clear(const struct local *l)
{
	struct stat st;
	int fd, r;

	if (fstatat(l->folder, l->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)&l->at, sizeof l->at) < 0
		? -errno
		: 0;
	(void)close(fd);
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlinkat(l->folder, l->base, 0) < 0 ? -errno : 0;
}

static int local_socket(const struct local *l)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&l->at, sizeof l->at) == 0 &&
	    fchmodat(l->folder, l->base, SOCKET_MODE, 0) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

void listen_local_or_die(
    struct serve *s, struct door *door, const struct address *address)
{
	struct local l = {.folder = -1, .lock = -1};
	struct listener *listener;
	int fd = local_open(&l, address->host);

	if (fd == 0)
		fd = local_clear(&l);
	if (fd == 0)
		fd = local_socket(&l);
	if (fd < 0)
		serve_die("listen", "address", address->host, fd);
	listener = listener_add_or_die(s, door, fd);
	listener->folder = l.folder;
	listener->lock = l.lock;
	(void)snprintf(
	    listener->address, sizeof listener->address, "%s", address->host);
}

void listener_close(struct listener *l)
{
	if (l->folder >= 0) {
		(void)unlinkat(l->folder, strrchr(l->address, '/') + 1, 0);
		(void)close(l->folder);
	}
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->lock >= 0)
		(void)close(l->lock);
	l->fd = l->folder = l->lock = -1;
}

/* --- accepting ------------------------------------------------------------ */

/* The peer's or the network's trouble, which the next connection does not
 * share (accept(2)); all else is the machine's. */
static bool is_theirs(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* firewall */
	case EPROTO:
	case ENETDOWN:
	case ENETUNREACH:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case EOPNOTSUPP:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void peer_of(int fd, const union socket_address *a, struct peer *ret)
{
	struct ucred cred = {0};
	socklen_t len = sizeof cred;

	*ret = (struct peer){0};
	if (a->any.sa_family == AF_UNIX) {
		(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
		ret->uid = cred.uid;
		return;
	}
	inet_text(a, ret->address);
	ret->port = inet_port(a);
}

int listener_accept(const struct listener *l, struct peer *ret)
{
	union socket_address a = {0};
	socklen_t len = sizeof a;
	int fd = accept4(l->fd, &a.any, &len, SOCK_CLOEXEC);

	if (fd < 0)
		return is_theirs(errno) ? -EAGAIN : -errno;
	peer_of(fd, &a, ret);
	return fd;
}

void peer_text(const struct peer *peer, char ret_text[PEER_TEXT])
{
	if (peer->address[0])
		host_and_port(ret_text, PEER_TEXT, peer->address, peer->port);
	else
		(void)snprintf(
		    ret_text, PEER_TEXT, "uid:%ju", (uintmax_t)peer->uid);
}
