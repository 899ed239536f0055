/* Key exchange against published values, and against values that no honest peer sends. */
#include <stdio.h>
#include <stdlib.h>

#include "libike/algorithm.h"
#include "libike/payload.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

/* A random source that gives what the test wants: `given` first, all at once or in
 * several fills, then octets from a seed. */
struct source {
	struct bytes given;
	uint64_t seed;
	unsigned fills;
	size_t octets;
};

static void
fill(void *arg, uint8_t *p, size_t len)
{
	struct source *s = arg;
	size_t part = len < s->given.len ? len : s->given.len;

	s->fills++;
	s->octets += len;
	if (part > 0)
		memcpy(p, s->given.p, part);
	s->given.p = s->given.len == 0 ? NULL : s->given.p + part;
	s->given.len -= part;
	fill_random(&s->seed, p + part, len - part);
}

static const uint16_t groups[] = {
	IKE_KE_CURVE25519, IKE_KE_ECP_256, IKE_KE_ECP_384, IKE_KE_ECP_521,
	IKE_KE_MODP_2048, IKE_KE_MODP_3072, IKE_KE_MODP_4096
};
enum { GROUPS = sizeof groups / sizeof *groups };

static const struct ike_kex *
find(uint16_t id)
{
	const struct ike_kex *kex = ike_find_kex(NULL, id);

	ck_assert_msg(kex != NULL, "group %u", id);
	return kex;
}

/* Outputs stand on allocations of exactly their size. */
struct run {
	const struct ike_kex *kex;
	uint8_t *public_value, *secret;
	bool ok;
};

static struct run
new_run(const struct ike_kex *kex)
{
	struct run r = { kex, malloc(kex->response_len), malloc(kex->secret_len), false };

	ck_assert(r.public_value != NULL && r.secret != NULL);
	return r;
}

static void
free_run(struct run *r)
{
	free(r->public_value);
	free(r->secret);
}

static struct run
respond(const struct ike_kex *kex, struct source *source, struct bytes peer)
{
	const struct ike_random random = { fill, source };
	struct run r = new_run(kex);
	uint8_t *exact = exact_copy(peer);

	r.ok = kex->respond(&random, bytes_of(exact, peer.len), r.public_value, r.secret);
	free(exact);
	return r;
}

/* The responder with a given private value. */
static struct run
respond_with(const struct ike_kex *kex, struct bytes private_value, struct bytes peer)
{
	struct source source = { .given = private_value };

	return respond(kex, &source, peer);
}

static void
make_public(const struct ike_kex *kex, uint8_t *public_value)
{
	struct source source = { .seed = 5 };
	const struct ike_random random = { fill, &source };
	void *state = kex->start(&random, public_value);

	ck_assert_ptr_nonnull(state);
	kex->free(state);
}

static bool
accepts(const struct ike_kex *kex, struct bytes peer)
{
	struct source source = { .seed = 7 };
	struct run r = respond(kex, &source, peer);

	free_run(&r);
	return r.ok;
}

/* ---- published values ---- */

/* Both sides with given private values, in both roles. */
static void
check_agreement(const char *id, const struct ike_kex *kex, struct bytes i, struct bytes r,
    struct bytes ke_i, struct bytes ke_r, struct bytes expected)
{
	struct source source = { .given = i };
	const struct ike_random random = { fill, &source };
	struct run run = respond_with(kex, r, ke_i);
	uint8_t *public_value = malloc(kex->public_len);
	uint8_t *secret = malloc(kex->secret_len);
	void *state = kex->start(&random, public_value);

	ck_assert_uint_eq(ke_i.len, kex->public_len);
	ck_assert_uint_eq(ke_r.len, kex->response_len);
	ck_assert_uint_eq(expected.len, kex->secret_len);
	ck_assert_msg(run.ok && state != NULL, "%s", id);
	ck_assert_msg(memcmp(run.public_value, ke_r.p, ke_r.len) == 0, "%s: ke_r", id);
	ck_assert_msg(memcmp(run.secret, expected.p, expected.len) == 0, "%s: r", id);
	ck_assert_msg(memcmp(public_value, ke_i.p, ke_i.len) == 0, "%s: ke_i", id);
	ck_assert_msg(kex->finish(state, ke_r, secret), "%s", id);
	ck_assert_msg(memcmp(secret, expected.p, expected.len) == 0, "%s: i", id);
	kex->free(state);
	free(public_value);
	free(secret);
	free_run(&run);
}

