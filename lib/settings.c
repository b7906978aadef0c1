#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "proxies.h"

#ifndef PARLANCE_SYSCONF
#define PARLANCE_SYSCONF "/etc/parlance/parlance.conf"
#endif

#define SIZE_LIMIT ((uint64_t)1 << 40)

enum kind {
	KIND_COUNT,
	KIND_SIZE,
	KIND_TIME,
	KIND_BOOL,
	KIND_WORD,
	KIND_TEXT,
	KIND_PROXIES
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max;
	const char *fallback;
	const char *help;
};

#define AT(field) offsetof(struct settings, field)

static const struct setting table[] = {
    {"PARLANCE_FILES", KIND_TEXT, AT(files), 0, 0, "",
	"The folder of uploads. Empty: files/ below the state directory."},
    {"PARLANCE_FILE_MAX", KIND_SIZE, AT(file_max), 0, SIZE_LIMIT, "64M",
	"The largest upload, in bytes (K, M and G may follow)."},
    {"PARLANCE_MIN_FREE", KIND_SIZE, AT(min_free), 0, SIZE_LIMIT, "256M",
	"An upload is refused if it would leave less free than this."},
    {"PARLANCE_RATE", KIND_COUNT, AT(rate), 0, 1000000, "20",
	"bcs: messages a second that one client may send. 0: no limit."},
    {"PARLANCE_CONNECTIONS", KIND_COUNT, AT(connections), 1, 1000000, "1000",
	"Connections at once, for each door."},
    {"PARLANCE_CONNECTIONS_PER_SOURCE", KIND_COUNT, AT(connections_source), 1,
	1000000, "50",
	"Connections at once from one address (IPv6: from one /64)."},
    {"PARLANCE_TRUSTED_PROXIES", KIND_PROXIES, AT(trusted_proxies), 0, 0, "",
	"Addresses or CIDRs whose word about the peer's address is believed."},
    {"PARLANCE_HASH_SLOTS", KIND_COUNT, AT(hash_slots), 1, 64, "2",
	"Passwords hashed at once on this host; each takes 19 MiB."},
    {"PARLANCE_CREATE_RATE", KIND_COUNT, AT(create_rate), 1, 100000, "30",
	"Rooms (hchat), and accounts (toychat), a minute that one address "
	"may make."},
    {"PARLANCE_BCS_ACK_TIMEOUT", KIND_TIME, AT(bcs_ack_timeout), 1, 3600, "30",
	"bcs: seconds until a client that acknowledges nothing is closed."},
    {"PARLANCE_POLL_TIMEOUT", KIND_TIME, AT(poll_timeout), 0, 86400, "0",
	"hchat: seconds until a waiting /msg is answered 204. 0: never."},
    {"PARLANCE_GUESTS", KIND_BOOL, AT(guests), 0, 1, "yes",
	"May people without an account speak?"},
    {"PARLANCE_REGISTER", KIND_BOOL, AT(registration), 0, 1, "yes",
	"toychat: may people make themselves an account?"},
    {"PARLANCE_SANDBOX", KIND_WORD, AT(sandbox), 0, 0, "try",
	"Landlock and seccomp in each handler: require, try or off."},
};

#define TABLE_LEN (sizeof table / sizeof table[0])

static const struct setting *setting_find(const char *name, size_t len)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (parse_is(name, len, table[i].name))
			return &table[i];
	return NULL;
}

static int parse_bool(const char *text, bool *ret)
{
	bool yes = strcmp(text, "yes") == 0;

	if (!yes && strcmp(text, "no") != 0)
		return -EINVAL;
	*ret = yes;
	return 0;
}

static int parse_sandbox(const char *text, enum sandbox_mode *ret)
{
	static const char *const modes[] = {"off", "try", "require"};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(text, modes[i]) == 0) {
			*ret = (enum sandbox_mode)i;
			return 0;
		}
	return -EINVAL;
}

