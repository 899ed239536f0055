/* What outlives a process that had no time to tidy up, and the lock that says whether it
 * lives. */
#ifndef DAEMON_STALE_H
#define DAEMON_STALE_H

#include "daemon/rtnl.h"

/* One process in a network namespace may have the tun data path, since all that it makes
 * there has fixed names and numbers.  An fd that holds the lock until it is closed, or
 * its process ends in any way; -1: `error` has a sentence. */
int stale_lock(char *error, size_t size);

struct stale_keep {		/* true: it is wanted */
	bool (*route)(void *arg, const struct rtnl_route *);
	bool (*rule)(void *arg, const struct rtnl_rule *);
	void *arg;
};

/* Removes every route of our table and every rule of our protocol that `keep` does not
 * want; NULL wants none.  Returns how many it removed.  Call it with the lock only. */
unsigned stale_sweep(struct netlink *, const struct stale_keep *);

#endif
