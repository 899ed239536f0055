/* Key derivation against NIST's and other vectors, and when a PRF fails. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "libike/ike.h"
#include "libike/keys.h"
#include "libike/payload.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

static const struct ike_prf *
prf_of(struct vectors *v)
{
	static const struct { const char *name; uint16_t id; } names[] = {
		{ "HMAC-SHA-1", IKE_PRF_HMAC_SHA1 },
		{ "HMAC-SHA2-256", IKE_PRF_HMAC_SHA2_256 },
		{ "HMAC-SHA2-384", IKE_PRF_HMAC_SHA2_384 },
		{ "HMAC-SHA2-512", IKE_PRF_HMAC_SHA2_512 }
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, vectors_text(v, "prf")) == 0)
			return ike_find_prf(NULL, names[i].id);
	ck_abort_msg("%s: PRF unknown", vectors_id(v));
}

/* ---- prf+ ---- */

/* The output to the last octet of every length, each on an exact allocation. */
static void
check_prf_plus(struct vectors *v, const struct ike_prf *prf)
{
	struct bytes key = vectors_hex(v, "key"), seed = vectors_hex(v, "seed");
	struct bytes out = vectors_hex(v, "out");

	for (size_t len = 0; len <= out.len; len++) {
		const struct bytes parts[] = {
			bytes_of(seed.p, len % (seed.len + 1)),
			bytes_of(seed.p + len % (seed.len + 1),
			    seed.len - len % (seed.len + 1))
		};
		uint8_t *got = malloc(len == 0 ? 1 : len);

		ck_assert(ike_prf_plus(prf, key, parts, 2, got, len));
		ck_assert_msg(memcmp(got, out.p, len) == 0, "%s, %zu octets",
		    vectors_id(v), len);
		free(got);
	}
}

/* 255 blocks and not one octet more. */
static void
check_limit(struct vectors *v, const struct ike_prf *prf)
{
	size_t len = vectors_number(v, "out_len");
	struct bytes key = vectors_hex(v, "key"), seed = vectors_hex(v, "seed");
	struct bytes tail = vectors_hex(v, "out_tail");
	uint8_t *got = malloc(len + 1), hash[32];

	ck_assert_uint_eq(len, (size_t)255 * prf->len);
	ck_assert(!ike_prf_plus(prf, key, &seed, 1, got, len + 1));
	ck_assert(ike_prf_plus(prf, key, &seed, 1, got, len));
	ck_assert_mem_eq(got + len - tail.len, tail.p, tail.len);
	ck_assert_int_eq(EVP_Digest(got, len, hash, NULL, EVP_sha256(), NULL), 1);
	ck_assert(bytes_equal(bytes_of(hash, 32), vectors_hex(v, "out_sha256")));
	free(got);
}

START_TEST(prf_plus_vectors)
{
	struct vectors *v = vectors_open("prf-plus.json");
	unsigned n = 0, limits = 0;

	for (; vectors_next(v); n++) {
		if (vectors_has(v, "out")) {
			check_prf_plus(v, prf_of(v));
		} else {
			check_limit(v, prf_of(v));
			limits++;
		}
	}
	ck_assert_uint_eq(n, 8);
	ck_assert_uint_eq(limits, 1);
	vectors_close(v);
}
END_TEST

START_TEST(prf_plus_seeds)
{
	const struct ike_prf *prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_256);
	static const char letters[] = "abcdefghi";
	const struct bytes eight = bytes_of(letters, 8);
	struct bytes seeds[9];
	uint8_t whole[40], got[40];

	for (unsigned i = 0; i < 9; i++)
		seeds[i] = bytes_of(letters + i, 1);
	ck_assert(ike_prf_plus(prf, bytes_of("key", 3), &eight, 1, whole, sizeof whole));
	ck_assert(ike_prf_plus(prf, bytes_of("key", 3), seeds, 8, got, sizeof got));
	ck_assert_mem_eq(whole, got, sizeof got);
	ck_assert(!ike_prf_plus(prf, bytes_of("key", 3), seeds, 9, got, sizeof got));
}
END_TEST

/* ---- IKE SA and Child SA ---- */

/* Key lengths unlike each other, so that nothing falls into the wrong place unseen. */
static const struct esp_transform small_cipher = {
	.key_len = 5, .salt_len = 3, .integ_len = 7
};
static const struct esp_transform aead_cipher = { .key_len = 16, .salt_len = 4 };

static size_t
append(uint8_t *out, size_t len, const uint8_t *p, size_t n)
{
	memcpy(out + len, p, n);
	return len + n;
}

