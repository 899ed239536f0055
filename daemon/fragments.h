/* The folder beside a configuration file, FILE.d: its *.conf files belong to the
 * configuration, too. */
#ifndef DAEMON_FRAGMENTS_H
#define DAEMON_FRAGMENTS_H

#include "daemon/arena.h"
#include "daemon/fault.h"

struct fragments { const char **v; unsigned n; };	/* paths; all in the arena */

/* The regular files, or links to such, of "`file`.d" whose names end in .conf and do not
 * begin with a dot, in the byte order of their names.  Without such a folder there are
 * none; a folder that cannot be read is a fault. */
struct fragments fragments_find(const char *file, struct arena *, struct faults *);

#endif
