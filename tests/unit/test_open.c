#include <check.h>
#include <stdlib.h>

#include "libesp/sadb.h"
#include "tests/unit/packets.h"
#include "tests/unit/ends.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

enum { MAX = 2048 };

static const struct esp_transform *
gcm(void)
{
	return esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE);
}

/* ---- packets of other implementations ---- */

static const struct { const char *name; uint16_t encr, integ; } algorithms[] = {
	{ "AES-GCM-16", ENCR_AES_GCM_16, AUTH_NONE },
	{ "CHACHA20-POLY1305", ENCR_CHACHA20_POLY1305, AUTH_NONE },
	{ "AES-CBC/HMAC-SHA2-256-128", ENCR_AES_CBC, AUTH_HMAC_SHA2_256_128 },
	{ "AES-CBC/HMAC-SHA2-384-192", ENCR_AES_CBC, AUTH_HMAC_SHA2_384_192 },
	{ "AES-CBC/HMAC-SHA2-512-256", ENCR_AES_CBC, AUTH_HMAC_SHA2_512_256 },
};

static const struct esp_transform *
transform_named(const char *name, size_t key_len)
{
	for (unsigned i = 0; i < COUNT(algorithms); i++) {
		uint16_t bits = (uint16_t)(8 * key_len);

		if (strcmp(name, algorithms[i].name) != 0)
			continue;
		if (algorithms[i].encr == ENCR_CHACHA20_POLY1305)
			bits = 0;
		return esp_transform_find(algorithms[i].encr, bits, algorithms[i].integ);
	}
	return NULL;
}

static size_t
append(uint8_t *to, size_t at, struct bytes b)
{
	memcpy(to + at, b.p, b.len);
	return at + b.len;
}

/* The ESP packet in `packet`, from the SPI on, opens to `inner`; 0 if we lack the
 * algorithm. */
static unsigned
check_packet(struct vectors *v, struct bytes packet, struct bytes inner)
{
	struct bytes key = vectors_hex(v, "key"), spi = vectors_hex(v, "spi");
	const struct esp_transform *t = transform_named(vectors_text(v, "alg"), key.len);
	struct esp_packet p;
	struct ends ends;
	size_t len;

	if (t == NULL)
		return 0;
	ends_prepare(&ends, t, false);
	len = append(ends.keymat, 0, key);
	if (t->integ == AUTH_NONE)
		len = append(ends.keymat, len, vectors_hex(v, "salt"));
	else
		len = append(ends.keymat, len, vectors_hex(v, "auth_key"));
	ends.config.keymat.len = len;
	ends.config.spi = bytes_load32(spi.p);
	ends.config.direction = ESP_IN;
	/* DPDK's SPI 52 and 20 are reserved; the SPI is authenticated, so it has to
	 * stay */
	if (ends.config.spi < ESP_SPI_MIN) {
		ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_INVALID);
		ends_free(&ends);
		return 0;
	}
	ck_assert_msg(esp_add(ends.in, &ends.config) == ESP_SUCCESS, "%s", vectors_id(v));
	p = packet_new(packet, (struct esp_room){ 0, 0 });
	esp_open(ends.in, &p, 1);
	ck_assert_msg(p.verdict == ESP_OK, "%s: %u", vectors_id(v), p.verdict);
	ck_assert_msg(bytes_equal(bytes_of(p.data, p.len), inner), "%s", vectors_id(v));
	packet_free(&p);
	p = packet_new(packet, (struct esp_room){ 0, 0 });
	esp_open(ends.in, &p, 1);
	ck_assert_uint_eq(p.verdict, ESP_REPLAY);
	packet_free(&p);
	ends_free(&ends);
	return 1;
}

/* Those whose SPI is reserved are opened by their transform alone. */
static unsigned
check_reserved(struct vectors *v, struct bytes packet, struct bytes inner)
{
	struct bytes key = vectors_hex(v, "key");
	const struct esp_transform *t = transform_named(vectors_text(v, "alg"), key.len);
	uint8_t keymat[128], *copy = exact_copy(packet);
	struct esp_op op = { .iv = copy + 8, .aad = bytes_of(copy, 8) };
	size_t len;

	if (t == NULL || bytes_load32(packet.p) >= ESP_SPI_MIN) {
		free(copy);
		return 0;
	}
	len = append(keymat, 0, key);
	len = append(
	    keymat, len, vectors_hex(v, t->integ == AUTH_NONE ? "salt" : "auth_key"));
	op.key = t->new_key(t, bytes_of(keymat, len), bytes_of(NULL, 0));
	ck_assert_ptr_nonnull(op.key);
	op.data = op.iv + t->iv_len;
	op.len = (uint32_t)(packet.len - 8 - t->iv_len - t->icv_len);
	op.icv = op.data + op.len;
	t->open(NULL, &op, 1);
	ck_assert_msg(op.ok, "%s", vectors_id(v));
	ck_assert_msg(memcmp(op.data, inner.p, inner.len) == 0, "%s", vectors_id(v));
	ck_assert_uint_eq(op.data[op.len - 2], vectors_number(v, "pad_len"));
	ck_assert_uint_eq(op.data[op.len - 1], vectors_number(v, "next_header"));
	t->free_key(op.key);
	free(copy);
	return 1;
}

