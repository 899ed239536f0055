#include <check.h>
#include <stdlib.h>

#include "libike/message.h"
#include "libike/payload.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { CRITICAL = 0x80, ROOM = 70000 };

static const struct ike_header request = {
	.spi_i = 0x1112131415161718, .spi_r = 0x2122232425262728, .version = 0x20,
	.exchange = IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR, .message_id = 0x31323334
};

/* A datagram under construction, octet by octet: what ike_chain would never write. */
struct draft {
	struct ike_writer w;
	uint8_t buf[ROOM];
};

static struct draft *
draft_new(uint8_t first)
{
	struct draft *d = malloc(sizeof *d);
	struct ike_header header = request;

	ck_assert_ptr_nonnull(d);
	d->w = ike_writer(d->buf, sizeof d->buf);
	header.next = first;
	ike_write_header(&d->w, &header);
	return d;
}

static void
put_payload(struct ike_writer *w, uint8_t next, uint8_t flags, size_t body)
{
	ike_write8(w, next);
	ike_write8(w, flags);
	ike_write16(w, (uint16_t)(4 + body));
	ike_write_zero(w, body);
}

static void
set_length(uint8_t *datagram, size_t len)
{
	if (len >= IKE_HEADER_LEN)
		bytes_store32(datagram + 24, (uint32_t)len);
}

/* An exactly sized datagram with the right length in its header; frees the draft. */
static struct bytes
finish(struct draft *d)
{
	struct bytes b;

	ck_assert(!d->w.bad);
	set_length(d->buf, d->w.len);
	b = octets_prefix(bytes_of(d->buf, d->w.len), d->w.len);
	free(d);
	return b;
}

static void
expect(struct draft *d, enum ike_error error, struct ike_message *m)
{
	struct bytes b = finish(d);

	ck_assert_int_eq(ike_parse_message(b, m), error);
	octets_free(b);
}

/* SA, KE and Nonce with bodies of 8, 12 and 16 octets. */
static struct bytes
sample(void)
{
	static const uint8_t types[] = { IKE_PAYLOAD_SA, IKE_PAYLOAD_KE,
	    IKE_PAYLOAD_NONCE };
	uint8_t buf[256], out[256];
	struct ike_chain chain = ike_chain(buf, sizeof buf);
	struct ike_writer w = ike_writer(out, sizeof out);

	for (unsigned i = 0; i < 3; i++) {
		ike_chain_open(&chain, types[i]);
		ike_write_zero(&chain.w, 8 + 4 * i);
		ike_chain_close(&chain);
	}
	ike_write_message(&w, &request, &chain);
	ck_assert(!w.bad);
	return octets_prefix(ike_written(&w), w.len);
}

/* ---- header ---- */

START_TEST(header_round_trip)
{
	struct bytes want = octets("1112131415161718 2122232425262728 21 20 22 08"
	    " 31323334 0000001c");
	struct ike_header header = request, back;
	uint8_t buf[28];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	header.next = 33;
	header.length = 28;
	ike_write_header(&w, &header);
	ck_assert(bytes_equal(ike_written(&w), want));
	ck_assert_int_eq(ike_parse_header(want, &back), IKE_OK);
	ck_assert(back.spi_i == header.spi_i && back.spi_r == header.spi_r);
	ck_assert_uint_eq(back.next, 33);
	ck_assert_uint_eq(back.version, 0x20);
	ck_assert_uint_eq(back.exchange, IKE_SA_INIT);
	ck_assert_uint_eq(back.flags, IKE_FLAG_INITIATOR);
	ck_assert_uint_eq(back.message_id, 0x31323334);
	ck_assert_uint_eq(back.length, 28);
	octets_free(want);
}
END_TEST

/* T15, T82, libreswan CVE-2013-4564: nothing is read before the length is known to be
 * there. */
START_TEST(header_short_datagrams)
{
	for (size_t n = 0; n < IKE_HEADER_LEN; n++) {
		struct bytes b = octets_of(0x21, n);
		struct ike_header header;
		struct ike_message m;

		ck_assert_int_eq(ike_parse_header(b, &header), IKE_DROP);
		ck_assert_uint_eq(header.version, 0);
		ck_assert_int_eq(ike_parse_message(b, &m), IKE_DROP);
		octets_free(b);
	}
}
END_TEST

