#include <check.h>
#include <stdlib.h>

#include "libike/payload.h"
#include "libike/protect.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { ROOM = 4096 };

static const struct {
	uint16_t encr, key_bits, integ;
} ciphers[] = {
	{ ENCR_CHACHA20_POLY1305, 0, AUTH_NONE },
	{ ENCR_AES_GCM_16, 128, AUTH_NONE },
	{ ENCR_AES_GCM_16, 192, AUTH_NONE },
	{ ENCR_AES_GCM_16, 256, AUTH_NONE },
	{ ENCR_AES_CBC, 128, AUTH_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 192, AUTH_HMAC_SHA2_384_192 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256 }
};

static const struct ike_header request = {
	.spi_i = 0x1112131415161718, .spi_r = 0x2122232425262728, .version = 0x20,
	.exchange = INFORMATIONAL, .flags = IKE_FLAG_INITIATOR, .message_id = 7
};

/* One end's view of an SA. */
struct end {
	struct ike_suite suite;
	struct ike_keys keys;
};

static struct end
make_end(int cipher)
{
	static uint8_t octets[sizeof(ciphers) / sizeof(ciphers[0])][2 * ESP_MAX_KEY_LEN];
	struct end e = { .suite.cipher = esp_transform_find_single(ciphers[cipher].encr,
	    ciphers[cipher].key_bits, ciphers[cipher].integ) };
	uint64_t seed = 5282;

	ck_assert_ptr_nonnull(e.suite.cipher);
	fill_random(&seed, octets[cipher], sizeof(octets[cipher]));
	e.keys.octets = octets[cipher];
	e.keys.cipher_len = (uint8_t)esp_transform_keymat(e.suite.cipher);
	return e;
}

static void
fill(void *arg, uint8_t *p, size_t len)
{
	fill_random(arg, p, len);
}

/* A chain of one payload of `n` octets, or of none (IKE_PAYLOAD_NONE). */
static struct ike_chain
make_chain(uint8_t *buf, size_t cap, uint8_t type, size_t n)
{
	struct ike_chain chain = ike_chain(buf, cap);

	if (type == IKE_PAYLOAD_NONE)
		return chain;
	ike_chain_open(&chain, type);
	for (size_t i = 0; i < n; i++)
		ike_write8(&chain.w, (uint8_t)i);
	ike_chain_close(&chain);
	ck_assert(!chain.w.bad);
	return chain;
}

/* A sealed message on an exactly sized allocation. */
static struct bytes
seal(const struct end *e, bool by_initiator, const struct ike_chain *chain,
    uint64_t counter)
{
	uint64_t seed = counter;
	const struct ike_random random = { fill, &seed };
	uint8_t buf[ROOM];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ck_assert_int_eq(ike_seal_message(&e->suite, &e->keys, by_initiator, &request,
	    chain, counter, &random, &w), IKE_OK);
	return octets_prefix(ike_written(&w), w.len);
}

static struct bytes
seal_one(const struct end *e, size_t n)
{
	uint8_t buf[ROOM];
	struct ike_chain chain = make_chain(buf, sizeof buf, IKE_PAYLOAD_VENDOR, n);

	return seal(e, true, &chain, 1);
}

static enum ike_error
open_message(const struct end *e, bool by_initiator, struct bytes b,
    struct ike_message *m)
{
	enum ike_error error = ike_parse_message(b, m);

	return error != IKE_OK ? error : ike_open_message(&e->suite, &e->keys,
	    by_initiator, (uint8_t *)(uintptr_t)b.p, m);
}

/* ---- known answer ---- */

