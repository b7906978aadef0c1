/*
 * GET and HEAD of a file as any web server answers them: Range, ETag,
 * Last-Modified, conditional requests (RFC 9110, 13 and 14). The file may
 * grow while it is served: its first `size` bytes are what there is.
 *
 * One range is served; several are answered with the whole. The ETag is made
 * of inode, size and change time, so that a file that was edited in place, or
 * replaced by another of the same length, has another one.
 */
#ifndef HTTP_FILE_H
#define HTTP_FILE_H

#include <stdint.h>

#include "http.h"

/* Answers with 200, 206, 304, 400, 412, 416 or, where the file fails, 500.
 * 0 or -errno as http_send(). */
int http_file(struct http *, int file, uint64_t size, const char *type);

#endif
