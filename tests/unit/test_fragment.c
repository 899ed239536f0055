/* SKF payloads, RFC 7383: cut, and put together again (ids: RFC 7296 cases). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "libike/fragment.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { FIVE = 5, PIECE = 63 };	/* and a pad length make full blocks */

static const struct {
	uint16_t encr, key_bits, integ;
} ciphers[] = {
	{ ENCR_CHACHA20_POLY1305, 0, AUTH_NONE },
	{ ENCR_AES_GCM_16, 128, AUTH_NONE },
	{ ENCR_AES_GCM_16, 256, AUTH_NONE },
	{ ENCR_AES_CBC, 128, AUTH_HMAC_SHA1_96 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256 }
};
enum { CIPHERS = sizeof(ciphers) / sizeof(ciphers[0]) };

static const struct ike_header header = {
	.spi_i = 0x1112131415161718, .spi_r = 0x2122232425262728, .version = 0x20,
	.exchange = IKE_AUTH, .flags = IKE_FLAG_INITIATOR, .message_id = 1
};

static struct ike_suite suite;
static struct ike_keys keys;
static uint8_t key_octets[2 * ESP_MAX_KEY_LEN];
static uint8_t plain[IKE_MAX_MESSAGE + 100], out[IKE_FRAGMENTS_ROOM];
static uint64_t counter, seed;

static void
fill(void *arg, uint8_t *p, size_t n)
{
	fill_random(arg, p, n);
}

static const struct ike_random randomness = { fill, &seed };

static void
use_cipher(int i)
{
	seed = 7383;
	counter = 1;
	memset(&suite, 0, sizeof(suite));
	suite.cipher = esp_transform_find_single(ciphers[i].encr, ciphers[i].key_bits,
	    ciphers[i].integ);
	ck_assert_ptr_nonnull(suite.cipher);
	fill_random(&seed, key_octets, sizeof(key_octets));
	keys.octets = key_octets;
	keys.cipher_len = (uint8_t)esp_transform_keymat(suite.cipher);
}

static void
setup(void)
{
	use_cipher(0);
}

/* One payload that is `n` octets long with its header. */
static struct ike_chain
make_chain(size_t n)
{
	struct ike_chain c = ike_chain(plain, sizeof(plain));

	ck_assert_uint_ge(n, IKE_PAYLOAD_HEADER_LEN);
	ike_chain_open(&c, IKE_PAYLOAD_VENDOR);
	for (size_t i = IKE_PAYLOAD_HEADER_LEN; i < n; i++)
		ike_write8(&c.w, (uint8_t)(i * 7 + i / 256));
	ike_chain_close(&c);
	ck_assert(!c.w.bad && c.w.len == n);
	return c;
}

static enum ike_error
seal(const struct ike_chain *c, size_t size, struct bytes *sealed)
{
	struct ike_writer w = ike_writer(out, sizeof(out));
	enum ike_error error = ike_seal_fragments(&suite, &keys, true, &header, c, size,
	    &counter, &randomness, &w);

	*sealed = ike_written(&w);
	return error;
}

/* One fragment with anything in it, made without what is tested here: `inner` is
 * plaintext, padding and pad length. */
static struct bytes
raw(const struct ike_header *h, struct ike_cover c, struct bytes inner)
{
	const struct esp_transform *t = suite.cipher;
	struct ike_header full = *h;
	size_t len = 28 + 8 + t->iv_len + inner.len + t->icv_len;
	uint8_t *p = malloc(len);
	struct ike_writer w = ike_writer(p, len);
	struct esp_op op = { .iv = p + 36, .data = p + 36 + t->iv_len,
	    .icv = p + len - t->icv_len, .len = (uint32_t)inner.len,
	    .aad = bytes_of(p, 36) };

	full.next = IKE_PAYLOAD_SKF;
	full.length = (uint32_t)len;
	ike_write_header(&w, &full);
	ike_write8(&w, c.first);
	ike_write8(&w, 0);
	ike_write16(&w, (uint16_t)(len - 28));
	ike_write16(&w, c.number);
	ike_write16(&w, c.total);
	fill_random(&seed, ike_write_space(&w, t->iv_len), t->iv_len);
	ike_write_bytes(&w, inner);
	ike_write_zero(&w, t->icv_len);
	ck_assert(!w.bad && w.len == len);
	op.key = t->new_key(t, ike_key_cipher(&keys, true), bytes_of(NULL, 0));
	t->seal(NULL, &op, 1);
	ck_assert(op.ok);
	t->free_key(op.key);
	return bytes_of(p, len);
}

