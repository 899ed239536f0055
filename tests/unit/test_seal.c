#include <check.h>
#include <stdlib.h>

#include "libesp/sadb.h"
#include "tests/unit/ends.h"
#include "tests/unit/packets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { MAX = 2048 };

static const struct esp_transform *
gcm(void)
{
	return esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE);
}

/* Every transform, IPv4 and IPv6, with and without ESN, all sizes in turn, on buffers
 * without an octet to spare. */
START_TEST(seal_open_round_trip)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	uint64_t seed = (uint64_t)_i;

	for (unsigned way = 0; way < 4; way++) {
		uint8_t family = way % 2 == 0 ? ESP_IPV4 : ESP_IPV6;
		struct ends ends;
		struct esp_usage out, in;
		uint64_t sent = 0, octets = 0;

		ends_prepare(&ends, t, way / 2 == 1);
		ends_add(&ends);
		for (size_t len = family == ESP_IPV4 ? 28 : 48; len <= 1500;
		     len += 1 + len / 150) {
			uint8_t buffer[MAX], *data;
			struct bytes inner = inner_packet(buffer, family, len, &seed);
			struct esp_room room = esp_transform_overhead(t);
			struct esp_packet p = packet_new(inner, room);

			data = p.data;
			ends_seal(&ends, &p);
			sent++;
			octets += len;
			must(p.data == data - room.head && p.head == 0, "%zu: head", len);
			must(p.len + p.tail == room.head + len + room.tail, "%zu: tail",
			    len);
			must((p.len - room.head - t->icv_len) %
				    (t->align < 4 ? 4 : t->align) ==
				0,
			    "%zu: not aligned", len);
			must(bytes_load32(p.data) == ENDS_SPI &&
			    bytes_load32(p.data + 4) == sent, "%zu: header", len);
			must(p.next_header == (family == ESP_IPV4 ? 4 : 41), "%zu: next",
			    len);
			must(memcmp(p.data + room.head, inner.p, 20) != 0,
			    "%zu: in clear", len);
			p.sa = NULL;
			p.next_header = 0;
			esp_open(ends.in, &p, 1);
			must(p.verdict == ESP_OK, "%zu: verdict %u", len, p.verdict);
			must(bytes_equal(bytes_of(p.data, p.len), inner), "%zu: changed",
			    len);
			must(p.data == data && p.head == room.head && p.tail == room.tail,
			    "%zu: moved", len);
			must(p.next_header == (family == ESP_IPV4 ? 4 : 41) &&
			    p.flags == (ESP_NEWEST | ESP_AUTHENTIC) && esp_sa_user(p.sa) == &ends &&
			    esp_sa_id(p.sa) == ENDS_ID, "%zu: marks", len);
			packet_free(&p);
		}
		ck_assert(esp_read_usage(ends.out, ESP_OUT, ENDS_ID, &out));
		ck_assert(esp_read_usage(ends.in, ESP_IN, ENDS_ID, &in));
		ck_assert(
		    out.packets == sent && out.octets == octets && out.sequence == sent);
		ck_assert(
		    in.packets == sent && in.octets == octets && in.sequence == sent);
		ck_assert_uint_eq(esp_read_counters(ends.out)->out[ESP_OK], sent);
		ck_assert_uint_eq(esp_read_counters(ends.in)->in[ESP_OK], sent);
		ends_free(&ends);
	}
}
END_TEST

/* What is authenticated, by hand: RFC 4106 5, RFC 7634 2.1, RFC 4303 2.2.1 and
 * 3.3.2.1. */
