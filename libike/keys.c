/* Keys and AUTH octets: RFC 7296 2.13 - 2.17. */
#include <stdlib.h>
#include <string.h>

#include "libike/ike.h"
#include "libike/keys.h"
#include "libike/proto.h"

enum { MAX_BLOCKS = 255 };	/* the block's number is one octet */

bool
ike_prf_plus(const struct ike_prf *prf, struct bytes key, const struct bytes *seed,
    unsigned n, uint8_t *out, size_t len)
{
	enum { MAX_SEEDS = 8 };
	struct bytes parts[1 + MAX_SEEDS + 1] = { { NULL, 0 } };
	uint8_t block[2][IKE_MAX_PRF_LEN], number = 0;
	bool ok = n <= MAX_SEEDS && len <= (size_t)MAX_BLOCKS * prf->len;

	/* T(i) = prf(key, T(i - 1) | seed | i) */
	for (unsigned i = 0; ok && i < n; i++)
		parts[1 + i] = seed[i];
	if (ok)
		parts[1 + n] = bytes_of(&number, 1);
	while (ok && len > 0) {
		uint8_t *t = block[number++ % 2];
		size_t part = len < prf->len ? len : prf->len;

		ok = prf->compute(key, parts, n + 2, t);
		if (!ok)
			break;
		memcpy(out, t, part);
		parts[0] = bytes_of(t, prf->len);
		out += part;
		len -= part;
	}
	ike_wipe(block, sizeof block);
	return ok;
}

/* Copies the next `len` octets of key material. */
static void
take(const uint8_t **material, uint8_t *out, size_t len)
{
	memcpy(out, *material, len);
	*material += len;
}

/* RFC 7296 2.14: SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr, where SK_e ends
 * with the salt, RFC 5282 7.2.  False: no memory. */
static bool
split(const struct ike_suite *suite, const uint8_t *material, struct ike_keys *keys,
    struct ike_auth_keys *auth)
{
	size_t e = (size_t)suite->cipher->key_len + suite->cipher->salt_len;
	size_t a = suite->cipher->integ_len, prf_len = suite->prf->len;
	uint8_t *octets = malloc(prf_len + 2 * (e + a)), *i, *r;

	if (octets == NULL)
		return false;
	i = octets + prf_len;
	r = i + e + a;
	take(&material, octets, prf_len);
	take(&material, i + e, a);
	take(&material, r + e, a);
	take(&material, i, e);
	take(&material, r, e);
	take(&material, auth->pi, prf_len);
	take(&material, auth->pr, prf_len);
	*keys = (struct ike_keys){ .octets = octets, .prf_len = suite->prf->len,
	    .cipher_len = (uint8_t)(e + a) };
	return true;
}

void
ike_keys_free(struct ike_keys *keys)
{
	if (keys->octets != NULL)
		ike_wipe(keys->octets, (size_t)keys->prf_len + 2 * keys->cipher_len);
	free(keys->octets);
	*keys = (struct ike_keys){ .octets = NULL };
}

/* What follows from SKEYSEED, which `prf` made of `key` and `parts`: of the first key
 * exchange (2.14) or of a rekey (2.18). */
static bool
derive(const struct ike_prf *prf, struct bytes key, const struct bytes *parts, unsigned n,
    const struct ike_suite *suite, const struct bytes seed[4], struct ike_keys *keys,
    struct ike_auth_keys *auth)
{
	uint8_t skeyseed[IKE_MAX_PRF_LEN];
	uint8_t material[3 * IKE_MAX_PRF_LEN + 2 * ESP_MAX_KEY_LEN];
	size_t cipher_len = esp_transform_keymat(suite->cipher);
	bool ok = false;

	if (seed[0].len > IKE_NONCE_MAX || seed[1].len > IKE_NONCE_MAX ||
	    cipher_len > ESP_MAX_KEY_LEN || suite->prf->len > IKE_MAX_PRF_LEN ||
	    prf->len > IKE_MAX_PRF_LEN)
		return false;
	if (prf->compute(key, parts, n, skeyseed) &&
	    ike_prf_plus(suite->prf, bytes_of(skeyseed, prf->len), seed, 4, material,
	    (size_t)3 * suite->prf->len + 2 * cipher_len))
		ok = split(suite, material, keys, auth);
	ike_wipe(skeyseed, sizeof skeyseed);
	ike_wipe(material, sizeof material);
	return ok;
}