/* The same of n octets of plaintext, for a cipher without blocks. */
static struct bytes
piece(const struct ike_header *h, struct ike_cover c, uint8_t value, size_t n)
{
	struct bytes inner = octets_of(value, n + 1), b;

	((uint8_t *)(uintptr_t)inner.p)[n] = 0;
	b = raw(h, c, inner);
	octets_free(inner);
	return b;
}

/* Hands a copy over, of exactly its size.  IKE_INVALID_SYNTAX: is none to hand over. */
static enum ike_error
take(struct ike_reassembly **r, struct bytes wire, struct ike_whole *whole)
{
	uint8_t *copy = exact_copy(wire);
	enum ike_error error = IKE_INVALID_SYNTAX;
	struct ike_message m;

	memset(whole, 0, sizeof(*whole));
	if (ike_parse_message(bytes_of(copy, wire.len), &m) == IKE_OK &&
	    ike_is_fragment(&m))
		error = ike_reassemble(r, &suite, &keys, true, copy, &m, wire, whole);
	free(copy);
	return error;
}

static enum ike_error
take_piece(struct ike_reassembly **r, uint16_t number, uint16_t total, size_t n)
{
	struct ike_cover c = { number == 1 ? IKE_PAYLOAD_VENDOR : 0, number, total };
	struct bytes b = piece(&header, c, (uint8_t)number, n);
	struct ike_whole whole;
	enum ike_error error = take(r, b, &whole);

	free(whole.octets);
	octets_free(b);
	return error;
}

/* Each a view into `sealed`. */
static unsigned
divide(struct bytes sealed, struct bytes parts[IKE_MAX_FRAGMENTS])
{
	unsigned n = 0;

	while (n < IKE_MAX_FRAGMENTS && ike_next_message(&sealed, &parts[n]))
		n++;
	ck_assert_uint_eq(sealed.len, 0);
	return n;
}

/* Five fragments, in `out`. */
static struct ike_chain
make_five(struct bytes parts[IKE_MAX_FRAGMENTS])
{
	struct ike_chain c = make_chain(FIVE * PIECE - 10);
	struct bytes sealed;

	ck_assert_int_eq(seal(&c, 36u + suite.cipher->iv_len + PIECE + 1 +
	    suite.cipher->icv_len, &sealed), IKE_OK);
	ck_assert_uint_eq(divide(sealed, parts), FIVE);
	return c;
}

/* ---- sizes ---- */

