/* Two engines whose messages are cut, RFC 7383 (ids: RFC 7296 cases). */
#include <string.h>

#include "tests/unit/digest.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

enum { FIVE = 5, SIZE = 576, DATAGRAM = SIZE - 20 - 8, STATUS = 40000 };

static struct pair p;

/* ---- the ground ---- */

static void
start(uint16_t first, uint16_t second)
{
	/* a public value for which IKE_SA_INIT is longer than the smallest size */
	static const char *const suite[] = { "aes128gcm16-prfsha256-modp4096" };
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	pair_widen(child);
	setup[0].fragment = first;
	setup[1].fragment = second;
	setup[0].ike = setup[1].ike = (struct ike_texts){ suite, 1 };
	pair_open(&p, setup);
	pair_up(&p);
}

static void
establish(uint16_t first, uint16_t second)
{
	start(first, second);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 1);
		ck_assert_uint_eq(p.events[i][IKE_OUT_ADD], 1);
	}
}

static size_t
reassembling(unsigned end)
{
	struct ike_counts c;

	ike_read_counts(p.e[end], &c);
	return c.reassembling;
}

static uint64_t
dropped(unsigned end)
{
	struct ike_counts c;

	ike_read_counts(p.e[end], &c);
	return c.dropped;
}

/* All that an SA holds but the parts of messages. */
static uint64_t
digest_of_the_rest(struct ike_sa *sa)
{
	struct ike_reassembly *kept[2] = { sa->coming[0], sa->coming[1] };
	uint64_t digest;

	sa->coming[0] = sa->coming[1] = NULL;
	digest = sa_digest(sa);
	sa->coming[0] = kept[0];
	sa->coming[1] = kept[1];
	return digest;
}

static uint8_t
type_of(const struct pair_datagram *d)
{
	return d->data[16];
}

/* What is under way, which is taken off its way. */
static unsigned
seize(struct pair_datagram *to, unsigned room)
{
	unsigned n = p.n;

	ck_assert_uint_le(n, room);
	memcpy(to, p.queue, n * sizeof(*to));
	p.n = 0;
	return n;
}

static bool
same(const struct pair_datagram *a, const struct pair_datagram *b)
{
	return bytes_equal(bytes_of(a->data, a->len), bytes_of(b->data, b->len));
}

static uint64_t
counter(void)
{
	static uint64_t last = 0x7000000000;

	return ++last;
}

/* One fragment of `from` with these octets in it, as its peer would get it. */
static struct pair_datagram
seal_one(unsigned from, const struct ike_header *like, struct ike_cover cover,
    struct bytes plain)
{
	struct ike_sa *sa = pair_sa(&p, from), *peer = pair_sa(&p, 1 - from);
	struct pair_datagram d = { .to = 1 - from, .path = peer->path };
	struct ike_random random = p.e[from]->random;
	struct ike_writer w = ike_writer(d.data, sizeof(d.data));
	struct ike_header h = *like;

	h.spi_i = sa->spi_i;
	h.spi_r = sa->spi_r;
	h.version = 0x20;
	if (sa->initiator)
		h.flags |= IKE_FLAG_INITIATOR;
	ck_assert_int_eq(ike_seal_payload(&sa->suite, &sa->keys, sa->initiator, &h,
	    &cover, plain, counter(), &random, &w), IKE_OK);
	d.len = w.len;
	return d;
}

/* A notify that nobody knows, of so many octets in all. */
static struct ike_chain
long_chain(size_t len)
{
	static uint8_t octets[4096];
	struct ike_chain c = pair_chain();

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 3 + i / 256);
	ike_add_notify(&c, STATUS, bytes_of(octets, len - 8));
	return c;
}

/* A request of `from` in five fragments. */
static void
make_five(unsigned from, uint32_t id, struct pair_datagram d[FIVE])
{
	static const size_t piece = 100;
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = id };
	struct ike_chain c = long_chain(FIVE * piece - 30);

	for (uint16_t i = 0; i < FIVE; i++)
		d[i] = seal_one(from, &h, (struct ike_cover){ i == 0 ? c.first : 0,
		    (uint16_t)(i + 1), FIVE }, bytes_of(c.w.p + i * piece,
		    i < FIVE - 1 ? piece : piece - 30));
}

