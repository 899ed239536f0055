/* All packet ciphers by libcrypto 3.  A key holds one context, made on first use and then
 * only given a new IV: that is what makes it fast. */
#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "libesp/backend.h"

enum {
	BLOCK = 16,
	SALT = 4, AEAD_IV = 8, NONCE = SALT + AEAD_IV, AEAD_ICV = 16
};

/* Octets, about, of a context, and of the cipher's part of it: before its IV, of the room
 * for the longest IV, of which ESP's needs the beginning, and behind that. */
enum { CONTEXT = 184, BEFORE_IV = 72, IV_ROOM = 128, BEHIND_IV = 776 };

struct row {
	struct esp_transform t;		/* first: its address is the row's */
	const char *cipher, *digest;
};

struct beside {				/* what a cipher without a tag needs besides */
	EVP_CIPHER_CTX *iv;		/* AES under iv_key; NULL: none was given */
	EVP_MAC_CTX *mac;		/* keyed */
};

struct key {				/* there are many */
	const struct esp_transform *t;
	EVP_CIPHER_CTX *ctx;		/* of the way it was last used */
	const uint8_t *inside;		/* what the context keeps elsewhere, where it is
					 * known: its IV, in the midst of it */
	struct beside *beside;		/* NULL: AEAD */
	bool sealing;			/* that way */
	uint8_t octets[];		/* key | salt */
};

static void
free_key(void *p)
{
	struct key *key = p;

	if (key == NULL)
		return;
	EVP_CIPHER_CTX_free(key->ctx);
	if (key->beside != NULL) {
		EVP_CIPHER_CTX_free(key->beside->iv);
		EVP_MAC_CTX_free(key->beside->mac);
		free(key->beside);
	}
	OPENSSL_cleanse(key->octets, (size_t)key->t->key_len + key->t->salt_len);
	free(key);
}

static EVP_MAC_CTX *
new_mac(const char *digest, const uint8_t *integ_key, size_t len)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	char *name = OPENSSL_strdup(digest);	/* the parameter wants a char * */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end()
	};

	if (mac != NULL &&
	    (name == NULL || EVP_MAC_init(mac, integ_key, len, params) != 1)) {
		EVP_MAC_CTX_free(mac);
		mac = NULL;
	}
	OPENSSL_free(name);
	EVP_MAC_free(hmac);
	return mac;
}

