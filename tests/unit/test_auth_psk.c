/* Secrets by name, and the answers they give (RFC 7296 2.15).  The expected AUTH value is
 * computed here, by another library than the engine's. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libike/proto.h"
#include "libipsec/auth_psk.h"
#include "tests/unit/run.h"

static struct ipsec_secrets *secrets;
static const uint8_t signed_octets[] = "the first message, a nonce, and a MACed identity";

static void
set_up(void)
{
	secrets = ipsec_secrets_new();
	ck_assert_ptr_nonnull(secrets);
}

static void
tear_down(void)
{
	ipsec_secrets_free(secrets);
}

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

/* prf(prf(secret, "Key Pad for IKEv2"), octets) with HMAC-SHA-256 */
static void
expected_value(const char *secret, uint8_t out[32])
{
	static const char pad[] = "Key Pad for IKEv2";
	crypto_auth_hmacsha256_state state;
	uint8_t key[32];

	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)pad, sizeof(pad) - 1);
	crypto_auth_hmacsha256_final(&state, key);
	crypto_auth_hmacsha256(out, signed_octets, sizeof(signed_octets), key);
}

static struct ike_answer
ask(enum ike_event_type type, uint8_t method, const char *name, struct bytes theirs,
    uint8_t value[IPSEC_AUTH_MAX])
{
	const struct ike_auth_request request = { .method = method, .secret = name,
	    .prf = IKE_PRF_HMAC_SHA2_256, .value = theirs,
	    .octets = { signed_octets, sizeof(signed_octets) } };
	const struct ike_event event = { .type = type, .u = { .auth = &request } };
	struct ike_answer answer;

	ipsec_secrets_answer(secrets, &event, value, &answer);
	return answer;
}

static bool
proves(const char *name, const char *secret)
{
	uint8_t value[IPSEC_AUTH_MAX], expected[32];
	struct ike_answer a = ask(IKE_ASK_PROVE, IKE_AUTH_PSK, name, bytes_of(NULL, 0),
	    value);

	expected_value(secret, expected);
	return a.error == IKE_OK && a.reason == NULL &&
	    bytes_equal(a.value, bytes_of(expected, 32));
}

START_TEST(secret_proves)
{
	ck_assert(ipsec_secrets_put(secrets, "paris", text("correct horse battery")));
	ck_assert(ipsec_secrets_put(secrets, "rome", text("staple")));
	ck_assert(proves("paris", "correct horse battery"));
	ck_assert(proves("rome", "staple"));
	ck_assert(!proves("rome", "correct horse battery"));
}
END_TEST

START_TEST(secret_replaced_and_removed)
{
	ck_assert(ipsec_secrets_put(secrets, "paris", text("one")));
	ck_assert(ipsec_secrets_put(secrets, "rome", text("two, which is longer")));
	ck_assert(ipsec_secrets_put(secrets, "paris", text("three")));
	ck_assert(proves("paris", "three"));
	ck_assert(proves("rome", "two, which is longer"));
	ipsec_secrets_remove(secrets, "paris");
	ipsec_secrets_remove(secrets, "paris");
	ck_assert(!ipsec_secrets_has(secrets, "paris"));
	ck_assert(!proves("paris", "three"));
	ck_assert(proves("rome", "two, which is longer"));
}
END_TEST

START_TEST(secret_must_have_octets_and_a_name)
{
	ck_assert(ipsec_secrets_put(secrets, "paris", text("one")));
	ck_assert(!ipsec_secrets_put(secrets, "paris", text("")));
	ck_assert(!ipsec_secrets_put(secrets, "", text("one")));
	ck_assert(proves("paris", "one"));
}
END_TEST

/* The region grows and is packed many times; every secret stays what it was. */
START_TEST(secrets_many)
{
	enum { N = 600 };
	char name[16], secret[64];

	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "peer-%u", i);
		snprintf(secret, sizeof(secret), "%u %.*s", i, (int)(i % 40),
		    "........................................");
		ck_assert(ipsec_secrets_put(secrets, name, text(secret)));
	}
	for (unsigned i = 0; i < N; i += 3) {
		snprintf(name, sizeof(name), "peer-%u", i);
		ipsec_secrets_remove(secrets, name);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "peer-%u", i);
		snprintf(secret, sizeof(secret), "%u %.*s", i, (int)(i % 40),
		    "........................................");
		ck_assert_msg(proves(name, secret) == (i % 3 != 0), "%s", name);
	}
}
END_TEST

