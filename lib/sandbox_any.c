#include "sandbox.h"

static const struct sock_filter filter[] = {
#include "gen/seccomp_any.h"
};

const struct sock_fprog sandbox_filter_any = SANDBOX_FILTER(filter);
