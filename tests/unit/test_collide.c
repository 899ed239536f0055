/* What both ends begin at once, or one while the other ends it: RFC 7296 2.8.1, 2.8.2,
 * 2.25.1 and 2.25.2 (ids: RFC 7296 cases).  Packets travel all the while. */
#include <string.h>

#include "tests/unit/road.h"
#include "tests/unit/run.h"

static struct pair p;
static struct road r;

enum wish { CHILD, IKE };

static void
begin(void)
{
	pair_start(&p);
	road_open(&r, &p);
	pair_up(&p);
	pair_pump(&p);		/* an answer overtakes no packet */
	p.chance[0] = 1;
	p.chance[1] = 2;
}

static void
end(void)
{
	r.closing = true;
	pair_close(&p);
}

/* The IKE SA that is in use. */
static struct ike_sa_info
sa_of(unsigned at)
{
	struct ike_sa_info info = { 0 }, found = { 0 };

	while (ike_next_sa(p.e[at], info.id, &info))
		if (info.state == IKE_STATE_ESTABLISHED)
			found = info;
	ck_assert_msg(found.id != 0, "%u has no IKE SA", at);
	return found;
}

/* The one Child SA that is in use; id 0: there is none. */
static struct ike_child_info
child_of(unsigned at)
{
	struct ike_child_info info, found = { 0 };
	struct ike_sa_info sa = sa_of(at);

	for (unsigned i = 0; ike_child_at(p.e[at], sa.id, i, &info); i++)
		if (!info.replaced)
			found = info;
	return found;
}

static void
rekey(unsigned at, enum wish wish)
{
	ike_id id = wish == IKE ? sa_of(at).id : child_of(at).id;

	ck_assert_int_eq(ike_rekey(p.e[at], p.now, id), IKE_OK);
	pair_drain(&p, at);
}

static void
delete(unsigned at, enum wish wish)
{
	ike_id id = wish == IKE ? p.connection[at] : child_of(at).id;

	ck_assert_int_eq(ike_down(p.e[at], p.now, id), IKE_OK);
	pair_drain(&p, at);
}

/* The only one that this end has, but for those that it has closed, and may have to
 * say so again. */
static struct ike_sa *
in_use(unsigned at)
{
	struct ike_sa *sa, *found = NULL;

	TAILQ_FOREACH(sa, &p.e[at]->sas, link) {
		if (sa->state == IKE_STATE_CLOSED)
			continue;
		ck_assert_msg(found == NULL, "%u has SA %u in state %u, too", at,
		    (unsigned)sa->id, sa->state);
		found = sa;
	}
	ck_assert_ptr_nonnull(found);
	ck_assert_int_eq(found->state, IKE_STATE_ESTABLISHED);
	return found;
}

/* After a while each end holds one IKE SA, the same one, with `children` Child SAs. */
static void
expect_settled(unsigned children)
{
	struct ike_sa_info sa[2];
	struct ike_counts c;
	struct ike_sa *use;

	road_pass(&r, 20 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		sa[i] = sa_of(i);
		ck_assert_uint_eq(sa[i].n_children, children);
		ck_assert_uint_eq(road_in(&r, i), children);
		ck_assert_uint_eq(road_out(&r, i), children);
		ike_read_counts(p.e[i], &c);
		ck_assert_uint_eq(c.children, children);
		ck_assert_uint_eq(c.questions, 0);
		use = in_use(i);
		ck_assert(use->ours == NULL && use->theirs == NULL);
		ck_assert(STAILQ_EMPTY(&use->wanted));
	}
	ck_assert(sa[0].spi_i == sa[1].spi_i && sa[0].spi_r == sa[1].spi_r);
	if (children == 1)
		ck_assert_uint_eq(child_of(0).child.spi_in, child_of(1).child.spi_out);
}

/* The payloads of the datagram at this place of the queue, which stays there. */
static void
look(unsigned index, struct pair_datagram *d, struct ike_message *m)
{
	ck_assert_uint_lt(index, p.n);
	*d = p.queue[index];
	pair_unseal(&p, d, m);
}

static enum ike_error
error_at(unsigned index)
{
	struct pair_datagram d;
	struct ike_message m;

	look(index, &d, &m);
	return ike_first_error(&m);
}

static struct bytes
payload(const struct ike_message *m, uint8_t type)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].type == type)
			return m->v[i].body;
	ck_abort_msg("no payload %u", type);
}

/* Nonce and SPI of our own in a message of an exchange that makes an SA. */
struct half { uint8_t nonce[64]; size_t len; struct bytes spi; uint8_t octets[8]; };

