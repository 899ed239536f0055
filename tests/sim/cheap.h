/* Cheap algorithms for simulated worlds: the ids, names and lengths of the real ones, and
 * no strength at all.  A message that was altered, or sealed with another key, fails all
 * the same. */
#ifndef SIM_CHEAP_H
#define SIM_CHEAP_H

#include "libike/algorithm.h"

extern const struct ike_algorithms cheap_algorithms;

/* The cheap row in the place of a real one; NULL: there is none. */
const struct esp_transform *cheap_transform(const struct esp_transform *);

/* A number for these octets: different ones have the same one as good as never. */
uint64_t cheap_hash(uint64_t key, const void *octets, size_t);

#endif