START_TEST(seal_authenticates_the_whole_sequence_number)
{
	static const uint64_t sequences[] = { 1, 0x1ff, 0xfffffff0, 0x100000002,
		0x700000000 };
	const struct esp_transform *t = bulk_transform((unsigned)_i);

	for (unsigned i = 0; i < 10; i++) {
		uint64_t sequence = sequences[i % 5], seed = i;
		bool esn = i >= 5;
		uint8_t buffer[MAX], aad[12], trailer[4], iv[16];
		struct bytes inner = inner_packet(buffer, ESP_IPV4, 100, &seed);
		struct esp_op op = { .ok = false };
		struct esp_packet p;
		struct ends ends;

		if (!esn && sequence > UINT32_MAX)
			continue;
		p = packet_new(inner, esp_transform_overhead(t));
		ends_prepare(&ends, t, esn);
		ends.config.first = sequence;
		ends_add(&ends);
		ends_seal(&ends, &p);
		ck_assert_uint_eq(bytes_load32(p.data + 4), (uint32_t)sequence);

		op.key = t->new_key(t, ends.config.keymat, ends.config.iv_key);
		op.iv = p.data + 8;
		op.data = op.iv + t->iv_len;
		op.len = p.len - 8 - t->iv_len - t->icv_len;
		op.icv = op.data + op.len;
		bytes_store32(aad, ENDS_SPI);
		bytes_store32(aad + 4, (uint32_t)sequence);
		op.aad = bytes_of(aad, 8);
		if (esn && t->integ == AUTH_NONE) {
			bytes_store64(aad + 4, sequence);
			op.aad.len = 12;
		} else if (esn) {
			bytes_store32(trailer, (uint32_t)(sequence >> 32));
			op.trailer = bytes_of(trailer, 4);
		}
		ck_assert(t->make_iv(op.key, sequence, iv));
		ck_assert_mem_eq(op.iv, iv, t->iv_len);
		t->open(NULL, &op, 1);
		ck_assert_msg(op.ok, "row %d, %u", _i, i);
		ck_assert_mem_eq(op.data, inner.p, inner.len);
		t->free_key(op.key);
		packet_free(&p);
		ends_free(&ends);
	}
}
END_TEST

/* RFC 4303 2.4: 1, 2, 3, ..., their number, the next header. */
START_TEST(seal_pads_and_aligns)
{
	for (unsigned way = 0; way < 2; way++) {
		const struct esp_transform *t = way == 0 ? gcm() :
		    esp_transform_find(ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_256_128);
		unsigned align = way == 0 ? 4 : 16;
		struct ends ends;
		uint64_t seed = 9;

		ends_prepare(&ends, t, false);
		ends_add(&ends);
		for (size_t len = 28; len < 64; len++) {
			uint8_t buffer[MAX];
			struct esp_packet p =
			    packet_new(inner_packet(buffer, ESP_IPV4, len, &seed),
				esp_transform_overhead(t));
			uint32_t head = esp_transform_overhead(t).head;
			size_t pad = (align - (len + 2) % align) % align;
			const uint8_t *end;

			ends_seal(&ends, &p);
			must(p.len == head + len + pad + 2 + t->icv_len, "%zu", len);
			must(esp_payload_max(t, p.len) >= len &&
			    esp_payload_max(t, p.len - 1) < len, "%zu: payload_max", len);
			esp_open(ends.in, &p, 1);	/* decrypted in place: look
							 * behind it */
			must(p.verdict == ESP_OK, "%zu", len);
			end = p.data + len;
			for (size_t i = 0; i < pad; i++)
				must(end[i] == i + 1, "%zu: pad", len);
			must(end[pad] == pad && end[pad + 1] == 4, "%zu: trailer", len);
			packet_free(&p);
		}
		ends_free(&ends);
	}
}
END_TEST

START_TEST(payload_max_small_rooms)
{
	const struct esp_transform *t = gcm();

	/* 8 header, 8 IV, 16 ICV; then multiples of four with two of trailer */
	for (uint32_t room = 0; room < 36; room++)
		ck_assert_uint_eq(esp_payload_max(t, room), 0);
	ck_assert_uint_eq(esp_payload_max(t, 36), 2);
	ck_assert_uint_eq(esp_payload_max(t, 39), 2);
	ck_assert_uint_eq(esp_payload_max(t, 40), 6);
}
END_TEST

/* Every room up to more than enough, and lengths with every amount of padding: sealed
 * exactly if it fits, and esp_overhead fits all of them. */
