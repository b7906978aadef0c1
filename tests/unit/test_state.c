#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io.h"
#include "lib/state.h"

static char base[64];
static struct state state;
static struct state_error error;

static void run(const char *format, const char *path)
{
	char command[256];

	(void)snprintf(command, sizeof command, format, path);
	assert_int_equal(system(command), 0);
}

static int set_up(void **unused)
{
	char path[128];

	(void)unused;
	memcpy(base, "/tmp/parlance-state-XXXXXX", 27);
	if (!mkdtemp(base))
		return -1;
	(void)snprintf(path, sizeof path, "%s/deep/er/state", base);
	(void)setenv("STATE_DIRECTORY", path, 1);
	(void)snprintf(path, sizeof path, "%s/run", base);
	(void)setenv("RUNTIME_DIRECTORY", path, 1);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	state_close(&state);
	run("rm -rf %s", base);
	return 0;
}

static mode_t mode_of(int dir, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_EMPTY_PATH), 0);
	return st.st_mode & 07777;
}

static void makes_everything_with_its_modes(void **unused)
{
	(void)unused;
	(void)umask(0);
	assert_int_equal(state_open(&state, &error), 0);
	assert_int_equal(mode_of(state.state, ""), 0750);
	assert_int_equal(mode_of(state.state, "rooms"), 02750);
	assert_int_equal(mode_of(state.state, "meta"), 02750);
	assert_int_equal(mode_of(state.state, "files"), 02750);
	assert_int_equal(mode_of(state.state, "lost"), 02750);
	assert_int_equal(mode_of(state.state, "db"), 0700);
	assert_int_equal(mode_of(state.runtime, ""), 0711);
	assert_int_equal(mode_of(state.runtime, "index"), 0700);
	assert_int_equal(mode_of(state.runtime, "slots"), 0700);
	assert_int_equal(umask(0), 0027);
}

static void makes_a_folder_again_that_was_removed(void **unused)
{
	(void)unused;
	assert_int_equal(state_open(&state, &error), 0);
	state_close(&state);
	run("rm -r %s/run", base);
	assert_int_equal(state_open(&state, &error), 0);
	assert_int_equal(mode_of(state.runtime, "failed"), 0700);
}

static void refuses_a_newer_version_by_name(void **unused)
{
	(void)unused;
	assert_int_equal(state_open(&state, &error), 0);
	state_close(&state);
	run("echo 2 > %s/deep/er/state/version", base);
	assert_int_equal(state_open(&state, &error), -EUCLEAN);
	assert_non_null(strstr(error.text, "version 2"));
	assert_non_null(strstr(error.text, base));
	run("echo x > %s/deep/er/state/version", base);
	assert_int_equal(state_open(&state, &error), -EUCLEAN);
	run("rm %s/deep/er/state/version", base);
	assert_int_equal(state_open(&state, &error), 0);
}

static void says_which_directory_cannot_be_had(void **unused)
{
	(void)unused;
	run("touch %s/deep", base);
	assert_int_equal(state_open(&state, &error), -ENOTDIR);
	assert_non_null(strstr(error.text, "/deep/er/state: Not a directory"));
}

static void many_may_make_the_key_at_once(void **unused)
{
	unsigned char key[STATE_KEY_BYTES], zero[STATE_KEY_BYTES] = {0};
	unsigned char theirs[STATE_KEY_BYTES];
	int p[2], status;

	(void)unused;
	assert_int_equal(pipe(p), 0);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			if (state_open(&state, &error) < 0 ||
			    state_key(&state, key) < 0)
				_exit(1);
			_exit(write(p[1], key, sizeof key) != sizeof key);
		}
	assert_int_equal(state_open(&state, &error), 0);
	assert_int_equal(state_key(&state, key), 0);
	assert_memory_not_equal(key, zero, sizeof key);
	assert_int_equal(mode_of(state.state, "key"), 0600);
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
		assert_int_equal(
		    read(p[0], theirs, sizeof theirs), sizeof theirs);
		assert_memory_equal(theirs, key, sizeof key);
	}
	(void)close(p[0]);
	(void)close(p[1]);
}

static void a_key_of_another_length_is_refused(void **unused)
{
	unsigned char key[STATE_KEY_BYTES];

	(void)unused;
	assert_int_equal(state_open(&state, &error), 0);
	run("echo short > %s/deep/er/state/key", base);
	assert_int_equal(state_key(&state, key), -EUCLEAN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(makes_everything_with_its_modes),
	    TEST(makes_a_folder_again_that_was_removed),
	    TEST(refuses_a_newer_version_by_name),
	    TEST(says_which_directory_cannot_be_had),
	    TEST(many_may_make_the_key_at_once),
	    TEST(a_key_of_another_length_is_refused),
	};

	state.state = state.runtime = -1;
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
