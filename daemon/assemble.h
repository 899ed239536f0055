/* From the settings that stand in a file to what they mean: the daemon's settings with
 * their defaults, and connections ready for the engine.  Part of configuration_load. */
#ifndef DAEMON_ASSEMBLE_H
#define DAEMON_ASSEMBLE_H

#include "daemon/load.h"

/* Fills c->daemon and each connection's `connection` from their givens; what does not fit
 * together is a fault where it stands. */
void configuration_assemble(struct configuration *c, struct faults *);

#endif