START_TEST(size_of_a_datagram)
{
	static const struct {
		uint8_t family;
		uint16_t port[2];
		size_t packet, size;
	} rows[] = {
		{ 4, { 500, 500 }, 1280, 1252 }, { 4, { 4500, 4500 }, 1280, 1248 },
		{ 6, { 500, 500 }, 1280, 1232 }, { 6, { 4500, 4500 }, 1280, 1228 },
		/* where either port is 500 there is no marker */
		{ 4, { 500, 1024 }, 576, 548 }, { 4, { 1024, 500 }, 576, 548 },
		{ 4, { 4500, 1024 }, 576, 544 }, { 6, { 1, 2 }, 65000, 64948 },
		{ 4, { 500, 500 }, 0, 0 }, { 4, { 500, 500 }, 28, 0 },
		{ 4, { 500, 500 }, 29, 1 }, { 6, { 4500, 4500 }, 51, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ike_path path = { .family = rows[i].family,
		    .port = { rows[i].port[0], rows[i].port[1] } };

		ck_assert_msg(ike_fragment_size(&path, rows[i].packet) == rows[i].size,
		    "row %zu", i);
	}
}
END_TEST

/* ---- cutting ---- */

/* 2.5: numbers, one total, the first payload's type in the first alone, none empty, none
 * too long, as few as can be; each opens on its own. */
static void
check_fragments(struct bytes sealed, const struct ike_chain *c, size_t size)
{
	struct bytes parts[IKE_MAX_FRAGMENTS], inside;
	size_t at = 0, first_len = 0, block = suite.cipher->align;
	unsigned n = divide(sealed, parts);
	struct ike_message m;
	struct ike_cover cover;

	must(n >= 2, "%zu octets in %zu: not cut", c->w.len, size);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *copy = exact_copy(parts[i]);

		must(parts[i].len <= size, "fragment of %zu octets in %zu", parts[i].len,
		    size);
		must(ike_parse_message(bytes_of(copy, parts[i].len), &m) == IKE_OK &&
		    ike_is_fragment(&m), "fragment %u of %u", i, n);
		cover = ike_fragment_cover(&m);
		must(cover.number == i + 1 && cover.total == n &&
		    cover.first == (i == 0 ? IKE_PAYLOAD_VENDOR : 0), "numbers of %u", i);
		must(m.header.message_id == 1 && m.header.exchange == IKE_AUTH,
		    "header");
		must(ike_open_payload(&suite, &keys, true, copy, &m, &cover,
		    &inside) == IKE_OK, "fragment %u does not open", i);
		must(inside.len > 0 && at + inside.len <= c->w.len &&
		    memcmp(plain + at, inside.p, inside.len) == 0, "content");
		first_len = i == 0 ? inside.len : first_len;
		must(i == n - 1 ? inside.len <= first_len :
		    inside.len == first_len && parts[i].len > size - block,
		    "room is left in fragment %u", i);
		at += inside.len;
		free(copy);
	}
	must(at == c->w.len, "%zu octets of %zu", at, c->w.len);
}

START_TEST(message_is_cut_at_every_length)
{
	struct ike_chain c;
	struct bytes sealed;
	size_t whole;

	use_cipher(_i);
	for (size_t n = 4; n < 700; n++) {
		c = make_chain(n);
		ck_assert_int_eq(seal(&c, 0, &sealed), IKE_OK);
		whole = sealed.len;
		ck_assert_int_eq(seal(&c, whole, &sealed), IKE_OK);
		ck_assert_uint_eq(sealed.p[16], IKE_PAYLOAD_SK);	/* it fits */
		if (n < 40)		/* one less holds no fragment either */
			continue;
		ck_assert_int_eq(seal(&c, whole - 1, &sealed), IKE_OK);
		check_fragments(sealed, &c, whole - 1);
		if (whole <= 200)
			continue;
		ck_assert_int_eq(seal(&c, 200, &sealed), IKE_OK);
		check_fragments(sealed, &c, 200);
	}
}
END_TEST

START_TEST(message_is_cut_to_every_size)
{
	struct ike_chain c = make_chain(1500);
	struct bytes sealed;

	use_cipher(_i);
	for (size_t size = 130; size < 1400; size += 1 + size / 40) {
		ck_assert_int_eq(seal(&c, size, &sealed), IKE_OK);
		check_fragments(sealed, &c, size);
	}
}
END_TEST

/* Each fragment has an IV of its own, RFC 5282 3.1. */
START_TEST(fragments_count_their_ivs)
{
	const uint64_t begin = 0x1122334455667700;
	struct bytes parts[IKE_MAX_FRAGMENTS];
	struct ike_chain c;

	counter = begin;
	c = make_five(parts);
	for (unsigned i = 0; i < FIVE; i++)
		ck_assert(bytes_load64(parts[i].p + 36) == begin + i);
	ck_assert(counter == begin + 5);
	ck_assert_int_eq(seal(&c, 0, &parts[0]), IKE_OK);
	ck_assert(bytes_load64(parts[0].p + 32) == begin + 5);
	ck_assert(counter == begin + 6);
}
END_TEST