/* The keys back in the order of RFC 7296 2.14. */
static size_t
join(const struct esp_transform *t, const struct ike_keys *k,
    const struct ike_auth_keys *auth, uint8_t *out)
{
	const uint8_t *i = ike_key_cipher(k, true).p, *r = ike_key_cipher(k, false).p;
	size_t e = (size_t)t->key_len + t->salt_len, len = 0;

	len = append(out, len, ike_key_d(k).p, k->prf_len);
	len = append(out, len, i + e, t->integ_len);
	len = append(out, len, r + e, t->integ_len);
	len = append(out, len, i, e);
	len = append(out, len, r, e);
	len = append(out, len, auth->pi, k->prf_len);
	return append(out, len, auth->pr, k->prf_len);
}

static bool
derive(struct vectors *v, const struct ike_suite *suite, struct ike_keys *keys,
    struct ike_auth_keys *auth)
{
	return ike_derive_keys(suite, vectors_hex(v, "ni"), vectors_hex(v, "nr"),
	    bytes_load64(vectors_hex(v, "spii").p),
	    bytes_load64(vectors_hex(v, "spir").p), vectors_hex(v, "gir"), keys, auth);
}

static void
check_ike_keys(struct vectors *v, const struct esp_transform *cipher)
{
	struct ike_suite suite = { .cipher = cipher, .prf = prf_of(v) };
	struct bytes dkm = vectors_hex(v, "dkm");
	uint8_t joined[3 * IKE_MAX_PRF_LEN + 2 * ESP_MAX_KEY_LEN];
	struct ike_auth_keys auth;
	struct ike_keys keys;
	size_t len;

	ck_assert_msg(derive(v, &suite, &keys, &auth), "%s", vectors_id(v));
	ck_assert_uint_eq(keys.prf_len, suite.prf->len);
	ck_assert_uint_eq(keys.cipher_len, esp_transform_keymat(cipher));
	len = join(cipher, &keys, &auth, joined);
	ck_assert_uint_eq(len, 3u * keys.prf_len + 2u * keys.cipher_len);
	ck_assert_msg(memcmp(joined, dkm.p, len < dkm.len ? len : dkm.len) == 0, "%s",
	    vectors_id(v));
	ike_keys_free(&keys);
}

static void
check_child_keys(struct vectors *v, const char *field, struct bytes secret)
{
	struct ike_suite suite = { .cipher = &aead_cipher, .prf = prf_of(v) };
	struct bytes dkm = vectors_hex(v, field);
	struct bytes ni = vectors_hex(v, "ni"), nr = vectors_hex(v, "nr");
	uint8_t i_to_r[ESP_MAX_KEY_LEN], r_to_i[ESP_MAX_KEY_LEN];
	struct ike_auth_keys auth;
	struct ike_keys keys;

	ck_assert(derive(v, &suite, &keys, &auth));
	for (size_t len = 0; len <= ESP_MAX_KEY_LEN && 2 * len <= dkm.len; len++) {
		ck_assert(ike_derive_child(&suite, &keys, ni, nr, secret, len, i_to_r,
		    r_to_i));
		ck_assert_msg(memcmp(i_to_r, dkm.p, len) == 0 &&
		    memcmp(r_to_i, dkm.p + len, len) == 0, "%s %s, %zu octets",
		    vectors_id(v), field, len);
	}
	ike_keys_free(&keys);
}

static unsigned
check_kdf_file(const char *name)
{
	struct vectors *v = vectors_open(name);
	unsigned n = 0;

	for (; vectors_next(v); n++) {
		check_ike_keys(v, &small_cipher);
		if (vectors_has(v, "dkm_child"))
			check_child_keys(v, "dkm_child", bytes_of(NULL, 0));
	}
	vectors_close(v);
	v = vectors_open(name);
	while (vectors_next(v)) {
		if (vectors_has(v, "dkm_child_dh"))
			check_child_keys(v, "dkm_child_dh", vectors_hex(v, "gir_new"));
	}
	vectors_close(v);
	return n;
}

START_TEST(keys_nist)
{
	ck_assert_uint_eq(check_kdf_file("ikev2-kdf.json"), 8);
}
END_TEST

START_TEST(keys_longest_nonces)
{
	ck_assert_uint_eq(check_kdf_file("ikev2-kdf-computed.json"), 9);
}
END_TEST

START_TEST(keys_lengths)
{
	static const struct esp_transform largest = { .key_len = 32, .integ_len = 64 };
	static const struct esp_transform too_large = {
		.key_len = 32, .salt_len = 1, .integ_len = 64
	};
	struct ike_suite suite = { .prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_512) };
	const struct bytes secret = bytes_of("secret", 6);
	uint8_t nonce[257] = { 1 }, i[ESP_MAX_KEY_LEN], r[ESP_MAX_KEY_LEN];
	struct bytes longest = bytes_of(nonce, 256), too_long = bytes_of(nonce, 257);
	struct ike_auth_keys auth;
	struct ike_keys keys;

	suite.cipher = &largest;
	ck_assert(ike_derive_keys(&suite, longest, longest, 1, 2, secret, &keys,
	    &auth));
	ck_assert(!ike_derive_keys(&suite, too_long, longest, 1, 2, secret, &keys,
	    &auth));
	ck_assert(!ike_derive_keys(&suite, longest, too_long, 1, 2, secret, &keys,
	    &auth));
	ck_assert(ike_derive_child(&suite, &keys, longest, longest, secret, sizeof i, i,
	    r));
	ck_assert(!ike_derive_child(&suite, &keys, longest, longest, secret, sizeof i + 1,
	    i, r));
	ike_keys_free(&keys);
	ck_assert_ptr_null(keys.octets);
	suite.cipher = &too_large;
	ck_assert(!ike_derive_keys(&suite, longest, longest, 1, 2, secret, &keys,
	    &auth));
}
END_TEST

