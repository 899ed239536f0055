#include <check.h>
#include <stdlib.h>

#include "libike/payload.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

/* ---- KE, 3.4 ---- */

START_TEST(ke_parse)
{
	struct bytes b = octets("001f ffff aabbcc");	/* RESERVED set, T18 */
	struct ike_ke ke;

	ck_assert_int_eq(ike_parse_ke(b, &ke), IKE_OK);
	ck_assert_uint_eq(ke.group, 31);
	ck_assert_ptr_eq(ke.data.p, b.p + 4);
	ck_assert_uint_eq(ke.data.len, 3);
	octets_free(b);
}
END_TEST

START_TEST(ke_lengths)
{
	static const size_t lengths[] = { 0, 1, 31, 32, 33, 256, 512, 65527, 65531 };
	uint8_t *buf = malloc(70000);

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct bytes data = octets_of(0x5a, lengths[i]), body;
		struct ike_ke ke = { 19, data }, back;
		struct ike_writer w = ike_writer(buf, 70000);

		ike_build_ke(&w, &ke);
		body = octets_prefix(ike_written(&w), w.len);
		ck_assert_int_eq(ike_parse_ke(body, &back),
		    lengths[i] == 0 ? IKE_INVALID_SYNTAX : IKE_OK);
		ck_assert_uint_eq(bytes_load16(body.p + 2), 0);
		if (lengths[i] != 0)
			ck_assert(bytes_equal(back.data, data));
		octets_free(body);
		octets_free(data);
	}
	free(buf);
}
END_TEST

/* strongSwan CVE-2014-9221: no group number is the engine's own; each comes out as it
 * came in. */
START_TEST(ke_every_group)
{
	uint8_t body[5] = { 0 };

	for (unsigned group = 0; group <= UINT16_MAX; group++) {
		struct ike_ke ke;

		bytes_store16(body, (uint16_t)group);
		if (ike_parse_ke(bytes_of(body, 5), &ke) != IKE_OK || ke.group != group)
			ck_abort_msg("group %u", group);
	}
}
END_TEST

/* ---- ID, 3.5 ---- */

/* WatchGuard CVE-2025-9242: identities of any length are views and nothing else. */
START_TEST(id_lengths)
{
	static const size_t lengths[] = { 0, 1, 4, 255, 4096, 60000 };
	uint8_t *buf = malloc(70000);

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct bytes data = octets_of('x', lengths[i]), body;
		struct ike_writer w = ike_writer(buf, 70000);
		struct ike_id_view id;

		ike_build_id(&w, IKE_ID_KEY_ID, data);
		body = octets_prefix(ike_written(&w), w.len);
		ck_assert_uint_eq(body.len, 4 + lengths[i]);
		ck_assert_uint_eq(bytes_load32(body.p), 11 << 24);
		ck_assert_int_eq(ike_parse_id(body, &id), IKE_OK);
		ck_assert_uint_eq(id.type, IKE_ID_KEY_ID);
		ck_assert(bytes_equal(id.data, data));
		ck_assert_ptr_eq(id.octets.p, body.p);
		ck_assert_uint_eq(id.octets.len, body.len);
		octets_free(body);
		octets_free(data);
	}
	free(buf);
}
END_TEST

/* T18: RESERVED says nothing but stays in what AUTH covers. */
START_TEST(id_reserved_stays_in_octets)
{
	struct bytes b = octets("02 f1f2f3 61");
	struct ike_id_view id;

	ck_assert_int_eq(ike_parse_id(b, &id), IKE_OK);
	ck_assert_uint_eq(id.type, IKE_ID_FQDN);
	ck_assert(bytes_equal(id.data, bytes_of("a", 1)));
	ck_assert(bytes_equal(id.octets, b));
	octets_free(b);
}
END_TEST

/* ---- AUTH, 3.8, and Nonce, 3.9 ---- */

START_TEST(auth_round_trip)
{
	struct bytes b = octets("02 a1a2a3 0102030405"), data = octets("0102030405");
	struct bytes want = octets("02 000000 0102030405");
	struct ike_auth auth;
	uint8_t buf[16];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ck_assert_int_eq(ike_parse_auth(b, &auth), IKE_OK);
	ck_assert_uint_eq(auth.method, IKE_AUTH_PSK);
	ck_assert(bytes_equal(auth.data, data));
	ike_build_auth(&w, &auth);
	ck_assert(bytes_equal(ike_written(&w), want));
	octets_free(b);
	octets_free(data);
	octets_free(want);
}
END_TEST

