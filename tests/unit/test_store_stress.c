/*
 * Many processes at the inboxes at once, some killed: every message that was
 * acknowledged is received exactly once, and who is killed while receiving
 * takes one with him at most. And what the log becomes under such load.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "inbox_fixture.h"
#include "lib/clock.h"

#define USERS 8
#define SENDERS 16
#define RECEIVERS 16
#define EACH_MOST 320 /* messages of one sender */

/* SQLite's own syncs come here. Nobody cuts the power, so they are for the full
 * figures alone: there they make it last. */
int fdatasync(int fd)
{
	return test_scale() == 10 ? (int)syscall(SYS_fdatasync, fd) : 0;
}

/* What all processes see. */
struct shared {
	_Atomic bool stop; /* receivers: all has been sent */
	_Atomic int wrong; /* the first error, and what it was */
	_Atomic int acknowledged;
	_Atomic int got;
	_Atomic int next[SENDERS]; /* the next message to be sent */
	_Atomic unsigned char sent[SENDERS][EACH_MOST];
	_Atomic unsigned char received[SENDERS][EACH_MOST];
};

static struct shared *shared;
static int each;

static int make(void **state)
{
	struct people *p = people_new();
	char name[16];

	for (int i = 0; i < USERS; i++) {
		(void)snprintf(name, sizeof name, "u%d", i);
		(void)add_person(p, name);
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	/* Children are to open the database themselves. */
	store_release(&p->store);
	*state = p;
	return 0;
}

static int unmake(void **state)
{
	(void)munmap(shared, sizeof *shared);
	people_free(*state);
	return 0;
}

/* The accounts u0, u1 ... come after the fixture's. */
static int64_t user(const struct people *p, int number)
{
	return p->carol + 1 + number;
}

static void note_wrong(int r)
{
	int none = 0;

	(void)__atomic_compare_exchange_n(&shared->wrong, &none, r, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* A message is tried once: who is killed with it on its way leaves it open
 * whether it was sent. */
static int send_all(struct people *p, int me)
{
	char to[16], body[32];
	int n, r = 0;

	while (r == 0 && (n = shared->next[me]++) < each) {
		(void)snprintf(to, sizeof to, "u%d", (me + n) % USERS);
		(void)snprintf(body, sizeof body, "%d %d", me, n);
		r = send_text(p, user(p, me % USERS), to, body);
		if (r == 0) {
			shared->sent[me][n] = 1;
			shared->acknowledged++;
		}
	}
	note_wrong(r);
	return r != 0;
}

struct senders {
	int count;
	char name[USERS][16];
};

static int add_sender(void *arg, const char *from, uint64_t count)
{
	struct senders *senders = arg;

	(void)count;
	if (senders->count < USERS)
		(void)snprintf(senders->name[senders->count++],
		    sizeof senders->name[0], "%s", from);
	return 0;
}

static int receive(struct people *p, int64_t me, const char *from)
{
	struct inbox_message m;
	int sender, n, r = take_from(p, me, from, &m);

	if (r < 0)
		/* Another connection of this user got it. */
		return r == -ENODATA ? 0 : r;
	if (sscanf(m.body, "%d %d", &sender, &n) != 2 || sender < 0 ||
	    sender >= SENDERS || n < 0 || n >= each)
		return -EBADMSG;
	if (shared->received[sender][n]++)
		return -EALREADY;
	shared->got++;
	return 0;
}

static int receive_all(struct people *p, int number)
{
	int64_t me = user(p, number % USERS);
	struct senders senders;
	bool last;
	int r;

	do {
		/* Once more after all was sent. */
		last = shared->stop;
		senders.count = 0;
		r = inbox_each(&p->store, me, add_sender, &senders);
		for (int i = 0; r == 0 && i < senders.count; i++)
			r = receive(p, me, senders.name[i]);
		if (number % 4 == 3)
			store_idle(&p->store);
	} while (r == 0 && (!last || senders.count));
	note_wrong(r);
	return r != 0;
}

static pid_t start(
    struct people *p, int (*f)(struct people *, int number), int number)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(f(p, number));
	return pid;
}

/* Ends it if it still runs, and starts it anew. 1 if it was killed. */
static int replace(struct people *p, pid_t *pid,
    int (*f)(struct people *, int number), int number)
{
	int status;

	(void)kill(*pid, SIGKILL);
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = start(p, f, number);
	return WIFSIGNALED(status);
}

static void await_count(_Atomic int *count, int least)
{
	int64_t deadline = clock_in(60000);

	while (*count < least && !shared->wrong && clock_left(deadline))
		(void)usleep(200);
}

static int all_ended(const pid_t *pids, int count)
{
	int status, bad = 0;

	for (int i = 0; i < count; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		bad += status != 0;
	}
	return bad;
}

/* Has SENDERS and RECEIVERS at work, with so many kills of each kind on the
 * way. Returns how many receivers were killed. */
static int work(struct people *p, int sender_kills, int receiver_kills)
{
	pid_t senders[SENDERS], receivers[RECEIVERS];
	int total, killed = 0, step;

	each = EACH_MOST * test_scale() / 10;
	total = SENDERS * each;
	for (int i = 0; i < SENDERS; i++)
		senders[i] = start(p, send_all, i);
	for (int i = 0; i < RECEIVERS; i++)
		receivers[i] = start(p, receive_all, i);
	step = total / (sender_kills + receiver_kills + 1);
	for (int i = 1; i <= sender_kills; i++) {
		await_count(&shared->acknowledged, i * step);
		(void)replace(
		    p, &senders[i * 7 % SENDERS], send_all, i * 7 % SENDERS);
	}
	for (int i = 1; i <= receiver_kills; i++) {
		await_count(&shared->got, i * step);
		killed += replace(
		    p, &receivers[i % RECEIVERS], receive_all, i % RECEIVERS);
	}
	assert_int_equal(all_ended(senders, SENDERS), 0);
	shared->stop = true;
	assert_int_equal(all_ended(receivers, RECEIVERS), 0);
	return killed;
}

/* Messages that were acknowledged and not received. None came twice. */
static int count_missing(void)
{
	int missing = 0;

	if (shared->wrong)
		fail_msg("%s", strerror(-shared->wrong));
	for (int i = 0; i < SENDERS; i++)
		for (int n = 0; n < each; n++) {
			assert_true(shared->received[i][n] <= 1);
			missing +=
			    shared->sent[i][n] && !shared->received[i][n];
		}
	return missing;
}

/* --- tests --------------------------------------------------------- */

static int take_text(void *arg, int columns, char **values, char **names)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)names;
	(void)snprintf(text + len, 256 - len, "%s;",
	    columns && values[0] ? values[0] : "");
	return 0;
}