/* Sizes that hold nothing, or so little that it would take too many. */
START_TEST(message_stays_whole_where_cutting_is_no_way)
{
	struct ike_chain c = make_chain(5000);
	struct bytes sealed, parts[IKE_MAX_FRAGMENTS];
	size_t around, size;

	use_cipher(_i);
	around = 36 + (size_t)suite.cipher->iv_len + suite.cipher->icv_len;
	for (size = 0; size < around + 2; size++) {
		ck_assert_int_eq(seal(&c, size, &sealed), IKE_OK);
		ck_assert_uint_eq(divide(sealed, parts), 1);
		ck_assert_uint_eq(sealed.p[16], IKE_PAYLOAD_SK);
	}
	do
		ck_assert_int_eq(seal(&c, size++, &sealed), IKE_OK);
	while (out[16] == IKE_PAYLOAD_SK);
	check_fragments(sealed, &c, size - 1);
}
END_TEST

START_TEST(longest_message_is_cut_and_put_together)
{
	struct ike_chain c = make_chain(60000);
	struct bytes sealed, parts[IKE_MAX_FRAGMENTS];
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	unsigned n;

	use_cipher(_i);
	ike_chain_open(&c, IKE_PAYLOAD_VENDOR);
	ike_write_zero(&c.w, IKE_MAX_MESSAGE - c.w.len);
	ike_chain_close(&c);
	ck_assert_uint_eq(c.w.len, IKE_MAX_MESSAGE);
	ck_assert_int_eq(seal(&c, 0, &sealed), IKE_NO_MEMORY);	/* no such datagram */
	ck_assert_uint_eq(sealed.len, 0);
	ck_assert_int_eq(seal(&c, 350 + suite.cipher->icv_len, &sealed), IKE_OK);
	n = divide(sealed, parts);
	ck_assert_uint_gt(n, 200);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(take(&r, parts[i], &whole),
		    i + 1 < n ? IKE_WAIT : IKE_OK);
	ck_assert(bytes_equal(bytes_of(whole.octets, whole.len), ike_written(&c.w)));
	ck_assert_uint_eq(whole.first, IKE_PAYLOAD_VENDOR);
	free(whole.octets);
}
END_TEST

START_TEST(cutting_without_room_sends_nothing)
{
	struct ike_chain c = make_chain(500);
	struct bytes sealed;
	size_t all;

	ck_assert_int_eq(seal(&c, 150, &sealed), IKE_OK);
	all = sealed.len;
	for (size_t cap = 0; cap <= all; cap++) {
		uint8_t *p = malloc(cap > 0 ? cap : 1);
		struct ike_writer w = ike_writer(p, cap);

		must(ike_seal_fragments(&suite, &keys, true, &header, &c, 150, &counter,
		    &randomness, &w) == (cap < all ? IKE_NO_MEMORY : IKE_OK), "%zu", cap);
		must(ike_written(&w).len == (cap < all ? 0 : all), "%zu", cap);
		free(p);
	}
	c.w.bad = true;
	ck_assert_int_eq(seal(&c, 150, &sealed), IKE_NO_MEMORY);
	ck_assert_uint_eq(sealed.len, 0);
	ck_assert_int_eq(seal(&c, 0, &sealed), IKE_NO_MEMORY);
	ck_assert_uint_eq(sealed.len, 0);
}
END_TEST

START_TEST(list_of_messages_ends_where_it_should)
{
	uint8_t p[3 * 28] = { 0 };
	struct bytes rest, one;

	bytes_store32(p + 24, 28);
	for (size_t len = 0; len < sizeof(p); len++) {
		bytes_store32(p + 28 + 24, (uint32_t)len);
		for (size_t all = 0; all <= sizeof(p); all++) {
			rest = octets_prefix(bytes_of(p, sizeof(p)), all);
			struct bytes start = rest;

			must(ike_next_message(&rest, &one) == (all >= 28), "%zu", all);
			must(all < 28 || (one.len == 28 && octets_within(one, start)),
			    "%zu", all);
			must(all < 28 || ike_next_message(&rest, &one) ==
			    (all >= 56 && len >= 28 && 28 + len <= all), "%zu %zu",
			    all, len);
			octets_free(start);
		}
	}
}
END_TEST

/* ---- putting together ---- */

/* The k-th order of five. */
static void
order_of(unsigned k, unsigned order[FIVE])
{
	unsigned left[FIVE] = { 0, 1, 2, 3, 4 }, i, at;

	for (i = 0; i < FIVE; i++) {
		at = k % (FIVE - i);
		k /= FIVE - i;
		order[i] = left[at];
		left[at] = left[FIVE - i - 1];
	}
}

