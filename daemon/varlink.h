/* A Varlink service on a Unix socket: NUL-framed JSON calls, one at a time from each client, replies now
 * or later.  It knows no methods but those of org.varlink.service; control.c brings the others.
 *
 * A client that sends garbage gets an error reply and is closed; one that reads too slowly is
 * not read from; one that goes away takes its call with it. */
#ifndef DAEMON_VARLINK_H
#define DAEMON_VARLINK_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { VARLINK_MESSAGE_MAX = 65536, VARLINK_CLIENTS_MAX = 64, VARLINK_WHY_LEN = 256 };

struct varlink;

/* A call that has not been answered. */
struct varlink_call {
	const char *method;		/* full name */
	json_t *parameters;		/* an object; borrowed */
	struct ucred peer;		/* SO_PEERCRED */
	void *context;			/* the handler's own */
};

struct varlink_method {
	const char *name;		/* "Up" */
	/* Answers now (varlink_reply, varlink_error) or keeps the call for later. */
	void (*handle)(void *arg, struct varlink_call *);
};

struct varlink_interface {
	const char *name, *description;
	const struct varlink_method *methods;	/* to one without a name */
	/* The client has gone: the call must not be touched any more. */
	void (*cancel)(void *arg, struct varlink_call *);
	void *arg;
};

/* Listens at `path` with mode 0660 in place of a dead socket; a living one is an error.  NULL:
 * `why` says what failed and what would help.  The interface is borrowed. */
struct varlink *varlink_new(struct event_base *, const char *path,
    const struct varlink_interface *, char why[VARLINK_WHY_LEN]);
void varlink_free(struct varlink *);	/* closes and removes the socket; calls are cancelled */

/* Each ends the call, takes over `parameters` (NULL: none) and may free the client. */
void varlink_reply(struct varlink_call *, json_t *parameters);
void varlink_error(struct varlink_call *, const char *error, json_t *parameters);
/* A parameter is missing or of the wrong type. */
void varlink_invalid(struct varlink_call *, const char *parameter);

#endif
