#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "libesp/backend.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { NONCE = 12, SALT = 4, ICV_MAX = 32, TEXT_MAX = 4096, LONGEST = 9000 };

/* Every row of every backend. */
static const struct esp_transform *
row(unsigned i)
{
	unsigned n = 0;
	const struct esp_transform *t;

	while ((t = esp_openssl_row(n)) != NULL)
		if (n++ == i)
			return t;
	return esp_sodium_row(i - n);
}

static const char *
name(const struct esp_transform *t)
{
	static char text[80];

	snprintf(text, sizeof text, "%s encr %u/%u integ %u",
	    t == esp_sodium_row(0) ? "libsodium" : "libcrypto",
	    t->encr, t->key_bits, t->integ);
	return text;
}

/* ---- one AEAD vector, both ways, on every row that has the algorithm ---- */

struct aead {
	const char *id;
	uint16_t encr;
	struct bytes key, nonce, aad, plain, cipher, icv;
	bool valid;
};

static struct esp_op
make_op(void *key, const struct aead *v, struct bytes text)
{
	return (struct esp_op){
		.key = key, .data = exact_copy(text), .len = (uint32_t)text.len,
		.iv = exact_copy(bytes_of(v->nonce.p + SALT, NONCE - SALT)),
		.icv = exact_copy(v->icv),
		.aad = bytes_of(exact_copy(v->aad), v->aad.len),
	};
}

static void
free_op(struct esp_op *op)
{
	free(op->data);
	free(op->iv);
	free(op->icv);
	free((void *)(uintptr_t)op->aad.p);
}

static bool
all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void
check_seal(const struct esp_transform *t, void *key, const struct aead *v)
{
	struct esp_op op = make_op(key, v, v->plain);

	memset(op.icv, 0, v->icv.len);
	t->seal(NULL, &op, 1);
	ck_assert_msg(op.ok, "%s: %s does not seal", v->id, name(t));
	ck_assert_msg(bytes_equal(bytes_of(op.data, op.len), v->cipher),
	    "%s: %s ciphertext", v->id, name(t));
	ck_assert_msg(bytes_equal(bytes_of(op.icv, v->icv.len), v->icv),
	    "%s: %s ICV", v->id, name(t));
	free_op(&op);
}

static void
check_open(const struct esp_transform *t, void *key, const struct aead *v)
{
	struct esp_op op = make_op(key, v, v->cipher);

	t->open(NULL, &op, 1);
	ck_assert_msg(op.ok == v->valid, "%s: %s opens: %d", v->id, name(t), op.ok);
	if (v->valid)
		ck_assert_msg(bytes_equal(bytes_of(op.data, op.len), v->plain), "%s: %s",
		    v->id, name(t));
	else
		ck_assert_msg(all_zero(op.data, op.len), "%s: %s leaves plaintext", v->id,
		    name(t));
	free_op(&op);
}

/* How many rows could take it. */
static unsigned
check_aead(const struct aead *v)
{
	const struct esp_transform *t;
	unsigned checked = 0;
	uint8_t keymat[64];

	ck_assert_uint_le(v->key.len + SALT, sizeof keymat);
	if (v->nonce.len != NONCE)
		return 0;
	memcpy(keymat, v->key.p, v->key.len);
	memcpy(keymat + v->key.len, v->nonce.p, SALT);
	for (unsigned i = 0; (t = row(i)) != NULL; i++) {
		void *key;

		if (t->encr != v->encr || t->key_len != v->key.len ||
		    t->icv_len != v->icv.len)
			continue;
		key = t->new_key(t, bytes_of(keymat, v->key.len + SALT),
		    bytes_of(NULL, 0));
		ck_assert_msg(key != NULL, "%s: %s has no key", v->id, name(t));
		if (v->valid)
			check_seal(t, key, v);
		check_open(t, key, v);
		t->free_key(key);
		checked++;
	}
	return checked;
}

START_TEST(gcm_nist)
{
	struct vectors *v = vectors_open("aes-gcm-nist.json");
	unsigned checked = 0;

	while (vectors_next(v))
		checked += check_aead(&(struct aead){ .id = vectors_id(v),
		    .encr = ENCR_AES_GCM_16, .key = vectors_hex(v, "key"),
		    .nonce = vectors_hex(v, "iv"), .aad = vectors_hex(v, "aad"),
		    .plain = vectors_hex(v, "pt"), .cipher = vectors_hex(v, "ct"),
		    .icv = vectors_hex(v, "tag"), .valid = true });
	ck_assert_uint_eq(checked, 150);	/* those with whole tags; three key
						 * lengths */
	vectors_close(v);
}
END_TEST

