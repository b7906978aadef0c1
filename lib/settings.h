/*
 * Every setting: an environment variable PARLANCE_NAME, listed with type,
 * bounds, default and description in one table (settings.c), from which
 * etc/parlance.conf is generated. A malformed value is an error that names it,
 * never silently the default.
 *
 *	settings_import(path, &error)    serve and parlance only: the file
 *	settings_load(&settings, &error) everyone: the environment
 *
 * Handlers get the file's contents through the environment (EnvironmentFile=
 * or serve); the environment wins over the file.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum sandbox_mode { SANDBOX_OFF, SANDBOX_TRY, SANDBOX_REQUIRE };

struct settings {
	const char *files; /* folder of uploads; NULL: state's */
	uint64_t file_max; /* bytes of one upload */
	uint64_t min_free; /* bytes an upload leaves free */
	uint64_t rate; /* bcs: sends a second; 0: no limit */
	uint64_t connections; /* at once, a door */
	uint64_t connections_source; /* at once, a source */
	const char *trusted_proxies; /* addresses and CIDRs; never NULL */
	uint64_t hash_slots; /* passwords hashed at once, a host */
	uint64_t create_rate; /* rooms, accounts made a minute, a source */
	uint64_t bcs_ack_timeout; /* seconds */
	uint64_t poll_timeout; /* seconds; 0: none */
	bool guests;
	bool registration;
	enum sandbox_mode sandbox;
};

/* What was wrong: one line of text, for log_usage(). */
struct settings_error {
	char text[512];
};

/* Fills settings from the environment. Strings point into it. Returns 0 or
 * -EINVAL, with the text. */
int settings_load(struct settings *, struct settings_error *);

/* Sets in the environment what the EnvironmentFile= at path sets and the
 * environment does not. Lines: NAME=VALUE, blank, or a comment (# or ;); the
 * value may stand in quotes. Besides settings it may set STATE_DIRECTORY and
 * RUNTIME_DIRECTORY, so that PARLANCE_CONF alone names a host (design 3).
 * Returns 0, -EINVAL (malformed or no such setting, with path and line) or
 * -errno. */
int settings_import(const char *path, struct settings_error *);

/* The same for the file that PARLANCE_CONF names, which must then exist; else,
 * for a user who is not root, for parlance/parlance.conf below XDG_CONFIG_HOME
 * (~/.config) if it is there, as systemd's units of a user do; else for the
 * host's, which need not exist. */
int settings_import_default(struct settings_error *);

/* Writes etc/parlance.conf. */
void settings_document(FILE *);

#endif