START_TEST(open_dpdk_packets)
{
	struct vectors *v = vectors_open("esp-packets-dpdk.json");
	unsigned opened = 0, reserved = 0;

	while (vectors_next(v)) {
		struct bytes whole = vectors_hex(v, "packet"),
			     inner = vectors_hex(v, "inner");
		size_t outer = whole.p[0] >> 4 == 4 ? 20 : 40;
		struct bytes packet = bytes_of(whole.p + outer, whole.len - outer);

		opened += check_packet(v, packet, inner);
		reserved += check_reserved(v, packet, inner);
	}
	ck_assert_uint_eq(opened, 3);
	ck_assert_uint_eq(reserved, 6);
	vectors_close(v);
}
END_TEST

START_TEST(open_rfc7634_packet)
{
	struct vectors *v = vectors_open("rfc7634-packets.json");
	struct bytes plain;

	ck_assert(vectors_next(v));
	ck_assert_str_eq(vectors_text(v, "kind"), "esp");
	plain = vectors_hex(v, "plain");
	plain.len -= 4;		/* two octets of padding, their number, next header */
	ck_assert_uint_eq(check_packet(v, vectors_hex(v, "packet"), plain), 1);
	vectors_close(v);
}
END_TEST

/* ---- packets that another end could send: any plaintext, any sequence number ---- */

static struct esp_packet
craft(const struct ends *ends, uint64_t sequence, struct bytes plain)
{
	const struct esp_transform *t = ends->config.transform;
	uint8_t aad[12], high[4];
	struct esp_packet p = packet_new(plain, esp_transform_overhead(t));
	struct esp_op op = { .data = p.data, .len = p.len, .iv = p.data - t->iv_len,
		.icv = p.data + p.len, .aad = bytes_of(aad, 8) };

	p.tail = (uint16_t)(p.tail - t->icv_len);
	p.data -= p.head;
	p.len += p.head + t->icv_len;
	p.head = 0;
	bytes_store32(p.data, ends->config.spi);
	bytes_store32(p.data + 4, (uint32_t)sequence);
	memcpy(aad, p.data, 8);
	if (ends->config.esn && t->integ == AUTH_NONE) {
		bytes_store64(aad + 4, sequence);
		op.aad.len = 12;
	} else if (ends->config.esn) {
		bytes_store32(high, (uint32_t)(sequence >> 32));
		op.trailer = bytes_of(high, 4);
	}
	op.key = t->new_key(t, ends->config.keymat, ends->config.iv_key);
	ck_assert(op.key != NULL && t->make_iv(op.key, sequence, op.iv));
	t->seal(NULL, &op, 1);
	must(op.ok, "cannot seal");
	t->free_key(op.key);
	return p;
}

/* inner | pad 1, 2, .. | their number | next header, aligned to 16. */
static struct bytes
padded(uint8_t *p, struct bytes inner, uint8_t next_header)
{
	size_t pad = (16 - (inner.len + 2) % 16) % 16;

	memmove(p, inner.p, inner.len);
	for (size_t i = 0; i < pad; i++)
		p[inner.len + i] = (uint8_t)(i + 1);
	p[inner.len + pad] = (uint8_t)pad;
	p[inner.len + pad + 1] = next_header;
	return bytes_of(p, inner.len + pad + 2);
}

static struct esp_packet
craft_good(const struct ends *ends, uint64_t sequence, size_t len)
{
	uint8_t buffer[MAX];
	uint64_t seed = sequence;

	return craft(ends, sequence,
	    padded(buffer, inner_packet(buffer, ESP_IPV4, len, &seed), 4));
}

/* Opens and frees it. */
static uint8_t
open_one(struct ends *ends, struct esp_packet p)
{
	esp_open(ends->in, &p, 1);
	packet_free(&p);
	return p.verdict;
}

/* Everything in an SA that a packet may change. */
struct state { uint64_t top, ring[ESP_WINDOW_DEFAULT / 64 + 1]; struct esp_usage usage; };

static struct state
state_of(const struct ends *ends)
{
	struct esp_sa *sa = esp_sadb_inbound(ends->in, ENDS_SPI);
	const struct esp_replay *replay = &esp_inbound(sa)->replay;
	struct state s = { .top = replay->top };

	esp_sa_usage(sa, &s.usage);
	memcpy(s.ring, replay->ring, sizeof s.ring);
	return s;
}

