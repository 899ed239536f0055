/* The daemon's life: everything that exists between a checked configuration and the exit.
 */
#ifndef DAEMON_LIFE_H
#define DAEMON_LIFE_H

#include "daemon/load.h"
#include "daemon/log.h"
#include "libipsec/auth_psk.h"

struct life_options {		/* everything is borrowed */
	const struct configuration *configuration;
	struct ipsec_secrets *secrets;
	const char *socket;	/* the control socket */
	struct log *log;
	bool trace;		/* each IKE message, decoded, to the log */
};

/* Starts, tells systemd, runs until SIGTERM or SIGINT, tells every peer, and takes away
 * all that was made.  False: it could not start, or its loop failed; the log says why and
 * what helps. */
bool life_run(const struct life_options *);

#endif