static void
order_of(unsigned k, unsigned order[FIVE])		/* the k-th of 120 */
{
	unsigned left[FIVE] = { 0, 1, 2, 3, 4 }, at;

	for (unsigned i = 0; i < FIVE; i++) {
		at = k % (FIVE - i);
		k /= FIVE - i;
		order[i] = left[at];
		left[at] = left[FIVE - i - 1];
	}
}

/* ---- set-up ---- */

static bool
announced(const struct pair_datagram *d)
{
	struct ike_message m;
	struct ike_notify n;

	ck_assert_int_eq(ike_parse_message(bytes_of(d->data, d->len), &m), IKE_OK);
	return ike_find_notify(&m, IKE_N_FRAGMENTATION_SUPPORTED, &n);
}

/* Both messages of IKE_SA_INIT whole, though longer than a fragment; all of IKE_AUTH cut;
 * 2.3: the responder says it only to who has said it. */
START_TEST(handshake_is_cut)
{
	struct pair_datagram d[PAIR_QUEUE];
	size_t most = DATAGRAM;

	start(SIZE, SIZE);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_gt(p.queue[0].len, DATAGRAM);
	ck_assert(announced(&p.queue[0]));
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(announced(&p.queue[0]));
	pair_deliver(&p, 0);
	ck_assert(pair_sa(&p, 0)->fragments && pair_sa(&p, 1)->fragments);
	if (pair_sa(&p, 0)->path.port[0] != 500)
		most -= 4;
	for (unsigned way = 0; way < 2; way++) {
		ck_assert_uint_eq(p.n, FIVE);
		memcpy(d, p.queue, sizeof(d));
		for (unsigned i = 0; i < FIVE; i++) {
			ck_assert_uint_eq(type_of(&d[i]), IKE_PAYLOAD_SKF);
			ck_assert_uint_le(d[i].len, most);
			pair_deliver(&p, 0);
		}
	}
	ck_assert_uint_eq(p.n, 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(reassembling(i), 0);
		ck_assert_uint_eq(dropped(i), 0);
	}
	pair_close(&p);
}
END_TEST

/* Sizes of both ends need not be the same; small ones whole. */
START_TEST(each_end_cuts_to_its_own_size)
{
	static const struct { uint16_t fragment; unsigned datagrams; } sizes[] = {
		{ 576, 5 }, { 1280, 2 }, { 3000, 1 }, { 65000, 1 }
	};

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++) {
			start(sizes[i].fragment, sizes[k].fragment);
			pair_deliver(&p, 0);
			pair_deliver(&p, 0);
			ck_assert_uint_eq(p.n, sizes[i].datagrams);
			for (unsigned n = 0; n < sizes[i].datagrams; n++)
				pair_deliver(&p, 0);
			ck_assert_uint_eq(p.n, sizes[k].datagrams);
			ck_assert_uint_eq(type_of(&p.queue[0]),
			    sizes[k].datagrams == 1 ? IKE_PAYLOAD_SK : IKE_PAYLOAD_SKF);
			pair_pump(&p);
			ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
			pair_close(&p);
		}
}
END_TEST

START_TEST(either_end_does_not_cut)			/* T89 */
{
	bool responder = _i == 1;
	struct pair_datagram d;
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 2 };
	struct ike_chain c = long_chain(60);
	uint64_t before;

	start(responder ? SIZE : 0, responder ? 0 : SIZE);
	ck_assert(announced(&p.queue[0]) == responder);
	pair_deliver(&p, 0);
	ck_assert(!announced(&p.queue[0]));
	pair_deliver(&p, 0);
	for (unsigned way = 0; way < 2; way++) {
		ck_assert_uint_eq(p.n, 1);
		ck_assert_uint_gt(p.queue[0].len, 1500);	/* sent all the same */
		ck_assert_uint_eq(type_of(&p.queue[0]), IKE_PAYLOAD_SK);
		pair_deliver(&p, 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
		ck_assert(!pair_sa(&p, i)->fragments);
		/* Authentic, whole and of no use. */
		h.message_id = i == 1 ? 2 : 0;
		d = seal_one(1 - i, &h, (struct ike_cover){ c.first, 1, 1 },
		    ike_written(&c.w));
		before = sa_digest(pair_sa(&p, i));
		pair_send(&p, &d);
		ck_assert_uint_eq(p.n, 0);
		ck_assert(sa_digest(pair_sa(&p, i)) == before);
		ck_assert_uint_eq(dropped(i), 1);
	}
	pair_close(&p);
}
END_TEST