static EVP_CIPHER_CTX *
new_iv_context(const uint8_t *iv_key)
{
	EVP_CIPHER *ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	EVP_CIPHER_CTX *ctx = ecb == NULL ? NULL : EVP_CIPHER_CTX_new();

	if (ctx != NULL && (EVP_EncryptInit_ex2(ctx, ecb, iv_key, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(ecb);
	return ctx;
}

static bool
add_beside(struct key *key, const char *digest, const uint8_t *integ_key,
    struct bytes iv_key)
{
	struct beside *beside = calloc(1, sizeof *beside);

	key->beside = beside;
	if (beside == NULL)
		return false;
	beside->mac = new_mac(digest, integ_key, key->t->integ_len);
	if (beside->mac == NULL || iv_key.len == 0)
		return beside->mac != NULL;
	beside->iv = new_iv_context(iv_key.p);
	return beside->iv != NULL;
}

static EVP_CIPHER *
fetch(const struct esp_transform *t)
{
	return EVP_CIPHER_fetch(NULL, ((const struct row *)t)->cipher, NULL);
}

static void *
new_key(const struct esp_transform *t, struct bytes keymat, struct bytes iv_key)
{
	const struct row *row = (const struct row *)t;
	EVP_CIPHER *cipher;
	size_t kept = (size_t)t->key_len + t->salt_len;
	struct key *key;

	if (keymat.len != esp_transform_keymat(t) ||
	    (iv_key.len != 0 && iv_key.len != t->iv_key_len))
		return NULL;
	key = calloc(1, offsetof(struct key, octets) + kept);
	if (key == NULL)
		return NULL;
	key->t = t;
	memcpy(key->octets, keymat.p, kept);
	cipher = fetch(t);
	EVP_CIPHER_free(cipher);	/* a context fetches it again */
	if (cipher != NULL && (t->integ_len == 0 ||
	    add_beside(key, row->digest, keymat.p + kept, iv_key)))
		return key;
	free_key(key);
	return NULL;
}

/* The cipher's own part of a context, with the expanded key, is elsewhere: where, the
 * documented way to the IV shows. */
static const uint8_t *
find_inside(EVP_CIPHER_CTX *ctx)
{
	void *iv = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_IV, &iv, IV_ROOM),
		OSSL_PARAM_construct_end()
	};

	return EVP_CIPHER_CTX_get_params(ctx, params) == 1 ? iv : NULL;
}

static void
expect(const void *p)
{
	const struct key *key = p;

	if (key->ctx == NULL)
		return;
	bytes_expect(key->ctx, CONTEXT);
	if (key->inside == NULL)
		return;
	bytes_expect(key->inside - BEFORE_IV, BEFORE_IV + BLOCK);
	bytes_expect(key->inside + IV_ROOM, BEHIND_IV);
}

static EVP_CIPHER_CTX *
new_context(const struct key *key, bool sealing, const uint8_t *iv)
{
	EVP_CIPHER *cipher = fetch(key->t);
	EVP_CIPHER_CTX *ctx = cipher == NULL ? NULL : EVP_CIPHER_CTX_new();

	if (ctx != NULL &&
	    (EVP_CipherInit_ex2(ctx, cipher, key->octets, iv, sealing, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher);
	return ctx;
}

/* The context of one direction, ready for a message under this IV; NULL on failure.  An
 * SA has one direction, so who changes it pays for a new context. */
static EVP_CIPHER_CTX *
ready(struct key *key, bool sealing, const uint8_t *iv)
{
	if (key->ctx != NULL && key->sealing == sealing)
		return EVP_CipherInit_ex2(key->ctx, NULL, NULL, iv, sealing, NULL) == 1 ?
		    key->ctx : NULL;
	EVP_CIPHER_CTX_free(key->ctx);
	key->ctx = new_context(key, sealing, iv);
	if (key->ctx == NULL)
		return NULL;
	key->inside = find_inside(key->ctx);
	key->sealing = sealing;
	return key->ctx;
}

static bool
crypt_in_place(EVP_CIPHER_CTX *ctx, uint8_t *data, uint32_t len)
{
	uint8_t rest[BLOCK];
	int done = 0, last = 0;

	return (len == 0 || EVP_CipherUpdate(ctx, data, &done, data, (int)len) == 1) &&
	    EVP_CipherFinal_ex(ctx, rest, &last) == 1 &&
	    (uint32_t)done == len && last == 0;
}

static bool
lengths_fit(const struct esp_op *op)
{
	const struct key *key = op->key;

	return op->len <= INT_MAX && op->aad.len <= INT_MAX &&
	    op->len % key->t->align == 0;
}

/* ---- AEAD: AES-GCM, ChaCha20-Poly1305 ---- */

static EVP_CIPHER_CTX *
start_aead(const struct esp_op *op, bool sealing)
{
	struct key *key = op->key;
	uint8_t nonce[NONCE];
	EVP_CIPHER_CTX *ctx;
	int len;

	if (!lengths_fit(op) || op->trailer.len != 0)
		return NULL;
	memcpy(nonce, key->octets + key->t->key_len, SALT);
	memcpy(nonce + SALT, op->iv, AEAD_IV);
	ctx = ready(key, sealing, nonce);
	if (ctx == NULL || (op->aad.len != 0 &&
	    EVP_CipherUpdate(ctx, NULL, &len, op->aad.p, (int)op->aad.len) != 1))
		return NULL;
	return ctx;
}

static void
seal_aead(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (; n > 0; n--, op++) {
		EVP_CIPHER_CTX *ctx = start_aead(op, true);

		op->ok = ctx != NULL && crypt_in_place(ctx, op->data, op->len) &&
		    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_ICV,
		    op->icv) == 1;
		if (!op->ok)
			OPENSSL_cleanse(op->data, op->len);
	}
}

static void
open_aead(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (; n > 0; n--, op++) {
		EVP_CIPHER_CTX *ctx = start_aead(op, false);

		op->ok = ctx != NULL &&
		    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_ICV,
		    op->icv) == 1 && crypt_in_place(ctx, op->data, op->len);
		if (!op->ok)
			OPENSSL_cleanse(op->data, op->len);
	}
}

/* ---- encrypt-then-MAC: AES-CBC with HMAC ---- */

static bool
mac_bytes(EVP_MAC_CTX *mac, const uint8_t *p, size_t len)
{
	return len == 0 || EVP_MAC_update(mac, p, len) == 1;
}

/* In packets and messages aad | iv | data are contiguous: one update, not three. */
static bool
make_icv(const struct esp_op *op, uint8_t icv[EVP_MAX_MD_SIZE])
{
	const struct key *key = op->key;
	const struct esp_transform *t = key->t;
	EVP_MAC_CTX *mac = key->beside->mac;
	size_t size;
	bool ok;

	if (EVP_MAC_init(mac, NULL, 0, NULL) != 1)
		return false;
	if (op->aad.len != 0 && op->aad.p + op->aad.len == op->iv &&
	    op->iv + t->iv_len == op->data)
		ok = mac_bytes(mac, op->aad.p, op->aad.len + t->iv_len + op->len);
	else
		ok = mac_bytes(mac, op->aad.p, op->aad.len) &&
		    mac_bytes(mac, op->iv, t->iv_len) &&
		    mac_bytes(mac, op->data, op->len);
	return ok && mac_bytes(mac, op->trailer.p, op->trailer.len) &&
	    EVP_MAC_final(mac, icv, &size, EVP_MAX_MD_SIZE) == 1 && size >= t->icv_len;
}

static bool
seal_one_cbc(const struct esp_op *op)
{
	struct key *key = op->key;
	uint8_t icv[EVP_MAX_MD_SIZE];
	EVP_CIPHER_CTX *ctx;

	if (!lengths_fit(op))
		return false;
	ctx = ready(key, true, op->iv);
	if (ctx == NULL || !crypt_in_place(ctx, op->data, op->len) ||
	    !make_icv(op, icv))
		return false;
	memcpy(op->icv, icv, key->t->icv_len);
	return true;
}

static bool
open_one_cbc(const struct esp_op *op)
{
	struct key *key = op->key;
	uint8_t icv[EVP_MAX_MD_SIZE];
	EVP_CIPHER_CTX *ctx;

	if (!lengths_fit(op) || !make_icv(op, icv) ||
	    CRYPTO_memcmp(icv, op->icv, key->t->icv_len) != 0)
		return false;
	ctx = ready(key, false, op->iv);
	if (ctx != NULL && crypt_in_place(ctx, op->data, op->len))
		return true;
	OPENSSL_cleanse(op->data, op->len);
	return false;
}

static void
seal_cbc(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (; n > 0; n--, op++) {
		op->ok = seal_one_cbc(op);
		if (!op->ok)
			OPENSSL_cleanse(op->data, op->len);
	}
}

static void
open_cbc(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (; n > 0; n--, op++)
		op->ok = open_one_cbc(op);
}

static bool
make_cbc_iv(void *p, uint64_t sequence, uint8_t *iv)
{
	const struct key *key = p;
	uint8_t block[BLOCK] = { 0 };
	int len = 0;

	bytes_store64(block + BLOCK - 8, sequence);
	return key->beside->iv != NULL &&
	    EVP_EncryptUpdate(key->beside->iv, iv, &len, block, BLOCK) == 1 && len == BLOCK;
}

/* ---- the table ---- */

#define AEAD(id, bits, octets, name, text) { {						\
	.encr = (id), .integ = AUTH_NONE, .key_bits = (bits), .key_len = (octets),	\
	.salt_len = SALT, .iv_len = AEAD_IV, .icv_len = AEAD_ICV, .align = 1,		\
	.rfc = (text), .new_key = new_key, .free_key = free_key,			\
	.make_iv = esp_counter_iv, .expect = expect, .seal = seal_aead,			\
	.open = open_aead,								\
	}, (name), NULL }

