/* What gallery keeps: rooms to read. It can write nothing. */
#include "helpers/rules.h"

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms", SANDBOX_READ},
    {SANDBOX_RUNTIME, "index", SANDBOX_READ},
    /* sd-event spreads the timers of a host's programs by it. */
    {SANDBOX_PATH, "/proc/sys/kernel/random/boot_id", SANDBOX_READ},
    {SANDBOX_NONE, NULL, 0},
};

static const struct sock_filter filter[] = {
#include "gen/seccomp_gallery.h"
};

const struct sandbox gallery_sandbox = {
    .rules = rules,
    .filter = SANDBOX_FILTER(filter),
    .notifies = true,
};