static unsigned
check_group_file(const char *name)
{
	struct vectors *v = vectors_open(name);
	unsigned n = 0;

	while (vectors_next(v)) {
		const struct ike_kex *kex =
		    ike_find_kex(NULL, (uint16_t)vectors_number(v, "group"));

		ck_assert_ptr_nonnull(kex);
		n++;
		check_agreement(vectors_id(v), kex, vectors_hex(v, "i"),
		    vectors_hex(v, "r"), vectors_hex(v, "ke_i"), vectors_hex(v, "ke_r"),
		    vectors_hex(v, "g_ir"));
	}
	vectors_close(v);
	return n;
}

START_TEST(ecp_rfc5903_rfc5114)
{
	ck_assert_uint_eq(check_group_file("ecp-groups.json"), 6);
}
END_TEST

/* Among them a secret and a public value that begin with zeros. */
START_TEST(modp_computed)
{
	ck_assert_uint_eq(check_group_file("modp-computed.json"), 12);
}
END_TEST

static void
check_iterated(struct vectors *v)
{
	const struct ike_kex *kex = find(IKE_KE_CURVE25519);
	struct bytes start = vectors_hex(v, "start");
	uint8_t k[32], u[32];

	memcpy(k, start.p, sizeof k);
	memcpy(u, start.p, sizeof u);
	for (uint64_t i = vectors_number(v, "iterations"); i > 0; i--) {
		struct run r = respond_with(kex, bytes_of(k, sizeof k),
		    bytes_of(u, sizeof u));

		ck_assert(r.ok);
		memcpy(u, k, sizeof u);
		memcpy(k, r.secret, sizeof k);
		free_run(&r);
	}
	ck_assert(bytes_equal(bytes_of(k, sizeof k), vectors_hex(v, "out")));
}

START_TEST(x25519_rfc7748)
{
	const struct ike_kex *kex = find(IKE_KE_CURVE25519);
	struct vectors *v = vectors_open("x25519.json");
	unsigned n = 0;

	for (; vectors_next(v); n++) {
		struct run r;

		if (vectors_has(v, "iterations")) {
			check_iterated(v);
			continue;
		}
		if (vectors_has(v, "a")) {
			check_agreement(vectors_id(v), kex, vectors_hex(v, "a"),
			    vectors_hex(v, "b"), vectors_hex(v, "pub_a"),
			    vectors_hex(v, "pub_b"), vectors_hex(v, "shared"));
			continue;
		}
		r = respond_with(kex, vectors_hex(v, "scalar"), vectors_hex(v, "u"));
		ck_assert_msg(r.ok, "%s", vectors_id(v));
		ck_assert_msg(bytes_equal(bytes_of(r.secret, 32), vectors_hex(v, "out")),
		    "%s", vectors_id(v));
		free_run(&r);
	}
	ck_assert_uint_eq(n, 6);
	vectors_close(v);
}
END_TEST

static bool
all_zero(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.p[i] != 0)
			return false;
	return true;
}

/* Values of low order are those whose secret is zero; non-canonical ones and ones on the
 * twist are legal, RFC 7748 5. */
START_TEST(x25519_wycheproof)
{
	struct vectors *v = vectors_open("wycheproof-x25519.json");
	unsigned good = 0, bad = 0;

	while (vectors_next(v)) {
		struct bytes shared = vectors_hex(v, "shared");
		struct run r = respond_with(find(IKE_KE_CURVE25519),
		    vectors_hex(v, "priv"), vectors_hex(v, "pub"));

		ck_assert_msg(r.ok == !all_zero(shared), "%s", vectors_id(v));
		ck_assert_msg(!r.ok || memcmp(r.secret, shared.p, shared.len) == 0, "%s",
		    vectors_id(v));
		*(r.ok ? &good : &bad) += 1;
		free_run(&r);
	}
	ck_assert_uint_eq(good, 487);
	ck_assert_uint_eq(bad, 31);
	vectors_close(v);
}
END_TEST

/* A number of any length as one of exactly `len` octets. */
static struct bytes
sized(struct bytes number, size_t len, uint8_t *out)
{
	while (number.len > len && *number.p == 0)
		number = bytes_of(number.p + 1, number.len - 1);
	ck_assert_uint_le(number.len, len);
	memset(out, 0, len);
	memcpy(out + len - number.len, number.p, number.len);
	return bytes_of(out, len);
}

