/*
 * seccomp NAME: prints a seccomp filter as the contents of a C array of struct
 * sock_filter: made with libseccomp at build time, so that no program links it
 * or spends 200 us a connection on compiling a filter (design 3).
 *
 *	chatfile hchat bcs toychat	what a handler may do with its client
 *	NAME_template	the same, and it may fork as template.h does
 *	child		besides, for what a template forked: it may not
 *	any		what one of the handlers may do: for tests
 *	fanout gallery	what a helper may do
 *
 * What libc may want and can do without gets ENOSYS, so that it falls back.
 * What must never happen gets EPERM, so that it shows. HACKING.md tells how to
 * find what a program lacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
	CHATFILE = 1,
	HCHAT = 2,
	BCS = 4,
	TOYCHAT = 8,
	FANOUT = 16,
	GALLERY = 32,
	TEMPLATE = 64, /* besides its door */
	DOORS = CHATFILE | HCHAT | BCS | TOYCHAT,
	STORE = CHATFILE | HCHAT | TOYCHAT, /* accounts: SQLite, libsodium */
	LIVE = CHATFILE | HCHAT | BCS, /* waits for fanout's bell */
	HELPERS = FANOUT | GALLERY, /* sd-event */
	ALL = DOORS | HELPERS
};

static const struct {
	const char *name;
	unsigned who;
} programs[] = {{"chatfile", CHATFILE}, {"hchat", HCHAT}, {"bcs", BCS},
    {"toychat", TOYCHAT}, {"any", DOORS}, {"fanout", FANOUT},
    {"gallery", GALLERY}};

