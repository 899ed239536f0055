/* ChaCha20-Poly1305 by libsodium: one call a message, no context to build. */
#include <sodium.h>
#include <stdlib.h>

#include "libesp/backend.h"

enum {
	SALT = 4,
	KEY = crypto_aead_chacha20poly1305_ietf_KEYBYTES,
	NONCE = crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
	ICV = crypto_aead_chacha20poly1305_ietf_ABYTES
};

struct key {
	uint8_t key[KEY];
	uint8_t salt[SALT];
};

static void *
new_key(const struct esp_transform *t, struct bytes keymat, struct bytes iv_key)
{
	struct key *key;

	if (keymat.len != esp_transform_keymat(t) || iv_key.len != 0)
		return NULL;
	key = malloc(sizeof *key);
	if (key == NULL)
		return NULL;
	memcpy(key->key, keymat.p, KEY);
	memcpy(key->salt, keymat.p + KEY, SALT);
	return key;
}

static void
free_key(void *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p, sizeof(struct key));
	free(p);
}

static void
make_nonce(const struct esp_op *op, uint8_t nonce[NONCE])
{
	const struct key *key = op->key;

	memcpy(nonce, key->salt, SALT);
	memcpy(nonce + SALT, op->iv, NONCE - SALT);
}

static void
seal(void *scratch, struct esp_op *op, unsigned n)
{
	uint8_t nonce[NONCE];

	(void)scratch;
	for (; n > 0; n--, op++) {
		const struct key *key = op->key;

		make_nonce(op, nonce);
		op->ok = crypto_aead_chacha20poly1305_ietf_encrypt_detached(op->data,
		    op->icv, NULL, op->data, op->len, op->aad.p, op->aad.len, NULL,
		    nonce, key->key) == 0;
		if (!op->ok)
			sodium_memzero(op->data, op->len);
	}
}

static void
open(void *scratch, struct esp_op *op, unsigned n)
{
	uint8_t nonce[NONCE];

	(void)scratch;
	for (; n > 0; n--, op++) {
		const struct key *key = op->key;

		make_nonce(op, nonce);
		op->ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(op->data,
		    NULL, op->data, op->len, op->icv, op->aad.p, op->aad.len,
		    nonce, key->key) == 0;
		if (!op->ok)
			sodium_memzero(op->data, op->len);
	}
}

static const struct esp_transform rows[] = {
	{
		.encr = ENCR_CHACHA20_POLY1305, .integ = AUTH_NONE, .key_bits = 0,
		.key_len = KEY, .salt_len = SALT, .iv_len = NONCE - SALT, .icv_len = ICV,
		.align = 1, .rfc = "RFC 7634",
		.new_key = new_key, .free_key = free_key, .make_iv = esp_counter_iv,
		.seal = seal, .open = open,
	},
};

const struct esp_transform *
esp_sodium_row(unsigned i)
{
	return i < sizeof rows / sizeof rows[0] ? &rows[i] : NULL;
}
