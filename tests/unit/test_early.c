/* Packets that come before their SA. */
#include <string.h>

#include "libesp/bytes.h"
#include "libipsec/early.h"
#include "tests/unit/run.h"

static uint8_t octets[IPSEC_EARLY_LEN + 1];

static void
keep(struct ipsec_early **e, ike_time now, uint32_t spi, uint8_t tag, uint32_t len)
{
	struct ipsec_message m = { .data = octets, .len = len, .kind = IPSEC_ESP_UDP,
	    .tos = tag };

	memset(octets, tag, sizeof(octets));
	bytes_store32(octets, spi);
	ipsec_early_keep(e, now, &m);
}

START_TEST(early_packets_wait_for_their_sa)
{
	struct ipsec_message v[IPSEC_EARLY_PACKETS];
	struct ipsec_early *e = NULL;

	ipsec_early_claim(e, 0, 300);
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 0);
	keep(&e, 1, 300, 1, 60);
	keep(&e, 2, 301, 2, 61);
	keep(&e, 3, 300, 3, 62);
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 0);
	ipsec_early_claim(e, 4, 300);
	ck_assert_uint_eq(ipsec_early_take(e, v, 1), 1);
	ck_assert(v[0].len == 60 && v[0].tos == 1 && v[0].data[59] == 1);
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 1);
	ck_assert(v[0].len == 62 && v[0].data[61] == 3 && v[0].head >= 8);
	ipsec_early_claim(e, 4, 300);			/* once */
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 0);
	ipsec_early_free(e);
}
END_TEST

START_TEST(early_packets_wait_for_a_moment)
{
	struct ipsec_message v[IPSEC_EARLY_PACKETS];
	struct ipsec_early *e = NULL;

	keep(&e, 0, 300, 1, 60);
	keep(&e, IPSEC_EARLY_TIME, 300, 2, 60);
	ipsec_early_claim(e, IPSEC_EARLY_TIME + 1, 300);
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 1);
	ck_assert_uint_eq(v[0].tos, 2);
	ipsec_early_free(e);
}
END_TEST

START_TEST(early_packets_are_few)
{
	struct ipsec_message v[2 * IPSEC_EARLY_PACKETS];
	struct ipsec_early *e = NULL;

	keep(&e, 0, 300, 1, 3);				/* no SPI */
	keep(&e, 0, 300, 1, IPSEC_EARLY_LEN + 1);
	ck_assert_ptr_null(e);
	keep(&e, 0, 300, 1, IPSEC_EARLY_LEN);
	for (unsigned i = 0; i < IPSEC_EARLY_PACKETS; i++)
		keep(&e, 0, 300, (uint8_t)(10 + i), 60);
	ipsec_early_claim(e, 0, 300);
	ck_assert_uint_eq(ipsec_early_take(e, v, 2 * IPSEC_EARLY_PACKETS),
	    IPSEC_EARLY_PACKETS);
	for (unsigned i = 0; i < IPSEC_EARLY_PACKETS; i++)
		ck_assert_uint_eq(v[i].tos, 10 + i);
	/* one that was claimed makes room, too */
	keep(&e, 0, 300, 1, 60);
	ipsec_early_claim(e, 0, 300);
	for (unsigned i = 0; i < IPSEC_EARLY_PACKETS; i++)
		keep(&e, 0, 301, 2, 60);
	ck_assert_uint_eq(ipsec_early_take(e, v, IPSEC_EARLY_PACKETS), 0);
	ipsec_early_free(e);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("early");

	tcase_add_test(c, early_packets_wait_for_their_sa);
	tcase_add_test(c, early_packets_wait_for_a_moment);
	tcase_add_test(c, early_packets_are_few);
	return run_tests("early", c);
}
