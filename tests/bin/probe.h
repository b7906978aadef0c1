/*
 * What probe.c tries: each returns 0 where it was possible, or an errno, in a
 * process that is confined and ends then. What would do harm where it is
 * possible has arguments that fail otherwise.
 */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "lib/helper.h"
#include "lib/state.h"

struct probe {
	const char *name;
	int (*attempt)(const void *);
};

struct probe_file {
	const char *shown;
	int dir;
	const char *path;
};

/* What was opened before. */
static struct probe_place {
	struct state state;
	int folder; /* the one tried, with probe-a and probe-b in it */
	const char *folder_path;
	int listener; /* on fanout.sock */
	int unbound; /* a Unix socket */
	int program; /* /bin/true */
	struct sockaddr_un abstract; /* somebody's socket */
	socklen_t abstract_len;
	pid_t parent;
} probe;

/* An attempt in one expression that is negative where it fails. */
#define TRY(name, expression)                                                  \
	static int try_##name(const void *unused)                              \
	{                                                                      \
		(void)unused;                                                  \
		return (expression) < 0 ? errno : 0;                           \
	}

/* The same by number: glibc has no name for it, or checks what it is given. */
#define TRY_CALL(name, ...) TRY(name, syscall(SYS_##name, __VA_ARGS__))

/* --- files ---------------------------------------------------------------- */

static int try_file(const void *arg, int flags)
{
	const struct probe_file *f = arg;

	return openat(f->dir, f->path, flags | O_CLOEXEC | O_NOCTTY, 0600) < 0
		   ? errno
		   : 0;
}

static int try_reading(const void *file)
{
	return try_file(file, O_RDONLY);
}

static int try_writing(const void *file)
{
	return try_file(file, O_WRONLY);
}

/* --- a folder ------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
	static char path[8192];

	(void)snprintf(path, sizeof path, "%s/%s", probe.folder_path, name);
	return path;
}

TRY(read, openat(probe.folder, "probe-a", O_RDONLY))
TRY(list, openat(probe.folder, ".", O_RDONLY | O_DIRECTORY))
TRY(write, openat(probe.folder, "probe-a", O_WRONLY))
TRY(empty, openat(probe.folder, "probe-a", O_WRONLY | O_TRUNC))
TRY(make, openat(probe.folder, "probe-new", O_WRONLY | O_CREAT | O_EXCL, 0600))
TRY(link, linkat(probe.folder, "probe-a", probe.folder, "probe-new", 0))
TRY(rename, renameat(probe.folder, "probe-a", probe.folder, "probe-new"))
TRY(remove, unlinkat(probe.folder, "probe-b", 0))
TRY(truncate, truncate(in_folder("probe-a"), 0))
TRY(chmod, fchmodat(probe.folder, "probe-a", 0666, 0))
TRY(chmod_folder, chmod(in_folder("."), 0777))
TRY(chown, fchownat(probe.folder, "probe-a", 0, 0, 0))
TRY(symlink, symlinkat("probe-a", probe.folder, "probe-new"))
TRY(mkdir, mkdirat(probe.folder, "probe-new", 0700))
TRY(mkfifo, mknodat(probe.folder, "probe-new", S_IFIFO | 0600, 0))
TRY(setxattr, setxattr(in_folder("probe-a"), "user.x", "x", 1, 0))

#define ENTRY(name)                                                            \
	{                                                                      \
#name, try_##name                                              \
	}

static const struct probe folder_probes[] = {ENTRY(read), ENTRY(list),
    ENTRY(write), ENTRY(empty), ENTRY(make), ENTRY(link), ENTRY(rename),
    ENTRY(remove), ENTRY(truncate), ENTRY(chmod), ENTRY(chmod_folder),
    ENTRY(chown), ENTRY(symlink), ENTRY(mkdir), ENTRY(mkfifo), ENTRY(setxattr),
    {NULL, NULL}};

/* --- sockets -------------------------------------------------------------- */