START_TEST(fragments_in_every_order)			/* T85 */
{
	struct bytes parts[IKE_MAX_FRAGMENTS];
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	struct ike_chain c;
	unsigned order[FIVE];

	use_cipher(_i);
	c = make_five(parts);
	for (unsigned k = 0; k < 120; k++) {
		order_of(k, order);
		for (unsigned i = 0; i < FIVE; i++) {
			for (unsigned again = 0; again < i; again++)
				must(take(&r, parts[order[again]], &whole) == IKE_DROP,
				    "order %u: taken twice", k);
			must(take(&r, parts[order[i]], &whole) ==
			    (i < FIVE - 1 ? IKE_WAIT : IKE_OK), "order %u, %u", k, i);
			must(i == FIVE - 1 ? r == NULL : r->have == i + 1, "%u", i);
		}
		must(bytes_equal(bytes_of(whole.octets, whole.len), ike_written(&c.w)),
		    "order %u: another message", k);
		must(whole.first == IKE_PAYLOAD_VENDOR, "order %u: first payload", k);
		must(ike_mark_is(&whole.mark, parts[0]), "order %u: mark", k);
		must(!ike_mark_is(&whole.mark, parts[4]), "order %u: mark", k);
		free(whole.octets);
	}
}
END_TEST

START_TEST(fragment_alone_is_a_message)
{
	struct bytes b = piece(&header, (struct ike_cover){ IKE_PAYLOAD_VENDOR, 1, 1 },
	    'x', 40);
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;

	ck_assert_int_eq(take(&r, b, &whole), IKE_OK);
	ck_assert_ptr_null(r);
	ck_assert_uint_eq(whole.len, 40);
	ck_assert_uint_eq(whole.octets[39], 'x');
	free(whole.octets);
	octets_free(b);
	b = piece(&header, (struct ike_cover){ IKE_PAYLOAD_NONE, 1, 1 }, 'x', 0);
	ck_assert_int_eq(take(&r, b, &whole), IKE_OK);	/* no payloads at all */
	ck_assert_uint_eq(whole.len, 0);
	free(whole.octets);
	octets_free(b);
}
END_TEST

START_TEST(fragment_may_be_empty)		/* none of ours is; they do no harm */
{
	struct ike_reassembly *r = NULL;

	ck_assert_int_eq(take_piece(&r, 2, 3, 0), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 2, 3, 0), IKE_DROP);
	ck_assert_int_eq(take_piece(&r, 1, 3, 5), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 3, 3, 0), IKE_OK);
	ck_assert_ptr_null(r);
}
END_TEST

/* Authentic, and out of order in another sense: 2.5, 2.6. */
static const struct ike_cover hostile[] = {	/* T86; two of three are here */
	{ IKE_PAYLOAD_VENDOR, 0, 0 }, { IKE_PAYLOAD_VENDOR, 0, 3 }, { 0, 0, 3 },
	{ IKE_PAYLOAD_VENDOR, 1, 0 }, { 0, 3, 0 }, { 0, 4, 3 }, { 0, 65535, 3 },
	{ 0, 65535, 65534 }, { IKE_PAYLOAD_VENDOR, 3, 3 }, { IKE_PAYLOAD_SKF, 3, 3 },
	{ IKE_PAYLOAD_SA, 4, 4 }, { IKE_PAYLOAD_VENDOR, 1, 256 }, { 0, 256, 256 },
	{ 0, 65535, 65535 }, { 0, 2, 65535 },
	/* fewer than there were */
	{ IKE_PAYLOAD_VENDOR, 1, 1 }, { IKE_PAYLOAD_VENDOR, 1, 2 }, { 0, 2, 2 },
	/* here already */
	{ IKE_PAYLOAD_VENDOR, 1, 3 }, { 0, 2, 3 },
};