static int parse_count(const struct setting *s, const char *text, uint64_t *ret)
{
	int (*parse)(const char *, size_t, uint64_t, uint64_t *) =
	    s->kind == KIND_SIZE ? parse_size : parse_u64;
	uint64_t value;
	int r = parse(text, strlen(text), s->max, &value);

	if (r < 0)
		return r;
	if (value < s->min)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int parse_proxies(const char *text, const char **ret)
{
	struct proxies p;
	int r = proxies_parse(&p, text, strlen(text), NULL);

	if (r == 0)
		*ret = text;
	return r;
}

static int setting_store(
    const struct setting *s, const char *text, struct settings *settings)
{
	void *at = (char *)settings + s->offset;

	switch (s->kind) {
	case KIND_BOOL:
		return parse_bool(text, at);
	case KIND_WORD:
		return parse_sandbox(text, at);
	case KIND_PROXIES:
		return parse_proxies(text, at);
	case KIND_TEXT:
		*(const char **)at = text;
		return 0;
	default:
		return parse_count(s, text, at);
	}
}

static void describe(const struct setting *s, char *text, size_t size)
{
	switch (s->kind) {
	case KIND_BOOL:
		(void)snprintf(text, size, "yes or no");
		break;
	case KIND_WORD:
		(void)snprintf(text, size, "require, try or off");
		break;
	case KIND_PROXIES:
		(void)snprintf(text, size,
		    "up to %d addresses or CIDRs, with commas or blanks "
		    "between",
		    PROXIES_MAX);
		break;
	case KIND_TEXT:
		(void)snprintf(text, size, "text");
		break;
	default:
		(void)snprintf(text, size, "a number from %ju to %ju%s",
		    (uintmax_t)s->min, (uintmax_t)s->max,
		    s->kind == KIND_TIME ? " (seconds)" : "");
	}
}

int settings_load(struct settings *settings, struct settings_error *error)
{
	char wanted[128];

	for (size_t i = 0; i < TABLE_LEN; i++) {
		const struct setting *s = &table[i];
		const char *text = getenv(s->name);

		if (!text)
			text = s->fallback;
		if (setting_store(s, text, settings) == 0)
			continue;
		describe(s, wanted, sizeof wanted);
		(void)snprintf(error->text, sizeof error->text, "%s=%s: not %s",
		    s->name, text, wanted);
		return -EINVAL;
	}
	if (settings->files && !settings->files[0])
		settings->files = NULL;
	return 0;
}

/* Trims blanks at both ends, and a pair of quotes around what is left. */
static char *value_trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (len >= 2 && (text[0] == '"' || text[0] == '\'') &&
	    text[len - 1] == text[0]) {
		text++;
		len -= 2;
	}
	text[len] = '\0';
	return text;
}

/* A file may also say which host it belongs to: state.h reads these. */
static bool is_place(const char *name, size_t len)
{
	return parse_is(name, len, "STATE_DIRECTORY") ||
	       parse_is(name, len, "RUNTIME_DIRECTORY");
}

/* 0, or a text that says what is wrong with the line. */
static const char *import_line(char *line)
{
	size_t name_len;

	line += strspn(line, " \t\r\n");
	if (!*line || *line == '#' || *line == ';')
		return NULL;
	name_len = strcspn(line, "=");
	if (!line[name_len])
		return "not NAME=VALUE";
	if (!setting_find(line, name_len) && !is_place(line, name_len))
		return "no such setting";
	line[name_len] = '\0';
	if (setenv(line, value_trim(line + name_len + 1), 0) < 0)
		return "out of memory";
	return NULL;
}

static int import_stream(
    FILE *file, const char *path, struct settings_error *error)
{
	char line[4096];
	const char *wrong;

	for (int n = 1; fgets(line, sizeof line, file); n++) {
		wrong = strchr(line, '\n') || feof(file) ? import_line(line)
							 : "line too long";
		if (!wrong)
			continue;
		line[strcspn(line, "\r\n")] = '\0';
		(void)snprintf(error->text, sizeof error->text,
		    "%s:%d: %s: %.200s", path, n, wrong, line);
		return -EINVAL;
	}
	return ferror(file) ? -EIO : 0;
}

int settings_import(const char *path, struct settings_error *error)
{
	FILE *file = fopen(path, "re");
	int r;

	if (!file) {
		r = -errno;
		(void)snprintf(error->text, sizeof error->text, "%s: %s", path,
		    strerror(errno));
		return r;
	}
	r = import_stream(file, path, error);
	if (r == -EIO)
		(void)snprintf(error->text, sizeof error->text,
		    "%s: cannot be read", path);
	(void)fclose(file);
	return r;
}

/* The file of a user who is not root: 0, or -ENOENT there is none. */
static int own_path(char *ret_path, size_t size)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n = -1;

	if (geteuid() == 0)
		return -ENOENT;
	if (base && *base)
		n = snprintf(ret_path, size, "%s/parlance/parlance.conf", base);
	else if (home && *home)
		n = snprintf(
		    ret_path, size, "%s/.config/parlance/parlance.conf", home);
	return n > 0 && (size_t)n < size && access(ret_path, F_OK) == 0
		   ? 0
		   : -ENOENT;
}

int settings_import_default(struct settings_error *error)
{
	const char *path = getenv("PARLANCE_CONF");
	char own[PATH_MAX];
	int r;

	if (path && *path)
		return settings_import(path, error);
	if (own_path(own, sizeof own) == 0)
		return settings_import(own, error);
	r = settings_import(PARLANCE_SYSCONF, error);
	return r == -ENOENT ? 0 : r;
}

void settings_document(FILE *file)
{
	char wanted[128];

	(void)fputs(
	    "# parlance.conf: the settings of a parlance host, as "
	    "parlance.conf(5)"
	    "\n# describes them. Each line shows a default; remove the # to"
	    " change it.\n# Made by `make etc/parlance.conf`.\n",
	    file);
	for (size_t i = 0; i < TABLE_LEN; i++) {
		const struct setting *s = &table[i];

		describe(s, wanted, sizeof wanted);
		(void)fprintf(file, "\n# %s\n# (%s)\n#%s=%s\n", s->help, wanted,
		    s->name, s->fallback);
	}
}
