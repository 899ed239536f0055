/* Datagrams in batches, as they stand between the sockets and those who carry ESP. */
#ifndef IPSEC_BATCH_H
#define IPSEC_BATCH_H

#include "libike/ike.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { IPSEC_BATCH = 64 };	/* the most messages or packets of one call */

enum ipsec_kind {
	IPSEC_IKE,
	IPSEC_ESP_UDP,		/* RFC 3948: ESP from UDP port to UDP port */
	IPSEC_ESP_NATIVE,	/* IP protocol 50; the path's ports mean nothing */
	IPSEC_KEEPALIVE,	/* RFC 3948 2.3: one octet, for the NATs on the way */
	IPSEC_JUNK		/* received, neither IKE nor ESP */
};

struct ipsec_message {		/* one datagram */
	uint8_t *data;		/* the SPI, or the IKE header without the marker */
	uint32_t len;
	enum ipsec_kind kind;
	uint8_t tos;		/* DS field and ECN of the outer header */
	uint16_t head;		/* received: octets before data, free to be written */
	int error;		/* set by send: 0, or the errno it was dropped for */
	struct ike_path path;
};

#ifdef __cplusplus
}
#endif

#endif
