/* What bcs keeps: the lobby, who is there, uploads; no accounts. */
#include "handlers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms",
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    {SANDBOX_FILES, NULL,
	SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE},
    RULES_APPEND,
    {SANDBOX_RUNTIME, "present",
	SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE},
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_bcs.h"
};

static const struct sock_filter template_filter[] = {
#include "gen/seccomp_bcs_template.h"
};

const struct sandbox bcs_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .template_filter = SANDBOX_FILTER(template_filter),
};
