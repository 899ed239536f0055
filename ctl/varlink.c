#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/varlink.h"

/* No piece of a reply is as long as this. */
#define MESSAGE_MAX ((size_t)256 << 20)

struct stream {
	int fd;
	char *text;		/* received, and not taken yet */
	size_t len, size;
};

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
		snprintf(why, VARLINK_WHY_LEN, "the socket's path is too long; at most "
		    "%zu characters fit", sizeof(address.sun_path) - 1);
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

/* As far as it goes: who does not listen may have said why. */
static void
send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static bool
receive(struct stream *s)
{
	size_t size = s->size == 0 ? 4096 : s->size * 2;
	char *more;
	ssize_t n;

	if (s->len == s->size) {
		if (size > MESSAGE_MAX || (more = realloc(s->text, size)) == NULL)
			return false;
		s->text = more;
		s->size = size;
	}
	do
		n = recv(s->fd, s->text + s->len, s->size - s->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	s->len += (size_t)n;
	return true;
}

/* The next message, up to its NUL. */
static json_t *
take_message(struct stream *s, char *why)
{
	json_t *message;
	size_t len = 0;

	while (len == s->len || s->text[len] != '\0') {
		if (len < s->len) {
			len += strnlen(s->text + len, s->len - len);
		} else if (!receive(s)) {
			snprintf(why, VARLINK_WHY_LEN, "ikevd closed the connection "
			    "before it had answered; see its log");
			return NULL;
		}
	}
	message = json_loadb(s->text, len, 0, NULL);
	s->len -= len + 1;
	memmove(s->text, s->text + len + 1, s->len);
	if (json_is_object(message) &&
	    json_is_object(json_object_get(message, "parameters")))
		return message;
	json_decref(message);
	snprintf(why, VARLINK_WHY_LEN, "the answer is not Varlink; is this ikevd's "
	    "socket?");
	return NULL;
}

/* Both are taken over. */
static json_t *
join(json_t *reply, json_t *next)
{
	json_t *more = json_object_get(next, "parameters"), *list;
	const char *name;

	if (reply == NULL || json_object_get(next, "error") != NULL) {
		json_decref(reply);
		return next;
	}
	json_object_foreach(json_object_get(reply, "parameters"), name, list)
		json_array_extend(list, json_object_get(more, name));
	json_decref(next);
	return reply;
}

static json_t *
take_reply(struct stream *s, char *why)
{
	json_t *reply = NULL, *next;
	bool continues;

	do {
		if ((next = take_message(s, why)) == NULL) {
			json_decref(reply);
			return NULL;
		}
		continues = json_is_true(json_object_get(next, "continues"));
		json_object_del(next, "continues");
		reply = join(reply, next);
	} while (continues);
	return reply;
}

json_t *
varlink_call(const char *socket_path, const char *method, json_t *parameters,
    char why[VARLINK_WHY_LEN])
{
	json_t *call = json_pack("{ssso sb}", "method", method, "parameters", parameters,
	    "more", 1);
	char *text = call != NULL ? json_dumps(call, JSON_COMPACT) : NULL;
	struct stream s = { 0 };
	json_t *reply = NULL;

	json_decref(call);
	if (text == NULL) {
		snprintf(why, VARLINK_WHY_LEN, "not a valid name (UTF-8), or no memory");
		return NULL;
	}
	if ((s.fd = open_socket(socket_path, why)) >= 0) {
		send_all(s.fd, text, strlen(text) + 1);
		reply = take_reply(&s, why);
		close(s.fd);
	}
	free(s.text);
	free(text);
	return reply;
}
