#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/listen.h"

enum { BACKLOG = 64 };

static const struct hint { int error; const char *text; } hints[] = {
	{ ENOENT, "; create its folder (mkdir -p) or choose another path with -s" },
	{ ENOTDIR, "; choose another path with -s" },
	{ EACCES, "; it needs write permission on the folder" },
	{ EADDRINUSE, "; a dead socket is there and cannot be removed: it needs write "
	    "permission on the folder" },
};

static const char *
hint_for(int error)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].error == error)
			return hints[i].text;
	return "";
}

static bool
fail(char *why, const char *path, const char *what, const char *remedy)
{
	snprintf(why, LISTEN_WHY_LEN, "control socket %s: %s%s", path, what, remedy);
	return false;
}

/* Does somebody listen at this path?  Who cannot be asked counts as one. */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = true;

	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		alive = errno != ECONNREFUSED && errno != ENOENT;
	if (fd >= 0)
		close(fd);
	return alive;
}

/* Removes what a dead one left; false: something else is there. */
static bool
clear_path(const struct sockaddr_un *address, char *why)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return true; /* whatever else is wrong with it, bind will say */
	if (!S_ISSOCK(st.st_mode))
		return fail(why, path, "another kind of file is there",
		    "; remove it or choose another path with -s");
	if (is_alive(address))
		return fail(why, path, "another process listens there",
		    "; stop it or choose another path with -s");
	unlink(path);
	return true;
}

static int
open_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0117);
	int saved;

	if (fd >= 0 &&
	    (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
		listen(fd, BACKLOG) != 0)) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	umask(mask);
	return fd;
}

bool
listen_open(struct listen_socket *l, const char *path, char why[LISTEN_WHY_LEN])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	*l = (struct listen_socket){ .fd = -1 };
	if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path)) {
		snprintf(why, LISTEN_WHY_LEN,
		    "control socket %.100s: the path is %s; it may have "
		    "1 to %zu characters",
		    path, path[0] == '\0' ? "empty" : "too long",
		    sizeof(address.sun_path) - 1);
		return false;
	}
	strcpy(address.sun_path, path);
	strcpy(l->path, path);
	if (!clear_path(&address, why))
		return false;
	if ((l->fd = open_at(&address)) < 0)
		return fail(why, path, strerror(errno), hint_for(errno));
	if (lstat(path, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
	return true;
}

void
listen_remove(const struct listen_socket *l)
{
	struct stat st;

	if (lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		unlink(l->path);
}
