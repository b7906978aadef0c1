/* What fanout keeps: who is there. What changes in index/ it is told. */
#include "helpers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_RUNTIME, "present", SANDBOX_READ | SANDBOX_LIST | SANDBOX_REMOVE},
    /* sd-event spreads the timers of a host's programs by it. */
    {SANDBOX_PATH, "/proc/sys/kernel/random/boot_id", SANDBOX_READ},
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_fanout.h"
};

const struct sandbox fanout_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .notifies = true,
};
