/*
 * A state of one's own in a temporary directory, in memory where there is
 * /dev/shm; include after cmocka.h.
 *
 *	struct place p;
 *	place_init(&p);          STATE_DIRECTORY and RUNTIME_DIRECTORY are set
 *	... p.state ...
 *	place_release(&p);       everything is removed
 */
#ifndef PLACE_H
#define PLACE_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/state.h"

struct place {
	char path[64];
	struct state state;
};

static inline void place_open(struct place *p)
{
	struct state_error error;

	if (state_open(&p->state, &error) < 0)
		fail_msg("%s", error.text);
}

static inline void place_init(struct place *p)
{
	char sub[96];

	(void)snprintf(p->path, sizeof p->path, "%s/parlance-test-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(p->path));
	(void)snprintf(sub, sizeof sub, "%s/state", p->path);
	(void)setenv("STATE_DIRECTORY", sub, 1);
	(void)snprintf(sub, sizeof sub, "%s/run", p->path);
	(void)setenv("RUNTIME_DIRECTORY", sub, 1);
	place_open(p);
}

static inline int place_remove(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void place_release(struct place *p)
{
	state_close(&p->state);
	(void)nftw(p->path, place_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* cmocka's set-up and teardown of a test with a place as its state. */
static inline int place_make(void **state)
{
	struct place *p = malloc(sizeof *p);

	assert_non_null(p);
	place_init(p);
	*state = p;
	return 0;
}

static inline int place_unmake(void **state)
{
	place_release(*state);
	free(*state);
	return 0;
}

/* In a child: becomes somebody whom permissions concern. */
static inline bool place_as_nobody(void)
{
	const unsigned nobody = 65534;

	return geteuid() != 0 || (setgid(nobody) == 0 && setuid(nobody) == 0);
}

/* Runs f in a child process each, all at once; returns how many exited with
 * status 0. Nothing is left behind. */
static inline int place_each(
    int count, int (*f)(struct place *, int number), struct place *p)
{
	pid_t child[64];
	int begin[2], good = 0, status;
	char byte;

	assert_true(count <= 64 && pipe(begin) == 0);
	for (int i = 0; i < count; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			(void)close(begin[1]);
			/* End of input is the start signal. */
			(void)!read(begin[0], &byte, 1);
			_exit(f(p, i));
		}
		assert_true(child[i] > 0);
	}
	(void)close(begin[0]);
	(void)close(begin[1]);
	for (int i = 0; i < count; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return good;
}

#endif