/* T15 */
START_TEST(header_length_is_the_datagrams)
{
	static const int off[] = { -57, -29, -28, -4, -1, 1, 4, 28, 0x10000, 0x7fffff00 };
	struct bytes b = sample();
	struct ike_message m;

	ck_assert_int_eq(ike_parse_message(b, &m), IKE_OK);
	for (unsigned i = 0; i < sizeof off / sizeof *off; i++) {
		uint8_t *p = exact_copy(b);

		bytes_store32(p + 24, (uint32_t)((int)b.len + off[i]));
		ck_assert_int_eq(ike_parse_message(bytes_of(p, b.len), &m), IKE_DROP);
		free(p);
	}
	octets_free(b);
}
END_TEST

/* ---- chain ---- */

START_TEST(message_views)
{
	struct bytes b = sample();
	struct ike_message m;

	ck_assert_int_eq(ike_parse_message(b, &m), IKE_OK);
	ck_assert_ptr_eq(m.octets.p, b.p);
	ck_assert_uint_eq(m.octets.len, b.len);
	ck_assert_uint_eq(m.n, 3);
	ck_assert_uint_eq(m.v[0].type, IKE_PAYLOAD_SA);
	ck_assert_uint_eq(m.v[1].type, IKE_PAYLOAD_KE);
	ck_assert_uint_eq(m.v[2].type, IKE_PAYLOAD_NONCE);
	ck_assert_ptr_eq(m.v[0].body.p, b.p + 32);
	ck_assert_uint_eq(m.v[0].body.len, 8);
	ck_assert_ptr_eq(m.v[1].body.p, b.p + 44);
	ck_assert_uint_eq(m.v[1].body.len, 12);
	ck_assert_ptr_eq(m.v[2].body.p, b.p + 60);
	ck_assert_uint_eq(m.v[2].body.len, 16);
	ck_assert_uint_eq(m.unsupported, 0);
	ck_assert_uint_eq(m.sk_first, 0);
	octets_free(b);
}
END_TEST

START_TEST(message_truncated)
{
	struct bytes whole = sample();
	struct ike_message m;

	for (size_t n = 0; n < whole.len; n++) {
		struct bytes b = octets_prefix(whole, n);

		set_length((uint8_t *)(uintptr_t)b.p, n);
		ck_assert_int_eq(ike_parse_message(b, &m),
		    n < IKE_HEADER_LEN ? IKE_DROP : IKE_INVALID_SYNTAX);
		octets_free(b);
	}
	octets_free(whole);
}
END_TEST

START_TEST(message_trailing_octets)
{
	struct ike_message m;

	for (size_t extra = 0; extra <= 8; extra++) {
		struct draft *d = draft_new(IKE_PAYLOAD_NONCE);

		put_payload(&d->w, IKE_PAYLOAD_NONE, 0, 16);
		ike_write_zero(&d->w, extra);
		expect(d, extra == 0 ? IKE_OK : IKE_INVALID_SYNTAX, &m);
		d = draft_new(IKE_PAYLOAD_NONE);
		ike_write_zero(&d->w, extra);
		expect(d, extra == 0 ? IKE_OK : IKE_INVALID_SYNTAX, &m);
	}
}
END_TEST

/* Payload lengths 0..8 over a body of 4 octets (Cisco CVE-2016-1287, CVE-2025-20253). */
START_TEST(message_payload_lengths)
{
	for (uint16_t length = 0; length <= 12; length++) {
		struct draft *d = draft_new(IKE_PAYLOAD_NOTIFY);
		struct ike_message m;

		ike_write16(&d->w, IKE_PAYLOAD_NONE);
		ike_write16(&d->w, length);
		ike_write_zero(&d->w, 4);
		expect(d, length == 8 ? IKE_OK : IKE_INVALID_SYNTAX, &m);
	}
	for (unsigned length = 0x7fff; length <= 0xffff; length += 0x8000) {
		struct draft *d = draft_new(IKE_PAYLOAD_NOTIFY);
		struct ike_message m;

		ike_write16(&d->w, IKE_PAYLOAD_NONE);
		ike_write16(&d->w, (uint16_t)length);
		ike_write_zero(&d->w, 4);
		expect(d, IKE_INVALID_SYNTAX, &m);
	}
}
END_TEST

/* T18: RESERVED bits beside the critical bit say nothing. */
START_TEST(message_reserved_bits)
{
	for (unsigned flags = 0; flags <= 0xff; flags++) {
		struct draft *d = draft_new(IKE_PAYLOAD_NONCE);
		struct ike_message m;

		put_payload(&d->w, IKE_PAYLOAD_NONE, (uint8_t)flags, 16);
		expect(d, IKE_OK, &m);
		ck_assert_uint_eq(m.n, 1);
		ck_assert_int_eq(m.v[0].critical, (flags & CRITICAL) != 0);
		ck_assert_uint_eq(m.unsupported, 0);	/* T21: its type is known */
	}
}
END_TEST

