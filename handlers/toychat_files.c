/*
 * upload, getfilelist, download. An upload is read to its end whatever becomes
 * of it, so that a file's bytes are never taken for commands.
 */
#include "toychat.h"

#include <errno.h>
#include <string.h>
#include <unictype.h>
#include <unistd.h>
#include <unistr.h>
#include <utarray.h>
#include <utstring.h>

#include "lib/clock.h"
#include "lib/log.h"

/* Has it white space, which would be two fields? (Unicode's White_Space) */
static bool has_space(const char *name, size_t len)
{
	const uint8_t *at = (const uint8_t *)name, *end = at + len;
	ucs4_t c;

	while (at < end) {
		at += u8_mbtouc(&c, at, (size_t)(end - at));
		if (uc_is_property_white_space(c))
			return true;
	}
	return false;
}

/* --- upload ----------------------------------------------------------- */

/* What is refused is read past, if it is not longer than this. */
#define READ_PAST (UINT64_C(4) << 30)

static const char bad_length[] = "invalid length field of upload message";

/* An upload that is coming in. */
struct incoming {
	struct upload file;
	struct toychat_payload payload;
	const char *error; /* what it is answered; NULL: nothing is wrong */
	bool answered;
};

static const char *storage_error(int error)
{
	switch (error) {
	case -EEXIST:
		return "file already exists";
	case -EFBIG:
		return "file too large";
	case -EINVAL:
		return "invalid file name";
	case -EBUSY:
		return "server busy";
	default:
		return "could not write to file";
	}
}

static void log_storage(int error)
{
	struct log_line line;

	log_begin(&line, LOG_ERR, "upload");
	log_errno(&line, error);
	log_end(&line);
}

/* Begins one that may be stored. */
static void begin(
    struct toychat *t, struct incoming *in, struct slice name, uint64_t length)
{
	int r = -EINVAL;

	if (u8_check((const uint8_t *)name.data, name.len)) {
		in->error = "invalid UTF-8";
		return;
	}
	if (!has_space(name.data, name.len))
		r = upload_begin(
		    &in->file, &t->files, name.data, name.len, length);
	if (r < 0)
		in->error = storage_error(r);
	if (r < 0 && r != -EEXIST && r != -EFBIG && r != -EINVAL)
		log_storage(r);
}

/* Reads the head. False: what follows is too long to be read past. */
static bool start(struct toychat *t, struct incoming *in,
    const struct toychat_command *command)
{
	struct slice name;
	uint64_t length;
	int r = t->in ? toychat_still_in(t) : 0;

	if (!t->in)
		in->error = "must be logged in";
	else if (r < 0)
		in->error = toychat_trouble(t, "upload", r);
	if (toychat_counted(command, &name, &length) < 0) {
		toychat_payload_drop(&in->payload);
		if (!in->error)
			in->error = bad_length;
		return true;
	}
	toychat_payload_init(&in->payload, length);
	if (!in->error && length > READ_PAST)
		in->error = "file too large";
	if (!in->error)
		begin(t, in, name, length);
	return length <= READ_PAST;
}

static void answer(struct toychat *t, struct incoming *in)
{
	if (in->answered)
		return;
	in->answered = true;
	if (in->error)
		toychat_fail(t, in->error);
	else
		toychat_ok(t);
}

/* Takes what is there. */
static enum toychat_end take(struct toychat *t, struct incoming *in)
{
	const char *bytes = t->data + t->at;
	size_t contents, used;
	enum toychat_end end;
	int r;

	end = toychat_payload_feed(
	    &in->payload, bytes, t->have - t->at, &contents, &used);
	t->at += used;
	if (!contents || in->file.fd < 0)
		return end;
	r = upload_write(&in->file, bytes, contents);
	if (r < 0) {
		log_storage(r);
		in->error = storage_error(r);
		upload_release(&in->file);
	}
	return end;
}

/* A stranger has no longer for it than to log in. */
static int64_t next_byte(const struct toychat *t)
{
	int64_t deadline = clock_in(LIMIT_STALL_MS);

	return deadline < t->login_deadline ? deadline : t->login_deadline;
}

/* Reads to the end: TOYCHAT_MORE if that does not come. */
static enum toychat_end read_all(struct toychat *t, struct incoming *in)
{
	enum toychat_end end = take(t, in);

