#include "tests/sim/chance.h"

/* SplitMix64: every seed, also neighbours, gives an unrelated sequence. */
uint64_t
chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct chance
chance_of(uint64_t seed, uint64_t stream)
{
	struct chance c = { seed ^ stream << 56 };

	c.state = chance_next(&c);
	return c;
}

uint64_t
chance_below(struct chance *c, uint64_t n)
{
	return chance_next(c) % n;
}

bool
chance_one_in(struct chance *c, unsigned n)
{
	return n > 0 && chance_below(c, n) == 0;
}

bool
chance_percent(struct chance *c, unsigned percent)
{
	return chance_below(c, 100) < percent;
}

void
chance_fill(void *chance, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)chance_next(chance);
}
