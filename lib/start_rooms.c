#include "log.h"
#include "room.h"
#include "start.h"

static void log_repair(
    void *arg, const char *room, const char *lost, uint64_t bytes)
{
	struct log_line line;

	(void)arg;
	log_begin(&line, LOG_ERR, "repair");
	log_string(&line, "room", room);
	log_string(&line, "lost", lost);
	log_number(&line, "bytes", (int64_t)bytes);
	log_end(&line);
}

void start_rooms(const struct start *start, struct rooms *ret)
{
	int r = rooms_open(ret, &start->state);

	if (r < 0)
		log_die("rooms", r);
	ret->notice = log_repair;
}