/* RFC 7634 appendix B: the responder of the SA asks with message id 9. */
START_TEST(protect_rfc7634)
{
	struct vectors *v = vectors_open("rfc7634-packets.json");
	struct end e = make_end(0);
	struct bytes packet, key, salt;
	struct ike_message m;
	struct ike_notify notify;
	uint8_t window[4] = { 0, 0, 0, 10 }, buf[ROOM], out[ROOM], *p;
	struct ike_chain chain = ike_chain(buf, sizeof buf);
	struct ike_writer w = ike_writer(out, sizeof out);
	const struct ike_random none = { NULL, NULL };
	struct ike_header header;

	do
		ck_assert(vectors_next(v));
	while (strcmp(vectors_id(v), "rfc7634-B-ike") != 0);
	packet = vectors_hex(v, "packet");
	key = vectors_hex(v, "key");
	salt = vectors_hex(v, "salt");
	memcpy(e.keys.octets + 36, key.p, 32);
	memcpy(e.keys.octets + 36 + 32, salt.p, 4);

	p = exact_copy(packet);
	ck_assert_int_eq(open_message(&e, false, bytes_of(p, packet.len), &m), IKE_OK);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.v[0].type, IKE_PAYLOAD_NOTIFY);
	ck_assert(ike_find_notify(&m, IKE_N_SET_WINDOW_SIZE, &notify));
	ck_assert(bytes_equal(notify.data, bytes_of(window, 4)));
	header = m.header;

	ike_add_notify(&chain, IKE_N_SET_WINDOW_SIZE, bytes_of(window, 4));
	ck_assert_int_eq(ike_seal_message(&e.suite, &e.keys, false, &header, &chain,
	    0x1011121314151617, &none, &w), IKE_OK);
	ck_assert(bytes_equal(ike_written(&w), packet));
	free(p);
	vectors_close(v);
}
END_TEST

/* ---- round trips ---- */

/* Every padding that a block cipher needs, both directions, and the empty
 * INFORMATIONAL. */
START_TEST(protect_round_trip)
{
	struct end e = make_end(_i);
	const struct esp_transform *t = e.suite.cipher;

	for (size_t n = 0; n <= 66; n++) {
		uint8_t type = n == 0 ? IKE_PAYLOAD_NONE : IKE_PAYLOAD_VENDOR, buf[ROOM];
		struct ike_chain chain = make_chain(buf, sizeof buf, type, n);
		struct bytes b = seal(&e, n % 2 == 0, &chain, n);
		struct ike_message m;

		ck_assert_uint_eq((b.len - 32 - t->iv_len - t->icv_len) % t->align, 0);
		ck_assert_uint_le(b.len,
		    32 + t->iv_len + t->icv_len + chain.w.len + t->align);
		ck_assert_int_eq(open_message(&e, n % 2 == 0, b, &m), IKE_OK);
		ck_assert_uint_eq(m.header.next, IKE_PAYLOAD_SK);
		ck_assert_uint_eq(m.header.message_id, request.message_id);
		ck_assert_uint_eq(m.n, n == 0 ? 0 : 1);
		ck_assert_uint_eq(m.sk_first, type);
		if (n != 0) {
			ck_assert_uint_eq(m.v[0].type, type);
			ck_assert(octets_within(m.v[0].body, b));
			ck_assert(bytes_equal(m.v[0].body, bytes_of(buf + 4, n)));
		}
		octets_free(b);
	}
}
END_TEST

/* RFC 5282 3.1: the IV of an AEAD is the counter; a CBC IV is random, RFC 7296 3.14. */
START_TEST(protect_ivs)
{
	struct end e = make_end(_i);
	const size_t iv_len = e.suite.cipher->iv_len;
	uint8_t random_iv[16];
	uint64_t seed = 1;
	struct bytes b = seal_one(&e, 5);

	fill_random(&seed, random_iv, sizeof random_iv);
	if (ciphers[_i].integ == AUTH_NONE) {
		ck_assert_uint_eq(iv_len, 8);
		ck_assert(bytes_load64(b.p + 32) == 1);
	} else
		ck_assert_mem_eq(b.p + 32, random_iv, iv_len);
	octets_free(b);
}
END_TEST

/* ---- what is not from the peer ---- */

/* Every octet of the message counts; nothing of the SA changes (OpenIKED baf0c8e),
 * T45. */