/* Who stops cutting still takes what is cut: the SA goes on as it was agreed. */
START_TEST(setting_that_changes_is_for_ours_alone)
{
	struct ike_connection *c;
	struct ike_setup setup[2];
	struct ike_child_setup child[2];
	struct pair_datagram d[FIVE];
	struct ike_fault fault;
	unsigned n;

	establish(SIZE, SIZE);
	pair_setups(setup, child);
	setup[1].fragment = 0;
	ck_assert_ptr_nonnull(c = ike_connection_new(&setup[1], &fault, 1, &n));
	ck_assert(ike_put(p.e[1], p.now, p.connection[1], c) != 0);
	ike_connection_free(c);
	pair_drain(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &d[i]);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* ---- requests ---- */

START_TEST(request_in_every_order)			/* T85 */
{
	struct pair_datagram d[FIVE];
	struct ike_sa *sa;
	unsigned order[FIVE];
	uint64_t before, full;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	for (unsigned k = 0; k < 120; k++) {
		make_five(0, 2 + k, d);
		order_of(k, order);
		before = digest_of_the_rest(sa);
		for (unsigned i = 0; i < FIVE - 1; i++) {
			pair_send(&p, &d[order[i]]);
			must(p.n == 0, "order %u: answered after %u", k, i + 1);
			must(digest_of_the_rest(sa) == before, "order %u", k);
			full = sa_digest(sa);
			for (unsigned again = 0; again <= i; again++)
				pair_send(&p, &d[order[again]]);
			must(sa_digest(sa) == full, "order %u: a duplicate counts", k);
		}
		must(sa->coming[0] != NULL && sa->coming[0]->have == FIVE - 1, "%u", k);
		pair_send(&p, &d[order[FIVE - 1]]);
		must(p.n == 1 && type_of(&p.queue[0]) == IKE_PAYLOAD_SK,
		    "order %u: %u answers", k, p.n);
		must(sa->coming[0] == NULL && reassembling(1) == 0, "order %u", k);
		p.n = 0;
	}
	pair_close(&p);
}
END_TEST

/* Only the first fragment of the very same request brings the response again, once and
 * all of it, RFC 7383 2.6.1. */
START_TEST(answered_request_again_in_every_order)	/* T02, T87 */
{
	struct pair_datagram request[FIVE], response[FIVE], forged;
	unsigned order[FIVE];
	uint64_t before;

	start(SIZE, SIZE);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(seize(request, FIVE), FIVE);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &request[FIVE - 1 - i]);
	ck_assert_uint_eq(seize(response, FIVE), FIVE);
	before = sa_digest(pair_sa(&p, 1));
	for (unsigned k = 0; k < 120; k++) {
		order_of(k, order);
		pair_pass(&p, IKE_SECOND / 4);
		p.n = 0;			/* the other end's own */
		for (unsigned i = 0; i < FIVE; i++) {
			pair_send(&p, &request[order[i]]);
			must(order[i] == 0 || p.n % FIVE == 0, "order %u", k);
		}
		must(p.n == FIVE, "order %u: %u datagrams", k, p.n);
		for (unsigned i = 0; i < FIVE; i++)
			must(same(&p.queue[i], &response[i]), "order %u", k);
		pair_send(&p, &request[0]);	/* at once: rate-limited */
		must(p.n == FIVE, "order %u: %u datagrams", k, p.n);
		p.n = 0;
	}
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_pass(&p, IKE_SECOND / 4);
	p.n = 0;
	for (unsigned i = 0; i < FIVE; i++) {
		forged = request[i];
		forged.data[forged.len - 1] ^= 1;
		pair_send(&p, &forged);
	}
	ck_assert_uint_eq(p.n, 0);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_close(&p);
}
END_TEST

