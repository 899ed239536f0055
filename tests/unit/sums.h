/* Checksums over the addresses of an IP packet, computed from the beginning: what
 * incremental ones are compared with. */
#ifndef TESTS_SUMS_H
#define TESTS_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "libesp/bytes.h"

/* Where the transport header of a packet without IPv6 extensions begins. */
unsigned sum_transport_at(const uint8_t *packet);

/* The checksum of the transport header whose checksum stands at `at` in it, of a packet
 * with these addresses (NULL: its own) in place of its own; RFC 9293 3.1, RFC 768,
 * RFC 8200 8.1. */
uint16_t sum_transport(const uint8_t *packet, uint32_t len, unsigned at,
    const uint8_t *source, const uint8_t *destination);

#endif
