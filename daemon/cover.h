/* A counted set of prefixes, and what of it is needed to cover all: a prefix inside
 * another one of the set is not, until the other goes.  For tables whose entries must not
 * overlap.  No I/O. */
#ifndef DAEMON_COVER_H
#define DAEMON_COVER_H

#include "libesp/selector.h"

struct cover;

/* Tells a change of what covers the set: first all that is no longer needed, then what is
 * needed now. */
typedef void cover_changed(void *arg, bool needed, const struct esp_prefix *);

struct cover *cover_new(cover_changed *, void *arg);	/* NULL: no memory */
void cover_free(struct cover *);	/* tells nothing; NULL is nothing */

/* One user more, or less, of a prefix.  hold: false: no memory, nothing has changed.
 * release of what is not held does nothing. */
bool cover_hold(struct cover *, const struct esp_prefix *);
void cover_release(struct cover *, const struct esp_prefix *);
void cover_each(struct cover *);	/* tells all that is needed, as if it were new */

#endif