START_TEST(open_refuses_every_flipped_octet)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i / 2);
	struct esp_packet p;
	struct ends ends;
	struct state before, after;

	ends_prepare(&ends, t, _i % 2 == 1);
	ends_add(&ends);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 3, 40)), ESP_OK);
	before = state_of(&ends);
	p = craft_good(&ends, 5, 70);
	for (uint32_t at = 0; at < p.len; at++) {
		struct esp_packet copy = packet_new(bytes_of(p.data, p.len),
		    (struct esp_room){ 3, 5 });
		uint8_t *data = copy.data;
		enum esp_verdict want = at < 4 ? ESP_NO_SA : ESP_INTEGRITY;

		data[at] ^= (uint8_t)(1 << at % 8);
		esp_open(ends.in, &copy, 1);
		must(copy.verdict == want, "octet %u: %u", at, copy.verdict);
		must(copy.data == data && copy.len == p.len && copy.head == 3 &&
		    copy.tail == 5 && copy.flags == 0, "octet %u: moved", at);
		after = state_of(&ends);
		if (at >= 4) {
			must(after.usage.integrity == before.usage.integrity + 1,
			    "octet %u", at);
			before.usage.integrity++;
		}
		must(memcmp(&after, &before, sizeof after) == 0, "octet %u: SA changed",
		    at);
		packet_free(&copy);
	}
	/* and whole it still opens */
	ck_assert_uint_eq(open_one(&ends, p), ESP_OK);
	ends_free(&ends);
}
END_TEST

START_TEST(open_refuses_every_truncation)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	struct esp_packet p;
	struct ends ends;
	uint32_t least = 8u + t->iv_len + t->icv_len + 2;

	ends_prepare(&ends, t, false);
	ends_add(&ends);
	p = craft_good(&ends, 5, 70);
	for (uint32_t len = 0; len < p.len; len++) {
		struct esp_packet copy = packet_new(bytes_of(p.data, len),
		    (struct esp_room){ 0, 0 });
		bool whole = len >= least && (len - least + 2) % t->align == 0;

		esp_open(ends.in, &copy, 1);
		must(copy.verdict == (whole ? ESP_INTEGRITY : ESP_MALFORMED), "%u: %u",
		    len, copy.verdict);
		packet_free(&copy);
	}
	ck_assert_uint_eq(open_one(&ends, p), ESP_OK);
	ends_free(&ends);
}
END_TEST

START_TEST(open_random_octets)
{
	uint64_t seed = 7;
	struct ends ends;

	ends_prepare(&ends, gcm(), true);
	ends_add(&ends);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t octets[128];
		struct esp_packet p;

		fill_random(&seed, octets, sizeof octets);
		if (i % 2 == 0)
			bytes_store32(octets, ENDS_SPI);
		p = packet_new(bytes_of(octets, next_random(&seed) % sizeof octets),
		    (struct esp_room){ 0, 0 });
		must(open_one(&ends, p) != ESP_OK, "%u", i);
	}
	ends_free(&ends);
}
END_TEST

/* ---- replay ---- */

START_TEST(open_replay_window)
{
	struct ends ends;
	struct esp_usage usage;

	ends_prepare(&ends, gcm(), false);
	ends.config.window = 100;	/* rounded up: 128 */
	ends_add(&ends);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0, 40)), ESP_REPLAY);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 500, 40)), ESP_OK);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 500, 40)), ESP_REPLAY);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 373, 40)), ESP_OK);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 373, 40)), ESP_REPLAY);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 372, 40)), ESP_REPLAY);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0xffffffff, 40)), ESP_OK);
	ck_assert(esp_read_usage(ends.in, ESP_IN, ENDS_ID, &usage));
	ck_assert(
	    usage.replay == 4 && usage.packets == 3 && usage.sequence == 0xffffffff);
	ck_assert_uint_eq(esp_read_counters(ends.in)->in[ESP_REPLAY], 4);
	ends_free(&ends);
}
END_TEST

START_TEST(open_default_window_and_first)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), true);
	ends.config.first = 0x100000064;	/* an imported SA: closed below */
	ends_add(&ends);
	ck_assert_uint_eq(
	    open_one(&ends, craft_good(&ends, 0x100000063, 40)), ESP_REPLAY);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0x100001000, 40)), ESP_OK);
	ck_assert_uint_eq(
	    open_one(&ends, craft_good(&ends, 0x100001000 - 1023, 40)), ESP_OK);
	/* 1024 back is taken for one in the next 2^32, and so fails to authenticate */
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0x100001000 - 1024, 40)),
	    ESP_INTEGRITY);
	ends_free(&ends);
}
END_TEST

