/* Hosts and tunnels as profiles want them, with settings by chance that fit together. */
#ifndef SIM_SETUP_H
#define SIM_SETUP_H

#include "tests/sim/world.h"

/* Further than any world goes. */
#define SETUP_FOREVER (100000 * IKE_SECOND)

void setup_hosts(struct world *, unsigned n);
/* Between hosts `a`, who calls, and `b`; after setup_hosts. */
void setup_tunnel(struct world *, unsigned a, unsigned b);
/* Its end 0 is behind the NAT: native ESP does not cross it, and nobody is called
 * there. */
void setup_hide(struct world *, struct tunnel *);
/* The ends of the first tunnel do not fit together, in a way by chance. */
void setup_trouble(struct world *);
ike_time setup_choose(struct world *, const ike_time *, unsigned n);

#endif
