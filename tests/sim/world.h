/* A world: two hosts, a network, a schedule of doings and one fault at most, all by
 * seed. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct world_count {			/* over all seeds */
	uint64_t established, refused, ended;	/* how runs ended */
	uint64_t frames;
};

/* Runs one seed to its end.  NULL: every invariant held; else what did not, in `why`. */
const char *world_run(
    uint64_t seed, FILE *trace, struct world_count *, char *why, size_t len);

#endif
