/* ESP that comes before its SA.  Who answers an IKE request may send by the new SA at
 * once, and its first packets can overtake the answer (RFC 7296 1.2, 2.8): the newest few
 * packets that no SA knows are kept for a moment, in case theirs is about to come.
 * Anybody can send such packets, so their number is small and their memory fixed. */
#ifndef IPSEC_EARLY_H
#define IPSEC_EARLY_H

#include "libipsec/batch.h"

enum {
	IPSEC_EARLY_PACKETS = 32,
	IPSEC_EARLY_LEN = 1500		/* longer ones are not kept */
};
#define IPSEC_EARLY_TIME IKE_SECOND

struct ipsec_early;

void ipsec_early_free(struct ipsec_early *);	/* NULL is nothing */

/* Keeps a copy of an ESP packet, from its SPI on, in the place of the oldest one.  *early
 * is NULL at first; without memory nothing is kept. */
void ipsec_early_keep(struct ipsec_early **, ike_time now, const struct ipsec_message *);

/* An SA with this SPI is there now. */
void ipsec_early_claim(struct ipsec_early *, ike_time now, uint32_t spi);

/* What was claimed, in the order it came: fills up to `n` messages, whose octets live
 * until the next ipsec_early_keep, and returns how many. */
unsigned ipsec_early_take(struct ipsec_early *, struct ipsec_message *, unsigned n);

#endif
