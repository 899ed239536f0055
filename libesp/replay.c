#include <stdlib.h>

#include "libesp/replay.h"

static uint64_t *
word_of(const struct esp_replay *r, uint64_t sequence)
{
	return &r->ring[sequence / 64 % r->words];
}

static uint64_t
bit_of(uint64_t sequence)
{
	return (uint64_t)1 << sequence % 64;
}

bool
esp_replay_init(struct esp_replay *r, uint32_t size, uint64_t first, bool esn)
{
	uint64_t *ring;
	uint32_t words = size / 64 + 1;

	ring = malloc(words * sizeof *ring);
	if (ring == NULL)
		return false;
	*r = (struct esp_replay){ .top = first - 1, .ring = ring, .words = words,
		.size = size, .esn = esn };
	memset(ring, 0xff, words * sizeof *ring);
	/* the word of top goes on above it, and nothing there has been seen */
	*word_of(r, r->top) = bit_of(r->top) | (bit_of(r->top) - 1);
	return true;
}

void
esp_replay_free(struct esp_replay *r)
{
	free(r->ring);
	r->ring = NULL;
}

/* RFC 4303 A2.2: the high half is the one that puts the number closest above the window's
 * lower edge. */
bool
esp_replay_guess(const struct esp_replay *r, uint32_t low, uint64_t *sequence)
{
	uint32_t top_low = (uint32_t)(r->top & 0xffffffff);
	uint32_t edge = top_low - (r->size - 1);	/* modulo 2^32, as in case B */
	uint64_t high = r->top >> 32;

	if (!r->esn) {
		*sequence = low;
		return true;
	}
	if (top_low >= r->size - 1) {		/* case A: the window lies in one half */
		if (low < edge && ++high > UINT32_MAX)
			return false;
	} else if (low >= edge && high-- == 0) {	/* case B: it began in the one
							 * before */
		return false;
	}
	*sequence = high << 32 | low;
	return true;
}

void
esp_replay_expect(const struct esp_replay *r)
{
	bytes_expect(word_of(r, r->top + 1), sizeof *r->ring);
}

bool
esp_replay_check(const struct esp_replay *r, uint64_t sequence)
{
	if (sequence > r->top)
		return true;
	if (r->top - sequence >= r->size)
		return false;
	return (*word_of(r, sequence) & bit_of(sequence)) == 0;
}

/* Forgets what the words between the old top and the new one stood for a round ago. */
static void
advance(struct esp_replay *r, uint64_t sequence)
{
	uint64_t steps = sequence / 64 - r->top / 64;

	if (steps > r->words)
		steps = r->words;
	for (uint64_t i = 1; i <= steps; i++)
		r->ring[(r->top / 64 + i) % r->words] = 0;
	r->top = sequence;
}

bool
esp_replay_update(struct esp_replay *r, uint64_t sequence)
{
	if (!esp_replay_check(r, sequence))
		return false;
	if (sequence > r->top)
		advance(r, sequence);
	*word_of(r, sequence) |= bit_of(sequence);
	return true;
}
