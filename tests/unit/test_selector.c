#include <check.h>
#include <stdlib.h>

#include "libesp/selector.h"
#include "tests/unit/packets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static struct esp_range
range(const char *text)
{
	struct esp_range r = { .family = 0 };

	ck_assert_msg(esp_range_parse(text, &r), "\"%s\" does not parse", text);
	return r;
}

static struct esp_selector
selector(const char *local, const char *remote)
{
	return (struct esp_selector){ .local = range(local), .remote = range(remote) };
}

/* ---- validity, prefixes ---- */

START_TEST(range_valid_refuses)
{
	struct esp_range good = range("10.1.0.0/24[udp/53-54]"), r;

	ck_assert(esp_range_valid(&good));
	r = good, r.family = 5;
	ck_assert(!esp_range_valid(&r));
	r = good, r.family = 0;
	ck_assert(!esp_range_valid(&r));
	r = good, r.addr[0][3] = 1, r.addr[1][3] = 0;
	ck_assert(!esp_range_valid(&r));
	r = good, r.addr[0][15] = 1;
	ck_assert(!esp_range_valid(&r));
	r = good, r.addr[1][4] = 1;
	ck_assert(!esp_range_valid(&r));
	r = good, r.port[1] = 52;
	ck_assert(!esp_range_valid(&r));
	r = good, r.port[0] = 65535, r.port[1] = 1;
	ck_assert(!esp_range_valid(&r));
	r = good, r.protocol = 0;
	ck_assert(!esp_range_valid(&r));
	r = good, r.port[0] = 65535, r.port[1] = 0;
	ck_assert(esp_range_valid(&r));
	r.protocol = 0;
	ck_assert(esp_range_valid(&r));
	r = good, r.port[0] = r.port[1] = 65535;
	ck_assert(esp_range_valid(&r));
}
END_TEST

START_TEST(selector_valid_wants_one_family)
{
	struct esp_selector s = selector("10.0.0.0/8", "10.0.0.0/8");

	ck_assert(esp_selector_valid(&s));
	s.remote = range("::/0");
	ck_assert(!esp_selector_valid(&s));
	s.remote.family = 0;
	ck_assert(!esp_selector_valid(&s));
}
END_TEST

START_TEST(range_from_prefix_clears_host_bits)
{
	static const uint8_t addr[16] = { 10, 1, 2, 255, 5, 6, 7, 8, 9, 10, 11, 12, 13,
		14, 15, 16 };
	struct esp_range r, want = range("10.1.2.240/28");
	unsigned bits;

	ck_assert(esp_range_from_prefix(&r, ESP_IPV4, addr, 28));
	ck_assert(esp_range_equal(&r, &want));
	ck_assert(!esp_range_from_prefix(&r, ESP_IPV4, addr, 33));
	ck_assert(!esp_range_from_prefix(&r, ESP_IPV6, addr, 129));
	ck_assert(!esp_range_from_prefix(&r, 0, addr, 0));
	for (unsigned i = 0; i <= 128; i++) {
		ck_assert(esp_range_from_prefix(&r, ESP_IPV6, addr, i));
		ck_assert(esp_range_valid(&r));
		ck_assert(esp_range_is_prefix(&r, &bits) && bits == i);
	}
}
END_TEST

/* Ranges of all sizes, often at the edges. */
static struct esp_range
random_addresses(uint64_t *seed, uint8_t family)
{
	struct esp_range r = esp_range_any(family);
	unsigned len = family == ESP_IPV4 ? 4 : 16;
	uint8_t other[16];

	fill_random(seed, r.addr[0], len);
	memcpy(r.addr[1], r.addr[0], len);
	for (unsigned i = (unsigned)(next_random(seed) % len); i < len; i++)
		switch (next_random(seed) % 4) {
		case 0:
			r.addr[0][i] = 0;
			break;
		case 1:
			r.addr[1][i] = 255;
			break;
		default:
			r.addr[1][i] = (uint8_t)next_random(seed);
		}
	if (memcmp(r.addr[0], r.addr[1], len) > 0) {
		memcpy(other, r.addr[0], 16);
		memcpy(r.addr[0], r.addr[1], 16);
		memcpy(r.addr[1], other, 16);
	}
	return r;
}

static void
increment(uint8_t *addr, unsigned len)
{
	for (unsigned i = len; i-- > 0 && ++addr[i] == 0;)
		;
}

