/* What hchat keeps: rooms, accounts to log in by, uploads to read. */
#include "handlers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_STATE, "meta",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
	    SANDBOX_REMOVE},
    {SANDBOX_STATE, "db",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_FILES, NULL, SANDBOX_READ},
    RULES_APPEND,
    RULES_LOG_IN,
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_hchat.h"
};

static const struct sock_filter template_filter[] = {
#include "gen/seccomp_hchat_template.h"
};

const struct sandbox hchat_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .template_filter = SANDBOX_FILTER(template_filter),
};
