/*
 * A program drops what it does not need (design 3): no_new_privs, a Landlock
 * ruleset over the folders it uses, and a seccomp filter of its own that
 * lib/gen/seccomp.c made at build time with libseccomp. What each program
 * keeps is beside it, in NAME_rules.c.
 *
 *	static const struct sandbox_rule rules[] = {
 *		{SANDBOX_STATE, "rooms", SANDBOX_READ | SANDBOX_WRITE}, {0}};
 *	static const struct sock_filter filter[] = {
 *	#include "gen/seccomp_chatfile.h"
 *	};
 *	const struct sandbox chatfile_sandbox = {
 *	    .rules = rules, .filter = SANDBOX_FILTER(filter)};
 *
 *	sandbox_enter(&chatfile_sandbox, &state, &settings, &missing);
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "settings.h"
#include "state.h"

enum sandbox_where {
	SANDBOX_NONE,
	SANDBOX_STATE,
	SANDBOX_RUNTIME,
	SANDBOX_FILES, /* the folder of uploads (files.h) */
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

/* What one program may do. */
struct sandbox {
	const struct sandbox_rule *rules;
	const struct sandbox_rule *more; /* known at run time only, or NULL */
	struct sock_fprog filter;
	struct sock_fprog template_filter; /* handlers only */
	bool notifies; /* by an abstract Unix socket, if systemd says so */
};

#define SANDBOX_FILTER(array)                                                  \
	{                                                                      \
		sizeof(array) / sizeof(array)[0], (struct sock_filter *)array  \
	}

/* The filter of all doors together, for programs that are none: tests. */
extern const struct sock_fprog sandbox_filter_any;

/* What could not be had. */
struct sandbox_missing {
	const char *what; /* NULL: nothing */
	int error;
};

/* Confines the process for good, as settings->sandbox says. With SANDBOX_TRY
 * what the kernel or a container does not offer (ENOSYS, EOPNOTSUPP, EPERM) is
 * told in *missing and is no failure; SANDBOX_OFF does nothing. Where a rule's
 * file or folder is not there it grants nothing. 0 or -errno. */
int sandbox_enter(const struct sandbox *, const struct state *,
    const struct settings *, struct sandbox_missing *);

/* The same for a template (template.h), which may still fork, once more and
 * again, and for what it forked, which may not: that comes on top, before the
 * child reads what its client sent. */
int sandbox_enter_template(const struct sandbox *, const struct state *,
    const struct settings *, struct sandbox_missing *);
int sandbox_enter_child(enum sandbox_mode);

#endif
