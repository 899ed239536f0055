/* A listening Unix socket at a path of the file system. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { LISTEN_WHY_LEN = 256 };

struct listen_socket {
	int fd;			/* does not block */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t device; /* of the socket's file, so that no other one is removed */
	ino_t inode;
};

/* Listens at `path`, mode 0660 from its first moment, in place of a dead socket; one that
 * somebody listens at is an error, and so is any other kind of file.  False: `why` says
 * what failed and what would help.  The fd is the caller's to close, before or after
 * listen_remove. */
bool listen_open(struct listen_socket *, const char *path, char why[LISTEN_WHY_LEN]);
/* Removes the socket's file, unless another one has taken its place. */
void listen_remove(const struct listen_socket *);

#endif