START_TEST(protect_tampered)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	struct end e = make_end(_i), before = e;
	struct bytes b = seal_one(&e, 21);

	for (size_t at = 0; at < b.len; at++)
		for (unsigned f = 0; f < sizeof flips; f++) {
			uint8_t *p = exact_copy(b);
			struct ike_message m;
			enum ike_error error;

			p[at] ^= flips[f];
			error = open_message(&e, true, bytes_of(p, b.len), &m);
			/* a header that does not parse is found earlier */
			if (error != IKE_DROP &&
			    !(error == IKE_INVALID_SYNTAX && at < 32))
				ck_abort_msg("octet %zu: %d", at, error);
			free(p);
		}
	ck_assert_mem_eq(&e, &before, sizeof e);
	octets_free(b);
}
END_TEST

START_TEST(protect_wrong_direction)
{
	struct end e = make_end(_i);
	struct bytes b = seal_one(&e, 21);
	struct ike_message m;

	ck_assert_int_eq(open_message(&e, false, b, &m), IKE_DROP);
	octets_free(b);
}
END_TEST

/* SK bodies of every length up to the shortest that could be one; then of one octet more
 * or less than whole blocks. */
START_TEST(protect_short)
{
	struct end e = make_end(_i);
	const size_t least = (size_t)e.suite.cipher->iv_len + e.suite.cipher->icv_len;

	for (size_t n = 0; n <= least + 2 * 16; n++) {
		uint8_t buf[ROOM] = { 0 };
		struct ike_writer w = ike_writer(buf, sizeof buf);
		struct ike_header header = request;
		struct ike_message m;
		struct bytes b;

		header.next = IKE_PAYLOAD_SK;
		header.length = (uint32_t)(32 + n);
		ike_write_header(&w, &header);
		ike_write16(&w, 0);
		ike_write16(&w, (uint16_t)(4 + n));
		ike_write_zero(&w, n);
		b = octets_prefix(ike_written(&w), w.len);
		ck_assert_int_eq(open_message(&e, true, b, &m), IKE_DROP);
		octets_free(b);
	}
}
END_TEST

/* A message cut anywhere, its lengths put right: only the whole one is authentic. */
START_TEST(protect_truncated)
{
	struct end e = make_end(_i);
	struct bytes whole = seal_one(&e, 30);

	for (size_t n = 32; n < whole.len; n++) {
		struct bytes b = octets_prefix(whole, n);
		uint8_t *p = (uint8_t *)(uintptr_t)b.p;
		struct ike_message m;

		bytes_store32(p + 24, (uint32_t)n);
		bytes_store16(p + 30, (uint16_t)(n - 28));
		ck_assert_int_eq(open_message(&e, true, b, &m), IKE_DROP);
		octets_free(b);
	}
	octets_free(whole);
}
END_TEST

START_TEST(protect_without_sk)
{
	static const uint8_t types[] = { IKE_PAYLOAD_NONCE, IKE_PAYLOAD_SKF };
	struct end e = make_end(0);

	for (unsigned i = 0; i <= sizeof types; i++) {
		uint8_t buf[ROOM], out[ROOM];
		struct ike_chain chain = make_chain(buf, sizeof buf,
		    i < sizeof types ? types[i] : IKE_PAYLOAD_NONE, 64);
		struct ike_writer w = ike_writer(out, sizeof out);
		struct ike_message m;

		ike_write_message(&w, &request, &chain);
		ck_assert_int_eq(open_message(&e, true, ike_written(&w), &m), IKE_DROP);
	}
}
END_TEST

/* ---- what is from the peer and wrong, or odd ---- */

/* Seals `plain` as the SK payload's content, padding and all, behind outer payloads that
 * are already written; `next` is the type of the first of them, or of the SK payload
 * itself. */
static struct bytes
seal_raw(const struct end *e, struct bytes outer, uint8_t next, uint8_t first,
    struct bytes plain)
{
	const struct esp_transform *t = e->suite.cipher;
	const size_t sk = 4 + t->iv_len + plain.len + t->icv_len;
	struct ike_header header = request;
	uint8_t buf[ROOM];
	struct ike_writer w = ike_writer(buf, sizeof buf);
	struct esp_op op = { .len = (uint32_t)plain.len };

