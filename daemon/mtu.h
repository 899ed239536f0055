/* How large an inner packet may be so that nothing is fragmented outside. */
#ifndef DAEMON_MTU_H
#define DAEMON_MTU_H

#include "libesp/transform.h"

enum {
	MTU_ETHERNET = 1500,	/* of a path that nobody knows yet */
	MTU_IPV4_MIN = 576,	/* what every host takes (RFC 791) */
	MTU_IPV6_MIN = 1280	/* below it IPv6 does not work (RFC 8200 5) */
};

/* The largest inner packet whose ESP tunnel packet (RFC 4303 2) has at most outer_mtu
 * octets:
 *
 *	outer IP (family 4: 20, 6: 40) | UDP 8 if encap | SPI and sequence 8 | IV |
 *	inner packet | padding | pad length and next header 2 | ICV
 *
 * where padding fills up to max(4, transform->align).  0: not even an empty one fits. */
uint32_t tunnel_mtu(uint32_t outer_mtu, uint8_t family, bool encap,
    const struct esp_transform *);

/* The same for a path not known yet: IPv6 and UDP outside and the transform with the
 * greatest overhead there is. */
uint32_t tunnel_mtu_worst(uint32_t outer_mtu);

#endif
