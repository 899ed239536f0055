/* Header and payload chain, RFC 7296 3.1, 3.2: a datagram becomes an array of views, and
 * an array of payloads a chain.  Nothing else: no state, no keys, no judgement on
 * content. */
#ifndef IKE_MESSAGE_H
#define IKE_MESSAGE_H

#include "libike/ike.h"
#include "libike/proto.h"
#include "libike/wire.h"

struct ike_header {
	uint64_t spi_i, spi_r;
	uint8_t next;			/* first payload's type */
	uint8_t version;		/* 0x20 */
	uint8_t exchange;
	uint8_t flags;			/* enum ike_header_flag */
	uint32_t message_id;
	uint32_t length;
};

struct ike_payload {
	uint8_t type;
	bool critical;
	struct bytes body;
};

struct ike_message {
	struct ike_header header;
	struct bytes octets;		/* the datagram */
	unsigned n;
	struct ike_payload v[IKE_MAX_PAYLOADS];
	uint8_t sk_first;		/* first payload inside SK or SKF */
	uint8_t unsupported;		/* type of the first unknown critical one, or 0 */
};

/* The header alone; IKE_DROP when the datagram is shorter than 28 octets or its length
 * field is not the datagram's length.  Nothing is read before those two hold. */
enum ike_error ike_parse_header(struct bytes datagram, struct ike_header *);
/* The outer chain.  Fills `message` with header, octets and payloads.  A chain that does
 * not fill the datagram exactly, a payload behind SK or SKF, a payload length below 4 or
 * over the rest, or too many payloads: IKE_INVALID_SYNTAX.  Unknown payloads are left out
 * and not counted; the first unknown critical one is remembered in `unsupported`. */
enum ike_error ike_parse_message(struct bytes datagram, struct ike_message *);
/* The inner chain: appends the payloads of a decrypted SK body.  SK and SKF have no place
 * in it. */
enum ike_error ike_parse_chain(uint8_t first, struct bytes, struct ike_message *);

/* The n-th (from 0) payload of a type, or NULL. */
const struct ike_payload *ike_find_payload(const struct ike_message *, uint8_t type,
    unsigned n);
unsigned ike_count_payloads(const struct ike_message *, uint8_t type);
/* The first notify of a type; false when there is none (or it does not parse). */
struct ike_notify;
bool ike_find_notify(const struct ike_message *, uint16_t type, struct ike_notify *);

/* A chain of payloads under construction in the caller's buffer. */
struct ike_chain {
	struct ike_writer w;
	uint8_t first;			/* type of the first payload */
	size_t next_at;			/* where the last payload names its follower */
	size_t open_at;
};

struct ike_chain ike_chain(uint8_t *buf, size_t cap);
void ike_chain_open(struct ike_chain *, uint8_t type);	/* then the body into its w */
void ike_chain_close(struct ike_chain *);
/* A whole Notify payload with protocol 0 and no SPI. */
void ike_add_notify(struct ike_chain *, uint16_t type, struct bytes data);

/* Every field as given, the length too. */
void ike_write_header(struct ike_writer *, const struct ike_header *);
/* A whole unprotected message: header (its next and length are filled in) and chain. */
void ike_write_message(struct ike_writer *, const struct ike_header *,
    const struct ike_chain *);

#endif