START_TEST(fragment_of_hostile_numbers)			/* T86 */
{
	struct bytes b = piece(&header, hostile[_i], 'h', 30);
	struct ike_reassembly *r = NULL, *before;
	struct ike_whole whole;

	ck_assert_int_eq(take_piece(&r, 1, 3, 20), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 2, 3, 20), IKE_WAIT);
	before = r;
	ck_assert_int_eq(take(&r, b, &whole), IKE_DROP);
	ck_assert(r == before && r->have == 2 && r->total == 3 && r->octets == 40);
	ck_assert_int_eq(take_piece(&r, 3, 3, 20), IKE_OK);
	if (hostile[_i].total >= 4 || hostile[_i].total == 0 ||
	    hostile[_i].number == 0) {	/* nor is it the begin of anything */
		ck_assert_int_eq(take(&r, b, &whole), IKE_DROP);
		ck_assert_ptr_null(r);
	}
	octets_free(b);
}
END_TEST

START_TEST(larger_total_begins_again)			/* T86 */
{
	struct ike_reassembly *r = NULL;

	ck_assert_int_eq(take_piece(&r, 1, 2, 50), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 3, 4, 30), IKE_WAIT);
	ck_assert(r->total == 4 && r->have == 1 && r->octets == 30);
	ck_assert_int_eq(take_piece(&r, 2, 2, 50), IKE_DROP);
	ck_assert_int_eq(take_piece(&r, 1, 4, 30), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 4, 4, 10), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 255, 255, 10), IKE_WAIT);
	ck_assert(r->total == 255 && r->have == 1);
	for (uint16_t i = 1; i < 255; i++)
		ck_assert_int_eq(take_piece(&r, i, 255, 7), i < 254 ? IKE_WAIT : IKE_OK);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(larger_total_of_nobody_begins_nothing)	/* T88 */
{
	struct bytes b = piece(&header, (struct ike_cover){ 0, 3, 9 }, 'f', 30);
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;

	((uint8_t *)(uintptr_t)b.p)[b.len - 1] ^= 1;
	ck_assert_int_eq(take_piece(&r, 1, 2, 50), IKE_WAIT);
	ck_assert_int_eq(take(&r, b, &whole), IKE_DROP);
	ck_assert_int_eq(take_piece(&r, 2, 2, 50), IKE_OK);
	octets_free(b);
}
END_TEST

/* Another message id, or another exchange under the same one. */
START_TEST(other_message_begins_again)
{
	struct ike_header other = header;
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	struct bytes b;

	if (_i == 0)
		other.message_id++;
	else
		other.exchange = INFORMATIONAL;
	ck_assert_int_eq(take_piece(&r, 1, 2, 50), IKE_WAIT);
	b = piece(&other, (struct ike_cover){ 0, 2, 2 }, 'o', 30);
	ck_assert_int_eq(take(&r, b, &whole), IKE_WAIT);
	ck_assert(r->have == 1 && r->octets == 30);
	octets_free(b);
	b = piece(&other, (struct ike_cover){ IKE_PAYLOAD_NONCE, 1, 2 }, 'o', 3);
	ck_assert_int_eq(take(&r, b, &whole), IKE_OK);
	ck_assert_uint_eq(whole.len, 33);
	ck_assert_uint_eq(whole.first, IKE_PAYLOAD_NONCE);
	free(whole.octets);
	octets_free(b);
}
END_TEST

/* One octet anywhere is another: the header, the numbers, IV, ciphertext, ICV. */
START_TEST(forged_fragment_is_not_kept)			/* T88 */
{
	struct bytes parts[IKE_MAX_FRAGMENTS];
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	uint8_t *forged;
	enum ike_error error;

	use_cipher(_i);
	make_five(parts);
	for (size_t at = 0; at < parts[0].len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			forged = exact_copy(parts[0]);
			forged[at] ^= (uint8_t)(1u << bit);
			error = take(&r, bytes_of(forged, parts[0].len), &whole);
			must(error == IKE_DROP || error == IKE_INVALID_SYNTAX,
			    "octet %zu, bit %u: %d", at, bit, error);
			must(r == NULL, "octet %zu, bit %u: kept", at, bit);
			free(forged);
		}
	for (unsigned i = 0; i < FIVE; i++)
		ck_assert_int_eq(take(&r, parts[i], &whole),
		    i < FIVE - 1 ? IKE_WAIT : IKE_OK);
	free(whole.octets);
}
END_TEST

