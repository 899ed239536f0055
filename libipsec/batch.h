/* Datagrams in batches, as they stand between the sockets and those who carry ESP. */
#ifndef IPSEC_BATCH_H
#define IPSEC_BATCH_H

#include "libike/ike.h"

enum { IPSEC_BATCH = 64 };	/* the most messages or packets of one call */

enum ipsec_kind {
	IPSEC_IKE,
	IPSEC_ESP_UDP,		/* RFC 3948: ESP from UDP port to UDP port */
	IPSEC_ESP_NATIVE,	/* IP protocol 50; the path's ports mean nothing */
	IPSEC_JUNK		/* received, counted and not for anybody */
};

struct ipsec_message {		/* one datagram */
	uint8_t *data;		/* the SPI, or the IKE header without the marker */
	uint32_t len;
	uint8_t kind;		/* enum ipsec_kind */
	uint8_t tos;		/* DS field and ECN of the outer header */
	int error;		/* set by send: 0, or the errno it was dropped for */
	struct ike_path path;
};

#endif