static unsigned
check_wycheproof(const char *file, uint16_t encr)
{
	struct vectors *v = vectors_open(file);
	unsigned checked = 0;

	while (vectors_next(v))
		checked += check_aead(&(struct aead){ .id = vectors_id(v), .encr = encr,
		    .key = vectors_hex(v, "key"), .nonce = vectors_hex(v, "iv"),
		    .aad = vectors_hex(v, "aad"), .plain = vectors_hex(v, "msg"),
		    .cipher = vectors_hex(v, "ct"), .icv = vectors_hex(v, "tag"),
		    .valid = strcmp(vectors_text(v, "result"), "valid") == 0 });
	vectors_close(v);
	return checked;
}

START_TEST(gcm_wycheproof)
{
	ck_assert_uint_eq(check_wycheproof("wycheproof-aes-gcm.json",
	    ENCR_AES_GCM_16), 197);
}
END_TEST

START_TEST(chacha_wycheproof)
{
	/* by libcrypto and by libsodium */
	ck_assert_uint_eq(check_wycheproof("wycheproof-chacha20-poly1305.json",
	    ENCR_CHACHA20_POLY1305), 2 * 316);
}
END_TEST

START_TEST(chacha_rfc8439_rfc7634)
{
	struct vectors *v = vectors_open("chacha20-poly1305-rfc.json");
	unsigned checked = 0;

	while (vectors_next(v)) {
		struct bytes salt = vectors_hex(v, "salt"), iv = vectors_hex(v, "iv");
		struct bytes sealed = vectors_hex(v, "ct_tag");
		uint8_t nonce[NONCE];

		memcpy(nonce, salt.p, SALT);
		memcpy(nonce + SALT, iv.p, NONCE - SALT);
		checked += check_aead(&(struct aead){ .id = vectors_id(v),
		    .encr = ENCR_CHACHA20_POLY1305, .key = vectors_hex(v, "key"),
		    .nonce = bytes_of(nonce, NONCE), .aad = vectors_hex(v, "aad"),
		    .plain = vectors_hex(v, "plain"),
		    .cipher = bytes_of(sealed.p, sealed.len - 16),
		    .icv = bytes_of(sealed.p + sealed.len - 16, 16), .valid = true });
	}
	ck_assert_uint_eq(checked, 2 * 4);
	vectors_close(v);
}
END_TEST

/* The MAC covers aad | iv | ciphertext | trailer, so a MAC vector is one of ours when
 * its message is cut into aad, IV and trailer and nothing is encrypted.  HMAC pads
 * short keys with zeros. */
static unsigned
check_hmac(const struct esp_transform *t, struct bytes integ_key, struct bytes msg,
    struct bytes icv, const char *id)
{
	uint8_t keymat[128] = { 0 };
	size_t cut = (msg.len - t->iv_len) / 2;
	struct esp_op op = { .iv = exact_copy(bytes_of(msg.p + cut, t->iv_len)) };

	memcpy(keymat + t->key_len, integ_key.p, integ_key.len);
	op.key = t->new_key(t, bytes_of(keymat, esp_transform_keymat(t)),
	    bytes_of(NULL, 0));
	ck_assert_ptr_nonnull(op.key);
	op.icv = exact_copy(icv);
	op.aad = bytes_of(msg.p, cut);
	op.trailer = bytes_of(msg.p + cut + t->iv_len, msg.len - cut - t->iv_len);
	t->open(NULL, &op, 1);
	ck_assert_msg(op.ok, "%s: %s does not open", id, name(t));
	memset(op.icv, 0, icv.len);
	t->seal(NULL, &op, 1);
	ck_assert_msg(op.ok && memcmp(op.icv, icv.p, icv.len) == 0, "%s: %s", id,
	    name(t));
	t->free_key(op.key);
	free(op.iv);
	free(op.icv);
	return 1;
}

static bool
has_hash(const struct esp_transform *t, const char *alg)
{
	return t->integ_len != 0 && strstr(alg, t->integ_len == 20 ? "SHA1" :
	    t->integ_len == 32 ? "256" : t->integ_len == 48 ? "384" : "512") != NULL;
}

