/* ESP in transport mode, RFC 4303 3.1.1: the IP header stays in front. */
#include <check.h>
#include <stdlib.h>

#include "libesp/front.h"
#include "tests/unit/ends.h"
#include "tests/unit/octets.h"
#include "tests/unit/packets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (unsigned)(sizeof (a) / sizeof *(a))

enum { MAX = 2048, TCP = 6, UDP = 17, MORE_FRAGMENTS = 0x2000 };

static const struct esp_transform *
gcm(void)
{
	return esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE);
}

static void
prepare(struct ends *ends, const struct esp_transform *t, bool esn)
{
	ends_prepare(ends, t, esn);
	ends->config.mode = ESP_TRANSPORT;
	ends_add(ends);
}

/* What a host has that received the packet: all of it on its own allocation. */
static struct esp_packet
received(const struct esp_packet *sent)
{
	struct esp_packet p = packet_new(bytes_of(sent->data - sent->front,
	    sent->front + sent->len), (struct esp_room){ 0, 0 });

	p.data += sent->front;
	p.len -= sent->front;
	p.front = sent->front;
	return p;
}

/* ---- there and back ---- */

static void
check_front(const struct esp_packet *p, struct bytes inner, unsigned header)
{
	const uint8_t *front = p->data - p->front;

	ck_assert_uint_eq(p->front, header);
	if (header == 20) {
		ck_assert_uint_eq(bytes_load16(front + 2), header + p->len);
		ck_assert_uint_eq(front[9], ESP_PROTOCOL);
		ck_assert_uint_eq(ipv4_checksum(front), 0);
		ck_assert_mem_eq(front + 12, inner.p + 12, 8);
		ck_assert_mem_eq(front + 4, inner.p + 4, 5);
	} else {
		ck_assert_uint_eq(bytes_load16(front + 4), p->len);
		ck_assert_uint_eq(front[6], ESP_PROTOCOL);
		ck_assert_mem_eq(front + 7, inner.p + 7, 33);
		ck_assert_mem_eq(front, inner.p, 4);
	}
}

START_TEST(transport_round_trip)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	uint64_t seed = 3;

	for (unsigned way = 0; way < 4; way++) {
		uint8_t family = way % 2 == 0 ? ESP_IPV4 : ESP_IPV6;
		unsigned header = family == ESP_IPV4 ? 20 : 40;
		struct esp_room room = esp_transform_overhead(t);
		struct ends ends;

		prepare(&ends, t, way / 2 == 1);
		for (size_t len = header + 8; len < 1500; len += 1 + len / 100) {
			uint8_t buffer[MAX];
			struct bytes inner = inner_packet(buffer, family, len, &seed);
			struct esp_packet p = packet_new(inner, room), got;

			ends_seal(&ends, &p);
			check_front(&p, inner, header);
			must(bytes_load32(p.data) == ENDS_SPI && p.head == 0 &&
			    p.next_header == UDP, "%zu: marks", len);
			must(p.front + p.len + p.tail == room.head + len + room.tail,
			    "%zu: tail", len);
			got = received(&p);
			esp_open(ends.in, &got, 1);
			must(got.verdict == ESP_OK, "%zu: verdict %u", len, got.verdict);
			must(bytes_equal(bytes_of(got.data, got.len), inner),
			    "%zu: changed", len);
			must(got.front == 0 && got.next_header == UDP &&
			    got.head == room.head, "%zu: marks", len);
			packet_free(&got);
			packet_free(&p);
		}
		ends_free(&ends);
	}
}
END_TEST

