/*
 * Runs a fuzz target over files and folders of inputs, as libFuzzer does with
 * -runs=0: so `make check` needs no clang. Prints a TAP line a file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, int number)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20), *exact;
	size_t len;

	if (!file || !data)
		return -1;
	len = fread(data, 1, 1 << 20, file);
	(void)fclose(file);
	/* An allocation of its very size: a sanitizer sees one byte more. */
	exact = malloc(len ? len : 1);
	if (!exact)
		return -1;
	memcpy(exact, data, len);
	free(data);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
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