static unsigned
check_hmac_file(const char *file)
{
	struct vectors *v = vectors_open(file);
	const struct esp_transform *t;
	unsigned checked = 0;

	while (vectors_next(v)) {
		const char *alg = vectors_text(v, "alg");
		struct bytes key = vectors_hex(v, "key"), msg = vectors_hex(v, "msg");
		struct bytes icv;

		if (!vectors_has(v, "icv"))
			continue;
		icv = vectors_hex(v, "icv");
		for (unsigned i = 0; (t = row(i)) != NULL; i++)
			if (has_hash(t, alg) && key.len <= t->integ_len &&
			    msg.len >= t->iv_len)
				checked += check_hmac(t, key, msg, icv, vectors_id(v));
	}
	vectors_close(v);
	return checked;
}

START_TEST(hmac_rfc4231_rfc4868)
{
	/* for each of three hashes RFC 4231 2..4 and RFC 4868 2..3, on three rows */
	ck_assert_uint_eq(check_hmac_file("hmac-sha2.json"), 3 * 5 * 3);
}
END_TEST

START_TEST(hmac_sha1_rfc2202)
{
	/* 2, 3 and 5, where key and message have a packet's sizes, on three rows */
	ck_assert_uint_eq(check_hmac_file("hmac-sha1.json"), 3 * 3);
}
END_TEST

/* Whatever the MAC, the ciphertext is that of the cipher alone. */
static void
check_cbc(const struct esp_transform *t, struct bytes key, struct bytes iv,
    struct bytes plain, struct bytes cipher, const char *id)
{
	uint8_t keymat[128] = { 0 }, icv[ICV_MAX];
	struct esp_op op = { .data = exact_copy(plain), .len = (uint32_t)plain.len,
		.iv = exact_copy(iv), .icv = icv };

	memcpy(keymat, key.p, key.len);
	op.key = t->new_key(t, bytes_of(keymat, esp_transform_keymat(t)),
	    bytes_of(NULL, 0));
	ck_assert_ptr_nonnull(op.key);
	t->seal(NULL, &op, 1);
	ck_assert_msg(op.ok && bytes_equal(bytes_of(op.data, op.len), cipher), "%s: %s",
	    id, name(t));
	t->open(NULL, &op, 1);
	ck_assert_msg(op.ok && bytes_equal(bytes_of(op.data, op.len), plain), "%s: %s",
	    id, name(t));
	t->free_key(op.key);
	free(op.data);
	free(op.iv);
}

START_TEST(cbc_nist)
{
	struct vectors *v = vectors_open("aes-cbc-nist.json");
	const struct esp_transform *t;
	unsigned checked = 0;

	while (vectors_next(v)) {
		struct bytes key = vectors_hex(v, "key"), iv = vectors_hex(v, "iv");
		struct bytes plain = vectors_hex(v, "pt"), cipher = vectors_hex(v, "ct");

		for (unsigned i = 0; (t = row(i)) != NULL; i++)
			if (t->encr == ENCR_AES_CBC && t->key_len == key.len) {
				check_cbc(t, key, iv, plain, cipher, vectors_id(v));
				checked++;
			}
	}
	ck_assert_uint_eq(checked, 60 * 4);	/* by four MACs */
	vectors_close(v);
}
END_TEST

/* ---- properties that every row has ---- */

static void *
random_key(const struct esp_transform *t, uint64_t *seed)
{
	uint8_t keymat[128], iv_key[16];
	void *key;

	fill_random(seed, keymat, sizeof keymat);
	fill_random(seed, iv_key, sizeof iv_key);
	key = t->new_key(t, bytes_of(keymat, esp_transform_keymat(t)),
	    bytes_of(iv_key, t->iv_key_len));
	ck_assert_msg(key != NULL, "%s", name(t));
	return key;
}

struct message { uint8_t aad[12], iv[16], data[TEXT_MAX], icv[ICV_MAX], trailer[4]; };

/* aad, iv and data are contiguous only where all of them have full size. */
static struct esp_op
message_op(const struct esp_transform *t, void *key, struct message *m, uint32_t len)
{
	return (struct esp_op){ .key = key, .data = m->data, .iv = m->iv, .icv = m->icv,
		.len = len, .aad = bytes_of(m->aad, sizeof m->aad),
		.trailer = bytes_of(m->trailer, t->integ == AUTH_NONE ? 0 : 4) };
}