/* RFC 3602 4, case 5: the IP headers before and after. */
START_TEST(front_rfc3602)
{
	struct bytes before = octets("45000054 08f20000 4001f9fe c0a87b03 c0a87b64");
	struct bytes after = octets("4500007c 08f20000 4032f9a5 c0a87b03 c0a87b64");
	struct esp_front front;
	uint8_t header[20];

	ck_assert(esp_front_find(before, ESP_IPV4, &front));
	ck_assert(front.len == 20 && front.next == 9);
	memcpy(header, before.p, sizeof header);
	esp_front_write(header, &front, ESP_PROTOCOL, 0x7c - 20);
	ck_assert_mem_eq(header, after.p, sizeof header);
	ck_assert(esp_front_read(after, &front));
	ck_assert(!esp_front_read(before, &front));
	esp_front_write(header, &front, 1, 0x54 - 20);
	ck_assert_mem_eq(header, before.p, sizeof header);
	octets_free(before);
	octets_free(after);
}
END_TEST

/* IPv4 options stay in front, whatever their number. */
START_TEST(transport_ipv4_options)
{
	static const uint8_t text[24] = "eight and some octets";
	struct ends ends;

	prepare(&ends, gcm(), false);
	for (unsigned words = 5; words <= 15; words++) {
		uint8_t buffer[MAX];
		struct bytes inner = ipv4(buffer, UDP, words, 0,
		    bytes_of(text, sizeof text));
		struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm()));
		struct esp_packet got;

		ends_seal(&ends, &p);
		ck_assert_uint_eq(p.front, 4 * words);
		ck_assert_uint_eq(ipv4_checksum(p.data - p.front), 0);
		got = received(&p);
		esp_open(ends.in, &got, 1);
		ck_assert_uint_eq(got.verdict, ESP_OK);
		ck_assert(bytes_equal(bytes_of(got.data, got.len), inner));
		packet_free(&got);
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

/* ---- IPv6 extension headers ---- */

enum { H = 0, R = 43, F = 44, D = 60, AH = 51, END = UDP };

/* Each header has 8 octets but hop-by-hop options, which have 16. */
static const struct {
	uint8_t chain[18];
	unsigned front, next;		/* 0: refused */
} chains[] = {
	{ { END }, 40, 6 },
	{ { H, END }, 56, 40 },
	{ { H, R, F, END }, 72, 64 },
	{ { H, D, R, F, D, END }, 80, 72 },	/* the figure of RFC 4303 3.1.1 */
	{ { D, END }, 40, 6 },			/* for the last receiver: protected */
	{ { D, D, END }, 40, 6 },
	{ { D, R, END }, 56, 48 },
	{ { R, D, END }, 48, 40 },
	{ { R, D, R, D, END }, 64, 56 },
	{ { F, END }, 48, 40 },			/* a fragment that is whole, RFC 6946 */
	{ { AH, END }, 40, 6 },			/* not one of ours to look into */
	{ { D, H, END }, 0, 0 },
	{ { R, H, END }, 0, 0 },
	{ { R, R, R, R, R, R, R, R, R, R, R, R, R, R, R, END }, 160, 152 },
	{ { R, R, R, R, R, R, R, R, R, R, R, R, R, R, R, R, END }, 0, 0 }
};

static struct bytes
chain_packet(const uint8_t *chain, uint8_t *buffer)
{
	uint8_t body[256] = { 0 };
	size_t at = 0;

	for (; *chain != END; chain++) {
		body[at] = chain[1];
		body[at + 1] = *chain == H;
		at += *chain == H ? 16 : 8;
	}
	memcpy(body + at, "port and length, and text", 25);
	return ipv6(buffer, chain[0] == END ? END : chain[0], bytes_of(body, at + 25));
}

START_TEST(transport_ipv6_chains)
{
	uint8_t buffer[MAX], first = chains[_i].chain[0];
	struct bytes inner = chain_packet(chains[_i].chain, buffer);
	struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm())), got;
	struct esp_front front;
	struct ends ends;

	buffer[6] = first;
	p.data[6] = first;
	prepare(&ends, gcm(), false);
	esp_find(ends.out, &p, 1);
	ck_assert_uint_eq(p.verdict, ESP_OK);
	esp_seal(ends.out, &p, 1);
	ck_assert_uint_eq(p.verdict, chains[_i].front != 0 ? ESP_OK : ESP_MALFORMED);
	if (chains[_i].front != 0) {
		ck_assert_uint_eq(p.front, chains[_i].front);
		ck_assert_uint_eq((p.data - p.front)[chains[_i].next], ESP_PROTOCOL);
		ck_assert_uint_eq(p.next_header, inner.p[chains[_i].next]);
		ck_assert(esp_front_read(bytes_of(p.data - p.front, p.front), &front));
		ck_assert_uint_eq(front.next, chains[_i].next);
		got = received(&p);
		esp_open(ends.in, &got, 1);
		ck_assert_uint_eq(got.verdict, ESP_OK);
		ck_assert(bytes_equal(bytes_of(got.data, got.len), inner));
		packet_free(&got);
	}
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