static bool
known_type(unsigned type)
{
	return (type >= 33 && type <= 48) || type == 53;
}

/* One payload of the type among three, at `place`. */
static void
check_type(uint8_t type, unsigned place, uint8_t flags)
{
	const bool ends = type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF;
	const bool bad = type == IKE_PAYLOAD_NONE || (ends && place != 2);
	uint8_t types[4] = { IKE_PAYLOAD_NONCE, IKE_PAYLOAD_NONCE, IKE_PAYLOAD_NONCE, 0 };
	enum ike_error error;
	struct ike_message m;
	struct draft *d;
	struct bytes b;

	types[place] = type;
	d = draft_new(types[0]);
	for (unsigned i = 0; i < 3; i++)
		put_payload(&d->w, types[i + 1], i == place ? flags : 0, 16);
	b = finish(d);
	error = ike_parse_message(b, &m);
	octets_free(b);
	ck_assert_msg(error == (bad ? IKE_INVALID_SYNTAX : IKE_OK) && (bad ||
	    (m.n == (known_type(type) ? 3 : 2) &&
	    m.unsupported == (known_type(type) || flags == 0 ? 0 : type))),
	    "type %u at %u, flags %02x: error %d, n %u, unsupported %u", type, place,
	    flags, error, m.n, m.unsupported);
}

/* T19, T20, T21 and strongSwan CVE-2015-3991: IKEv1's types mean nothing. */
START_TEST(message_every_type)
{
	for (unsigned type = 0; type <= UINT8_MAX; type++)
		for (unsigned place = 0; place < 3; place++) {
			check_type((uint8_t)type, place, 0);
			check_type((uint8_t)type, place, CRITICAL);
		}
}
END_TEST

START_TEST(message_first_unsupported_is_told)
{
	struct draft *d = draft_new(200);
	struct ike_message m;

	put_payload(&d->w, 201, 0, 1);
	put_payload(&d->w, 202, CRITICAL, 0);
	put_payload(&d->w, 0, CRITICAL, 3);
	expect(d, IKE_OK, &m);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_uint_eq(m.unsupported, 201);
}
END_TEST

/* T25: SK and SKF end the outer chain; what they name as next stands inside. */
START_TEST(message_sk_is_last)
{
	static const uint8_t encrypted[] = { IKE_PAYLOAD_SK, IKE_PAYLOAD_SKF };

	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < 2; j++) {
			struct ike_message m;
			struct draft *d = draft_new(encrypted[i]);

			put_payload(&d->w, IKE_PAYLOAD_NOTIFY, 0, 20);
			expect(d, IKE_OK, &m);
			ck_assert_uint_eq(m.n, 1);
			ck_assert_uint_eq(m.v[0].type, encrypted[i]);
			ck_assert_uint_eq(m.sk_first, IKE_PAYLOAD_NOTIFY);

			d = draft_new(encrypted[i]);		/* a payload behind it */
			put_payload(&d->w, IKE_PAYLOAD_NOTIFY, 0, 20);
			put_payload(&d->w, IKE_PAYLOAD_NONE, 0, 4);
			expect(d, IKE_INVALID_SYNTAX, &m);

			d = draft_new(encrypted[i]);		/* two of them */
			put_payload(&d->w, encrypted[j], 0, 20);
			put_payload(&d->w, IKE_PAYLOAD_NONE, 0, 20);
			expect(d, IKE_INVALID_SYNTAX, &m);
		}
}
END_TEST

START_TEST(message_sk_behind_others)
{
	struct draft *d = draft_new(IKE_PAYLOAD_NOTIFY);
	struct ike_message m;

	put_payload(&d->w, 200, 0, 4);
	put_payload(&d->w, IKE_PAYLOAD_SK, CRITICAL, 4);
	put_payload(&d->w, IKE_PAYLOAD_NONE, 0, 20);
	expect(d, IKE_OK, &m);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_uint_eq(m.v[1].type, IKE_PAYLOAD_SK);
	ck_assert_uint_eq(m.sk_first, IKE_PAYLOAD_NONE);
	ck_assert_uint_eq(m.unsupported, 200);
}
END_TEST

/* libreswan CVE-2026-12413: the cap is an ordinary error, and unknown payloads fill
 * nothing. */
