/* What libcrypto does: HMAC, SHA-1, elliptic curves of NIST, MODP groups.  Private values
 * come from the caller's random source, so the curves and primes are used directly and
 * not through EVP_PKEY, which makes its own. */
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "libike/crypto.h"
#include "libike/proto.h"

enum {
	/* A private value out of range is drawn again.  One in 2^32 is, so this many in
	 * a row mean that the random source is broken. */
	MAX_DRAWS = 8,
	MAX_POINT_LEN = 1 + 2 * 66	/* 04 | x | y */
};

/* ---- hashes ---- */

static EVP_MAC_CTX *
new_hmac(const char *digest, struct bytes key)
{
	static const uint8_t empty[1];
	char name[16] = "";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end()
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);

	snprintf(name, sizeof name, "%s", digest);
	/* A key of NULL would mean "keep the one there is". */
	if (ctx != NULL && EVP_MAC_init(ctx, key.len != 0 ? key.p : empty, key.len,
	    params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_MAC_free(hmac);
	return ctx;
}

bool
ike_hmac(const char *digest, struct bytes key, const struct bytes *parts, unsigned n,
    uint8_t *out, size_t len)
{
	EVP_MAC_CTX *ctx = new_hmac(digest, key);
	size_t written = 0;
	bool ok = ctx != NULL;

	for (unsigned i = 0; ok && i < n; i++)
		ok = parts[i].len == 0 ||
		    EVP_MAC_update(ctx, parts[i].p, parts[i].len) == 1;
	ok = ok && EVP_MAC_final(ctx, out, &written, len) == 1 && written == len;
	EVP_MAC_CTX_free(ctx);
	return ok;
}

bool
ike_natd_hash(uint64_t spi_i, uint64_t spi_r, struct bytes addr, uint16_t port,
    uint8_t out[IKE_NATD_LEN])
{
	uint8_t octets[8 + 8 + 16 + 2];
	unsigned written = 0;

	if (addr.len != 4 && addr.len != 16)
		return false;
	bytes_store64(octets, spi_i);
	bytes_store64(octets + 8, spi_r);
	memcpy(octets + 16, addr.p, addr.len);
	bytes_store16(octets + 16 + addr.len, port);
	return EVP_Digest(octets, 18 + addr.len, out, &written, EVP_sha1(), NULL) == 1 &&
	    written == IKE_NATD_LEN;
}

/* ---- elliptic curves ---- */

struct ecp {
	BN_CTX *ctx;
	EC_GROUP *curve;
	EC_POINT *peer, *point;
	BIGNUM *scalar;
};

static void
close_ecp(struct ecp *e)
{
	BN_clear_free(e->scalar);
	EC_POINT_clear_free(e->point);
	EC_POINT_free(e->peer);
	EC_GROUP_free(e->curve);
	BN_CTX_free(e->ctx);
}

static bool
open_ecp(struct ecp *e, const struct ike_group *group)
{
	static const struct { uint16_t bits; int nid; } curves[] = {
		{ 256, NID_X9_62_prime256v1 }, { 384, NID_secp384r1 },
		{ 521, NID_secp521r1 }
	};

	*e = (struct ecp){ .ctx = BN_CTX_new(), .scalar = BN_new() };
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (curves[i].bits == group->bits)
			e->curve = EC_GROUP_new_by_curve_name(curves[i].nid);
	if (e->ctx == NULL || e->scalar == NULL || e->curve == NULL)
		return false;
	BN_set_flags(e->scalar, BN_FLG_CONSTTIME);
	e->peer = EC_POINT_new(e->curve);
	e->point = EC_POINT_new(e->curve);
	return e->peer != NULL && e->point != NULL;
}

/* e->point as 04 | x | y. */
static bool
write_point(const struct ecp *e, const struct ike_group *group,
    uint8_t octets[MAX_POINT_LEN])
{
	return EC_POINT_is_at_infinity(e->curve, e->point) == 0 &&
	    EC_POINT_point2oct(e->curve, e->point, POINT_CONVERSION_UNCOMPRESSED, octets,
	    MAX_POINT_LEN, e->ctx) == (size_t)1 + group->public_len;
}

/* By rejection, of as many bits as the order has: equally likely all of 1..order-1,
 * RFC 6090 and FIPS 186-4 B.4.2. */
static bool
draw_scalar(const struct ecp *e, const struct ike_group *group,
    const struct ike_random *random, uint8_t *private_value)
{
	const BIGNUM *order = EC_GROUP_get0_order(e->curve);
	const unsigned unused = 8u * group->private_len - group->bits;

	for (int i = 0; order != NULL && i < MAX_DRAWS; i++) {
		random->fill(random->arg, private_value, group->private_len);
		private_value[0] &= (uint8_t)(0xff >> unused);
		if (BN_bin2bn(private_value, group->private_len, e->scalar) == NULL)
			return false;
		if (!BN_is_zero(e->scalar) && BN_cmp(e->scalar, order) < 0)
			return true;
	}
	return false;
}

bool
ike_ecp_generate(const struct ike_group *group, const struct ike_random *random,
    uint8_t *private_value, uint8_t *public_value)
{
	uint8_t octets[MAX_POINT_LEN];
	struct ecp e;
	bool ok;

	ok = open_ecp(&e, group) && draw_scalar(&e, group, random, private_value) &&
	    EC_POINT_mul(e.curve, e.point, e.scalar, NULL, NULL, e.ctx) == 1 &&
	    write_point(&e, group, octets);
	if (ok)
		memcpy(public_value, octets + 1, group->public_len);
	close_ecp(&e);
	return ok;
}

/* The one form of RFC 5903 7, on the curve, and not infinity, which has no such form. */
static bool
read_peer(const struct ecp *e, const struct ike_group *group, const uint8_t *peer)
{
	uint8_t octets[MAX_POINT_LEN] = { POINT_CONVERSION_UNCOMPRESSED };
	size_t len = (size_t)1 + group->public_len;

	memcpy(octets + 1, peer, group->public_len);
	return EC_POINT_oct2point(e->curve, e->peer, octets, len, e->ctx) == 1 &&
	    EC_POINT_is_on_curve(e->curve, e->peer, e->ctx) == 1 &&
	    EC_POINT_is_at_infinity(e->curve, e->peer) == 0;
}

bool
ike_ecp_agree(const struct ike_group *group, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret)
{
	uint8_t octets[MAX_POINT_LEN];
	struct ecp e;
	bool ok;

	ok = open_ecp(&e, group) && read_peer(&e, group, peer) &&
	    BN_bin2bn(private_value, group->private_len, e.scalar) != NULL &&
	    EC_POINT_mul(e.curve, e.point, NULL, e.peer, e.scalar, e.ctx) == 1 &&
	    write_point(&e, group, octets);
	if (ok)
		memcpy(secret, octets + 1, group->secret_len);
	OPENSSL_cleanse(octets, sizeof octets);
	close_ecp(&e);
	return ok;
}

/* ---- MODP ---- */

struct modp {
	BN_CTX *ctx;
	BIGNUM *prime, *last;		/* last = prime - 1 */
	BIGNUM *base, *exponent, *power;
};

static void
close_modp(struct modp *m)
{
	BN_clear_free(m->power);
	BN_clear_free(m->exponent);
	BN_free(m->base);
	BN_free(m->last);
	BN_free(m->prime);
	BN_CTX_free(m->ctx);
}

static bool
open_modp(struct modp *m, const struct ike_group *group)
{
	static const struct { uint16_t bits; BIGNUM *(*get)(BIGNUM *); } primes[] = {
		{ 2048, BN_get_rfc3526_prime_2048 }, { 3072, BN_get_rfc3526_prime_3072 },
		{ 4096, BN_get_rfc3526_prime_4096 }
	};

	*m = (struct modp){
		.ctx = BN_CTX_new(), .last = BN_new(), .base = BN_new(),
		.exponent = BN_new(), .power = BN_new()
	};
	for (size_t i = 0; i < sizeof primes / sizeof *primes; i++)
		if (primes[i].bits == group->bits)
			m->prime = primes[i].get(NULL);
	return m->ctx != NULL && m->prime != NULL && m->last != NULL && m->base != NULL &&
	    m->exponent != NULL && m->power != NULL &&
	    BN_sub(m->last, m->prime, BN_value_one()) == 1;
}

/* RFC 6989 2.1: a safe prime leaves 0, 1 and p - 1 to be kept out. */
static bool
in_group(const struct modp *m, const BIGNUM *value)
{
	return BN_cmp(value, BN_value_one()) > 0 && BN_cmp(value, m->last) < 0;
}

/* m->power = m->base ^ private value, in a time that does not depend on it. */
static bool
raise_base(struct modp *m, const struct ike_group *group, const uint8_t *private_value)
{
	if (BN_bin2bn(private_value, group->private_len, m->exponent) == NULL)
		return false;
	BN_set_flags(m->exponent, BN_FLG_CONSTTIME);
	return BN_mod_exp_mont_consttime(m->power, m->base, m->exponent, m->prime, m->ctx,
	    NULL) == 1;
}

static bool
write_power(const struct modp *m, uint8_t *out, uint16_t len)
{
	return BN_bn2binpad(m->power, out, len) == len;
}

bool
ike_modp_generate(const struct ike_group *group, const struct ike_random *random,
    uint8_t *private_value, uint8_t *public_value)
{
	struct modp m;
	bool ok = false;

	if (!open_modp(&m, group) || BN_set_word(m.base, 2) != 1)
		goto out;
	for (int i = 0; !ok && i < MAX_DRAWS; i++) {
		random->fill(random->arg, private_value, group->private_len);
		if (!raise_base(&m, group, private_value))
			goto out;
		ok = in_group(&m, m.power);
	}
	ok = ok && write_power(&m, public_value, group->public_len);
out:
	close_modp(&m);
	return ok;
}

bool
ike_modp_agree(const struct ike_group *group, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret)
{
	struct modp m;
	bool ok;

	ok = open_modp(&m, group) &&
	    BN_bin2bn(peer, group->public_len, m.base) != NULL && in_group(&m, m.base) &&
	    raise_base(&m, group, private_value) && in_group(&m, m.power) &&
	    write_power(&m, secret, group->secret_len);
	close_modp(&m);
	return ok;
}