/* Destination options that an honest peer left in front are allowed there. */
START_TEST(front_destination_options_outside)
{
	uint8_t buffer[64];
	struct bytes options = octets("3200010400000000");
	struct bytes p = ipv6(buffer, D, options);
	struct esp_front front;

	ck_assert(esp_front_read(p, &front));
	ck_assert(front.len == 48 && front.next == 40);
	octets_free(options);
}
END_TEST

/* RFC 4303 3.3.4: whole packets only. */
START_TEST(transport_refuses_fragments)
{
	static const uint8_t body[32];
	static const struct { uint16_t ipv4, ipv6; } rows[] = {
		{ MORE_FRAGMENTS, 1 }, { 1, 8 }, { 0x1fff, 0xfff8 },
		{ MORE_FRAGMENTS | 5, 9 }
	};
	struct ends ends;

	prepare(&ends, gcm(), false);
	for (unsigned i = 0; i < COUNT(rows); i++) {
		uint8_t buffer[MAX], header[16] = { UDP };
		struct esp_packet v[2];

		v[0] = packet_new(ipv4(buffer, UDP, 5, rows[i].ipv4,
		    bytes_of(body, sizeof body)), esp_transform_overhead(gcm()));
		bytes_store16(header + 2, rows[i].ipv6);
		v[1] = packet_new(ipv6(buffer, F, bytes_of(header, sizeof header)),
		    esp_transform_overhead(gcm()));
		esp_find(ends.out, v, 2);
		esp_seal(ends.out, v, 2);
		ck_assert_uint_eq(v[0].verdict, ESP_MALFORMED);
		ck_assert_uint_eq(v[1].verdict, ESP_MALFORMED);
		packet_free(&v[0]);
		packet_free(&v[1]);
	}
	ends_free(&ends);
}
END_TEST

/* ---- what stands in front of a received packet ---- */

/* Every prefix and every value of each octet: never read beyond, and true only for what
 * is a header whose last says ESP. */
START_TEST(front_any_octets)
{
	uint8_t buffer[256];
	struct bytes p = chain_packet(chains[3].chain, buffer);
	struct esp_front front;

	buffer[6] = H;
	buffer[72] = ESP_PROTOCOL;
	for (size_t len = 0; len <= 80; len++) {
		struct bytes prefix = octets_prefix(p, len);

		ck_assert_msg(esp_front_read(prefix, &front) == (len == 80), "%zu", len);
		(void)(len >= 40 && esp_front_find(prefix, ESP_IPV6, &front));
		octets_free(prefix);
	}
	for (size_t at = 0; at < 80; at++)
		for (unsigned value = 0; value < 256; value++) {
			uint8_t *copy = exact_copy(bytes_of(p.p, 80));

			copy[at] = (uint8_t)value;
			if (esp_front_read(bytes_of(copy, 80), &front))
				ck_assert(front.len == 80 &&
				    copy[front.next] == ESP_PROTOCOL);
			free(copy);
		}
}
END_TEST

/* Fronts that were changed on the way, or were never one, before a payload that is the
 * peer's: whatever comes out is an IP packet inside the buffer. */