START_TEST(secrets_put_together)
{
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		if (i == 10)
			ipsec_secrets_open(secrets);
		snprintf(name, sizeof(name), "peer-%u", i);
		ck_assert(ipsec_secrets_put(secrets, name, text(name)));
		ck_assert(proves(name, name));
	}
	ipsec_secrets_remove(secrets, "peer-0");
	ipsec_secrets_shut(secrets);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "peer-%u", i);
		ck_assert_msg(proves(name, name) == (i > 0), "%s", name);
	}
}
END_TEST

START_TEST(check_accepts_the_same_secret_only)
{
	uint8_t value[IPSEC_AUTH_MAX], theirs[64] = { 0 };
	struct ike_answer a;

	ck_assert(ipsec_secrets_put(secrets, "paris", text("correct horse battery")));
	expected_value("correct horse battery", theirs);
	a = ask(IKE_ASK_CHECK, IKE_AUTH_PSK, "paris", bytes_of(theirs, 32), value);
	ck_assert_int_eq(a.error, IKE_OK);
	ck_assert_uint_eq(a.value.len, 0);
	for (unsigned i = 0; i < 32; i++) {
		theirs[i] ^= 0x10;
		a = ask(IKE_ASK_CHECK, IKE_AUTH_PSK, "paris", bytes_of(theirs, 32),
		    value);
		ck_assert_int_eq(a.error, IKE_AUTHENTICATION_FAILED);
		ck_assert_ptr_nonnull(a.reason);
		theirs[i] ^= 0x10;
	}
	for (unsigned len = 0; len <= 64; len++) {
		a = ask(IKE_ASK_CHECK, IKE_AUTH_PSK, "paris", bytes_of(theirs, len),
		    value);
		ck_assert_int_eq(a.error, len == 32 ? IKE_OK : IKE_AUTHENTICATION_FAILED);
	}
}
END_TEST

START_TEST(refusals_have_reasons)
{
	static const struct { uint8_t method; const char *name, *says; } rows[] = {
		{ IKE_AUTH_PSK, "rome", "no shared secret" },
		{ IKE_AUTH_PSK, "pari", "no shared secret" },
		{ IKE_AUTH_PSK, "", "no shared secret" },
		{ IKE_AUTH_RSA, "paris", "psk" },
		{ 0, "paris", "psk" },
	};
	uint8_t value[IPSEC_AUTH_MAX];
	struct ike_answer a;

	ck_assert(ipsec_secrets_put(secrets, "paris", text("one")));
	for (int check = 0; check < 2; check++) {
		a = ask(check ? IKE_ASK_CHECK : IKE_ASK_PROVE, rows[_i].method,
		    rows[_i].name, bytes_of(NULL, 0), value);
		ck_assert_int_eq(a.error, IKE_AUTHENTICATION_FAILED);
		ck_assert_uint_eq(a.value.len, 0);
		ck_assert_ptr_nonnull(strstr(a.reason, rows[_i].says));
	}
}
END_TEST

/* A PRF that is not known fails like a wrong secret: closed. */
START_TEST(unknown_prf_fails)
{
	const struct ike_auth_request request = { .method = IKE_AUTH_PSK, .prf = 999,
	    .secret = "paris", .octets = { signed_octets, sizeof(signed_octets) } };
	struct ike_event event = { .type = IKE_ASK_CHECK, .u = { .auth = &request } };
	uint8_t value[IPSEC_AUTH_MAX];
	struct ike_answer a;

	ck_assert(ipsec_secrets_put(secrets, "paris", text("one")));
	ipsec_secrets_answer(secrets, &event, value, &a);
	ck_assert_int_eq(a.error, IKE_AUTHENTICATION_FAILED);
	event.type = IKE_ASK_PROVE;
	ipsec_secrets_answer(secrets, &event, value, &a);
	ck_assert_int_eq(a.error, IKE_AUTHENTICATION_FAILED);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("auth_psk");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, secret_proves);
	tcase_add_test(t, secret_replaced_and_removed);
	tcase_add_test(t, secret_must_have_octets_and_a_name);
	tcase_add_test(t, secrets_many);
	tcase_add_test(t, secrets_put_together);
	tcase_add_test(t, check_accepts_the_same_secret_only);
	tcase_add_loop_test(t, refusals_have_reasons, 0, 5);
	tcase_add_test(t, unknown_prf_fails);
	return run_tests("auth_psk", t);
}
