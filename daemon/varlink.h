/* A Varlink service on a Unix socket: NUL-framed JSON calls, one at a time from each
 * client, replies now or later.  It knows no methods but those of org.varlink.service;
 * control.c brings the others.
 *
 * A client that sends garbage gets an error reply and is closed; one that reads too
 * slowly is not read from; one that sends no more (half-close) is answered to the end;
 * one that goes away takes its call with it.  When all places are taken, the client that
 * has been silent for longest gives way.  The process ignores SIGPIPE. */
#ifndef DAEMON_VARLINK_H
#define DAEMON_VARLINK_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "daemon/listen.h"

enum {
	VARLINK_MESSAGE_MAX = 65536,
	VARLINK_CLIENTS_MAX = 256,
	VARLINK_WHY_LEN = LISTEN_WHY_LEN
};
enum { VARLINK_PARAMETERS_MAX = 3 };

struct varlink;

/* A call that has not been answered. */
struct varlink_call {
	const char *method;		/* full name */
	json_t *parameters;		/* an object, or NULL; borrowed */
	struct ucred peer;		/* SO_PEERCRED */
	bool more;			/* varlink_continue is welcome */
	void *context;			/* the handler's own; NULL at first */
};

struct varlink_method {
	const char *name;		/* "Up" */
	/* Answers now (varlink_reply, varlink_error) or keeps the call for later. */
	void (*handle)(void *arg, struct varlink_call *);
	/* The names it takes, to one that is NULL; a call with another is refused. */
	const char *parameters[VARLINK_PARAMETERS_MAX + 1];
};

struct varlink_interface {
	const char *name, *description;
	const struct varlink_method *methods;	/* to one without a name */
	/* The client has gone: the call must not be touched any more. */
	void (*cancel)(void *arg, struct varlink_call *);
	/* What varlink_continue sent has left: the next reply.  NULL: no method
	 * continues. */
	void (*resume)(void *arg, struct varlink_call *);
	void *arg;
};

/* Listens at `path` with mode 0660 in place of a dead socket; a living one is an error.
 * NULL: `why` says what failed and what would help.  The interface is borrowed. */
struct varlink *varlink_new(struct event_base *, const char *path,
    const struct varlink_interface *, char why[VARLINK_WHY_LEN]);
/* Closes and removes the socket; calls are cancelled.  NULL is nothing. */
void varlink_free(struct varlink *);

/* Each ends the call, which must not be touched after, and takes over `parameters`.  NULL
 * is what json_pack gives without memory: the client is told that there was none. */
void varlink_reply(struct varlink_call *, json_t *parameters);
void varlink_error(struct varlink_call *, const char *error, json_t *parameters);
/* A parameter is missing, unknown or of the wrong type. */
void varlink_invalid(struct varlink_call *, const char *parameter);

/* One reply of several, for a call with `more`: when it has left, `resume` is called, for
 * another one or for varlink_reply, which is the last.  NULL as above, and ends the call.
 */
void varlink_continue(struct varlink_call *, json_t *parameters);

#endif
