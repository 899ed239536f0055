/* Rekeying as RFC 7296 2.8, 2.9.2, 2.18, 2.25 have it when not all goes well (ids: RFC
 * 7296 cases).  Packets travel all the while. */
#include <string.h>

#include "tests/unit/road.h"
#include "tests/unit/run.h"

static struct pair p;
static struct road r;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];

static void
open_as_set(void)
{
	pair_open(&p, setup);
	road_open(&r, &p);
	pair_up(&p);
	pair_pump(&p);
}

static void
begin(void)
{
	pair_setups(setup, child);
	open_as_set();
}

static void
end(void)
{
	r.closing = true;
	pair_close(&p);
}

/* The IKE SA in use, or NULL. */
static struct ike_sa *
use(unsigned at)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p.e[at]->sas, link)
		if (sa->state == IKE_STATE_ESTABLISHED)
			return sa;
	return NULL;
}

/* Its newest Child SA. */
static struct ike_child_sa *
newest(unsigned at)
{
	struct ike_child_sa *c, *best = NULL;

	LIST_FOREACH(c, &use(at)->children, link)
		if (best == NULL || c->id > best->id)
			best = c;
	ck_assert_ptr_nonnull(best);
	return best;
}

static void
rekey_child(unsigned at)
{
	ck_assert_int_eq(ike_rekey(p.e[at], p.now, newest(at)->id), IKE_OK);
	pair_drain(&p, at);
}

static void
rekey_ike(unsigned at)
{
	ck_assert_int_eq(ike_rekey(p.e[at], p.now, use(at)->id), IKE_OK);
	pair_drain(&p, at);
}

static void
drop_to(unsigned to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p.n; i++)
		if (p.queue[i].to != to)
			p.queue[n++] = p.queue[i];
	p.n = n;
}

/* Time passes, and nothing arrives at `to`. */
static void
pass_deaf(unsigned to, ike_time span)
{
	for (ike_time t = 0; t < span; t += IKE_SECOND / 10) {
		pair_pass(&p, IKE_SECOND / 10);
		do {
			drop_to(to);
			if (p.n > 0)
				pair_deliver(&p, 0);
		} while (p.n > 0);
		road_travel(&r);
	}
}

static void
expect_one_pair(void)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(use(i)->n_children, 1);
		ck_assert_uint_eq(road_in(&r, i), 1);
		ck_assert_uint_eq(road_out(&r, i), 1);
	}
	ck_assert_uint_eq(newest(0)->spi_in, newest(1)->spi_out);
	ck_assert_uint_eq(newest(0)->spi_out, newest(1)->spi_in);
}

/* The same setup with another one at this end, from now on. */
static void
reconfigure(unsigned at)
{
	struct ike_fault faults[4];
	struct ike_connection *c;
	unsigned n;

	c = ike_connection_new(&setup[at], faults, 4, &n);
	ck_assert_msg(c != NULL, "%s", faults[0].text);
	p.connection[at] = ike_put(p.e[at], p.now, p.connection[at], c);
	ck_assert_uint_ne(p.connection[at], 0);
	ike_connection_free(c);
	pair_drain(&p, at);
}

/* ---- message ids ---- */

static uint8_t
flags_of(const struct pair_datagram *d)
{
	return d->data[19];
}

static uint32_t
id_of(const struct pair_datagram *d)
{
	return bytes_load32(d->data + 20);
}

/* On the new IKE SA both sides count from 0, at once and crossing; who rekeyed is its
 * original initiator.  The DELETE of the old one goes on with that one's ids. */