/* T36 */
START_TEST(nonce_lengths)
{
	for (size_t n = 0; n <= 300; n++) {
		struct bytes b = octets_of(7, n), nonce = { NULL, 0 };
		bool good = n >= 16 && n <= 256;

		ck_assert_int_eq(ike_parse_nonce(b, &nonce),
		    good ? IKE_OK : IKE_INVALID_SYNTAX);
		ck_assert_ptr_eq(nonce.p, good ? b.p : NULL);
		ck_assert_uint_eq(nonce.len, good ? n : 0);
		octets_free(b);
	}
}
END_TEST

/* ---- Notify, 3.10 ---- */

START_TEST(notify_round_trip)
{
	struct bytes b = octets("03 04 4009 c1c2c3c4 aabb");
	struct ike_notify notify;
	uint8_t buf[16];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ck_assert_int_eq(ike_parse_notify(b, &notify), IKE_OK);
	ck_assert_uint_eq(notify.protocol, IKE_PROTOCOL_ESP);
	ck_assert_uint_eq(notify.type, IKE_N_REKEY_SA);
	ck_assert_ptr_eq(notify.spi.p, b.p + 4);
	ck_assert_uint_eq(notify.spi.len, 4);
	ck_assert_ptr_eq(notify.data.p, b.p + 8);
	ck_assert_uint_eq(notify.data.len, 2);
	ike_build_notify(&w, &notify);
	ck_assert(bytes_equal(ike_written(&w), b));
	octets_free(b);
}
END_TEST

/* T58, libreswan CVE-2023-38710: every protocol with every SPI size. */
START_TEST(notify_every_protocol_and_spi_size)
{
	uint8_t body[4 + 255] = { 0 };

	for (unsigned protocol = 0; protocol <= 255; protocol++)
		for (unsigned size = 0; size <= 255; size++) {
			struct ike_notify notify;
			bool good = size == 0 || protocol > 3 ||
			    (protocol == 1 && size == 8) || (protocol >= 2 && size == 4);
			enum ike_error error;

			body[0] = (uint8_t)protocol;
			body[1] = (uint8_t)size;
			error = ike_parse_notify(bytes_of(body, sizeof body), &notify);
			if (error != (good ? IKE_OK : IKE_INVALID_SYNTAX))
				ck_abort_msg("protocol %u, SPI size %u", protocol, size);
		}
}
END_TEST

START_TEST(notify_spi_beyond_body)
{
	for (size_t n = 0; n < 12; n++) {
		struct bytes b = octets("01 08 4009 0102030405060708"), part;
		struct ike_notify notify;

		part = octets_prefix(b, n);
		ck_assert_int_eq(ike_parse_notify(part, &notify), IKE_INVALID_SYNTAX);
		octets_free(part);
		octets_free(b);
	}
}
END_TEST

START_TEST(notify_spi_too_long_to_write)
{
	struct bytes spi = octets_of(1, 256);
	struct ike_notify notify = { 3, 1, spi, { NULL, 0 } };
	uint8_t buf[512];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ike_build_notify(&w, &notify);
	ck_assert(w.bad);
	octets_free(spi);
}
END_TEST

/* ---- Delete, 3.11 ---- */

START_TEST(delete_round_trip)
{
	static const uint32_t spis[] = { 0xc1c2c3c4, 0x100, 0xffffffff };
	struct bytes want = octets("03 04 0003 c1c2c3c4 00000100 ffffffff");
	uint8_t buf[64];
	struct ike_writer w = ike_writer(buf, sizeof buf);
	struct ike_delete del;

	ike_build_delete(&w, IKE_PROTOCOL_ESP, spis, 3);
	ck_assert(bytes_equal(ike_written(&w), want));
	ck_assert_int_eq(ike_parse_delete(want, &del), IKE_OK);
	ck_assert_uint_eq(del.count, 3);
	for (uint16_t i = 0; i < 3; i++)
		ck_assert_uint_eq(ike_delete_spi(&del, i), spis[i]);
	ck_assert_uint_eq(ike_delete_spi(&del, 3), 0);
	ck_assert_uint_eq(ike_delete_spi(&del, 65535), 0);
	octets_free(want);
}
END_TEST

