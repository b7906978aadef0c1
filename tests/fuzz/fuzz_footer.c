/*
 * Footers: any line is taken apart into slices that lie within it; a footer
 * that we write is one line, reads back as what was written, and no input makes
 * it two. Percent coding comes back byte for byte. The input's first byte says
 * what to do with the rest.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/footer.h"
#include "lib/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

static void within(const struct slice *s, const char *line, size_t len)
{
	demand(s->data >= line && s->data + s->len <= line + len);
}

static void parse(const char *line, size_t len)
{
	struct footer f;
	struct slice value;

	demand(footer_is(line, len) ==
	       (len > 0 && line[0] == '\\' && !(len > 1 && line[1] == '\\')));
	footer_parse(&f, line, len);
	within(&f.author, line, len);
	within(&f.time, line, len);
	within(&f.door, line, len);
	within(&f.keys, line, len);
	demand(!memchr(f.author.data, ' ', f.author.len));
	demand(!memchr(f.time.data, ' ', f.time.len));
	demand(!memchr(f.door.data, ' ', f.door.len));
	if (footer_value(&f, "key", &value))
		within(&value, f.keys.data, f.keys.len);
}

static int is(const struct slice *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

/* Splits at NULs into author, door and keys. */
static void write(const char *input, size_t len)
{
	char copy[LIMIT_FOOTER], line[LIMIT_FOOTER + 1];
	struct footer_new f = {copy, (int64_t)len * 1000003, "", ""};
	struct footer back;
	int n;

	if (len >= sizeof copy)
		return;
	memcpy(copy, input, len);
	copy[len] = '\0';
	if (strlen(copy) < len) {
		f.door = copy + strlen(copy) + 1;
		if (f.door + strlen(f.door) < copy + len)
			f.keys = f.door + strlen(f.door) + 1;
	}
	n = footer_format(line, sizeof line, &f);
	demand(n > 0 || n == -EINVAL || n == -ENOSPC);
	if (n <= 0)
		return;
	demand(memchr(line, '\n', (size_t)n) == line + n - 1);
	demand(footer_is(line, (size_t)n - 1));
	footer_parse(&back, line, (size_t)n - 1);
	demand(is(&back.author, f.author) && is(&back.door, f.door) &&
	       is(&back.keys, f.keys));
	demand(back.time.len == 20);
}

static void percent(const char *text, size_t len)
{
	char *out = malloc(3 * len + 1);
	size_t n;
	long m;

	demand(out != NULL);
	n = percent_encode(out, text, len);
	demand(n >= len && n <= 3 * len);
	demand(!memchr(out, ' ', n) && !memchr(out, '/', n));
	demand(percent_decode(out, out, n) == (long)len);
	demand(len == 0 || memcmp(out, text, len) == 0);
	m = percent_decode(out, text, len);
	demand(m == -EINVAL || (m >= 0 && m <= (long)len));
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	parse(text, size);
	percent(text, size);
	if (size)
		write(text + 1, size - 1);
	return 0;
}