START_TEST(message_cap)
{
	for (unsigned n = IKE_MAX_PAYLOADS - 1; n <= IKE_MAX_PAYLOADS + 1; n++) {
		struct draft *d = draft_new(IKE_PAYLOAD_NOTIFY);
		struct ike_message m;

		for (unsigned i = 1; i <= n; i++)
			put_payload(&d->w, i < n ? IKE_PAYLOAD_NOTIFY : 0, 0, 4);
		expect(d, n <= IKE_MAX_PAYLOADS ? IKE_OK : IKE_INVALID_SYNTAX, &m);
		ck_assert_uint_le(m.n, IKE_MAX_PAYLOADS);
	}
}
END_TEST

START_TEST(message_cap_leaves_unknown_out)
{
	struct draft *d = draft_new(199);
	struct ike_message m;

	for (unsigned i = 0; i < 16000; i++)	/* each 4 octets: 64,000 */
		put_payload(&d->w, 199, 0, 0);
	put_payload(&d->w, IKE_PAYLOAD_NONCE, 0, 0);
	put_payload(&d->w, 0, 0, 16);
	expect(d, IKE_OK, &m);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.v[0].body.len, 16);
}
END_TEST

/* ---- inner chain ---- */

static struct bytes
inner_octets(const uint8_t *types, unsigned n, uint8_t flags)
{
	uint8_t buf[4096];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	for (unsigned i = 0; i < n; i++)
		put_payload(&w, i + 1 < n ? types[i + 1] : 0, flags, 8);
	ck_assert(!w.bad);
	return octets_prefix(ike_written(&w), w.len);
}

START_TEST(inner_chain_appends)
{
	static const uint8_t types[] = { IKE_PAYLOAD_IDI, 200, IKE_PAYLOAD_AUTH };
	struct bytes b = inner_octets(types, 3, CRITICAL);
	struct ike_message m = { .n = 1 };

	ck_assert_int_eq(ike_parse_chain(IKE_PAYLOAD_IDI, b, &m), IKE_OK);
	ck_assert_uint_eq(m.n, 3);
	ck_assert_uint_eq(m.v[1].type, IKE_PAYLOAD_IDI);
	ck_assert_uint_eq(m.v[2].type, IKE_PAYLOAD_AUTH);
	ck_assert_uint_eq(m.unsupported, 200);
	for (size_t n = 0; n < b.len; n++) {
		struct bytes part = octets_prefix(b, n);

		m.n = 0;
		ck_assert_int_eq(ike_parse_chain(IKE_PAYLOAD_IDI, part, &m),
		    IKE_INVALID_SYNTAX);
		octets_free(part);
	}
	octets_free(b);
}
END_TEST

START_TEST(inner_chain_empty)
{
	struct ike_message m = { .n = 0 };
	uint8_t octet = 0;

	ck_assert_int_eq(ike_parse_chain(0, bytes_of(NULL, 0), &m), IKE_OK);
	ck_assert_int_eq(ike_parse_chain(0, bytes_of(&octet, 1), &m), IKE_INVALID_SYNTAX);
	ck_assert_int_eq(ike_parse_chain(41, bytes_of(NULL, 0), &m), IKE_INVALID_SYNTAX);
	ck_assert_uint_eq(m.n, 0);
}
END_TEST

/* T19, T20 inside SK; T25: SK inside SK. */
START_TEST(inner_chain_every_type)
{
	for (unsigned type = 0; type <= UINT8_MAX; type++) {
		const uint8_t types[] = { IKE_PAYLOAD_NONCE, (uint8_t)type,
		    IKE_PAYLOAD_NONCE };
		struct bytes b = inner_octets(types, 3, CRITICAL);
		struct ike_message m = { .n = 0 };
		bool bad = type == 0 || type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF;
		enum ike_error error = ike_parse_chain(IKE_PAYLOAD_NONCE, b, &m);

		octets_free(b);
		ck_assert_msg(error == (bad ? IKE_INVALID_SYNTAX : IKE_OK) && (bad ||
		    (m.n == (known_type(type) ? 3 : 2) &&
		    m.unsupported == (known_type(type) ? 0 : type))),
		    "type %u: error %d, n %u, unsupported %u", type, error, m.n,
		    m.unsupported);
	}
}
END_TEST

