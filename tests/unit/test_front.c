/* Checksums that address translation has made wrong, RFC 3948 3.1.2 and RFC 1624. */
#include <check.h>
#include <stdlib.h>

#include "libesp/front.h"
#include "tests/unit/octets.h"
#include "tests/unit/packets.h"
#include "tests/unit/run.h"
#include "tests/unit/sums.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (unsigned)(sizeof (a) / sizeof *(a))

enum { MAX = 512, TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, MOBILITY = 135,
	UDP_LITE = 136, SCTP = 132, DESTINATION = 60 };

static const struct row {
	uint8_t protocol, at;
	bool v4, v6, never_zero;
} rows[] = {
	{ TCP, 16, true, true, false }, { UDP, 6, true, true, true },
	{ DCCP, 6, true, true, false }, { ICMPV6, 2, false, true, false },
	{ MOBILITY, 4, false, true, false }, { UDP_LITE, 6, true, true, true },
};

static struct bytes
packet(uint8_t *buffer, bool v4, uint8_t protocol, uint32_t len, uint64_t *seed)
{
	uint8_t body[MAX];

	fill_random(seed, body, len);
	return v4 ? ipv4(buffer, protocol, 5 + (unsigned)(next_random(seed) % 4), 0,
	    bytes_of(body, len)) : ipv6(buffer, protocol, bytes_of(body, len));
}

static uint16_t
wanted(const struct row *row, uint16_t sum)
{
	return sum == 0 && row->never_zero ? 0xffff : sum;
}

/* Right for the addresses `sent` before, right for its own afterwards, and nothing else
 * has changed; payloads of odd lengths too. */
static void
check_mended(const struct row *row, bool v4, uint64_t *seed)
{
	uint8_t buffer[MAX], before[MAX], sent[2][16], *at;
	struct bytes p = packet(buffer, v4, row->protocol,
	    20 + (uint32_t)(next_random(seed) % 100), seed);
	uint32_t len = (uint32_t)p.len;

	fill_random(seed, sent[0], sizeof sent);
	at = buffer + sum_transport_at(buffer) + row->at;
	bytes_store16(at, wanted(row, sum_transport(buffer, len, row->at, sent[0],
	    sent[1])));
	memcpy(before, buffer, len);
	esp_front_mend(buffer, len, (const uint8_t(*)[16])sent);
	must(bytes_load16(at) == wanted(row, sum_transport(buffer, len, row->at, NULL,
	    NULL)), "protocol %u, length %u", row->protocol, len);
	memcpy(at, before + (at - buffer), 2);
	ck_assert_mem_eq(buffer, before, len);
}

START_TEST(mend_as_if_computed_anew)
{
	uint64_t seed = (uint64_t)_i;

	for (unsigned round = 0; round < 2000; round++) {
		if (rows[_i].v4)
			check_mended(&rows[_i], true, &seed);
		if (rows[_i].v6)
			check_mended(&rows[_i], false, &seed);
	}
}
END_TEST

/* Zeros: that end was not translated. */
START_TEST(mend_one_end)
{
	uint8_t buffer[MAX], sent[2][16];
	uint64_t seed = 9;

	for (unsigned way = 0; way < 4; way++) {
		bool v4 = way / 2 == 0;
		unsigned end = way % 2;
		struct bytes p = packet(buffer, v4, UDP, 41, &seed);
		uint8_t *at = buffer + sum_transport_at(buffer) + 6;

		memset(sent, 0, sizeof sent);
		fill_random(&seed, sent[end], sizeof sent[end]);
		bytes_store16(at, sum_transport(p.p, (uint32_t)p.len, 6,
		    end == 0 ? sent[0] : NULL, end == 1 ? sent[1] : NULL));
		esp_front_mend(buffer, (uint32_t)p.len, (const uint8_t(*)[16])sent);
		ck_assert_uint_eq(bytes_load16(at), sum_transport(p.p, (uint32_t)p.len, 6,
		    NULL, NULL));
	}
}
END_TEST

/* RFC 1624 4: 0xDD2F, with 0x5555 made 0x3285, becomes 0x0000, which UDP writes as
 * 0xFFFF. */
START_TEST(mend_rfc1624)
{
	static const struct { uint8_t protocol, at; uint16_t sum; } cases[] = {
		{ TCP, 16, 0x0000 }, { UDP, 6, 0xffff }, { UDP_LITE, 6, 0xffff },
		{ DCCP, 6, 0x0000 }
	};
	uint8_t buffer[MAX], body[40] = { 0 }, sent[2][16] = { { 0x55, 0x55, 1, 1 } };

	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint8_t *at = buffer + 20 + cases[i].at;

		ipv4(buffer, cases[i].protocol, 5, 0, bytes_of(body, sizeof body));
		bytes_store32(buffer + 12, 0x32850101);
		bytes_store16(at, 0xdd2f);
		esp_front_mend(buffer, 60, (const uint8_t(*)[16])sent);
		must(bytes_load16(at) == cases[i].sum, "row %u: %04x", i,
		    bytes_load16(at));
	}
}
END_TEST

