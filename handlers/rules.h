/*
 * What each handler keeps once it is confined (sandbox.h): its list of folders
 * and its filters, in its NAME_rules.c. tests/bin/probe.c tries them.
 */
#ifndef HANDLERS_RULES_H
#define HANDLERS_RULES_H

#include "lib/sandbox.h"

/* clang-format off */
/* What it takes to append to a room, beside rooms/. */
#define RULES_APPEND \
	{SANDBOX_STATE, "lost", \
	    SANDBOX_MAKE | SANDBOX_WRITE | SANDBOX_REMOVE}, \
	{SANDBOX_RUNTIME, "index", \
	    SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE}, \
	{SANDBOX_RUNTIME, "failed", \
	    SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE}

/* What it takes to log people in, beside db/. */
#define RULES_LOG_IN \
	{SANDBOX_RUNTIME, "auth", SANDBOX_WRITE | SANDBOX_MAKE}, \
	{SANDBOX_RUNTIME, "slots", SANDBOX_WRITE | SANDBOX_MAKE}, \
	{SANDBOX_RUNTIME, "rate", SANDBOX_READ | SANDBOX_WRITE}
/* clang-format on */

extern const struct sandbox chatfile_sandbox;
extern const struct sandbox hchat_sandbox;
extern const struct sandbox bcs_sandbox;
extern const struct sandbox toychat_sandbox;

#endif
