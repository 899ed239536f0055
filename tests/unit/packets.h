/* Inner packets for tests, from 10.1.0.5 to 10.2.0.6 or 2000::5 to 2000::6. */
#ifndef TESTS_PACKETS_H
#define TESTS_PACKETS_H

#include "libesp/bytes.h"

/* Each writes the packet to p and returns it: header and payload.  `words` is the IPv4
 * header length field, `fragment` the flags and offset. */
struct bytes ipv4(uint8_t *p, uint8_t protocol, unsigned words, uint16_t fragment,
    struct bytes payload);
struct bytes ipv6(uint8_t *p, uint8_t next, struct bytes payload);

/* The IPv4 header checksum as RFC 791 computes it; 0 over a header that contains a
 * right one. */
uint16_t ipv4_checksum(const uint8_t *header);

#endif
