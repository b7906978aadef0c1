#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
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
#define SCOPE_BOTH 3ULL /* ABI 6: abstract sockets, signals */

/* struct landlock_ruleset_attr as of ABI 6; older kernels take the larger one
 * as long as what they do not know is zero. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static const struct sock_filter handler_filter[] = {
#include "gen/seccomp_handler.h"
};

static const struct sock_filter template_filter[] = {
#include "gen/seccomp_template.h"
};

static const struct sock_filter child_filter[] = {
#include "gen/seccomp_child.h"
};

#define FILTER(array)                                                          \
	(struct sock_fprog)                                                    \
	{                                                                      \
		sizeof(array) / sizeof(array)[0], (struct sock_filter *)array  \
	}

#define FILE_RIGHTS                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	    ACCESS_FS_TRUNCATE)

static struct ruleset ruleset_for(long abi, bool scoped)
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
	if (abi >= 6 && scoped)
		r.scoped = SCOPE_BOTH;
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

static int rule_directory(
    const struct state *s, const struct sandbox_rule *rule)
{
	switch (rule->where) {
	case SANDBOX_STATE:
		return s->state;
	case SANDBOX_RUNTIME:
		return s->runtime;
	default:
		return AT_FDCWD;
	}
}

/* A rule for what is not there grants nothing, and is no error. */
static int rule_add(int ruleset, const struct ruleset *handled,
    const struct state *s, const struct sandbox_rule *rule)
{
	struct landlock_path_beneath_attr beneath = {
	    .allowed_access = rights_to_access(rule->rights) & handled->fs};
	struct stat st;
	int fd =
	    openat(rule_directory(s, rule), rule->name, O_PATH | O_CLOEXEC);
	long r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed_access &= FILE_RIGHTS;
	beneath.parent_fd = fd;
	r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	    &beneath, 0);
	r = r < 0 ? -errno : 0;
	(void)close(fd);
	return (int)r;
}

static int landlock_enter(
    const struct state *s, const struct sandbox_rule *rules, bool scoped)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset handled = ruleset_for(abi, scoped);
	int fd, r = 0;

	if (abi < 0)
		return -errno;
	fd = (int)syscall(
	    SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (fd < 0)
		return -errno;
	for (; rules->where != SANDBOX_NONE && r == 0; rules++)
		r = rule_add(fd, &handled, s, rules);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int seccomp_enter(struct sock_fprog program)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
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

static int enter_folders(const struct state *s,
    const struct sandbox_rule *rules, enum sandbox_mode mode, bool scoped,
    struct sandbox_missing *missing)
{
	int r;

	*missing = (struct sandbox_missing){0};
	if (mode == SANDBOX_OFF)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = landlock_enter(s, rules, scoped);
	return r < 0 && !excused(r, mode, "landlock", missing) ? r : 0;
}

int sandbox_folders(const struct state *s, const struct sandbox_rule *rules,
    enum sandbox_mode mode, struct sandbox_missing *missing)
{
	return enter_folders(s, rules, mode, false, missing);
}

static int enter_all(const struct state *s, const struct sandbox_rule *rules,
    enum sandbox_mode mode, struct sandbox_missing *missing,
    struct sock_fprog program)
{
	int r = enter_folders(s, rules, mode, true, missing);

	if (r < 0 || mode == SANDBOX_OFF)
		return r;
	r = seccomp_enter(program);
	if (r < 0 && !excused(r, mode, "seccomp", missing))
		return r;
	return 0;
}

int sandbox_enter(const struct state *s, const struct sandbox_rule *rules,
    enum sandbox_mode mode, struct sandbox_missing *missing)
{
	return enter_all(s, rules, mode, missing, FILTER(handler_filter));
}

int sandbox_enter_template(const struct state *s,
    const struct sandbox_rule *rules, enum sandbox_mode mode,
    struct sandbox_missing *missing)
{
	return enter_all(s, rules, mode, missing, FILTER(template_filter));
}

int sandbox_enter_child(enum sandbox_mode mode)
{
	struct sandbox_missing missing;
	int r = 0;

	if (mode != SANDBOX_OFF)
		r = seccomp_enter(FILTER(child_filter));
	return r < 0 && !excused(r, mode, "seccomp", &missing) ? r : 0;
}
