/* How long ikevd waits for its peers, for `ikevd -n`. */
#ifndef DAEMON_PATIENCE_H
#define DAEMON_PATIENCE_H

#include <stdio.h>

#include "daemon/load.h"

/* One line for all connections that wait equally long: when a silent peer is asked, when
 * it is given up, and when one that never answered is. */
void patience_tell(FILE *, const struct configuration *);

enum { PATIENCE_TEXT = 40 };
/* "1.5 s", "30 s", "2 min 17 s", "1 h 2 min": rounded; returns buf. */
const char *patience_print(ike_time, char buf[PATIENCE_TEXT]);

#endif
