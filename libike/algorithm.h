/* The algorithms of an IKE SA: rows in constant tables (no cipher, hash or curve is
 * written in libike).  ike_options may bring other tables, as the simulator does. */
#ifndef IKE_ALGORITHM_H
#define IKE_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "libesp/bytes.h"
#include "libesp/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	IKE_MAX_PRF_LEN = 64,
	IKE_MAX_KE_LEN = 512,		/* MODP 4096; a longer one raises this */
	IKE_MAX_SECRET_LEN = 512
};

/* All randomness and every private key-exchange value comes from here. */
struct ike_random {
	void (*fill)(void *arg, uint8_t *, size_t);
	void *arg;
};

/* A pseudorandom function, RFC 7296 2.13; key and output have the same length. */
struct ike_prf {
	uint16_t id;
	const char *keyword;		/* "prfsha256" */
	uint8_t len;			/* octets of the output and the preferred key */
	/* out = prf(key, parts[0] | parts[1] | ...); false when the library failed. */
	bool (*compute)(struct bytes key, const struct bytes *parts, unsigned n,
	    uint8_t *out);
};

/* A key exchange method in the shape of a KEM, RFC 9370.  start makes a private state
 * and the initiator's public value; respond takes that value and yields ours and the
 * secret; finish takes the responder's value.  A peer's value is checked for length and
 * validity (RFC 6989, 7748 6.1: low order, off the curve, 0, 1, p-1) before it is used:
 * false. */
struct ike_kex {
	uint16_t id;
	const char *keyword;		/* "x25519" */
	uint16_t public_len, response_len, secret_len;
	/* NULL: no memory, or the library or the random source failed. */
	void *(*start)(const struct ike_random *, uint8_t *public_value);
	bool (*respond)(const struct ike_random *, struct bytes peer,
	    uint8_t *public_value, uint8_t *secret);
	bool (*finish)(void *state, struct bytes peer, uint8_t *secret);
	void (*free)(void *state);		/* wipes; NULL is nothing */
};

struct ike_algorithms {			/* each list ends with NULL */
	/* For the SK payload; NULL: every row of esp_transform_find_single. */
	const struct esp_transform *const *ciphers;
	const struct ike_prf *const *prfs;
	const struct ike_kex *const *kexs;
};

extern const struct ike_algorithms ike_builtin_algorithms;

/* The row, or NULL.  Without algorithms (NULL) the built-in ones. */
const struct ike_prf *ike_find_prf(const struct ike_algorithms *, uint16_t id);
const struct ike_kex *ike_find_kex(const struct ike_algorithms *, uint16_t id);
/* `integ` is 0 with an AEAD cipher. */
const struct esp_transform *ike_find_cipher(const struct ike_algorithms *, uint16_t encr,
    uint16_t key_bits, uint16_t integ);

/* For the start of a program: runs every row once against itself, and tells which ones
 * the libraries do not serve here, though the tables name them; proposals had better not.
 * Returns how many; their names, "modp4096, aes128-sha1", are in `buf`, cut to `len`.
 * Takes some 50 ms. */
unsigned ike_self_test(const struct ike_algorithms *, const struct ike_random *,
    char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
