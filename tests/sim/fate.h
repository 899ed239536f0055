/* Worlds that do not end well: one end dies, or the settings do not fit. */
#ifndef SIM_FATE_H
#define SIM_FATE_H

#include "tests/sim/world.h"

/* Whoever is left has noticed in time, and does what he is configured to do. */
void fate_check_dead(struct world *);
/* Nothing came up that must not, and somebody was told why. */
void fate_check_refused(struct world *);
/* Must it come up in spite of this trouble? */
bool fate_allows(const struct world *);

#endif