START_TEST(ids_begin_again_with_the_new_ike_sa)		/* T12, T13 */
{
	unsigned by = (unsigned)_i;
	uint32_t old_id;
	uint64_t old_spi;

	begin();
	old_spi = use(by)->spi_i;
	rekey_ike(by);
	old_id = id_of(&p.queue[0]);
	road_pump(&r);
	rekey_child(0);
	rekey_child(1);
	ck_assert_uint_eq(p.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(id_of(&p.queue[i]), 0);
		ck_assert_uint_eq(flags_of(&p.queue[i]),
		    1 - p.queue[i].to == by ? IKE_FLAG_INITIATOR : 0);
	}
	road_deliver(&r, 0);
	road_deliver(&r, 0);
	ck_assert_uint_eq(p.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(id_of(&p.queue[i]), 0);
		ck_assert_uint_eq(flags_of(&p.queue[i]), IKE_FLAG_RESPONSE |
		    (1 - p.queue[i].to == by ? IKE_FLAG_INITIATOR : 0));
	}
	road_pump(&r);
	for (unsigned deletes = 0; deletes == 0;) {
		pair_pass(&p, IKE_SECOND / 10);
		for (unsigned i = 0; i < p.n; i++)
			if (bytes_load64(p.queue[i].data) == old_spi) {
				ck_assert_uint_eq(p.queue[i].data[18], INFORMATIONAL);
				ck_assert_uint_eq(id_of(&p.queue[i]), old_id + 1);
				ck_assert_uint_eq(p.queue[i].to, 1 - by);
				deletes++;
			}
		road_pump(&r);
	}
	road_pass(&r, 40 * IKE_SECOND);
	expect_one_pair();
	end();
}
END_TEST

/* Long before they are used up, the IKE SA is rekeyed, by either side. */
START_TEST(many_ids_make_a_new_ike_sa)			/* T11 */
{
	unsigned by = (unsigned)_i;
	ike_id session[2];

	begin();
	for (unsigned i = 0; i < 2; i++)
		session[i] = use(i)->id;
	use(by)->window.next_request = 0x80000000;
	use(1 - by)->window.next_expected = 0x80000000;
	rekey_child(by);
	road_pass(&r, 60 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(use(i)->id, session[i]);
		ck_assert_uint_eq(use(i)->generation, 2);
		ck_assert_uint_lt(use(i)->window.next_request, 8);
		ck_assert_uint_lt(use(i)->window.next_expected, 8);
	}
	expect_one_pair();
	end();
}
END_TEST

/* ---- groups ---- */

static const char *const both_groups[] = { "aes256gcm16-prfsha256-x25519-ecp256" };
static const char *const one_group[] = { "aes256gcm16-prfsha256-ecp256" };
static const char *const esp_both[] = { "aes256gcm16-x25519-ecp256" };
static const char *const esp_one[] = { "aes256gcm16-ecp256" };

/* The peer wants the other group of the two that are offered. */
START_TEST(rekey_with_the_group_that_is_asked_for)	/* T32 */
{
	pair_setups(setup, child);
	setup[0].ike = setup[1].ike = (struct ike_texts){ both_groups, 1 };
	setup[0].esp = (struct ike_texts){ esp_both, 1 };
	setup[1].esp = (struct ike_texts){ esp_one, 1 };
	open_as_set();
	rekey_child(0);
	road_deliver(&r, 0);		/* the request, INVALID_KE_PAYLOAD */
	road_deliver(&r, 0);
	ck_assert_uint_eq(p.n, 1);	/* and the request again */
	ck_assert_uint_eq(p.queue[0].to, 1);
	road_pump(&r);
	road_pass(&r, 10 * IKE_SECOND);
	ck_assert_uint_eq(newest(0)->generation, 2);
	expect_one_pair();

	setup[1].ike = (struct ike_texts){ one_group, 1 };
	reconfigure(1);
	ck_assert_uint_eq(use(0)->suite.kex->id, 31);
	rekey_ike(0);
	road_pump(&r);
	ck_assert_uint_eq(use(0)->generation, 2);
	ck_assert_uint_eq(use(0)->suite.kex->id, 19);
	road_pass(&r, 40 * IKE_SECOND);
	expect_one_pair();
	end();
}
END_TEST

