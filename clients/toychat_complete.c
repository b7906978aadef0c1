#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/text.h"
#include "toychat.h"

#define SHOWN 100

/* What begins like the text before the cursor. */
struct matches {
	const char *prefix;
	size_t len;
	struct names found;
};

static void offer(struct matches *m, const char *name)
{
	if (strncmp(name, m->prefix, m->len) == 0 &&
	    text_check(name, strlen(name), NULL) == TEXT_FINE &&
	    !strchr(name, '\n'))
		names_add(&m->found, name, strlen(name));
}

static void offer_names(struct matches *m, const struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		offer(m, n->list[i]);
}

static void offer_commands(struct matches *m)
{
	const char *name;

	for (size_t i = 0; (name = command_name(i)); i++)
		offer(m, name);
}

/* Asks for the files there are, once. */
static void offer_remote(struct matches *m, struct chat *c)
{
	static const char ask[] = "getfilelist\r\n";
	struct toychat_command reply;
	char *names, *save = NULL;

	if (c->name[0] && chat_ask(c, ask, sizeof ask - 1, &reply) == 0 &&
	    chat_is(&reply, "filelist")) {
		names_free(&c->files);
		names = strndup(reply.tail.data, reply.tail.len);
		for (char *n = names ? strtok_r(names, " ", &save) : NULL; n;
		     n = strtok_r(NULL, " ", &save))
			names_add(&c->files, n, strlen(n));
		free(names);
	}
	offer_names(m, &c->files);
}

/* The folder of a path, "~/" at its front as the home. */
static DIR *open_folder(const char *path, size_t len)
{
	const char *home = getenv("HOME");
	char at[PATH_MAX];
	bool at_home = len >= 2 && memcmp(path, "~/", 2) == 0 && home;
	int n = snprintf(at, sizeof at, "%s%.*s",
	    at_home ? home
	    : len   ? ""
		    : ".",
	    (int)(at_home ? len - 1 : len), at_home ? path + 1 : path);

	return n < 0 || (size_t)n >= sizeof at ? NULL : opendir(at);
}

static bool is_folder(DIR *dir, const char *name)
{
	struct stat st;

	return fstatat(dirfd(dir), name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Files of the folder that the path is in, folders with a slash. */
static void offer_local(struct matches *m)
{
	char name[NAME_MAX + 2];
	const char *path = m->prefix;
	size_t folder = m->len;
	struct dirent *e;
	DIR *dir;

	while (folder && path[folder - 1] != '/')
		folder--;
	m->prefix += folder;
	m->len -= folder;
	dir = open_folder(path, folder);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' && m->prefix[0] != '.')
			continue;
		(void)snprintf(name, sizeof name, "%s%s", e->d_name,
		    is_folder(dir, e->d_name) ? "/" : "");
		offer(m, name);
	}
	if (dir)
		(void)closedir(dir);
}

/* What is to stand at the cursor: the place of its word, from 0 on, and where
 * that begins. The last argument takes spaces too. */
static enum argument place_of(const char *line, size_t *ret_at)
{
	const char *at = line + strspn(line, " "), *space, *word = at;
	enum argument what = ARG_COMMAND;
	size_t len = 0;

	for (unsigned place = 1; (space = strchr(at, ' ')); place++) {
		if (place == 1)
			len = (size_t)(space - at);
		else if (what == ARG_LOCAL)
			break;
		at = space + 1;
		what = command_argument(word, len, place);
	}
	*ret_at = (size_t)(at - line);
	return what;
}

static void gather(struct matches *m, struct chat *c, enum argument what)
{
	switch (what) {
	case ARG_COMMAND:
		offer_commands(m);
		break;
	case ARG_USER:
		offer(m, "*");
		offer_names(m, &c->users);
		break;
	case ARG_REMOTE:
		offer_remote(m, c);
		break;
	case ARG_LOCAL:
		offer_local(m);
		break;
	default:
		break;
	}
}

/* Bytes that all of them begin with, whole characters. */
static size_t common(const struct names *n)
{
	const char *first = n->list[0];
	size_t len = strlen(first);

	for (size_t i = 1; i < n->count; i++) {
		size_t k = 0;

		while (k < len && n->list[i][k] == first[k])
			k++;
		len = k;
	}
	while (len && ((unsigned char)first[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* Puts what is sure at the cursor, and a space if it is complete and more may
 * come. False: nothing was. */
static bool insert(
    struct editline *e, const struct matches *m, enum argument what)
{
	char text[PATH_MAX];
	size_t len = common(&m->found) - m->len;
	const char *from = m->found.list[0] + m->len;
	bool whole = m->found.count == 1 && what != ARG_LOCAL;

	if (len + 2 > sizeof text)
		return false;
	memcpy(text, from, len);
	if (whole)
		text[len++] = ' ';
	text[len] = '\0';
	return len && el_insertstr(e, text) == 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(struct names *n)
{
	qsort(n->list, n->count, sizeof *n->list, by_text);
	(void)fputs("\r\n", stdout);
	for (size_t i = 0; i < n->count && i < SHOWN; i++)
		(void)printf("  %s\r\n", n->list[i]);
	if (n->count > SHOWN)
		(void)printf("  and %zu more\r\n", n->count - SHOWN);
	(void)fflush(stdout);
}

unsigned char complete(struct editline *e, struct chat *c)
{
	const LineInfo *line = el_line(e);
	size_t before = (size_t)(line->cursor - line->buffer), at;
	char *copy = strndup(line->buffer, before);
	struct matches m = {0};
	unsigned char r = CC_ERROR;
	enum argument what;

	if (!copy)
		return CC_ERROR;
	what = place_of(copy, &at);
	m.prefix = copy + at;
	m.len = before - at;
	gather(&m, c, what);
	if (m.found.count && insert(e, &m, what)) {
		r = CC_REFRESH;
	} else if (m.found.count > 1) {
		list(&m.found);
		r = CC_REDISPLAY;
	}
	names_free(&m.found);
	free(copy);
	return r;
}