/* The peer's last number without ESN: accepted once, and nothing comes after it. */
START_TEST(open_last_sequence_number)
{
	static const uint32_t after[] = { 0xffffffff, 0, 1, 500, 0xfffffbff };
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0xfffffffe, 40)), ESP_OK);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0xffffffff, 40)), ESP_OK);
	for (unsigned i = 0; i < COUNT(after); i++)
		ck_assert_msg(open_one(&ends, craft_good(&ends, after[i], 40)) ==
		    ESP_REPLAY, "%u", after[i]);
	ck_assert_uint_eq(open_one(&ends, craft_good(&ends, 0xfffffc00, 40)), ESP_OK);
	ends_free(&ends);
}
END_TEST

/* Over 2^32 with ESN, while the path loses a part, holds back and doubles: each packet
 * that arrives inside the window is delivered once, and no number is misjudged.  In some
 * rounds nothing near the crossing arrives at all (RFC 4303 A2). */
START_TEST(open_crosses_32_bits_under_loss)
{
	enum { N = 6000, WINDOW = 1024, BATCH = 30 };
	static const uint64_t start = 0x100000000 - N / 2;
	static bool seen[N];
	uint64_t seed = (uint64_t)_i, top = 0, late = 0;
	struct ends ends;

	memset(seen, 0, sizeof seen);
	ends_prepare(&ends, bulk_transform(_i % 2 == 0 ? 1 : 4), true);
	ends.config.first = start;
	ends.config.window = WINDOW;
	ends_add(&ends);
	for (uint64_t sent = 0; sent < N; sent += BATCH) {
		struct esp_packet v[2 * BATCH];
		uint64_t number[2 * BATCH];

		if (_i >= 4 && sent > N / 2 - 1500 && sent < N / 2 + 1500)
			continue;	/* all lost */
		for (unsigned i = 0; i < 2 * BATCH; i++) {
			/* a new one, or another from around the window's end */
			uint64_t back = next_random(&seed) % (i % 2 == 0 ? BATCH :
			    WINDOW + BATCH);

			number[i] = sent + BATCH - 1 - (back > sent ? 0 : back);
			v[i] = craft_good(&ends, start + number[i], 60);
		}
		esp_open(ends.in, v, 2 * BATCH);
		for (unsigned i = 0; i < 2 * BATCH; i++) {
			bool old = top >= WINDOW && number[i] <= top - WINDOW;
			bool news = !seen[number[i]] && !old;

			late += old;
			must(v[i].verdict == (news ? ESP_OK : ESP_REPLAY) ||
			    (old && v[i].verdict == ESP_INTEGRITY), "%d: number %d: %u",
			    _i, (int)number[i], v[i].verdict);
			must(((v[i].flags & ESP_NEWEST) != 0) == (news && number[i] > top) ||
			    top == 0, "%d: number %d", _i, (int)number[i]);
			seen[number[i]] |= news;
			top = number[i] > top ? number[i] : top;
			packet_free(&v[i]);
		}
	}
	ck_assert_uint_gt(top, N - BATCH);
	ck_assert_uint_gt(late, 0);
	ends_free(&ends);
}
END_TEST

START_TEST(open_duplicates_inside_a_batch)
{
	static const uint64_t sequences[] = { 5, 5, 3, 9, 5, 3, 0, 9, 2000, 9, 977, 4 };
	static const uint8_t verdicts[] = { ESP_OK, ESP_REPLAY, ESP_OK, ESP_OK,
		ESP_REPLAY, ESP_REPLAY, ESP_REPLAY, ESP_REPLAY, ESP_OK, ESP_REPLAY,
		ESP_OK, ESP_REPLAY };
	static const uint8_t newest[] = { 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0 };
	struct esp_packet v[COUNT(sequences)];
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned i = 0; i < COUNT(v); i++)
		v[i] = craft_good(&ends, sequences[i], 60);
	esp_open(ends.in, v, COUNT(v));
	for (unsigned i = 0; i < COUNT(v); i++) {
		ck_assert_msg(
		    v[i].verdict == verdicts[i], "packet %u: %u", i, v[i].verdict);
		ck_assert_msg(v[i].flags == (verdicts[i] == ESP_OK ? ESP_AUTHENTIC : 0) +
		    (newest[i] ? ESP_NEWEST : 0), "packet %u", i);
		packet_free(&v[i]);
	}
	ends_free(&ends);
}
END_TEST

/* ---- what is inside ---- */