START_TEST(delete_of_the_ike_sa)
{
	struct bytes want = octets("01 00 0000");
	uint8_t buf[8];
	struct ike_writer w = ike_writer(buf, sizeof buf);
	struct ike_delete del;

	ike_build_delete(&w, IKE_PROTOCOL_IKE, NULL, 0);
	ck_assert(bytes_equal(ike_written(&w), want));
	ck_assert_int_eq(ike_parse_delete(want, &del), IKE_OK);
	ck_assert_uint_eq(del.protocol, IKE_PROTOCOL_IKE);
	ck_assert_uint_eq(del.count, 0);
	ck_assert_uint_eq(ike_delete_spi(&del, 0), 0);
	octets_free(want);
}
END_TEST

static const struct {
	const char *body;
	bool good;
} deletes[] = {	/* T75 */
	{ "03 04 0001 01020304", true },
	{ "02 04 0001 01020304", true },
	{ "03 04 0000", true },
	{ "01 00 0000", true },
	{ "01 00 0001", true },			/* a count of nothing */
	{ "01 08 0001 0102030405060708", false },
	{ "01 08 0000", false },
	{ "01 04 0001 01020304", false },
	{ "01 00 0000 00", false },
	{ "03 00 0000", false },
	{ "03 00 ffff", false },
	{ "03 04 ffff", false },
	{ "03 04 ffff 01020304", false },
	{ "03 04 0000 01020304", false },
	{ "03 04 0001 010203", false },
	{ "03 04 0001 0102030405", false },
	{ "03 08 0001 0102030405060708", false },
	{ "00 04 0001 01020304", false },
	{ "00 00 0000", false },
	{ "04 04 0001 01020304", false },
	{ "ff ff 0001 01020304", false }
};

START_TEST(delete_table)
{
	struct bytes b = octets(deletes[_i].body);
	struct ike_delete del;
	enum ike_error error = ike_parse_delete(b, &del);

	ck_assert_msg(error == (deletes[_i].good ? IKE_OK : IKE_INVALID_SYNTAX), "%s: %d",
	    deletes[_i].body, error);
	if (error == IKE_OK)
		ck_assert_uint_eq(del.spis.len, (size_t)del.count * 4);
	octets_free(b);
}
END_TEST

/* ---- SA, 3.3 ---- */

#define AES_GCM_256 "0300000c 01000014 800e0100"
#define PRF_SHA384  "03000008 02000006"
#define X25519      "00000008 0400001f"
/* IKE, no SPI, three transforms: 8 + 12 + 8 + 8 */
#define IKE_PROPOSAL "0024 01 01 00 03" AES_GCM_256 PRF_SHA384 X25519
/* ESP with an SPI, two transforms: 8 + 4 + 12 + 8 */
#define ESP_PROPOSAL "0020 02 03 04 02 c1c2c3c4" AES_GCM_256 "00000008 05000000"

START_TEST(sa_walk)
{
	struct bytes b = octets("0200" IKE_PROPOSAL "0000" ESP_PROPOSAL), rest = b;
	struct ike_proposal_view p;
	struct ike_transform t;

	ck_assert_int_eq(ike_check_sa(b), IKE_OK);
	ck_assert(ike_next_proposal(&rest, &p));
	ck_assert_uint_eq(p.number, 1);
	ck_assert_uint_eq(p.protocol, IKE_PROTOCOL_IKE);
	ck_assert_uint_eq(p.spi.len, 0);
	ck_assert(ike_next_transform(&p.transforms, &t));
	ck_assert_uint_eq(t.type, IKE_ENCR);
	ck_assert_uint_eq(t.id, IKE_ENCR_AES_GCM_16);
	ck_assert_uint_eq(t.key_bits, 256);
	ck_assert(!t.unknown_attribute);
	ck_assert(ike_next_transform(&p.transforms, &t));
	ck_assert_uint_eq(t.type, IKE_PRF);
	ck_assert_uint_eq(t.id, IKE_PRF_HMAC_SHA2_384);
	ck_assert_uint_eq(t.key_bits, 0);
	ck_assert(ike_next_transform(&p.transforms, &t));
	ck_assert_uint_eq(t.type, IKE_KE);
	ck_assert_uint_eq(t.id, IKE_KE_CURVE25519);
	ck_assert(!ike_next_transform(&p.transforms, &t));

	ck_assert(ike_next_proposal(&rest, &p));
	ck_assert_uint_eq(p.number, 2);
	ck_assert_uint_eq(p.protocol, IKE_PROTOCOL_ESP);
	ck_assert_uint_eq(p.spi.len, 4);
	ck_assert_uint_eq(bytes_load32(p.spi.p), 0xc1c2c3c4);
	ck_assert(ike_next_transform(&p.transforms, &t));
	ck_assert(ike_next_transform(&p.transforms, &t));
	ck_assert_uint_eq(t.type, IKE_ESN);
	ck_assert(!ike_next_transform(&p.transforms, &t));
	ck_assert(!ike_next_proposal(&rest, &p));
	ck_assert_uint_eq(rest.len, 0);
	octets_free(b);
}
END_TEST

