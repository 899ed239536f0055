/* The rules that lead packets to the table of our routes, in groups: each function adds
 * or removes one group.  Why they are as they are is said in plan.h; their order is in
 * rtnl.h. */
#ifndef DAEMON_RULE_H
#define DAEMON_RULE_H

#include "daemon/rtnl.h"

struct log;

struct rules {			/* all borrowed */
	struct netlink *nl;
	struct log *log;
	uint32_t mark;		/* of the daemon's own packets */
};

/* Everything but the daemon's own packets asks our table for more than a default route;
 * there from start to end.  0 or a negative errno. */
int rule_first(const struct rules *, uint8_t family);

/* Around a default route to the tunnel: more specific routes of the main table come
 * first, and the daemon's own packets jump over the rules below.  Failures of these are
 * logged. */
void rule_default(const struct rules *, enum rtnl_change, uint8_t family);
/* These sources may take it. */
void rule_from(const struct rules *, enum rtnl_change, const struct esp_prefix *);
/* So may this host's own packets that have no source yet. */
void rule_host(const struct rules *, enum rtnl_change, uint8_t family);

#endif