START_TEST(open_checks_the_trailer)
{
	struct row {
		const char *what;
		uint8_t next_header, verdict;
		int pad, bad_pad;	/* pad length byte, -1: right; index of a wrong
					 * pad octet */
		uint8_t family;
		bool cut;		/* inner packet one octet shorter than it says */
	} trailers[] = {
		{ "good 4", 4, ESP_OK, -1, -1, ESP_IPV4, false },
		{ "good 6", 41, ESP_OK, -1, -1, ESP_IPV6, false },
		{ "dummy", 59, ESP_DUMMY, -1, -1, ESP_IPV4, false },
		{ "transport", 17, ESP_MALFORMED, -1, -1, ESP_IPV4, false },
		{ "version 4 as 41", 41, ESP_MALFORMED, -1, -1, ESP_IPV4, false },
		{ "version 6 as 4", 4, ESP_MALFORMED, -1, -1, ESP_IPV6, false },
		{ "first pad octet", 4, ESP_MALFORMED, -1, 0, ESP_IPV4, false },
		{ "last pad octet", 4, ESP_MALFORMED, -1, 4, ESP_IPV4, false },
		{ "pad length 255", 4, ESP_MALFORMED, 255, -1, ESP_IPV4, false },
		{ "pad length too long", 4, ESP_MALFORMED, 47, -1, ESP_IPV4, false },
		{ "pad length too short", 4, ESP_MALFORMED, 1, -1, ESP_IPV4, false },
		{ "shorter than it says", 4, ESP_MALFORMED, -1, -1, ESP_IPV4, true },
	};
	uint64_t seed = 1, sequence = 0, malformed = 0;
	struct esp_usage usage;
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned i = 0; i < COUNT(trailers); i++) {
		const struct row *row = &trailers[i];
		uint8_t buffer[MAX];
		/* 41 and 57 octets: five of padding */
		struct bytes inner = inner_packet(buffer, row->family,
		    row->family == ESP_IPV4 ? 41 : 57, &seed);
		struct bytes plain;
		uint8_t verdict;

		inner.len -= row->cut;
		plain = padded(buffer, inner, row->next_header);
		if (row->pad >= 0)
			buffer[plain.len - 2] = (uint8_t)row->pad;
		if (row->bad_pad >= 0)
			buffer[inner.len + (size_t)row->bad_pad] ^= 0x40;
		verdict = open_one(&ends, craft(&ends, ++sequence, plain));
		ck_assert_msg(verdict == row->verdict, "%s: %u", row->what, verdict);
		malformed += verdict == ESP_MALFORMED;
	}
	ck_assert(esp_read_usage(ends.in, ESP_IN, ENDS_ID, &usage));
	ck_assert_uint_eq(usage.malformed, malformed);
	ck_assert_uint_eq(usage.packets, 2);
	ck_assert_uint_eq(usage.sequence, sequence);	/* each was authentic */
	ck_assert_uint_eq(esp_read_counters(ends.in)->in[ESP_DUMMY], 1);
	ends_free(&ends);
}
END_TEST

START_TEST(open_tiny_plaintexts)
{
	struct ends ends;
	uint64_t sequence = 0;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (size_t len = 2; len < 40; len++)
		for (unsigned pad = 0; pad < len + 2; pad++) {
			uint8_t plain[64] = { 0x45 };
			uint8_t want = ESP_MALFORMED, verdict;

			plain[len - 2] = (uint8_t)pad;
			plain[len - 1] = 59;
			for (unsigned i = 0; pad + 2 <= len && i < pad; i++)
				plain[len - 2 - pad + i] = (uint8_t)(i + 1);
			if (pad + 2 <= len)
				want = ESP_DUMMY;
			verdict = open_one(
			    &ends, craft(&ends, ++sequence, bytes_of(plain, len)));
			must(verdict == want, "%zu, %u: %u", len, pad, verdict);
		}
	ends_free(&ends);
}
END_TEST

/* RFC 4303 2.7: padding behind the inner packet hides its length. */
START_TEST(open_drops_traffic_flow_padding)
{
	struct ends ends;
	uint64_t seed = 1;
	uint8_t buffer[MAX], wanted[MAX];
	struct bytes inner = inner_packet(buffer, ESP_IPV6, 90, &seed);
	struct esp_packet p;

	memcpy(wanted, inner.p, inner.len);
	fill_random(&seed, buffer + 90, 900);
	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	p = craft(&ends, 1, padded(buffer, bytes_of(buffer, 990), 41));
	esp_open(ends.in, &p, 1);
	ck_assert_uint_eq(p.verdict, ESP_OK);
	ck_assert(p.len == 90 && memcmp(p.data, wanted, 90) == 0);
	ck_assert_uint_eq(p.head, 16);
	ck_assert_uint_ge(p.tail, 900 + 16);
	packet_free(&p);
	ends_free(&ends);
}
END_TEST