/* ---- AUTH ---- */

START_TEST(auth_psk_vectors)
{
	struct vectors *v = vectors_open("auth-psk-computed.json");
	unsigned n = 0;

	for (; vectors_next(v); n++) {
		const struct ike_prf *prf = prf_of(v);
		struct bytes expected = vectors_hex(v, "octets");
		struct bytes auth = vectors_hex(v, "auth");
		uint8_t *octets = malloc(expected.len), out[64];

		ck_assert_uint_eq(ike_auth_octets(prf, vectors_hex(v, "message"),
		    vectors_hex(v, "nonce"), vectors_hex(v, "sk_p").p,
		    vectors_hex(v, "id_octets"), octets), expected.len);
		ck_assert_msg(memcmp(octets, expected.p, expected.len) == 0, "%s",
		    vectors_id(v));
		ck_assert_uint_eq(ike_psk_auth(NULL, prf->id, vectors_hex(v, "secret"),
		    expected, out), auth.len);
		ck_assert_msg(memcmp(out, auth.p, auth.len) == 0, "%s", vectors_id(v));
		free(octets);
	}
	ck_assert_uint_eq(n, 4);
	vectors_close(v);
}
END_TEST

START_TEST(auth_psk_unknown_prf)
{
	const struct bytes one = bytes_of("1", 1);
	uint8_t out[64];

	ck_assert_uint_eq(ike_psk_auth(NULL, 4, one, one, out), 0);
	ck_assert_uint_eq(ike_psk_auth(NULL, 0, one, one, out), 0);
}
END_TEST

/* ---- a PRF that fails at its n-th call ---- */

static int calls_left;

static bool
compute_or_fail(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	return calls_left-- > 0 &&
	    ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_256)->compute(key, parts, n, out);
}

static const struct ike_prf failing = {
	.id = 1, .keyword = "failing", .len = 32, .compute = compute_or_fail
};

START_TEST(failing_prf)
{
	static const struct ike_prf *const prfs[] = { &failing, NULL };
	const struct ike_algorithms algorithms = { NULL, prfs, NULL };
	const struct ike_suite suite = { .cipher = &small_cipher, .prf = &failing };
	const struct bytes one = bytes_of("1", 1);
	uint8_t old[32] = { 0 };
	const struct ike_keys of = { .octets = old, .prf_len = sizeof(old) };
	struct ike_auth_keys auth = { .pi = { 0 } };
	struct ike_keys keys = { .octets = NULL };
	uint8_t out[128], other[64];

	/* SKEYSEED, then 126 octets in 4 blocks; 2 of 32 octets; 1; 2. */
	for (int n = 0; n < 6; n++) {
		calls_left = n;
		ck_assert_int_eq(ike_derive_keys(&suite, one, one, 1, 2, one, &keys,
		    &auth), n >= 5);
		ck_assert((keys.octets != NULL) == (n >= 5));
		ike_keys_free(&keys);
		calls_left = n;
		ck_assert_int_eq(ike_derive_child(&suite, &of, one, one, one, 32, out,
		    other), n >= 2);
		calls_left = n;
		ck_assert_uint_eq(ike_auth_octets(&failing, one, one, auth.pi, one, out),
		    n >= 1 ? 34 : 0);
		calls_left = n;
		ck_assert_uint_eq(ike_psk_auth(&algorithms, 1, one, one, out),
		    n >= 2 ? 32 : 0);
	}
}
END_TEST

START_TEST(wiping)
{
	uint8_t secret[33];

	memset(secret, 0x5a, sizeof secret);
	ike_wipe(secret, 32);
	for (unsigned i = 0; i < 32; i++)
		ck_assert_uint_eq(secret[i], 0);
	ck_assert_uint_eq(secret[32], 0x5a);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("keys");

	tcase_add_test(tcase, prf_plus_vectors);
	tcase_add_test(tcase, prf_plus_seeds);
	tcase_add_test(tcase, keys_nist);
	tcase_add_test(tcase, keys_longest_nonces);
	tcase_add_test(tcase, keys_lengths);
	tcase_add_test(tcase, auth_psk_vectors);
	tcase_add_test(tcase, auth_psk_unknown_prf);
	tcase_add_test(tcase, failing_prf);
	tcase_add_test(tcase, wiping);
	return run_tests("keys", tcase);
}