START_TEST(response_goes_where_the_first_fragment_came_from)	/* T02 */
{
	struct pair_datagram d[FIVE];

	establish(1280, 1280);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &d[i]);
	p.n = 0;
	pair_pass(&p, IKE_SECOND);
	d[0].path.port[1] = 4567;
	pair_send(&p, &d[0]);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].path.port[0], 4567);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(forged_fragments_come_first)			/* T88 */
{
	struct pair_datagram d[FIVE], forged;
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE; i++) {
		before = sa_digest(sa);
		for (size_t at = 0; at < d[i].len; at++) {
			forged = d[i];
			forged.data[at] ^= 0x41;
			pair_send(&p, &forged);
			must(sa_digest(sa) == before, "fragment %u, octet %zu", i, at);
			if (p.n > 0)	/* another SPI: there is no such SA */
				must(at < 16, "fragment %u, octet %zu", i, at);
			p.n = 0;
		}
		pair_send(&p, &d[i]);
	}
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(cut_fragments_come_first)
{
	struct pair_datagram d[FIVE], part;
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE; i++) {
		before = sa_digest(sa);
		for (size_t len = 0; len < d[i].len; len++)
			for (unsigned told = 0; told < 3; told++) {
				part = d[i];
				part.len = len;
				if (told > 0)
					bytes_store32(part.data + 24, (uint32_t)len);
				if (told > 1 && len >= 28)
					bytes_store16(part.data + 30,
					    (uint16_t)(len - 28));
				pair_send(&p, &part);
				must(sa_digest(sa) == before && p.n == 0,
				    "fragment %u, %zu octets", i, len);
			}
		pair_send(&p, &d[i]);
	}
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* Of a peer with the keys. */
static const struct ike_cover hostile[] = {		/* T86 */
	{ IKE_PAYLOAD_NOTIFY, 0, 5 }, { 0, 0, 5 }, { 0, 6, 5 }, { 0, 65535, 5 },
	{ 0, 256, 256 }, { IKE_PAYLOAD_NOTIFY, 1, 65535 },
	{ IKE_PAYLOAD_NOTIFY, 4, 5 }, { IKE_PAYLOAD_NOTIFY, 1, 1 },
	{ IKE_PAYLOAD_NOTIFY, 1, 4 }, { 0, 4, 4 }, { 0, 3, 5 },
};

START_TEST(hostile_numbers_change_nothing)
{
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 2 };
	struct pair_datagram d[FIVE], bad;
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < 3; i++)
		pair_send(&p, &d[i]);
	before = sa_digest(sa);
	bad = seal_one(0, &h, hostile[_i], bytes_of("hostile", 7));
	pair_send(&p, &bad);
	ck_assert(sa_digest(sa) == before);
	ck_assert_uint_eq(dropped(1), 1);
	for (unsigned i = 3; i < FIVE; i++)
		pair_send(&p, &d[i]);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* The peer has found that its packets are too long: it cuts anew (2.5.2). */
START_TEST(request_cut_anew)				/* T86 */
{
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 2 };
	struct pair_datagram d[FIVE], again;
	struct ike_chain c = long_chain(200);
	struct ike_sa *sa;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE - 1; i++)
		pair_send(&p, &d[i]);
	for (uint16_t i = 1; i <= 10; i++) {
		again = seal_one(0, &h, (struct ike_cover){ i == 1 ? c.first : 0, i, 10 },
		    bytes_of(c.w.p + (i - 1) * 20, 20));
		pair_send(&p, &again);
		if (i < 10)
			ck_assert(sa->coming[0]->total == 10 &&
			    sa->coming[0]->have == i);
		pair_send(&p, &d[FIVE - 1]);	/* late, and of no use now */
	}
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(sa->window.next_expected, 3);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(whole_among_fragments)			/* T86 */
{
	struct pair_datagram d[FIVE], whole;
	struct ike_chain c;
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE - 1; i++)
		pair_send(&p, &d[i]);
	ck_assert_uint_gt(reassembling(1), 0);
	c = long_chain(100);
	whole = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &c);
	pair_send(&p, &whole);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(reassembling(1), 0);
	pair_pass(&p, IKE_SECOND);
	before = sa_digest(sa);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &d[i]);	/* the same id in another form */
	ck_assert(sa_digest(sa) == before);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* Ids behind, ahead, and answered ones: the window judges before anything is kept. */