START_TEST(sa_truncated)
{
	struct bytes b = octets("0200" IKE_PROPOSAL "0000" ESP_PROPOSAL);

	for (size_t n = 0; n < b.len; n++) {
		struct bytes part = octets_prefix(b, n);

		ck_assert_int_eq(ike_check_sa(part), IKE_INVALID_SYNTAX);
		octets_free(part);
	}
	octets_free(b);
}
END_TEST

/* One proposal with one transform, of which a row spoils something. */
static const struct {
	const char *body, *why;
	bool good;
} sas[] = {
	{ "0000 0010 01 01 00 01 00000008 02000005", "as it should be", true },
	{ "00ff 0010 01 01 00 01 00ff0008 02ff0005", "RESERVED, T18", true },
	{ "0200 0010 01 01 00 01 00000008 02000005", "more proposals promised", false },
	{ "0100 0010 01 01 00 01 00000008 02000005", "last of IKEv1", false },
	{ "ff00 0010 01 01 00 01 00000008 02000005", "last 255", false },
	{ "0000 0010 01 01 00 01 03000008 02000005", "more transforms promised", false },
	{ "0000 0010 01 01 00 01 02000008 02000005", "last of a proposal", false },
	{ "0000 0010 01 01 00 00 00000008 02000005", "a transform too many", false },
	{ "0000 0010 01 01 00 02 00000008 02000005", "a transform too few", false },
	{ "0000 0010 01 01 00 ff 00000008 02000005", "255 transforms promised", false },
	{ "0000 0008 01 01 00 00", "no transform", true },
	{ "0000 0008 01 01 00 01", "none where one is promised", false },
	{ "0000 0000 01 01 00 00", "proposal length 0", false },
	{ "0000 0001 01 01 00 00", "proposal length 1", false },
	{ "0000 0004 01 01 00 00", "proposal length 4", false },
	{ "0000 0007 01 01 00 00", "proposal length 7", false },
	{ "0000 0009 01 01 00 00", "proposal longer than the payload", false },
	{ "0000 ffff 01 01 00 00", "proposal length 65535", false },
	{ "0000 0008 01 01 00 00 00", "an octet behind the proposal", false },
	{ "0000 0010 01 01 00 01 00000000 02000005", "transform length 0", false },
	{ "0000 0010 01 01 00 01 00000004 02000005", "transform length 4", false },
	{ "0000 0010 01 01 00 01 00000007 02000005", "transform length 7", false },
	{ "0000 0010 01 01 00 01 00000009 02000005", "transform length 9", false },
	{ "0000 0010 01 01 00 01 0000ffff 02000005", "transform length 65535", false },
	{ "0000 0011 01 01 00 01 00000008 02000005 00", "an octet behind it", false },
	{ "0000 0012 01 01 00 01 0000000a 02000005 800e", "half an attribute", false },
	{ "0000 0013 01 01 00 01 0000000b 02000005 800e01", "3/4 attribute", false },
	{ "0000 0014 01 01 00 01 0000000c 0100000c 800e0080", "an attribute", true },
	{ "0000 0014 01 01 00 01 0000000c 0100000c 000e0004", "TLV, no value", false },
	{ "0000 0014 01 01 00 01 0000000c 0100000c 000effff", "TLV beyond all", false },
	{ "0000 0014 01 01 00 01 0000000c 0100000c 00010000", "empty TLV", true },
	{ "0000 0018 01 01 00 01 00000010 0100000c 00010004 01020304", "TLV", true },
	{ "0000 0017 01 01 00 01 0000000f 0100000c 00010004 010203", "short TLV", false },
	{ "0000 0018 01 01 08 01 0102030405060708 00000008 02000005", "IKE SPI", true },
	{ "0000 0014 01 01 04 01 01020304 00000008 02000005", "IKE SPI of 4", false },
	{ "0000 0014 01 03 04 01 01020304 00000008 05000000", "ESP SPI", true },
	{ "0000 0010 01 03 00 01 00000008 05000000", "ESP without SPI", false },
	{ "0000 0018 01 03 08 01 0102030405060708 00000008 05000000", "ESP, 8", false },
	{ "0000 0012 01 02 02 01 0102 00000008 05000000", "AH SPI of 2", false },
	{ "0000 0012 01 09 02 01 0102 00000008 05000000", "unknown protocol", true },
	{ "0000 0010 01 09 ff 01 00000008 05000000", "SPI beyond all", false },
	{ "0000 0010 01 01 00 01 00000008 ff00ffff", "unknown transform type", true }
};