/* RFC 4301 5.2: sealed correctly by the peer, and yet not of this SA. */
START_TEST(open_checks_the_selectors)			/* T92 */
{
	static const struct {
		const char *local, *remote;
		uint8_t verdict;
	} selectors[] = {
		{ "10.2.0.0/24", "10.1.0.0/24", ESP_OK },
		{ "10.1.0.0/24", "10.2.0.0/24", ESP_POLICY }, /* the wrong way round */
		{ "10.2.0.0/24", "10.1.1.0/24", ESP_POLICY },
		{ "10.2.0.0/24", "10.1.0.0/24[tcp]", ESP_POLICY },
		{ "10.2.0.6[udp]", "10.1.0.5[udp]", ESP_OK },
		{ "::/0", "::/0", ESP_POLICY },
	};

	for (unsigned i = 0; i < COUNT(selectors); i++) {
		struct esp_selector s[2];
		struct esp_usage usage;
		struct ends ends;
		uint8_t verdict;

		/* another one first, that never fits */
		s[0].local = s[0].remote = esp_range_any(ESP_IPV6);
		ck_assert(esp_range_parse(selectors[i].local, &s[1].local));
		ck_assert(esp_range_parse(selectors[i].remote, &s[1].remote));
		ends_prepare(&ends, gcm(), false);
		ends.config.selectors = s;
		ends_add(&ends);
		verdict = open_one(&ends, craft_good(&ends, 1, 60));
		ck_assert_msg(verdict == selectors[i].verdict, "row %u: %u", i, verdict);
		ck_assert(esp_read_usage(ends.in, ESP_IN, ENDS_ID, &usage));
		ck_assert_uint_eq(usage.policy, verdict == ESP_POLICY);
		ck_assert_uint_eq(usage.packets, verdict == ESP_OK);
		ends_free(&ends);
	}
}
END_TEST

/* RFC 6040 4.2, figure 4, written out again. */
START_TEST(open_joins_ecn)
{
	enum { NOT, ECT1, ECT0, CE, GONE };
	static const uint8_t figure[4][4] = {	/* inner, outer: Not-ECT ECT(1) ECT(0)
						 * CE */
		{ NOT, NOT, NOT, GONE }, { ECT1, ECT1, ECT1, CE },
		{ ECT0, ECT1, ECT0, CE }, { CE, CE, CE, CE }
	};
	struct ends ends;
	uint64_t seed = 1, sequence = 0;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned i = 0; i < 4096; i++) {
		unsigned inner_tos = i % 256, outer = i / 256 % 4, six = i / 1024 % 2;
		uint8_t want = figure[inner_tos % 4][outer], buffer[MAX], original[MAX];
		struct bytes inner =
		    inner_packet(buffer, six ? ESP_IPV6 : ESP_IPV4, 60, &seed);
		struct esp_packet p;

		if (six) {
			bytes_store16(buffer, (uint16_t)(0x600f | inner_tos << 4));
		} else {
			buffer[1] = (uint8_t)inner_tos;
			bytes_store16(buffer + 4, (uint16_t)next_random(&seed));
			bytes_store16(buffer + 10, 0);
			bytes_store16(buffer + 10, ipv4_checksum(buffer));
		}
		memcpy(original, buffer, 60);
		p = craft(&ends, ++sequence, padded(buffer, inner, six ? 41 : 4));
		p.tos = (uint8_t)(0xb8 | outer);	/* its DS field stays outside */
		esp_open(ends.in, &p, 1);
		must(p.verdict == (want == GONE ? ESP_CONGESTED : ESP_OK), "%u: %u", i,
		    p.verdict);
		if (p.verdict == ESP_OK && six) {
			must(bytes_load16(p.data) ==
			    (0x600f | (inner_tos & 0xfc) << 4 | want << 4), "%u", i);
			must(memcmp(p.data + 2, original + 2, 58) == 0, "%u", i);
		} else if (p.verdict == ESP_OK) {
			must(p.data[1] == ((inner_tos & 0xfc) | want), "%u", i);
			must(ipv4_checksum(p.data) == 0, "%u: checksum", i);
			must(memcmp(p.data + 12, original + 12, 48) == 0, "%u", i);
		}
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

/* Every carry of RFC 1624's sum: all identifications whose checksum is next to a
 * limit. */
START_TEST(open_keeps_the_checksum_right)
{
	struct ends ends;
	uint64_t seed = 1, sequence = 0;
	uint8_t buffer[MAX];
	struct bytes inner = inner_packet(buffer, ESP_IPV4, 60, &seed);
	unsigned seen = 0;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned id = 0; id <= 0xffff; id++)
		for (uint8_t ecn = 1; ecn <= 2; ecn++) {
			uint8_t plain[MAX];
			struct esp_packet p;
			uint16_t sum;

			buffer[1] = ecn;
			bytes_store16(buffer + 4, (uint16_t)id);
			bytes_store16(buffer + 10, 0);
			sum = ipv4_checksum(buffer);
			if (sum >= 6 && sum <= 0xfff9)
				continue;
			bytes_store16(buffer + 10, sum);
			memcpy(plain, inner.p, inner.len);
			p = craft(&ends, ++sequence,
			    padded(plain, bytes_of(plain, inner.len), 4));
			p.tos = 3;
			esp_open(ends.in, &p, 1);
			must(p.verdict == ESP_OK && (p.data[1] & 3) == 3 &&
			    ipv4_checksum(p.data) == 0, "%04x", sum);
			packet_free(&p);
			seen++;
		}
	ck_assert_uint_ge(seen, 20);
	ends_free(&ends);
}
END_TEST