/* An answer of the peer that is not what it would say: to the request at this place. */
static void
answer_with(unsigned index, const struct ike_chain *c)
{
	unsigned from = p.queue[index].to;
	uint32_t id = id_of(&p.queue[index]);
	struct pair_datagram d;

	ck_assert_uint_lt(index, p.n);
	d = pair_seal(&p, from, CREATE_CHILD_SA, IKE_FLAG_RESPONSE, id, c);
	use(from)->window.next_expected = id + 1;	/* as if it had answered */
	p.n--;
	memmove(&p.queue[index], &p.queue[index + 1],
	    (p.n - index) * sizeof(p.queue[0]));
	pair_send(&p, &d);
}

static void
refuse_with(unsigned index, uint16_t type, struct bytes data)
{
	struct ike_chain c = pair_chain();

	ike_add_notify(&c, type, data);
	answer_with(index, &c);
}

/* Asked for a group that was never offered, or the same again: the old SAs live on. */
START_TEST(rekey_without_a_group_leaves_the_old)	/* T32 */
{
	static const uint8_t groups[][2] = { { 0, 2 }, { 0, 31 }, { 0xff, 0xff } };

	for (unsigned i = 0; i < 6; i++) {
		begin();
		if (i < 3)
			rekey_child(0);
		else
			rekey_ike(0);
		refuse_with(0, IKE_INVALID_KE_PAYLOAD, bytes_of(groups[i % 3], 2));
		ck_assert_uint_eq(p.n, 0);
		ck_assert_int_eq(p.refused[0], IKE_INVALID_KE_PAYLOAD);
		ck_assert_uint_eq(use(0)->generation, 1);
		road_travel(&r);
		ck_assert_uint_eq(newest(0)->generation, 1);
		ck_assert_uint_eq(use(0)->n_children, 1);
		end();
	}
}
END_TEST

/* Who asks for groups of its own sees soon whether the peer grants them; what works goes
 * on. */
