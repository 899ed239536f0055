/* Connections whose networks overlap: which of them a packet goes to. */
#ifndef DAEMON_OVERLAP_H
#define DAEMON_OVERLAP_H

#include "daemon/load.h"

/* A warning for each connection whose packets may go to another one, or the other way
 * round: at most one each, at its own networks, naming the other and the one that has the
 * packets.  A passive connection has no networks before its peer has called. */
void overlaps_warn(const struct configuration *, struct faults *warnings);

#endif