/* Calls that go by no argument. Those that others decide are below. */
static const struct {
	int call;
	unsigned who;
} allowed[] = {
    /* bytes */
    {CALL(read), ALL},
    {CALL(write), ALL},
    {CALL(writev), ALL},
    {CALL(pread64), ALL},
    {CALL(pwrite64), DOORS},
    {CALL(sendfile), DOORS},
    /* files: Landlock says which; openat is below. fstat, stat and access are
     * newfstatat and faccessat2, or not, as libc and kernel please. */
    {CALL(close), ALL},
    {CALL(fstat), ALL},
    {CALL(newfstatat), ALL},
    {CALL(statx), ALL},
    {CALL(access), LIVE}, /* is there a /proc? (helper.h) */
    {CALL(faccessat), DOORS},
    {CALL(faccessat2), DOORS},
    {CALL(getdents64), DOORS | FANOUT},
    {CALL(lseek), DOORS}, /* libc: what stdio read too much; SQLite */
    {CALL(flock), DOORS},
    {CALL(ftruncate), DOORS},
    {CALL(fallocate), DOORS},
    {CALL(fsync), DOORS},
    {CALL(fdatasync), DOORS},
    {CALL(linkat), DOORS},
    {CALL(unlinkat), DOORS | FANOUT},
    {CALL(renameat), DOORS},
    {CALL(renameat2), DOORS}, /* renameat, where there is none (RISC-V) */
    {CALL(sync_file_range), BCS | TOYCHAT}, /* uploads, as they come */
    {CALL(fstatfs), BCS | TOYCHAT}, /* PARLANCE_MIN_FREE */
    {CALL(unlink), STORE}, /* SQLite, by path */
    {CALL(getcwd), STORE}, /* SQLite, STATE_DIRECTORY being relative */
    {CALL(readlink), STORE}, /* SQLite, a link on the way to it */
    {CALL(utimensat), STORE}, /* RUNTIME_DIRECTORY/auth */
    /* waiting */
    {CALL(poll), DOORS},
    {CALL(ppoll), DOORS},
    {CALL(setitimer), DOORS}, /* a lock's deadline */
    {CALL(restart_syscall), ALL}, /* SIGSTOP, then SIGCONT */
    {CALL(nanosleep), STORE}, /* SQLite, for the database */
    {CALL(clock_nanosleep), STORE},
    {CALL(epoll_wait), HELPERS},
    {CALL(epoll_pwait), HELPERS},
    {CALL(epoll_pwait2), HELPERS},
    {CALL(epoll_ctl), HELPERS},
    {CALL(epoll_create1), GALLERY}, /* viewers_start() */
    {CALL(timerfd_create), HELPERS}, /* sd-event, at the first of a clock */
    {CALL(timerfd_settime), HELPERS},
    {CALL(signalfd4), HELPERS}, /* sd-event, at the end */
    {CALL(inotify_add_watch), GALLERY}, /* while somebody views */
    {CALL(inotify_rm_watch), GALLERY},
    /* sockets: socket and setsockopt are below */
    {CALL(connect), LIVE},
    {CALL(recvfrom), DOORS | HELPERS | TEMPLATE}, /* PROXY lines */
    {CALL(recvmsg), GALLERY | TEMPLATE},
    {CALL(recvmmsg), BCS}, /* live_next() */
    {CALL(sendto), BCS | HELPERS | TEMPLATE}, /* send() */
    {CALL(sendmsg), HCHAT | HELPERS}, /* a stream for gallery; sd_notify */
    {CALL(accept4), HELPERS},
    {CALL(shutdown), DOORS | GALLERY},
    {CALL(getsockopt), DOORS | HELPERS},
    {CALL(getpeername), DOORS},
    {CALL(getsockname), DOORS}, /* libc: getnameinfo */
    {CALL(dup2), TEMPLATE},
    {CALL(dup3), TEMPLATE},
    /* memory: mmap and mprotect are below */
    {CALL(brk), ALL},
    {CALL(munmap), ALL},
    {CALL(mremap), ALL}, /* libc: realloc of what is large */
    {CALL(madvise), ALL},
    /* signals, time, oneself */
    {CALL(rt_sigaction), ALL},
    {CALL(rt_sigprocmask), ALL},
    {CALL(rt_sigreturn), ALL},
    {CALL(rt_sigpending), DOORS},
    {CALL(getpid), ALL},
    {CALL(gettid), ALL}, /* libc: abort */
    {CALL(getuid), HELPERS}, /* sd_notify says who it is */
    {CALL(getgid), HELPERS},
    {CALL(getegid), HELPERS},
    {CALL(geteuid), STORE | HELPERS},
    {CALL(clock_gettime), ALL}, /* these three: where there is no vDSO */
    {CALL(gettimeofday), ALL},
    {CALL(time), ALL},
    {CALL(getrandom), ALL},
    {CALL(sysinfo), DOORS}, /* libc: qsort asks how much memory there is */
    {CALL(futex), ALL}, /* libc: its own locks */
    {CALL(exit), ALL},
    {CALL(exit_group), ALL},
};

