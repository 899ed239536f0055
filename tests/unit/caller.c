#include "tests/unit/caller.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 8000 };

static long
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
caller_open(struct caller *c, struct event_base *base, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*c = (struct caller){ .base = base };
	ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(c->fd, 0);
	ck_assert_msg(connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == 0,
	    "%s: %s", path, strerror(errno));
	ck_assert_int_eq(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

void
caller_close(struct caller *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->in);
	c->in = NULL;
	c->len = c->size = 0;
}

/* A turn of the server's loop, and a little sleep unless we could go on. */
static void
turn(struct caller *c, short events, long end)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	ck_assert_msg(milliseconds() < end, "nothing happens");
	event_base_loop(c->base, EVLOOP_NONBLOCK);
	poll(&p, 1, 1);
}

void
caller_write(struct caller *c, const void *octets, size_t len)
{
	const char *at = octets;
	long end = milliseconds() + PATIENCE_MS;
	ssize_t n;

	while (len > 0) {
		n = send(c->fd, at, len, MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			turn(c, POLLOUT, end);
		} else {
			ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "send: %s",
			    strerror(errno));
			return;
		}
	}
}

void
caller_say(struct caller *c, const char *text)
{
	caller_write(c, text, strlen(text) + 1);
}

void
caller_half_close(struct caller *c)
{
	ck_assert_int_eq(shutdown(c->fd, SHUT_WR), 0);
}

/* False: nothing was there. */
static bool
read_some(struct caller *c)
{
	ssize_t n;

	if (c->len == c->size) {
		c->size = c->size == 0 ? 4096 : 2 * c->size;
		c->in = realloc(c->in, c->size);
		ck_assert_ptr_nonnull(c->in);
	}
	n = recv(c->fd, c->in + c->len, c->size - c->len, 0);
	if (n > 0)
		c->len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		c->ended = true;
	return n > 0;
}

json_t *
caller_hear(struct caller *c)
{
	long end = milliseconds() + PATIENCE_MS;
	size_t seen = 0, size;
	json_error_t error;
	json_t *message;
	char *nul = NULL;

	for (;;) {
		if (c->len > seen)
			nul = memchr(c->in + seen, '\0', c->len - seen);
		if (nul != NULL)
			break;
		seen = c->len;
		if (c->ended) {
			ck_assert_msg(c->len == 0, "%zu octets without a NUL", c->len);
			return NULL;
		}
		if (!read_some(c))
			turn(c, POLLIN, end);
	}
	size = (size_t)(nul - c->in) + 1;
	message = json_loads(c->in, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(message != NULL, "%s in %.200s", error.text, c->in);
	memmove(c->in, c->in + size, c->len - size);
	c->len -= size;
	return message;
}

json_t *
caller_ask(struct caller *c, const char *text)
{
	caller_say(c, text);
	return caller_hear(c);
}

const char *
error_of(const json_t *message)
{
	const char *error = json_string_value(json_object_get(message, "error"));

	ck_assert_msg(message != NULL, "no answer");
	ck_assert(json_is_object(json_object_get(message, "parameters")));
	return error != NULL ? error : "";
}

json_t *
parameter_of(const json_t *message, const char *name)
{
	return json_object_get(json_object_get(message, "parameters"), name);
}

void
caller_pause(struct event_base *base, unsigned length)
{
	long end = milliseconds() + length;

	do {
		event_base_loop(base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	} while (milliseconds() < end);
}

bool
caller_wait(struct event_base *base, bool (*done)(void *), void *arg)
{
	long end = milliseconds() + PATIENCE_MS;

	while (!done(arg)) {
		if (milliseconds() > end)
			return false;
		caller_pause(base, 1);
	}
	return true;
}