START_TEST(missing_groups_show_early)
{
	static const char *const none[] = { "aes256gcm16" };
	uint32_t spi;

	pair_setups(setup, child);
	setup[0].pfs = IKE_PFS_REQUIRE;
	setup[1].esp = (struct ike_texts){ none, 1 };
	setup[1].pfs = IKE_PFS_OFF;
	setup[1].childless = false;
	open_as_set();
	spi = newest(0)->spi_in;
	road_pass(&r, 70 * IKE_SECOND);
	ck_assert_uint_ge(p.events[0][IKE_REFUSED], 1);
	ck_assert_int_eq(p.refused[0], IKE_NO_PROPOSAL_CHOSEN);
	road_pass(&r, 1800 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	ck_assert_uint_eq(newest(0)->spi_in, spi);
	expect_one_pair();
	end();
}
END_TEST

/* ---- SPIs ---- */

/* The host proposes the one that is replaced, a few times. */
static uint32_t
propose(void *arg, uint32_t replaced)
{
	static uint32_t next = 0x1000;
	static unsigned turn;

	(void)arg;
	return replaced != 0 && turn++ % 4 != 3 ? replaced : next++;
}

/* Neither while the old Child SA is there nor while it lingers. */
START_TEST(spi_of_a_rekeyed_child_is_not_used_again)	/* T35 */
{
	begin();
	p.e[0]->options.child_spi = propose;
	for (unsigned i = 0; i < 60; i++) {
		rekey_child(0);		/* road.c fails when an SPI comes again */
		road_pass(&r, IKE_SECOND);
	}
	ck_assert_uint_eq(newest(0)->generation, 61);
	road_pass(&r, 10 * IKE_SECOND);
	expect_one_pair();
	end();
}
END_TEST

/* ---- selectors ---- */

static const char *const narrow_net[] = { "10.2.7.0/24" };

/* What was narrowed stays as it was narrowed. */
START_TEST(rekey_keeps_the_selectors)			/* T50 */
{
	unsigned by = (unsigned)_i;
	struct esp_selector before;

	pair_setups(setup, child);
	child[1].local = (struct ike_texts){ narrow_net, 1 };
	open_as_set();
	before = newest(0)->selectors[0];
	rekey_child(by);
	road_pass(&r, 10 * IKE_SECOND);
	ck_assert_uint_eq(newest(0)->generation, 2);
	ck_assert_uint_eq(newest(0)->n_selectors, 1);
	ck_assert_mem_eq(&newest(0)->selectors[0], &before, sizeof(before));
	expect_one_pair();
	end();
}
END_TEST

/* One end would carry less from now on: then the old one carries on. */
START_TEST(rekey_does_not_narrow)			/* T50 */
{
	uint32_t spi;

	begin();
	spi = newest(0)->spi_in;
	child[1].local = (struct ike_texts){ narrow_net, 1 };
	reconfigure(1);
	rekey_child(0);
	road_pump(&r);
	ck_assert_int_eq(p.refused[0], IKE_TS_UNACCEPTABLE);
	road_pass(&r, IKE_SECOND);
	ck_assert_uint_eq(newest(0)->spi_in, spi);
	expect_one_pair();
	end();
}
END_TEST

/* ---- refusals ---- */

/* No more SAs on this one: a new IKE SA brings the next Child SA, once. */
START_TEST(full_ike_sa_is_followed_by_another)		/* T53 */
{
	unsigned rounds = 0;

	begin();
	road_pass(&r, IKE_SECOND);
	rekey_child(0);
	refuse_with(0, IKE_NO_ADDITIONAL_SAS, bytes_of(NULL, 0));
	for (unsigned i = 0; i < 600; i++) {
		for (unsigned k = 0; k < p.n; k++)
			rounds += p.queue[k].to == 1 &&
			    p.queue[k].data[18] == IKE_SA_INIT;
		pair_pump(&p);		/* IKE_AUTH overtakes no packet */
		road_travel(&r);
		pair_pass(&p, IKE_SECOND / 10);
	}
	ck_assert_uint_eq(rounds, 1);
	expect_one_pair();
	end();
}
END_TEST

/* Who cannot call the peer asks again in the same one: there may be room by now. */
START_TEST(full_ike_sa_of_one_who_cannot_call)		/* T53 */
{
	pair_setups(setup, child);
	setup[1].remote_address = "any";
	setup[1].renewal.child.time = 300 * IKE_SECOND;
	open_as_set();
	road_pass(&r, IKE_SECOND);
	rekey_child(1);
	refuse_with(0, IKE_NO_ADDITIONAL_SAS, bytes_of(NULL, 0));
	for (unsigned i = 0; i < 400; i++) {
		if (i < 250)
			ck_assert_uint_eq(newest(1)->generation, 1);
		road_pass(&r, IKE_SECOND);
	}
	ck_assert_uint_eq(newest(1)->generation, 2);
	expect_one_pair();
	end();
}
END_TEST

/* The peer has lost the Child SA and does not say so until it is to be rekeyed: another
 * one comes from the beginning, in the same IKE SA. */
START_TEST(child_that_the_peer_has_lost)		/* T68 */
{
	bool another = _i == 1;		/* the one before is there still, and is tried */
	struct pair_datagram d;
	struct ike_message m;
	struct ike_notify n;

	begin();
	if (another) {
		rekey_child(0);
		road_pump(&r);
	}
	rekey_child(0);
	r.closing = true;
	refuse_with(0, IKE_CHILD_SA_NOT_FOUND, bytes_of(NULL, 0));
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	ck_assert_uint_eq(d.data[18], CREATE_CHILD_SA);
	pair_unseal(&p, &d, &m);
	ck_assert(ike_find_notify(&m, IKE_N_REKEY_SA, &n) == another);
	pair_pump(&p);
	if (!another) {
		r.closing = false;
		road_pass(&r, 20 * IKE_SECOND);
		expect_one_pair();
	}
	ck_assert_uint_eq(use(0)->generation, 1);
	end();
}
END_TEST

/* Never again at once, over minutes, and then both begin anew. */
START_TEST(temporary_failure_again_and_again)		/* T74 */
{
	ike_time first, last, at;
	unsigned tries = 0;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	open_as_set();
	road_pump(&r);
	if (_i == 0)
		rekey_child(0);
	else
		rekey_ike(0);
	first = last = p.now;
	for (at = p.now; p.down[0] == 0 && p.now - at < 3600 * IKE_SECOND;) {
		if (p.n > 0 && p.queue[0].data[18] == CREATE_CHILD_SA) {
			ck_assert(tries == 0 || p.now - last >= 3 * IKE_SECOND);
			last = p.now;
			tries++;
			refuse_with(0, IKE_TEMPORARY_FAILURE, bytes_of(NULL, 0));
		} else if (p.n > 0) {
			break;			/* the DELETE */
		}
		pair_pass(&p, IKE_SECOND / 10);
		r.closing |= use(0) == NULL;
		road_travel(&r);
	}
	ck_assert_uint_ge(tries, 5);
	ck_assert_uint_le(tries, 30);
	ck_assert_int_ge(last - first, 120 * IKE_SECOND);
	r.closing = true;
	pair_pump(&p);
	for (unsigned i = 0; i < 600; i++) {
		pair_pass(&p, IKE_SECOND / 10);
		pair_pump(&p);
	}
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 2);	/* once, and begun again */
	ck_assert_ptr_nonnull(use(0));
	ck_assert_uint_eq(use(0)->generation, 1);
	ck_assert_uint_eq(use(0)->n_children, 1);
	end();
}
END_TEST

