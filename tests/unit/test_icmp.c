#include <check.h>
#include <stdlib.h>

#include "daemon/icmp.h"
#include "libesp/selector.h"
#include "tests/unit/run.h"

enum { ROOM = 2000 };

/* From 10.1.0.2 to 10.2.0.3, UDP, don't fragment. */
static size_t
ipv4(uint8_t *p, size_t len)
{
	memset(p, 0xa5, len);
	memset(p, 0, 20);
	p[0] = 0x45;
	bytes_store16(p + 2, (uint16_t)len);
	bytes_store16(p + 6, 0x4000);
	p[8] = 64;
	p[9] = 17;
	bytes_store32(p + 12, 0x0a010002);
	bytes_store32(p + 16, 0x0a020003);
	return len;
}

/* From 2001:db8:1::2 to 2001:db8:2::3, UDP. */
static size_t
ipv6(uint8_t *p, size_t len)
{
	memset(p, 0xa5, len);
	memset(p, 0, 40);
	p[0] = 0x60;
	bytes_store16(p + 4, (uint16_t)(len - 40));
	p[6] = 17;
	p[7] = 64;
	bytes_store32(p + 8, 0x20010db8);
	bytes_store16(p + 12, 1);
	p[23] = 2;
	bytes_store32(p + 24, 0x20010db8);
	bytes_store16(p + 28, 2);
	p[39] = 3;
	return len;
}

/* Ones' complement sum over octets, one at a time: 0xffff if the checksum in it is
 * right. */
static unsigned
add_up(unsigned total, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		total += i % 2 == 0 ? (unsigned)p[i] * 256 : p[i];
		if (total > 0xffff)
			total -= 0xffff;
	}
	return total;
}

static size_t
answer(const uint8_t *p, size_t len, enum icmp_reason reason, uint8_t *out)
{
	/* Exactly sized, so that a read beyond it is seen. */
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	size_t got;

	ck_assert(copy != NULL);
	memcpy(copy, p, len);
	got = icmp_answer(bytes_of(copy, len), reason, 1400, out);
	free(copy);
	ck_assert_uint_le(got, ICMP_ANSWER_MAX);
	return got;
}

static const struct { enum icmp_reason reason; uint8_t v4[2], v6[2]; } codes[] = {
	{ ICMP_PROHIBITED, { 3, 13 }, { 1, 1 } },
	{ ICMP_UNREACHABLE, { 3, 1 }, { 1, 3 } },
	{ ICMP_TOO_BIG, { 3, 4 }, { 2, 0 } },
};

START_TEST(icmp_ipv4_goes_back_to_the_sender)
{
	static const size_t lengths[] = { 20, 28, 29, 547, 548, 549, 1500 };
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = ipv4(p, lengths[i]), quoted = len < 548 ? len : 548;
		size_t got = answer(p, len, codes[_i].reason, out);

		ck_assert_uint_eq(got, 28 + quoted);
		ck_assert_uint_eq(out[0], 0x45);
		ck_assert_uint_eq(bytes_load16(out + 2), got);
		ck_assert_uint_eq(out[9], 1);
		ck_assert_uint_eq(bytes_load32(out + 12), 0x0a020003);
		ck_assert_uint_eq(bytes_load32(out + 16), 0x0a010002);
		ck_assert_uint_eq(add_up(0, out, 20), 0xffff);
		ck_assert_mem_eq(out + 20, codes[_i].v4, 2);
		ck_assert_uint_eq(add_up(0, out + 20, got - 20), 0xffff);
		ck_assert_mem_eq(out + 28, p, quoted);
		ck_assert_uint_eq(bytes_load32(out + 24),
		    codes[_i].reason == ICMP_TOO_BIG ? 1400 : 0);
	}
}
END_TEST

START_TEST(icmp_ipv6_goes_back_to_the_sender)
{
	static const size_t lengths[] = { 40, 48, 49, 1231, 1232, 1233, 1500 };
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX], pseudo[4] = { 0, 0, 0, 58 };

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = ipv6(p, lengths[i]), quoted = len < 1232 ? len : 1232;
		size_t got = answer(p, len, codes[_i].reason, out);
		unsigned total;

		ck_assert_uint_eq(got, 48 + quoted);
		ck_assert_uint_eq(out[0], 0x60);
		ck_assert_uint_eq(bytes_load16(out + 4), got - 40);
		ck_assert_uint_eq(out[6], 58);
		ck_assert_mem_eq(out + 8, p + 24, 16);
		ck_assert_mem_eq(out + 24, p + 8, 16);
		ck_assert_mem_eq(out + 40, codes[_i].v6, 2);
		total = add_up(add_up((unsigned)got - 40, out + 8, 32), pseudo, 4);
		ck_assert_uint_eq(add_up(total, out + 40, got - 40), 0xffff);
		ck_assert_mem_eq(out + 48, p, quoted);
		ck_assert_uint_eq(bytes_load32(out + 44),
		    codes[_i].reason == ICMP_TOO_BIG ? 1400 : 0);
	}
}
END_TEST