START_TEST(transform_round_trips_and_refuses_flips)
{
	static const uint32_t lengths[] = { 0, 16, 32, 48, 64, 96, 1024, 1408, 4096 };
	const struct esp_transform *t = row((unsigned)_i);
	uint64_t seed = 1;
	void *key = random_key(t, &seed);

	for (unsigned l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
		uint32_t len = lengths[l];
		struct message plain, sealed, m;
		struct esp_op op = message_op(t, key, &m, len);
		struct { uint8_t *p; size_t len; const char *what; } parts[] = {
			{ m.aad, sizeof m.aad, "aad" }, { m.iv, t->iv_len, "iv" },
			{ m.data, len, "data" }, { m.icv, t->icv_len, "icv" },
			{ m.trailer, op.trailer.len, "trailer" }
		};

		fill_random(&seed, (uint8_t *)&plain, sizeof plain);
		m = plain;
		t->seal(NULL, &op, 1);
		ck_assert_msg(op.ok, "%s", name(t));
		ck_assert(len == 0 || memcmp(m.data, plain.data, len) != 0);
		ck_assert_mem_eq(m.data + len, plain.data + len, sizeof m.data - len);
		sealed = m;
		t->open(NULL, &op, 1);
		ck_assert_msg(op.ok, "%s", name(t));
		ck_assert_mem_eq(m.data, plain.data, sizeof m.data);

		for (unsigned part = 0; part < 5; part++)
			for (size_t i = 0; i < parts[part].len; i += 1 + i / 32 * 7) {
				m = sealed;
				parts[part].p[i] ^= (uint8_t)(1 << i % 8);
				t->open(NULL, &op, 1);
				ck_assert_msg(!op.ok, "%s: %s[%zu]", name(t),
				    parts[part].what, i);
				ck_assert(len == 0 ||
				    memcmp(m.data, plain.data, len) != 0);
			}
	}
	t->free_key(key);
}
END_TEST

START_TEST(transform_array_mixes_keys_and_results)
{
	enum { N = 7 };
	const struct esp_transform *t = row((unsigned)_i);
	static struct message m[N], plain[N];
	struct esp_op ops[N];
	void *keys[2];
	uint64_t seed = 2;

	keys[0] = random_key(t, &seed);
	keys[1] = random_key(t, &seed);
	for (unsigned i = 0; i < N; i++) {
		fill_random(&seed, (uint8_t *)&plain[i], sizeof plain[i]);
		m[i] = plain[i];
		ops[i] = message_op(t, keys[i % 3 == 0], &m[i], 16 * i);
	}
	t->seal(NULL, ops, N);
	for (unsigned i = 0; i < N; i++)
		ck_assert(ops[i].ok);
	m[2].icv[0] ^= 1;
	m[5].aad[0] ^= 1;
	t->open(NULL, ops, N);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_msg(ops[i].ok == (i != 2 && i != 5), "%s: %u", name(t), i);
		if (ops[i].ok)
			ck_assert_mem_eq(m[i].data, plain[i].data, sizeof m[i].data);
	}
	t->free_key(keys[0]);
	t->free_key(keys[1]);
}
END_TEST

START_TEST(transform_refuses_wrong_lengths)
{
	const struct esp_transform *t = row((unsigned)_i);
	uint8_t keymat[160] = { 0 }, iv_key[17] = { 0 };
	size_t right = esp_transform_keymat(t);
	struct message m = { .data = { 1, 2, 3 } };
	struct esp_op op;
	uint64_t seed = 3;
	void *key;

	for (size_t len = 0; len < sizeof keymat; len++) {
		uint8_t *copy = exact_copy(bytes_of(keymat, len));

		key = t->new_key(t, bytes_of(copy, len), bytes_of(NULL, 0));
		ck_assert_msg((key != NULL) == (len == right), "%s: %zu", name(t), len);
		t->free_key(key);
		free(copy);
	}
	for (size_t len = 1; len <= sizeof iv_key; len++) {
		key = t->new_key(t, bytes_of(keymat, right), bytes_of(iv_key, len));
		ck_assert_msg((key != NULL) == (len == t->iv_key_len), "%s: %zu", name(t),
		    len);
		t->free_key(key);
	}
	if (t->align == 1)
		return;
	key = random_key(t, &seed);
	op = message_op(t, key, &m, t->align + 1u);
	t->seal(NULL, &op, 1);
	ck_assert(!op.ok);
	ck_assert_msg(all_zero(m.data, op.len), "%s leaves plaintext", name(t));
	t->open(NULL, &op, 1);
	ck_assert(!op.ok);
	t->free_key(key);
}
END_TEST

