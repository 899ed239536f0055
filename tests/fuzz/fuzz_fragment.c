/* Fragments in any order and with any numbers, some as they are and some sealed with the
 * right key, put together beside a plain account of what should come of it. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/fragment.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_STEPS = 1024 };

struct run {
	struct ike_suite suite;
	struct ike_keys keys;
	uint64_t counter;
	struct ike_reassembly *r;
	/* the account: of the message under way, by number */
	uint32_t id;
	uint8_t exchange;
	unsigned total;			/* 0: there is none */
	struct { bool here; uint8_t octet; size_t len; } part[IKE_MAX_FRAGMENTS + 1];
	uint8_t first;
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	return 0;
}

static size_t
octets(const struct run *r, unsigned *have)
{
	size_t n = 0;

	*have = 0;
	for (unsigned i = 1; i <= r->total; i++) {
		n += r->part[i].here ? r->part[i].len : 0;
		*have += r->part[i].here;
	}
	return n;
}

/* What the account says of a good fragment: is it to be kept?  Then it is noted. */
static bool
note(struct run *r, const struct ike_header *h, const struct ike_cover *c, uint8_t octet,
    size_t len)
{
	bool begins = r->total == 0 || r->id != h->message_id ||
	    r->exchange != h->exchange || c->total > r->total;
	unsigned have;

	if (c->number < 1 || c->number > c->total || c->total > IKE_MAX_FRAGMENTS ||
	    (c->number > 1 && c->first != 0))
		return false;
	if (!begins && (c->total < r->total || r->part[c->number].here))
		return false;
	if ((begins ? 0 : octets(r, &have)) + len > IKE_MAX_MESSAGE)
		return false;
	if (begins) {
		memset(r->part, 0, sizeof(r->part));
		r->id = h->message_id;
		r->exchange = h->exchange;
		r->total = c->total;
	}
	r->part[c->number].here = true;
	r->part[c->number].octet = octet;
	r->part[c->number].len = len;
	if (c->number == 1)
		r->first = c->first;
	return true;
}

static void
check_whole(struct run *r, struct ike_whole *whole)
{
	const uint8_t *p = whole->octets;
	struct ike_message m;
	unsigned have;

	fuzz_require(octets(r, &have) == whole->len && have == r->total);
	fuzz_require(whole->first == r->first);
	for (unsigned i = 1; i <= r->total; i++)
		for (size_t k = 0; k < r->part[i].len; k++)
			fuzz_require(*p++ == r->part[i].octet);
	memset(&m, 0, sizeof(m));
	ike_parse_chain(whole->first, bytes_of(whole->octets, whole->len), &m);
	free(whole->octets);
	r->total = 0;
}

static void
check_kept(const struct run *r)
{
	unsigned have;

	fuzz_require((r->r == NULL) == (r->total == 0));
	if (r->r != NULL)
		fuzz_require(octets(r, &have) == r->r->octets && have == r->r->have &&
		    have < r->r->total && r->total == r->r->total);
}

/* A datagram of which nothing is known; it is on an allocation of exactly its size.  It
 * cannot have been sealed. */
static void
raw(struct run *r, struct bytes wire)
{
	uint8_t *copy = malloc(wire.len > 0 ? wire.len : 1);
	struct ike_whole whole;
	struct ike_message m;

	fuzz_require(copy != NULL);
	if (wire.len > 0)
		memcpy(copy, wire.p, wire.len);
	if (ike_parse_message(bytes_of(copy, wire.len), &m) == IKE_OK &&
	    ike_is_fragment(&m))
		fuzz_require(ike_reassemble(&r->r, &r->suite, &r->keys, true, copy, &m,
		    wire, &whole) == IKE_DROP);
	free(copy);
}

