/* What toychat keeps: accounts and inboxes, the lobby, uploads. */
#include "handlers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "accounts",
	SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_FILES, NULL,
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    RULES_APPEND,
    RULES_LOG_IN,
    {SANDBOX_RUNTIME, "present", SANDBOX_READ},
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_toychat.h"
};

static const struct sock_filter template_filter[] = {
#include "gen/seccomp_toychat_template.h"
};

const struct sandbox toychat_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .template_filter = SANDBOX_FILTER(template_filter),
};