START_TEST(sa_table)
{
	struct bytes b = octets(sas[_i].body);

	ck_assert_msg(ike_check_sa(b) == (sas[_i].good ? IKE_OK : IKE_INVALID_SYNTAX),
	    "row %d: %s", _i, sas[_i].why);
	octets_free(b);
}
END_TEST

static const struct {
	const char *attributes;
	uint16_t key_bits;
	bool unknown;
} attributes[] = {
	{ "", 0, false },
	{ "800e0080", 128, false },
	{ "800effff", 65535, false },
	{ "800e0000", 0, true },		/* must not pass for "no Key Length" */
	{ "800e0080 800e0080", 128, true },
	{ "800e0080 800e0100", 128, true },
	{ "000e0002 0080", 0, true },		/* Key Length is TV, 3.3.5 */
	{ "800d0080", 0, true },
	{ "000d0000", 0, true },
	{ "800e0100 800f0001", 256, true },
	{ "ffff0000", 0, true }
};

/* 3.3.6: what is not understood makes the transform one not to choose, and no more. */
START_TEST(transform_attributes)
{
	uint8_t buf[64];
	struct ike_writer w = ike_writer(buf, sizeof buf);
	struct bytes extra = octets(attributes[_i].attributes), rest;
	struct ike_transform t;

	ike_write16(&w, 0);
	ike_write16(&w, (uint16_t)(8 + extra.len));
	ike_write32(&w, 0x0100000c);
	ike_write_bytes(&w, extra);
	rest = ike_written(&w);
	ck_assert(ike_next_transform(&rest, &t));
	ck_assert_uint_eq(t.type, IKE_ENCR);
	ck_assert_uint_eq(t.id, IKE_ENCR_AES_CBC);
	ck_assert_uint_eq(t.key_bits, attributes[_i].key_bits);
	ck_assert_int_eq(t.unknown_attribute, attributes[_i].unknown);
	ck_assert_uint_eq(rest.len, 0);
	octets_free(extra);
}
END_TEST

/* Nothing has a cap: as many proposals and transforms as the fields can count. */
START_TEST(sa_large)
{
	enum { PROPOSALS = 30, TRANSFORMS = 255 };
	uint8_t *buf = malloc(70000);
	struct ike_writer w = ike_writer(buf, 70000);
	struct ike_proposal_view p;
	struct ike_transform t;
	unsigned proposals = 0, transforms = 0;
	struct bytes rest;

	for (unsigned i = 1; i <= PROPOSALS; i++) {
		ike_write16(&w, i < PROPOSALS ? 0x0200 : 0);
		ike_write16(&w, 8 + 8 * TRANSFORMS);
		ike_write8(&w, (uint8_t)i);
		ike_write8(&w, IKE_PROTOCOL_IKE);
		ike_write16(&w, TRANSFORMS);
		for (unsigned j = 1; j <= TRANSFORMS; j++) {
			ike_write32(&w, j < TRANSFORMS ? 0x03000008 : 8);
			ike_write32(&w, 0x04000000 + j);
		}
	}
	rest = ike_written(&w);
	ck_assert_int_eq(ike_check_sa(rest), IKE_OK);
	while (ike_next_proposal(&rest, &p))
		for (proposals++; ike_next_transform(&p.transforms, &t);)
			transforms++;
	ck_assert_uint_eq(proposals, PROPOSALS);
	ck_assert_uint_eq(transforms, PROPOSALS * TRANSFORMS);
	free(buf);
}
END_TEST

