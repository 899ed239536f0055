/* The anti-replay window of one inbound SA (RFC 4303 3.4.3), in the ring of RFC 6479,
 * and the unsent half of extended sequence numbers (RFC 4303 appendix A).
 *
 * For each packet: esp_replay_guess, esp_replay_check, then the ICV; only when that is
 * right, esp_replay_update. */
#ifndef LIBESP_REPLAY_H
#define LIBESP_REPLAY_H

#include "libesp/bytes.h"

struct esp_replay {
	uint64_t top;		/* the highest sequence number that authenticated */
	uint64_t *ring;		/* owned: one bit a packet, by sequence modulo the
				 * ring's bits */
	uint32_t words;		/* of the ring: one more than the window needs */
	uint32_t size;		/* the window, in packets */
	bool esn;
};

/* `size` is a multiple of 64 and not 0.  Sequences below `first`, which is at least 1,
 * count as seen: an imported SA begins with its window closed.  False: no memory. */
bool esp_replay_init(struct esp_replay *, uint32_t size, uint64_t first, bool esn);
void esp_replay_free(struct esp_replay *);

/* The whole sequence number of a packet that carries these low 32 bits.  False if
 * there is none: below zero or above 2^64-1. */
bool esp_replay_guess(const struct esp_replay *, uint32_t low, uint64_t *sequence);

/* A packet will come soon, most probably the one after `top`. */
void esp_replay_expect(const struct esp_replay *);

/* True if the sequence number is new and not older than the window.  Changes nothing. */
bool esp_replay_check(const struct esp_replay *, uint64_t sequence);

/* Notes an authentic packet.  False if it is a replay after all: another copy or a
 * much newer packet was noted since the check. */
bool esp_replay_update(struct esp_replay *, uint64_t sequence);

#endif
