#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#define ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define ACCESS_NET_BOTH 3ULL /* ABI 4: bind and connect by TCP */
#define SCOPE_ABSTRACT_SOCKETS 1ULL /* ABI 6 */
#define SCOPE_SIGNALS 2ULL

/* struct landlock_ruleset_attr as of ABI 6; older kernels take the larger one
 * as long as what they do not know is zero. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static const struct sock_filter child_filter[] = {
#include "gen/seccomp_child.h"
};

static const struct sock_fprog child_program = SANDBOX_FILTER(child_filter);

#define FILE_RIGHTS                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	    ACCESS_FS_TRUNCATE)

static struct ruleset ruleset_for(long abi, bool notifies)
{
	struct ruleset r = {.fs = (1ULL << 13) - 1};

	if (abi >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r.fs |= ACCESS_FS_TRUNCATE;
	if (abi >= 4)
		r.net = ACCESS_NET_BOTH;
	if (abi >= 5)
		r.fs |= ACCESS_FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped =
		    SCOPE_SIGNALS | (notifies ? 0 : SCOPE_ABSTRACT_SOCKETS);
	return r;
}

static uint64_t rights_to_access(int rights)
{
	static const struct {
		int right;
		uint64_t access;
	} map[] = {
	    {SANDBOX_READ, LANDLOCK_ACCESS_FS_READ_FILE},
	    {SANDBOX_LIST, LANDLOCK_ACCESS_FS_READ_DIR},
	    {SANDBOX_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE},
	    {SANDBOX_MAKE, LANDLOCK_ACCESS_FS_MAKE_REG},
	    {SANDBOX_REMOVE, LANDLOCK_ACCESS_FS_REMOVE_FILE},
	};
	uint64_t access = 0;

	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (rights & map[i].right)
			access |= map[i].access;
	return access;
}

/* What a rule is about, O_PATH, or -errno. */
static int rule_open(const struct sandbox_rule *rule, const struct state *s,
    const struct settings *settings)
{
	const char *name = rule->name;
	int dir = AT_FDCWD, fd;

	if (rule->where == SANDBOX_STATE)
		dir = s->state;
	else if (rule->where == SANDBOX_RUNTIME)
		dir = s->runtime;
	else if (rule->where == SANDBOX_FILES)
		name = settings->files;
	if (!name) {
		dir = s->state;
		name = "files";
	}
	fd = openat(dir, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int rule_add(int ruleset, uint64_t handled, int fd, int rights)
{
	struct landlock_path_beneath_attr beneath = {
	    .allowed_access = rights_to_access(rights) & handled,
	    .parent_fd = fd};
	struct stat st;

	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed_access &= FILE_RIGHTS;
	return syscall(SYS_landlock_add_rule, ruleset,
		   LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0
		   ? -errno
		   : 0;
}

/* A rule for what is not there grants nothing, and is no error. */
static int rules_add(int ruleset, uint64_t handled,
    const struct sandbox_rule *rule, const struct state *s,
    const struct settings *settings)
{
	int fd, r = 0;

	for (; rule && rule->where != SANDBOX_NONE && r == 0; rule++) {
		fd = rule_open(rule, s, settings);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		r = rule_add(ruleset, handled, fd, rule->rights);
		(void)close(fd);
	}
	return r;
}

static int landlock_enter(const struct sandbox *sandbox, const struct state *s,
    const struct settings *settings)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset handled = ruleset_for(abi, sandbox->notifies);
	int fd, r;

	if (abi < 0)
		return -errno;
	fd = (int)syscall(
	    SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (fd < 0)
		return -errno;
	r = rules_add(fd, handled.fs, sandbox->rules, s, settings);
	if (r == 0)
		r = rules_add(fd, handled.fs, sandbox->more, s, settings);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int seccomp_enter(const struct sock_fprog *program)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0)
		return -errno;
	return 0;
}

/* Is this failure one that PARLANCE_SANDBOX=try lives with? */
static bool excused(int r, enum sandbox_mode mode, const char *what,
    struct sandbox_missing *missing)
{
	if (mode != SANDBOX_TRY ||
	    (r != -ENOSYS && r != -EOPNOTSUPP && r != -EPERM))
		return false;
	*missing = (struct sandbox_missing){what, r};
	return true;
}

static int enter(const struct sandbox *sandbox,
    const struct sock_fprog *program, const struct state *s,
    const struct settings *settings, struct sandbox_missing *missing)
{
	enum sandbox_mode mode = settings->sandbox;
	int r;

	*missing = (struct sandbox_missing){0};
	if (mode == SANDBOX_OFF)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = landlock_enter(sandbox, s, settings);
	if (r < 0 && !excused(r, mode, "landlock", missing))
		return r;
	r = seccomp_enter(program);
	return r < 0 && !excused(r, mode, "seccomp", missing) ? r : 0;
}

int sandbox_enter(const struct sandbox *sandbox, const struct state *s,
    const struct settings *settings, struct sandbox_missing *missing)
{
	return enter(sandbox, &sandbox->filter, s, settings, missing);
}

int sandbox_enter_template(const struct sandbox *sandbox, const struct state *s,
    const struct settings *settings, struct sandbox_missing *missing)
{
	return enter(sandbox, &sandbox->template_filter, s, settings, missing);
}

int sandbox_enter_child(enum sandbox_mode mode)
{
	struct sandbox_missing missing;
	int r = 0;

	if (mode != SANDBOX_OFF)
		r = seccomp_enter(&child_program);
	return r < 0 && !excused(r, mode, "seccomp", &missing) ? r : 0;
}
