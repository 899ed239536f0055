/* Profiles: kinds of worlds. */
#ifndef SIM_PROFILE_H
#define SIM_PROFILE_H

#include "tests/sim/world.h"

struct profile {
	const char *name, *about;
	unsigned share;		/* of the seeds without --profile, in a hundred */
	void (*make)(struct world *);
};

extern const struct profile profiles[];		/* to a name of NULL */

const struct profile *profile_find(const char *name);	/* NULL: no such one */
const struct profile *profile_of(uint64_t seed);
/* Everything that the seed decides, from network to schedule; hosts are not open yet. */
void profile_make(struct world *);
/* The tunnel's settings for the calm: nothing ends by itself any more. */
void profile_calm(struct world *, struct tunnel *);

#endif