static void
read_half(unsigned index, struct half *h)
{
	struct pair_datagram d;
	struct ike_message m;
	struct bytes b;

	look(index, &d, &m);
	b = payload(&m, IKE_PAYLOAD_NONCE);
	ck_assert_uint_le(b.len, sizeof(h->nonce));
	memcpy(h->nonce, b.p, b.len);
	h->len = b.len;
	b = payload(&m, IKE_PAYLOAD_SA);
	ck_assert_uint_ge(b.len, 8u + b.p[6]);
	memcpy(h->octets, b.p + 8, b.p[6]);
	h->spi = bytes_of(h->octets, b.p[6]);
}

static unsigned
lowest(const struct half h[4])
{
	unsigned low = 0;

	for (unsigned i = 1; i < 4; i++)
		if (memcmp(h[i].nonce, h[low].nonce, h[0].len) < 0)
			low = i;
	return low;
}

/* Both ask, both requests arrive, both answers are under way: h[0] is 0's request and
 * h[1] the answer to it, h[2] and h[3] are 1's. */
static void
cross(enum wish wish, struct half h[4])
{
	rekey(0, wish);
	rekey(1, wish);
	ck_assert_uint_eq(p.n, 2);
	read_half(0, &h[0]);
	read_half(1, &h[2]);
	road_deliver(&r, 0);
	road_deliver(&r, 0);
	ck_assert_uint_eq(p.n, 2);
	read_half(0, &h[1]);
	read_half(1, &h[3]);
}

