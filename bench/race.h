/*
 * Processes that all do one thing, as often as they can, for a while. A runner
 * gets ready, calls race_start(), and from then on does it until race->stop:
 *
 *	race_start(race);
 *	for (; !race->stop; n++)
 *		...
 *	race->done += n;
 */
#ifndef RACE_H
#define RACE_H

#include <stdbool.h>
#include <sys/wait.h>

#include "basics.h"

/* In shared(). */
struct race {
	_Atomic bool go, stop;
	_Atomic uint64_t ready, done;
};

static inline void race_start(struct race *race)
{
	race->ready++;
	while (!race->go)
		(void)usleep(100);
}

/* Forks `runners` that call run(arg), and lets them run for ms milliseconds.
 * Returns how often a second it was done; exits if one of them failed. */
static inline double race_run(struct race *race, int runners, int64_t ms,
    void (*run)(void *arg), void *arg)
{
	int status, bad = 0;
	double start;

	*race = (struct race){0};
	for (int i = 0; i < runners; i++) {
		if (fork() == 0) {
			run(arg);
			_exit(0);
		}
	}
	while (race->ready < (uint64_t)runners)
		(void)usleep(1000);
	start = now_us();
	race->go = true;
	(void)usleep((useconds_t)ms * 1000);
	race->stop = true;
	while (wait(&status) > 0)
		bad |= status;
	if (bad)
		exit(1);
	return (double)race->done * 1e6 / (now_us() - start);
}

#endif