START_TEST(range_prefixes_tile_the_range)
{
	uint64_t seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		uint8_t family = round % 2 == 0 ? ESP_IPV4 : ESP_IPV6;
		unsigned len = family == ESP_IPV4 ? 4 : 16, n = 0;
		struct esp_range r = random_addresses(&seed, family), tile, before, sum;
		struct esp_prefix p = { .family = 0 };
		uint8_t next[16];
		bool ok = true;
		unsigned bits;

		memcpy(next, r.addr[0], 16);
		while (ok && esp_range_next_prefix(&r, &p)) {
			ok = esp_range_from_prefix(&tile, p.family, p.addr, p.bits) &&
			    memcmp(tile.addr[0], p.addr, 16) == 0 &&
			    memcmp(tile.addr[0], next, 16) == 0;
			if (ok && n > 0) {	/* two that make one prefix would be
						 * too many */
				sum = before;
				memcpy(sum.addr[1], tile.addr[1], 16);
				ok = !esp_range_is_prefix(&sum, &bits);
			}
			memcpy(next, tile.addr[1], 16);
			increment(next, len);
			before = tile;
			n++;
		}
		if (!ok || n == 0 || n > (family == ESP_IPV4 ? 62 : 254) ||
		    memcmp(tile.addr[1], r.addr[1], 16) != 0)
			ck_abort_msg("round %u, prefix %u", round, n);
	}
}
END_TEST

START_TEST(range_prefixes_whole_space_and_worst_case)
{
	struct esp_range r = esp_range_any(ESP_IPV4);
	struct esp_prefix p = { .family = 0 };
	unsigned n = 0;

	ck_assert(esp_range_next_prefix(&r, &p));
	ck_assert_uint_eq(p.bits, 0);
	ck_assert(!esp_range_next_prefix(&r, &p));
	r = range("0.0.0.1-255.255.255.254");
	p.family = 0;
	while (esp_range_next_prefix(&r, &p))
		n++;
	ck_assert_uint_eq(n, 62);
}
END_TEST

/* ---- sets of packets: every operation against membership of every packet of a small
 * world ---- */

static const uint8_t world_protocols[] = { 0, 1, 6, 47 };

static struct esp_range
random_range(uint64_t *seed)
{
	struct esp_range r = range("10.0.0.0/32");
	uint8_t first = (uint8_t)(next_random(seed) % 4),
		last = (uint8_t)(next_random(seed) % 4);

	r.addr[0][3] = first < last ? first : last;
	r.addr[1][3] = first < last ? last : first;
	r.protocol = world_protocols[next_random(seed) % 4];
	switch (next_random(seed) % 3) {
	case 0:
		break;
	case 1:
		r.port[0] = 65535, r.port[1] = 0;
		break;
	default:
		if (r.protocol == 0)
			break;
		r.port[0] = (uint16_t)(next_random(seed) % 3);
		r.port[1] = (uint16_t)(r.port[0] + next_random(seed) % 2);
	}
	return r;
}

/* Packet number i of the world, whose ends are the same; false behind the last. */
static bool
world_flow(unsigned i, struct esp_flow *flow)
{
	static const uint8_t kinds[] = { ESP_PORTS_NONE, ESP_PORTS_TYPE, ESP_PORTS_PAIR,
	    ESP_PORTS_NONE };
	unsigned protocol = i / 4 % 4, port = i / 16 % 5;

	*flow = (struct esp_flow){ .family = ESP_IPV4, .addr = { { 10 }, { 10 } } };
	flow->addr[0][3] = flow->addr[1][3] = (uint8_t)(i % 4);
	flow->protocol = world_protocols[protocol];
	flow->ports = port == 4 ? ESP_PORTS_NONE : kinds[protocol];
	flow->port[0] = flow->port[1] = (uint16_t)port;
	return i < 80;
}

static bool
in_world(const struct esp_range *r, const struct esp_flow *flow, bool sender)
{
	struct esp_selector s = { *r, *r };

	*(sender ? &s.remote : &s.local) = esp_range_any(ESP_IPV4);
	return esp_selector_matches(&s, flow, ESP_OUT);
}

