/* PRFs against RFC 4231, the NAT detection hash, and looking rows up. */
#include <stdio.h>
#include <stdlib.h>

#include "libike/payload.h"
#include "libike/algorithm.h"
#include "libike/crypto.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

/* 0: the name is of something else. */
static uint16_t
prf_of(const char *name)
{
	static const struct { const char *name; uint16_t id; } names[] = {
		{ "HMAC-SHA2-256", IKE_PRF_HMAC_SHA2_256 },
		{ "HMAC-SHA2-384", IKE_PRF_HMAC_SHA2_384 },
		{ "HMAC-SHA2-512", IKE_PRF_HMAC_SHA2_512 }
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].id;
	return 0;
}

/* prf(key, parts) on an output of exactly its length. */
static void
check_prf(const char *id, const struct ike_prf *prf, struct bytes key,
    const struct bytes *parts, unsigned n, struct bytes expected)
{
	uint8_t *out = malloc(prf->len);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(prf->len, expected.len);
	ck_assert_msg(prf->compute(key, parts, n, out), "%s", id);
	ck_assert_msg(memcmp(out, expected.p, expected.len) == 0, "%s", id);
	free(out);
}

START_TEST(prf_rfc4231)
{
	struct vectors *v = vectors_open("hmac-sha2.json");
	unsigned n = 0;

	while (vectors_next(v)) {
		uint16_t id = prf_of(vectors_text(v, "alg"));
		const struct ike_prf *prf = ike_find_prf(NULL, id);
		struct bytes message = vectors_hex(v, "msg");

		if (id == 0)
			continue;
		n++;
		ck_assert_ptr_nonnull(prf);
		check_prf(vectors_id(v), prf, vectors_hex(v, "key"), &message, 1,
		    vectors_hex(v, "mac"));
	}
	ck_assert_uint_eq(n, 21);
	vectors_close(v);
}
END_TEST

START_TEST(prf_sha1_rfc2202)
{
	const struct ike_prf *prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA1);
	struct bytes key = octets_of(0x0b, 20);
	struct bytes mac = octets("b617318655057264e28bc0b6fb378c8ef146be00");
	struct bytes message = bytes_of("Hi There", 8);

	ck_assert_ptr_nonnull(prf);
	check_prf("RFC 2202 3, case 1", prf, key, &message, 1, mac);
	octets_free(key);
	octets_free(mac);
}
END_TEST

/* Parts are one message, wherever it is cut and whatever is empty. */
START_TEST(prf_parts)
{
	struct bytes mac =
	    octets("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	const char text[] = "what do ya want for nothing?";
	const struct ike_prf *prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_256);
	size_t len = sizeof text - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		struct bytes parts[] = {
			{ NULL, 0 }, bytes_of(text, cut), { NULL, 0 },
			bytes_of(text + cut, len - cut), { NULL, 0 }
		};

		check_prf("RFC 4231 4.3", prf, bytes_of("Jefe", 4), parts, 5, mac);
	}
	octets_free(mac);
}
END_TEST

