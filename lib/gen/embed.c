/*
 * embed FILE...: prints the files of web/ as a C header with the table that
 * handlers/hchat_assets.h describes. The same files give the same bytes:
 * nothing of the time or the machine gets in.
 *
 * In a page (*.html) it resolves
 *	{{asset:NAME}}	the path of another file: /assets/HASH/NAME
 *	{{text:KEY}}	a text of strings.js, escaped for HTML
 * and leaves every other {{KEY}} for hchat_page(). All that the page says thus
 * stands in one table, which the scripts read as it is: a line there is
 * `<tab>KEY: "TEXT",` without any backslash or quote in TEXT.
 *
 * Exit: 0, or 1 with a message if a file cannot be read or a name is unknown.
 */
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HASH_BYTES 8

struct bytes {
	char *data;
	size_t len, size;
};

struct file {
	const char *name, *type;
	bool is_page;
	struct bytes raw, gzip;
	char hash[2 * HASH_BYTES + 1];
};

static struct file *files;
static size_t file_count;

static const struct {
	const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
};

static _Noreturn void fail(const char *what, const char *about)
{
	fprintf(stderr, "embed: %s: %s\n", about, what);
	exit(1);
}

static void add(struct bytes *bytes, const char *data, size_t len)
{
	while (bytes->size - bytes->len < len) {
		bytes->size = bytes->size ? 2 * bytes->size : 65536;
		bytes->data = realloc(bytes->data, bytes->size);
		if (!bytes->data)
			fail("no memory", "realloc");
	}
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

static void add_text(struct bytes *bytes, const char *text)
{
	add(bytes, text, strlen(text));
}

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t at = strlen(name) - strlen(types[i].ending);
		if (strlen(name) > strlen(types[i].ending) &&
		    strcmp(name + at, types[i].ending) == 0)
			return types[i].type;
	}
	fail("a file of unknown type", name);
}

static void load(struct file *file, const char *path)
{
	const char *slash = strrchr(path, '/');
	char chunk[65536];
	FILE *in = fopen(path, "rb");
	size_t got;

	if (!in)
		fail("cannot open", path);
	file->name = slash ? slash + 1 : path;
	file->type = type_of(file->name);
	file->is_page = strncmp(file->type, "text/html", 9) == 0;
	while ((got = fread(chunk, 1, sizeof chunk, in)) > 0)
		add(&file->raw, chunk, got);
	if (ferror(in))
		fail("cannot read", path);
	fclose(in);
}

static void hash(struct file *file)
{
	unsigned char digest[crypto_generichash_BYTES_MIN];

	crypto_generichash(digest, sizeof digest,
	    (const unsigned char *)file->raw.data, file->raw.len, NULL, 0);
	sodium_bin2hex(file->hash, sizeof file->hash, digest, HASH_BYTES);
}

/* A gzip member whose header zlib leaves without time and name. */
static void compress_file(struct file *file)
{
	z_stream z = {0};

	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY))
		fail("deflateInit2", file->name);
	file->gzip.size = deflateBound(&z, file->raw.len);
	file->gzip.data = malloc(file->gzip.size);
	if (!file->gzip.data)
		fail("no memory", file->name);
	z.next_in = (Bytef *)file->raw.data;
	z.avail_in = (uInt)file->raw.len;
	z.next_out = (Bytef *)file->gzip.data;
	z.avail_out = (uInt)file->gzip.size;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		fail("deflate", file->name);
	file->gzip.len = z.total_out;
	deflateEnd(&z);
	if (file->gzip.len >= file->raw.len)
		file->gzip.len = 0;
}

/* A name out of the middle of a page, for a message. */
static const char *bounded(const char *name, size_t len)
{
	static char text[80];

	snprintf(text, sizeof text, "%.*s", (int)len, name);
	return text;
}

static const struct file *find(const char *name, size_t len)
{
	for (size_t i = 0; i < file_count; i++)
		if (strlen(files[i].name) == len &&
		    memcmp(files[i].name, name, len) == 0)
			return &files[i];
	fail("is not there", bounded(name, len));
}

