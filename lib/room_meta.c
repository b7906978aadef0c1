#include "room_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "parse.h"
#include "text.h"

#define META_MAX 4096

/* --- subjects --- */

/* Characters of valid UTF-8: all bytes but those that continue one. */
static size_t characters(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

bool room_subject_ok(const char *text, size_t len)
{
	return len <= LIMIT_SUBJECT &&
	       text_check(text, len, NULL) == TEXT_FINE &&
	       !memchr(text, '\n', len) &&
	       characters(text, len) <= LIMIT_SUBJECT_CHARS;
}

/* --- reading --- */

static int take_line(struct room_meta *m, const char *line, size_t len)
{
	const char *equals = memchr(line, '=', len);
	size_t key = equals ? (size_t)(equals - line) : len;
	const char *value = equals ? equals + 1 : line + len;
	size_t n = (size_t)(line + len - value);

	if (parse_is(line, key, "format"))
		return parse_is(value, n, "1") ? 0 : -EUCLEAN;
	if (parse_is(line, key, "subject") && room_subject_ok(value, n)) {
		memcpy(m->subject, value, n);
		m->subject[n] = '\0';
	}
	if (parse_is(line, key, "listed"))
		m->listed = parse_is(value, n, "1");
	if (parse_is(line, key, "created"))
		(void)clock_parse(value, n, &m->created);
	return 0;
}

int room_meta_parse(struct room_meta *ret, const char *text, size_t len)
{
	struct room_meta m = {.subject = "", .listed = false};
	const char *end = text + len, *newline;
	int r = 0;

	for (; r == 0 && (newline = memchr(text, '\n', (size_t)(end - text)));
	     text = newline + 1)
		r = take_line(&m, text, (size_t)(newline - text));
	if (r == 0)
		*ret = m;
	return r;
}

int room_meta_read(
    const struct rooms *rooms, const char *name, struct room_meta *ret)
{
	char text[META_MAX];
	ssize_t n = io_read_file(rooms->meta, name, text, sizeof text);

	return n < 0 ? (int)n : room_meta_parse(ret, text, (size_t)n);
}

bool room_listed(const struct rooms *rooms, const char *name)
{
	struct room_meta meta;

	if (!room_name_is_id(name, strlen(name)))
		return true;
	return room_meta_read(rooms, name, &meta) == 0 && meta.listed;
}

bool room_is_chat(const struct rooms *rooms, const char *name, size_t len)
{
	char path[LIMIT_ROOM_NAME + 1];

	if (parse_is(name, len, "lobby"))
		return true;
	if (!room_name_is_id(name, len))
		return false;
	memcpy(path, name, len);
	path[len] = '\0';
	return faccessat(rooms->meta, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int rooms_each_listed(const struct rooms *rooms,
    int (*f)(void *arg, const char *id, const struct room_meta *), void *arg)
{
	DIR *dir = NULL;
	struct room_meta meta;
	struct dirent *entry;
	int r = state_folder_list(rooms->meta, &dir);

	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (room_name_is_id(entry->d_name, strlen(entry->d_name)) &&
		    room_meta_read(rooms, entry->d_name, &meta) == 0 &&
		    meta.listed)
			r = f(arg, entry->d_name, &meta);
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* --- making --- */

static int choose_id(char id[ROOM_ID + 1])
{
	unsigned char bytes[ROOM_ID / 2];

	if (getentropy(bytes, sizeof bytes) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int write_file(int dir, const char *name, const char *text, size_t len)
{
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	int r;

	if (fd < 0)
		return -errno;
	r = io_pwrite(fd, text, len, 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* Complete or not there, and on disk. */
static int put_file(int dir, const char *name, const char *text, size_t len)
{
	char temporary[ROOM_ID + 2];
	int r;

	(void)snprintf(temporary, sizeof temporary, ".%s", name);
	r = write_file(dir, temporary, text, len);
	if (r == 0 && linkat(dir, temporary, dir, name, 0) < 0)
		r = -errno;
	(void)unlinkat(dir, temporary, 0);
	if (r == 0 && fsync(dir) < 0) {
		r = -errno;
		(void)unlinkat(dir, name, 0);
	}
	return r;
}

int room_create_chat(const struct rooms *rooms, const struct room_meta *meta,
    char ret_id[ROOM_ID + 1])
{
	char text[META_MAX], when[CLOCK_TEXT];
	int n, r;

	if (!room_subject_ok(meta->subject, strlen(meta->subject)))
		return -EINVAL;
	clock_text(meta->created, when);
	n = snprintf(text, sizeof text,
	    "format=1\nsubject=%s\nlisted=%d\ncreated=%s\n", meta->subject,
	    meta->listed, when);
	r = choose_id(ret_id);
	return r < 0 ? r : put_file(rooms->meta, ret_id, text, (size_t)n);
}