START_TEST(icmp_mtu_within_what_its_field_and_its_reader_take)
{
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	ipv4(p, 100);
	ck_assert_uint_ne(icmp_answer(bytes_of(p, 100), ICMP_TOO_BIG, 70000, out), 0);
	ck_assert_uint_eq(bytes_load32(out + 24), 65535);
	ipv6(p, 100);
	ck_assert_uint_ne(icmp_answer(bytes_of(p, 100), ICMP_TOO_BIG, 900, out), 0);
	ck_assert_uint_eq(bytes_load32(out + 44), 1280);
}
END_TEST

/* One change to a packet that is answered: RFC 1122 3.2.2, RFC 4443 2.4 e. */
static const struct {
	uint8_t family, at, value, answered;
	const char *what;
} changes[] = {
	{ 4, 0, 0x45, 1, "nothing changed" },
	{ 4, 0, 0x44, 0, "header too short" },
	{ 4, 0, 0x75, 0, "no such version" },
	{ 4, 7, 0x01, 0, "later fragment" },
	{ 4, 6, 0x60, 1, "first fragment" },
	{ 4, 6, 0x10, 0, "later fragment, high bits" },
	{ 4, 12, 0, 0, "from 0.x" },
	{ 4, 12, 127, 0, "from 127.x" },
	{ 4, 12, 224, 0, "from multicast" },
	{ 4, 12, 255, 0, "from 255.x" },
	{ 4, 16, 239, 0, "to multicast" },
	{ 4, 16, 255, 0, "to broadcast" },
	{ 4, 9, 1, 0, "ICMP of an unknown type" },
	{ 6, 0, 0x60, 1, "nothing changed" },
	{ 6, 8, 0xff, 0, "from multicast" },
	{ 6, 24, 0xff, 0, "to multicast" },
	{ 6, 6, 58, 1, "ICMPv6 that is no error" },
	{ 6, 6, 59, 1, "no next header" },
};

START_TEST(icmp_keeps_silent_where_it_must)
{
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];
	size_t len = changes[_i].family == 4 ? ipv4(p, 100) : ipv6(p, 100);

	p[changes[_i].at] = changes[_i].value;
	for (unsigned i = 0; i < ICMP_REASONS; i++)
		ck_assert_msg((answer(p, len, (enum icmp_reason)i, out) != 0) ==
		    (changes[_i].answered != 0), "IPv%u: %s", changes[_i].family,
		    changes[_i].what);
}
END_TEST

START_TEST(icmp_never_answers_an_icmp_error)
{
	static const uint8_t queries[] = { 0, 8, 13, 14, 42 };
	static const uint8_t errors[] = { 3, 4, 5, 11, 12, 1, 255 };
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	ipv4(p, 100);
	p[9] = 1;
	for (unsigned i = 0; i < sizeof(queries); i++) {
		p[20] = queries[i];
		ck_assert_uint_ne(answer(p, 100, ICMP_UNREACHABLE, out), 0);
	}
	for (unsigned i = 0; i < sizeof(errors); i++) {
		p[20] = errors[i];
		ck_assert_uint_eq(answer(p, 100, ICMP_UNREACHABLE, out), 0);
	}
	ipv6(p, 100);
	p[6] = 58;
	for (unsigned type = 0; type < 256; type++) {
		p[40] = (uint8_t)type;
		ck_assert_uint_eq(answer(p, 100, ICMP_UNREACHABLE, out) != 0,
		    type >= 128 && type != 137);
	}
}
END_TEST