START_TEST(both_rekey_one_child)			/* T61 */
{
	struct half h[4];
	unsigned seen[4] = { 0 }, low, winner;

	for (uint64_t seed = 0; seed < 40; seed++) {
		begin();
		p.chance[0] = seed * 7919;
		p.chance[1] = seed * 104729 + 1;
		cross(CHILD, h);
		low = lowest(h);
		winner = low < 2 ? 1 : 0;
		seen[low]++;
		if (seed % 2 != 0)
			road_deliver(&r, 1);	/* the answers in the other order */
		road_pump(&r);
		expect_settled(1);
		/* what the winner receives on is what it asked for */
		ck_assert_uint_eq(child_of(winner).child.spi_in,
		    bytes_load32(h[winner == 0 ? 0 : 2].octets));
		ck_assert_uint_eq(child_of(0).generation, 2);
		ck_assert_uint_eq(child_of(1).generation, 2);
		ck_assert_uint_eq(sa_of(winner).collisions_won, 1);
		ck_assert_uint_eq(sa_of(1 - winner).collisions_lost, 1);
		end();
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_msg(seen[i] > 0, "the lowest nonce was never in place %u", i);
}
END_TEST

START_TEST(both_rekey_the_ike_sa)			/* T65 */
{
	struct half h[4];
	unsigned seen[4] = { 0 }, low, winner, in[2], out[2];
	ike_id id[2];

	for (uint64_t seed = 0; seed < 40; seed++) {
		begin();
		p.chance[0] = seed * 7919;
		p.chance[1] = seed * 104729 + 1;
		for (unsigned i = 0; i < 2; i++) {
			in[i] = p.events[i][IKE_IN_ADD];
			out[i] = p.events[i][IKE_OUT_ADD];
			id[i] = sa_of(i).id;
		}
		cross(IKE, h);
		low = lowest(h);
		winner = low < 2 ? 1 : 0;
		seen[low]++;
		if (seed % 2 != 0)
			road_deliver(&r, 1);
		road_pump(&r);
		expect_settled(1);
		ck_assert_uint_eq(sa_of(winner).spi_i,
		    bytes_load64(h[winner == 0 ? 0 : 2].octets));
		for (unsigned i = 0; i < 2; i++) {	/* the Child SA is not touched */
			ck_assert_uint_eq(p.events[i][IKE_IN_ADD], in[i]);
			ck_assert_uint_eq(p.events[i][IKE_OUT_ADD], out[i]);
			ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 0);
			ck_assert_uint_eq(sa_of(i).id, id[i]);
			ck_assert_uint_eq(sa_of(i).generation, 2);
		}
		end();
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_msg(seen[i] > 0, "the lowest nonce was never in place %u", i);
}
END_TEST

/* Octet by octet; of two that are alike as far as they go the shorter one is lower. */
START_TEST(nonces_are_compared)				/* T64 */
{
	static const struct { const char *lower, *higher; size_t lower_len, higher_len; }
	    rows[] = {
		{ "0000000000000000a", "0000000000000000b", 17, 17 },
		{ "0000000000000000", "0000000000000000a", 16, 17 },
		{ "0000000000000000\0", "0000000000000000\1", 17, 17 },
		{ "0000000000000000a\0\0\0", "0000000000000000b", 20, 17 },
		{ "\x7f" "000000000000000", "\x80" "000000000000000", 16, 16 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes lower = bytes_of(rows[i].lower, rows[i].lower_len);
		struct bytes higher = bytes_of(rows[i].higher, rows[i].higher_len);

		ck_assert_msg(ike_nonce_is_lower(lower, higher), "row %u", i);
		ck_assert_msg(!ike_nonce_is_lower(higher, lower), "row %u", i);
		ck_assert_msg(!ike_nonce_is_lower(lower, lower), "row %u", i);
		ck_assert(bytes_equal(ike_lower_nonce(lower, higher), lower));
		ck_assert(bytes_equal(ike_lower_nonce(higher, lower), lower));
	}
}
END_TEST

static uint64_t
draw(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Whatever arrives next, if it arrives; what is lost comes again. */
static void
deliver_by_chance(uint64_t *state, unsigned loss)
{
	for (unsigned steps = 0; steps < 400; steps++) {
		if (p.n == 0) {
			pair_pass(&p, IKE_SECOND / 10);
			road_travel(&r);
			continue;
		}
		unsigned index = (unsigned)(draw(state) % p.n);

		if (draw(state) % 100 < loss) {
			p.n--;
			memmove(&p.queue[index], &p.queue[index + 1],
			    (p.n - index) * sizeof(p.queue[0]));
		} else {
			road_deliver(&r, index);
		}
	}
}

static void
collide_in_any_order(unsigned seed)
{
	uint64_t state = (uint64_t)seed * 2654435761u + 1;
	enum wish wish[2] = { (enum wish)(seed & 1), (enum wish)(seed >> 1 & 1) };

	begin();
	p.chance[0] = draw(&state);
	p.chance[1] = draw(&state);
	r.deaf = (seed & 4) != 0;
	rekey(0, wish[0]);
	rekey(1, wish[1]);
	deliver_by_chance(&state, (seed & 8) != 0 ? 30 : 0);
	road_pass(&r, 240 * IKE_SECOND);	/* a DELETE may be repeated as long */
	expect_settled(1);
	end();
}

/* In any order, with any loss, from any pair of wishes.  Ten in a process, for with a
 * sanitizer it is the process that takes the time. */
START_TEST(collision_in_any_order)			/* T61, T63, T65, T66, T70, T71 */
{
	for (unsigned seed = 10 * (unsigned)_i; seed < 10 * ((unsigned)_i + 1); seed++)
		collide_in_any_order(seed);
}
END_TEST

/* 1 has asked before it heard of 0's rekey; its request comes when that is done. */
START_TEST(rekey_comes_late)				/* T62 */
{
	struct pair_datagram late;

	for (unsigned gone = 0; gone < 2; gone++) {
		begin();
		rekey(1, CHILD);
		ck_assert_uint_eq(p.n, 1);
		late = p.queue[0];
		p.n = 0;
		rekey(0, CHILD);
		road_pump(&r);
		if (gone == 1)		/* with its DELETE, and all that lingers */
			for (unsigned i = 0; i < 90; i++) {
				pair_pass(&p, IKE_SECOND / 10);
				for (unsigned k = p.n; k-- > 0;)
					if (p.queue[k].len == late.len &&
					    memcmp(p.queue[k].data, late.data,
					    late.len) == 0)
						p.queue[k] = p.queue[--p.n];
				road_pump(&r);
			}
		p.n = 0;
		pair_send(&p, &late);
		ck_assert_uint_eq(p.n, 1);
		ck_assert_int_eq(error_at(0),
		    gone == 1 ? IKE_CHILD_SA_NOT_FOUND : IKE_TEMPORARY_FAILURE);
		road_pump(&r);
		expect_settled(1);
		end();
	}
}
END_TEST

/* 0's request is lost until 1's rekey is done: it then comes on an SA that closes. */
START_TEST(ike_rekey_comes_late)			/* T66 */
{
	struct pair_datagram late;

	begin();
	rekey(0, IKE);
	late = p.queue[0];
	p.n = 0;
	rekey(1, IKE);
	road_pump(&r);
	pair_send(&p, &late);
	road_pump(&r);
	expect_settled(1);
	end();
}
END_TEST

START_TEST(rekey_of_a_child_that_is_deleted)		/* T67 */
{
	begin();
	r.closing = true;
	delete(0, CHILD);
	rekey(1, CHILD);
	ck_assert_uint_eq(p.n, 2);
	pair_deliver(&p, 1);			/* 0 is deleting it */
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(error_at(1), IKE_TEMPORARY_FAILURE);
	pair_pump(&p);
	pair_pass(&p, IKE_SECOND / 2);
	ck_assert_uint_eq(p.n, 0);		/* not again at once */
	expect_settled(0);
	end();
}
END_TEST

/* 1 deletes what 0 is rekeying.  The answer names the pair of it; what is refused then is
 * not wanted from 0, who never called: it is gone. */
START_TEST(delete_of_a_child_that_is_rekeyed)		/* T68 */
{
	struct pair_datagram d;
	struct ike_message m;

	begin();
	r.closing = true;
	rekey(0, CHILD);
	delete(1, CHILD);
	ck_assert_uint_eq(p.n, 2);
	pair_deliver(&p, 1);
	ck_assert_uint_eq(p.n, 2);
	look(1, &d, &m);			/* a Delete payload, of 4 + 4 octets */
	ck_assert_uint_eq(payload(&m, IKE_PAYLOAD_DELETE).len, 8);
	pair_deliver(&p, 1);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(error_at(0), IKE_CHILD_SA_NOT_FOUND);
	pair_pump(&p);
	pair_pass(&p, 10 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_le(sa_of(i).n_children, 1);
	ck_assert_uint_eq(sa_of(0).n_children, sa_of(1).n_children);
	end();
}
END_TEST

/* While 0 rekeys the IKE SA, nothing is made or rekeyed on it, but may be deleted. */
START_TEST(child_while_the_ike_sa_is_rekeyed)		/* T70 */
{
	begin();
	rekey(0, IKE);
	rekey(1, CHILD);
	pair_deliver(&p, 1);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(error_at(1), IKE_TEMPORARY_FAILURE);
	road_pump(&r);
	expect_settled(1);
	end();

	begin();
	r.closing = true;
	rekey(0, IKE);
	delete(1, CHILD);
	pair_deliver(&p, 1);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(error_at(1), IKE_OK);
	pair_pump(&p);
	expect_settled(0);
	end();
}
END_TEST

/* While 0 rekeys or deletes a Child SA, the IKE SA is not rekeyed; 1 tries again. */
START_TEST(ike_sa_while_a_child_is_rekeyed)		/* T71 */
{
	for (unsigned deletes = 0; deletes < 2; deletes++) {
		begin();
		r.closing = deletes == 1;
		if (deletes == 1)
			delete(0, CHILD);
		else
			rekey(0, CHILD);
		rekey(1, IKE);
		pair_deliver(&p, 1);
		ck_assert_uint_eq(p.n, 2);
		ck_assert_int_eq(error_at(1), IKE_TEMPORARY_FAILURE);
		road_pump(&r);
		pair_pass(&p, IKE_SECOND / 10);
		ck_assert_uint_eq(p.n, 0);		/* not again at once */
		ck_assert_uint_eq(sa_of(1).generation, 1);
		road_pass(&r, 60 * IKE_SECOND);
		ck_assert_uint_eq(sa_of(1).generation, 2);
		expect_settled(deletes == 1 ? 0 : 1);
		end();
	}
}
END_TEST

START_TEST(delete_of_an_ike_sa_that_is_rekeyed)		/* T72 */
{
	begin();
	r.closing = true;
	rekey(0, IKE);
	delete(1, IKE);
	pair_deliver(&p, 1);
	ck_assert_int_eq(p.down[0], IKE_CLOSED);
	ck_assert_uint_eq(p.n, 2);
	pair_deliver(&p, 1);
	ck_assert_int_eq(p.down[1], IKE_CANCELLED);
	p.n = 0;
	pair_pass(&p, 20 * IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);			/* its rekey is not sent again */
	end();
}
END_TEST

/* On an IKE SA that 0 is deleting: TEMPORARY_FAILURE, but a DELETE is answered. */
START_TEST(requests_while_the_ike_sa_is_deleted)	/* T90 */
{
	static const enum wish wishes[2] = { CHILD, IKE };

	for (unsigned i = 0; i < 2; i++) {
		begin();
		r.closing = true;
		rekey(1, wishes[i]);
		delete(0, IKE);
		pair_deliver(&p, 0);
		ck_assert_uint_eq(p.n, 2);
		ck_assert_int_eq(error_at(1), IKE_TEMPORARY_FAILURE);
		pair_pump(&p);
		ck_assert_int_eq(p.down[0], IKE_CANCELLED);
		end();
	}
	begin();
	r.closing = true;
	delete(1, CHILD);
	delete(0, IKE);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(error_at(1), IKE_OK);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
	end();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("collide");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, both_rekey_one_child);
	tcase_add_test(t, both_rekey_the_ike_sa);
	tcase_add_test(t, nonces_are_compared);
	tcase_add_loop_test(t, collision_in_any_order, 0, 40);
	tcase_add_test(t, rekey_comes_late);
	tcase_add_test(t, ike_rekey_comes_late);
	tcase_add_test(t, rekey_of_a_child_that_is_deleted);
	tcase_add_test(t, delete_of_a_child_that_is_rekeyed);
	tcase_add_test(t, child_while_the_ike_sa_is_rekeyed);
	tcase_add_test(t, ike_sa_while_a_child_is_rekeyed);
	tcase_add_test(t, delete_of_an_ike_sa_that_is_rekeyed);
	tcase_add_test(t, requests_while_the_ike_sa_is_deleted);
	return run_tests("collide", t);
}
