/* What a configuration may say and hardly anybody means. */
#ifndef DAEMON_WARN_H
#define DAEMON_WARN_H

#include "daemon/load.h"

/* Looks at a configuration without faults: weak algorithms, networks of several
 * connections that overlap, peers that may come from anywhere with any address inside,
 * and settings without an effect. */
void configuration_warn(const struct configuration *, struct faults *warnings);

#endif
