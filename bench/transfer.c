/*
 * bench/transfer [-n ROUNDS] PORT UPLOADS FOLDER [BYTES]: a file of BYTES (64
 * MiB) to and from the binary door on 127.0.0.1:PORT, whose folder of uploads
 * is UPLOADS, beside two socat that copy it over loopback from FOLDER to
 * FOLDER; round by round in turn. An upload is on disk when it is answered and
 * socat syncs nothing: so socat stands there twice, without and with an fsync
 * afterwards. What is downloaded is written to a file. All copy in pieces of
 * 64 KiB. Prints the medians of the rounds and of their ratios.
 *
 * To be had (issue 5): at least 0.5 of socat.
 */
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "child.h"
#include "crowd.h"
#include "rounds.h"

#define ROUNDS 9
#define ROUNDS_MOST 99
#define NAME "bench.bin"

enum way { UPLOAD, DOWNLOAD, SOCAT, SOCAT_SYNC, WAYS };
static const char *const ways[WAYS] = {
    "upload", "download", "socat", "socat, then fsync"};

struct bench {
	struct crowd_member *client;
	int uploads, folder;
	char source[PATH_MAX], copy[PATH_MAX]; /* in the folder */
	uint64_t bytes;
	double rates[WAYS][ROUNDS_MOST]; /* MB/s */
};

static char space[65536];

static void read_whole(int fd, void *to, size_t len)
{
	if (recv(fd, to, len, MSG_WAITALL) != (ssize_t)len)
		fail("the server hung up", EPIPE);
}

/* So many bytes from one to the other. */
static void copy(int from, int to, uint64_t left)
{
	while (left) {
		ssize_t n = read(
		    from, space, left < sizeof space ? left : sizeof space);

		if (n <= 0)
			fail("read", n ? errno : EPIPE);
		left -= (uint64_t)n;
		for (ssize_t at = 0, put; at < n; at += put) {
			put = write(to, space + at, (size_t)(n - at));
			must("write", (int)put);
		}
	}
}

static int open_source(const struct bench *b)
{
	int fd = open(b->source, O_RDONLY | O_CLOEXEC);

	must(b->source, fd);
	return fd;
}

static int open_copy(const struct bench *b)
{
	int fd = open(b->copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(b->copy, fd);
	return fd;
}

static void upload(struct bench *b)
{
	int file = open_source(b);
	unsigned char status[4];
	size_t text;

	crowd_frame(b->client, &(struct bcs_frame){.type = BCS_SENDFILE,
				   .first = {NAME, sizeof NAME - 1},
				   .length = (uint32_t)b->bytes});
	copy(file, b->client->fd, b->bytes);
	read_whole(b->client->fd, status, sizeof status);
	if (status[0] != BCS_STATUS || status[1] != BCS_OK)
		fail("upload", EPROTO);
	text = (size_t)status[2] << 8 | status[3];
	if (text > sizeof space)
		fail("upload", EPROTO);
	read_whole(b->client->fd, space, text);
	(void)close(file);
}

static void download(struct bench *b)
{
	int file = open_copy(b);
	char head[5];

	crowd_frame(b->client, &(struct bcs_frame){.type = BCS_GETFILE,
				   .first = {NAME, sizeof NAME - 1}});
	read_whole(b->client->fd, head, sizeof head);
	if (head[0] != BCS_RECVFILE)
		fail("download", EPROTO);
	copy(b->client->fd, file, b->bytes);
	(void)close(file);
}

static pid_t socat(const char *from, const char *to, int in, int out)
{
	char *argv[] = {(char *)"socat", (char *)"-u", (char *)"-b65536",
	    (char *)from, (char *)to, NULL};
	pid_t pid = child_run(argv, in, out);

	if (pid < 0)
		fail("socat", pid);
	return pid;
}

static void await(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("socat", EIO);
}

static void copy_by_socat(struct bench *b, bool sync)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 32];
	struct sockaddr_in at;
	int listener = loopback_listen(&at);
	int client = loopback_dial(ntohs(at.sin_port));
	int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC), file;
	pid_t sender, receiver;

	must("accept", server);
	(void)close(listener);
	(void)snprintf(from, sizeof from, "OPEN:%s,rdonly", b->source);
	(void)snprintf(to, sizeof to, "OPEN:%s,wronly,creat,trunc", b->copy);
	receiver = socat("STDIN", to, server, -1);
	sender = socat(from, "STDOUT", -1, client);
	(void)close(client);
	(void)close(server);
	await(sender);
	await(receiver);
	if (!sync)
		return;
	file = open(b->copy, O_WRONLY | O_CLOEXEC);
	must("fsync", fsync(file));
	(void)close(file);
}

/* The copy is another file each time, as an upload is. */
static void run(struct bench *b, enum way way, uint64_t round)
{
	double began = now_us();

	if (way == UPLOAD)
		upload(b);
	else if (way == DOWNLOAD)
		download(b);
	else
		copy_by_socat(b, way == SOCAT_SYNC);
	b->rates[way][round] = (double)b->bytes / (now_us() - began);
	if (way == DOWNLOAD)
		must("unlink", unlinkat(b->uploads, NAME, 0));
	if (way != UPLOAD)
		must("unlink", unlink(b->copy));
	sync();
}

static double ratio(struct bench *b, enum way way, enum way to, uint64_t n)
{
	double ratios[ROUNDS_MOST] = {0};

	for (uint64_t i = 0; i < n; i++)
		ratios[i] = b->rates[way][i] / b->rates[to][i];
	return median(ratios, n);
}

static void report(struct bench *b, uint64_t n)
{
	double against[DOWNLOAD + 1][2];

	for (enum way way = UPLOAD; way <= DOWNLOAD; way++) {
		against[way][0] = ratio(b, way, SOCAT, n);
		against[way][1] = ratio(b, way, SOCAT_SYNC, n);
	}
	for (enum way way = 0; way < WAYS; way++)
		printf("transfer: %-18s %6.0f MB/s\n", ways[way],
		    median(b->rates[way], n));
	for (enum way way = UPLOAD; way <= DOWNLOAD; way++)
		printf("transfer: %s is %.2f of socat, %.2f of socat, then "
		       "fsync (at least 0.5)\n",
		    ways[way], against[way][0], against[way][1]);
}

static void make_source(struct bench *b, const char *folder)
{
	int zero = open("/dev/urandom", O_RDONLY | O_CLOEXEC), file;

	(void)snprintf(b->source, sizeof b->source, "%s/source", folder);
	(void)snprintf(b->copy, sizeof b->copy, "%s/copy", folder);
	file = open(b->source, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(b->source, file);
	copy(zero, file, b->bytes);
	(void)close(file);
	(void)close(zero);
	sync();
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t rounds = ROUNDS;
	struct crowd crowd;
	int n = rounds_options(argc, argv, ROUNDS_MOST, 4, &rounds);

	if (n < 3)
		return 100;
	(void)signal(SIGPIPE, SIG_IGN);
	b.bytes = number(argc, argv, optind + 3, UINT32_MAX, 64 << 20);
	b.uploads = open(argv[optind + 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(argv[optind + 1], b.uploads);
	make_source(&b, argv[optind + 2]);
	crowd_init(&crowd, CROWD_BCS,
	    (uint16_t)number(argc, argv, optind, UINT16_MAX, 0), 1);
	crowd_join(&crowd);
	crowd_rest(&crowd, 500);
	b.client = crowd.members;
	for (uint64_t r = 0; r < rounds; r++)
		for (enum way way = 0; way < WAYS; way++)
			run(&b, way, r);
	report(&b, rounds);
	crowd_end(&crowd);
	return 0;
}
