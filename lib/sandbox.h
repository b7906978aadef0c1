/*
 * A handler drops what it does not need (design 3): no_new_privs, a Landlock
 * ruleset over the folders its door uses, and a seccomp filter that
 * lib/gen/seccomp.c made at build time with libseccomp.
 *
 *	static const struct sandbox_rule rules[] = {
 *		{SANDBOX_STATE, "rooms", SANDBOX_READ | SANDBOX_WRITE}, {0}};
 *	sandbox_enter(&state, rules, SANDBOX_REQUIRE, &missing);
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>

#include "settings.h"
#include "state.h"

enum sandbox_where {
	SANDBOX_NONE,
	SANDBOX_STATE,
	SANDBOX_RUNTIME,
	SANDBOX_PATH
};

/* What may be done in a folder, or with a file. */
enum sandbox_right {
	SANDBOX_READ = 1, /* open files for reading */
	SANDBOX_LIST = 2, /* list the folder */
	SANDBOX_WRITE = 4, /* open files for writing, ftruncate */
	SANDBOX_MAKE = 8, /* make and link files */
	SANDBOX_REMOVE = 16, /* unlink and rename files */
};

struct sandbox_rule {
	enum sandbox_where where; /* SANDBOX_NONE ends the list */
	const char *name; /* below that directory; SANDBOX_PATH: a path */
	int rights;
};

/* What could not be had. */
struct sandbox_missing {
	const char *what; /* NULL: nothing */
	int error;
};

/* Confines the process for good. With SANDBOX_TRY what the kernel or a
 * container does not offer (ENOSYS, EOPNOTSUPP, EPERM) is told in *missing and
 * is no failure; SANDBOX_OFF does nothing. 0 or -errno. */
int sandbox_enter(const struct state *, const struct sandbox_rule *,
    enum sandbox_mode, struct sandbox_missing *);

/* The same for a template (template.h), which may still fork, once more and
 * again, and for what it forked, which may not: that comes on top, before the
 * child reads what its client sent. */
int sandbox_enter_template(const struct state *, const struct sandbox_rule *,
    enum sandbox_mode, struct sandbox_missing *);
int sandbox_enter_child(enum sandbox_mode);

/* The folders only, no seccomp filter: for helpers, which accept connections
 * and do what else a handler must not. Abstract Unix sockets (systemd's notify
 * socket may be one) and signals stay within reach. */
int sandbox_folders(const struct state *, const struct sandbox_rule *,
    enum sandbox_mode, struct sandbox_missing *);

#endif
