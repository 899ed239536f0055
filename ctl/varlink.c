#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/varlink.h"

/* A status of 40,000 tunnels is long, but not this long. */
#define REPLY_MAX ((size_t)256 << 20)

static const struct hint { int error; const char *text; } hints[] = {
	{ ENOENT, "is ikevd running, with this socket (-s)?" },
	{ ECONNREFUSED, "ikevd is not running; start it (systemctl start ikevd)" },
	{ EACCES, "run ikectl as root or as a member of the socket's group" },
};

static const char *
hint_for(int error)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].error == error)
			return hints[i].text;
	return "see ikevd's log";
}

static int
open_socket(const char *path, char *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(why, VARLINK_WHY_LEN, "the socket's path is too long; at most %zu "
		    "characters fit", sizeof(address.sun_path) - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		snprintf(why, VARLINK_WHY_LEN, "%s: %s; %s", path, strerror(errno),
		    hint_for(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool
send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* Up to the NUL, which stays; NULL: the daemon closed, or no memory. */
static char *
read_message(int fd)
{
	size_t len = 0, size = 0;
	char *text = NULL, *more;
	ssize_t n;

	for (;;) {
		if (len == size) {
			size = size == 0 ? 4096 : size * 2;
			if (size > REPLY_MAX || (more = realloc(text, size)) == NULL)
				break;
			text = more;
		}
		n = recv(fd, text + len, size - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (memchr(text + len, '\0', (size_t)n) != NULL)
			return text;
		len += (size_t)n;
	}
	free(text);
	return NULL;
}

static json_t *
exchange(int fd, const char *text, char *why)
{
	json_t *reply = NULL;
	json_error_t error;
	char *answer;

	if (!send_all(fd, text, strlen(text) + 1) || (answer = read_message(fd)) == NULL) {
		snprintf(why, VARLINK_WHY_LEN, "ikevd closed the connection without an answer; "
		    "see its log");
		return NULL;
	}
	reply = json_loads(answer, 0, &error);
	free(answer);
	if (!json_is_object(reply)) {
		json_decref(reply);
		snprintf(why, VARLINK_WHY_LEN, "the answer is not Varlink; is this ikevd's "
		    "socket?");
		return NULL;
	}
	return reply;
}

json_t *
varlink_call(const char *socket_path, const char *method, json_t *parameters,
    char why[VARLINK_WHY_LEN])
{
	json_t *call = json_pack("{ssso}", "method", method, "parameters", parameters);
	char *text = call != NULL ? json_dumps(call, JSON_COMPACT) : NULL;
	json_t *reply = NULL;
	int fd;

	json_decref(call);
	if (text == NULL) {
		snprintf(why, VARLINK_WHY_LEN, "not a valid name (UTF-8), or no memory");
		return NULL;
	}
	if ((fd = open_socket(socket_path, why)) >= 0) {
		reply = exchange(fd, text, why);
		close(fd);
	}
	free(text);
	return reply;
}