START_TEST(inner_chain_cap_counts_outer)
{
	for (unsigned n = IKE_MAX_PAYLOADS - 2; n <= IKE_MAX_PAYLOADS; n++) {
		uint8_t types[IKE_MAX_PAYLOADS];
		struct ike_message m = { .n = 1 };
		struct bytes b;

		memset(types, IKE_PAYLOAD_NOTIFY, sizeof types);
		b = inner_octets(types, n, 0);
		ck_assert_int_eq(ike_parse_chain(IKE_PAYLOAD_NOTIFY, b, &m),
		    n < IKE_MAX_PAYLOADS ? IKE_OK : IKE_INVALID_SYNTAX);
		ck_assert_uint_eq(m.n, IKE_MAX_PAYLOADS - (n == IKE_MAX_PAYLOADS - 2));
		octets_free(b);
	}
}
END_TEST

/* ---- looking things up ---- */

START_TEST(message_lookups)
{
	uint8_t buf[512], out[512], bad_spi[] = { 0, 200, 0x40, 0x10 };
	struct ike_chain chain = ike_chain(buf, sizeof buf);
	struct ike_writer w = ike_writer(out, sizeof out);
	struct ike_notify notify = { .type = 1 };
	struct ike_message m;

	ike_add_notify(&chain, 16388, bytes_of("one", 3));
	ike_chain_open(&chain, IKE_PAYLOAD_NOTIFY);	/* its SPI is longer than it is */
	ike_write_bytes(&chain.w, bytes_of(bad_spi, sizeof bad_spi));
	ike_chain_close(&chain);
	ike_add_notify(&chain, 16388, bytes_of("two", 3));
	ike_add_notify(&chain, 16389, bytes_of(NULL, 0));
	ike_write_message(&w, &request, &chain);
	ck_assert_int_eq(ike_parse_message(ike_written(&w), &m), IKE_OK);

	ck_assert_uint_eq(ike_count_payloads(&m, IKE_PAYLOAD_NOTIFY), 4);
	ck_assert_uint_eq(ike_count_payloads(&m, IKE_PAYLOAD_KE), 0);
	ck_assert_ptr_eq(ike_find_payload(&m, IKE_PAYLOAD_NOTIFY, 0), &m.v[0]);
	ck_assert_ptr_eq(ike_find_payload(&m, IKE_PAYLOAD_NOTIFY, 3), &m.v[3]);
	ck_assert_ptr_null(ike_find_payload(&m, IKE_PAYLOAD_NOTIFY, 4));
	ck_assert_ptr_null(ike_find_payload(&m, IKE_PAYLOAD_SA, 0));
	ck_assert(ike_find_notify(&m, 16388, &notify));
	ck_assert(bytes_equal(notify.data, bytes_of("one", 3)));
	ck_assert_uint_eq(notify.protocol, 0);
	ck_assert_uint_eq(notify.spi.len, 0);
	ck_assert(ike_find_notify(&m, 16389, &notify));
	ck_assert_uint_eq(notify.data.len, 0);
	ck_assert(!ike_find_notify(&m, 0x4010 /* the malformed one */, &notify));
	ck_assert(!ike_find_notify(&m, 16390, &notify));
	ck_assert_uint_eq(notify.type, 16389);	/* untouched */
}
END_TEST

/* ---- writing ---- */

START_TEST(chain_without_payloads)
{
	struct ike_chain chain = ike_chain(NULL, 0);
	uint8_t out[28];
	struct ike_writer w = ike_writer(out, sizeof out);
	struct ike_message m;

	ike_write_message(&w, &request, &chain);
	ck_assert_int_eq(ike_parse_message(ike_written(&w), &m), IKE_OK);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_uint_eq(m.header.next, 0);
}
END_TEST

/* At every size below the needed one the message is bad, wherever the room ended. */
START_TEST(chain_overflows)
{
	struct bytes whole = sample();

	for (size_t cap = 0; cap <= whole.len; cap++) {
		struct bytes room = octets_of(0, cap);
		uint8_t buf[256];
		struct ike_chain chain = ike_chain(buf, sizeof buf);
		struct ike_writer w = ike_writer((uint8_t *)(uintptr_t)room.p, cap);

		ike_chain_open(&chain, IKE_PAYLOAD_VENDOR);
		ike_write_zero(&chain.w, whole.len - IKE_HEADER_LEN - 4);
		ike_chain_close(&chain);
		ike_write_message(&w, &request, &chain);
		ck_assert_int_eq(w.bad, cap < whole.len);
		octets_free(room);
	}
	for (size_t cap = 0; cap < 12; cap++) {
		struct bytes room = octets_of(0, cap);
		struct ike_chain chain = ike_chain((uint8_t *)(uintptr_t)room.p, cap);
		uint8_t out[256];
		struct ike_writer w = ike_writer(out, sizeof out);

		ike_chain_open(&chain, IKE_PAYLOAD_VENDOR);
		ike_chain_close(&chain);
		ike_add_notify(&chain, 1, bytes_of(NULL, 0));
		ck_assert(chain.w.bad);
		ike_write_message(&w, &request, &chain);
		ck_assert(w.bad);
		ck_assert_uint_eq(w.len, 0);
		octets_free(room);
	}
	octets_free(whole);
}
END_TEST