/* Refused with EPERM, but for who is named. */
static const struct {
	int call;
	unsigned who;
} forbidden[] = {
    {CALL(truncate), 0},
    {CALL(chmod), 0},
    {CALL(fchmod), 0},
    {CALL(fchmodat), 0},
    {CALL(chown), 0},
    {CALL(fchown), 0}, /* SQLite tries, as root, and does without */
    {CALL(lchown), 0},
    {CALL(fchownat), 0},
    {CALL(setxattr), 0},
    {CALL(lsetxattr), 0},
    {CALL(fsetxattr), 0},
    {CALL(removexattr), 0},
    {CALL(lremovexattr), 0},
    {CALL(fremovexattr), 0},
    {CALL(link), 0},
    {CALL(linkat), DOORS},
    {CALL(symlink), 0},
    {CALL(symlinkat), 0},
    {CALL(rename), 0},
    {CALL(renameat), DOORS},
    {CALL(renameat2), DOORS},
    {CALL(unlink), STORE},
    {CALL(unlinkat), DOORS | FANOUT},
    {CALL(rmdir), 0},
    {CALL(mkdir), 0},
    {CALL(mkdirat), 0},
    {CALL(mknod), 0},
    {CALL(mknodat), 0},
    {CALL(creat), 0},
    {CALL(openat2), 0},
    {CALL(ftruncate), DOORS},
    {CALL(mount), 0},
    {CALL(umount2), 0},
    {CALL(pivot_root), 0},
    {CALL(chroot), 0},
    {CALL(unshare), 0},
    {CALL(setns), 0},
    {CALL(bind), 0},
    {CALL(listen), 0},
    {CALL(accept), 0},
    {CALL(accept4), HELPERS},
    {CALL(connect), LIVE},
    {CALL(socketpair), 0},
    {CALL(execve), 0},
    {CALL(execveat), 0},
    {CALL(fork), 0},
    {CALL(vfork), 0},
    {CALL(memfd_create), 0},
    {CALL(ptrace), 0},
    {CALL(process_vm_readv), 0},
    {CALL(process_vm_writev), 0},
    {CALL(pidfd_open), 0},
    {CALL(pidfd_getfd), 0},
    {CALL(pidfd_send_signal), 0},
    {CALL(kill), 0},
    {CALL(tkill), 0},
    {CALL(tgkill), 0},
    {CALL(rt_sigqueueinfo), 0},
    {CALL(rt_tgsigqueueinfo), 0},
    {CALL(setuid), 0},
    {CALL(setgid), 0},
    {CALL(setgroups), 0},
    {CALL(setreuid), 0},
    {CALL(setregid), 0},
    {CALL(setresuid), 0},
    {CALL(setresgid), 0},
    {CALL(capset), 0},
    {CALL(prctl), TEMPLATE}, /* its name in ps(1) */
    {CALL(setpriority), 0},
    {CALL(setrlimit), 0},
    {CALL(prlimit64), 0},
    {CALL(bpf), 0},
    {CALL(keyctl), 0},
    {CALL(add_key), 0},
    {CALL(request_key), 0},
    {CALL(io_uring_setup), 0},
    {CALL(userfaultfd), 0},
    {CALL(perf_event_open), 0},
    {CALL(name_to_handle_at), 0},
    {CALL(open_by_handle_at), 0},
    {CALL(init_module), 0},
    {CALL(finit_module), 0},
    {CALL(kexec_load), 0},
    {CALL(reboot), 0},
    {CALL(swapon), 0},
    {CALL(syslog), 0},
};

static int add(scmp_filter_ctx ctx, uint32_t action, int call)
{
	/* Below -1: a call that this architecture does not have. */
	return call < -1 ? 0 : seccomp_rule_add(ctx, action, call, 0);
}

static int add_calls(scmp_filter_ctx ctx, unsigned who)
{
	int r = 0;

	for (size_t i = 0; i < COUNT(allowed) && r == 0; i++)
		if (allowed[i].who & who)
			r = add(ctx, SCMP_ACT_ALLOW, allowed[i].call);
	for (size_t i = 0; i < COUNT(forbidden) && r == 0; i++)
		if (!(forbidden[i].who & who))
			r = add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i].call);
	return r;
}

/* A call that is allowed where the bits of mask in an argument are value, and
 * otherwise refused. */
static int add_masked(scmp_filter_ctx ctx, int call, unsigned argument,
    uint64_t mask, uint64_t value)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value));

	/* Each bit that differs refuses: a filter has no "not". */
	for (int bit = 0; bit < 32 && r == 0; bit++)
		if (mask & 1ULL << bit)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call,
			    1,
			    SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 1ULL << bit,
				~value & 1ULL << bit));
	return r;
}

/* The same with one value of a whole argument. */
static int add_equal(
    scmp_filter_ctx ctx, int call, unsigned argument, int value)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP(argument, SCMP_CMP_EQ, (scmp_datum_t)value));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 1,
		    SCMP_CMP(argument, SCMP_CMP_NE, (scmp_datum_t)value));
	return r;
}

/* No memory that can be run, no file for writing that a helper opens. */
static int add_memory_and_files(scmp_filter_ctx ctx, unsigned who)
{
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int r = add_masked(ctx, CALL(mmap), 2, PROT_EXEC, 0);

	if (r == 0)
		r = add_masked(ctx, CALL(mprotect), 2, PROT_EXEC, 0);
	if (r == 0)
		r = who & DOORS ? add(ctx, SCMP_ACT_ALLOW, CALL(openat))
				: add_masked(ctx, CALL(openat), 2, writes, 0);
	return r;
}