/* Walks as the handlers do; false when the iterators do not find what the counts
 * promise. */
static bool
walk_sa(struct bytes sa)
{
	struct ike_proposal_view p;
	struct ike_transform t;
	struct bytes rest = sa;

	while (rest.len != 0) {
		unsigned n = 0;

		if (!ike_next_proposal(&rest, &p) || !octets_within(p.spi, sa) ||
		    !octets_within(p.transforms, sa))
			return false;
		for (; p.transforms.len != 0; n++)
			if (!ike_next_transform(&p.transforms, &t))
				return false;
		if (n != p.spi.p[-1])
			return false;
	}
	return true;
}

/* What ike_check_sa lets through cannot fail in the iterators; what it does not, they
 * survive. */
START_TEST(sa_mutations)
{
	struct bytes b = octets("0200" IKE_PROPOSAL "0200" ESP_PROPOSAL
	    "0000" ESP_PROPOSAL);
	uint64_t seed = 33;
	unsigned good = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint8_t *p = exact_copy(b);
		struct bytes sa = bytes_of(p, b.len);

		for (unsigned n = 1 + (unsigned)(next_random(&seed) % 3); n > 0; n--)
			fill_random(&seed, p + next_random(&seed) % b.len, 1);
		if (ike_check_sa(sa) == IKE_OK) {
			good++;
			if (!walk_sa(sa))
				ck_abort_msg("step %u: checked, but not walkable", i);
		} else
			(void)walk_sa(sa);
		free(p);
	}
	ck_assert_uint_gt(good, 1000);
	octets_free(b);
}
END_TEST

/* ---- TS, 3.13 ---- */

#define TS_ANY4 "07 00 0010 0000 ffff 00000000 ffffffff"
#define TS_NET4 "07 11 0010 0035 0035 0a010000 0a01ffff"
#define TS_NET6 "08 06 0028 0000 ffff 20010db8000000000000000000000000" \
	" 20010db800000000ffffffffffffffff"

static const struct {
	const char *body, *why;
	bool good;
	int found;
} selectors[] = {	/* T51 */
	{ "01 000000" TS_ANY4, "all of IPv4", true, 1 },
	{ "01 ffffff" TS_ANY4, "RESERVED, T18", true, 1 },
	{ "02 000000" TS_NET4 TS_NET6, "both families", true, 2 },
	{ "01 000000 07 06 0010 ffff 0000 0a010000 0a01ffff", "OPAQUE ports", true, 1 },
	{ "01 000000 07 01 0010 0800 08ff 0a010000 0a01ffff", "ICMP echo", true, 1 },
	{ "01 000000 07 00 0010 0000 ffff 0a010001 0a010001", "one host", true, 1 },
	{ "01 000000 07 06 0010 0010 0005 0a010000 0a01ffff", "swapped ports", true, 0 },
	{ "01 000000 07 00 0010 0010 0020 0a010000 0a01ffff", "ports of any", true, 0 },
	{ "01 000000 09 00 0008 01020304", "unknown type (FC)", true, 0 },
	{ "01 000000 ff 00 0004", "unknown type, empty", true, 0 },
	{ "03 000000" TS_NET4 "09 00 0008 01020304" TS_NET6, "unknown between", true, 2 },
	{ "00 000000", "no selector", false, 0 },
	{ "01 000000", "none where one is promised", false, 0 },
	{ "00 000000" TS_ANY4, "one where none is promised", false, 0 },
	{ "02 000000" TS_ANY4, "one where two are promised", false, 0 },
	{ "ff 000000" TS_ANY4, "one where 255 are promised", false, 0 },
	{ "01 000000" TS_ANY4 TS_ANY4, "two where one is promised", false, 0 },
	{ "01 000000" TS_ANY4 "00", "an octet behind", false, 0 },
	{ "01 000000 07 00 0010 0000 ffff 0a010001 0a010000", "backwards", false, 0 },
	{ "01 000000 07 00 0000 0000 ffff 00000000 ffffffff", "length 0", false, 0 },
	{ "01 000000 07 00 0003 0000 ffff 00000000 ffffffff", "length 3", false, 0 },
	{ "01 000000 07 00 0004 0000 ffff 00000000 ffffffff", "length 4", false, 0 },
	{ "01 000000 07 00 0008 0000 ffff 00000000 ffffffff", "length 8", false, 0 },
	{ "01 000000 07 00 000f 0000 ffff 00000000 ffffff", "length 15", false, 0 },
	{ "01 000000 07 00 0011 0000 ffff 00000000 ffffffff 00", "length 17", false, 0 },
	{ "01 000000 07 00 ffff 0000 ffff 00000000 ffffffff", "length 65535", false, 0 },
	{ "01 000000 08 00 0010 0000 ffff 00000000 ffffffff", "IPv6 of 16", false, 0 },
	{ "01 000000 09 00 0003", "unknown type, length 3", false, 0 },
	{ "01 000000 09 00 0000", "unknown type, length 0", false, 0 }
};