/* ---- a peer that does not do its part ---- */

static void
short_lives(void)
{
	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++)
		setup[i].renewal.child_hard.time = 100 * IKE_SECOND,
		setup[i].renewal.child.time = 90 * IKE_SECOND,
		setup[i].renewal.jitter_percent = 0;
}

/* 0 never deletes what it has rekeyed: at 1 it lives to the end of its time. */
START_TEST(old_child_lives_without_a_delete)		/* T57 */
{
	struct ike_child_sa *old;
	uint32_t spi;
	bool there;

	short_lives();
	open_as_set();
	old = newest(0);
	spi = newest(1)->spi_in;
	rekey_child(0);
	road_pump(&r);
	ike_timer_disarm(p.e[0], &old->timer);		/* its DELETE */
	road_pass(&r, 85 * IKE_SECOND);
	there = false;
	for (unsigned i = 0; i < r.n_in[1]; i++)
		there |= r.in[1][i].spi == spi && r.in[1][i].open;
	ck_assert(there);
	road_pass(&r, 30 * IKE_SECOND);
	for (unsigned i = 0; i < r.n_in[1]; i++)
		ck_assert(r.in[1][i].spi != spi || !r.in[1][i].open);
	ck_assert_uint_eq(p.events[1][IKE_DOWN], 0);
	end();
}
END_TEST

/* Nothing answers 0's DELETE of the old one: the IKE SA has failed, once. */
START_TEST(delete_of_the_old_child_without_an_answer)	/* T57 */
{
	begin();
	rekey_child(0);
	road_pump(&r);
	pass_deaf(1, IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	r.closing = true;
	pass_deaf(1, 300 * IKE_SECOND);
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 2);	/* IKE SA and Child SA */
	ck_assert_uint_eq(road_in(&r, 0), 0);
	ck_assert_uint_eq(road_out(&r, 0), 0);
	end();
}
END_TEST

/* The hard end of the IKE SA comes while its rekey is unanswered: all goes, and the
 * connection begins anew; no Child SA is left alone. */
START_TEST(ike_sa_ends_during_its_rekey)		/* T60 */
{
	bool answered = _i == 1;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	setup[0].on_dead = IKE_ON_DEAD_RESTART;
	setup[0].renewal.ike = 20 * IKE_SECOND;
	setup[0].renewal.ike_hard = 30 * IKE_SECOND;
	setup[0].renewal.jitter_percent = 0;
	open_as_set();
	road_pass(&r, 19 * IKE_SECOND);
	r.closing = !answered;
	if (answered)			/* only just */
		pass_deaf(0, 6 * IKE_SECOND);
	else
		pass_deaf(1, 15 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], answered ? 0 : 2);
	for (unsigned i = 0; i < 100; i++) {
		pair_pass(&p, IKE_SECOND / 10);
		answered ? road_pump(&r) : pair_pump(&p);
	}
	ck_assert_ptr_nonnull(use(0));
	ck_assert_uint_eq(use(0)->n_children, 1);
	ck_assert_uint_eq(use(0)->generation, answered ? 2 : 1);
	end();
}
END_TEST

