/* What chatfile keeps: rooms, and accounts to log in by; no uploads. */
#include "handlers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "meta", SANDBOX_READ},
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    RULES_APPEND,
    RULES_LOG_IN,
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_chatfile.h"
};

static const struct sock_filter template_filter[] = {
#include "gen/seccomp_chatfile_template.h"
};

const struct sandbox chatfile_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .template_filter = SANDBOX_FILTER(template_filter),
};
