/* What ikectl and varlinkctl can ask of the daemon: org.ikev.Ikevd (see the .varlink
 * file). */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "daemon/load.h"
#include "daemon/varlink.h"
#include "libipsec/endpoint.h"

struct control;

struct control_connection {
	const struct configured *configured;
	ike_id id;			/* in the engine */
};

struct control_options { /* everything is borrowed and outlives the control */
	struct event_base *base;
	const char *path;		/* of the socket */
	struct log *log;
	struct ipsec_endpoint *endpoint;
	const char *secrets_dir;
	const struct control_connection *connections;	/* in the file's order */
	unsigned n_connections;
};

/* NULL: `why` says what failed and what would help. */
struct control *control_new(const struct control_options *, char why[VARLINK_WHY_LEN]);
void control_free(struct control *);	/* open calls are ended, the socket is removed */

/* Every IKE_UP, IKE_REPLACED, IKE_DOWN and IKE_REFUSED of the endpoint goes through here:
 * calls that wait end by them, and the last refusal of a connection is kept for
 * status. */
void control_event(struct control *, const struct ike_event *);

#endif
