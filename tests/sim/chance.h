/* Chance by seed: the only source of randomness in a simulated world. */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance { uint64_t state; };

struct chance chance_of(uint64_t seed, uint64_t stream);
uint64_t chance_next(struct chance *);
uint64_t chance_below(struct chance *, uint64_t n);		/* 0 .. n-1; n above 0 */
bool chance_one_in(struct chance *, unsigned n); /* true once in n; n = 0: never */
bool chance_percent(struct chance *, unsigned percent);
void chance_fill(void *chance, uint8_t *, size_t); /* the engine's random callback */

#endif
