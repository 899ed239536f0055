/* Transport mode over sockets: the IP header belongs to the kernel, which makes it from
 * the path and takes it off.  Private to worker.c. */
#ifndef IPSEC_TRANSPORT_H
#define IPSEC_TRANSPORT_H

#include "libipsec/batch.h"

/* Octets of the header over IPv4 (4) or IPv6 (6), without options or extensions. */
uint16_t ipsec_transport_front(uint8_t family);

/* Will the header that the kernel makes for this path say the same as that of this IP
 * packet?  Else the peer would get another packet than was sent: with other addresses,
 * without its options. */
bool ipsec_transport_fits(struct bytes packet, const struct ike_path *);

/* Puts a header of the addresses and DS field that it came with before a received ESP
 * message, for esp_open, which sets lengths and checksum.  Returns its octets; 0: the
 * message has no room for it (`head`). */
uint16_t ipsec_transport_restore(struct ipsec_message *);

#endif