/* how, message id, exchange, first payload, number, total, length, octet */
static void
sealed(struct run *r, struct fuzz_input *in)
{
	static uint8_t datagram[IKE_MAX_MESSAGE + 1000], copy[sizeof(datagram)];
	static uint8_t plain[IKE_MAX_MESSAGE];
	struct ike_writer w = ike_writer(datagram, sizeof(datagram));
	const struct ike_random none = { NULL, NULL };
	struct ike_header h = { .version = 0x20 };
	struct ike_cover cover;
	struct ike_whole whole;
	struct ike_message m;
	uint8_t how = fuzz_octet(in), octet;
	enum ike_error error, expected;
	size_t len;
	bool kept;
	unsigned have;

	h.message_id = fuzz_octet(in);
	h.exchange = fuzz_octet(in);
	cover.first = fuzz_octet(in);
	cover.number = how & 1 ? fuzz_word(in) : fuzz_octet(in);
	cover.total = how & 1 ? fuzz_word(in) : fuzz_octet(in);
	len = (how & 2 ? fuzz_word(in) : fuzz_octet(in)) % sizeof(plain);
	octet = fuzz_octet(in);
	memset(plain, octet, len);
	if (cover.total == 0 || ike_seal_payload(&r->suite, &r->keys, true, &h, &cover,
	    bytes_of(plain, len), ++r->counter, &none, &w) != IKE_OK)
		return;
	if (how & 4) {			/* forged after all */
		datagram[(how * 977u + octet) % w.len] ^= 0x10;
		raw(r, ike_written(&w));
		return;
	}
	memcpy(copy, datagram, w.len);
	fuzz_require(ike_parse_message(bytes_of(copy, w.len), &m) == IKE_OK &&
	    ike_is_fragment(&m));
	kept = note(r, &h, &cover, octet, len);
	octets(r, &have);
	expected = !kept ? IKE_DROP : have == r->total ? IKE_OK : IKE_WAIT;
	error = ike_reassemble(&r->r, &r->suite, &r->keys, true, copy, &m,
	    ike_written(&w), &whole);
	fuzz_require(error == expected);
	if (error == IKE_OK)
		check_whole(r, &whole);
}

/* Cut and put together again, it is what it was: size, first payload, content. */
static void
round_trip(struct run *r, struct fuzz_input *in)
{
	static uint8_t list[IKE_FRAGMENTS_ROOM], copy[IKE_MAX_MESSAGE + 1000];
	struct ike_writer w = ike_writer(list, sizeof(list));
	struct ike_header h = { .version = 0x20, .exchange = IKE_AUTH };
	struct ike_reassembly *parts = NULL;
	size_t size = fuzz_word(in);
	uint8_t first = fuzz_octet(in);
	struct bytes content = fuzz_piece(in), rest, one;
	uint8_t *plain = malloc(content.len + 1);
	struct ike_chain chain = ike_chain(plain, content.len);
	struct ike_whole whole = { .octets = NULL };
	enum ike_error error = IKE_WAIT;
	struct ike_message m;

	fuzz_require(plain != NULL);
	ike_write_bytes(&chain.w, content);
	chain.first = first;
	if (ike_seal_fragments(&r->suite, &r->keys, true, &h, &chain, size, &r->counter,
	    &(struct ike_random){ NULL, NULL }, &w) != IKE_OK)
		goto out;
	for (rest = ike_written(&w); ike_next_message(&rest, &one);) {
		fuzz_require(one.len <= sizeof(copy) && error == IKE_WAIT);
		memcpy(copy, one.p, one.len);
		fuzz_require(ike_parse_message(bytes_of(copy, one.len), &m) == IKE_OK);
		if (!ike_is_fragment(&m)) {
			fuzz_require(rest.len == 0 && parts == NULL);
			goto out;
		}
		fuzz_require(one.len <= size && one.len > 36 + 8 + 1 + 16);
		error = ike_reassemble(&parts, &r->suite, &r->keys, true, copy, &m, one,
		    &whole);
	}
	fuzz_require(error == IKE_OK && rest.len == 0 && whole.first == first &&
	    bytes_equal(bytes_of(whole.octets, whole.len), content));
	free(whole.octets);
out:
	free(plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static uint8_t octets[2 * ESP_MAX_KEY_LEN];
	static struct run r;

	memset(&r, 0, sizeof(r));
	r.suite.cipher = esp_transform_find_single(ENCR_CHACHA20_POLY1305, 0, AUTH_NONE);
	fuzz_require(r.suite.cipher != NULL);
	r.keys.cipher_len = (uint8_t)esp_transform_keymat(r.suite.cipher);
	memset(octets, 0x5a, sizeof(octets));
	r.keys.octets = octets;
	for (unsigned n = 0; n < MOST_STEPS && in.len > 0; n++) {
		switch (fuzz_octet(&in) % 8) {
		case 0:
			raw(&r, fuzz_piece(&in));
			break;
		case 1:
			round_trip(&r, &in);
			break;
		default:
			sealed(&r, &in);
			break;
		}
		check_kept(&r);
	}
	ike_reassembly_free(r.r);
	return 0;
}
