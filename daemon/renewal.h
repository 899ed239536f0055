/* The SAs that a call of Rekey means, and how many of them have been rekeyed. */
#ifndef DAEMON_RENEWAL_H
#define DAEMON_RENEWAL_H

#include <stdbool.h>

#include "libipsec/endpoint.h"

enum renewal_fate { RENEWAL_LEFT, RENEWAL_DONE, RENEWAL_LOST };

struct renewal {
	struct renewed {
		ike_id sa, child;	/* child 0: the IKE SA itself */
		unsigned generation;	/* before */
		enum renewal_fate fate;
	} *v;				/* owned */
	unsigned n;
};

/* What is up of a connection: its IKE SAs themselves, or else their Child SAs, or those
 * of one name (NULL: all).  False: no memory.  renewal_free in any case. */
bool renewal_find(const struct ike *, ike_id connection, bool itself, const char *child,
    struct renewal *);
/* Begins all rekeys; the first error, after which the others were begun, too. */
enum ike_error renewal_begin(const struct renewal *, struct ipsec_endpoint *,
    ike_time now);
/* Looks what has become of each: oftener than a replaced Child SA lives on, or the rekey
 * is not seen.  Counts those of each fate. */
void renewal_look(struct renewal *, const struct ike *, unsigned n[RENEWAL_LOST + 1]);
void renewal_free(struct renewal *);

#endif