START_TEST(fragment_cut_anywhere_is_not_kept)
{
	struct bytes parts[IKE_MAX_FRAGMENTS], b;
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	enum ike_error error;
	uint8_t *p;

	use_cipher(_i);
	make_five(parts);
	for (size_t len = 0; len < parts[1].len; len++)
		for (unsigned lengths = 0; lengths < 3; lengths++) {
			b = octets_prefix(parts[1], len);
			p = (uint8_t *)(uintptr_t)b.p;
			if (lengths > 0 && len >= 28)	/* told as they are now */
				bytes_store32(p + 24, (uint32_t)len);
			if (lengths > 1 && len >= 32)
				bytes_store16(p + 30, (uint16_t)(len - 28));
			error = take(&r, b, &whole);
			must(error == IKE_DROP || error == IKE_INVALID_SYNTAX,
			    "%zu octets: %d", len, error);
			must(r == NULL, "%zu octets: kept", len);
			octets_free(b);
		}
}
END_TEST

/* Its length says less than the numbers need, or than IV and ICV do. */
START_TEST(fragment_of_hostile_length)
{
	struct bytes b = piece(&header, (struct ike_cover){ 0, 2, 3 }, 'x', 20), part;
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	uint8_t *p;

	for (size_t len = 0; len < b.len; len++)
		for (size_t said = 0; said < 70; said++) {
			part = octets_prefix(b, len);
			p = (uint8_t *)(uintptr_t)part.p;
			if (len >= 28)
				bytes_store32(p + 24, (uint32_t)len);
			if (len >= 32)
				bytes_store16(p + 30, (uint16_t)said);
			must(take(&r, part, &whole) < 0 ||
			    take(&r, part, &whole) == IKE_INVALID_SYNTAX, "%zu %zu", len,
			    said);
			must(r == NULL, "%zu octets, said to be %zu: kept", len, said);
			octets_free(part);
		}
	octets_free(b);
}
END_TEST

START_TEST(fragment_of_hostile_padding)
{
	const size_t len = 32;
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	struct bytes inner, b;
	enum ike_error error;

	use_cipher(_i);
	for (unsigned pad = 0; pad <= 255; pad++) {
		inner = octets_of((uint8_t)pad, len);
		b = raw(&header, (struct ike_cover){ 0, 2, 3 }, inner);
		error = take(&r, b, &whole);
		must(error == (pad < len ? IKE_WAIT : IKE_DROP), "%u: %d", pad, error);
		must(pad < len ? r->octets == len - 1 - pad : r == NULL, "%u", pad);
		ike_reassembly_free(r);
		r = NULL;
		octets_free(b);
		octets_free(inner);
	}
}
END_TEST

/* Nothing stands beside an SKF payload, unknown payloads not either. */
START_TEST(fragment_stands_alone)
{
	static const uint8_t before[] = { IKE_PAYLOAD_NOTIFY, IKE_PAYLOAD_VENDOR,
		IKE_PAYLOAD_SK, IKE_PAYLOAD_SKF, 1, 200 };
	struct bytes b = piece(&header, (struct ike_cover){ 0, 2, 3 }, 'x', 20);
	struct ike_message m;
	struct bytes parts[IKE_MAX_FRAGMENTS];
	struct ike_chain c;
	uint8_t p[200];

	ck_assert_int_eq(ike_parse_message(b, &m), IKE_OK);
	ck_assert(ike_is_fragment(&m));
	for (size_t i = 0; i < sizeof(before); i++) {
		memcpy(p, b.p, 28);
		memcpy(p + 28, "\65\0\0\10\0\0\0\0", 8);	/* then an SKF */
		memcpy(p + 36, b.p + 28, b.len - 28);
		p[16] = before[i];
		bytes_store32(p + 24, (uint32_t)b.len + 8);
		ck_assert_msg(ike_parse_message(bytes_of(p, b.len + 8), &m) != IKE_OK ||
		    !ike_is_fragment(&m), "behind payload %u", before[i]);
	}
	octets_free(b);
	c = make_chain(50);
	ck_assert_int_eq(seal(&c, 0, &parts[0]), IKE_OK);
	ck_assert_int_eq(ike_parse_message(parts[0], &m), IKE_OK);
	ck_assert(!ike_is_fragment(&m));
}
END_TEST