/* Both rekey the IKE SA, and 0 hears of 1 only its request: for so long. */
static void
cross_ike_rekeys(uint64_t seed, ike_time silence)
{
	pair_setups(setup, child);
	setup[0].renewal.ike = 20 * IKE_SECOND;
	setup[0].renewal.ike_hard = 30 * IKE_SECOND;
	setup[0].renewal.jitter_percent = 0;
	setup[0].start = IKE_START_ALWAYS;
	setup[0].on_dead = IKE_ON_DEAD_RESTART;
	pair_open(&p, setup);
	p.chance[0] += seed;
	road_open(&r, &p);
	pair_up(&p);
	pair_pump(&p);
	road_pass(&r, 19 * IKE_SECOND);
	rekey_ike(0);
	rekey_ike(1);
	for (unsigned i = 0; i < p.n; i++)
		if (p.queue[i].to == 0)
			road_deliver(&r, i);
	r.closing = silence > 100 * IKE_SECOND;
	pass_deaf(0, silence);
}

/* The hard end of the old one comes meanwhile: which of the new ones carries on is known
 * when the answer comes, whoever's that is. */
START_TEST(ike_sa_ends_during_crossed_rekeys)		/* T60, T65 */
{
	unsigned won = 0;

	for (unsigned seed = 0; seed < 8; seed++) {
		cross_ike_rekeys(seed, 13 * IKE_SECOND);
		ck_assert_uint_eq(use(0)->generation, 1);
		road_pass(&r, 10 * IKE_SECOND);
		ck_assert_uint_eq(p.events[0][IKE_DOWN] + p.events[1][IKE_DOWN], 0);
		ck_assert_uint_eq(use(0)->generation, 2);
		ck_assert_uint_eq(use(0)->spi_i, use(1)->spi_i);
		ck_assert_uint_eq(use(0)->spi_r, use(1)->spi_r);
		won += use(0)->collisions_won;
		road_pass(&r, 20 * IKE_SECOND);
		expect_one_pair();
		end();
	}
	ck_assert_uint_gt(won, 0);
	ck_assert_uint_lt(won, 8);
}
END_TEST

/* And when none comes, all ends and begins anew. */
START_TEST(ike_sa_ends_after_crossed_rekeys)		/* T60 */
{
	cross_ike_rekeys(0, 160 * IKE_SECOND);
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	for (unsigned i = 0; i < 600; i++) {
		pair_pass(&p, IKE_SECOND / 10);
		pair_pump(&p);
	}
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(use(i)->n_children, 1);
	ck_assert_uint_eq(use(0)->spi_i, use(1)->spi_i);
	end();
}
END_TEST

/* ---- requests that name nothing ---- */

static struct ike_chain
rekey_request(uint8_t protocol, struct bytes spi)
{
	struct ike_notify n = { .protocol = protocol, .spi = spi,
	    .type = IKE_N_REKEY_SA };
	struct ike_child_sa *c = newest(0);
	struct ike_chain chain = pair_chain();

	ike_chain_open(&chain, IKE_PAYLOAD_NOTIFY);
	ike_build_notify(&chain.w, &n);
	ike_chain_close(&chain);
	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain.w, &use(0)->connection->esp, bytes_of("\1\2\3\4", 4), false);
	ike_chain_close(&chain);
	ike_chain_open(&chain, IKE_PAYLOAD_NONCE);
	ike_write_zero(&chain.w, 32);
	ike_chain_close(&chain);
	ike_chain_open(&chain, IKE_PAYLOAD_TSI);
	ike_build_ts(&chain.w, &c->selectors[0].local, 1);
	ike_chain_close(&chain);
	ike_chain_open(&chain, IKE_PAYLOAD_TSR);
	ike_build_ts(&chain.w, &c->selectors[0].remote, 1);
	ike_chain_close(&chain);
	return chain;
}