static void assert_sound(const struct people *p)
{
	sqlite3 *db = open_plain(&p->place);
	char text[256] = "";

	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA integrity_check", take_text, text, NULL),
	    SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA foreign_key_check", take_text, text, NULL),
	    SQLITE_OK);
	assert_string_equal(text, "ok;");
	(void)sqlite3_close(db);
}

static void killed_senders_leave_every_message_exactly_once(void **state)
{
	struct people *p = *state;

	assert_int_equal(work(p, 30, 0), 0);
	assert_int_equal(count_missing(), 0);
	assert_sound(p);
}

static void a_killed_receiver_takes_one_message_with_him_at_most(void **state)
{
	struct people *p = *state;
	int killed = work(p, 0, 30), missing = count_missing();

	assert_true(killed > 0);
	assert_true(missing <= killed);
	assert_sound(p);
}

/* --- the log ------------------------------------------------------- */

#define READERS 4
#define LOG_LIMIT (24 << 20) /* bytes; 16 MiB are meant */
#define WRITTEN 20000 /* pages of 4 KiB, at least: 80 MiB */

static int dawdle(void *arg, const char *from, uint64_t count)
{
	(void)arg;
	(void)from;
	(void)count;
	(void)usleep(2000);
	return 0;
}

/* Never a moment without a transaction that reads. */
static int read_always(struct people *p, int number)
{
	int r = 0;

	(void)number;
	while (r == 0 && !shared->stop) {
		r = inbox_each(&p->store, p->bob, dawdle, NULL);
		shared->got++;
	}
	note_wrong(r);
	return r != 0;
}

static off_t log_size(const struct people *p)
{
	struct stat st;

	assert_int_equal(
	    fstatat(p->place.state.state, "db/parlance.db-wal", &st, 0), 0);
	return st.st_size;
}

static void the_log_stays_short_while_some_always_read(void **state)
{
	struct people *p = *state;
	pid_t readers[READERS];
	off_t longest = 0;

	assert_int_equal(send_text(p, p->alice, "bob", "1"), 0);
	assert_int_equal(send_text(p, p->carol, "bob", "1"), 0);
	store_release(&p->store);
	for (int i = 0; i < READERS; i++)
		readers[i] = start(p, read_always, i);
	await_count(&shared->got, READERS);
	assert_int_equal(store_open(&p->store), 0);
	/* A disk's syncs are not what this is about. */
	assert_int_equal(sqlite3_exec(p->store.db, "PRAGMA synchronous=OFF",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	/* Each message is at least two pages. */
	for (int i = 0; i < WRITTEN / 2; i++) {
		assert_int_equal(send_text(p, p->alice, "carol", "x"), 0);
		longest = longest > log_size(p) ? longest : log_size(p);
	}
	shared->stop = true;
	assert_int_equal(all_ended(readers, READERS), 0);
	assert_int_equal(shared->wrong, 0);
	assert_true(longest < LOG_LIMIT);
	/* And who closes last leaves none. */
	store_release(&p->store);
	assert_int_equal(log_size(p), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(killed_senders_leave_every_message_exactly_once),
	    EACH(a_killed_receiver_takes_one_message_with_him_at_most),
	    EACH(the_log_stays_short_while_some_always_read),
	};

	return cmocka_run_group_tests_name("store_stress", tests, NULL, NULL);
}
