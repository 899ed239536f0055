/* Two ends of one SA: what `out` seals `in` opens. */
#ifndef TESTS_ENDS_H
#define TESTS_ENDS_H

#include "libesp/esp.h"

enum { ENDS_SPI = 0x12345678, ENDS_ID = 7, ENDS_POLICY = 3 };

struct ends {
	struct esp *out, *in;
	uint8_t keymat[128], iv_key[16];
	struct esp_selector selectors[2];	/* everything, IPv4 and IPv6 */
	struct esp_sa_config config;		/* direction, iv_key and owner to be
						 * set */
};

/* Fills `config` for this transform with keys from a seed; nothing is added yet. */
void ends_prepare(struct ends *, const struct esp_transform *, bool esn);
/* Adds the SA at both ends, and a policy for everything at the sending one. */
void ends_add(struct ends *);
void ends_free(struct ends *);

/* A packet in a buffer of exactly head + inner + tail octets. */
struct esp_packet packet_new(struct bytes inner, struct esp_room);
void packet_free(struct esp_packet *);

/* esp_find and esp_seal of one packet that must succeed. */
void ends_seal(struct ends *, struct esp_packet *);

/* Whole packets with a UDP header and random payload; `len` octets in all, at least 28
 * or 48. */
struct bytes inner_packet(uint8_t *p, uint8_t family, size_t len, uint64_t *seed);

/* Row i of the bulk transforms; NULL behind the last. */
const struct esp_transform *bulk_transform(unsigned i);

#endif
