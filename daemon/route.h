/* Which packets go to the tunnel: policies as routes and rules, from the time a
 * connection is loaded until it is removed, whether or not there is an SA.
 *
 * Every remote prefix has two routes in the table of rtnl.h: to the interface, with an
 * MTU that nothing outside exceeds and a source from the policy's local addresses; and,
 * should the interface go, one that makes it unreachable instead of letting it out in
 * clear.  Prefixes that several policies want are counted.  The daemon's own packets
 * carry a mark and pass by.
 *
 * Addresses of this host that come and go later are followed (route_process).  A change
 * that the kernel refuses is logged, with what follows from it, and is no reason to
 * stop. */
#ifndef DAEMON_ROUTE_H
#define DAEMON_ROUTE_H

#include "libipsec/datapath.h"

struct log;
struct netlink;
struct route;

struct route_options {
	const char *interface;		/* its name, for the log.  Borrowed for life */
	uint32_t ifindex, mark;
	struct log *log;
};

/* Makes the rules that are there even without policies, and brings the interface up.
 * NULL: `error` has a sentence; what was made is removed again. */
struct route *route_new(const struct route_options *, char *error, size_t size);
void route_free(struct route *);	/* and all it made; NULL is nothing */

/* Adds a policy, or gives one of this id other selectors.  False: no memory, and nothing
 * has changed. */
bool route_put(struct route *, const struct ipsec_trap *);
void route_remove(struct route *, uint64_t id);		/* unknown ids are harmless */

/* Inner packets of a policy may have `mtu` octets; until this is known it is the worst
 * case over an Ethernet.  Values below 1280 count as 1280 for IPv6 and as 576 for
 * IPv4. */
void route_set_mtu(struct route *, uint64_t id, uint32_t mtu);
/* The same, but it never raises it. */
void route_lower_mtu(struct route *, uint64_t id, uint32_t mtu);
uint32_t route_mtu(const struct route *);		/* the interface's */

/* A connection that is loaded now has what it needs: removes what a dead predecessor
 * left, as far as nobody wants it. */
void route_settled(struct route *);

/* To be polled for input, then route_process: addresses of this host have come or gone,
 * or the interface has. */
int route_fd(const struct route *);
void route_process(struct route *);

#endif
