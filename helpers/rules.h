/* The same as handlers/rules.h for the helpers that run all the time. */
#ifndef HELPERS_RULES_H
#define HELPERS_RULES_H

#include "lib/sandbox.h"

extern const struct sandbox fanout_sandbox;
extern const struct sandbox gallery_sandbox;

#endif