static void
check_points(uint16_t group, const char *name, unsigned expected_good,
    unsigned expected_bad)
{
	const struct ike_kex *kex = find(group);
	struct vectors *v = vectors_open(name);
	unsigned good = 0, bad = 0;

	while (vectors_next(v)) {
		bool valid = strcmp(vectors_text(v, "result"), "valid") == 0;
		struct bytes shared = vectors_hex(v, "shared");
		struct bytes pub = vectors_hex(v, "pub");
		uint8_t scalar[66];
		struct run r;

		/* The wire has x | y without the form's octet in front. */
		if (pub.len > 0 && pub.p[0] == 4)
			pub = bytes_of(pub.p + 1, pub.len - 1);
		r = respond_with(kex,
		    sized(vectors_hex(v, "priv"), kex->secret_len, scalar), pub);
		ck_assert_msg(r.ok == valid, "%s", vectors_id(v));
		ck_assert_msg(!valid || memcmp(r.secret, shared.p, shared.len) == 0, "%s",
		    vectors_id(v));
		*(r.ok ? &good : &bad) += 1;
		free_run(&r);
	}
	ck_assert_uint_eq(good, expected_good);
	ck_assert_uint_eq(bad, expected_bad);
	vectors_close(v);
}

START_TEST(ecp256_wycheproof)
{
	check_points(IKE_KE_ECP_256, "wycheproof-ecdh-p256-ecpoint.json", 83, 25);
}
END_TEST

START_TEST(ecp384_wycheproof)
{
	check_points(IKE_KE_ECP_384, "wycheproof-ecdh-p384-ecpoint.json", 193, 19);
}
END_TEST

START_TEST(ecp521_nist)
{
	check_points(IKE_KE_ECP_521, "ecdh-p521-nist.json", 72, 16);
}
END_TEST

/* ---- every group ---- */

START_TEST(kex_agrees)
{
	const struct ike_kex *kex = find(groups[_i]);

	for (uint64_t seed = 0; seed < 5; seed++) {
		struct source source = { .seed = seed };
		const struct ike_random random = { fill, &source };
		uint8_t *public_value = malloc(kex->public_len);
		uint8_t *secret = malloc(kex->secret_len);
		void *state = kex->start(&random, public_value);
		struct run r = respond(kex, &source,
		    bytes_of(public_value, kex->public_len));

		ck_assert(state != NULL && r.ok);
		ck_assert(kex->finish(state, bytes_of(r.public_value, kex->response_len),
		    secret));
		ck_assert_mem_eq(secret, r.secret, kex->secret_len);
		kex->free(state);
		free(public_value);
		free(secret);
		free_run(&r);
	}
}
END_TEST

/* All that is random comes from the source: the same octets, the same values. */
START_TEST(kex_deterministic)
{
	const struct ike_kex *kex = find(groups[_i]);
	struct source one = { .seed = 1 }, same = { .seed = 1 }, other = { .seed = 2 };
	const struct ike_random random = { fill, &one };
	uint8_t *peer = malloc(kex->public_len);
	struct run a, b, c;

	kex->free(kex->start(&random, peer));
	ck_assert_uint_eq(one.fills, 1);
	ck_assert_uint_ge(one.octets, 32);
	one = (struct source){ .seed = 1 };
	a = respond(kex, &one, bytes_of(peer, kex->public_len));
	b = respond(kex, &same, bytes_of(peer, kex->public_len));
	c = respond(kex, &other, bytes_of(peer, kex->public_len));
	ck_assert(a.ok && b.ok && c.ok);
	ck_assert_mem_eq(a.public_value, b.public_value, kex->response_len);
	ck_assert_mem_eq(a.secret, b.secret, kex->secret_len);
	ck_assert_mem_ne(a.public_value, c.public_value, kex->response_len);
	ck_assert_mem_ne(a.secret, c.secret, kex->secret_len);
	free(peer);
	free_run(&a);
	free_run(&b);
	free_run(&c);
}
END_TEST

