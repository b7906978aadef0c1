/*
 * Runs a fuzz target over files and folders of inputs, as libFuzzer does with
 * -runs=0: so `make check` needs no clang. Prints a TAP line a file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* At most MOST bytes of the file, in an allocation of that very size: so a
 * sanitizer sees one byte too far. */
static uint8_t *load(const char *path, size_t *ret_len)
{
	static uint8_t data[MOST];
	FILE *file = fopen(path, "rb");
	uint8_t *exact;

	if (!file)
		return NULL;
	*ret_len = fread(data, 1, sizeof data, file);
	(void)fclose(file);
	exact = malloc(*ret_len ? *ret_len : 1);
	if (exact)
		memcpy(exact, data, *ret_len);
	return exact;
}

static int run_file(const char *path, int number)
{
	size_t len;
	uint8_t *data = load(path, &len);

	if (!data)
		return -1;
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	printf("ok %d - %s\n", number, path);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	char path[4096];
	int number = 0;
	DIR *dir;

	for (int i = 1; i < argc; i++) {
		dir = opendir(argv[i]);
		if (!dir)
			return 1;
		while ((entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(
			    path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (run_file(path, ++number) < 0)
				return 1;
		}
		(void)closedir(dir);
	}
	printf("1..%d\n", number);
	return number ? 0 : 1;
}