	while (end == TOYCHAT_MORE) {
		if (toychat_payload_is_bad(&in->payload)) {
			if (!in->error)
				in->error = bad_length;
			upload_release(&in->file);
			/* Who understated a length waits for this. */
			answer(t, in);
		}
		if (toychat_read(t, next_byte(t), IO_BUSY) <= 0)
			break;
		end = take(t, in);
	}
	return end;
}

/* The record that tells everyone: 0 or -errno of room.h. */
static int announce(struct toychat *t, const char *file)
{
	char text[FILES_TEXT], keys[FILES_KEYS];
	struct room_post post = {.body = text,
	    .newline = true,
	    .author = t->me.name,
	    .door = t->start.door,
	    .keys = keys};
	struct room_posted posted;
	int r = toychat_lobby(t);

	files_announce(t->me.name, file, text, keys);
	post.body_len = strlen(text);
	return r < 0 ? r : room_append(&t->lobby, &post, &posted);
}

static void store(struct toychat *t, struct incoming *in)
{
	int r = upload_commit(&in->file);

	if (r == 0) {
		r = announce(t, in->file.name);
		if (r < 0)
			(void)upload_undo(&in->file);
	}
	if (r < 0) {
		in->error = storage_error(r);
		if (r != -EEXIST)
			log_storage(r);
	}
}

void toychat_upload(struct toychat *t, const struct toychat_command *command)
{
	struct incoming in = {.file = {.fd = -1}};

	if (!start(t, &in, command)) {
		answer(t, &in);
		t->close = true;
		t->status = 1;
		return;
	}
	switch (read_all(t, &in)) {
	case TOYCHAT_MORE:
		t->close = true;
		t->status = 1;
		break;
	case TOYCHAT_MALFORMED:
		if (!in.error)
			in.error = bad_length;
		answer(t, &in);
		break;
	case TOYCHAT_WHOLE:
		if (in.file.fd >= 0)
			store(t, &in);
		answer(t, &in);
		break;
	}
	upload_release(&in.file);
}

/* --- getfilelist ------------------------------------------------------ */

static int add_name(void *arg, const char *name, uint64_t size)
{
	(void)size;
	if (!has_space(name, strlen(name)))
		utarray_push_back((UT_array *)arg, &name);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void reply_list(struct toychat *t, UT_array *names)
{
	char entry[LIMIT_FILE_NAME + 2];
	UT_string reply;
	long n;

	if (utarray_len(names))
		utarray_sort(names, compare);
	utstring_init(&reply);
	utstring_bincpy(&reply, "filelist", 8);
	for (char **name = NULL; (name = utarray_next(names, name));) {
		n = toychat_filelist_entry(
		    entry, sizeof entry, (struct slice){*name, strlen(*name)});
		if (n > 0)
			utstring_bincpy(&reply, entry, (size_t)n);
	}
	utstring_bincpy(&reply, TOYCHAT_CRLF, 2);
	toychat_reply(t, utstring_body(&reply), utstring_len(&reply));
	utstring_done(&reply);
}

void toychat_getfilelist(struct toychat *t, const struct slice *fields)
{
	UT_array *names;
	int r;

	(void)fields;
	utarray_new(names, &ut_str_icd);
	r = files_each(&t->files, add_name, names);
	if (r < 0)
		toychat_failed(t, "getfilelist", r);
	else
		reply_list(t, names);
	utarray_free(names);
}

/* --- download --------------------------------------------------------- */

/* A file that ends before its length cannot be told any more: the client would
 * take what follows for its contents. */
static void send_file(struct toychat *t, int fd, uint64_t size)
{
	if (io_send_file(&t->start.client, fd, 0, size) < 0 ||
	    io_write(&t->start.client, TOYCHAT_CRLF, 2) < 0)
		t->close = true;
}

void toychat_download(struct toychat *t, const struct slice *fields)
{
	char head[LIMIT_FILE_NAME + 64];
	struct slice name = fields[0];
	uint64_t size;
	int fd, r;
	long n;

	if (has_space(name.data, name.len))
		r = -EINVAL;
	else
		r = files_read(&t->files, name.data, name.len, &fd, &size);
	if (r < 0) {
		toychat_fail(t, r == -EINVAL ? "invalid file name"
					     : "could not read from file");
		return;
	}
	n = toychat_file(head, sizeof head, name, size);
	toychat_reply(t, head, (size_t)n);
	if (!t->close)
		send_file(t, fd, size);
	(void)close(fd);
}
