/* Memory that is freed all at once: what a configuration consists of. */
#ifndef DAEMON_ARENA_H
#define DAEMON_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);			/* NULL: no memory */
void arena_free(struct arena *);	/* and all that was taken; NULL is nothing */

/* Zeroed, aligned for anything, alive until arena_free.  NULL: no memory. */
void *arena_take(struct arena *, size_t n, size_t size);
char *arena_text(struct arena *, const char *);

#endif
