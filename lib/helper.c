#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io.h"

/* bind or connect */
typedef int address_call(int fd, const struct sockaddr *, socklen_t);

static bool spell(struct sockaddr_un *a, const char *dir, const char *name)
{
	int n = snprintf(a->sun_path, sizeof a->sun_path, "%s/%s", dir, name);

	return n > 0 && (size_t)n < sizeof a->sun_path;
}

static int call(address_call *f, int fd, const struct sockaddr_un *a)
{
	int r = f(fd, (const struct sockaddr *)a, sizeof *a);

	return r < 0 ? -errno : 0;
}

static int call_below(
    address_call *f, int fd, const struct state *s, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char dir[32];
	int r;

	(void)snprintf(dir, sizeof dir, "/proc/self/fd/%d", s->runtime);
	r = spell(&a, dir, name) ? call(f, fd, &a) : -ENAMETOOLONG;
	if (r != -ENOENT || access("/proc/self/fd", X_OK) == 0)
		return r;
	if (!spell(&a, s->runtime_path, name))
		return -ENAMETOOLONG;
	return call(f, fd, &a);
}

int helper_lock(const struct state *s, const char *name, int64_t deadline)
{
	return io_lock_file(s->runtime, name, deadline);
}

/* A socket's mode before bind() is its file's after it (unix(7) knows the
 * umask only): so nobody can connect in between. */
static int listen_at(int fd, const struct state *s, const char *name, mode_t m)
{
	mode_t mask;
	int r;

	if (unlinkat(s->runtime, name, 0) < 0 && errno != ENOENT)
		return -errno;
	if (fchmod(fd, m) < 0)
		return -errno;
	mask = umask(~m & 0777);
	r = call_below(bind, fd, s, name);
	(void)umask(mask);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	return r;
}

int helper_listen(
    const struct state *s, const char *name, int type, mode_t mode)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = listen_at(fd, s, name, mode);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int helper_connect(const struct state *s, const char *name, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = call_below(connect, fd, s, name);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

uint64_t helper_raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 1024;
	if (files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			(void)getrlimit(RLIMIT_NOFILE, &files);
	}
	return files.rlim_cur;
}