/* What 1 answers to such a request of 0. */
static void
ask(const struct ike_chain *c, struct pair_datagram *d, struct ike_message *m)
{
	*d = pair_seal(&p, 0, CREATE_CHILD_SA, 0, use(1)->window.next_expected, c);
	pair_send(&p, d);
	ck_assert_uint_eq(p.n, 1);
	*d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, d, m);
}

START_TEST(rekey_of_nothing)				/* T58 */
{
	static const struct { uint8_t protocol; int which; } rows[] = {
		{ IKE_PROTOCOL_ESP, 0 },	/* an SPI that nobody knows */
		{ IKE_PROTOCOL_ESP, 1 },	/* the peer's own inbound one */
		{ IKE_PROTOCOL_AH, 2 },		/* the right one of the wrong protocol */
	};
	struct pair_datagram d;
	struct ike_message m;
	struct ike_notify n;
	struct ike_chain c;
	uint8_t spi[4];

	begin();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bytes_store32(spi, rows[i].which == 0 ? 0x0badcafe :
		    rows[i].which == 1 ? newest(1)->spi_in : newest(1)->spi_out);
		c = rekey_request(rows[i].protocol, bytes_of(spi, 4));
		ask(&c, &d, &m);
		ck_assert_uint_eq(m.n, 1);
		ck_assert(ike_find_notify(&m, IKE_CHILD_SA_NOT_FOUND, &n));
		ck_assert_uint_eq(n.protocol, rows[i].protocol);
		ck_assert(bytes_equal(n.spi, bytes_of(spi, 4)));
		ck_assert_uint_eq(use(1)->n_children, 1);
		ck_assert_uint_eq(p.events[1][IKE_IN_ADD], 1);
	}
	end();
}
END_TEST

/* An SPI of 3 octets, a nonce too short or too long: malformed, and the end of all. */
START_TEST(malformed_rekey_is_fatal)			/* T36, T58, T91 */
{
	static const size_t nonces[] = { 15, 257 };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;

	for (unsigned i = 0; i < 3; i++) {
		begin();
		if (i == 0) {
			c = rekey_request(IKE_PROTOCOL_ESP, bytes_of("\1\2\3", 3));
		} else {
			c = pair_chain();
			ike_chain_open(&c, IKE_PAYLOAD_SA);
			ike_build_sa(&c.w, &use(0)->connection->esp,
			    bytes_of("\1\2\3\4", 4), false);
			ike_chain_close(&c);
			ike_chain_open(&c, IKE_PAYLOAD_NONCE);
			ike_write_zero(&c.w, nonces[i - 1]);
			ike_chain_close(&c);
			ike_chain_open(&c, IKE_PAYLOAD_TSI);
			ike_build_ts(&c.w, &newest(0)->selectors[0].local, 1);
			ike_chain_close(&c);
			ike_chain_open(&c, IKE_PAYLOAD_TSR);
			ike_build_ts(&c.w, &newest(0)->selectors[0].remote, 1);
			ike_chain_close(&c);
		}
		r.closing = true;
		ask(&c, &d, &m);
		ck_assert_uint_eq(m.n, 1);
		ck_assert_int_eq(ike_first_error(&m), IKE_INVALID_SYNTAX);
		ck_assert_int_eq(p.down[1], IKE_INVALID_SYNTAX);
		ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
		pair_send(&p, &d);		/* sent and received */
		ck_assert_uint_eq(road_in(&r, 1), 0);
		end();
	}
}
END_TEST

/* The peer says that our request was malformed: it has forgotten all. */
START_TEST(malformed_says_the_peer)			/* T91 */
{
	begin();
	r.closing = true;
	rekey_child(0);
	refuse_with(0, IKE_INVALID_SYNTAX, bytes_of(NULL, 0));
	ck_assert_uint_eq(p.n, 0);			/* no DELETE */
	ck_assert_int_eq(p.down[0], IKE_INVALID_SYNTAX);
	ck_assert_uint_eq(road_in(&r, 0), 0);
	end();
}
END_TEST

/* ---- the IKE SA with all it holds ---- */