START_TEST(fragment_outside_the_window)			/* T05, T10 */
{
	static const uint32_t ids[] = { 0, 1, 3, 4, 0x7fffffff, 0xffffffff };
	struct pair_datagram d[FIVE];
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 1);
	before = sa_digest(sa);
	make_five(0, ids[_i], d);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &d[i]);
	ck_assert(sa_digest(sa) == before);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

START_TEST(fragments_during_a_question_are_swallowed)	/* T03 */
{
	struct pair_datagram d[FIVE];

	start(SIZE, SIZE);
	p.hold_answers[1] = true;
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(seize(d, FIVE), FIVE);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < FIVE; i++)
			pair_send(&p, &d[i]);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(p.events[1][IKE_ASK_CHECK], 1);
	ck_assert_uint_eq(reassembling(1), 0);
	pair_answer(&p, 1, IKE_OK);
	p.hold_answers[1] = false;
	pair_answer(&p, 1, IKE_OK);
	ck_assert_uint_eq(p.n, FIVE);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* What was cut is no better for it, T91. */
START_TEST(malformed_in_fragments_is_fatal)
{
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 2 };
	struct pair_datagram d;
	struct ike_chain c = long_chain(100);

	establish(1280, 1280);
	for (uint16_t i = 1; i <= 2; i++) {	/* an octet less than its length says */
		d = seal_one(0, &h, (struct ike_cover){ i == 1 ? c.first : 0, i, 2 },
		    bytes_of(c.w.p + (i - 1) * 50, i == 1 ? 50 : 49));
		pair_send(&p, &d);
	}
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(p.down[1], IKE_INVALID_SYNTAX);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* ---- our own requests, and responses ---- */