static void
check_rooms(struct ends *ends, size_t len)
{
	const struct esp_transform *t = ends->config.transform;
	struct esp_room need = esp_transform_overhead(t);
	unsigned tail_needed = esp_trailer_len(t, (uint32_t)len) + t->icv_len;
	uint8_t buffer[MAX];
	uint64_t seed = 1;
	struct bytes inner = inner_packet(buffer, ESP_IPV4, len, &seed);

	ck_assert_uint_le(tail_needed, need.tail);
	for (unsigned head = 0; head <= need.head + 1u; head++)
		for (unsigned tail = 0; tail <= need.tail + 1u; tail++) {
			struct esp_room room = { (uint16_t)head, (uint16_t)tail };
			struct esp_packet p = packet_new(inner, room), before;
			bool enough = head >= need.head && tail >= tail_needed;

			esp_find(ends->out, &p, 1);
			before = p;
			esp_seal(ends->out, &p, 1);
			must(p.verdict == (enough ? ESP_OK : ESP_NO_ROOM), "%zu: %u, %u",
			    len, head, tail);
			if (enough)
				must(p.head == head - need.head &&
				    p.tail == tail - tail_needed, "%zu: %u, %u", len,
				    head, tail);
			else
				must(p.data == before.data && p.len == before.len &&
				    p.head == head && p.tail == tail &&
				    memcmp(p.data, inner.p, inner.len) == 0,
				    "%zu: %u, %u", len, head, tail);
			packet_free(&p);
		}
}

START_TEST(seal_needs_room)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	unsigned align = t->align < 4 ? 4 : t->align, most = 0;
	struct esp_usage usage;
	struct ends ends;

	ends_prepare(&ends, t, false);
	ends_add(&ends);
	for (uint32_t len = 28; len < 28 + align; len++) {
		unsigned trailer = esp_trailer_len(t, len) + t->icv_len;

		most = trailer > most ? trailer : most;
		check_rooms(&ends, len);
	}
	ck_assert_uint_eq(most, esp_transform_overhead(t).tail);	/* none wasted */
	ck_assert(esp_read_usage(ends.out, ESP_OUT, ENDS_ID, &usage));
	ck_assert(usage.sequence == usage.packets);	/* nor a number */
	ends_free(&ends);
}
END_TEST

/* Every payload length from nothing to a jumbo frame's, in batches of all sizes, in
 * buffers without an octet to spare: what goes in comes out. */
START_TEST(seal_open_every_length)
{
	enum { LONGEST = 9000, MOST = 2 * ESP_BATCH + 3 };
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	static uint8_t random[LONGEST], expected[MOST][LONGEST + 40];
	struct esp_packet v[MOST];
	struct bytes inner[MOST];
	uint64_t seed = 77;
	struct ends ends;

	fill_random(&seed, random, sizeof random);
	ends_prepare(&ends, t, _i % 2 == 1);
	ends_add(&ends);
	for (size_t len = 0, n = 1; len <= LONGEST; n = n % MOST + 1) {
		unsigned filled = 0;

		for (; filled < n && len <= LONGEST; filled++, len++) {
			struct bytes body = bytes_of(random, len);

			inner[filled] = (len + n) % 2 == 0 ?
			    ipv4(expected[filled], 253, 5, 0, body) :
			    ipv6(expected[filled], 253, body);
			v[filled] = packet_new(inner[filled], esp_transform_overhead(t));
		}
		esp_find(ends.out, v, filled);
		esp_seal(ends.out, v, filled);
		esp_open(ends.in, v, filled);
		for (unsigned i = 0; i < filled; i++) {
			must(v[i].verdict == ESP_OK &&
			    bytes_equal(bytes_of(v[i].data, v[i].len), inner[i]),
			    "%zu octets: %u", inner[i].len, v[i].verdict);
			packet_free(&v[i]);
		}
	}
	ck_assert_uint_eq(esp_read_counters(ends.in)->in[ESP_OK], LONGEST + 1);
	ends_free(&ends);
}
END_TEST

