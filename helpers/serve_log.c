/*
 * The log of the bcs door's conversation: opened as the user who serves, once
 * that is who we are. Opened by root it could be another's file by way of a
 * link that this user has put there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "serve.h"

/* A named pipe that nobody reads is refused: waiting for a reader would hold
 * up the start. */
static int log_open_path(const char *path)
{
	int fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
	    0640);

	return fd < 0 ? -errno : fd;
}

/* As a descriptor that is not standard output: that one becomes the client's
 * in handlers, and -d takes it from us. Where a shell opened the file without
 * append mode, we and handlers would write over each other. */
static int log_open_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	struct stat st;
	int flags;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fd < 0 ? -errno : fd;
	flags = fcntl(fd, F_GETFL);
	(void)fcntl(fd, F_SETFL, flags | O_APPEND);
	return fd;
}

/* 0 or -errno: where the bcs door is not served -ENOENT. */
static int conversation_open(struct serve *s, const char *path)
{
	struct door *door = door_find(s, "bcs", strlen("bcs"));
	bool out = path && strcmp(path, "-") == 0;
	int fd, r;

	s->conversation.fd = -1;
	s->log = path;
	if (!path)
		return 0;
	if (!door->handler[0])
		return -ENOENT;
	if (out && s->log_kept >= 0)
		fd = s->log_kept;
	else
		fd = out ? log_open_stdout() : log_open_path(path);
	r = fd < 0 ? fd : chatlog_take(&s->conversation, fd, NULL);
	if (r < 0)
		return r;
	door->log = fd;
	return 0;
}

void conversation_open_or_die(struct serve *s, const char *path)
{
	int r = conversation_open(s, path);

	if (r == -ENOENT && !door_find(s, "bcs", strlen("bcs"))->handler[0])
		serve_refuse("log", path, "the bcs door is not served");
	if (r < 0)
		serve_refuse("log", path, strerror(-r));
}

void conversation_open_again(struct serve *s, const char *path)
{
	struct door *door = door_find(s, "bcs", strlen("bcs"));
	int r = conversation_open(s, path), old = s->log_kept;
	struct log_line line;

	if (r < 0) {
		log_begin(&line, LOG_ERR, "reload");
		log_string(&line, "log", path);
		log_errno(&line, r);
		log_end(&line);
		if (old >= 0 && chatlog_take(&s->conversation, old, NULL) == 0)
			door->log = old;
	}
	if (old >= 0 && old != door->log)
		(void)close(old);
	s->log_kept = -1;
}

void conversation_ended(struct serve *s, const struct connection *c, int signal)
{
	char peer[PEER_TEXT];
	struct log_line line;
	int r;

	if (!c->door->log)
		return;
	peer_text(&c->peer, peer);
	s->conversation.peer = peer;
	r = chatlog_disconnect(&s->conversation, NULL, c->pid, signal);
	if (r == 0)
		return;
	log_begin(&line, LOG_ERR, "chatlog");
	log_string(&line, "door", c->door->name);
	log_errno(&line, r);
	log_end(&line);
}