/* ---- whose it is ---- */

START_TEST(open_unknown_and_reserved_spis)
{
	static const uint32_t spis[] = { 0, 1, 255, 256, 0xffffffff, ENDS_SPI + 1 };
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	for (unsigned i = 0; i < COUNT(spis); i++) {
		struct esp_packet p = craft_good(&ends, 1, 60);

		bytes_store32(p.data, spis[i]);
		esp_open(ends.in, &p, 1);
		ck_assert_uint_eq(p.verdict, ESP_NO_SA);
		ck_assert_ptr_null(p.sa);
		packet_free(&p);
	}
	ck_assert_uint_eq(esp_read_counters(ends.in)->in[ESP_NO_SA], COUNT(spis));
	ends_free(&ends);

	/* reserved ones are nobody's, and not handed over either */
	ends_prepare(&ends, gcm(), false);
	esp_free(ends.in);
	ends.in = esp_new(0, 2);
	for (uint32_t spi = 0; spi <= ESP_SPI_MIN + 1; spi++) {
		struct esp_packet p = craft_good(&ends, 1, 60);

		bytes_store32(p.data, spi);
		esp_open(ends.in, &p, 1);
		must(p.verdict == (spi == ESP_SPI_MIN + 1 ? ESP_NOT_MINE : ESP_NO_SA),
		    "%u", spi);
		packet_free(&p);
	}
	ends_free(&ends);
}
END_TEST

START_TEST(open_hands_over_to_the_owner)
{
	struct ends ends;
	struct esp *workers[3];

	ends_prepare(&ends, gcm(), false);
	ends.config.direction = ESP_IN;
	for (uint16_t i = 0; i < 3; i++) {
		workers[i] = esp_new(i, 3);
		ck_assert_ptr_nonnull(workers[i]);
		ck_assert_int_eq(esp_add(workers[i], &ends.config),
		    ENDS_SPI % 3 == i ? ESP_SUCCESS : ESP_INVALID);
	}
	for (uint16_t i = 0; i < 3; i++) {
		struct esp_packet p = craft_good(&ends, 1 + i, 60);

		esp_open(workers[i], &p, 1);
		if (ENDS_SPI % 3 != i) {
			ck_assert_uint_eq(p.verdict, ESP_NOT_MINE);
			ck_assert_uint_eq(p.owner, ENDS_SPI % 3);
			p.verdict = ESP_OK;
			esp_open(workers[p.owner], &p, 1);
		}
		ck_assert_uint_eq(p.verdict, ESP_OK);
		packet_free(&p);
	}
	for (uint16_t i = 0; i < 3; i++)
		esp_free(workers[i]);
	ends_free(&ends);
}
END_TEST

START_TEST(open_tells_the_first_packet_once)
{
	struct ends ends;
	struct esp_notice notice;
	struct esp_packet bad;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	bad = craft_good(&ends, 1, 60);
	bad.data[20] ^= 1;
	ck_assert_uint_eq(open_one(&ends, bad), ESP_INTEGRITY);
	ck_assert(!esp_next_notice(ends.in, &notice));
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_uint_eq(open_one(&ends, craft_good(&ends, i, 60)), ESP_OK);
		ck_assert(esp_next_notice(ends.in, &notice) == (i == 1));
	}
	ck_assert_int_eq(notice.type, ESP_FIRST_IN);
	ck_assert_int_eq(notice.direction, ESP_IN);
	ck_assert_uint_eq(notice.id, ENDS_ID);
	ends_free(&ends);
}
END_TEST

START_TEST(open_stops_at_the_hard_limit)
{
	struct ends ends;
	struct esp_notice notice;
	struct esp_packet v[4];

	ends_prepare(&ends, gcm(), false);
	ends.config.hard.packets = 2;
	ends_add(&ends);
	for (unsigned i = 0; i < 4; i++)
		v[i] = craft_good(&ends, i + 1, 60);
	esp_open(ends.in, v, 3);	/* also inside one batch */
	esp_open(ends.in, v + 3, 1);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(v[i].verdict, i < 2 ? ESP_OK : ESP_SPENT);
		packet_free(&v[i]);
	}
	ck_assert(esp_next_notice(ends.in, &notice) && notice.type == ESP_FIRST_IN);
	ck_assert(esp_next_notice(ends.in, &notice) && notice.type == ESP_HARD);
	ck_assert(!esp_next_notice(ends.in, &notice));
	ends_free(&ends);
}
END_TEST

