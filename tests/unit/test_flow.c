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

static const uint8_t ports[] = { 0x12, 0x34, 0x00, 0x35, 1, 2, 3, 4 };

START_TEST(flow_ipv4)
{
	static const struct {
		uint8_t protocol;
		uint16_t fragment;
		unsigned words, payload;
		enum esp_ports kind;
		uint16_t port[2];
	} rows[] = {
		{ 17, 0, 5, 8, ESP_PORTS_PAIR, { 0x1234, 53 } },
		{ 6, 0x4000, 15, 8, ESP_PORTS_PAIR, { 0x1234, 53 } },
		{ 6, 0x2000, 5, 8, ESP_PORTS_PAIR, { 0x1234, 53 } },	/* first
									 * fragment */
		{ 17, 0, 5, 4, ESP_PORTS_PAIR, { 0x1234, 53 } },
		{ 17, 0, 5, 3, ESP_PORTS_NONE, { 0, 0 } },
		{ 17, 1, 5, 8, ESP_PORTS_NONE, { 0, 0 } },
		{ 17, 0x3fff, 5, 8, ESP_PORTS_NONE, { 0, 0 } },
		{ 1, 0, 5, 2, ESP_PORTS_TYPE, { 0x1234, 0x1234 } },
		{ 1, 0, 5, 1, ESP_PORTS_NONE, { 0, 0 } },
		{ 47, 0, 5, 8, ESP_PORTS_NONE, { 0, 0 } },
		{ 132, 0, 5, 8, ESP_PORTS_PAIR, { 0x1234, 53 } },
		{ 0, 0, 5, 0, ESP_PORTS_NONE, { 0, 0 } },
	};
	uint8_t buffer[128];
	struct esp_flow flow;

	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct bytes packet = ipv4(buffer, rows[i].protocol, rows[i].words,
		    rows[i].fragment, bytes_of(ports, rows[i].payload));
		uint8_t *copy = exact_copy(packet);

		ck_assert_msg(
		    esp_flow_read(bytes_of(copy, packet.len), &flow), "row %u", i);
		ck_assert_uint_eq(flow.family, ESP_IPV4);
		ck_assert_uint_eq(flow.protocol, rows[i].protocol);
		ck_assert_uint_eq(flow.len, packet.len);
		ck_assert_msg(flow.ports == rows[i].kind, "row %u", i);
		ck_assert_msg(memcmp(flow.port, rows[i].port, 4) == 0, "row %u", i);
		ck_assert_mem_eq(flow.addr[0], "\x0a\x01\x00\x05", 4);
		ck_assert_mem_eq(flow.addr[1], "\x0a\x02\x00\x06", 4);
		free(copy);
	}
}
END_TEST

START_TEST(flow_ipv6)
{
	/* chains of 8-octet headers, each { next, length, .. }, then ports */
	static const struct {
		uint8_t next, headers[3][8];
		unsigned n;
		uint8_t protocol;
		enum esp_ports kind;
	} rows[] = {
		{ 17, { { 0 } }, 0, 17, ESP_PORTS_PAIR },
		{ 58, { { 0 } }, 0, 58, ESP_PORTS_TYPE },
		{ 135, { { 0 } }, 0, 135, ESP_PORTS_TYPE },
		{ 0, { { 43, 0 }, { 60, 0 }, { 6, 0 } }, 3, 6, ESP_PORTS_PAIR },
		{ 60, { { 17, 1 }, { 9, 9, 9 } }, 2, 17, ESP_PORTS_PAIR },
		{ 44, { { 17, 0, 0, 1 } }, 1, 17, ESP_PORTS_PAIR },	/* first
									 * fragment */
		{ 44, { { 17, 0, 0, 8 } }, 1, 17, ESP_PORTS_NONE },	/* a later one */
		{ 44, { { 60, 0, 0, 8 } }, 1, 0, ESP_PORTS_NONE },
		{ 44, { { 60, 0, 0, 0 }, { 17, 0 } }, 2, 17, ESP_PORTS_PAIR },
		{ 51, { { 17, 0 } }, 1, 51, ESP_PORTS_NONE },	/* RFC 4301: AH is not
								 * skipped */
		{ 59, { { 0 } }, 0, 59, ESP_PORTS_NONE },
		{ 60, { { 17, 200 } }, 1, 0, ESP_PORTS_NONE },	/* longer than the
								 * packet */
		{ 60, { { 60, 0 } }, 1, 0, ESP_PORTS_NONE },	/* ports as a header,
								 * then none */
	};
	uint8_t buffer[128], payload[64];
	struct esp_flow flow;

	for (unsigned i = 0; i < COUNT(rows); i++) {
		size_t len = rows[i].n * 8;
		struct bytes packet;
		uint8_t *copy;

		memcpy(payload, rows[i].headers, len);
		memcpy(payload + len, ports, sizeof ports);
		packet =
		    ipv6(buffer, rows[i].next, bytes_of(payload, len + sizeof ports));
		copy = exact_copy(packet);
		ck_assert_msg(
		    esp_flow_read(bytes_of(copy, packet.len), &flow), "row %u", i);
		ck_assert_uint_eq(flow.family, ESP_IPV6);
		ck_assert_msg(
		    flow.protocol == rows[i].protocol, "row %u: %u", i, flow.protocol);
		ck_assert_msg(flow.ports == rows[i].kind, "row %u: %u", i, flow.ports);
		ck_assert_uint_eq(flow.len, packet.len);
		if (flow.ports == ESP_PORTS_PAIR)
			ck_assert_uint_eq(flow.port[1], 53);
		if (rows[i].next == 135)
			ck_assert_uint_eq(flow.port[0], 0x0000);
		ck_assert_uint_eq(flow.addr[0][15], 5);
		ck_assert_uint_eq(flow.addr[1][15], 6);
		free(copy);
	}
}
END_TEST