START_TEST(range_operations_agree_with_sets)
{
	uint64_t seed = 2;
	unsigned meeting = 0, subsets = 0;

	for (unsigned round = 0; round < 20000; round++) {
		struct esp_range a = random_range(&seed), b = random_range(&seed), both;
		bool meet = esp_range_intersect(&a, &b, &both);
		bool subset = esp_range_subset(&a, &b);
		struct esp_flow flow;

		if (!esp_range_valid(&a) || (meet && !esp_range_valid(&both)) ||
		    meet != esp_range_intersect(&b, &a, &both))
			ck_abort_msg("round %u", round);
		meeting += meet;
		subsets += subset;
		for (unsigned i = 0; world_flow(i, &flow); i++)
			for (int sender = 0; sender < 2; sender++) {
				bool in_a = in_world(&a, &flow, sender);
				bool in_b = in_world(&b, &flow, sender);
				bool in_both = meet && in_world(&both, &flow, sender);

				/* OPAQUE means something else to an ICMP receiver */
				if (!sender && flow.ports == ESP_PORTS_TYPE)
					continue;
				if (in_both != (in_a && in_b) ||
				    (subset && in_a && !in_b))
					ck_abort_msg("round %u, packet %u", round, i);
			}
		if (subset && !(meet && esp_range_equal(&both, &a)))
			ck_abort_msg("round %u: subset", round);
	}
	ck_assert_uint_gt(meeting, 1000);
	ck_assert_uint_gt(subsets, 1000);
}
END_TEST

START_TEST(range_intersect_in_place_and_untouched)
{
	struct esp_range a = range("10.0.0.0/8[udp]"), b = range("10.1.0.0/16[udp/53]");
	struct esp_range c = range("11.0.0.0/8"), want = range("10.1.0.0/16[udp/53]");
	struct esp_range six = range("::/0");

	ck_assert(!esp_range_intersect(&a, &c, &a));
	ck_assert(!esp_range_intersect(&a, &six, &a));
	ck_assert_uint_eq(a.addr[0][0], 10);
	ck_assert(esp_range_intersect(&a, &b, &a));
	ck_assert(esp_range_equal(&a, &want));
	ck_assert(!esp_range_subset(&six, &a));
}
END_TEST

/* ---- precedence ---- */

START_TEST(selector_rank_orders_specific_first)
{
	static const char *const rows[][2] = {	/* local, remote: ascending */
		{ "10.1.0.1[udp/1]", "10.2.0.1[udp/1]" },
		{ "10.1.0.1[udp/1-2]", "10.2.0.1[udp/1]" },
		{ "10.1.0.1[udp/1]", "10.2.0.1[udp/1-2]" },
		{ "10.1.0.1[udp]", "10.2.0.1[udp]" },
		{ "10.1.0.1", "10.2.0.1" },
		{ "10.1.0.0/24[udp/1]", "10.2.0.1[udp/1]" },
		{ "0.0.0.0/0", "10.2.0.1" },
		{ "10.1.0.1[udp/1]", "10.2.0.255-10.2.1.0" },	/* two, whatever prefix */
		{ "10.1.0.1[udp/1]", "10.2.0.0/30" },
		{ "10.1.0.1[udp/1]", "10.2.0.1-10.2.0.9" },
		{ "10.1.0.1[udp/1]", "10.2.0.0/27" },
		{ "0.0.0.0/0", "0.0.0.0/1" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "::/0", "::/0" },
	};

	for (unsigned i = 0; i + 1 < COUNT(rows); i++) {
		struct esp_selector a = selector(rows[i][0], rows[i][1]);
		struct esp_selector b = selector(rows[i + 1][0], rows[i + 1][1]);

		ck_assert_msg(esp_selector_rank(&a) < esp_selector_rank(&b), "row %u", i);
		ck_assert_int_lt(esp_selector_compare(&a, &b), 0);
		ck_assert_int_gt(esp_selector_compare(&b, &a), 0);
		ck_assert_uint_lt(esp_selector_rank(&b), 1u << 27);
	}
}
END_TEST

START_TEST(selector_compare_is_total)
{
	struct esp_selector s[60];
	uint64_t seed = 3;

	for (unsigned i = 0; i < COUNT(s); i++) {
		s[i].local = random_range(&seed);
		s[i].remote = random_range(&seed);
	}
	for (unsigned i = 0; i < COUNT(s); i++)
		for (unsigned j = 0; j < COUNT(s); j++) {
			int order = esp_selector_compare(&s[i], &s[j]);
			bool same = memcmp(&s[i], &s[j], sizeof s[i]) == 0;

			if ((order == 0) != same ||
			    (order < 0) != (esp_selector_compare(&s[j], &s[i]) > 0))
				ck_abort_msg("%u, %u", i, j);
			for (unsigned k = 0; k < COUNT(s); k++)
				if (order < 0 && esp_selector_compare(&s[j], &s[k]) < 0 &&
				    esp_selector_compare(&s[i], &s[k]) >= 0)
					ck_abort_msg("%u < %u < %u", i, j, k);
		}
}
END_TEST

static const uint8_t ports[] = { 0x12, 0x34, 0x00, 0x35, 1, 2, 3, 4 };