START_TEST(chain_payload_too_long)
{
	uint8_t *buf = malloc(ROOM);

	for (size_t body = 65530; body <= 65533; body++) {
		struct ike_chain chain = ike_chain(buf, ROOM);

		ike_chain_open(&chain, IKE_PAYLOAD_VENDOR);
		ike_write_zero(&chain.w, body);
		ike_chain_close(&chain);
		ck_assert_int_eq(chain.w.bad, body + 4 > 65535);
	}
	free(buf);
}
END_TEST

/* ---- anything ---- */

/* Whatever is parsed, every view lies where it came from.  Without assertions: Check
 * reports each to its parent, and these are too many. */
static bool
body_is_safe(struct bytes body)
{
	struct ike_notify notify;
	struct ike_delete del;
	struct ike_id_view id;
	struct ike_auth auth;
	struct ike_ke ke;

	(void)ike_check_sa(body);
	(void)ike_check_ts(body);
	return (ike_parse_ke(body, &ke) != IKE_OK || octets_within(ke.data, body)) &&
	    (ike_parse_id(body, &id) != IKE_OK || octets_within(id.data, body)) &&
	    (ike_parse_auth(body, &auth) != IKE_OK || octets_within(auth.data, body)) &&
	    (ike_parse_notify(body, &notify) != IKE_OK ||
	    (octets_within(notify.spi, body) && octets_within(notify.data, body))) &&
	    (ike_parse_delete(body, &del) != IKE_OK || (octets_within(del.spis, body) &&
	    ike_delete_spi(&del, del.count) == 0));
}

static void
walk(const struct ike_message *m, struct bytes datagram)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!octets_within(m->v[i].body, datagram) || !body_is_safe(m->v[i].body))
			ck_abort_msg("payload %u leaves the datagram", i);
}

START_TEST(message_mutations)
{
	uint64_t seed = 7296;
	struct bytes b = sample();
	unsigned parsed = 0;

	for (unsigned i = 0; i < 50000; i++) {
		uint8_t *p = exact_copy(b);
		struct ike_message m;

		for (unsigned n = 1 + (unsigned)(next_random(&seed) % 3); n > 0; n--)
			p[next_random(&seed) % b.len] = (uint8_t)next_random(&seed);
		set_length(p, b.len);
		if (ike_parse_message(bytes_of(p, b.len), &m) == IKE_OK) {
			parsed++;
			walk(&m, bytes_of(p, b.len));
		}
		free(p);
	}
	ck_assert_uint_gt(parsed, 1000);
	octets_free(b);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("message");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, header_round_trip);
	tcase_add_test(tcase, header_short_datagrams);
	tcase_add_test(tcase, header_length_is_the_datagrams);
	tcase_add_test(tcase, message_views);
	tcase_add_test(tcase, message_truncated);
	tcase_add_test(tcase, message_trailing_octets);
	tcase_add_test(tcase, message_payload_lengths);
	tcase_add_test(tcase, message_reserved_bits);
	tcase_add_test(tcase, message_every_type);
	tcase_add_test(tcase, message_first_unsupported_is_told);
	tcase_add_test(tcase, message_sk_is_last);
	tcase_add_test(tcase, message_sk_behind_others);
	tcase_add_test(tcase, message_cap);
	tcase_add_test(tcase, message_cap_leaves_unknown_out);
	tcase_add_test(tcase, inner_chain_appends);
	tcase_add_test(tcase, inner_chain_empty);
	tcase_add_test(tcase, inner_chain_every_type);
	tcase_add_test(tcase, inner_chain_cap_counts_outer);
	tcase_add_test(tcase, message_lookups);
	tcase_add_test(tcase, chain_without_payloads);
	tcase_add_test(tcase, chain_overflows);
	tcase_add_test(tcase, chain_payload_too_long);
	tcase_add_test(tcase, message_mutations);
	return run_tests("message", tcase);
}