START_TEST(prf_empty_key_and_message)
{
	struct bytes mac =
	    octets("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	const struct ike_prf *prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_256);

	check_prf("nothing at all", prf, bytes_of(NULL, 0), NULL, 0, mac);
	octets_free(mac);
}
END_TEST

START_TEST(prf_rows)
{
	unsigned n = 0;

	for (unsigned id = 0; id <= UINT16_MAX; id++) {
		const struct ike_prf *prf = ike_find_prf(NULL, (uint16_t)id);
		struct ike_transform t;

		if (prf == NULL)
			continue;
		n++;
		ck_assert_uint_eq(prf->id, id);
		ck_assert_uint_le(prf->len, IKE_MAX_PRF_LEN);
		ck_assert(ike_transform_by_keyword(prf->keyword,
		    strlen(prf->keyword), &t));
		ck_assert_uint_eq(t.type, IKE_PRF);
		ck_assert_uint_eq(t.id, id);
		ck_assert_ptr_eq(prf,
		    ike_find_prf(&ike_builtin_algorithms, (uint16_t)id));
	}
	ck_assert_uint_eq(n, 4);
}
END_TEST

START_TEST(prf_other_tables)
{
	static const struct ike_prf own = { .id = 60000, .keyword = "own", .len = 8 };
	static const struct ike_prf *const prfs[] = { &own, NULL };
	static const struct ike_kex *const kexs[] = { NULL };
	static const struct esp_transform cipher = { .encr = 60001, .key_bits = 8 };
	static const struct esp_transform *const ciphers[] = { &cipher, NULL };
	const struct ike_algorithms other = { ciphers, prfs, kexs };

	ck_assert_ptr_eq(ike_find_prf(&other, 60000), &own);
	ck_assert_ptr_null(ike_find_prf(&other, IKE_PRF_HMAC_SHA2_256));
	ck_assert_ptr_null(ike_find_kex(&other, IKE_KE_CURVE25519));
	ck_assert_ptr_eq(ike_find_cipher(&other, 60001, 8, 0), &cipher);
	ck_assert_ptr_null(ike_find_cipher(&other, 60001, 0, 0));
	ck_assert_ptr_null(ike_find_cipher(&other, 60001, 8, 1));
	ck_assert_ptr_null(ike_find_cipher(&other, IKE_ENCR_CHACHA20_POLY1305, 0, 0));
}
END_TEST

START_TEST(cipher_builtin)
{
	static const struct { uint16_t encr, key_bits, integ; } rows[] = {
		{ IKE_ENCR_AES_GCM_16, 128, 0 }, { IKE_ENCR_AES_GCM_16, 256, 0 },
		{ IKE_ENCR_CHACHA20_POLY1305, 0, 0 },
		{ IKE_ENCR_AES_CBC, 128, IKE_INTEG_HMAC_SHA2_256_128 },
		{ IKE_ENCR_AES_CBC, 256, IKE_INTEG_HMAC_SHA2_256_128 }
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct esp_transform *t = ike_find_cipher(NULL, rows[i].encr,
		    rows[i].key_bits, rows[i].integ);

		ck_assert_msg(t != NULL, "row %zu", i);
		ck_assert_uint_eq(t->encr, rows[i].encr);
		ck_assert_uint_le(esp_transform_keymat(t), ESP_MAX_KEY_LEN);
	}
	ck_assert_ptr_null(ike_find_cipher(NULL, IKE_ENCR_AES_CBC, 256, 0));
	ck_assert_ptr_null(ike_find_cipher(NULL, IKE_ENCR_AES_GCM_16, 0, 0));
}
END_TEST

START_TEST(natd_hash_vectors)
{
	struct vectors *v = vectors_open("nat-detection-computed.json");
	unsigned n = 0;

	for (; vectors_next(v); n++) {
		struct bytes ip = vectors_hex(v, "ip");
		uint8_t *exact = exact_copy(ip), hash[IKE_NATD_LEN];

		ck_assert(ike_natd_hash(bytes_load64(vectors_hex(v, "spii").p),
		    bytes_load64(vectors_hex(v, "spir").p), bytes_of(exact, ip.len),
		    (uint16_t)vectors_number(v, "port"), hash));
		ck_assert_msg(bytes_equal(bytes_of(hash, sizeof hash),
		    vectors_hex(v, "sha1")), "%s", vectors_id(v));
		free(exact);
	}
	ck_assert_uint_eq(n, 3);
	vectors_close(v);
}
END_TEST

START_TEST(natd_hash_address_lengths)
{
	static const uint8_t addr[20];
	uint8_t hash[IKE_NATD_LEN];

	for (size_t len = 0; len <= sizeof addr; len++)
		ck_assert_int_eq(ike_natd_hash(1, 2, bytes_of(addr, len), 500, hash),
		    len == 4 || len == 16);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("prf");

	tcase_add_test(tcase, prf_rfc4231);
	tcase_add_test(tcase, prf_sha1_rfc2202);
	tcase_add_test(tcase, prf_parts);
	tcase_add_test(tcase, prf_empty_key_and_message);
	tcase_add_test(tcase, prf_rows);
	tcase_add_test(tcase, prf_other_tables);
	tcase_add_test(tcase, cipher_builtin);
	tcase_add_test(tcase, natd_hash_vectors);
	tcase_add_test(tcase, natd_hash_address_lengths);
	return run_tests("prf", tcase);
}