START_TEST(flow_extension_chain_is_bounded)
{
	uint8_t buffer[400], payload[300] = { 0 };
	struct esp_flow flow;

	for (unsigned n = 1; n <= 20; n++) {
		memset(payload, 0, sizeof payload);
		for (unsigned i = 0; i < n; i++)
			payload[8 * i] = i + 1 < n ? 60 : 17;
		memcpy(payload + 8 * n, ports, sizeof ports);
		ck_assert(
		    esp_flow_read(ipv6(buffer, 60, bytes_of(payload, 8 * n + 8)), &flow));
		ck_assert_uint_eq(flow.protocol, n <= 16 ? 17 : 0);
	}
}
END_TEST

START_TEST(flow_malformed_and_truncated)
{
	uint8_t buffer[128], six[128], chain[32] = { 43, 0, 0, 0, 0, 0, 0, 0, 17 };
	struct bytes packet[2] = { ipv4(buffer, 17, 6, 0, bytes_of(ports, 8)) };
	struct esp_flow flow;

	packet[1] = ipv6(six, 0, bytes_of(chain, 24));
	for (unsigned i = 0; i < 2; i++) {
		for (size_t len = 0; len < packet[i].len; len++) {
			uint8_t *copy = exact_copy(bytes_of(packet[i].p, len));

			ck_assert_msg(
			    !esp_flow_read(bytes_of(copy, len), &flow), "%zu", len);
			free(copy);
		}
		ck_assert(esp_flow_read(packet[i], &flow));
	}
	/* what lies behind the packet's own length is padding */
	ck_assert(esp_flow_read(bytes_of(buffer, sizeof buffer), &flow));
	ck_assert_uint_eq(flow.len, 32);

	/* shorter by its own header: never past that, even if octets follow */
	for (unsigned len = 0; len < 32; len++) {
		bytes_store16(buffer + 2, (uint16_t)len);
		ck_assert(esp_flow_read(bytes_of(buffer, 32), &flow) == (len >= 24));
		if (len >= 24)
			ck_assert(
			    flow.ports == (len < 28 ? ESP_PORTS_NONE : ESP_PORTS_PAIR));
	}
	bytes_store16(buffer + 2, 32);
	for (unsigned version = 0; version < 16; version++)
		for (unsigned words = 0; words < 16; words++) {
			buffer[0] = (uint8_t)(version << 4 | words);
			ck_assert(esp_flow_read(bytes_of(buffer, 32), &flow) ==
			    (version == 4 && words >= 5 && words <= 8));
		}
}
END_TEST

START_TEST(flow_random_octets)
{
	uint64_t seed = 4;

	for (unsigned i = 0; i < 200000; i++) {
		uint8_t octets[96];
		size_t len = next_random(&seed) % sizeof octets;
		struct esp_flow flow;
		uint8_t *copy;

		fill_random(&seed, octets, len);
		octets[0] = (uint8_t)((i % 2 == 0 ? 0x60 : 0x40) | (octets[0] & 0xf));
		octets[2] = 0;
		octets[4] = 0;
		if (i % 3 == 0)
			octets[6] = (uint8_t)"\x00\x2b\x2c\x3c"[i % 4];
		copy = exact_copy(bytes_of(octets, len));
		if (esp_flow_read(bytes_of(copy, len), &flow) && flow.len > len)
			ck_abort_msg("longer than it is");
		free(copy);
	}
}
END_TEST

START_TEST(flow_selector_contains_just_the_packet)
{
	static const struct {
		uint8_t protocol;
		uint16_t fragment;
		const char *local, *remote;
	} rows[] = {
		{ 17, 0, "10.1.0.5[udp/4660]", "10.2.0.6[udp/53]" },
		{ 17, 9, "10.1.0.5[udp/opaque]", "10.2.0.6[udp/opaque]" },
		{ 1, 0, "10.1.0.5[icmp/18(52)]", "10.2.0.6[icmp/18(52)]" },
		{ 47, 0, "10.1.0.5[gre]", "10.2.0.6[gre]" },
		{ 0, 0, "10.1.0.5", "10.2.0.6" },
	};
	uint8_t buffer[64];
	struct esp_flow flow;

	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct esp_selector s, out = selector(rows[i].local, rows[i].remote);
		struct esp_selector in = selector(rows[i].remote, rows[i].local);

		ck_assert(esp_flow_read(ipv4(buffer, rows[i].protocol, 5,
					    rows[i].fragment, bytes_of(ports, 8)),
		    &flow));
		s = esp_flow_selector(&flow, ESP_OUT);
		ck_assert_msg(memcmp(&s, &out, sizeof s) == 0, "row %u", i);
		ck_assert(esp_selector_valid(&s));
		ck_assert(esp_selector_matches(&s, &flow, ESP_OUT));
		s = esp_flow_selector(&flow, ESP_IN);
		ck_assert_msg(memcmp(&s, &in, sizeof s) == 0, "row %u", i);
		ck_assert(esp_selector_matches(&s, &flow, ESP_IN));
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("flow");

	tcase_add_test(tcase, flow_ipv4);
	tcase_add_test(tcase, flow_ipv6);
	tcase_add_test(tcase, flow_extension_chain_is_bounded);
	tcase_add_test(tcase, flow_malformed_and_truncated);
	tcase_add_test(tcase, flow_random_octets);
	tcase_add_test(tcase, flow_selector_contains_just_the_packet);
	return run_tests("flow", tcase);
}