/* Many SAs, transforms and faults in one batch have the same end as one by one. */
START_TEST(open_batch_like_single_packets)
{
	enum { SAS = 6, N = 500 };
	static struct esp_packet batch[N], single[N];
	struct esp *together = esp_new(0, 1), *apart = esp_new(0, 1);
	struct ends sas[SAS];
	uint64_t seed = 11;
	unsigned seen[ESP_VERDICTS] = { 0 };

	for (unsigned i = 0; i < SAS; i++) {
		ends_prepare(&sas[i], bulk_transform(2 * i), i % 2 == 1);
		sas[i].config.direction = ESP_IN;
		sas[i].config.id = i + 1;
		sas[i].config.spi = 1000 + i;
		ck_assert_int_eq(esp_add(together, &sas[i].config), ESP_SUCCESS);
		ck_assert_int_eq(esp_add(apart, &sas[i].config), ESP_SUCCESS);
	}
	for (unsigned i = 0; i < N; i++) {
		struct ends *ends =
		    &sas[i % 7 == 0 ? next_random(&seed) % SAS : i / 100];
		unsigned fault = (unsigned)(next_random(&seed) % 12);
		/* faulty ones have numbers of their own: in a batch they are decrypted
		 * before it is known that their number has come already */
		uint64_t sequence =
		    fault < 2 ? 500 + i : 1 + i / 4 + next_random(&seed) % 40;
		struct esp_packet p = craft_good(ends, sequence, 40 + i);

		switch (fault) {
		case 0:
			p.data[8 + next_random(&seed) % (p.len - 8)] ^= 4;
			break;
		case 1:
			p.tail = (uint16_t)(p.tail + 3);
			p.len -= 3;
			break;
		case 2:
			p.verdict = ESP_TOO_BIG;
			break;
		}
		batch[i] = p;
		single[i] = p;
		single[i].data = exact_copy(bytes_of(p.data, p.len + p.tail));
	}
	esp_open(together, batch, N);
	for (unsigned i = 0; i < N; i++) {
		esp_open(apart, &single[i], 1);
		seen[single[i].verdict]++;
		must(batch[i].verdict == single[i].verdict &&
		    batch[i].flags == single[i].flags && batch[i].len == single[i].len &&
		    batch[i].head == single[i].head, "packet %u: %u, %u", i,
		    batch[i].verdict, single[i].verdict);
		must(batch[i].verdict != ESP_OK ||
			memcmp(batch[i].data, single[i].data, batch[i].len) == 0,
		    "packet %u", i);
	}
	ck_assert(seen[ESP_OK] > 100 && seen[ESP_REPLAY] > 20 &&
	    seen[ESP_INTEGRITY] > 20 && seen[ESP_TOO_BIG] > 20 &&
	    seen[ESP_MALFORMED] > 10);
	ck_assert_mem_eq(esp_read_counters(together), esp_read_counters(apart),
	    sizeof(struct esp_counters));
	for (unsigned i = 0; i < SAS; i++) {
		struct esp_usage a, b;

		ck_assert(esp_read_usage(together, ESP_IN, i + 1, &a));
		ck_assert(esp_read_usage(apart, ESP_IN, i + 1, &b));
		ck_assert_mem_eq(&a, &b, sizeof a);
		ends_free(&sas[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		packet_free(&batch[i]);
		packet_free(&single[i]);
	}
	esp_free(together);
	esp_free(apart);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("open");
	int rows = 0;

	while (bulk_transform((unsigned)rows) != NULL)
		rows++;
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, open_dpdk_packets);
	tcase_add_test(tcase, open_rfc7634_packet);
	tcase_add_loop_test(tcase, open_refuses_every_flipped_octet, 0, 2 * rows);
	tcase_add_loop_test(tcase, open_refuses_every_truncation, 0, rows);
	tcase_add_test(tcase, open_random_octets);
	tcase_add_test(tcase, open_replay_window);
	tcase_add_test(tcase, open_default_window_and_first);
	tcase_add_test(tcase, open_last_sequence_number);
	tcase_add_loop_test(tcase, open_crosses_32_bits_under_loss, 0, 8);
	tcase_add_test(tcase, open_duplicates_inside_a_batch);
	tcase_add_test(tcase, open_checks_the_trailer);
	tcase_add_test(tcase, open_tiny_plaintexts);
	tcase_add_test(tcase, open_drops_traffic_flow_padding);
	tcase_add_test(tcase, open_checks_the_selectors);
	tcase_add_test(tcase, open_joins_ecn);
	tcase_add_test(tcase, open_keeps_the_checksum_right);
	tcase_add_test(tcase, open_unknown_and_reserved_spis);
	tcase_add_test(tcase, open_hands_over_to_the_owner);
	tcase_add_test(tcase, open_tells_the_first_packet_once);
	tcase_add_test(tcase, open_stops_at_the_hard_limit);
	tcase_add_test(tcase, open_batch_like_single_packets);
	return run_tests("open", tcase);
}