START_TEST(seal_refuses_malformed_and_too_big)
{
	const struct esp_transform *t = gcm();
	struct ends ends;
	uint64_t seed = 1;
	static uint8_t buffer[70000];
	struct esp_room room = esp_transform_overhead(t);
	struct esp_packet good =
	    packet_new(inner_packet(buffer, ESP_IPV4, 40, &seed), room);
	struct esp_sa *sa;
	uint32_t limit = esp_payload_max(t, ESP_PACKET_MAX);

	ends_prepare(&ends, t, false);
	ends_add(&ends);
	esp_find(ends.out, &good, 1);
	sa = good.sa;
	for (unsigned first = 0; first < 256; first++) {	/* version and header
								 * length */
		struct esp_packet p = packet_new(bytes_of(buffer, 40), room);

		p.data[0] = (uint8_t)first;
		bytes_store16(p.data + 4, 0);	/* as IPv6 just the header */
		p.sa = sa;
		esp_seal(ends.out, &p, 1);
		must((p.verdict == ESP_OK) ==
			(first >> 4 == 6 ||
			    (first >> 4 == 4 && (first & 15) >= 5 && (first & 15) <= 10)),
		    "%02x", first);
		must(p.verdict == ESP_OK || p.verdict == ESP_MALFORMED, "%02x", first);
		packet_free(&p);
	}
	for (uint32_t len = 0; len < 40; len++) {	/* shorter than it says */
		struct esp_packet p = packet_new(bytes_of(buffer, len), room);

		p.sa = sa;
		esp_seal(ends.out, &p, 1);
		must(p.verdict == ESP_MALFORMED, "%u", len);
		packet_free(&p);
	}
	for (uint32_t len = limit - 8; len <= 65535; len += len < limit + 8 ? 1 : 3) {
		struct esp_packet p =
		    packet_new(inner_packet(buffer, ESP_IPV4, len, &seed), room);

		p.sa = sa;
		esp_seal(ends.out, &p, 1);
		must(p.verdict == (len <= limit ? ESP_OK : ESP_TOO_BIG), "%u", len);
		must(p.verdict != ESP_OK || p.len <= ESP_PACKET_MAX, "%u", len);
		packet_free(&p);
	}
	packet_free(&good);
	ends_free(&ends);
}
END_TEST

