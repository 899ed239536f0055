#include <check.h>
#include <stdlib.h>

#include "daemon/mtu.h"
#include "libesp/esp.h"
#include "tests/unit/run.h"

static const struct { uint16_t encr, bits, integ; } suites[] = {
	{ ENCR_AES_GCM_16, 128, AUTH_NONE },
	{ ENCR_AES_GCM_16, 256, AUTH_NONE },
	{ ENCR_CHACHA20_POLY1305, 0, AUTH_NONE },
	{ ENCR_AES_CBC, 128, AUTH_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_384_192 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256 },
};
enum { SUITES = sizeof(suites) / sizeof(suites[0]), LONGEST = 10000 };

static const struct esp_transform *
transform(unsigned i)
{
	const struct esp_transform *t =
	    esp_transform_find(suites[i].encr, suites[i].bits, suites[i].integ);

	ck_assert_msg(t != NULL, "suite %u is missing", i);
	return t;
}

/* Octets of the ESP packet that libesp really makes of an inner one. */
static uint32_t
sealed(const struct esp_transform *t, uint32_t len)
{
	static const uint8_t key[128], iv_key[64];
	struct esp_selector any = { esp_range_any(4), esp_range_any(4) };
	struct esp_sa_config config = { .id = 1, .policy = 1, .direction = ESP_OUT,
		.spi = 1000, .transform = t, .selectors = &any, .n_selectors = 1,
		.keymat = { key, esp_transform_keymat(t) },
		.iv_key = { iv_key, t->iv_key_len } };
	struct esp_policy_config policy = {
		.id = 1, .selectors = &any, .n_selectors = 1
	};
	struct esp_room room = esp_transform_overhead(t);
	uint8_t *buffer = calloc(1, (size_t)room.head + len + room.tail);
	struct esp_packet p = { .data = buffer + room.head, .len = len, .head = room.head,
		.tail = room.tail };
	struct esp *esp = esp_new(0, 1);

	ck_assert(buffer != NULL && esp != NULL);
	ck_assert_int_eq(esp_policy_put(esp, &policy), ESP_SUCCESS);
	ck_assert_int_eq(esp_add(esp, &config), ESP_SUCCESS);
	p.data[0] = 0x45;
	bytes_store16(p.data + 2, (uint16_t)len);
	p.data[9] = 17;
	esp_find(esp, &p, 1);
	esp_seal(esp, &p, 1);
	ck_assert_int_eq(p.verdict, ESP_OK);
	len = p.len;
	esp_free(esp);
	free(buffer);
	return len;
}

START_TEST(mtu_fills_the_path_and_no_more)
{
	static const uint32_t outer[] = { 576, 1280, 1400, 1491, 1492, 1493, 1494, 1495,
		1496, 1497, 1498, 1499, 1500, 1501, 9000 };
	const struct esp_transform *t = transform((unsigned)_i);

	for (unsigned i = 0; i < sizeof(outer) / sizeof(outer[0]); i++)
		for (unsigned form = 0; form < 4; form++) {
			uint8_t family = form & 1 ? 4 : 6;
			bool encap = (form & 2) != 0;
			uint32_t around = (family == 4 ? 20 : 40) + (encap ? 8 : 0);
			uint32_t mtu = tunnel_mtu(outer[i], family, encap, t);

			ck_assert_msg(around + sealed(t, mtu) <= outer[i],
			    "suite %d, outer %u, form %u: %u is too long", _i, outer[i],
			    form, mtu);
			ck_assert_msg(around + sealed(t, mtu + 1) > outer[i],
			    "suite %d, outer %u, form %u: %u is too short", _i, outer[i],
			    form, mtu);
		}
}
END_TEST

START_TEST(mtu_agrees_with_libesp)
{
	const struct esp_transform *t = transform((unsigned)_i);

	for (uint32_t outer = 28; outer < LONGEST; outer++)
		must(tunnel_mtu(outer, 4, true, t) == esp_payload_max(t, outer - 28),
		    "suite %d, outer %u: %u and %u", _i, outer,
		    tunnel_mtu(outer, 4, true, t), esp_payload_max(t, outer - 28));
}
END_TEST

START_TEST(mtu_of_a_path_too_short_is_zero)
{
	const struct esp_transform *t = transform(0);

	for (uint32_t outer = 0; outer < 52; outer++)
		ck_assert_uint_eq(tunnel_mtu(outer, 4, false, t), 0);
	ck_assert_uint_eq(tunnel_mtu(56, 4, false, t), 2);
}
END_TEST

/* Every suite, family and form gives as much or more; and one of them no more. */
START_TEST(mtu_worst_is_the_worst)
{
	for (uint32_t outer = 0; outer < LONGEST; outer++) {
		uint32_t worst = tunnel_mtu_worst(outer), least = UINT32_MAX;

		for (unsigned i = 0; i < SUITES; i++)
			for (unsigned form = 0; form < 4; form++) {
				uint32_t mtu = tunnel_mtu(outer, form & 1 ? 4 : 6,
				    (form & 2) != 0, transform(i));

				least = mtu < least ? mtu : least;
			}
		must(worst == least, "outer %u: %u and %u", outer, worst, least);
	}
	ck_assert_uint_ge(tunnel_mtu_worst(MTU_ETHERNET), MTU_IPV6_MIN);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("mtu");

	tcase_add_loop_test(tcase, mtu_fills_the_path_and_no_more, 0, SUITES);
	tcase_add_loop_test(tcase, mtu_agrees_with_libesp, 0, SUITES);
	tcase_add_test(tcase, mtu_of_a_path_too_short_is_zero);
	tcase_add_test(tcase, mtu_worst_is_the_worst);
	return run_tests("mtu", tcase);
}