static const char *const nets[3][2] = {
	{ "10.1.1.0/24", "10.2.1.0/24" },
	{ "10.1.2.0/24", "10.2.2.0/24" },
	{ "10.1.3.0/24", "10.2.3.0/24" },
};
static const char *const sha384[] = { "aes256gcm16-prfsha384-ecp384" };
static const char *const sha256[] = { "aes256gcm16-prfsha256-x25519" };

static void
three_children(struct ike_child_setup several[2][3])
{
	static const char *const names[] = { "one", "two", "three" };

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 3; k++)
			several[i][k] = (struct ike_child_setup){ .name = names[k],
			    .local = { &nets[k][i], 1 },
			    .remote = { &nets[k][1 - i], 1 } };
		setup[i].children = several[i];
		setup[i].n_children = 3;
	}
}

/* Three Child SAs go along untouched; with another PRF the new keys still come from the
 * old one and the old SK_d. */
START_TEST(ike_rekey_moves_three_children)		/* T59 */
{
	struct ike_child_setup several[2][3];
	unsigned by = (unsigned)_i;
	uint32_t spis[3] = { 0 }, n = 0;
	struct ike_child_sa *c;

	three_children(several);
	for (unsigned i = 0; i < 2; i++)
		setup[i].ike = (struct ike_texts){ sha256, 1 };
	open_as_set();
	road_pass(&r, IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(use(i)->n_children, 3);
	LIST_FOREACH(c, &use(0)->children, link)
		spis[n++] = c->spi_in;
	for (unsigned i = 0; i < 2; i++) {
		setup[i].ike = (struct ike_texts){ sha384, 1 };
		reconfigure(i);
	}
	rekey_ike(by);
	road_pass(&r, 40 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(use(i)->generation, 2);
		ck_assert_uint_eq(use(i)->n_children, 3);
		ck_assert_uint_eq(use(i)->suite.prf->id, 6);	/* HMAC-SHA2-384 */
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 3);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 0);
		ck_assert_uint_eq(p.events[i][IKE_OUT_REMOVE], 0);
	}
	for (unsigned k = 0; k < 3; k++) {
		n = 0;
		LIST_FOREACH(c, &use(0)->children, link)
			n += c->spi_in == spis[k];
		ck_assert_uint_eq(n, 1);
	}
	rekey_child(1 - by);		/* the new keys are the same at both */
	road_pass(&r, 10 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(use(i)->n_children, 3);
	end();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("renew");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, ids_begin_again_with_the_new_ike_sa, 0, 2);
	tcase_add_loop_test(t, many_ids_make_a_new_ike_sa, 0, 2);
	tcase_add_test(t, rekey_with_the_group_that_is_asked_for);
	tcase_add_test(t, rekey_without_a_group_leaves_the_old);
	tcase_add_test(t, missing_groups_show_early);
	tcase_add_test(t, spi_of_a_rekeyed_child_is_not_used_again);
	tcase_add_loop_test(t, rekey_keeps_the_selectors, 0, 2);
	tcase_add_test(t, rekey_does_not_narrow);
	tcase_add_test(t, full_ike_sa_is_followed_by_another);
	tcase_add_test(t, full_ike_sa_of_one_who_cannot_call);
	tcase_add_loop_test(t, child_that_the_peer_has_lost, 0, 2);
	tcase_add_loop_test(t, temporary_failure_again_and_again, 0, 2);
	tcase_add_test(t, old_child_lives_without_a_delete);
	tcase_add_test(t, delete_of_the_old_child_without_an_answer);
	tcase_add_loop_test(t, ike_sa_ends_during_its_rekey, 0, 2);
	tcase_add_test(t, ike_sa_ends_during_crossed_rekeys);
	tcase_add_test(t, ike_sa_ends_after_crossed_rekeys);
	tcase_add_test(t, rekey_of_nothing);
	tcase_add_test(t, malformed_rekey_is_fatal);
	tcase_add_test(t, malformed_says_the_peer);
	tcase_add_loop_test(t, ike_rekey_moves_three_children, 0, 2);
	return run_tests("renew", t);
}
