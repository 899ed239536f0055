#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "libesp/backend.h"
#include "libike/proto.h"
#include "tests/sim/cheap.h"

/* ---- mixing ---- */

#define PRIME 0x9fb21c651e98df25u

static uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * PRIME;
	return h ^ h >> 32;
}

static uint64_t
finish_mix(uint64_t h)
{
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9;
	h = (h ^ h >> 27) * 0x94d049bb133111eb;
	return h ^ h >> 31;
}

/* Octets as they come: how they are cut into pieces makes no difference. */
struct mixer { uint64_t h, word, len; };

static void
take(struct mixer *m, const uint8_t *p, size_t n)
{
	uint64_t word;

	for (; n > 0; p++, n--) {
		if (m->len % 8 == 0)
			for (; n >= 8; p += 8, n -= 8, m->len += 8) {
				memcpy(&word, p, 8);
				m->h = mix(m->h, word);
			}
		if (n == 0)
			return;
		m->word = m->word << 8 | *p;
		if (++m->len % 8 == 0) {
			m->h = mix(m->h, htobe64(m->word));
			m->word = 0;
		}
	}
}

static uint64_t
result(const struct mixer *m)
{
	return finish_mix(mix(mix(m->h, m->word), m->len));
}

uint64_t
cheap_hash(uint64_t key, const void *octets, size_t n)
{
	struct mixer m = { .h = key };

	take(&m, octets, n);
	return result(&m);
}

/* As many octets as are wanted, of one number. */
static void
spread(uint64_t from, uint8_t *p, size_t n)
{
	uint64_t word;

	for (uint64_t i = 1; n > 0; i++) {
		size_t part = n < 8 ? n : 8;

		word = finish_mix(from + i * PRIME);
		memcpy(p, &word, part);
		p += part;
		n -= part;
	}
}

/* ---- pseudorandom functions ---- */

static void
compute(uint64_t id, struct bytes key, const struct bytes *parts, unsigned n,
    uint8_t *out, size_t len)
{
	struct mixer m = { .h = cheap_hash(id, key.p, key.len) };

	for (unsigned i = 0; i < n; i++)
		take(&m, parts[i].p, parts[i].len);
	spread(result(&m), out, len);
}

