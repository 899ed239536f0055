/* The body of each payload, RFC 7296 3.3 - 3.16: parse and build side by side.
 * Parsers take the body without its generic header, only parse (no state, no allocation),
 * and give views into it.  Lists are walked with iterators, so nothing has a cap.
 * RESERVED fields are ignored on receipt and zero when sent.
 * A parser returns IKE_OK or IKE_INVALID_SYNTAX.  Builders append to the chain's writer
 * between ike_chain_open and ike_chain_close (message.h); an overflow makes it bad. */
#ifndef IKE_PAYLOAD_H
#define IKE_PAYLOAD_H

#include "libesp/selector.h"
#include "libike/ike.h"
#include "libike/proto.h"
#include "libike/wire.h"

/* Security Association, 3.3.  ike_check_sa walks the whole body once (lengths, "last"
 * fields, SPI sizes, attributes); after it returned IKE_OK the iterators cannot fail. */
struct ike_proposal_view {
	uint8_t number, protocol;
	struct bytes spi;
	struct bytes transforms;	/* for ike_next_transform */
};
struct ike_transform {
	uint8_t type;			/* enum ike_transform_type, or unknown */
	uint16_t id;
	uint16_t key_bits;		/* 0: no Key Length attribute */
	bool unknown_attribute;		/* then the transform must not be chosen, 3.3.6 */
};
enum ike_error ike_check_sa(struct bytes body);
bool ike_next_proposal(struct bytes *sa, struct ike_proposal_view *);
bool ike_next_transform(struct bytes *transforms, struct ike_transform *);

/* The way back: a keyword of `len` characters, lower case, strongSwan's aliases included
 * ("aes256gcm", "curve25519").  Knows only what can be spoken here.  False, and *out
 * untouched: no such keyword.  */
bool ike_transform_by_keyword(const char *word, size_t len, struct ike_transform *out);

/* Key Exchange, 3.4. */
struct ike_ke { uint16_t group; struct bytes data; };
enum ike_error ike_parse_ke(struct bytes body, struct ike_ke *);
void ike_build_ke(struct ike_writer *, const struct ike_ke *);

/* Identification, 3.5.  `octets` is the whole body with its RESERVED field as received:
 * that is what AUTH is computed over. */
struct ike_id_view { uint8_t type; struct bytes data, octets; };
enum ike_error ike_parse_id(struct bytes body, struct ike_id_view *);
void ike_build_id(struct ike_writer *, uint8_t type, struct bytes data);

/* Authentication, 3.8. */
struct ike_auth { uint8_t method; struct bytes data; };
enum ike_error ike_parse_auth(struct bytes body, struct ike_auth *);
void ike_build_auth(struct ike_writer *, const struct ike_auth *);

/* Nonce, 3.9: 16..256 octets, else IKE_INVALID_SYNTAX. */
enum ike_error ike_parse_nonce(struct bytes body, struct bytes *nonce);

/* Notify, 3.10.  An SPI size that does not fit the protocol is IKE_INVALID_SYNTAX; a
 * protocol that is not known fits any, so look at it before the SPI. */
struct ike_notify { uint8_t protocol; uint16_t type; struct bytes spi, data; };
enum ike_error ike_parse_notify(struct bytes body, struct ike_notify *);
void ike_build_notify(struct ike_writer *, const struct ike_notify *);

/* Delete, 3.11: protocol IKE with no SPI (count is 0 then), or AH / ESP with `count` SPIs
 * of 4 octets.  An index beyond gives 0, which is no SPI. */
struct ike_delete { uint8_t protocol; uint16_t count; struct bytes spis; };
enum ike_error ike_parse_delete(struct bytes body, struct ike_delete *);
uint32_t ike_delete_spi(const struct ike_delete *, uint16_t index);
void ike_build_delete(struct ike_writer *, uint8_t protocol, const uint32_t *spis,
    uint16_t count);

/* Traffic Selectors, 3.13.  ike_check_ts as ike_check_sa (also: at least one, start <=
 * end address).  The iterator gives valid ranges only (esp_range_valid) and skips the
 * others: a selector of an unknown type, or ports that its protocol cannot have. */
enum ike_error ike_check_ts(struct bytes body);
struct bytes ike_ts_list(struct bytes body);	/* the selectors behind the count */
bool ike_next_ts(struct bytes *list, struct esp_range *);
void ike_build_ts(struct ike_writer *, const struct esp_range *, unsigned n);

#endif
