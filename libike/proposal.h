/* Proposals: from text, onto the wire, and choosing one, RFC 7296 2.7, 3.3. */
#ifndef IKE_PROPOSAL_H
#define IKE_PROPOSAL_H

#include "libike/algorithm.h"
#include "libike/payload.h"

/* One proposal: its transforms in order of preference within each type. */
struct ike_proposal {
	uint8_t protocol;		/* IKE_PROTOCOL_IKE or _ESP */
	unsigned n;
	struct ike_transform *v;	/* owned */
};
struct ike_proposals { struct ike_proposal *v; unsigned n; };	/* owned */

/* Text, strongSwan's spelling: "aes256gcm16-prfsha384-x25519", "chacha20poly1305",
 * "aes256-sha256-modp2048", in any case; several algorithms of a type in one proposal are
 * alternatives, several proposals stand between commas or in several texts.  "default"
 * stands for the default list of the protocol.  Duplicates are left out.  A PRF not named
 * follows from the integrity algorithm (IKE).  ESP: no sequence word means "no ESN, then
 * ESN"; "esn" / "noesn" name them; "modpnone" allows that there is no key exchange.
 * Whether a weak algorithm may be named is its user's to judge: compat.h.
 *
 * An algorithm without a built-in row, an AEAD and a non-AEAD cipher in one proposal, a
 * cipher missing, integrity missing or too much, no PRF or group for IKE, no memory:
 * false, nothing in *list, and a sentence in `buf`: what is wrong; what would be
 * right. */
bool ike_proposals_parse(const char *const *text, unsigned n, uint8_t protocol,
    struct ike_proposals *list, char *buf, size_t len);
void ike_proposals_free(struct ike_proposals *);

/* Writes the SA payload body.  `spi` is empty, 4 (ESP) or 8 octets (IKE rekey).  Key
 * exchange transforms of ESP proposals are left out unless `with_ke` (only
 * CREATE_CHILD_SA, 1.2). */
void ike_build_sa(struct ike_writer *, const struct ike_proposals *, struct bytes spi,
    bool with_ke);
/* The answer: exactly what was chosen, under the peer's proposal number. */
struct ike_choice {
	uint8_t number, protocol;
	struct bytes spi;				/* the peer's */
	uint16_t id[IKE_TRANSFORM_TYPES];		/* indexed by transform type */
	uint16_t key_bits;				/* of the cipher */
	bool has[IKE_TRANSFORM_TYPES];
};
void ike_build_choice(struct ike_writer *, const struct ike_choice *, struct bytes spi);

/* Responder: the first of OUR proposals (then transforms) that some proposal of the
 * peer's SA payload (checked by ike_check_sa) allows.  A peer's transform type that we do
 * not know, or one that is missing for us, makes that proposal unacceptable; integrity
 * beside an AEAD cipher may be named NONE.  Without `with_ke` an ESP proposal's groups
 * are passed over.  `group` is that of the peer's KE payload, or IKE_KE_NONE: of the
 * groups that both allow in the chosen proposal it comes first, since any other costs a
 * round more (1.2); without one NONE comes first, where both allow it.  IKE_OK or
 * IKE_NO_PROPOSAL_CHOSEN, and then *choice is untouched. */
enum ike_error ike_choose(const struct ike_proposals *ours, struct bytes sa, bool with_ke,
    uint16_t group, struct ike_choice *);
/* Initiator: the answer (checked by ike_check_sa) must hold one proposal, under the
 * number of ours, with one transform of each type that we offered, each of which we
 * offered.  IKE_OK or IKE_NO_PROPOSAL_CHOSEN. */
enum ike_error ike_check_choice(const struct ike_proposals *ours, struct bytes sa,
    bool with_ke, struct ike_choice *);
/* Would `ours` allow what was chosen (for another connection's proposals)? */
bool ike_choice_allowed(const struct ike_proposals *ours, const struct ike_choice *);

/* The rows that serve a chosen IKE proposal; false when a row is missing. */
struct ike_suite;
bool ike_suite_of(const struct ike_algorithms *, const struct ike_choice *,
    struct ike_suite *);
/* And back: the choice that they serve, without the peer's numbers. */
struct ike_choice ike_choice_of(const struct ike_suite *);

/* First group of the first proposal: what the first KE payload carries. 0: none. */
uint16_t ike_first_group(const struct ike_proposals *);
bool ike_offers_group(const struct ike_proposals *, uint16_t group);

/* "aes256gcm16-prfsha384-x25519"; whole lists as "a, b"; also straight from a peer's SA
 * payload (for refusals; unknown ids by number).  Cut to fit, with "..." at the end; each
 * returns buf. */
const char *ike_choice_print(const struct ike_choice *, char *buf, size_t len);
const char *ike_proposals_print(const struct ike_proposals *, char *buf, size_t len);
/* As ike_build_sa offers them: groups of ESP only `with_ke`. */
const char *ike_offer_print(const struct ike_proposals *, bool with_ke, char *buf,
    size_t len);
const char *ike_sa_print(struct bytes sa, char *buf, size_t len);

#endif