bool
ike_derive_keys(const struct ike_suite *suite, struct bytes ni, struct bytes nr,
    uint64_t spi_i, uint64_t spi_r, struct bytes secret, struct ike_keys *keys,
    struct ike_auth_keys *auth)
{
	uint8_t nonces[2 * IKE_NONCE_MAX], spis[2][IKE_SPI_LEN];
	const struct bytes seed[4] = { ni, nr, bytes_of(spis[0], IKE_SPI_LEN),
	    bytes_of(spis[1], IKE_SPI_LEN) };

	if (ni.len > IKE_NONCE_MAX || nr.len > IKE_NONCE_MAX)
		return false;
	memcpy(nonces, ni.p, ni.len);
	memcpy(nonces + ni.len, nr.p, nr.len);
	bytes_store64(spis[0], spi_i);
	bytes_store64(spis[1], spi_r);
	/* HMAC takes a key of any length, so the nonces go in whole. */
	return derive(suite->prf, bytes_of(nonces, ni.len + nr.len), &secret, 1, suite, seed,
	    keys, auth);
}

bool
ike_derive_rekeyed(const struct ike_prf *old_prf, const struct ike_keys *old,
    const struct ike_suite *suite, struct bytes ni, struct bytes nr, uint64_t spi_i,
    uint64_t spi_r, struct bytes secret, struct ike_keys *keys)
{
	uint8_t spis[2][IKE_SPI_LEN];
	const struct bytes parts[] = { secret, ni, nr };
	const struct bytes seed[4] = { ni, nr, bytes_of(spis[0], IKE_SPI_LEN),
	    bytes_of(spis[1], IKE_SPI_LEN) };
	struct ike_auth_keys unused;
	bool ok;

	bytes_store64(spis[0], spi_i);
	bytes_store64(spis[1], spi_r);
	ok = derive(old_prf, ike_key_d(old), parts, 3, suite, seed, keys, &unused);
	ike_wipe(&unused, sizeof(unused));
	return ok;
}

bool
ike_derive_child(const struct ike_suite *suite, const struct ike_keys *keys,
    struct bytes ni, struct bytes nr, struct bytes secret, size_t len, uint8_t *i_to_r,
    uint8_t *r_to_i)
{
	const struct bytes seed[] = { secret, ni, nr };
	uint8_t material[2 * ESP_MAX_KEY_LEN];
	bool ok;

	ok = len <= ESP_MAX_KEY_LEN &&
	    ike_prf_plus(suite->prf, ike_key_d(keys), seed, 3, material, 2 * len);
	if (ok) {
		memcpy(i_to_r, material, len);
		memcpy(r_to_i, material + len, len);
	}
	ike_wipe(material, sizeof material);
	return ok;
}

size_t
ike_auth_octets(const struct ike_prf *prf, struct bytes message, struct bytes nonce,
    const uint8_t *sk_p, struct bytes id, uint8_t *out)
{
	if (!prf->compute(bytes_of(sk_p, prf->len), &id, 1, out + message.len + nonce.len))
		return 0;
	memcpy(out, message.p, message.len);
	memcpy(out + message.len, nonce.p, nonce.len);
	return message.len + nonce.len + prf->len;
}

size_t
ike_psk_auth(const struct ike_algorithms *algorithms, uint16_t id, struct bytes secret,
    struct bytes octets, uint8_t *out)
{
	static const char pad[] = "Key Pad for IKEv2";
	const struct bytes padding = { (const uint8_t *)pad, sizeof pad - 1 };
	const struct ike_prf *prf = ike_find_prf(algorithms, id);
	uint8_t key[IKE_MAX_PRF_LEN];
	bool ok;

	if (prf == NULL)
		return 0;
	ok = prf->compute(secret, &padding, 1, key) &&
	    prf->compute(bytes_of(key, prf->len), &octets, 1, out);
	ike_wipe(key, sizeof key);
	return ok ? prf->len : 0;
}
