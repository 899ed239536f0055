/* From the selectors of a policy to the routing entries it wants: no I/O.
 *
 * A packet goes to the tunnel by its destination, as routes do.  Three things keep a wide
 * remote range from cutting this host off its own neighbours:
 *	- a local network inside the remote range (10.1.0.0/24 inside 10.0.0.0/8) is
 *	  excepted: what lies in it is not behind the peer (PLAN_EXCEPT);
 *	- so is a network that this host is connected to, if it is inside both ranges;
 *	- a default route (remote 0.0.0.0/0 or ::/0) yields to the more specific routes
 *	  of the main table, and takes only packets from the local range (PLAN_FROM) and
 *	  those of this host that have no source yet and will get one from there
 *	  (PLAN_HOST). */
#ifndef DAEMON_PLAN_H
#define DAEMON_PLAN_H

#include "daemon/address.h"

enum plan_kind {
	PLAN_REMOTE,	/* these destinations go to the tunnel, from `source` */
	PLAN_EXCEPT,	/* these do not, although a shorter PLAN_REMOTE contains them */
	PLAN_FROM,	/* these sources may take the default route to the tunnel */
	PLAN_HOST,	/* so may this host, where it has chosen no source; bits is 0 */
	PLAN_KINDS
};
struct plan_key {		/* compared as octets: zero it before filling */
	uint8_t kind;		/* enum plan_kind */
	struct esp_prefix prefix;
};
struct plan_entry {
	struct plan_key key;
	bool has_source;
	uint8_t source[16];
};
struct plan {
	struct plan_entry *v;	/* owned; each key once */
	unsigned n;
	bool narrow;		/* a selector has a protocol: routes cannot see that */
	bool sourceless;	/* no address of this host lies in some local range */
};

/* False: no memory, and then the plan is empty. */
bool plan_make(struct plan *, const struct esp_selector *, unsigned n,
    const struct addresses *);
void plan_clear(struct plan *);
bool plan_equal(const struct plan *, const struct plan *);	/* entries, in order */

bool plan_prefix_contains(const struct esp_prefix *outer, const struct esp_prefix *inner);

#endif
