#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "serve.h"

static void inherit(struct serve *s, int fd, const char *name)
{
	struct door *door = door_find(s, name, strlen(name));
	int flags = fcntl(fd, F_GETFL);

	if (!door)
		serve_refuse("FileDescriptorName", name, "no such door");
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		serve_refuse("FileDescriptorName", name,
		    "not a listening stream socket (Accept=no is wanted)");
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		serve_die("inherit", "door", name, -errno);
	listener_tune(fd);
	listener_name(listener_add_or_die(s, door, fd));
}

int listen_inherited_or_die(struct serve *s)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n < 0)
		serve_die("inherit", NULL, NULL, n);
	for (int i = 0; i < n; i++) {
		inherit(s, SD_LISTEN_FDS_START + i, names[i]);
		free(names[i]);
	}
	free(names);
	return n;
}