	header.next = next;
	header.length = (uint32_t)(IKE_HEADER_LEN + outer.len + sk);
	ike_write_header(&w, &header);
	ike_write_bytes(&w, outer);
	ike_write8(&w, first);
	ike_write8(&w, 0);
	ike_write16(&w, (uint16_t)sk);
	op.aad = ike_written(&w);
	op.iv = ike_write_space(&w, t->iv_len);
	op.data = ike_write_space(&w, plain.len);
	op.icv = ike_write_space(&w, t->icv_len);
	ck_assert(!w.bad);
	memset(op.iv, 9, t->iv_len);
	if (plain.len != 0)
		memcpy(op.data, plain.p, plain.len);
	op.key = t->new_key(t, ike_key_cipher(&e->keys, true),
	    bytes_of(NULL, 0));
	t->seal(NULL, &op, 1);
	ck_assert(op.ok);
	t->free_key(op.key);
	return octets_prefix(ike_written(&w), w.len);
}

/* T25, T91: a pad length beyond what there is, behind a good ICV. */
START_TEST(protect_pad_length)
{
	struct end e = make_end(_i);

	for (unsigned pad = 0; pad <= 255; pad++) {
		struct bytes plain = octets_of((uint8_t)pad, 32), b;
		struct ike_message m;
		enum ike_error error;

		b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SK, IKE_PAYLOAD_NONE,
		    plain);
		error = open_message(&e, true, b, &m);
		ck_assert_msg(error == (pad == 31 ? IKE_OK : IKE_INVALID_SYNTAX),
		    "pad length %u: %d", pad, error);
		octets_free(b);
		b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SK, IKE_PAYLOAD_NONCE,
		    plain);
		error = open_message(&e, true, b, &m);
		ck_assert_msg(error == IKE_INVALID_SYNTAX, "pad length %u: %d", pad,
		    error);
		octets_free(plain);
		octets_free(b);
	}
}
END_TEST

/* Authentic and still no SK payload: one without even a pad length, and one of another
 * type. */
START_TEST(protect_authentic_but_no_sk)
{
	struct end e = make_end(_i);
	struct bytes plain = octets_of(0, 16), b;
	struct ike_message m;

	b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SK, IKE_PAYLOAD_NONE,
	    bytes_of(NULL, 0));
	ck_assert_int_eq(open_message(&e, true, b, &m), IKE_DROP);
	octets_free(b);
	b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SKF, IKE_PAYLOAD_NONE, plain);
	ck_assert_int_eq(open_message(&e, true, b, &m), IKE_DROP);
	octets_free(b);
	octets_free(plain);
}
END_TEST

/* 3.14: a sender may pad with anything and more than needed, up to 255 octets. */
START_TEST(protect_long_padding)
{
	struct end e = make_end(_i);
	uint8_t plain[256];
	struct ike_message m;
	struct bytes b;

	memset(plain, 0xa5, sizeof plain);
	plain[255] = 255;
	b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SK, IKE_PAYLOAD_NONE,
	    bytes_of(plain, 256));
	ck_assert_int_eq(open_message(&e, true, b, &m), IKE_OK);
	ck_assert_uint_eq(m.n, 0);
	octets_free(b);
}
END_TEST

