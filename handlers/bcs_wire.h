/*
 * The frames of BCS (specs/bcs.txt), integers big-endian: pure functions over
 * pointer and length, nothing is allocated, nothing outside what is given is
 * looked at.
 *
 *	string = len:u16 | contents
 *
 * The contents of a file (sendfile, recvfile) are not part of a frame here:
 * they follow it, `length` bytes, and are streamed.
 */
#ifndef BCS_WIRE_H
#define BCS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/footer.h"

enum bcs_type {
	BCS_REGISTER = 1, /* first: username */
	BCS_SEND = 2, /* first: message */
	BCS_DELIVER = 3, /* first: from, second: message */
	BCS_STATUS = 4, /* code, first: message */
	BCS_SENDFILE = 5, /* first: filename, length; contents follow */
	BCS_FNOTIFY = 6, /* first: user, second: file */
	BCS_GETFILE = 7, /* first: filename */
	BCS_RECVFILE = 8, /* length; contents follow */
};

/* Codes of a status (clarifications). */
enum bcs_code {
	BCS_OK = 0,
	BCS_PROTOCOL = 1, /* then close */
	BCS_NAME = 2, /* name refused; then close */
	BCS_MESSAGE = 3, /* message refused */
	BCS_STORAGE = 4, /* storage full or failed */
	BCS_FILE = 5, /* file refused */
	BCS_NO_FILE = 6, /* no such file */
	BCS_TIMEOUT = 7, /* then close */
};

#define BCS_STRING_MAX 65535
/* The longest frame: a deliver or fnotify of two whole strings. */
#define BCS_FRAME_MAX (1 + 2 * (2 + BCS_STRING_MAX))
/* The longest that a client may send: sendfile without its contents. */
#define BCS_REQUEST_MAX (1 + 2 + BCS_STRING_MAX + 4)

/* A frame, taken apart; what its type does not have is empty or 0. The slices
 * point into the bytes that were given. */
struct bcs_frame {
	enum bcs_type type;
	uint8_t code;
	struct slice first;
	struct slice second;
	uint32_t length; /* of the contents that follow, bytes */
};

/* Takes the first frame of these bytes. Returns its length (contents of a file
 * not counted), -EAGAIN if bytes are missing, or -EPROTO for a type that is
 * none, told by the first byte. */
long bcs_parse(struct bcs_frame *ret, const void *, size_t);

/* Writes a frame. Returns its length (contents of a file not counted), or
 * -ENOSPC if it does not fit size, or -EMSGSIZE for a string of more than
 * BCS_STRING_MAX bytes, or -EINVAL for a type that is none. */
long bcs_format(void *out, size_t size, const struct bcs_frame *);

#endif