/* A right value with octets missing or too many, in both roles. */
START_TEST(kex_peer_length)
{
	const struct ike_kex *kex = find(groups[_i]);
	struct source source = { .seed = 3 };
	const struct ike_random random = { fill, &source };
	uint8_t *own = malloc(kex->public_len), *secret = malloc(kex->secret_len);
	uint8_t peer[2 * IKE_MAX_KE_LEN] = { 0 };
	void *state = kex->start(&random, own), *theirs = kex->start(&random, peer);

	for (size_t len = 0; len <= (size_t)kex->public_len + 2; len++) {
		struct bytes value = bytes_of(peer, len);
		uint8_t *exact = exact_copy(value);
		bool right = len == kex->public_len;

		/* MODP takes long: lengths near the right one and near nothing do. */
		if (len > 2 && len + 2 < kex->public_len) {
			free(exact);
			continue;
		}
		ck_assert_msg(accepts(kex, value) == right, "%zu octets", len);
		ck_assert_msg(kex->finish(state, bytes_of(exact, len), secret) == right,
		    "%zu octets", len);
		free(exact);
	}
	kex->free(state);
	kex->free(theirs);
	free(own);
	free(secret);
}
END_TEST

START_TEST(kex_rows)
{
	unsigned n = 0;

	for (unsigned id = 0; id <= UINT16_MAX; id++) {
		const struct ike_kex *kex = ike_find_kex(NULL, (uint16_t)id);
		struct ike_transform t;

		if (kex == NULL)
			continue;
		n++;
		ck_assert_uint_eq(kex->id, id);
		ck_assert_uint_le(kex->public_len, IKE_MAX_KE_LEN);
		ck_assert_uint_le(kex->response_len, IKE_MAX_KE_LEN);
		ck_assert_uint_le(kex->secret_len, IKE_MAX_SECRET_LEN);
		ck_assert(ike_transform_by_keyword(kex->keyword,
		    strlen(kex->keyword), &t));
		ck_assert_uint_eq(t.type, IKE_KE);
		ck_assert_uint_eq(t.id, id);
		kex->free(NULL);
	}
	ck_assert_uint_eq(n, GROUPS);
}
END_TEST

/* ---- values that are not of the group ---- */

START_TEST(ecp_bad_points)
{
	const struct ike_kex *kex = find(groups[_i]);
	uint8_t good[132], bad[132];
	size_t len = kex->public_len;

	ck_assert_uint_le(len, sizeof good);
	make_public(kex, good);
	ck_assert(accepts(kex, bytes_of(good, len)));
	for (size_t bit = 0; bit < 8 * len; bit += 5) {	/* off the curve */
		memcpy(bad, good, len);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(!accepts(kex, bytes_of(bad, len)), "bit %zu", bit);
	}
	for (unsigned value = 0; value <= 255; value += 255) {	/* 0,0; both over p */
		memset(bad, (int)value, len);
		ck_assert(!accepts(kex, bytes_of(bad, len)));
	}
}
END_TEST

static void
add_small(uint8_t *number, size_t len, unsigned n)
{
	while (len-- > 0) {
		n += number[len];
		number[len] = (uint8_t)n;
		n >>= 8;
	}
}

/* RFC 6989 2.1; the bounds come from pi and not from the library. */
START_TEST(modp_bounds)
{
	static const struct { unsigned below, above; bool good; } values[] = {
		{ 3, 0, true }, { 2, 0, true }, { 1, 0, false }, { 0, 0, false },
		{ 0, 1, false }, { 0, 2, false }
	};
	struct vectors *v = vectors_open("modp-primes.json");
	uint8_t value[512];

	while (vectors_next(v)) {
		const struct ike_kex *kex = find((uint16_t)vectors_number(v, "group"));
		struct bytes prime = vectors_hex(v, "prime");

		ck_assert_uint_eq(prime.len, kex->public_len);
		ck_assert_uint_eq(prime.p[prime.len - 1], 0xff);
		for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
			memcpy(value, prime.p, prime.len);
			value[prime.len - 1] -= (uint8_t)values[i].below;
			add_small(value, prime.len, values[i].above);
			ck_assert_msg(accepts(kex, bytes_of(value, prime.len)) ==
			    values[i].good, "%s, value %zu", vectors_id(v), i);
		}
		memset(value, 0, sizeof value);
		for (; value[prime.len - 1] < 5; value[prime.len - 1]++)
			ck_assert_int_eq(accepts(kex, bytes_of(value, prime.len)),
			    value[prime.len - 1] >= 2);
		memset(value, 0xff, sizeof value);
		ck_assert(!accepts(kex, bytes_of(value, prime.len)));
	}
	vectors_close(v);
}
END_TEST

