/* What happens to the tunnels, as lines of the log. */
#ifndef DAEMON_TELL_H
#define DAEMON_TELL_H

#include "daemon/load.h"
#include "daemon/log.h"
#include "libike/ike.h"

struct tell_options {		/* everything is borrowed and outlives the tell */
	struct log *log;
	const struct configuration *configuration;
};

struct tell;

struct tell *tell_new(const struct tell_options *);	/* NULL: no memory */
void tell_free(struct tell *);

/* An event of the engine.  Failures can be made by whoever sends datagrams, so only so
 * many of them are told in a minute; the number of the others is told afterwards. */
void tell_event(struct tell *, const struct ike *, const struct ike_event *);

#endif
