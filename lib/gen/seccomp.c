/*
 * seccomp NAME: prints a seccomp filter as the contents of a C array of struct
 * sock_filter: made with libseccomp at build time, so that a handler neither
 * links it nor spends 200 us a connection on compiling a filter (design 3).
 *
 *	handler   what a handler may do
 *	template  the same, and it may fork as template.h does, and take on
 *	child     besides, for what a template forked: neither of the two
 *
 * What libc may want and can do without gets ENOSYS, so that it falls back.
 * What must never happen gets EPERM, so that it shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
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
#include <sys/socket.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
    /* bytes */
    CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64),
    CALL(pwrite64), CALL(preadv), CALL(pwritev), CALL(preadv2), CALL(pwritev2),
    CALL(lseek), CALL(sendfile), CALL(copy_file_range), CALL(splice),
    CALL(recvfrom), CALL(sendto), CALL(recvmsg), CALL(sendmsg),
    /* files: Landlock says which */
    CALL(open), CALL(openat), CALL(close), CALL(close_range), CALL(dup),
    CALL(fstat), CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx),
    CALL(statfs), CALL(fstatfs), CALL(access), CALL(faccessat),
    CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getdents64),
    CALL(getcwd), CALL(flock), CALL(ftruncate), CALL(fallocate), CALL(fsync),
    CALL(fdatasync), CALL(sync_file_range), CALL(link), CALL(linkat),
    CALL(unlink), CALL(unlinkat), CALL(rename), CALL(renameat), CALL(renameat2),
    CALL(mkdir), CALL(mkdirat), CALL(rmdir), CALL(utimensat), CALL(umask),
    CALL(fadvise64),
    /* waiting */
    CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6), CALL(nanosleep),
    CALL(clock_nanosleep), CALL(setitimer), CALL(restart_syscall),
    /* sockets: socket() itself is below, and so is fcntl() */
    CALL(connect), CALL(shutdown), CALL(getsockopt), CALL(setsockopt),
    CALL(getsockname), CALL(getpeername),
    /* memory: mmap and mprotect are below */
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(msync),
    /* signals, time, oneself */
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
    CALL(rt_sigpending), CALL(sigaltstack), CALL(gettid), CALL(getpid),
    CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
    CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time),
    CALL(getrandom), CALL(getrusage), CALL(times), CALL(sysinfo), CALL(uname),
    CALL(futex), CALL(sched_yield), CALL(sched_getaffinity), CALL(rseq),
    CALL(set_robust_list), CALL(arch_prctl), CALL(exit), CALL(exit_group)};

static const int forbidden[] = {CALL(truncate), CALL(chmod), CALL(fchmod),
    CALL(fchmodat), CALL(chown), CALL(fchown), CALL(lchown), CALL(fchownat),
    CALL(bind), CALL(listen), CALL(accept), CALL(accept4), CALL(socketpair),
    CALL(execve), CALL(execveat), CALL(fork), CALL(vfork), CALL(ptrace),
    CALL(kill), CALL(tkill), CALL(tgkill), CALL(process_vm_readv),
    CALL(process_vm_writev), CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr),
    CALL(removexattr), CALL(lremovexattr), CALL(fremovexattr), CALL(mknod),
    CALL(mknodat), CALL(symlink), CALL(symlinkat), CALL(mount), CALL(umount2),
    CALL(chroot), CALL(setuid), CALL(setgid), CALL(setgroups), CALL(setresuid),
    CALL(setresgid), CALL(bpf), CALL(keyctl), CALL(io_uring_setup)};

static int add_each(
    scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* Below -1: a call that this architecture does not have. */
		if (calls[i] < 0)
			continue;
		int r = seccomp_rule_add(ctx, action, calls[i], 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Calls whose first arguments decide: no memory that can be both written and
 * run, no socket but a Unix one. */
static int add_conditional(scmp_filter_ctx ctx)
{
	static const int maps[] = {CALL(mmap), CALL(mprotect)};
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
			    maps[i], 1,
			    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(socket),
		    1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return r;
}

/* Descriptors' flags and locks (SQLite's by the names that 64 bits have). With
 * F_SETOWN and F_SETSIG it would be a way to kill what else runs as this user.
 */
static int add_fcntl(scmp_filter_ctx ctx)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,
	    F_SETFD, F_GETFL, F_SETFL, F_GETLK64, F_SETLK64, F_SETLKW64,
	    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
	int r = 0;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(fcntl),
			    1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	return r;
}

/* How much a socket's peer has not taken yet, and nothing else. */
static int add_ioctl(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1,
	    SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ));
}

/* What fork(2) is made of. A template's flags are those of fork_sibling(). */
static int add_clone(scmp_filter_ctx ctx, bool template)
{
	const int flags = CLONE_PARENT | SIGCHLD;
	int r;

	if (!template)
		return seccomp_rule_add(
		    ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 0);
	r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 1,
	    SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)flags));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(clone), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)flags));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(seccomp), 1,
		    SCMP_A0(SCMP_CMP_EQ, SECCOMP_SET_MODE_FILTER));
	return r;
}

static int handler_build(scmp_filter_ctx ctx, bool template)
{
	int r = add_each(
	    ctx, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof allowed[0]);

	if (r == 0)
		r = add_each(ctx, SCMP_ACT_ERRNO(EPERM), forbidden,
		    sizeof forbidden / sizeof forbidden[0]);
	if (r == 0)
		r = add_conditional(ctx);
	if (r == 0)
		r = add_fcntl(ctx);
	if (r == 0)
		r = add_ioctl(ctx);
	if (r == 0)
		r = add_clone(ctx, template);
	/* A binary tree over the call's number instead of a long list. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

/* On top of a template's: that one still forbids the rest. */
static int child_build(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 0);

	if (r == 0)
		r = seccomp_rule_add(
		    ctx, SCMP_ACT_ERRNO(EPERM), CALL(seccomp), 0);
	return r;
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
	scmp_filter_ctx ctx =
	    seccomp_init(child ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
	int r = ctx ? 0 : -ENOMEM;

	if (r == 0)
		r = child ? child_build(ctx)
			  : handler_build(ctx, strcmp(name, "template") == 0);
	if (r == 0)
		r = filter_print(ctx);
	if (r < 0)
		fprintf(stderr, "seccomp: %s: error %d\n", name, r);
	seccomp_release(ctx);
	return r < 0;
}
