/* Keys of an IKE SA and of its Child SAs, and the octets that AUTH covers:
 * RFC 7296 2.13 - 2.17, RFC 5282 7.2 for the salt behind SK_ei and SK_er. */
#ifndef IKE_KEYS_H
#define IKE_KEYS_H

#include "libike/algorithm.h"

/* What an IKE SA was agreed on: the rows of its chosen proposal. */
struct ike_suite {
	const struct esp_transform *cipher;
	const struct ike_prf *prf;
	const struct ike_kex *kex;
};

/* What an SA keeps as long as it lives; no longer than its algorithms need. */
struct ike_keys {
	/* SK_d | of the initiator | of the responder: cipher key | salt | integrity key.
	 * Owned, or NULL. */
	uint8_t *octets;
	uint8_t prf_len, cipher_len;
};
void ike_keys_free(struct ike_keys *);		/* wipes */

static inline struct bytes
ike_key_d(const struct ike_keys *k)
{
	return bytes_of(k->octets, k->prf_len);
}

/* What esp_transform.new_key takes, of what this side sends. */
static inline struct bytes
ike_key_cipher(const struct ike_keys *k, bool initiator)
{
	return bytes_of(k->octets + k->prf_len + (initiator ? 0 : k->cipher_len),
	    k->cipher_len);
}

/* SK_pi and SK_pr, which nothing but AUTH uses.  Wiped by its owner with ike_wipe. */
struct ike_auth_keys { uint8_t pi[IKE_MAX_PRF_LEN], pr[IKE_MAX_PRF_LEN]; };

void ike_wipe(void *, size_t);			/* never optimised away */

/* prf+, 2.13.  False for more than 255 blocks, or when the library failed. */
bool ike_prf_plus(const struct ike_prf *, struct bytes key, const struct bytes *seed,
    unsigned n, uint8_t *out, size_t len);

/* SKEYSEED = prf(Ni | Nr, secret) and the seven SK_*, 2.14.  False: a nonce is longer
 * than 256 octets, there is no memory, or the library failed; nothing is written then.
 * What was in *keys is not freed. */
bool ike_derive_keys(const struct ike_suite *, struct bytes ni, struct bytes nr,
    uint64_t spi_i, uint64_t spi_r, struct bytes secret, struct ike_keys *,
    struct ike_auth_keys *);

/* The same for an IKE SA that follows another, 2.18: SKEYSEED = prf(SK_d, secret | Ni |
 * Nr) with the old SA's PRF and SK_d, and all else with the new one's.  Nobody asks for
 * its SK_pi and SK_pr. */
bool ike_derive_rekeyed(const struct ike_prf *old_prf, const struct ike_keys *old,
    const struct ike_suite *, struct bytes ni, struct bytes nr, uint64_t spi_i,
    uint64_t spi_r, struct bytes secret, struct ike_keys *);

/* KEYMAT of a Child SA, 2.17; `secret` is empty without PFS.  `i_to_r` and `r_to_i` get
 * cipher key | salt | integrity key of the two directions, `len` octets each. */
bool ike_derive_child(const struct ike_suite *, const struct ike_keys *, struct bytes ni,
    struct bytes nr, struct bytes secret, size_t len, uint8_t *i_to_r, uint8_t *r_to_i);

/* The octets that AUTH signs, 2.15: message | nonce | prf(SK_p, id octets).  `out` has
 * room for message.len + nonce.len + prf->len; returns the length, 0 when the library
 * failed. */
size_t ike_auth_octets(const struct ike_prf *, struct bytes message, struct bytes nonce,
    const uint8_t *sk_p, struct bytes id, uint8_t *out);

/* AUTH by a shared secret is for those who answer IKE_ASK_PROVE and IKE_ASK_CHECK: see
 * ike_psk_auth in ike.h. */

#endif
