#include <string.h>

#include "files.h"
#include "log.h"
#include "start.h"

void start_files(const struct start *start, struct files *ret)
{
	const char *path = start->settings.files;
	int r = files_open(ret, &start->state, &start->settings);

	if (r < 0 && path)
		log_usage(
		    start->door, "PARLANCE_FILES: %s: %s", path, strerror(-r));
	if (r < 0)
		log_die("files", r);
}