START_TEST(open_any_front)
{
	unsigned delivered = 0;
	uint64_t seed = 6;
	struct ends ends;

	prepare(&ends, gcm(), false);
	for (unsigned round = 0; round < 6000; round++) {
		uint8_t buffer[MAX], *begin, *end;
		unsigned row = round % 9;
		struct bytes inner = chain_packet(chains[row].chain, buffer);
		struct esp_packet p, got;
		struct esp_flow flow;

		buffer[6] = chains[row].chain[0];
		p = packet_new(inner, esp_transform_overhead(gcm()));
		ends_seal(&ends, &p);
		got = received(&p);
		begin = got.data - got.front;
		end = got.data + got.len;
		for (uint64_t n = next_random(&seed) % 4; n > 0; n--)
			begin[next_random(&seed) % got.front] ^=
			    (uint8_t)next_random(&seed);
		if (next_random(&seed) % 8 == 0) {
			got.front = (uint16_t)(next_random(&seed) % (got.front + 1u));
			got.head = (uint16_t)(got.data - got.front - begin);
		}
		esp_open(ends.in, &got, 1);
		must(got.data - got.front - got.head == begin &&
		    got.data + got.len + got.tail == end, "%u: moved", round);
		if (got.verdict == ESP_OK) {
			delivered++;
			must(esp_flow_read(bytes_of(got.data, got.len), &flow) &&
			    flow.len == got.len && got.front == 0, "%u", round);
		}
		packet_free(&got);
		packet_free(&p);
	}
	ck_assert_uint_gt(delivered, 2000);
	ck_assert_uint_lt(delivered, 6000);
	ends_free(&ends);
}
END_TEST

/* A wrong front is refused before anything is spent on the packet, which is opened by a
 * right one afterwards. */
START_TEST(open_needs_its_front)
{
	struct ends ends;
	uint64_t seed = 4;
	uint8_t buffer[MAX];
	struct bytes inner = inner_packet(buffer, ESP_IPV4, 100, &seed);
	struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm())), got;

	prepare(&ends, gcm(), false);
	ends_seal(&ends, &p);
	for (unsigned front = 0; front < 20; front++) {
		got = received(&p);
		got.head = (uint16_t)(20 - front);
		got.front = (uint16_t)front;
		esp_open(ends.in, &got, 1);
		must(got.verdict == ESP_MALFORMED, "%u: %u", front, got.verdict);
		packet_free(&got);
	}
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		got = received(&p);
		(got.data - 20)[9] = (uint8_t)protocol;
		if (protocol != ESP_PROTOCOL) {
			esp_open(ends.in, &got, 1);
			must(got.verdict == ESP_MALFORMED, "%u", protocol);
		}
		packet_free(&got);
	}
	got = received(&p);
	esp_open(ends.in, &got, 1);
	ck_assert_uint_eq(got.verdict, ESP_OK);
	ck_assert(bytes_equal(bytes_of(got.data, got.len), inner));
	packet_free(&got);
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

/* Routers change TTL, DS and ECN: they arrive as they came, with a right checksum. */
START_TEST(open_keeps_what_routers_changed)
{
	struct ends ends;
	uint64_t seed = 4;

	prepare(&ends, gcm(), false);
	for (unsigned tos = 0; tos < 256; tos++) {
		uint8_t buffer[MAX];
		struct bytes inner = inner_packet(buffer, ESP_IPV4, 60, &seed);
		struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm()));
		struct esp_packet got;

		p.data[1] = (uint8_t)tos;
		ends_seal(&ends, &p);
		ck_assert_uint_eq(p.tos, tos);
		got = received(&p);
		(got.data - 20)[1] = (uint8_t)(255 - tos);
		(got.data - 20)[8] -= 7;
		esp_open(ends.in, &got, 1);
		ck_assert_uint_eq(got.verdict, ESP_OK);
		ck_assert_uint_eq(got.data[1], 255 - tos);
		ck_assert_uint_eq(got.data[8], inner.p[8] - 7);
		ck_assert_uint_eq(ipv4_checksum(got.data), 0);
		packet_free(&got);
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

