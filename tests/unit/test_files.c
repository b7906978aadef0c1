#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "confine.h"
#include "guard.h"
#include "lib/files.h"
#include "place.h"

#define MAX (9 * 1024 * 1024)

static struct place place;
static struct settings settings = {.file_max = MAX};
static struct files files;

static int setup(void **unused)
{
	(void)unused;
	settings = (struct settings){.file_max = MAX};
	place_init(&place);
	return files_open(&files, &place.state, &settings);
}

static int teardown(void **unused)
{
	(void)unused;
	files_close(&files);
	place_release(&place);
	return 0;
}

/* Uploads size bytes in pieces; 0 or the first error. */
static int upload(const char *name, uint64_t size)
{
	static char bytes[64 * 1024];
	struct upload u;
	int r = upload_begin(&u, &files, name, strlen(name), size);

	for (uint64_t left = size, n; left && r == 0; left -= n) {
		n = left < sizeof bytes ? left : sizeof bytes;
		memset(bytes, (int)(left % 251), sizeof bytes);
		r = upload_write(&u, bytes, n);
	}
	if (r == 0)
		r = upload_commit(&u);
	upload_release(&u);
	return r;
}

/* The size of what files_read() opens, or its error. */
static int64_t size_of(const char *name)
{
	uint64_t size = 0;
	int fd = -1, r = files_read(&files, name, strlen(name), &fd, &size);

	if (r < 0) {
		assert_int_equal(fd, -1);
		return r;
	}
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);
	return (int64_t)size;
}

static int count(void *arg, const char *name, uint64_t size)
{
	assert_int_equal(size_of(name), size);
	++*(int *)arg;
	return 0;
}

static int listed(void)
{
	int n = 0;

	assert_int_equal(files_each(&files, count, &n), 0);
	return n;
}

/* Everything in the folder, files or not. */
static int entries(void)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	assert_int_equal(state_folder_list(files.folder, &dir), 0);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	(void)closedir(dir);
	return n;
}