/* Octets behind the packet's own length are not sent. */
START_TEST(seal_sends_the_packet_only)
{
	struct ends ends;
	uint64_t seed = 1;
	uint8_t buffer[MAX] = { 0 };
	struct bytes inner = inner_packet(buffer, ESP_IPV6, 60, &seed);
	/* and the room they took serves for the trailer */
	struct esp_packet p =
	    packet_new(bytes_of(inner.p, 100), (struct esp_room){ 16, 0 });

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	ends_seal(&ends, &p);
	ck_assert_uint_eq(p.len, 16 + 64 + 16);
	ck_assert_uint_eq(p.head + p.len + p.tail, 100 + 16);
	esp_open(ends.in, &p, 1);
	ck_assert(p.verdict == ESP_OK && p.len == 60);
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

START_TEST(seal_copies_ds_and_ecn)
{
	struct ends ends;
	uint64_t seed = 1;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned tos = 0; tos < 512; tos++) {
		uint8_t buffer[MAX];
		bool six = tos >= 256;
		struct esp_packet p =
		    packet_new(inner_packet(buffer, six ? ESP_IPV6 : ESP_IPV4, 60, &seed),
			esp_transform_overhead(gcm()));

		if (six)
			bytes_store16(p.data, (uint16_t)(0x6009 | (tos & 0xff) << 4));
		else
			p.data[1] = (uint8_t)tos;
		ends_seal(&ends, &p);
		must(p.tos == (tos & 0xff), "%u", tos);
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

/* ---- sequence numbers and limits ---- */

struct notices { unsigned soft, hard, first, wanted; };

static struct notices
drain(struct esp *esp)
{
	struct notices seen = { 0 };
	struct esp_notice notice;

	while (esp_next_notice(esp, &notice)) {
		ck_assert_uint_eq(notice.id, ENDS_ID);
		seen.soft += notice.type == ESP_SOFT;
		seen.hard += notice.type == ESP_HARD;
		seen.first += notice.type == ESP_FIRST_IN;
		seen.wanted += notice.type == ESP_WANTED;
	}
	return seen;
}

static uint8_t
seal_one(struct ends *ends)
{
	uint8_t buffer[MAX], verdict;
	uint64_t seed = 5;
	struct esp_packet p = packet_new(inner_packet(buffer, ESP_IPV4, 100, &seed),
	    esp_transform_overhead(ends->config.transform));

	esp_find(ends->out, &p, 1);
	esp_seal(ends->out, &p, 1);
	verdict = p.verdict;
	packet_free(&p);
	return verdict;
}

START_TEST(seal_stops_at_the_last_sequence_number)
{
	for (unsigned esn = 0; esn < 2; esn++) {
		struct ends ends;
		struct notices seen;
		struct esp_usage usage;

		ends_prepare(&ends, gcm(), esn == 1);
		ends.config.first = esn == 1 ? UINT64_MAX - 2 : UINT32_MAX - 2;
		ends_add(&ends);
		ck_assert_uint_eq(seal_one(&ends), ESP_OK);
		seen = drain(ends.out);
		ck_assert(seen.soft == 1 && seen.hard == 0);
		ck_assert_uint_eq(seal_one(&ends), ESP_OK);
		ck_assert_uint_eq(seal_one(&ends), ESP_OK);
		seen = drain(ends.out);
		ck_assert(seen.soft == 0 && seen.hard == 1);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_uint_eq(seal_one(&ends), ESP_SPENT);
		seen = drain(ends.out);
		ck_assert(seen.soft == 0 && seen.hard == 0);
		ck_assert(esp_read_usage(ends.out, ESP_OUT, ENDS_ID, &usage));
		ck_assert(usage.sequence == (esn == 1 ? UINT64_MAX : UINT32_MAX));
		ck_assert_uint_eq(esp_read_counters(ends.out)->out[ESP_SPENT], 3);
		ends_free(&ends);
	}
}
END_TEST

START_TEST(seal_crosses_32_bits_with_esn)
{
	struct ends ends;
	uint64_t seed = 1;

	ends_prepare(&ends, gcm(), true);
	ends.config.first = 0xfffffff0;
	ends_add(&ends);
	for (uint64_t sequence = 0xfffffff0; sequence < 0x100000010; sequence++) {
		uint8_t buffer[MAX];
		struct esp_packet p =
		    packet_new(inner_packet(buffer, ESP_IPV4, 40, &seed),
			esp_transform_overhead(gcm()));

		ends_seal(&ends, &p);
		must(bytes_load32(p.data + 4) == (uint32_t)sequence, "sequence");
		must(bytes_load64(p.data + 8) == sequence, "IV");
		esp_open(ends.in, &p, 1);
		must(p.verdict == ESP_OK, "verdict %u", p.verdict);
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

START_TEST(seal_tells_at_three_quarters)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends.config.first = 0xbffffffc;
	ends_add(&ends);
	ck_assert_uint_eq(seal_one(&ends), ESP_OK);
	ck_assert_uint_eq(drain(ends.out).soft, 0);
	ck_assert_uint_eq(seal_one(&ends), ESP_OK);
	ck_assert_uint_eq(drain(ends.out).soft, 1);
	ck_assert_uint_eq(seal_one(&ends), ESP_OK);
	ck_assert_uint_eq(drain(ends.out).soft, 0);
	ends_free(&ends);
}
END_TEST

/* Five packets of 100 octets under each limit: how many go out, and when the notices
 * come. */
START_TEST(limits_by_packets_and_octets)
{
	static const struct {
		struct esp_limits soft, hard;
		unsigned sealed, soft_at, hard_at;	/* packet that raises it; 0:
							 * none */
	} rows[] = {
		{ { 0, 0 }, { 0, 0 }, 5, 0, 0 },
		{ { 2, 0 }, { 4, 0 }, 4, 2, 4 },
		{ { 0, 150 }, { 0, 300 }, 3, 2, 3 },
		{ { 0, 200 }, { 0, 301 }, 4, 2, 4 },
		{ { 3, 100 }, { 2, 10000 }, 2, 1, 2 },
		{ { 1, 0 }, { 1, 0 }, 1, 1, 1 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ends ends;

		ends_prepare(&ends, gcm(), false);
		ends.config.soft = rows[i].soft;
		ends.config.hard = rows[i].hard;
		ends_add(&ends);
		for (unsigned n = 1; n <= 5; n++) {
			struct notices seen;
			uint8_t verdict = seal_one(&ends);

			ck_assert_msg(
			    verdict == (n <= rows[i].sealed ? ESP_OK : ESP_SPENT),
			    "row %u, packet %u: %u", i, n, verdict);
			seen = drain(ends.out);
			ck_assert_msg(
			    seen.soft == (n == rows[i].soft_at), "row %u, %u", i, n);
			ck_assert_msg(
			    seen.hard == (n == rows[i].hard_at), "row %u, %u", i, n);
		}
		ends_free(&ends);
	}
}
END_TEST

/* The limit holds inside one batch, and verdicts stay with their packets. */
START_TEST(limit_inside_a_batch)
{
	enum { N = 200 };
	struct ends ends;
	struct esp_packet v[N];
	uint8_t buffer[MAX];
	uint64_t seed = 6;

	ends_prepare(&ends, gcm(), false);
	ends.config.hard.packets = 150;
	ends_add(&ends);
	for (unsigned i = 0; i < N; i++)
		v[i] = packet_new(
		    inner_packet(buffer, i % 2 ? ESP_IPV4 : ESP_IPV6, 60 + i, &seed),
		    esp_transform_overhead(gcm()));
	v[3].verdict = ESP_POLICY;	/* somebody's earlier stage */
	esp_find(ends.out, v, N);
	esp_seal(ends.out, v, N);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_msg(v[i].verdict ==
			(i == 3          ? ESP_POLICY :
				i <= 150 ? ESP_OK :
					   ESP_SPENT),
		    "packet %u", i);
		if (v[i].verdict == ESP_OK)
			ck_assert_uint_eq(bytes_load32(v[i].data + 4), i < 3 ? i + 1 : i);
		packet_free(&v[i]);
	}
	ends_free(&ends);
}
END_TEST

/* SAs of several transforms take turns in one batch; each packet is sealed by its own. */
START_TEST(seal_batch_mixes_sas)
{
	enum { SAS = 4, N = 300 };
	struct ends sas[SAS];
	struct esp_packet v[N];
	struct esp_sa *sa[SAS];
	uint8_t buffer[MAX];
	uint64_t seed = 8;

	for (unsigned i = 0; i < SAS; i++) {
		struct esp_packet probe = packet_new(
		    inner_packet(buffer, ESP_IPV4, 60, &seed), (struct esp_room){ 0, 0 });

		ends_prepare(&sas[i], bulk_transform(3 * i), i % 2 == 1);
		sas[i].config.id = sas[i].config.policy = i + 1;
		sas[i].config.spi = 1000 + i;
		sas[i].config.direction = ESP_IN;
		ck_assert_int_eq(esp_add(sas[i].in, &sas[i].config), ESP_SUCCESS);
		sas[i].config.direction = ESP_OUT;
		ck_assert_int_eq(esp_add(sas[0].out, &sas[i].config), ESP_SUCCESS);
		ck_assert_int_eq(esp_policy_put(sas[0].out, &(struct esp_policy_config){
		    .id = i + 1, .selectors = sas[i].selectors, .n_selectors = 2 }),
		    ESP_SUCCESS);
		esp_find(sas[0].out, &probe, 1);	/* the newest policy decides */
		sa[i] = probe.sa;
		packet_free(&probe);
	}
	for (unsigned i = 0; i < N; i++) {
		v[i] = packet_new(inner_packet(buffer, ESP_IPV4, 60 + i, &seed),
		    esp_transform_overhead(bulk_transform(3 * (i % 7 % SAS))));
		v[i].sa = sa[i % 7 % SAS];
	}
	esp_seal(sas[0].out, v, N);
	for (unsigned i = 0; i < N; i++) {
		unsigned which = i % 7 % SAS;

		must(v[i].verdict == ESP_OK && bytes_load32(v[i].data) == 1000 + which,
		    "packet %u: %u", i, v[i].verdict);
		esp_open(sas[which].in, &v[i], 1);
		must(v[i].verdict == ESP_OK && v[i].len == 60 + i, "packet %u: %u", i,
		    v[i].verdict);
		packet_free(&v[i]);
	}
	for (unsigned i = 0; i < SAS; i++)
		ends_free(&sas[i]);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("seal");
	int rows = 0;

	while (bulk_transform((unsigned)rows) != NULL)
		rows++;
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, seal_open_round_trip, 0, rows);
	tcase_add_loop_test(tcase, seal_authenticates_the_whole_sequence_number, 0, rows);
	tcase_add_test(tcase, seal_pads_and_aligns);
	tcase_add_test(tcase, payload_max_small_rooms);
	tcase_add_loop_test(tcase, seal_needs_room, 0, rows);
	tcase_add_loop_test(tcase, seal_open_every_length, 0, rows);
	tcase_add_test(tcase, seal_refuses_malformed_and_too_big);
	tcase_add_test(tcase, seal_sends_the_packet_only);
	tcase_add_test(tcase, seal_copies_ds_and_ecn);
	tcase_add_test(tcase, seal_stops_at_the_last_sequence_number);
	tcase_add_test(tcase, seal_crosses_32_bits_with_esn);
	tcase_add_test(tcase, seal_tells_at_three_quarters);
	tcase_add_test(tcase, limits_by_packets_and_octets);
	tcase_add_test(tcase, limit_inside_a_batch);
	tcase_add_test(tcase, seal_batch_mixes_sas);
	return run_tests("seal", tcase);
}
