#include "bcs_wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { CODE_BYTES = 1, COUNT_BYTES = 2, LENGTH_BYTES = 4 };

/* What follows the type, always in this order. */
static const struct layout {
	bool code;
	bool first;
	bool second;
	bool length;
} layouts[] = {
    [BCS_REGISTER] = {.first = true},
    [BCS_SEND] = {.first = true},
    [BCS_DELIVER] = {.first = true, .second = true},
    [BCS_STATUS] = {.code = true, .first = true},
    [BCS_SENDFILE] = {.first = true, .length = true},
    [BCS_FNOTIFY] = {.first = true, .second = true},
    [BCS_GETFILE] = {.first = true},
    [BCS_RECVFILE] = {.length = true},
};

static const struct layout *layout_of(unsigned type)
{
	if (type < BCS_REGISTER || type > BCS_RECVFILE)
		return NULL;
	return &layouts[type];
}

/* Takes an integer of so many bytes off the front. */
static bool take_int(struct slice *in, size_t width, uint32_t *ret)
{
	uint32_t value = 0;

	if (in->len < width)
		return false;
	for (size_t i = 0; i < width; i++)
		value = value << 8 | (unsigned char)in->data[i];
	in->data += width;
	in->len -= width;
	*ret = value;
	return true;
}

static bool take_string(struct slice *in, struct slice *ret)
{
	uint32_t len;

	if (!take_int(in, COUNT_BYTES, &len) || in->len < len)
		return false;
	ret->data = in->data;
	ret->len = len;
	in->data += len;
	in->len -= len;
	return true;
}

long bcs_parse(struct bcs_frame *ret, const void *data, size_t len)
{
	struct slice in = {data, len};
	struct bcs_frame frame = {.first = {"", 0}, .second = {"", 0}};
	const struct layout *has;
	uint32_t type, code = 0;

	if (!take_int(&in, 1, &type))
		return -EAGAIN;
	has = layout_of(type);
	if (!has)
		return -EPROTO;
	if ((has->code && !take_int(&in, CODE_BYTES, &code)) ||
	    (has->first && !take_string(&in, &frame.first)) ||
	    (has->second && !take_string(&in, &frame.second)) ||
	    (has->length && !take_int(&in, LENGTH_BYTES, &frame.length)))
		return -EAGAIN;
	frame.type = (enum bcs_type)type;
	frame.code = (uint8_t)code;
	*ret = frame;
	return (long)(len - in.len);
}

static char *put_int(char *at, size_t width, uint32_t value)
{
	for (size_t i = width; i > 0; i--) {
		at[i - 1] = (char)(value & 0xff);
		value >>= 8;
	}
	return at + width;
}

static char *put_string(char *at, struct slice string)
{
	at = put_int(at, COUNT_BYTES, (uint32_t)string.len);
	/* An empty one may be NULL, which memcpy must not see. */
	if (string.len)
		memcpy(at, string.data, string.len);
	return at + string.len;
}

/* The length it will have, or -EMSGSIZE. */
static long measure(const struct layout *has, const struct bcs_frame *frame)
{
	size_t len = 1;

	if (has->code)
		len += CODE_BYTES;
	if (has->first) {
		if (frame->first.len > BCS_STRING_MAX)
			return -EMSGSIZE;
		len += COUNT_BYTES + frame->first.len;
	}
	if (has->second) {
		if (frame->second.len > BCS_STRING_MAX)
			return -EMSGSIZE;
		len += COUNT_BYTES + frame->second.len;
	}
	if (has->length)
		len += LENGTH_BYTES;
	return (long)len;
}

long bcs_format(void *out, size_t size, const struct bcs_frame *frame)
{
	const struct layout *has = layout_of((unsigned)frame->type);
	char *at = out;
	long len;

	if (!has)
		return -EINVAL;
	len = measure(has, frame);
	if (len < 0)
		return len;
	if ((size_t)len > size)
		return -ENOSPC;
	at = put_int(at, 1, frame->type);
	if (has->code)
		at = put_int(at, CODE_BYTES, frame->code);
	if (has->first)
		at = put_string(at, frame->first);
	if (has->second)
		at = put_string(at, frame->second);
	if (has->length)
		(void)put_int(at, LENGTH_BYTES, frame->length);
	return len;
}
