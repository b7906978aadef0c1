/* Each test confines a child of its own, since there is no way back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine.h"

static struct state state;
static const struct settings required = {.sandbox = SANDBOX_REQUIRE};
static char base[] = "/tmp/parlance-sandbox-XXXXXX";

static const struct sandbox_rule rules[] = {
    {SANDBOX_STATE, "rooms", SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE},
    {SANDBOX_STATE, "key", SANDBOX_READ},
    {SANDBOX_RUNTIME, "auth", SANDBOX_MAKE},
    {SANDBOX_RUNTIME, "nothing-there", SANDBOX_READ},
    {SANDBOX_NONE, NULL, 0},
};

static int open_errno(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags, 0600);

	return fd < 0 ? errno : 0;
}

/* What a handler may have a mind to do: each returns its errno. */
static int room_make(void)
{
	return open_errno(state.state, "rooms/lobby.txt", O_RDWR | O_CREAT);
}

static int room_truncate(void)
{
	int fd = openat(state.state, "rooms/there.txt", O_RDWR);

	return ftruncate(fd, 0) < 0 ? errno : 0;
}

static int rooms_list(void)
{
	return open_errno(state.state, "rooms", O_RDONLY | O_DIRECTORY);
}

static int room_unlink(void)
{
	return unlinkat(state.state, "rooms/there.txt", 0) < 0 ? errno : 0;
}

static int key_read(void)
{
	return open_errno(state.state, "key", O_RDONLY);
}

static int key_write(void)
{
	return open_errno(state.state, "key", O_WRONLY);
}

static int files_write(void)
{
	return open_errno(state.state, "files/x", O_WRONLY | O_CREAT);
}

static int passwd_read(void)
{
	return open_errno(AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static int path_truncate(void)
{
	return truncate("/dev/null", 0) < 0 ? errno : 0;
}

static int path_chmod(void)
{
	return fchmodat(state.state, "rooms", 0777, 0) < 0 ? errno : 0;
}

static int tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET, 0) < 0 ? errno : 0;
}

static int run_program(void)
{
	char *const argv[] = {(char *)"true", NULL};

	return execv("/bin/true", argv) < 0 ? errno : 0;
}

static int run_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int map_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

/* Serve's and other handlers' user is this one's, too. */
static int signal_other(void)
{
	pid_t parent = getppid();

	return tgkill(parent, parent, 0) < 0 ? errno : 0;
}

static int signal_by_owner(void)
{
	return fcntl(0, F_SETOWN, getppid()) < 0 ? errno : 0;
}

static int lock_and_flags(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(state.state, "rooms/there.txt", O_RDWR);

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || fcntl(fd, F_GETFL) < 0)
		return errno;
	return fcntl(fd, F_DUPFD_CLOEXEC, 9) < 0 ? errno : 0;
}

static int unknown_call(void)
{
	return syscall(500) < 0 ? errno : 0;
}

/* What f returns, run in a confined child. */
static int confined(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (confine_to(&state, &required, rules) < 0)
			_exit(255);
		_exit(f());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A sanitizer makes calls of its own, which no filter allows: its builds are
 * tested with "off". */
static void skip_where_off(void)
{
	const char *mode = getenv("PARLANCE_SANDBOX");

	if (mode && strcmp(mode, "off") == 0)
		skip();
}

static void allows_what_the_rules_name(void **unused)
{
	(void)unused;
	skip_where_off();
	assert_int_equal(confined(room_make), 0);
	assert_int_equal(confined(room_truncate), 0);
	assert_int_equal(confined(key_read), 0);
	assert_int_equal(confined(unix_socket), 0);
	assert_int_equal(confined(lock_and_flags), 0);
}

static void denies_files_beyond_the_rules(void **unused)
{
	(void)unused;
	skip_where_off();
	assert_int_equal(confined(rooms_list), EACCES);
	assert_int_equal(confined(room_unlink), EACCES);
	assert_int_equal(confined(key_write), EACCES);
	assert_int_equal(confined(files_write), EACCES);
	assert_int_equal(confined(passwd_read), EACCES);
}

static void denies_calls_that_landlock_does_not_cover(void **unused)
{
	(void)unused;
	skip_where_off();
	assert_int_equal(confined(path_truncate), EPERM);
	assert_int_equal(confined(path_chmod), EPERM);
	assert_int_equal(confined(tcp_socket), EPERM);
	assert_int_equal(confined(run_program), EPERM);
	assert_int_equal(confined(run_child), EPERM);
	assert_int_equal(confined(map_executable), EPERM);
	assert_int_equal(confined(signal_other), EPERM);
	assert_int_equal(confined(signal_by_owner), ENOSYS);
	assert_int_equal(confined(unknown_call), ENOSYS);
}

static void does_nothing_when_off(void **unused)
{
	struct settings off = {.sandbox = SANDBOX_OFF};

	(void)unused;
	assert_int_equal(confine_to(&state, &off, rules), 0);
	assert_int_equal(passwd_read(), 0);
}

static int make_state(void **unused)
{
	char path[128];
	struct state_error error;
	int fd;

	(void)unused;
	if (!mkdtemp(base))
		return -1;
	(void)snprintf(path, sizeof path, "%s/state", base);
	(void)setenv("STATE_DIRECTORY", path, 1);
	(void)snprintf(path, sizeof path, "%s/run", base);
	(void)setenv("RUNTIME_DIRECTORY", path, 1);
	if (state_open(&state, &error) < 0)
		return -1;
	fd = openat(state.state, "rooms/there.txt", O_WRONLY | O_CREAT, 0640);
	(void)close(fd);
	fd = openat(state.state, "key", O_WRONLY | O_CREAT, 0600);
	return close(fd);
}

static int remove_state(void **unused)
{
	char command[128];

	(void)unused;
	state_close(&state);
	(void)snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allows_what_the_rules_name),
	    cmocka_unit_test(denies_files_beyond_the_rules),
	    cmocka_unit_test(denies_calls_that_landlock_does_not_cover),
	    cmocka_unit_test(does_nothing_when_off),
	};

	return cmocka_run_group_tests_name(
	    "sandbox", tests, make_state, remove_state);
}
