/*
 * Uploads, as files to be saved: whatever they hold, it is not this site that
 * says it.
 */
#include "hchat.h"

#include <errno.h>
#include <unistd.h>

#include "handlers/hchat_page.h"
#include "lib/http_file.h"

/* Names longer than any file's are not even decoded. */
#define NAME_SENT (3 * LIMIT_FILE_NAME)

/* For clients that know no more than ASCII (RFC 6266, appendix D): a "%" some
 * would decode, a quote or backslash would need an escape. */
static void put_plain(struct buf *b, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool plain =
		    c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%';

		/* One for each character, not for each of its bytes. */
		if (plain || ((unsigned char)c & 0xc0) != 0x80)
			buf_char(b, plain ? c : '_');
	}
}

/* RFC 6266: the name that the file is to be saved under. */
static void put_disposition(struct buf *b, const char *name, size_t len)
{
	char encoded[NAME_SENT];
	size_t n = percent_encode(encoded, name, len);

	buf_str(b, "Content-Disposition: attachment; filename=\"");
	put_plain(b, name, len);
	buf_fmt(b, "\"; filename*=UTF-8''%.*s\r\n", (int)n, encoded);
}

static void send_file(
    struct session *s, int file, uint64_t size, const char *name, size_t len)
{
	char common[sizeof HCHAT_COMMON + 96 + NAME_SENT + LIMIT_FILE_NAME];
	struct http *h = &s->door.http;
	struct buf b;

	buf_init(&b, common, sizeof common);
	buf_str(&b, HCHAT_COMMON);
	put_disposition(&b, name, len);
	buf_char(&b, '\0');
	h->common = common;
	(void)http_file(h, file, size, "application/octet-stream");
	h->common = HCHAT_COMMON; /* it was ours */
}

/* 0 and a descriptor; -ENOENT too if the name is none. */
static int open_file(struct session *s, const char *name, long len,
    int *ret_file, uint64_t *ret_size)
{
	int r = len < 0 ? -EINVAL
			: files_read(
			      &s->files, name, (size_t)len, ret_file, ret_size);

	return r == -EINVAL || r == -EACCES ? -ENOENT : r;
}

void hchat_file(struct session *s)
{
	struct slice path = s->parts[0];
	char name[NAME_SENT];
	long len = path.len > sizeof name
		       ? -EINVAL
		       : percent_decode(name, path.data, path.len);
	uint64_t size;
	int file, r = open_file(s, name, len, &file, &size);

	s->door.event = "file";
	if (r == 0) {
		send_file(s, file, size, name, (size_t)len);
		(void)close(file);
	} else if (r == -ENOENT) {
		http_reply(&s->door.http, 404);
		hchat_say(s, "there is no such file");
	} else {
		http_door_failed(&s->door, r);
	}
}
