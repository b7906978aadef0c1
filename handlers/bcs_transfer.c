/*
 * Files: an upload goes to the disk as it arrives, one that was refused is
 * read past, so that a file's bytes are never taken for messages; a download
 * is sent by bcs_flush() as the client takes it.
 */
#include "bcs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

static const struct {
	int error;
	enum bcs_code code;
	const char *text;
} refusals[] = {
    {EEXIST, BCS_FILE, "a file of this name is there already"},
    {EFBIG, BCS_FILE, "the file is too large"},
    {EINVAL, BCS_FILE, "this is no name for a file"},
    {ENOSPC, BCS_STORAGE, "there is not enough space for the file"},
    {EDQUOT, BCS_STORAGE, "there is not enough space for the file"},
    {0, BCS_STORAGE, "the server's storage failed"},
};

/* --- sendfile --------------------------------------------------------- */

static void log_failure(const struct session *s, const char *event, int error)
{
	struct log_line line;

	bcs_log(s, &line, LOG_ERR, event);
	log_errno(&line, error);
	log_end(&line);
}

/* Nothing of it is kept; what is still to come is read past. */
static void refuse(struct session *s, int error)
{
	size_t i = 0;

	while (refusals[i].error && refusals[i].error != -error)
		i++;
	if (refusals[i].code == BCS_STORAGE)
		log_failure(s, "upload", error);
	s->refusal.code = refusals[i].code;
	s->refusal.text = refusals[i].text;
	upload_release(&s->upload);
}

bool bcs_sendfile(struct session *s, const struct bcs_frame *frame)
{
	struct slice name = frame->first;
	enum file_name_fault fault = file_name_check(name.data, name.len);
	int r;

	s->state = BCS_UPLOADING;
	s->upload_left = frame->length;
	s->refusal.code = BCS_OK;
	r = upload_begin(
	    &s->upload, &s->files, name.data, name.len, frame->length);
	if (r < 0)
		refuse(s, r);
	if (fault != FILE_NAME_FINE)
		s->refusal.text = file_name_fault_says(fault);
	return true;
}

static void log_upload(const struct session *s)
{
	struct log_line line;

	bcs_log(s, &line, LOG_INFO, "upload");
	log_string(&line, "file", s->upload.name);
	log_number(&line, "bytes", (int64_t)s->upload.size);
	log_end(&line);
}

/* The file is there; now the lobby is told. If it cannot be, nobody would ever
 * know of it: it goes again. */
static void announce(struct session *s)
{
	char text[FILES_TEXT], keys[FILES_KEYS];
	int r;

	files_announce(s->name, s->upload.name, text, keys);
	r = bcs_post(s, text, strlen(text), keys);
	if (r == 0) {
		log_upload(s);
		return;
	}
	(void)upload_undo(&s->upload);
	s->refusal.code = BCS_STORAGE;
	s->refusal.text = bcs_failure(r);
}

static void finish(struct session *s)
{
	int r = s->refusal.code == BCS_OK ? upload_commit(&s->upload) : 0;

	if (r < 0)
		refuse(s, r);
	if (s->refusal.code == BCS_OK)
		announce(s);
	upload_release(&s->upload);
	s->state = BCS_REGISTERED;
	bcs_expect(s);
	bcs_status(s, s->refusal.code, "%s",
	    s->refusal.code == BCS_OK ? "ok" : s->refusal.text);
}

bool bcs_contents(struct session *s)
{
	size_t n = s->in_len - s->in_at;
	int r = 0;

	if (n > s->upload_left)
		n = s->upload_left;
	if (n && s->refusal.code == BCS_OK)
		r = upload_write(&s->upload, s->in + s->in_at, n);
	if (r < 0)
		refuse(s, r);
	s->in_at += n;
	s->upload_left -= (uint32_t)n;
	if (s->upload_left == 0)
		finish(s);
	else if (n == 0)
		return false;
	return true;
}

/* --- getfile ---------------------------------------------------------- */

static void answer_failure(struct session *s, int error)
{
	if (error == -EINVAL || error == -ENOENT || error == -EACCES) {
		bcs_status(s, BCS_NO_FILE, "there is no such file");
	} else if (error == -EFBIG) {
		bcs_status(s, BCS_NO_FILE,
		    "the file is larger than this protocol can say");
	} else {
		log_failure(s, "download", error);
		bcs_status(s, BCS_STORAGE, "the file could not be read");
	}
}

static void log_download(const struct session *s, struct slice name)
{
	struct log_line line;

	bcs_log(s, &line, LOG_INFO, "download");
	log_text(&line, "file", name.data, name.len);
	log_number(&line, "bytes", (int64_t)s->download.left);
	log_end(&line);
}

bool bcs_getfile(struct session *s, const struct bcs_frame *frame)
{
	struct bcs_frame head = {.type = BCS_RECVFILE};
	uint64_t size = 0;
	int fd = -1, r;

	r = files_read(
	    &s->files, frame->first.data, frame->first.len, &fd, &size);
	if (r == 0 && size > UINT32_MAX) {
		(void)close(fd);
		r = -EFBIG;
	}
	if (r < 0) {
		answer_failure(s, r);
		return true;
	}
	head.length = (uint32_t)size;
	s->state = BCS_DOWNLOADING;
	s->download.fd = fd;
	s->download.at = 0;
	s->download.left = size;
	log_download(s, frame->first);
	bcs_put(s, &head);
	return true;
}

void bcs_download_end(struct session *s)
{
	if (s->download.fd >= 0)
		(void)close(s->download.fd);
	s->download.fd = -1;
	if (s->state == BCS_DOWNLOADING)
		s->state = BCS_REGISTERED;
}
