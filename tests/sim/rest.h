/* What must hold when a world has come to rest. */
#ifndef SIM_REST_H
#define SIM_REST_H

#include "tests/sim/world.h"

/* How a tunnel stands. */
enum standing { STANDS_NOT, STANDS, STANDS_PARTLY };
enum standing rest_standing(struct world *, const struct tunnel *);

/* Both ends of a tunnel hold the same: one IKE SA and one Child SA for each configured
 * child, and nothing on the way; or nothing at all. */
void rest_check(struct world *, const struct tunnel *);
/* While it is busy: an end that was heard on a new SA is answered there. */
void rest_check_follows(struct world *, const struct tunnel *, unsigned end,
    const struct path_sa *used);
/* Is a message or question on the way anywhere? */
bool rest_is_busy(const struct world *);
/* After everything was dropped: nothing is left anywhere. */
void rest_check_end(struct world *);

#endif
