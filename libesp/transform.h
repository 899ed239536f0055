/* Packet ciphers by IANA id: rows of constant tables, one table a backend, for ESP
 * packets and for the SK payload of IKE (RFC 4106, 4303, 5282, 7296 3.14, 7634).  They
 * work on arrays of operations, in place.
 *
 *	t = esp_transform_find(encr, key_bits, integ);
 *	key = t->new_key(t, keymat, iv_key);
 *	t->seal(NULL, ops, n);		then each op's `ok`
 *	t->free_key(key);
 *
 * esp_new and ike_new have called sodium_init; a program that uses neither does so
 * before.  libcrypto sets itself up. */
#ifndef LIBESP_TRANSFORM_H
#define LIBESP_TRANSFORM_H

#include "libesp/bytes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* IANA "IKEv2 Transform Type 1" and "Type 3" ids of the rows. */
enum {
	ENCR_AES_CBC = 12, ENCR_AES_GCM_16 = 20, ENCR_CHACHA20_POLY1305 = 28
};
enum {
	AUTH_NONE = 0, AUTH_HMAC_SHA1_96 = 2, AUTH_HMAC_SHA2_256_128 = 12,
	AUTH_HMAC_SHA2_384_192 = 13, AUTH_HMAC_SHA2_512_256 = 14
};

/* One message.  All its octets are the caller's.
 *
 * AEAD: the nonce is salt | iv, authenticated are aad and data.  ESP passes
 * SPI | sequence as aad, with ESN SPI | high | low (RFC 4106 5); IKE passes header up to
 * and with the SK generic header (RFC 5282 5.1).
 *
 * Encrypt-then-MAC: the MAC covers aad | iv | ciphertext | trailer.  ESP passes
 * SPI | sequence, and with ESN the high half as trailer (RFC 4303 2.2.1); IKE the whole
 * message up to the ICV (RFC 7296 3.14). */
struct esp_op {
	void *key;		/* from new_key of the same row */
	uint8_t *data;		/* plaintext <-> ciphertext in place */
	uint8_t *iv;		/* iv_len octets, read; for a separate MAC it need not
				 * touch data */
	uint8_t *icv;		/* icv_len octets: written by seal, read by open */
	uint32_t len;		/* of data; a multiple of `align` */
	struct bytes aad;
	struct bytes trailer;	/* empty for AEAD */
	bool ok;		/* set by seal and open: check each */
};

struct esp_transform {
	uint16_t encr, integ;	/* integ AUTH_NONE: AEAD */
	uint16_t key_bits;	/* the proposal's Key Length attribute; 0: has none */
	uint8_t key_len;	/* octets of the encryption key, without salt */
	uint8_t salt_len;
	uint8_t integ_len;	/* octets of the integrity key */
	uint8_t iv_len, icv_len;
	uint8_t align;		/* len is a multiple of it: 16 for CBC, else 1 */
	uint8_t iv_key_len;	/* octets of new_key's iv_key; 0: the IV is a counter */
	const char *rfc;

	/* keymat is encryption key | salt | integrity key, esp_transform_keymat(t)
	 * octets: one direction's part of KEYMAT (RFC 7296 2.17), or SK_e | SK_a of
	 * one side.  iv_key is for make_iv and may be empty where that is not called.
	 * The octets are copied.  NULL: a length is wrong, no memory, or the library
	 * refuses.  A key is used by one thread at a time. */
	void *(*new_key)(const struct esp_transform *, struct bytes keymat,
	    struct bytes iv_key);
	void (*free_key)(void *key);	/* wipes; NULL is allowed */

	/* The IV of ESP packet number `sequence`, never the same twice, and for CBC
	 * unpredictable: AES(iv_key, sequence).  False: no iv_key, or the library
	 * failed.  IKE makes its own IVs: a counter for AEAD, random octets for CBC. */
	bool (*make_iv)(void *key, uint64_t sequence, uint8_t *iv);

	/* The key will be used soon: asks for its memory (bytes_expect) and waits for
	 * none of it but the key's first octets.  It may be NULL. */
	void (*expect)(const void *key);

	/* Each runs all n operations and sets their `ok`.  Where it is false after
	 * seal the data is wiped, so that plaintext cannot leave by accident; after
	 * open the data is as it was or wiped, never unauthenticated plaintext.
	 * scratch is the thread's, as the backend wants it; NULL is allowed. */
	void (*seal)(void *scratch, struct esp_op *, unsigned n);
	void (*open)(void *scratch, struct esp_op *, unsigned n);
};

/* The row for many packets under one key, or NULL.  key_bits is the Key Length
 * attribute, 0 if absent. */
const struct esp_transform *esp_transform_find(uint16_t encr, uint16_t key_bits,
    uint16_t integ);

/* The row for single messages whose key is made for one use, as in SK payloads: the
 * same algorithm, perhaps by another library. */
const struct esp_transform *esp_transform_find_single(uint16_t encr, uint16_t key_bits,
    uint16_t integ);

/* Has any row this integrity algorithm beside its cipher? */
bool esp_transform_has_integ(uint16_t integ);

/* The most that esp_transform_keymat gives: AES-256 with HMAC-SHA2-512. */
enum { ESP_MAX_KEY_LEN = 32 + 64 };

/* Octets of keymat that new_key wants. */
static inline size_t
esp_transform_keymat(const struct esp_transform *t)
{
	return (size_t)t->key_len + t->salt_len + t->integ_len;
}

#ifdef __cplusplus
}
#endif

#endif