/* The parent listens there, by a name that is no file. */
static int reach_abstract(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return fd < 0 ? -1
		      : (int)sendto(fd, "x", 1, 0,
			    (struct sockaddr *)&probe.abstract,
			    probe.abstract_len);
}

static int ring_fanout(void)
{
	int fd = helper_connect(&probe.state, "fanout.sock", SOCK_SEQPACKET);

	errno = fd < 0 ? -fd : 0;
	return fd;
}

static int bind_socket(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	return bind(
	    probe.unbound, (struct sockaddr *)&name, sizeof name.sun_family);
}

static int accept_nobody(void)
{
	int fd = accept4(probe.listener, NULL, NULL, SOCK_NONBLOCK);

	return fd < 0 && errno != EAGAIN ? -1 : 0;
}

static int set_option(int level, int option)
{
	int value = 1;

	return setsockopt(probe.unbound, level, option, &value, sizeof value);
}

TRY(unix_socket, socket(AF_UNIX, SOCK_SEQPACKET, 0))
TRY(fanout, ring_fanout())
TRY(abstract, reach_abstract())
TRY(inet_socket, socket(AF_INET, SOCK_STREAM, 0))
TRY(inet6_socket, socket(AF_INET6, SOCK_DGRAM, 0))
TRY(netlink_socket, socket(AF_NETLINK, SOCK_RAW, 0))
TRY(packet_socket, socket(AF_PACKET, SOCK_RAW, 0))
TRY(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0, 0}))
TRY(bind, bind_socket())
TRY(listen, listen(probe.unbound, 1))
TRY(accept, accept_nobody())
TRY(buffer_size, set_option(SOL_SOCKET, SO_SNDBUF))
TRY(ip_option, set_option(0, 1))
TRY(untaken, ioctl(probe.unbound, SIOCOUTQ, &(int){0}))
TRY(unread, ioctl(probe.unbound, FIONREAD, &(int){0}))
TRY(type_ahead, ioctl(0, TIOCSTI, "x"))

/* --- processes ------------------------------------------------------------ */

static int fork_and_await(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, 0) < 0 ? -1 : 0;
}

static char *const no_words[] = {NULL};

static int map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? -1
		   : 0;
}