START_TEST(transform_ivs_never_repeat)
{
	enum { N = 2000 };
	const struct esp_transform *t = row((unsigned)_i);
	static uint8_t ivs[N][16];
	uint64_t seed = 4;
	void *key = random_key(t, &seed), *other = random_key(t, &seed);
	uint8_t iv[16];

	for (uint64_t i = 0; i < N; i++) {	/* small, around 2^32 and the last ones */
		uint64_t sequence = i < N / 2 ? i :
		    i < N - 10 ? 0xffffff00 + i : -(N - i);

		ck_assert(t->make_iv(key, sequence, ivs[i]));
		for (uint64_t j = 0; j < i; j++)
			if (memcmp(ivs[i], ivs[j], t->iv_len) == 0)
				ck_abort_msg("%s: %d and %d", name(t), (int)i, (int)j);
		if (t->iv_key_len == 0)
			ck_assert_uint_eq(bytes_load64(ivs[i]), sequence);
	}
	ck_assert(t->make_iv(other, 1, iv));
	ck_assert((memcmp(iv, ivs[1], t->iv_len) == 0) == (t->iv_key_len == 0));
	t->free_key(key);
	t->free_key(other);
}
END_TEST

/* The CBC IV is the block cipher under iv_key. */
START_TEST(transform_cbc_iv_is_aes)
{
	static const uint8_t iv_key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	const struct esp_transform *t = esp_transform_find(ENCR_AES_CBC, 128,
	    AUTH_HMAC_SHA2_256_128);
	uint8_t keymat[48] = { 0 }, iv[16], again[16], block[16] = { 0 }, icv[16];
	struct esp_op op = { .data = block, .len = 16, .icv = icv };
	uint8_t zero_iv[16] = { 0 };
	void *key;

	/* CBC of one block under a zero IV is the bare block cipher: the same by
	 * another way */
	memcpy(keymat, iv_key, sizeof iv_key);
	key = t->new_key(t, bytes_of(keymat, 48), bytes_of(iv_key, 16));
	ck_assert_ptr_nonnull(key);
	ck_assert(t->make_iv(key, 0x8899aabbccddeeff, iv));
	bytes_store64(block + 8, 0x8899aabbccddeeff);
	op.key = key;
	op.iv = zero_iv;
	t->seal(NULL, &op, 1);
	ck_assert(op.ok);
	ck_assert_mem_eq(block, iv, 16);
	ck_assert(t->make_iv(key, 0x8899aabbccddeeff, again));
	ck_assert_mem_eq(again, iv, 16);
	t->free_key(key);

	key = t->new_key(t, bytes_of(keymat, 48), bytes_of(NULL, 0));
	ck_assert_ptr_nonnull(key);
	ck_assert(!t->make_iv(key, 1, iv));
	t->free_key(key);
}
END_TEST

/* The same row of another backend, or NULL. */
static const struct esp_transform *
twin(const struct esp_transform *t)
{
	const struct esp_transform *other;

	for (unsigned i = 0; (other = row(i)) != NULL; i++)
		if (other != t && other->encr == t->encr && other->integ == t->integ &&
		    other->key_bits == t->key_bits)
			return other;
	return NULL;
}

/* Every length up to a jumbo frame's, whatever a backend does in blocks; each opens what
 * the other sealed, and refuses it with a flipped bit. */
START_TEST(backends_agree)
{
	const struct esp_transform *a = row((unsigned)_i), *b = twin(a);
	static uint8_t plain[LONGEST], one[LONGEST], two[LONGEST];
	uint8_t aad[12] = { 0 }, iv[16] = { 0 }, icv[2][ICV_MAX];
	uint64_t seed = 5, same = 5;
	void *key_a = random_key(a, &seed), *key_b;

	if (b == NULL) {		/* nobody else has it */
		a->free_key(key_a);
		return;
	}
	key_b = random_key(b, &same);
	fill_random(&seed, plain, sizeof plain);
	for (uint32_t len = 0; len <= LONGEST; len += a->align) {
		struct esp_op op_a = { .key = key_a, .data = one, .iv = iv,
			.icv = icv[0], .len = len, .aad = bytes_of(aad, len % 13) };
		struct esp_op op_b = { .key = key_b, .data = two, .iv = iv,
			.icv = icv[1], .len = len, .aad = bytes_of(aad, len % 13) };

		bytes_store64(iv, len);
		memcpy(one, plain, len);
		memcpy(two, plain, len);
		a->seal(NULL, &op_a, 1);
		b->seal(NULL, &op_b, 1);
		ck_assert_msg(op_a.ok && op_b.ok && memcmp(one, two, len) == 0 &&
		    memcmp(icv[0], icv[1], a->icv_len) == 0, "length %u", len);
		op_b.key = key_a;
		a->open(NULL, &op_b, 1);
		op_a.key = key_b;
		b->open(NULL, &op_a, 1);
		ck_assert_msg(op_a.ok && op_b.ok && memcmp(one, plain, len) == 0 &&
		    memcmp(two, plain, len) == 0, "length %u", len);
		icv[0][len % a->icv_len] ^= 1;
		op_a.key = key_a;
		op_b.icv = icv[0];
		op_b.key = key_b;
		a->open(NULL, &op_a, 1);
		b->open(NULL, &op_b, 1);
		ck_assert_msg(!op_a.ok && !op_b.ok, "length %u", len);
	}
	a->free_key(key_a);
	b->free_key(key_b);
}
END_TEST