/* A Unix socket: to fanout and gallery, or a helper's to systemd. How much its
 * peer has not taken yet, and nothing else of ioctl. */
static int add_sockets(scmp_filter_ctx ctx, unsigned who)
{
	static const int levels[] = {SOL_SOCKET, IPPROTO_TCP};
	int r = who & (LIVE | HELPERS)
		    ? add_equal(ctx, CALL(socket), 0, AF_UNIX)
		    : add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(socket));

	for (size_t i = 0; i < COUNT(levels) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(setsockopt), 1,
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)levels[i]));
	if (r == 0 && (who & DOORS))
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ));
	return r;
}

/* Descriptors' flags and locks (SQLite's by the names that 64 bits have). With
 * F_SETOWN and F_SETSIG it would be a way to kill what else runs as this user.
 */
static int add_fcntl(scmp_filter_ctx ctx)
{
	static const int commands[] = {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD,
	    F_GETFL, F_SETFL, F_GETLK64, F_SETLK64, F_SETLKW64, F_OFD_GETLK,
	    F_OFD_SETLK};
	int r = 0;

	for (size_t i = 0; i < COUNT(commands) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(fcntl), 1,
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	return r;
}

/* What fork(2) is made of. A template's flags are those of fork_sibling(). */
static int add_clone(scmp_filter_ctx ctx, unsigned who)
{
	int r;

	if (!(who & TEMPLATE))
		return add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone));
	r = add_equal(ctx, CALL(clone), 0, CLONE_PARENT | SIGCHLD);
	if (r == 0)
		r = add_equal(ctx, CALL(prctl), 0, PR_SET_NAME);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(seccomp), 1,
		    SCMP_A0(SCMP_CMP_EQ, SECCOMP_SET_MODE_FILTER));
	return r;
}

static int program_build(scmp_filter_ctx ctx, unsigned who)
{
	int r = add_calls(ctx, who);

	if (r == 0)
		r = add_memory_and_files(ctx, who);
	if (r == 0)
		r = add_sockets(ctx, who);
	if (r == 0)
		r = add_fcntl(ctx);
	if (r == 0)
		r = add_clone(ctx, who);
	/* A binary tree over the call's number instead of a long list. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

/* On top of a template's: that one still forbids the rest. */
static int child_build(scmp_filter_ctx ctx)
{
	int r = add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone));

	return r ? r : add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(seccomp));
}

/* Who goes by this name, or 0. */
static unsigned program_find(const char *name)
{
	size_t len = strcspn(name, "_");

	for (size_t i = 0; i < COUNT(programs); i++) {
		if (strlen(programs[i].name) != len ||
		    strncmp(programs[i].name, name, len) != 0)
			continue;
		if (!name[len])
			return programs[i].who;
		if (strcmp(name + len, "_template") == 0)
			return programs[i].who | TEMPLATE;
	}
	return 0;
}

static int filter_print(scmp_filter_ctx ctx)
{
	struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} insn;
	FILE *file = tmpfile();

	if (!file || seccomp_export_bpf(ctx, fileno(file)) < 0)
		return -1;
	rewind(file);
	while (fread(&insn, sizeof insn, 1, file) == 1)
		printf("{0x%02x, %u, %u, 0x%08x},\n", insn.code, insn.jt,
		    insn.jf, insn.k);
	(void)fclose(file);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc == 2 ? argv[1] : "";
	bool child = strcmp(name, "child") == 0;
	unsigned who = program_find(name);
	scmp_filter_ctx ctx =
	    seccomp_init(child ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
	int r = !ctx ? -ENOMEM : !child && !who ? -EINVAL : 0;

	if (r == 0)
		r = child ? child_build(ctx) : program_build(ctx, who);
	if (r == 0)
		r = filter_print(ctx);
	if (r < 0)
		fprintf(stderr, "seccomp: %s: error %d\n", name, r);
	seccomp_release(ctx);
	return r < 0;
}
