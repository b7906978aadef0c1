/*
 * bench/members PORT PID SLEEPER [COUNT]: the memory of COUNT (1,000) clients
 * that have registered at the binary door on 127.0.0.1:PORT, served by PID and
 * its children, and are idle since: the mean PSS of a handler
 * (/proc/PID/smaps_rollup), and by how much MemAvailable fell for each, sockets
 * and all. Beside as many processes of a static program that sleeps, with a
 * pair of sockets each.
 *
 * To be had (issue 5): at most 150 kB of PSS.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "child.h"
#include "crowd.h"
#include "lib/helper.h"
#include "lib/limits.h"

#define MOST 4000
#define JOINED_MS 1000

/* Of the machine. */
static double available_kb(void)
{
	static const char key[] = "\nMemAvailable:";
	char text[8192], *at;
	ssize_t n =
	    io_read_file(AT_FDCWD, "/proc/meminfo", text, sizeof text - 1);

	if (n < 0)
		fail("meminfo", (int)n);
	text[n] = '\0';
	at = strstr(text, key);
	if (!at)
		fail("MemAvailable", ENODATA);
	return strtod(at + sizeof key - 1, NULL);
}

/* Of those of them that run the program: serve and fanout are none. */
static double mean_pss_kb(const pid_t *pids, size_t count, const char *program)
{
	char path[64], name[64];
	double sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		ssize_t len;
		long kb;

		(void)snprintf(path, sizeof path, "/proc/%d/comm", pids[i]);
		len = io_read_file(AT_FDCWD, path, name, sizeof name - 1);
		if (len < 1 || !parse_is(name, (size_t)len - 1, program))
			continue;
		kb = child_pss_kb(pids[i]);
		if (kb < 0)
			fail("smaps_rollup", (int)kb);
		sum += (double)kb;
		n++;
	}
	if (!n)
		fail(program, ESRCH);
	return sum / (double)n;
}

/* Until they have given back what they need not. */
static void rest(struct crowd *c)
{
	crowd_rest(c, JOINED_MS);
	(void)poll(NULL, 0, 2 * LIMIT_TRIM_MS);
}

static void members(uint16_t port, pid_t server, size_t count)
{
	size_t most = count + 16;
	pid_t *pids = table(most, sizeof *pids);
	double before, after;
	struct crowd crowd;
	long n;

	/* One before: what is needed once is there. Our own part is, too. */
	crowd_init(&crowd, CROWD_BCS, port, count + 1);
	memset(crowd.members, 0, (count + 1) * sizeof *crowd.members);
	crowd_join(&crowd);
	rest(&crowd);
	before = available_kb();
	while (crowd.count <= count)
		crowd_join(&crowd);
	rest(&crowd);
	after = available_kb();
	n = child_family(server, pids, most);
	if (n < 0)
		fail("no children", (int)n);
	printf("members: %zu idle: %.0f kB of PSS each (at most 150), %.0f kB "
	       "of the machine\n",
	    count, mean_pss_kb(pids, (size_t)n, "bcs"),
	    (before - after) / (double)count);
	crowd_end(&crowd);
	free(pids);
}

static void sleepers(const char *program, size_t count)
{
	pid_t *pids = table(count, sizeof *pids);
	int *fds = table(count, sizeof *fds);
	const char *slash = strrchr(program, '/');
	double before = available_kb(), after;

	for (size_t i = 0; i < count; i++) {
		pids[i] = child_connected(program, &fds[i]);
		if (pids[i] < 0)
			fail(program, pids[i]);
	}
	(void)poll(NULL, 0, LIMIT_TRIM_MS);
	after = available_kb();
	printf("members: %zu sleepers: %.0f kB of PSS each, %.0f kB of the "
	       "machine\n",
	    count, mean_pss_kb(pids, count, slash ? slash + 1 : program),
	    (before - after) / (double)count);
	for (size_t i = 0; i < count; i++) {
		(void)kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
		(void)close(fds[i]);
	}
	free(pids);
	free(fds);
}

int main(int argc, char **argv)
{
	size_t count = number(argc, argv, 4, MOST, 1000);

	if (argc < 4)
		return 100;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)helper_raise_files();
	sleepers(argv[3], count);
	members((uint16_t)number(argc, argv, 1, UINT16_MAX, 0),
	    (pid_t)number(argc, argv, 2, INT32_MAX, 0), count);
	return 0;
}