START_TEST(ts_table)
{
	struct bytes b = octets(selectors[_i].body), list;
	struct esp_range range;
	int found = 0;

	ck_assert_msg(
	    ike_check_ts(b) == (selectors[_i].good ? IKE_OK : IKE_INVALID_SYNTAX),
	    "row %d: %s", _i, selectors[_i].why);
	list = ike_ts_list(b);
	ck_assert_uint_eq(list.len, b.len - 4);
	while (ike_next_ts(&list, &range)) {
		ck_assert(esp_range_valid(&range));
		found++;
	}
	if (selectors[_i].good)
		ck_assert_int_eq(found, selectors[_i].found);
	ck_assert_uint_eq(list.len, 0);
	octets_free(b);
}
END_TEST

START_TEST(ts_values)
{
	struct bytes b = octets("02 000000" TS_NET4 TS_NET6), list = ike_ts_list(b);
	static const uint8_t first4[16] = { 10, 1 }, last4[16] = { 10, 1, 255, 255 };
	struct esp_range range;

	ck_assert(ike_next_ts(&list, &range));
	ck_assert_uint_eq(range.family, ESP_IPV4);
	ck_assert_uint_eq(range.protocol, 17);
	ck_assert_uint_eq(range.port[0], 53);
	ck_assert_uint_eq(range.port[1], 53);
	ck_assert_mem_eq(range.addr[0], first4, 16);
	ck_assert_mem_eq(range.addr[1], last4, 16);
	ck_assert(ike_next_ts(&list, &range));
	ck_assert_uint_eq(range.family, ESP_IPV6);
	ck_assert_uint_eq(range.protocol, 6);
	ck_assert_uint_eq(range.port[1], 65535);
	ck_assert_mem_eq(range.addr[0], b.p + 4 + 16 + 8, 16);
	ck_assert_mem_eq(range.addr[1], b.p + 4 + 16 + 24, 16);
	ck_assert(!ike_next_ts(&list, &range));
	octets_free(b);
}
END_TEST

START_TEST(ts_truncated)
{
	struct bytes b = octets("03 000000" TS_NET4 "09 00 0008 01020304" TS_NET6);

	for (size_t n = 0; n < b.len; n++) {
		struct bytes part = octets_prefix(b, n), list = ike_ts_list(part);
		struct esp_range range;

		ck_assert_int_eq(ike_check_ts(part), IKE_INVALID_SYNTAX);
		while (ike_next_ts(&list, &range))
			;
		octets_free(part);
	}
	octets_free(b);
}
END_TEST

START_TEST(ts_build_is_what_was_parsed)
{
	struct bytes b = octets("02 000000" TS_NET4 TS_NET6), list = ike_ts_list(b);
	struct esp_range ranges[2];
	uint8_t buf[128];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ck_assert(ike_next_ts(&list, &ranges[0]) && ike_next_ts(&list, &ranges[1]));
	ike_build_ts(&w, ranges, 2);
	ck_assert(bytes_equal(ike_written(&w), b));
	octets_free(b);
}
END_TEST

START_TEST(ts_build_counts)
{
	struct esp_range ranges[256], bad = { 0 };
	static const unsigned counts[] = { 0, 1, 254, 255, 256 };
	uint8_t *buf = malloc(8192);
	struct ike_writer w;

	for (unsigned i = 0; i < 256; i++)
		ranges[i] = esp_range_any(ESP_IPV4);
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = counts[i];
		bool good = n != 0 && n != 256;

		w = ike_writer(buf, 8192);
		ike_build_ts(&w, ranges, n);
		ck_assert_int_eq(!w.bad, good);
		if (good) {
			ck_assert_uint_eq(w.len, 4 + 16 * n);
			ck_assert_int_eq(ike_check_ts(ike_written(&w)), IKE_OK);
		}
	}
	w = ike_writer(buf, 8192);
	ike_build_ts(&w, &bad, 1);	/* no family */
	ck_assert(w.bad);
	free(buf);
}
END_TEST

