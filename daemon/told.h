/* What was told of each connection lately, so that it is not told again at each attempt:
 * a peer that refuses or is away does so for days. */
#ifndef IKEVD_TOLD_H
#define IKEVD_TOLD_H

#include "libike/ike.h"

struct told;

struct told *told_new(void);		/* NULL: no memory */
void told_free(struct told *);

/* Was this text told of the connection less than an hour ago?  (Of 0, which is anybody, a
 * minute.)  That is counted. */
bool told_lately(struct told *, ike_id connection, const char *text, ike_time now);
/* It is told now.  Returns how often it was passed over since the last time; without
 * memory it is soon told again. */
uint64_t told_note(struct told *, ike_id connection, const char *text, ike_time now);
/* All is well with the connection: whatever follows is news. */
void told_forget(struct told *, ike_id connection);

#endif