START_TEST(retransmission_repeats_every_fragment)	/* T01 */
{
	struct pair_datagram first[FIVE];
	uint64_t iv[FIVE];

	start(SIZE, SIZE);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(seize(first, FIVE), FIVE);
	for (unsigned i = 0; i < FIVE; i++) {
		iv[i] = bytes_load64(first[i].data + 36);
		for (unsigned k = 0; k < i; k++)
			ck_assert(iv[k] != iv[i]);
	}
	for (unsigned round = 0; round < 3; round++) {
		while (p.n == 0)
			pair_pass(&p, IKE_SECOND / 10);
		ck_assert_uint_eq(p.n, FIVE);
		for (unsigned i = 0; i < FIVE; i++)
			ck_assert(same(&p.queue[i], &first[i]));
		/* of each round another one arrives, and at last all have */
		for (unsigned i = round; i < FIVE; i += 3)
			pair_send(&p, &first[i]);
		if (round < 2)
			p.n = 0;
	}
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(response_in_every_order)			/* T85 */
{
	struct pair_datagram d[FIVE];
	struct ike_sa *sa;
	unsigned order[FIVE];
	uint64_t before;

	for (unsigned k = 0; k < 120; k++) {
		start(SIZE, SIZE);
		for (unsigned i = 0; i < 2 + FIVE; i++)
			pair_deliver(&p, 0);
		must(seize(d, FIVE) == FIVE, "order %u", k);
		order_of(k, order);
		sa = pair_sa(&p, 0);
		before = digest_of_the_rest(sa);
		for (unsigned i = 0; i < FIVE; i++) {
			must(sa->state == IKE_STATE_AUTH_SENT &&
			    digest_of_the_rest(sa) == before, "order %u", k);
			pair_send(&p, &d[order[i]]);
			pair_send(&p, &d[order[i]]);
		}
		must(sa->state == IKE_STATE_ESTABLISHED && reassembling(0) == 0,
		    "order %u", k);
		must(p.events[0][IKE_IN_ADD] == 1, "order %u", k);
		pair_close(&p);
	}
}
END_TEST

/* Of a response that nobody waits for, and of one under another id. */
START_TEST(response_out_of_place_is_not_kept)		/* T09 */
{
	struct ike_header h = { .exchange = INFORMATIONAL, .flags = IKE_FLAG_RESPONSE };
	struct pair_datagram d;
	struct ike_sa *sa;
	uint64_t before;

	establish(1280, 1280);
	sa = pair_sa(&p, 0);
	for (unsigned round = 0; round < 2; round++) {
		before = sa_digest(sa);
		for (uint32_t id = 0; id < 5; id++) {
			if (round == 1 && id == 2)
				continue;
			h.message_id = id;
			d = seal_one(1, &h, (struct ike_cover){ 0, 2, 3 },
			    bytes_of("out of place", 12));
			pair_send(&p, &d);
			ck_assert(sa_digest(sa) == before);
		}
		if (round == 0) {
			ike_down(p.e[0], p.now, sa->id);
			pair_drain(&p, 0);
		}
	}
	h.message_id = 2;
	for (uint16_t i = 1; i <= 3; i++) {
		d = seal_one(1, &h, (struct ike_cover){ 0, i, 3 }, bytes_of(NULL, 0));
		pair_send(&p, &d);
	}
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 2);	/* the Child SA and the IKE SA */
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* A request and a response may come in parts at the same time. */
START_TEST(both_directions_at_once)			/* T13 */
{
	struct ike_header h = { .exchange = INFORMATIONAL, .flags = IKE_FLAG_RESPONSE,
	    .message_id = 2 };
	struct pair_datagram d[FIVE], answer[2];
	struct ike_child_info info;

	establish(1280, 1280);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	p.n = 0;
	make_five(1, 0, d);
	for (uint16_t i = 0; i < 2; i++)
		answer[i] = seal_one(1, &h, (struct ike_cover){ 0, (uint16_t)(i + 1), 2 },
		    bytes_of(NULL, 0));
	for (unsigned i = 0; i < FIVE - 1; i++)
		pair_send(&p, &d[i]);
	pair_send(&p, &answer[1]);
	ck_assert(pair_sa(&p, 0)->coming[0]->have == FIVE - 1);
	ck_assert(pair_sa(&p, 0)->coming[1]->have == 1);
	pair_send(&p, &d[FIVE - 1]);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	pair_send(&p, &answer[0]);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 0);
	ck_assert_uint_eq(reassembling(0), 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* ---- bounds ---- */

/* Of one SA in one direction: the octets of the longest message, in the most fragments;
 * all given back whenever the SA ends. */
START_TEST(memory_is_bounded_and_given_back)
{
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 2 };
	static uint8_t octets[3000];
	struct pair_datagram d;
	size_t most = 0;

	establish(1280, 1280);
	for (unsigned total = 2; total <= 300; total += 1 + total / 4)
		for (unsigned i = 2; i <= total; i++) {
			d = seal_one(0, &h, (struct ike_cover){ 0, (uint16_t)i,
			    (uint16_t)total }, bytes_of(octets, sizeof(octets)));
			pair_send(&p, &d);
			if (reassembling(1) > most)
				most = reassembling(1);
		}
	ck_assert_uint_gt(most, IKE_MAX_MESSAGE - sizeof(octets));
	ck_assert_uint_le(most, IKE_MAX_MESSAGE + IKE_MAX_FRAGMENTS * 16 + 200);
	ck_assert_uint_eq(p.n, 0);
	ike_down(p.e[1], p.now, pair_sa(&p, 1)->id);
	pair_drain(&p, 1);
	ck_assert_uint_gt(reassembling(1), 0);
	pair_pump(&p);
	ck_assert_uint_eq(reassembling(1), 0);
	pair_close(&p);
}
END_TEST

/* One that has ended stays for a while to repeat its last response, without them. */
START_TEST(nothing_is_kept_for_an_sa_that_lingers)
{
	struct ike_header h = { .exchange = INFORMATIONAL, .flags = IKE_FLAG_RESPONSE };
	struct pair_datagram d;
	struct ike_counts c;

	establish(1280, 1280);
	ike_down(p.e[1], p.now, pair_sa(&p, 1)->id);
	pair_drain(&p, 1);
	p.n = 0;
	d = seal_one(0, &h, (struct ike_cover){ 0, 2, 3 }, bytes_of("part", 4));
	pair_send(&p, &d);
	ck_assert_uint_gt(reassembling(1), 0);
	ike_down(p.e[0], p.now, pair_sa(&p, 0)->id);	/* crosses ours */
	pair_drain(&p, 0);
	pair_deliver(&p, 0);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 1);
	ck_assert_uint_eq(reassembling(1), 0);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* A half-open SA ends with what its peer has left there; together they leave no more
 * than so much, and nobody else's room is taken. */
START_TEST(strangers_leave_no_more_than_so_much)
{
	struct pair_datagram d[FIVE];

	start(SIZE, SIZE);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(seize(d, FIVE), FIVE);
	pair_send(&p, &d[0]);
	ck_assert_uint_eq(p.e[1]->left_by_strangers, reassembling(1));
	p.e[1]->left_by_strangers += 16 << 20;	/* as if others had */
	pair_send(&p, &d[1]);
	ck_assert_uint_eq(pair_sa(&p, 1)->coming[0]->have, 1);
	ck_assert_uint_eq(dropped(1), 1);
	p.e[1]->left_by_strangers -= 16 << 20;
	for (unsigned i = 1; i < FIVE - 1; i++)
		pair_send(&p, &d[i]);
	ck_assert_uint_eq(p.e[1]->left_by_strangers, reassembling(1));
	pair_pass(&p, 31 * IKE_SECOND);		/* the last one never comes */
	ck_assert_uint_eq(reassembling(1), 0);
	ck_assert_uint_eq(p.e[1]->left_by_strangers, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(peer_that_is_known_is_no_stranger)
{
	struct pair_datagram d[FIVE];

	establish(SIZE, SIZE);
	ck_assert_uint_eq(p.e[1]->left_by_strangers, 0);
	p.e[1]->left_by_strangers = 16 << 20;
	make_five(0, 2, d);
	for (unsigned i = 0; i < FIVE; i++)
		pair_send(&p, &d[i]);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	p.e[1]->left_by_strangers = 0;
	pair_close(&p);
}
END_TEST

/* ---- for people ---- */

static unsigned
trace(unsigned end, const char *line)
{
	struct ike_event event;
	unsigned n = 0;

	while (ike_next_event(p.e[end], &event))
		n += event.type == IKE_TRACE && event.u.text.len > strlen(line) &&
		    memmem(event.u.text.p, event.u.text.len, line, strlen(line)) != NULL;
	return n;
}

START_TEST(trace_tells_of_fragments)
{
	struct pair_datagram d[FIVE];

	establish(1280, 1280);
	p.e[1]->options.trace = true;
	make_five(0, 2, d);
	ike_receive(p.e[1], p.now, &d[2].path, d[2].data, d[2].len);
	ck_assert_uint_eq(trace(1, "received INFORMATIONAL request 2 ["), 1);
	d[3].data[d[3].len - 1] ^= 1;
	ike_receive(p.e[1], p.now, &d[3].path, d[3].data, d[3].len);
	ck_assert_uint_eq(trace(1, "received"), 0);	/* forged: not a word */
	d[3].data[d[3].len - 1] ^= 1;
	ike_receive(p.e[1], p.now, &d[3].path, d[3].data, d[3].len);
	ck_assert_uint_eq(trace(1, "]: fragment 4 of 5, 161 octets"), 1);
	for (unsigned i = 0; i < 2; i++) {
		ike_receive(p.e[1], p.now, &d[i].path, d[i].data, d[i].len);
		ck_assert_uint_eq(trace(1, "fragment"), 1);
	}
	ike_receive(p.e[1], p.now, &d[4].path, d[4].data, d[4].len);
	ck_assert_uint_eq(trace(1, "r]: "), 3);	/* the last one, the whole, the answer */
	pair_drain(&p, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		handshake_is_cut, each_end_cuts_to_its_own_size,
		setting_that_changes_is_for_ours_alone, request_in_every_order,
		answered_request_again_in_every_order,
		response_goes_where_the_first_fragment_came_from,
		forged_fragments_come_first, cut_fragments_come_first, request_cut_anew,
		whole_among_fragments, fragments_during_a_question_are_swallowed,
		malformed_in_fragments_is_fatal, retransmission_repeats_every_fragment,
		response_in_every_order, response_out_of_place_is_not_kept,
		both_directions_at_once, memory_is_bounded_and_given_back,
		nothing_is_kept_for_an_sa_that_lingers,
		strangers_leave_no_more_than_so_much, peer_that_is_known_is_no_stranger,
		trace_tells_of_fragments,
	};
	TCase *t = tcase_create("fragmented");

	tcase_set_timeout(t, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, either_end_does_not_cut, 0, 2);
	tcase_add_loop_test(t, hostile_numbers_change_nothing, 0,
	    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_loop_test(t, fragment_outside_the_window, 0, 6);
	return run_tests("fragmented", t);
}