/* Every sum that there is, so the two that mean zero as well. */
START_TEST(mend_every_sum)
{
	uint8_t buffer[MAX], sent[2][16] = { { 10, 0, 0, 1 } };
	uint64_t seed = 5;
	struct bytes p = packet(buffer, true, rows[_i].protocol, 33, &seed);
	uint8_t *at = buffer + sum_transport_at(buffer) + rows[_i].at;
	uint32_t len = (uint32_t)p.len;

	for (uint32_t low = 0; low < 65536; low++) {
		bytes_store16(sent[0] + 2, (uint16_t)low);
		bytes_store16(at, wanted(&rows[_i], sum_transport(buffer, len,
		    rows[_i].at, sent[0], NULL)));
		esp_front_mend(buffer, len, (const uint8_t(*)[16])sent);
		must(bytes_load16(at) == wanted(&rows[_i], sum_transport(buffer, len,
		    rows[_i].at, NULL, NULL)), "%04x", low);
	}
}
END_TEST

START_TEST(mend_leaves_alone)
{
	static const struct { uint8_t protocol, at; uint16_t sum; bool v4; } cases[] = {
		{ UDP, 6, 0, true }, { UDP, 6, 0, false }, { SCTP, 8, 0x1234, true },
		{ 1, 2, 0x1234, true }, { ICMPV6, 2, 0x1234, true }, { 47, 4, 1, true },
		{ 59, 2, 1, false },
	};
	uint8_t buffer[MAX], before[MAX], sent[2][16];
	uint64_t seed = 7;

	fill_random(&seed, sent[0], sizeof sent);
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct bytes p = packet(buffer, cases[i].v4, cases[i].protocol, 40,
		    &seed);

		bytes_store16(buffer + sum_transport_at(buffer) + cases[i].at,
		    cases[i].sum);
		memcpy(before, buffer, p.len);
		esp_front_mend(buffer, (uint32_t)p.len, (const uint8_t(*)[16])sent);
		must(memcmp(before, buffer, p.len) == 0, "row %u", i);
	}
}
END_TEST

/* Destination options before the transport header are walked over. */
START_TEST(mend_behind_options)
{
	uint8_t buffer[MAX], plain[MAX], body[48], sent[2][16];
	uint64_t seed = 3;
	struct bytes p;

	fill_random(&seed, sent[0], sizeof sent);
	fill_random(&seed, body + 8, 40);
	memcpy(body, "\x11\x00\x01\x04\x00\x00\x00\x00", 8);
	p = ipv6(plain, UDP, bytes_of(body + 8, 40));
	bytes_store16(body + 14, sum_transport(p.p, (uint32_t)p.len, 6, sent[0],
	    sent[1]));
	p = ipv6(buffer, DESTINATION, bytes_of(body, sizeof body));
	esp_front_mend(buffer, (uint32_t)p.len, (const uint8_t(*)[16])sent);
	ck_assert_uint_eq(bytes_load16(buffer + 54),
	    sum_transport(plain, 80, 6, NULL, NULL));
}
END_TEST

/* Prefixes on exact allocations: too short for the checksum is left as it is. */
START_TEST(mend_truncated)
{
	uint8_t buffer[MAX], sent[2][16];
	uint64_t seed = 8;

	fill_random(&seed, sent[0], sizeof sent);
	for (unsigned way = 0; way < 2; way++) {
		struct bytes p = packet(buffer, way == 0, rows[_i].protocol, 40, &seed);
		size_t end = sum_transport_at(buffer) + rows[_i].at + 2U;
		bool covered = way == 0 ? rows[_i].v4 : rows[_i].v6;

		bytes_store16(buffer + end - 2, 0x1234);
		for (size_t len = 0; len <= p.len; len++) {
			uint8_t *copy = exact_copy(bytes_of(buffer, len));
			bool same;

			esp_front_mend(copy, (uint32_t)len, (const uint8_t(*)[16])sent);
			same = len == 0 || memcmp(copy, buffer, len) == 0;
			must(same == (len < end || !covered), "way %u: %zu", way, len);
			free(copy);
		}
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("front");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, mend_as_if_computed_anew, 0, (int)COUNT(rows));
	tcase_add_test(tcase, mend_one_end);
	tcase_add_test(tcase, mend_rfc1624);
	tcase_add_loop_test(tcase, mend_every_sum, 0, 2);
	tcase_add_test(tcase, mend_leaves_alone);
	tcase_add_test(tcase, mend_behind_options);
	tcase_add_loop_test(tcase, mend_truncated, 0, (int)COUNT(rows));
	return run_tests("front", tcase);
}
