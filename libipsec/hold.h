/* Packets that wait for an SA, with bounds for each policy and for all of them together
 * (worker.h).  Private to worker.c. */
#ifndef IPSEC_HOLD_H
#define IPSEC_HOLD_H

#include <sys/queue.h>

#include "libipsec/worker.h"

struct ipsec_held {
	STAILQ_ENTRY(ipsec_held) link;
	uint32_t len;
	uint8_t data[];
};

struct ipsec_hold {		/* of one policy */
	STAILQ_HEAD(, ipsec_held) packets;
	unsigned n;
	size_t octets;
};

void ipsec_hold_init(struct ipsec_hold *);

/* Copies a packet to the end; `total` counts the octets of all holds.  False: over a
 * bound, or no memory. */
bool ipsec_hold_put(struct ipsec_hold *, size_t *total, const struct esp_packet *);

/* Takes the oldest one out, to be freed by the caller; NULL: none is left. */
struct ipsec_held *ipsec_hold_take(struct ipsec_hold *, size_t *total);

void ipsec_hold_clear(struct ipsec_hold *, size_t *total);

#endif
