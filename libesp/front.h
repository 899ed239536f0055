/* Transport mode: the IP header that stays in front of the ESP header, with the IPv6
 * extension headers that belong to it (RFC 4303 3.1.1). */
#ifndef LIBESP_FRONT_H
#define LIBESP_FRONT_H

#include "libesp/selector.h"

enum { ESP_PROTOCOL = 50 };

struct esp_front {
	uint8_t family;
	uint16_t len;		/* octets from the IP header to the ESP header */
	uint16_t next;		/* where in them the number of what follows stands */
};

/* Where ESP goes into a packet, which esp_flow_measure has passed and cut to its own
 * length: behind the IPv4 header and its options; behind the IPv6 header, hop-by-hop
 * options, routing and fragment headers, and destination options that a routing header
 * follows.  False: a fragment (transport mode takes whole packets, RFC 4303 3.3.4), or a
 * chain of headers that is cut off, too long, or begins again. */
bool esp_front_find(struct bytes packet, uint8_t family, struct esp_front *);

/* The octets in front of a received ESP header, taken for one: false unless they are an
 * IP header and its extension headers, all of them, whose last says that ESP follows. */
bool esp_front_read(struct bytes, struct esp_front *);

/* RFC 3948 3.1.2: a NAT has changed the addresses of this packet, so that the checksum of
 * its transport header, which covers them, is wrong.  `sent` is the source and the
 * destination its sender computed it over (zeros: that one is as it was); the packet has
 * those of now.  Protocols without such a checksum, UDP datagrams without one, and what
 * is too short to have one stay as they are. */
void esp_front_mend(uint8_t *packet, uint32_t len, const uint8_t sent[2][16]);

/* At p, where the octets of `front` stand: now `next` follows, in `behind` octets.  Sets
 * the lengths and the checksum.  The caller has checked that their sum fits 16 bits. */
void esp_front_write(uint8_t *p, const struct esp_front *, uint8_t next, uint32_t behind);

#endif