START_TEST(selector_matches_by_direction)
{
	struct esp_selector s = selector("10.1.0.0/24", "10.2.0.0/24[udp/53]");
	uint8_t buffer[64];
	struct esp_flow flow;

	s.local.protocol = 17;
	ck_assert(esp_flow_read(ipv4(buffer, 17, 5, 0, bytes_of(ports, 8)), &flow));
	ck_assert(esp_selector_matches(&s, &flow, ESP_OUT));
	ck_assert(!esp_selector_matches(&s, &flow, ESP_IN));
	flow.port[1] = 54;
	ck_assert(!esp_selector_matches(&s, &flow, ESP_OUT));
	flow = (struct esp_flow){ .family = ESP_IPV4,
		.protocol = 17,
		.ports = ESP_PORTS_PAIR,
		.port = { 53, 0x1234 },
		.addr = { { 10, 2, 0, 6 }, { 10, 1, 0, 5 } } };
	ck_assert(esp_selector_matches(&s, &flow, ESP_IN));
	ck_assert(!esp_selector_matches(&s, &flow, ESP_OUT));
	flow.family = ESP_IPV6;
	ck_assert(!esp_selector_matches(&s, &flow, ESP_IN));
}
END_TEST

START_TEST(selector_later_fragments_need_any_or_opaque)
{
	static const struct { const char *remote; bool matches; } rows[] = {
		{ "10.2.0.0/24", true }, { "10.2.0.0/24[udp]", true },
		{ "10.2.0.0/24[udp/opaque]", true }, { "10.2.0.0/24[any/opaque]", true },
		{ "10.2.0.0/24[udp/53]", false }, { "10.2.0.0/24[udp/0-65534]", false },
		{ "10.2.0.0/24[tcp]", false },
	};
	uint8_t buffer[64];
	struct esp_flow flow;

	ck_assert(esp_flow_read(ipv4(buffer, 17, 5, 100, bytes_of(ports, 8)), &flow));
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct esp_selector s = selector("10.1.0.0/24", rows[i].remote);

		ck_assert_msg(esp_selector_matches(&s, &flow, ESP_OUT) == rows[i].matches,
		    "row %u", i);
	}
}
END_TEST

/* RFC 4301 4.4.1.3: one range with the type and the other OPAQUE is one-way. */
START_TEST(selector_icmp_types)
{
	static const struct { const char *local, *remote; bool out, in; } rows[] = {
		{ "10.1.0.0/24[icmp]", "10.2.0.0/24[icmp]", true, true },
		{ "10.1.0.0/24[icmp/8]", "10.2.0.0/24[icmp/8]", true, true },
		{ "10.1.0.0/24[icmp/8(0)]", "10.2.0.0/24[icmp/opaque]", true, false },
		{ "10.1.0.0/24[icmp/opaque]", "10.2.0.0/24[icmp/8(0)]", false, true },
		{ "10.1.0.0/24[icmp/8(0)]", "10.2.0.0/24[icmp/0(0)]", false, false },
		{ "10.1.0.0/24[icmp/0]", "10.2.0.0/24[icmp/0]", false, false },
	};
	struct esp_flow out = { .family = ESP_IPV4,
		.protocol = 1,
		.ports = ESP_PORTS_TYPE,
		.port = { 0x800, 0x800 },
		.addr = { { 10, 1, 0, 5 }, { 10, 2, 0, 6 } } };
	struct esp_flow in = out;

	memcpy(in.addr[0], out.addr[1], 16);
	memcpy(in.addr[1], out.addr[0], 16);
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct esp_selector s = selector(rows[i].local, rows[i].remote);

		ck_assert_msg(
		    esp_selector_matches(&s, &out, ESP_OUT) == rows[i].out, "row %u", i);
		ck_assert_msg(
		    esp_selector_matches(&s, &in, ESP_IN) == rows[i].in, "row %u", i);
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("selector");

	tcase_add_test(tcase, range_valid_refuses);
	tcase_add_test(tcase, selector_valid_wants_one_family);
	tcase_add_test(tcase, range_from_prefix_clears_host_bits);
	tcase_add_test(tcase, range_prefixes_tile_the_range);
	tcase_add_test(tcase, range_prefixes_whole_space_and_worst_case);
	tcase_add_test(tcase, range_operations_agree_with_sets);
	tcase_add_test(tcase, range_intersect_in_place_and_untouched);
	tcase_add_test(tcase, selector_rank_orders_specific_first);
	tcase_add_test(tcase, selector_compare_is_total);
	tcase_add_test(tcase, selector_matches_by_direction);
	tcase_add_test(tcase, selector_later_fragments_need_any_or_opaque);
	tcase_add_test(tcase, selector_icmp_types);
	return run_tests("selector", tcase);
}