/* The front's addresses and the payload's ports against the SA's selectors. */
START_TEST(open_checks_transport_selectors)
{
	static const struct { uint8_t at, value; enum esp_verdict verdict; } rows[] = {
		{ 9, ESP_PROTOCOL, ESP_OK }, { 12, 11, ESP_POLICY },
		{ 15, 7, ESP_POLICY }, { 19, 7, ESP_POLICY }
	};
	uint8_t payload[16] = { 0x04, 0xd2, 0x00, 0x35 };
	uint8_t other[16] = { 0x04, 0xd2, 0, 54 };
	uint8_t buffer[MAX];
	struct esp_selector in;
	struct esp_packet got;
	struct ends ends;

	for (unsigned i = 0; i <= COUNT(rows); i++) {
		struct bytes inner = ipv4(buffer, UDP, 5, 0, bytes_of(i < COUNT(rows) ?
		    payload : other, sizeof payload));
		struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm()));

		ends_prepare(&ends, gcm(), false);
		ends.config.mode = ESP_TRANSPORT;
		ends_add(&ends);
		esp_remove(ends.in, ESP_IN, ENDS_ID);
		ck_assert(esp_range_parse("10.1.0.5", &in.remote));
		ck_assert(esp_range_parse("10.2.0.6[udp/53]", &in.local));
		ends.config.direction = ESP_IN;
		ends.config.selectors = &in;
		ends.config.n_selectors = 1;
		ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_SUCCESS);
		ends_seal(&ends, &p);
		got = received(&p);
		if (i < COUNT(rows))
			(got.data - 20)[rows[i].at] = rows[i].value;
		esp_open(ends.in, &got, 1);
		must(got.verdict == (i < COUNT(rows) ? rows[i].verdict : ESP_POLICY),
		    "row %u: %u", i, got.verdict);
		packet_free(&got);
		packet_free(&p);
		ends_free(&ends);
	}
}
END_TEST