START_TEST(transform_is_found_by_id)
{
	static const struct { uint16_t encr, bits, integ; bool found; } rows[] = {
		{ 28, 0, 0, true }, { 28, 256, 0, false }, { 28, 0, 12, false },
		{ 20, 128, 0, true }, { 20, 192, 0, true }, { 20, 256, 0, true },
		{ 20, 0, 0, false }, { 20, 512, 0, false },
		{ 12, 128, 12, true }, { 12, 256, 12, true }, { 12, 256, 13, true },
		{ 12, 192, 14, true }, { 12, 128, 2, true }, { 12, 256, 2, true },
		{ 12, 0, 2, false }, { 12, 256, 1, false }, { 12, 256, 0, false },
		{ 12, 0, 12, false },
		{ 0, 0, 0, false }, { 3, 0, 12, false }, { 65535, 65535, 65535, false }
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct esp_transform *found[2];

		found[0] = esp_transform_find(rows[i].encr, rows[i].bits, rows[i].integ);
		found[1] = esp_transform_find_single(rows[i].encr, rows[i].bits,
		    rows[i].integ);
		for (unsigned way = 0; way < 2; way++) {
			ck_assert_msg((found[way] != NULL) == rows[i].found, "row %u", i);
			if (found[way] == NULL)
				continue;
			ck_assert_uint_eq(found[way]->encr, rows[i].encr);
			ck_assert_uint_eq(found[way]->key_bits, rows[i].bits);
			ck_assert_uint_eq(found[way]->integ, rows[i].integ);
		}
	}
	ck_assert_ptr_eq(esp_transform_find(28, 0, 0), esp_openssl_row(0));
	ck_assert_ptr_eq(esp_transform_find_single(28, 0, 0), esp_sodium_row(0));
}
END_TEST

START_TEST(integrity_of_some_row)
{
	for (uint16_t id = AUTH_HMAC_SHA2_256_128; id <= AUTH_HMAC_SHA2_512_256; id++)
		ck_assert_msg(esp_transform_has_integ(id), "%u", id);
	ck_assert(!esp_transform_has_integ(AUTH_NONE));
	ck_assert(!esp_transform_has_integ(1));	/* AUTH_HMAC_MD5_96 */
	ck_assert(!esp_transform_has_integ(65535));
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("transform");
	int rows = 0;

	while (row((unsigned)rows) != NULL)
		rows++;
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, gcm_nist);
	tcase_add_test(tcase, gcm_wycheproof);
	tcase_add_test(tcase, chacha_wycheproof);
	tcase_add_test(tcase, chacha_rfc8439_rfc7634);
	tcase_add_test(tcase, hmac_rfc4231_rfc4868);
	tcase_add_test(tcase, hmac_sha1_rfc2202);
	tcase_add_test(tcase, cbc_nist);
	tcase_add_loop_test(tcase, transform_round_trips_and_refuses_flips, 0, rows);
	tcase_add_loop_test(tcase, transform_array_mixes_keys_and_results, 0, rows);
	tcase_add_loop_test(tcase, transform_refuses_wrong_lengths, 0, rows);
	tcase_add_loop_test(tcase, transform_ivs_never_repeat, 0, rows);
	tcase_add_test(tcase, transform_cbc_iv_is_aes);
	tcase_add_loop_test(tcase, backends_agree, 0, rows);
	tcase_add_test(tcase, transform_is_found_by_id);
	tcase_add_test(tcase, integrity_of_some_row);
	return run_tests("transform", tcase);
}