#define CBC(bits, name, auth, auth_octets, icv_octets, hash, text) { {			\
	.encr = ENCR_AES_CBC, .integ = (auth), .key_bits = (bits),			\
	.key_len = (bits) / 8, .integ_len = (auth_octets), .iv_len = BLOCK,		\
	.icv_len = (icv_octets), .align = BLOCK, .iv_key_len = BLOCK,			\
	.rfc = "RFC 3602, " text, .new_key = new_key, .free_key = free_key,		\
	.make_iv = make_cbc_iv, .expect = expect, .seal = seal_cbc, .open = open_cbc,	\
	}, (name), (hash) }

/* An HMAC with each of the three key lengths; its own key is as long as its output. */
#define CBCS(auth, auth_octets, icv_octets, hash, text)					\
	CBC(128, "AES-128-CBC", auth, auth_octets, icv_octets, hash, text),		\
	CBC(192, "AES-192-CBC", auth, auth_octets, icv_octets, hash, text),		\
	CBC(256, "AES-256-CBC", auth, auth_octets, icv_octets, hash, text)

static const struct row rows[] = {
	AEAD(ENCR_CHACHA20_POLY1305, 0, 32, "ChaCha20-Poly1305", "RFC 7634"),
	AEAD(ENCR_AES_GCM_16, 128, 16, "AES-128-GCM", "RFC 4106"),
	AEAD(ENCR_AES_GCM_16, 192, 24, "AES-192-GCM", "RFC 4106"),
	AEAD(ENCR_AES_GCM_16, 256, 32, "AES-256-GCM", "RFC 4106"),
	CBCS(AUTH_HMAC_SHA2_256_128, 32, 16, "SHA2-256", "RFC 4868"),
	CBCS(AUTH_HMAC_SHA2_384_192, 48, 24, "SHA2-384", "RFC 4868"),
	CBCS(AUTH_HMAC_SHA2_512_256, 64, 32, "SHA2-512", "RFC 4868"),
	CBCS(AUTH_HMAC_SHA1_96, 20, 12, "SHA1", "RFC 2404"),	/* no default names it */
};

const struct esp_transform *
esp_openssl_row(unsigned i)
{
	return i < sizeof rows / sizeof rows[0] ? &rows[i].t : NULL;
}