/* A tunnel mode packet straight from a raw socket: what is in front is left behind. */
START_TEST(open_tunnel_behind_a_header)
{
	struct ends ends;
	uint64_t seed = 4;
	uint8_t buffer[MAX], outer[MAX];
	struct bytes inner = inner_packet(buffer, ESP_IPV6, 100, &seed), whole;
	struct esp_packet p = packet_new(inner, esp_transform_overhead(gcm())), got;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	ends_seal(&ends, &p);
	ck_assert_uint_eq(p.front, 0);
	whole = ipv4(outer, ESP_PROTOCOL, 5, 0, bytes_of(p.data, p.len));
	got = packet_new(whole, (struct esp_room){ 0, 0 });
	got.data += 20;
	got.len -= 20;
	got.front = 20;
	esp_open(ends.in, &got, 1);
	ck_assert_uint_eq(got.verdict, ESP_OK);
	ck_assert(bytes_equal(bytes_of(got.data, got.len), inner));
	ck_assert(got.front == 0 && got.head == 20 + 16);
	packet_free(&got);
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

/* ---- room and size ---- */

START_TEST(transport_needs_room)
{
	const struct esp_room need = esp_transform_overhead(gcm());
	struct ends ends;
	uint64_t seed = 1;
	uint8_t buffer[MAX];
	struct bytes inner = inner_packet(buffer, ESP_IPV4, 51, &seed);

	prepare(&ends, gcm(), false);
	for (unsigned head = 0; head <= need.head + 2u; head++)
		for (unsigned tail = 0; tail <= need.tail + 2u; tail++) {
			struct esp_room room = { (uint16_t)head, (uint16_t)tail };
			struct esp_packet p = packet_new(inner, room);
			bool enough = head >= need.head && tail >= need.tail;

			esp_find(ends.out, &p, 1);
			esp_seal(ends.out, &p, 1);
			must(p.verdict == (enough ? ESP_OK : ESP_NO_ROOM), "%u, %u: %u",
			    head, tail, p.verdict);
			must(enough || (p.front == 0 &&
			    bytes_equal(bytes_of(p.data, p.len), inner)), "%u, %u", head,
			    tail);
			must(!enough || p.head == head - need.head, "%u, %u", head, tail);
			packet_free(&p);
		}
	ends_free(&ends);
}
END_TEST

/* The IP packet as a whole must fit its length field. */
START_TEST(transport_too_big)
{
	static uint8_t buffer[70000];
	const struct esp_transform *t = gcm();
	struct esp_packet probe;
	struct esp_sa *sa;
	struct ends ends;
	uint64_t seed = 1;
	uint32_t limit;

	prepare(&ends, t, false);
	probe = packet_new(inner_packet(buffer, ESP_IPV4, 60, &seed),
	    (struct esp_room){ 0, 0 });
	esp_find(ends.out, &probe, 1);
	sa = probe.sa;
	limit = 20 + esp_payload_max(t, ESP_PACKET_MAX);
	for (uint32_t len = limit - 5; len < limit + 5; len++) {
		struct esp_packet p = packet_new(inner_packet(buffer, ESP_IPV4, len,
		    &seed), esp_transform_overhead(t));

		p.sa = sa;
		esp_seal(ends.out, &p, 1);
		must(p.verdict == (len <= limit ? ESP_OK : ESP_TOO_BIG), "%u", len);
		must(p.verdict != ESP_OK || (p.front == 20 &&
		    bytes_load16(p.data - 18) == p.len + 20), "%u", len);
		packet_free(&p);
	}
	packet_free(&probe);
	ends_free(&ends);
}
END_TEST

/* ---- padding and dummies ---- */

/* A UDP datagram says its own length, so what pads it is delivered with it, RFC 4303 2.7;
 * a next header of 59 is thrown away. */
START_TEST(open_transport_padding_and_dummy)
{
	struct ends ends;
	uint8_t buffer[MAX], body[64] = { 4, 210, 0, 53, 0, 12 };
	struct esp_packet p, got;

	prepare(&ends, gcm(), false);
	p = packet_new(ipv4(buffer, UDP, 5, 0, bytes_of(body, sizeof body)),
	    esp_transform_overhead(gcm()));
	ends_seal(&ends, &p);
	got = received(&p);
	esp_open(ends.in, &got, 1);
	ck_assert(got.verdict == ESP_OK && got.len == 20 + sizeof body);
	packet_free(&got);
	packet_free(&p);
	p = packet_new(ipv4(buffer, 59, 5, 0, bytes_of(body, sizeof body)),
	    esp_transform_overhead(gcm()));
	ends_seal(&ends, &p);
	got = received(&p);
	esp_open(ends.in, &got, 1);
	ck_assert_uint_eq(got.verdict, ESP_DUMMY);
	packet_free(&got);
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

START_TEST(add_refuses_unknown_modes)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends.config.mode = (enum esp_mode)2;
	ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_INVALID);
	ends_free(&ends);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("transport");
	int rows = 0;

	while (bulk_transform((unsigned)rows) != NULL)
		rows++;
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, transport_round_trip, 0, rows);
	tcase_add_test(tcase, front_rfc3602);
	tcase_add_test(tcase, transport_ipv4_options);
	tcase_add_loop_test(tcase, transport_ipv6_chains, 0, (int)COUNT(chains));
	tcase_add_test(tcase, front_destination_options_outside);
	tcase_add_test(tcase, transport_refuses_fragments);
	tcase_add_test(tcase, front_any_octets);
	tcase_add_test(tcase, open_any_front);
	tcase_add_test(tcase, open_needs_its_front);
	tcase_add_test(tcase, open_keeps_what_routers_changed);
	tcase_add_test(tcase, open_checks_transport_selectors);
	tcase_add_test(tcase, open_tunnel_behind_a_header);
	tcase_add_test(tcase, transport_needs_room);
	tcase_add_test(tcase, transport_too_big);
	tcase_add_test(tcase, open_transport_padding_and_dummy);
	tcase_add_test(tcase, add_refuses_unknown_modes);
	return run_tests("transport", tcase);
}