/* No more than a message may hold, whatever the numbers say. */
START_TEST(octets_are_bounded)
{
	struct ike_reassembly *r = NULL;

	ck_assert_int_eq(take_piece(&r, 1, 4, 30000), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 2, 4, 30000), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 3, 4, 5001), IKE_DROP);
	ck_assert_uint_eq(r->octets, 60000);
	ck_assert_int_eq(take_piece(&r, 3, 4, 5000), IKE_WAIT);
	ck_assert_int_eq(take_piece(&r, 4, 4, 1), IKE_DROP);
	ck_assert_int_eq(take_piece(&r, 4, 4, 0), IKE_OK);
	ck_assert_ptr_null(r);
	ck_assert_int_eq(take_piece(&r, 1, 1, 65000), IKE_OK);
	ck_assert_int_eq(take_piece(&r, 1, 1, 65001), IKE_DROP);
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
no_seal(void *scratch, struct esp_op *ops, unsigned n)
{
	(void)scratch;
	for (unsigned i = 0; i < n; i++)
		ops[i].ok = false;
}

START_TEST(library_fails)
{
	struct bytes parts[IKE_MAX_FRAGMENTS], sealed;
	const struct esp_transform *good = suite.cipher;
	struct esp_transform broken = *good;
	struct ike_reassembly *r = NULL;
	struct ike_whole whole;
	struct ike_chain c;
	uint8_t *kept;

	c = make_five(parts);
	kept = exact_copy(parts[0]);
	parts[0].p = kept;
	suite.cipher = &broken;
	broken.new_key = no_key;
	ck_assert_int_eq(take(&r, parts[0], &whole), IKE_NO_MEMORY);
	ck_assert_ptr_null(r);
	ck_assert_int_eq(seal(&c, 150, &sealed), IKE_NO_MEMORY);
	ck_assert_uint_eq(sealed.len, 0);
	broken.new_key = good->new_key;
	broken.seal = no_seal;
	ck_assert_int_eq(seal(&c, 150, &sealed), IKE_NO_MEMORY);
	ck_assert_uint_eq(sealed.len, 0);
	suite.cipher = good;
	ck_assert_int_eq(take(&r, parts[0], &whole), IKE_WAIT);
	ike_reassembly_free(r);
	ike_reassembly_free(NULL);
	free(kept);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("fragment");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, size_of_a_datagram);
	tcase_add_loop_test(t, message_is_cut_at_every_length, 0, CIPHERS);
	tcase_add_loop_test(t, message_is_cut_to_every_size, 0, CIPHERS);
	tcase_add_test(t, fragments_count_their_ivs);
	tcase_add_loop_test(t, message_stays_whole_where_cutting_is_no_way, 0, CIPHERS);
	tcase_add_loop_test(t, longest_message_is_cut_and_put_together, 0, CIPHERS);
	tcase_add_test(t, cutting_without_room_sends_nothing);
	tcase_add_test(t, list_of_messages_ends_where_it_should);
	tcase_add_loop_test(t, fragments_in_every_order, 0, CIPHERS);
	tcase_add_test(t, fragment_alone_is_a_message);
	tcase_add_test(t, fragment_may_be_empty);
	tcase_add_loop_test(t, fragment_of_hostile_numbers, 0,
	    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(t, larger_total_begins_again);
	tcase_add_test(t, larger_total_of_nobody_begins_nothing);
	tcase_add_loop_test(t, other_message_begins_again, 0, 2);
	tcase_add_loop_test(t, forged_fragment_is_not_kept, 0, CIPHERS);
	tcase_add_loop_test(t, fragment_cut_anywhere_is_not_kept, 0, CIPHERS);
	tcase_add_test(t, fragment_of_hostile_length);
	tcase_add_loop_test(t, fragment_of_hostile_padding, 0, CIPHERS);
	tcase_add_test(t, fragment_stands_alone);
	tcase_add_test(t, octets_are_bounded);
	tcase_add_test(t, library_fails);
	return run_tests("fragment", t);
}