/* An ICMPv6 error behind one extension header of each kind is still one. */
START_TEST(icmp_looks_behind_extension_headers)
{
	static const uint8_t kinds[] = { 0, 43, 44, 51, 60 };
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	for (unsigned i = 0; i < sizeof(kinds); i++) {
		unsigned behind = kinds[i] == 51 ? 48 + 8 : 48;

		ipv6(p, 100);
		p[6] = kinds[i];
		memset(p + 40, 0, 16);
		p[40] = 58;
		p[41] = kinds[i] == 51 ? 2 : 0;
		p[behind] = 1;
		ck_assert_msg(answer(p, 100, ICMP_UNREACHABLE, out) == 0, "header %u",
		    kinds[i]);
		p[behind] = 128;
		ck_assert_msg(answer(p, 100, ICMP_UNREACHABLE, out) != 0, "header %u",
		    kinds[i]);
	}
	/* a later fragment */
	ipv6(p, 100);
	p[6] = 44;
	memset(p + 40, 0, 8);
	p[40] = 17;
	p[43] = 8;
	ck_assert_uint_eq(answer(p, 100, ICMP_UNREACHABLE, out), 0);
	/* a chain without end */
	ipv6(p, 400);
	p[6] = 60;
	for (unsigned i = 40; i < 400; i += 8) {
		p[i] = 60;
		p[i + 1] = 0;
	}
	ck_assert_uint_eq(answer(p, 400, ICMP_UNREACHABLE, out), 0);
}
END_TEST

START_TEST(icmp_truncated_packets_are_read_within_bounds)
{
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	for (unsigned form = 0; form < 4; form++)
		for (size_t len = 0; len < 120; len++) {
			if (form < 2)
				ipv4(p, 120);
			else
				ipv6(p, 120);
			if (form == 1) {
				p[0] = 0x4f;
				p[9] = 1;
				p[60] = 8;
			}
			if (form == 3) {
				p[6] = 0;
				p[40] = 44;
				p[41] = 1;
				p[56] = 58;
				memset(p + 57, 0, 7);
				p[64] = 129;
			}
			(void)answer(p, len, ICMP_PROHIBITED, out);
			if (len < 20)
				ck_assert_uint_eq(answer(p, len, ICMP_TOO_BIG, out), 0);
		}
}
END_TEST

/* Whoever routes it may cut it: RFC 792, code 4. */
START_TEST(icmp_too_big_needs_dont_fragment)
{
	uint8_t p[ROOM], out[ICMP_ANSWER_MAX];

	ipv4(p, 1500);
	ck_assert_uint_ne(answer(p, 1500, ICMP_TOO_BIG, out), 0);
	p[6] = 0;
	ck_assert_uint_eq(answer(p, 1500, ICMP_TOO_BIG, out), 0);
	ck_assert_uint_ne(answer(p, 1500, ICMP_PROHIBITED, out), 0);
}
END_TEST

START_TEST(icmp_ration_is_a_burst_then_a_rate)
{
	struct icmp_ration ration = { 0 };
	ike_time now = 50 * IKE_SECOND;
	unsigned got = 0;

	for (unsigned i = 0; i < 1000; i++)
		got += icmp_may_answer(&ration, now);
	ck_assert_uint_eq(got, ICMP_BURST);

	/* a second of asking all the time */
	got = 0;
	for (unsigned i = 0; i < 100000; i++)
		got += icmp_may_answer(&ration, now + i * 10);
	ck_assert_uint_ge(got, ICMP_RATE - 1);
	ck_assert_uint_le(got, ICMP_RATE + 1);

	/* and never more than a burst, however long the silence was */
	now += 3600 * IKE_SECOND;
	got = 0;
	for (unsigned i = 0; i < 1000; i++)
		got += icmp_may_answer(&ration, now);
	ck_assert_uint_eq(got, ICMP_BURST);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("icmp");

	tcase_add_loop_test(tcase, icmp_ipv4_goes_back_to_the_sender, 0,
	    sizeof(codes) / sizeof(codes[0]));
	tcase_add_loop_test(tcase, icmp_ipv6_goes_back_to_the_sender, 0,
	    sizeof(codes) / sizeof(codes[0]));
	tcase_add_test(tcase, icmp_mtu_within_what_its_field_and_its_reader_take);
	tcase_add_loop_test(tcase, icmp_keeps_silent_where_it_must, 0,
	    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tcase, icmp_never_answers_an_icmp_error);
	tcase_add_test(tcase, icmp_looks_behind_extension_headers);
	tcase_add_test(tcase, icmp_truncated_packets_are_read_within_bounds);
	tcase_add_test(tcase, icmp_too_big_needs_dont_fragment);
	tcase_add_test(tcase, icmp_ration_is_a_burst_then_a_rate);
	return run_tests("icmp", tcase);
}
