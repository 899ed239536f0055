/* One call to a Varlink service on a Unix socket, and its reply. */
#ifndef CTL_VARLINK_H
#define CTL_VARLINK_H

#include <jansson.h>
#include <stddef.h>

enum { VARLINK_WHY_LEN = 300 };

/* Connects, calls `method` with `parameters` (taken over), and waits for the reply.  The
 * result is the whole reply, with "parameters" and perhaps "error"; of one that comes in
 * pieces the lists are joined.  NULL: there was none, and `why` says what failed and what
 * would help. */
json_t *varlink_call(const char *socket_path, const char *method, json_t *parameters,
    char why[VARLINK_WHY_LEN]);

#endif