static void put(const char *name, const char *text)
{
	int fd = openat(
	    files.folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* --- names ------------------------------------------------------------ */

static enum file_name_fault check(const char *name, size_t len)
{
	enum file_name_fault fault;
	struct guard g;

	guard_init(&g);
	fault = file_name_check(guard_put(&g, name, len), len);
	guard_release(&g);
	return fault;
}

#define CHECK(name) check(name, sizeof(name) - 1)

static void takes_names_that_are_names(void **unused)
{
	char longest[256];

	(void)unused;
	memset(longest, 'x', sizeof longest);
	assert_int_equal(check(longest, 255), FILE_NAME_FINE);
	assert_int_equal(check(longest, 256), FILE_NAME_TOO_LONG);
	assert_int_equal(CHECK("a"), FILE_NAME_FINE);
	assert_int_equal(CHECK("a..b."), FILE_NAME_FINE);
	assert_int_equal(CHECK("-rf *"), FILE_NAME_FINE);
	assert_int_equal(CHECK("a b%#?&\\\"<b>"), FILE_NAME_FINE);
	assert_int_equal(
	    CHECK("прил\xc2\xa0ожение €\xf0\x9f\x8d\xb5"), FILE_NAME_FINE);
	assert_int_equal(CHECK(""), FILE_NAME_EMPTY);
	assert_int_equal(CHECK("."), FILE_NAME_DOT);
	assert_int_equal(CHECK(".."), FILE_NAME_DOT);
	assert_int_equal(CHECK(".bashrc"), FILE_NAME_DOT);
	assert_int_equal(CHECK("../x"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("/etc/passwd"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a/b"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("/"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\0b"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\u202etxt.exe"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\u2028b"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\u2069"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\u2027\u202f\u200f"), FILE_NAME_FINE);
	assert_int_equal(CHECK("a\n"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("\x1f"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\x7f"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\xc2\x80"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\xc2\x9f"), FILE_NAME_CHARACTER);
	assert_int_equal(CHECK("a\x9f"), FILE_NAME_NOT_UTF8);
	assert_int_equal(CHECK("a\xc3"), FILE_NAME_NOT_UTF8);
	assert_int_equal(CHECK("\xc0\xaf"), FILE_NAME_NOT_UTF8);
	assert_int_equal(CHECK("\xed\xa0\x80"), FILE_NAME_NOT_UTF8);
	assert_int_equal(CHECK("\xf4\x90\x80\x80"), FILE_NAME_NOT_UTF8);
}

static void says_what_is_wrong_with_a_name(void **unused)
{
	(void)unused;
	for (int fault = -1; fault <= FILE_NAME_DOT + 1; fault++)
		assert_non_null(
		    file_name_fault_says((enum file_name_fault)fault));
}

static void refuses_bad_names_everywhere(void **unused)
{
	static const char *const names[] = {
	    "", ".", "..", "../x", "/etc/passwd", "a/b", "a\n", "\xff", NULL};
	struct upload u;
	uint64_t size;
	int fd;

	(void)unused;
	for (int i = 0; names[i]; i++) {
		assert_int_equal(upload(names[i], 1), -EINVAL);
		assert_int_equal(size_of(names[i]), -EINVAL);
	}
	assert_int_equal(upload_begin(&u, &files, "a\0b", 3, 1), -EINVAL);
	assert_int_equal(files_read(&files, "a\0b", 3, &fd, &size), -EINVAL);
	assert_int_equal(entries(), 0);
}

static void announces_any_name_in_a_footers_characters(void **unused)
{
	char text[FILES_TEXT], keys[FILES_KEYS];
	char user[LIMIT_NAME + 1], name[LIMIT_FILE_NAME + 1];

	(void)unused;
	files_announce("ann", "a b%\xd1\x8f~.txt", text, keys);
	assert_string_equal(text, "ann has uploaded a b%\xd1\x8f~.txt");
	assert_string_equal(keys, "file=a%20b%25%D1%8F~.txt");
	memset(user, 'u', sizeof user - 1);
	memset(name, '%', sizeof name - 1);
	user[LIMIT_NAME] = name[LIMIT_FILE_NAME] = '\0';
	files_announce(user, name, text, keys);
	assert_int_equal(strlen(text), LIMIT_NAME + 14 + LIMIT_FILE_NAME);
	assert_int_equal(strlen(keys), FILES_KEYS - 1);
}

/* --- uploads ---------------------------------------------------------- */

static void stores_what_was_sent(void **unused)
{
	char got[16];
	struct upload u;
	struct stat st;
	uint64_t size;
	int fd;

	(void)unused;
	assert_int_equal(upload_begin(&u, &files, "tea.txt", 7, 11), 0);
	assert_int_equal(upload_write(&u, "milk", 4), 0);
	assert_int_equal(upload_write(&u, "", 0), 0);
	assert_int_equal(entries(), 0);
	assert_int_equal(upload_commit(&u), -EMSGSIZE);
	assert_int_equal(entries(), 0);
	assert_int_equal(upload_write(&u, " no more", 8), -EFBIG);
	assert_int_equal(upload_write(&u, " no lie", 7), 0);
	assert_int_equal(upload_write(&u, "!", 1), -EFBIG);
	assert_int_equal(size_of("tea.txt"), -ENOENT);
	assert_int_equal(upload_commit(&u), 0);
	upload_release(&u);
	upload_release(&u);

	assert_int_equal(files_read(&files, "tea.txt", 7, &fd, &size), 0);
	assert_int_equal(size, 11);
	assert_int_equal(read(fd, got, sizeof got), 11);
	assert_memory_equal(got, "milk no lie", 11);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_nlink, 1);
	(void)close(fd);
	assert_int_equal(fstat(files.folder, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 02750);
}

static void takes_sizes_up_to_the_cap(void **unused)
{
	(void)unused;
	assert_int_equal(upload("0", 0), 0);
	assert_int_equal(upload("1", 1), 0);
	assert_int_equal(upload("cap", MAX), 0);
	assert_int_equal(upload("more", MAX + 1), -EFBIG);
	assert_int_equal(upload("most", UINT64_MAX), -EFBIG);
	assert_int_equal(size_of("0"), 0);
	assert_int_equal(size_of("1"), 1);
	assert_int_equal(size_of("cap"), MAX);
	assert_int_equal(listed(), 3);
	assert_int_equal(entries(), 3);
}

static void overwrites_nothing(void **unused)
{
	struct upload u;

	(void)unused;
	assert_int_equal(upload("a", 10), 0);
	assert_int_equal(upload("a", 5), -EEXIST);
	assert_int_equal(size_of("a"), 10);
	/* It may come up meanwhile. */
	assert_int_equal(upload_begin(&u, &files, "b", 1, 1), 0);
	put("b", "by hand");
	assert_int_equal(upload_write(&u, "x", 1), 0);
	assert_int_equal(upload_commit(&u), -EEXIST);
	assert_int_equal(upload_undo(&u), -ENOENT);
	upload_release(&u);
	assert_int_equal(size_of("b"), 7);
}

static int upload_in_turn(struct place *p, int number)
{
	(void)p;
	return upload("same", (uint64_t)number) != 0;
}

static void lets_one_of_many_have_a_name(void **unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(place_each(8, upload_in_turn, &place), 1);
		assert_int_equal(entries(), 1);
		assert_int_equal(unlinkat(files.folder, "same", 0), 0);
	}
}

static void makes_no_use_of_what_somebody_put_there(void **unused)
{
	static const char *const names[] = {
	    "link", "dangling", "fifo", "folder", NULL};
	char outside[128];
	struct stat st;

	(void)unused;
	(void)snprintf(outside, sizeof outside, "%s/outside", place.path);
	assert_int_equal(symlinkat("../version", files.folder, "link"), 0);
	assert_int_equal(symlinkat(outside, files.folder, "dangling"), 0);
	assert_int_equal(mkfifoat(files.folder, "fifo", 0640), 0);
	assert_int_equal(mkdirat(files.folder, "folder", 0750), 0);
	put(".hidden", "x");
	put("a\nb", "x");
	put("\xff", "x");
	put("fine", "x");
	for (int i = 0; names[i]; i++) {
		assert_int_equal(size_of(names[i]), -ENOENT);
		assert_int_equal(upload(names[i], 1), -EEXIST);
	}
	assert_int_equal(fstatat(files.folder, "link", &st, 0), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(stat(outside, &st), -1);
	assert_int_equal(listed(), 1);
	assert_int_equal(entries(), 8);
}

static void does_not_block_on_sockets(void **unused)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unused;
	(void)snprintf(address.sun_path, sizeof address.sun_path,
	    "%s/state/files/socket", place.path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(size_of("socket"), -ENOENT);
	(void)close(fd);
}

static int stop(void *arg, const char *name, uint64_t size)
{
	(void)name;
	(void)size;
	++*(int *)arg;
	return -ENOENT;
}

static void stops_listing_when_told(void **unused)
{
	int n = 0;

	(void)unused;
	put("a", "");
	put("b", "");
	assert_int_equal(files_each(&files, stop, &n), -ENOENT);
	assert_int_equal(n, 1);
	assert_int_equal(listed(), 2);
}

static void leaves_nothing_of_what_is_cut_short(void **unused)
{
	struct upload u;
	int status, ready[2];
	char byte;
	pid_t pid;

	(void)unused;
	assert_int_equal(upload_begin(&u, &files, "a", 1, 2), 0);
	assert_int_equal(upload_write(&u, "x", 1), 0);
	upload_release(&u);
	assert_int_equal(entries(), 0);

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (upload_begin(&u, &files, "a", 1, 2) == 0 &&
		    upload_write(&u, "x", 1) == 0)
			(void)!write(ready[1], "x", 1);
		(void)pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_int_equal(entries(), 0);
}

static void takes_back_its_own_file_only(void **unused)
{
	struct upload u;

	(void)unused;
	assert_int_equal(upload_begin(&u, &files, "a", 1, 0), 0);
	assert_int_equal(upload_undo(&u), -ENOENT);
	assert_int_equal(upload_commit(&u), 0);
	assert_int_equal(upload_undo(&u), 0);
	assert_int_equal(upload_undo(&u), -ENOENT);
	upload_release(&u);
	assert_int_equal(entries(), 0);

	assert_int_equal(upload_begin(&u, &files, "a", 1, 0), 0);
	assert_int_equal(upload_commit(&u), 0);
	assert_int_equal(unlinkat(files.folder, "a", 0), 0);
	put("a", "by hand");
	assert_int_equal(upload_undo(&u), -ENOENT);
	upload_release(&u);
	assert_int_equal(size_of("a"), 7);
}

static void leaves_as_much_free_as_it_should(void **unused)
{
	struct upload u;

	(void)unused;
	files.min_free = UINT64_MAX;
	assert_int_equal(upload("a", 0), -ENOSPC);
	files.min_free = 0;
	files.max = UINT64_MAX;
	assert_int_equal(upload("a", UINT64_MAX / 2), -ENOSPC);
	/* What is free may go while it is on its way, and with very many on
	 * their way few bytes of each. */
	assert_int_equal(upload_begin(&u, &files, "a", 1, MAX), 0);
	assert_int_equal(upload_write(&u, "x", 1), 0);
	files.min_free = UINT64_MAX;
	assert_int_equal(upload_write(&u, "x", 1), -ENOSPC);
	upload_release(&u);
	assert_int_equal(entries(), 0);
}

/* As many bytes as a process may write to a file. */
static int with_a_limit(struct place *p, int number)
{
	struct rlimit limit = {100000, 100000};

	(void)p;
	(void)number;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	return upload("a", 200000) != -ENOSPC;
}

static void tells_storage_that_ends_from_files_too_long(void **unused)
{
	(void)unused;
	assert_int_equal(place_each(1, with_a_limit, &place), 1);
	assert_int_equal(entries(), 0);
}

static void keeps_the_old_file_where_it_is_replaced(void **unused)
{
	char got[8];
	uint64_t size;
	int fd;

	(void)unused;
	put("a", "old");
	put("b", "newer");
	assert_int_equal(files_read(&files, "a", 1, &fd, &size), 0);
	assert_int_equal(renameat(files.folder, "b", files.folder, "a"), 0);
	assert_int_equal(read(fd, got, sizeof got), 3);
	assert_memory_equal(got, "old", 3);
	(void)close(fd);
	assert_int_equal(size_of("a"), 5);
}

/* --- where it is ------------------------------------------------------ */

static void uses_the_folder_of_the_settings(void **unused)
{
	struct files other;
	char path[128];

	(void)unused;
	(void)snprintf(path, sizeof path, "%s/elsewhere", place.path);
	settings.files = path;
	assert_int_equal(files_open(&other, &place.state, &settings), -ENOENT);
	files_close(&other);
	assert_int_equal(mkdir(path, 0750), 0);
	files_close(&files);
	assert_int_equal(files_open(&files, &place.state, &settings), 0);
	assert_int_equal(upload("a", 3), 0);
	(void)snprintf(path, sizeof path, "%s/elsewhere/a", place.path);
	assert_int_equal(access(path, F_OK), 0);
}

/* procfs knows no O_TMPFILE; neither do NFS, FAT and others. */
static void says_that_a_file_system_cannot_do_it(void **unused)
{
	(void)unused;
	if (geteuid() != 0)
		skip();
	settings.files = "/proc";
	files_close(&files);
	assert_int_equal(files_open(&files, &place.state, &settings), 0);
	assert_int_equal(upload("no-such-file", 3), -EOPNOTSUPP);
}

/* --- confined --------------------------------------------------------- */

static int confine(int rights)
{
	struct sandbox_rule rules[2] = {{SANDBOX_FILES, NULL, rights}};

	settings.sandbox = SANDBOX_REQUIRE;
	return confine_to(&place.state, &settings, rules);
}

static int as_a_writer(struct place *p, int number)
{
	struct upload u;

	(void)p;
	(void)number;
	if (confine(SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE | SANDBOX_MAKE |
		    SANDBOX_REMOVE) < 0)
		return 1;
	if (upload("a", MAX) != 0 || size_of("a") != MAX || listed() != 1)
		return 2;
	if (upload("a", 1) != -EEXIST)
		return 3;
	if (upload_begin(&u, &files, "b", 1, 0) || upload_commit(&u) ||
	    upload_undo(&u) || size_of("b") != -ENOENT)
		return 4;
	upload_release(&u);
	return 0;
}

static int as_a_reader(struct place *p, int number)
{
	int n = 0;

	(void)p;
	(void)number;
	if (confine(SANDBOX_READ) < 0)
		return 1;
	if (size_of("a") != MAX || upload("b", 1) != -EACCES)
		return 2;
	return files_each(&files, count, &n) != -EACCES;
}

static void works_confined_to_its_folder(void **unused)
{
	const char *mode = getenv("PARLANCE_SANDBOX");

	(void)unused;
	if (mode && strcmp(mode, "off") == 0)
		skip();
	assert_int_equal(place_each(1, as_a_writer, &place), 1);
	assert_int_equal(place_each(1, as_a_reader, &place), 1);
	assert_int_equal(entries(), 1);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_names_that_are_names),
	    cmocka_unit_test(says_what_is_wrong_with_a_name),
	    EACH(refuses_bad_names_everywhere),
	    cmocka_unit_test(announces_any_name_in_a_footers_characters),
	    EACH(stores_what_was_sent),
	    EACH(takes_sizes_up_to_the_cap),
	    EACH(overwrites_nothing),
	    EACH(lets_one_of_many_have_a_name),
	    EACH(makes_no_use_of_what_somebody_put_there),
	    EACH(does_not_block_on_sockets),
	    EACH(stops_listing_when_told),
	    EACH(leaves_nothing_of_what_is_cut_short),
	    EACH(takes_back_its_own_file_only),
	    EACH(leaves_as_much_free_as_it_should),
	    EACH(tells_storage_that_ends_from_files_too_long),
	    EACH(keeps_the_old_file_where_it_is_replaced),
	    EACH(uses_the_folder_of_the_settings),
	    EACH(says_that_a_file_system_cannot_do_it),
	    EACH(works_confined_to_its_folder),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
