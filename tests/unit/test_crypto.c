/* Whatever a cryptographic library answers but success, nothing succeeds: each of its
 * calls in turn gives each of the results that have been taken for success elsewhere. */
#include <check.h>
#include <stdlib.h>

#include "libesp/backend.h"
#include "libike/algorithm.h"
#include "libike/crypto.h"
#include "libike/proto.h"
#include "tests/unit/library.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

/* Succeeds by itself, and never with a forged result; returns the number of calls. */
static unsigned
check_operation(const char *name, bool (*run)(const void *), const void *what)
{
	unsigned n;

	library.target = library.calls = 0;
	library.on = true;
	ck_assert_msg(run(what), "%s", name);
	n = library.calls;
	ck_assert_msg(n > 0, "%s calls no library", name);
	for (library.target = 1; library.target <= n; library.target++)
		for (library.forgery = 0; library.forgery < FORGERIES;
		    library.forgery++) {
			library.calls = 0;
			ck_assert_msg(!run(what), "%s: %s, forgery %u, is success", name,
			    library.name, library.forgery);
		}
	library.target = 0;
	ck_assert_msg(run(what), "%s", name);
	library.on = false;
	return n;
}

/* ---- PRFs and hashes ---- */

static bool
run_prf(const void *prf)
{
	static const struct bytes parts[] = { { (const uint8_t *)"ab", 2 }, { NULL, 0 },
		{ (const uint8_t *)"c", 1 } };
	uint8_t out[IKE_MAX_PRF_LEN];

	return ((const struct ike_prf *)prf)->compute(parts[0], parts, 3, out);
}

static bool
run_natd(const void *unused)
{
	uint8_t out[20];

	(void)unused;
	return ike_natd_hash(1, 2, bytes_of("\300\0\2\1", 4), 500, out);
}

START_TEST(prf_believes_success_only)
{
	static const uint16_t ids[] = {
		IKE_PRF_HMAC_SHA1, IKE_PRF_HMAC_SHA2_256, IKE_PRF_HMAC_SHA2_384,
		IKE_PRF_HMAC_SHA2_512
	};

	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_ge(check_operation("PRF", run_prf,
		    ike_find_prf(NULL, ids[i])), 6);
	check_operation("NAT detection", run_natd, NULL);
}
END_TEST

/* ---- key exchange ---- */

static void
fill(void *arg, uint8_t *p, size_t len)
{
	uint64_t seed = *(const uint64_t *)arg;

	fill_random(&seed, p, len);
}

static bool
run_start(const void *p)
{
	const struct ike_kex *kex = p;
	uint64_t seed = 1;
	uint8_t value[IKE_MAX_KE_LEN];
	void *state = kex->start(&(struct ike_random){ fill, &seed }, value);

	kex->free(state);
	return state != NULL;
}

static uint8_t peer[IKE_MAX_KE_LEN];	/* a good value of the group at hand */
static void *ours;			/* a state to finish */

static bool
run_respond(const void *p)
{
	const struct ike_kex *kex = p;
	uint8_t value[IKE_MAX_KE_LEN], secret[IKE_MAX_SECRET_LEN];
	uint64_t seed = 2;

	return kex->respond(&(struct ike_random){ fill, &seed },
	    bytes_of(peer, kex->public_len), value, secret);
}

static bool
run_finish(const void *p)
{
	const struct ike_kex *kex = p;
	uint8_t secret[IKE_MAX_SECRET_LEN];

	return kex->finish(ours, bytes_of(peer, kex->response_len), secret);
}

START_TEST(kex_believes_success_only)
{
	static const uint16_t groups[] = {
		IKE_KE_CURVE25519, IKE_KE_ECP_256, IKE_KE_ECP_521, IKE_KE_MODP_2048
	};
	const struct ike_kex *kex = ike_find_kex(NULL, groups[_i]);
	uint64_t seed = 3;
	uint8_t value[IKE_MAX_KE_LEN];

	kex->free(kex->start(&(struct ike_random){ fill, &seed }, peer));
	seed = 4;
	ours = kex->start(&(struct ike_random){ fill, &seed }, value);
	check_operation(kex->keyword, run_start, kex);
	check_operation(kex->keyword, run_respond, kex);
	check_operation(kex->keyword, run_finish, kex);
	kex->free(ours);
}
END_TEST

/* ---- packet ciphers ---- */

/* Every row of every backend; NULL behind the last. */
static const struct esp_transform *
row(unsigned i)
{
	unsigned n = 0;

	while (esp_openssl_row(n) != NULL)
		n++;
	return i < n ? esp_openssl_row(i) : esp_sodium_row(i - n);
}

enum { LEN = 64 };
static uint8_t plain[LEN], sealed[LEN], icv[32], keymat[ESP_MAX_KEY_LEN], iv[16];