START_TEST(ts_mutations)
{
	struct bytes b = octets("03 000000" TS_NET4 "09 00 0008 01020304" TS_NET6);
	uint64_t seed = 44;
	unsigned good = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint8_t *p = exact_copy(b);
		struct bytes list = ike_ts_list(bytes_of(p, b.len));
		struct esp_range range;

		p[next_random(&seed) % b.len] = (uint8_t)(next_random(&seed) >> 56);
		p[next_random(&seed) % b.len] = (uint8_t)(next_random(&seed) >> 56);
		good += ike_check_ts(bytes_of(p, b.len)) == IKE_OK;
		while (ike_next_ts(&list, &range))
			if (!esp_range_valid(&range))
				ck_abort_msg("step %u: invalid range", i);
		free(p);
	}
	ck_assert_uint_gt(good, 1000);
	octets_free(b);
}
END_TEST

/* ---- every fixed part cut short ---- */

static const struct {
	const char *name;
	size_t least;		/* the shortest body that is right */
} shortest[] = { { "KE", 5 }, { "ID", 4 }, { "AUTH", 4 }, { "N", 4 }, { "D", 4 } };

static enum ike_error
parse(int which, struct bytes body)
{
	struct ike_notify notify;
	struct ike_delete del;
	struct ike_id_view id;
	struct ike_auth auth;
	struct ike_ke ke;

	switch (which) {
	case 0:
		return ike_parse_ke(body, &ke);
	case 1:
		return ike_parse_id(body, &id);
	case 2:
		return ike_parse_auth(body, &auth);
	case 3:
		return ike_parse_notify(body, &notify);
	default:
		return ike_parse_delete(body, &del);
	}
}

START_TEST(body_truncated)
{
	struct bytes whole = octets("01 00 0000 00");

	for (size_t n = 0; n <= shortest[_i].least; n++) {
		struct bytes part = octets_prefix(whole, n);

		ck_assert_msg(parse(_i, part) ==
		    (n < shortest[_i].least ? IKE_INVALID_SYNTAX : IKE_OK),
		    "%s of %zu octets", shortest[_i].name, n);
		octets_free(part);
	}
	octets_free(whole);
}
END_TEST

#define ROWS(table) (int)(sizeof (table) / sizeof *(table))

int
main(void)
{
	TCase *tcase = tcase_create("payload");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, ke_parse);
	tcase_add_test(tcase, ke_lengths);
	tcase_add_test(tcase, ke_every_group);
	tcase_add_test(tcase, id_lengths);
	tcase_add_test(tcase, id_reserved_stays_in_octets);
	tcase_add_test(tcase, auth_round_trip);
	tcase_add_test(tcase, nonce_lengths);
	tcase_add_test(tcase, notify_round_trip);
	tcase_add_test(tcase, notify_every_protocol_and_spi_size);
	tcase_add_test(tcase, notify_spi_beyond_body);
	tcase_add_test(tcase, notify_spi_too_long_to_write);
	tcase_add_test(tcase, delete_round_trip);
	tcase_add_test(tcase, delete_of_the_ike_sa);
	tcase_add_loop_test(tcase, delete_table, 0, ROWS(deletes));
	tcase_add_test(tcase, sa_walk);
	tcase_add_test(tcase, sa_truncated);
	tcase_add_loop_test(tcase, sa_table, 0, ROWS(sas));
	tcase_add_loop_test(tcase, transform_attributes, 0, ROWS(attributes));
	tcase_add_test(tcase, sa_large);
	tcase_add_test(tcase, sa_mutations);
	tcase_add_loop_test(tcase, ts_table, 0, ROWS(selectors));
	tcase_add_test(tcase, ts_values);
	tcase_add_test(tcase, ts_truncated);
	tcase_add_test(tcase, ts_build_is_what_was_parsed);
	tcase_add_test(tcase, ts_build_counts);
	tcase_add_test(tcase, ts_mutations);
	tcase_add_loop_test(tcase, body_truncated, 0, ROWS(shortest));
	return run_tests("payload", tcase);
}
