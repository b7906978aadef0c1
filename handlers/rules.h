/*
 * What each handler keeps once it is confined (sandbox.h): its list of folders
 * and its filters, in its NAME_rules.c. tests/bin/probe.c tries them.
 */
#ifndef HANDLERS_RULES_H
#define HANDLERS_RULES_H

#include "lib/sandbox.h"

extern const struct sandbox chatfile_sandbox;
extern const struct sandbox hchat_sandbox;
extern const struct sandbox bcs_sandbox;
extern const struct sandbox toychat_sandbox;

#endif