static bool
is_zero(const uint8_t *p)
{
	for (unsigned i = 0; i < LEN; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void *
make_key(const struct esp_transform *t)
{
	return t->new_key(t, bytes_of(keymat, esp_transform_keymat(t)),
	    bytes_of(iv, t->iv_key_len));
}

/* Two packets under one key, as the first makes what the second uses again. */
struct packets {
	uint8_t data[2][LEN], icv[2][32];
	struct esp_op op[2];
};

static bool
prepare(const struct esp_transform *t, struct packets *v, const uint8_t *data)
{
	void *key = make_key(t);

	for (unsigned i = 0; i < 2; i++) {
		memcpy(v->data[i], data, LEN);
		memcpy(v->icv[i], icv, sizeof icv);
		v->op[i] = (struct esp_op){ .key = key, .data = v->data[i], .iv = iv,
			.icv = v->icv[i], .len = LEN, .aad = bytes_of("aad", 3) };
	}
	return key != NULL;
}

/* Where it fails no plaintext stays in the packet. */
static bool
run_seal(const void *p)
{
	const struct esp_transform *t = p;
	struct packets v;

	if (!prepare(t, &v, plain))
		return false;
	t->seal(NULL, v.op, 2);
	t->free_key(v.op[0].key);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_msg(v.op[i].ok ? memcmp(v.data[i], sealed, LEN) == 0 :
		    is_zero(v.data[i]), "%s leaves plaintext", library.name);
	return v.op[0].ok && v.op[1].ok;
}

/* Where it fails nothing unauthenticated, or not decrypted to its end, comes out. */
static bool
run_open(const void *p)
{
	const struct esp_transform *t = p;
	struct packets v;

	if (!prepare(t, &v, sealed))
		return false;
	t->open(NULL, v.op, 2);
	t->free_key(v.op[0].key);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_msg(v.op[i].ok ? memcmp(v.data[i], plain, LEN) == 0 :
		    is_zero(v.data[i]) || memcmp(v.data[i], sealed, LEN) == 0,
		    "%s lets data out", library.name);
	return v.op[0].ok && v.op[1].ok;
}

static bool
run_make_iv(const void *p)
{
	const struct esp_transform *t = p;
	void *key = make_key(t);
	uint8_t out[16];
	bool ok = key != NULL && t->make_iv(key, 7, out);

	t->free_key(key);
	return ok;
}

START_TEST(transform_believes_success_only)
{
	const struct esp_transform *t = row((unsigned)_i);
	uint64_t seed = 9;
	struct esp_op op = { .data = sealed, .iv = iv, .icv = icv, .len = LEN,
		.aad = bytes_of("aad", 3) };

	fill_random(&seed, keymat, sizeof keymat);
	fill_random(&seed, plain, sizeof plain);
	memcpy(sealed, plain, LEN);
	op.key = make_key(t);
	t->seal(NULL, &op, 1);
	ck_assert(op.ok);
	t->free_key(op.key);
	check_operation(t->rfc, run_seal, t);
	check_operation(t->rfc, run_open, t);
	if (t->iv_key_len != 0)
		check_operation(t->rfc, run_make_iv, t);
}
END_TEST

/* ---- the test at the start of a program ---- */

static unsigned
self_test(const struct ike_algorithms *a, char *names, size_t len)
{
	uint64_t seed = 5;

	return ike_self_test(a, &(struct ike_random){ fill, &seed }, names, len);
}

START_TEST(self_test_finds_nothing)
{
	char names[64] = "x";

	ck_assert_uint_eq(self_test(NULL, names, sizeof names), 0);
	ck_assert_str_eq(names, "");
}
END_TEST

static bool
count_parts(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	(void)key;
	(void)parts;
	memset(out, (int)n, 20);
	return true;
}

static void *
no_key(const struct esp_transform *t, struct bytes k, struct bytes iv_key)
{
	(void)t;
	(void)k;
	(void)iv_key;
	return NULL;
}

/* A row is found by its address in its table, so that a copy needs another's key. */
static void *
borrowed_key(const struct esp_transform *t, struct bytes k, struct bytes iv_key)
{
	const struct esp_transform *row = esp_transform_find(t->encr, t->key_bits, t->integ);

	return row->new_key(row, k, iv_key);
}

static void
do_nothing(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	while (n-- > 0)
		op++->ok = true;
}

static void *
no_state(const struct ike_random *random, uint8_t *value)
{
	(void)random;
	(void)value;
	return NULL;
}

/* One row of each kind that is missing or lies, among others that work. */
START_TEST(self_test_names_what_fails)
{
	const struct ike_prf *good_prf = ike_find_prf(NULL, IKE_PRF_HMAC_SHA1);
	const struct ike_kex *good_kex = ike_find_kex(NULL, IKE_KE_ECP_256);
	const struct esp_transform *good = esp_transform_find(ENCR_AES_GCM_16, 128, 0);
	struct ike_prf prf = *ike_find_prf(NULL, IKE_PRF_HMAC_SHA2_256);
	struct ike_kex kex = *ike_find_kex(NULL, IKE_KE_CURVE25519);
	struct esp_transform missing = *good, lying = *good;
	const struct ike_prf *prfs[] = { good_prf, &prf, NULL };
	const struct ike_kex *kexs[] = { &kex, good_kex, NULL };
	const struct esp_transform *ciphers[] = { &missing, good, &lying, NULL };
	const struct ike_algorithms a = { ciphers, prfs, kexs };
	static const char all[] = "prfsha256, x25519, aes192gcm16, aes128gcm16";

	prf.compute = count_parts;
	kex.start = no_state;
	missing.new_key = no_key;
	missing.key_bits = 192;
	for (unsigned way = 0; way < 2; way++) {
		lying = *good;
		lying.new_key = borrowed_key;
		if (way == 0)
			lying.seal = do_nothing;	/* leaves it in clear */
		else
			lying.open = do_nothing;	/* takes any ICV */
		for (size_t len = 0; len <= sizeof all; len++) {
			char *names = malloc(len + 1);

			names[len] = 'z';
			ck_assert_uint_eq(self_test(&a, names, len), 4);
			ck_assert_int_eq(names[len], 'z');
			ck_assert(len == 0 || strncmp(names, all, len - 1) == 0);
			free(names);
		}
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("crypto");
	int rows = 0;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	while (row((unsigned)rows) != NULL)
		rows++;
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, prf_believes_success_only);
	tcase_add_loop_test(tcase, kex_believes_success_only, 0, 4);
	tcase_add_loop_test(tcase, transform_believes_success_only, 0, rows);
	tcase_add_test(tcase, self_test_finds_nothing);
	tcase_add_test(tcase, self_test_names_what_fails);
	return run_tests("crypto", tcase);
}
