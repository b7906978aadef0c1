/*
 * Forms: application/x-www-form-urlencoded, in a query or a body. And the
 * cookies of a request. Pure functions over pointer and length.
 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "footer.h"
#include "http_head.h"

/* The value of a form's first field of that name, decoded ("+" is a space)
 * into cap bytes at out. Returns its length; -ENOENT: no such field; -EINVAL:
 * a broken "%" anywhere in the form; -EMSGSIZE: it is longer than cap. */
long http_form(
    char *out, size_t cap, const char *form, size_t len, const char *name);

/* The first cookie of that name in a Cookie field's value, as it stands. */
bool cookie_find(
    const char *field, size_t len, const char *name, struct slice *ret);

/* The same in all Cookie fields of a request. */
bool http_cookie(const struct http_head *, const char *name, struct slice *ret);

#endif