static const struct {
	const char *plain, *why;
	uint8_t first;
	enum ike_error error;
} contents[] = {	/* 16 octets each, so that every cipher takes them */
	{ "00000004 0000000000000000000000 0b", "an empty payload", 40, IKE_OK },
	{ "00000003 0000000000000000000000 0b", "length 3", 40, IKE_INVALID_SYNTAX },
	{ "00000000 0000000000000000000000 0b", "length 0", 40, IKE_INVALID_SYNTAX },
	{ "00000005 0000000000000000000000 0b", "into padding", 40, IKE_INVALID_SYNTAX },
	{ "00000004 0000000000000000000000 0a", "one behind", 40, IKE_INVALID_SYNTAX },
	{ "00000004 0000000000000000000000 0b", "unannounced", 0, IKE_INVALID_SYNTAX },
	{ "28000004 0000000000000000000000 0b", "one of two", 40, IKE_INVALID_SYNTAX },
	{ "00000004 0000000000000000000000 0b", "SK inside SK", 46, IKE_INVALID_SYNTAX },
	{ "00000004 0000000000000000000000 0b", "SKF inside SK", 53, IKE_INVALID_SYNTAX },
	{ "00800004 0000000000000000000000 0b", "critical, known (T21)", 40, IKE_OK }
};

START_TEST(protect_malformed_inside)
{
	struct bytes plain = octets(contents[_i].plain);

	for (int cipher = 0; cipher < 7; cipher += 6) {
		struct end e = make_end(cipher);
		struct bytes b = seal_raw(&e, bytes_of(NULL, 0), IKE_PAYLOAD_SK,
		    contents[_i].first, plain);
		struct ike_message m;

		ck_assert_msg(open_message(&e, true, b, &m) == contents[_i].error, "%s",
		    contents[_i].why);
		octets_free(b);
	}
	octets_free(plain);
}
END_TEST

/* T25: what stands before SK is authentic and ignored all the same; T20: unless it is
 * unknown and critical. */
START_TEST(protect_outer_payloads)
{
	struct end e = make_end(_i);
	struct bytes known = octets("2e00000d 00004004 0102030405");
	struct bytes unknown = octets("2e00000d 00004004 0102030405");
	struct bytes critical = octets("2e80000d 00004004 0102030405");
	struct bytes plain = octets("00000008 0000400a 00000000000000 07");
	const struct {
		struct bytes octets;
		uint8_t type, unsupported;
	} rows[] = { { known, IKE_PAYLOAD_NOTIFY, 0 }, { unknown, 200, 0 },
		{ critical, 200, 200 }, { critical, IKE_PAYLOAD_NOTIFY, 0 } };

	for (unsigned i = 0; i < 4; i++) {
		struct bytes b = seal_raw(&e, rows[i].octets, rows[i].type,
		    IKE_PAYLOAD_NOTIFY, plain);
		struct ike_notify notify;
		struct ike_message m;

		ck_assert_int_eq(open_message(&e, true, b, &m), IKE_OK);
		ck_assert_uint_eq(m.n, 1);
		ck_assert(!ike_find_notify(&m, 0x4004, &notify));
		ck_assert(ike_find_notify(&m, IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED,
		    &notify));
		ck_assert_uint_eq(m.unsupported, rows[i].unsupported);
		octets_free(b);
	}
	octets_free(known);
	octets_free(unknown);
	octets_free(critical);
	octets_free(plain);
}
END_TEST

/* ---- failures on our side ---- */

START_TEST(protect_room)
{
	struct end e = make_end(_i);
	struct bytes whole = seal_one(&e, 33);
	uint8_t buf[ROOM];
	struct ike_chain chain = make_chain(buf, sizeof buf, IKE_PAYLOAD_VENDOR, 33);

	for (size_t cap = 0; cap <= whole.len; cap++) {
		struct bytes room = octets_of(0, cap);
		struct ike_writer w = ike_writer((uint8_t *)(uintptr_t)room.p, cap);
		uint64_t seed = 1;
		const struct ike_random random = { fill, &seed };
		enum ike_error error = ike_seal_message(&e.suite, &e.keys, true, &request,
		    &chain, 1, &random, &w);

		ck_assert_int_eq(error, cap < whole.len ? IKE_NO_MEMORY : IKE_OK);
		if (error == IKE_OK)
			ck_assert(bytes_equal(ike_written(&w), whole));
		else
			ck_assert_uint_eq(ike_written(&w).len, 0);
		octets_free(room);
	}
	octets_free(whole);
}
END_TEST