static void add_asset(struct bytes *out, const char *name, size_t len)
{
	const struct file *file = find(name, len);

	if (file->is_page)
		fail("is a page, not an asset", file->name);
	add_text(out, "/assets/");
	add_text(out, file->hash);
	add_text(out, "/");
	add_text(out, file->name);
}

static void add_escaped(struct bytes *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '&')
			add_text(out, "&amp;");
		else if (text[i] == '<')
			add_text(out, "&lt;");
		else
			add(out, text + i, 1);
}

static void add_string(struct bytes *out, const char *key, size_t key_len)
{
	const struct bytes *raw = &find("strings.js", 10)->raw;
	struct bytes line = {0};
	const char *at, *end;

	add_text(&line, "\n\t");
	add(&line, key, key_len);
	add_text(&line, ": \"");
	at = memmem(raw->data, raw->len, line.data, line.len);
	if (!at)
		fail("is not in strings.js", bounded(key, key_len));
	at += line.len;
	end = memchr(at, '"', (size_t)(raw->data + raw->len - at));
	if (!end)
		fail("has no end in strings.js", bounded(key, key_len));
	add_escaped(out, at, (size_t)(end - at));
	free(line.data);
}

/* The page with what is known now; the other slots stay as they are. */
static void resolve(struct file *page)
{
	struct bytes out = {0};
	const char *at = page->raw.data, *end = at + page->raw.len;

	while (at < end) {
		const char *slot = memmem(at, (size_t)(end - at), "{{", 2);
		const char *close = NULL;

		if (!slot)
			break;
		close = memmem(slot, (size_t)(end - slot), "}}", 2);
		if (!close)
			fail("has no }}", bounded(slot, (size_t)(end - slot)));
		add(&out, at, (size_t)(slot - at));
		if (strncmp(slot, "{{asset:", 8) == 0)
			add_asset(&out, slot + 8, (size_t)(close - slot - 8));
		else if (strncmp(slot, "{{text:", 7) == 0)
			add_string(&out, slot + 7, (size_t)(close - slot - 7));
		else
			add(&out, slot, (size_t)(close + 2 - slot));
		at = close + 2;
	}
	add(&out, at, (size_t)(end - at));
	free(page->raw.data);
	page->raw = out;
}

static void print_bytes(const char *kind, size_t i, const struct bytes *bytes)
{
	printf("static const unsigned char %s_%zu[] = {", kind, i);
	for (size_t n = 0; n < bytes->len; n++)
		printf("%s%u,", n % 24 ? "" : "\n",
		    (unsigned)(unsigned char)bytes->data[n]);
	printf("\n};\n");
}

static void print_row(size_t i)
{
	const struct file *file = &files[i];

	printf("\t{\"%s\", \"%s\", data_%zu, %zu, ", file->name, file->type, i,
	    file->raw.len);
	if (file->gzip.len)
		printf("gzip_%zu, %zu, ", i, file->gzip.len);
	else
		printf("NULL, 0, ");
	printf("\"%s\"},\n", file->hash);
}

static void print_all(void)
{
	printf("/* Made by lib/gen/embed.c from web/. */\n");
	for (size_t i = 0; i < file_count; i++) {
		print_bytes("data", i, &files[i].raw);
		if (files[i].gzip.len)
			print_bytes("gzip", i, &files[i].gzip);
	}
	printf("static const struct hchat_asset assets[] = {\n");
	for (size_t i = 0; i < file_count; i++)
		print_row(i);
	printf("};\n");
}

int main(int argc, char **argv)
{
	if (argc < 2 || sodium_init() < 0)
		fail("usage: embed FILE...", "nothing to do");
	file_count = (size_t)argc - 1;
	files = calloc(file_count, sizeof *files);
	if (!files)
		fail("no memory", "calloc");
	for (size_t i = 0; i < file_count; i++)
		load(&files[i], argv[i + 1]);
	for (size_t i = 0; i < file_count; i++)
		if (!files[i].is_page) {
			hash(&files[i]);
			compress_file(&files[i]);
		}
	for (size_t i = 0; i < file_count; i++)
		if (files[i].is_page)
			resolve(&files[i]);
	print_all();
	if (fflush(stdout) || ferror(stdout))
		fail("cannot write", "standard output");
	return 0;
}
