/* Somebody on the way, who records datagrams of either kind, repeats and alters them, and
 * makes up others; but knows no key. */
#ifndef SIM_ATTACKER_H
#define SIM_ATTACKER_H

#include "tests/sim/network.h"

enum { ATTACKER_KEEPS = 48 };

struct attacker {
	struct chance chance;
	struct record { struct frame *frame; bool arrived; } records[ATTACKER_KEEPS];
	unsigned n;			/* recorded so far */
};

void attacker_record(void *attacker, const struct frame *);	/* a network's tap */
/* That one has come to where it should, and whoever sends it again only repeats it. */
void attacker_arrived(struct attacker *, uint64_t serial);
/* What was sent so far is of no use any more: its receiver has forgotten all. */
void attacker_forget(struct attacker *);
/* Sends something.  What he only brings earlier than it would have come is genuine. */
void attacker_strike(struct attacker *, struct network *, ike_time now);
void attacker_free(struct attacker *);

#endif
