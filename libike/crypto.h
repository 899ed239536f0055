/* Between the algorithm tables (prf.c, kex.c) and the libraries that calculate
 * (crypto_openssl.c, crypto_sodium.c).  Private to libike.  Every function is true
 * only when the library said that it succeeded, and leaves nothing secret behind. */
#ifndef IKE_CRYPTO_H
#define IKE_CRYPTO_H

#include "libike/algorithm.h"

/* The tables; each ends with NULL. */
extern const struct ike_prf *const ike_prfs[];
extern const struct ike_kex *const ike_kexs[];

/* out = HMAC(key, parts[0] | parts[1] | ...); `len` is the digest's own length. */
bool ike_hmac(const char *digest, struct bytes key, const struct bytes *parts, unsigned n,
    uint8_t *out, size_t len);

enum { IKE_MAX_PRIVATE_LEN = 66 };	/* ECP 521 */

/* A Diffie-Hellman group.  Both sides' public values have `public_len` octets. */
struct ike_group {
	uint16_t bits;		/* of the field, and of a curve's order: which one */
	uint16_t private_len, public_len, secret_len;

	/* A new private value, every octet of which came from the random source, and
	 * the public one that belongs to it. */
	bool (*generate)(const struct ike_group *, const struct ike_random *,
	    uint8_t *private_value, uint8_t *public_value);
	/* The secret; false when `peer`, public_len octets, is no value of the group. */
	bool (*agree)(const struct ike_group *, const uint8_t *private_value,
	    const uint8_t *peer, uint8_t *secret);
};

/* Curve25519, RFC 7748, 8031. */
bool ike_x25519_generate(const struct ike_group *, const struct ike_random *,
    uint8_t *private_value, uint8_t *public_value);
bool ike_x25519_agree(const struct ike_group *, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret);

/* NIST curves: x | y on the wire, x alone is the secret, RFC 5903 7. */
bool ike_ecp_generate(const struct ike_group *, const struct ike_random *,
    uint8_t *private_value, uint8_t *public_value);
bool ike_ecp_agree(const struct ike_group *, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret);

/* Safe primes with generator 2, RFC 3526; padded to the prime's length, RFC 7296 2.14. */
bool ike_modp_generate(const struct ike_group *, const struct ike_random *,
    uint8_t *private_value, uint8_t *public_value);
bool ike_modp_agree(const struct ike_group *, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret);

/* NAT detection, RFC 7296 2.23: SHA-1(SPIi | SPIr | address | port); `addr` has 4 or 16
 * octets.  False: it has not, or the library failed. */
bool ike_natd_hash(uint64_t spi_i, uint64_t spi_r, struct bytes addr, uint16_t port,
    uint8_t out[20]);

#endif