static int make_executable(void)
{
	static char page[8192];
	char *at = page + 4096 - (size_t)page % 4096;

	return mprotect(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

TRY(fork, fork_and_await())
TRY(clone_sibling, syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0))
TRY_CALL(clone3, NULL, 0)
TRY_CALL(vfork, 0)
TRY(execve, execve("/bin/true", no_words, no_words))
TRY(execveat,
    syscall(SYS_execveat, probe.program, "", no_words, no_words, AT_EMPTY_PATH))
TRY(memfd, memfd_create("x", 0))
TRY(map_executable, map_executable())
TRY(make_executable, make_executable())
TRY(ptrace, ptrace(PTRACE_TRACEME, 0, 0, 0))
TRY(kill, kill(probe.parent, 0))
TRY_CALL(tgkill, probe.parent, probe.parent, 0)
TRY_CALL(rt_sigqueueinfo, probe.parent, 0, NULL)
TRY_CALL(pidfd_open, probe.parent, 0)
TRY(set_owner, fcntl(probe.unbound, F_SETOWN, probe.parent))
TRY(set_signal, fcntl(probe.unbound, F_SETSIG, SIGKILL))
TRY_CALL(process_vm_readv, probe.parent, NULL, 0, NULL, 0, 0)
TRY(priority, setpriority(PRIO_PROCESS, 0, 19))
TRY(limit, setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}))
TRY(dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
TRY_CALL(seccomp, 1, 0, NULL)
TRY_CALL(landlock_create_ruleset, NULL, 0, 1)
TRY_CALL(sched_setaffinity, 0, 0, NULL)
TRY_CALL(personality, 0xffffffff)

/* --- the system ----------------------------------------------------------- */

TRY(mount, mount("none", "/nowhere", "tmpfs", 0, NULL))
TRY(umount, umount2("/nowhere", 0))
TRY(unshare, unshare(CLONE_NEWUSER))
TRY(setns, setns(probe.program, 0))
TRY(chroot, chroot("/"))
TRY_CALL(pivot_root, ".", ".")
TRY_CALL(setuid, getuid())
TRY_CALL(setgid, 0)
TRY_CALL(setgroups, 0, NULL)
TRY_CALL(setresuid, -1, -1, -1)
TRY_CALL(capset, NULL, NULL)
TRY_CALL(io_uring_setup, 1, NULL)
TRY_CALL(userfaultfd, 0)
TRY_CALL(bpf, 0, NULL, 0)
TRY_CALL(keyctl, 0, -3, 0)
TRY_CALL(add_key, "user", "x", "x", 1, -1)
TRY_CALL(perf_event_open, NULL, 0, -1, -1, 0)
TRY_CALL(fanotify_init, 0, 0)
TRY_CALL(inotify_init1, 0)
TRY_CALL(name_to_handle_at, AT_FDCWD, ".", NULL, NULL, 0)
TRY_CALL(open_by_handle_at, AT_FDCWD, NULL, 0)
TRY_CALL(openat2, AT_FDCWD, ".", NULL, 0)
TRY_CALL(shmget, IPC_PRIVATE, 4096, 0600)
TRY_CALL(mq_open, "/probe", O_RDONLY, 0, NULL)
TRY_CALL(init_module, NULL, 0, "")
TRY_CALL(kexec_load, 0, 0, NULL, 0)
TRY_CALL(reboot, 0, 0, 0, NULL)
TRY_CALL(swapon, NULL, 0)
TRY_CALL(syslog, 10, NULL, 0)
TRY_CALL(clock_settime, CLOCK_REALTIME, NULL)
TRY_CALL(sethostname, NULL, 1000)
TRY_CALL(umask, 022)
TRY_CALL(chdir, "/")

static const struct probe call_probes[] = {ENTRY(unix_socket), ENTRY(fanout),
    ENTRY(abstract), ENTRY(inet_socket), ENTRY(inet6_socket),
    ENTRY(netlink_socket), ENTRY(packet_socket), ENTRY(socketpair), ENTRY(bind),
    ENTRY(listen), ENTRY(accept), ENTRY(buffer_size), ENTRY(ip_option),
    ENTRY(untaken), ENTRY(unread), ENTRY(type_ahead), ENTRY(fork),
    ENTRY(clone_sibling), ENTRY(clone3), ENTRY(vfork), ENTRY(execve),
    ENTRY(execveat), ENTRY(memfd), ENTRY(map_executable),
    ENTRY(make_executable), ENTRY(ptrace), ENTRY(kill), ENTRY(tgkill),
    ENTRY(rt_sigqueueinfo), ENTRY(pidfd_open), ENTRY(set_owner),
    ENTRY(set_signal), ENTRY(process_vm_readv), ENTRY(priority), ENTRY(limit),
    ENTRY(dumpable), ENTRY(seccomp), ENTRY(landlock_create_ruleset),
    ENTRY(sched_setaffinity), ENTRY(personality), ENTRY(mount), ENTRY(umount),
    ENTRY(unshare), ENTRY(setns), ENTRY(chroot), ENTRY(pivot_root),
    ENTRY(setuid), ENTRY(setgid), ENTRY(setgroups), ENTRY(setresuid),
    ENTRY(capset), ENTRY(io_uring_setup), ENTRY(userfaultfd), ENTRY(bpf),
    ENTRY(keyctl), ENTRY(add_key), ENTRY(perf_event_open), ENTRY(fanotify_init),
    ENTRY(inotify_init1), ENTRY(name_to_handle_at), ENTRY(open_by_handle_at),
    ENTRY(openat2), ENTRY(shmget), ENTRY(mq_open), ENTRY(init_module),
    ENTRY(kexec_load), ENTRY(reboot), ENTRY(swapon), ENTRY(syslog),
    ENTRY(clock_settime), ENTRY(sethostname), ENTRY(umask), ENTRY(chdir),
    {NULL, NULL}};

#endif