#define PRF(name, number, text, octets)						\
static bool									\
compute_##name(struct bytes key, const struct bytes *parts, unsigned n,	\
    uint8_t *out)								\
{										\
	compute(number, key, parts, n, out, octets);				\
	return true;								\
}										\
static const struct ike_prf name = { number, text, octets, compute_##name }

PRF(sha256, IKE_PRF_HMAC_SHA2_256, "prfsha256", 32);
PRF(sha384, IKE_PRF_HMAC_SHA2_384, "prfsha384", 48);
PRF(sha512, IKE_PRF_HMAC_SHA2_512, "prfsha512", 64);

static const struct ike_prf *const prfs[] = { &sha256, &sha384, &sha512, NULL };

/* ---- key exchange: powers of 3 modulo 2^61 - 1, spread over the octets ---- */

#define FIELD ((UINT64_C(1) << 61) - 1)

static uint64_t
multiply(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	uint64_t sum = (uint64_t)(product & FIELD) + (uint64_t)(product >> 61);

	return sum >= FIELD ? sum - FIELD : sum;
}

static uint64_t
power(uint64_t base, uint64_t exponent)
{
	uint64_t r = 1;

	for (; exponent > 0; exponent >>= 1) {
		if (exponent & 1)
			r = multiply(r, base);
		base = multiply(base, base);
	}
	return r;
}

static void
write_value(uint64_t value, uint8_t *p, size_t len)
{
	bytes_store64(p, value);
	spread(value, p + 8, len - 8);
}

/* False for a value of no use, or with octets that do not belong to it. */
static bool
read_value(struct bytes b, size_t len, uint64_t *value)
{
	uint8_t again[IKE_MAX_KE_LEN];

	if (b.len != len)
		return false;
	*value = bytes_load64(b.p);
	write_value(*value, again, len);
	return *value > 1 && *value < FIELD - 1 && memcmp(again, b.p, len) == 0;
}

static uint64_t
new_private(const struct ike_random *random)
{
	uint8_t octets[8];

	random->fill(random->arg, octets, sizeof(octets));
	return (bytes_load64(octets) >> 4) | 2;
}

struct private { uint64_t value; size_t public_len, secret_len; };

static void *
start(const struct ike_random *random, uint8_t *public_value, size_t public_len,
    size_t secret_len)
{
	struct private *p = malloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	*p = (struct private){ new_private(random), public_len, secret_len };
	write_value(power(3, p->value), public_value, public_len);
	return p;
}

static bool
finish(void *state, struct bytes peer, uint8_t *secret)
{
	const struct private *p = state;
	uint64_t theirs;

	if (!read_value(peer, p->public_len, &theirs))
		return false;
	spread(power(theirs, p->value), secret, p->secret_len);
	return true;
}

static bool
respond(const struct ike_random *random, struct bytes peer, uint8_t *public_value,
    uint8_t *secret, size_t public_len, size_t secret_len)
{
	struct private *p = start(random, public_value, public_len, secret_len);
	bool good = p != NULL && finish(p, peer, secret);

	free(p);
	return good;
}

#define KEX(name, number, public_octets, secret_octets)				\
static void *									\
start_##name(const struct ike_random *random, uint8_t *public_value)		\
{										\
	return start(random, public_value, public_octets, secret_octets);	\
}										\
static bool									\
respond_##name(const struct ike_random *random, struct bytes peer,		\
    uint8_t *public_value, uint8_t *secret)					\
{										\
	return respond(								\
	    random, peer, public_value, secret, public_octets, secret_octets);	\
}										\
static const struct ike_kex name = { number, #name, public_octets,		\
	public_octets, secret_octets, start_##name, respond_##name, finish, free }

KEX(x25519, IKE_KE_CURVE25519, 32, 32);
KEX(ecp256, IKE_KE_ECP_256, 64, 32);
KEX(ecp384, IKE_KE_ECP_384, 96, 48);
KEX(modp2048, IKE_KE_MODP_2048, 256, 256);
KEX(modp3072, IKE_KE_MODP_3072, 384, 384);

static const struct ike_kex *const kexs[] = {
	&x25519, &ecp256, &ecp384, &modp2048, &modp3072, NULL
};

/* ---- ciphers ---- */

enum { IV_MOST = 16, ICV_MOST = 32 };

struct key {
	const struct esp_transform *t;
	uint64_t crypt, check, iv;
};

static void *
new_key(const struct esp_transform *t, struct bytes keymat, struct bytes iv_key)
{
	struct key *k;

	if (keymat.len != esp_transform_keymat(t) ||
	    (iv_key.len != 0 && iv_key.len != t->iv_key_len) ||
	    (k = malloc(sizeof(*k))) == NULL)
		return NULL;
	k->t = t;
	k->crypt = cheap_hash(1, keymat.p, keymat.len);
	k->check = cheap_hash(2, keymat.p, keymat.len);
	k->iv = cheap_hash(3, iv_key.p, iv_key.len);
	return k;
}

static bool
make_iv(void *key, uint64_t sequence, uint8_t *iv)
{
	const struct key *k = key;

	spread(finish_mix(k->iv ^ sequence), iv, k->t->iv_len);
	return true;
}

static void
make_icv(const struct esp_op *op, uint8_t *icv)
{
	const struct key *k = op->key;
	struct mixer m = { .h = k->check };

	take(&m, op->aad.p, op->aad.len);
	take(&m, op->iv, k->t->iv_len);
	take(&m, op->data, op->len);
	take(&m, op->trailer.p, op->trailer.len);
	spread(result(&m), icv, k->t->icv_len);
}

static void
crypt(const struct esp_op *op)
{
	const struct key *k = op->key;
	uint64_t seed = cheap_hash(k->crypt, op->iv, k->t->iv_len), stream = 0;

	for (uint32_t i = 0; i < op->len; i++) {
		if (i % 8 == 0)
			stream = finish_mix(seed += PRIME);
		op->data[i] ^= (uint8_t)(stream >> i % 8 * 8);
	}
}

static void
seal(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (; n > 0; n--, op++) {
		crypt(op);
		make_icv(op, op->icv);
		op->ok = true;
	}
}

static void
open(void *scratch, struct esp_op *op, unsigned n)
{
	const struct key *k;
	uint8_t icv[ICV_MOST];

	(void)scratch;
	for (; n > 0; n--, op++) {
		k = op->key;
		make_icv(op, icv);
		op->ok = memcmp(icv, op->icv, k->t->icv_len) == 0;
		if (op->ok)
			crypt(op);
	}
}

#define CIPHER .new_key = new_key, .free_key = free, .seal = seal, .open = open,	\
	.rfc = "none"
#define AEAD(id, bits, octets) {						\
	.encr = (id), .integ = AUTH_NONE, .key_bits = (bits),			\
	.key_len = (octets), .salt_len = 4, .iv_len = 8, .icv_len = 16,		\
	.align = 1, .make_iv = esp_counter_iv, CIPHER }
#define CBC(bits, auth, auth_octets, icv_octets) {				\
	.encr = ENCR_AES_CBC, .integ = (auth), .key_bits = (bits),		\
	.key_len = (bits) / 8, .integ_len = (auth_octets), .iv_len = IV_MOST,	\
	.icv_len = (icv_octets), .align = 16, .iv_key_len = 16,			\
	.make_iv = make_iv, CIPHER }

static const struct esp_transform rows[] = {
	AEAD(ENCR_CHACHA20_POLY1305, 0, 32),
	AEAD(ENCR_AES_GCM_16, 128, 16),
	AEAD(ENCR_AES_GCM_16, 256, 32),
	CBC(128, AUTH_HMAC_SHA2_256_128, 32, 16),
	CBC(256, AUTH_HMAC_SHA2_256_128, 32, 16),
	CBC(128, AUTH_HMAC_SHA2_384_192, 48, 24),
	CBC(256, AUTH_HMAC_SHA2_384_192, 48, 24),
	CBC(128, AUTH_HMAC_SHA2_512_256, 64, ICV_MOST),
	CBC(256, AUTH_HMAC_SHA2_512_256, 64, ICV_MOST),
};

static const struct esp_transform *const ciphers[] = {
	&rows[0], &rows[1], &rows[2], &rows[3], &rows[4], &rows[5], &rows[6], &rows[7],
	&rows[8], NULL
};

const struct ike_algorithms cheap_algorithms = { ciphers, prfs, kexs };

const struct esp_transform *
cheap_transform(const struct esp_transform *t)
{
	return ike_find_cipher(&cheap_algorithms, t->encr, t->key_bits, t->integ);
}