START_TEST(protect_bad_chain)
{
	struct end e = make_end(0);
	struct ike_chain chain = ike_chain(NULL, 0);
	const struct ike_random none = { NULL, NULL };
	uint8_t out[ROOM];
	struct ike_writer w = ike_writer(out, sizeof out);

	ike_chain_open(&chain, IKE_PAYLOAD_NONCE);
	ck_assert_int_eq(ike_seal_message(&e.suite, &e.keys, true, &request, &chain, 1,
	    &none, &w), IKE_NO_MEMORY);
	ck_assert_uint_eq(w.len, 0);
	ck_assert(w.bad);
}
END_TEST

static void *
no_key(const struct esp_transform *t, struct bytes keymat, struct bytes iv_key)
{
	(void)t;
	(void)keymat;
	(void)iv_key;
	return NULL;
}

static void
refuse(void *scratch, struct esp_op *op, unsigned n)
{
	(void)scratch;
	for (unsigned i = 0; i < n; i++)
		op[i].ok = false;
}

/* strongSwan CVE-2018-10811: each call into the library may fail, and then nothing is
 * sent and nothing believed. */
START_TEST(protect_library_fails)
{
	struct end e = make_end(0), no_keys = e, no_crypt = e;
	struct esp_transform keyless = *e.suite.cipher, broken = *e.suite.cipher;
	struct bytes b = seal_one(&e, 10);
	uint8_t buf[ROOM], out[ROOM];
	struct ike_chain chain = make_chain(buf, sizeof buf, IKE_PAYLOAD_VENDOR, 10);
	const struct ike_random none = { NULL, NULL };
	struct ike_writer w = ike_writer(out, sizeof out);
	struct ike_message m;

	keyless.new_key = no_key;
	broken.seal = broken.open = refuse;
	no_keys.suite.cipher = &keyless;
	no_crypt.suite.cipher = &broken;
	ck_assert_int_eq(open_message(&no_keys, true, b, &m), IKE_NO_MEMORY);
	ck_assert_int_eq(open_message(&no_crypt, true, b, &m), IKE_DROP);
	ck_assert_int_eq(ike_seal_message(&no_keys.suite, &e.keys, true, &request, &chain,
	    1, &none, &w), IKE_NO_MEMORY);
	ck_assert_uint_eq(ike_written(&w).len, 0);
	w = ike_writer(out, sizeof out);
	ck_assert_int_eq(ike_seal_message(&no_crypt.suite, &e.keys, true, &request,
	    &chain, 1, &none, &w), IKE_NO_MEMORY);
	ck_assert_uint_eq(ike_written(&w).len, 0);
	ck_assert_int_eq(open_message(&e, true, b, &m), IKE_OK);	/* unspoilt */
	octets_free(b);
}
END_TEST

int
main(void)
{
	const int n = sizeof ciphers / sizeof *ciphers;
	TCase *tcase = tcase_create("protect");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, protect_rfc7634);
	tcase_add_loop_test(tcase, protect_round_trip, 0, n);
	tcase_add_loop_test(tcase, protect_ivs, 0, n);
	tcase_add_loop_test(tcase, protect_tampered, 0, n);
	tcase_add_loop_test(tcase, protect_wrong_direction, 0, n);
	tcase_add_loop_test(tcase, protect_short, 0, n);
	tcase_add_loop_test(tcase, protect_truncated, 0, n);
	tcase_add_test(tcase, protect_without_sk);
	tcase_add_loop_test(tcase, protect_pad_length, 0, n);
	tcase_add_loop_test(tcase, protect_authentic_but_no_sk, 0, n);
	tcase_add_loop_test(tcase, protect_long_padding, 0, n);
	tcase_add_loop_test(tcase, protect_malformed_inside, 0,
	    sizeof contents / sizeof *contents);
	tcase_add_loop_test(tcase, protect_outer_payloads, 0, n);
	tcase_add_loop_test(tcase, protect_room, 0, n);
	tcase_add_test(tcase, protect_bad_chain);
	tcase_add_test(tcase, protect_library_fails);
	return run_tests("protect", tcase);
}
