/* A client of a control socket that runs in the same process: whatever waits lets the
 * server's loop run meanwhile.  Fails the test after eight seconds of waiting. */
#ifndef TESTS_CALLER_H
#define TESTS_CALLER_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct caller {
	struct event_base *base;
	int fd;
	char *in;		/* read, and not heard yet */
	size_t len, size;
	bool ended;		/* the server has closed */
};

void caller_open(struct caller *, struct event_base *, const char *path);
void caller_close(struct caller *);	/* twice is harmless */

/* Writes all of it; what the server does not take is an error, unless it has closed. */
void caller_write(struct caller *, const void *octets, size_t len);
/* A text and its NUL. */
void caller_say(struct caller *, const char *text);
void caller_half_close(struct caller *);	/* nothing more will be said */

/* The next message, which the caller of this frees; NULL: the server has closed. */
json_t *caller_hear(struct caller *);
/* The same of a call that is said before. */
json_t *caller_ask(struct caller *, const char *text);
/* Its error, or "" of a reply without; fails the test if there is none at all. */
const char *error_of(const json_t *message);
/* A parameter of a reply or an error; NULL: it has none of that name. */
json_t *parameter_of(const json_t *message, const char *name);

/* Lets the loop run for so long. */
void caller_pause(struct event_base *, unsigned milliseconds);
/* Until it is true; false: it is not after eight seconds. */
bool caller_wait(struct event_base *, bool (*done)(void *), void *arg);

#endif