/* ---- private values ---- */

/* 0, the order and more are drawn again; what comes then is taken. */
START_TEST(ecp_scalar_out_of_range)
{
	static const char *const orders[] = {
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
		"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
		"581a0db248b0a77aecec196accc52973",
		"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"fffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e9138"
		"6409"
	};
	const struct ike_kex *kex = find(groups[_i]);
	struct bytes order = octets(orders[_i - 1]);
	uint8_t draws[4 * 66] = { 0 };
	size_t len = order.len;
	struct source source = { .given = bytes_of(draws, 4 * len) }, direct;
	struct run r, same;
	uint8_t peer[132];

	memcpy(draws + len, order.p, len);
	memset(draws + 2 * len, 0xff, len);
	memset(draws + 3 * len, 0x5a, len);
	direct = (struct source){ .given = bytes_of(draws + 3 * len, len) };
	make_public(kex, peer);
	r = respond(kex, &source, bytes_of(peer, kex->public_len));
	same = respond(kex, &direct, bytes_of(peer, kex->public_len));
	ck_assert(r.ok && same.ok);
	ck_assert_uint_eq(source.fills, 4);
	ck_assert_mem_eq(r.secret, same.secret, kex->secret_len);
	free_run(&r);
	free_run(&same);
	octets_free(order);
}
END_TEST

START_TEST(ecp_scalar_order_minus_one)
{
	/* The largest scalar gives -G, whose x is the generator's. */
	struct bytes scalar =
	    octets("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
	struct bytes x =
	    octets("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
	struct source source = { .given = scalar };
	uint8_t public_value[64];
	const struct ike_kex *kex = find(IKE_KE_ECP_256);

	kex->free(kex->start(&(struct ike_random){ fill, &source }, public_value));
	ck_assert_uint_eq(source.fills, 1);
	ck_assert_mem_eq(public_value, x.p, x.len);
	octets_free(scalar);
	octets_free(x);
}
END_TEST

static void
fill_same(void *arg, uint8_t *p, size_t len)
{
	memset(p, *(const int *)arg, len);
}

/* A source that is stuck ends in a failure and not in an endless loop. */
START_TEST(kex_stuck_source)
{
	static const struct { uint16_t group; int value; } rows[] = {
		{ IKE_KE_ECP_256, 0 }, { IKE_KE_ECP_256, 0xff }, { IKE_KE_ECP_384, 0 },
		{ IKE_KE_ECP_384, 0xff }, { IKE_KE_ECP_521, 0 }, { IKE_KE_ECP_521, 0xff },
		{ IKE_KE_MODP_2048, 0 }, { IKE_KE_MODP_3072, 0 }, { IKE_KE_MODP_4096, 0 }
	};
	int value = rows[_i].value;
	const struct ike_random random = { fill_same, &value };
	const struct ike_kex *kex = find(rows[_i].group);
	uint8_t peer[IKE_MAX_KE_LEN], own[IKE_MAX_KE_LEN], secret[IKE_MAX_SECRET_LEN];

	make_public(kex, peer);
	ck_assert_ptr_null(kex->start(&random, own));
	ck_assert(!kex->respond(&random, bytes_of(peer, kex->public_len), own, secret));
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("kex");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, ecp_rfc5903_rfc5114);
	tcase_add_test(tcase, modp_computed);
	tcase_add_test(tcase, x25519_rfc7748);
	tcase_add_test(tcase, x25519_wycheproof);
	tcase_add_test(tcase, ecp256_wycheproof);
	tcase_add_test(tcase, ecp384_wycheproof);
	tcase_add_test(tcase, ecp521_nist);
	tcase_add_loop_test(tcase, kex_agrees, 0, GROUPS);
	tcase_add_loop_test(tcase, kex_deterministic, 0, GROUPS);
	tcase_add_loop_test(tcase, kex_peer_length, 0, GROUPS);
	tcase_add_test(tcase, kex_rows);
	tcase_add_loop_test(tcase, ecp_bad_points, 1, 4);
	tcase_add_test(tcase, modp_bounds);
	tcase_add_loop_test(tcase, ecp_scalar_out_of_range, 1, 4);
	tcase_add_test(tcase, ecp_scalar_order_minus_one);
	tcase_add_loop_test(tcase, kex_stuck_source, 0, 9);
	return run_tests("kex", tcase);
}
