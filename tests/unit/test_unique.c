/* One SA for each peer: ends that begin at once, second SAs, deaths (T43, T61, T64,
 * T95). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

static unsigned
count(unsigned end)
{
	struct ike_counts c;

	ike_read_counts(p.e[end], &c);
	return c.sas;
}

static void
pass_and_pump(ike_time span)
{
	for (ike_time t = 0; t < span; t += IKE_SECOND / 2) {
		pair_pass(&p, IKE_SECOND / 2);
		pair_pump(&p);
	}
}

static void
open_and_call(uint64_t seed)
{
	pair_setups(setup, child);
	pair_open(&p, setup);
	p.chance[0] += seed;
	p.chance[1] += seed * 7;
	for (unsigned i = 0; i < 2; i++) {
		ike_up(p.e[i], p.now, p.connection[i]);
		pair_drain(&p, i);
	}
}

/* Both call at the same moment; `seed` chooses the nonces, so that the lowest of the four
 * is in each of the two SAs in some run.  Both SAs come up, and the one with the lowest nonce
 * goes, deleted by its initiator. */
static unsigned
cross(uint64_t seed)
{
	const struct ike_sa *a, *b, *lost;
	ike_id kept;
	unsigned place;
	bool ours;

	open_and_call(seed);
	while (p.n > 0)
		pair_deliver(&p, p.n - 1);	/* crossed as much as can be */
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 2);
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 2);
	}
	a = TAILQ_FIRST(&p.e[0]->sas);
	b = TAILQ_NEXT(a, link);
	lost = a->setting_up.lowest < b->setting_up.lowest ? a : b;
	place = lost->initiator ? 0 : 1;
	kept = lost == a ? b->id : a->id;
	ours = lost->initiator;
	pair_pass(&p, IKE_SECOND);
	ck_assert_uint_eq(count(0), 2);		/* the traffic has time to move */
	pass_and_pump(10 * IKE_SECOND);
	pair_pass(&p, 40 * IKE_SECOND);		/* lingering ones end */
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 1);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 1);
		ck_assert_uint_eq(p.events[i][IKE_OUT_REMOVE],
		    p.events[i][IKE_OUT_ADD] - 1);
	}
	ck_assert(pair_sa(&p, 0)->id == kept);
	ck_assert_int_eq(p.down[0], ours ? IKE_CANCELLED : IKE_CLOSED);
	ck_assert_int_eq(p.down[1], ours ? IKE_CLOSED : IKE_CANCELLED);
	pair_close(&p);
	return place;
}

START_TEST(crossed_setups_leave_the_same_one)		/* T95, T61's rule */
{
	unsigned seen[2] = { 0 };

	for (uint64_t seed = 0; seed < 40; seed++)
		seen[cross(seed)]++;
	for (unsigned i = 0; i < 2; i++)
		ck_assert_msg(seen[i] > 0, "the lowest nonce was never in SA %u", i);
}
END_TEST

/* The one that goes is deleted by who began it, unless that has forgotten it: then it is
 * found out, though nobody looks for silence. */
START_TEST(crossed_one_that_is_forgotten_goes)
{
	struct ike_sa *a, *b, *lost;
	unsigned end;

	for (unsigned row = 0; row < 2; row++) {
		pair_setups(setup, child);
		for (unsigned i = 0; i < 2; i++) {
			setup[i].start = IKE_START_ALWAYS;
			setup[i].on_dead = IKE_ON_DEAD_DROP;
		}
		pair_open(&p, setup);
		while (p.n > 0)
			pair_deliver(&p, row == 0 ? p.n - 1 : 0);
		a = TAILQ_FIRST(&p.e[0]->sas);
		b = TAILQ_NEXT(a, link);
		lost = a->setting_up.lowest < b->setting_up.lowest ? a : b;
		end = lost->initiator ? 0 : 1;
		if (end == 1)
			lost = ike_table_spi(p.e[1], lost->spi_i);
		ike_sa_close(p.e[end], lost, IKE_EXPIRED, 0);	/* its time is over */
		pair_drain(&p, end);
		ck_assert_uint_eq(count(1 - end), 2);
		for (unsigned i = 0; i < 500; i++) {
			pair_pass(&p, IKE_SECOND);
			pair_pump(&p);
		}
		for (unsigned i = 0; i < 2; i++) {
			ck_assert_uint_eq(count(i), 1);
			ck_assert_uint_eq(pair_sa(&p, i)->n_children, 1);
			/* It is not the peer that is dead. */
			ck_assert(ike_table_peer(p.e[i], p.connection[i])->wanted);
		}
		pair_close(&p);
	}
}
END_TEST

/* Two calls have eight messages.  Bit k of `order`: is the k-th to arrive the youngest
 * on its way, or the oldest?  The one numbered `lost` is lost, and `pause` lies between
 * two. */
static void
cross_in_order(unsigned order, unsigned lost, ike_time pause)
{
	const struct ike_sa *sa[2];

	open_and_call(order * 9 + lost);
	for (unsigned k = 0; k < 8 && p.n > 0; k++) {
		unsigned index = order >> k & 1 ? p.n - 1 : 0;

		if (k == lost)
			p.queue[index].len = 0;
		pair_deliver(&p, index);
		if (pause > 0)
			pair_pass(&p, pause);
	}
	pass_and_pump(90 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_msg(count(i) == 1, "order %x, lost %u: end %u has %u SAs",
		    order, lost, i, count(i));
		sa[i] = pair_sa(&p, i);
		ck_assert_msg(sa[i]->state == IKE_STATE_ESTABLISHED &&
		    sa[i]->n_children == 1, "order %x, lost %u: not up", order, lost);
	}
	ck_assert_msg(sa[0]->spi_i == sa[1]->spi_i && sa[0]->spi_r == sa[1]->spi_r,
	    "order %x, lost %u: each end kept another SA", order, lost);
	pair_close(&p);
}

START_TEST(crossed_setups_agree_in_every_order)		/* T95 */
{
	for (unsigned order = _i; order < 256; order += 8) {
		for (unsigned lost = 0; lost <= 8; lost++)
			cross_in_order(order, lost, 0);
		cross_in_order(order, 8, IKE_SECOND * 3 / 2);
	}
}
END_TEST

/* An SA that carries nothing goes first, whatever its nonces. */
START_TEST(crossed_empty_one_goes)
{
	struct ike_sa *a, *b, *lost;
	struct ike_child_info info;
	ike_id kept;

	for (uint64_t seed = 0; seed < 8; seed++) {
		open_and_call(seed);
		pair_pump(&p);
		a = TAILQ_FIRST(&p.e[0]->sas);
		b = TAILQ_NEXT(a, link);
		lost = a->setting_up.lowest > b->setting_up.lowest ? a : b;
		kept = lost == a ? b->id : a->id;
		ck_assert(ike_child_at(p.e[0], lost->id, 0, &info));
		ike_down(p.e[0], p.now, info.id);
		pair_drain(&p, 0);
		pass_and_pump(60 * IKE_SECOND);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_uint_eq(count(i), 1);
		ck_assert(pair_sa(&p, 0)->id == kept);
		ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
		pair_close(&p);
	}
}
END_TEST

/* End 0 calls a second time, `after` the first, and as it has an SA without
 * INITIAL_CONTACT. */
static void
call_twice(enum ike_unique unique, ike_time after)
{
	struct ike_peer *peer;

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++)
		setup[i].unique = unique;
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	pair_pass(&p, after);
	peer = pair_sa(&p, 0)->peer;
	ck_assert_int_eq(ike_peer_start(p.e[0], peer, NULL, NULL), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
}

/* The IKE SAs of both ends in the order of their set-up, and the k-th's nonce by `order`. */
static void
rank(unsigned order)
{
	struct ike_sa *sa;
	unsigned k;

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 3);
		k = 0;
		TAILQ_FOREACH(sa, &p.e[i]->sas, link) {
			ck_assert_int_eq(sa->state, IKE_STATE_ESTABLISHED);
			sa->setting_up.lowest = order >> 4 * k++ & 0xf;
		}
	}
}

static struct ike_sa *
nth(unsigned end, unsigned n)
{
	struct ike_sa *sa = TAILQ_FIRST(&p.e[end]->sas);

	while (n-- > 0)
		sa = TAILQ_NEXT(sa, link);
	return sa;
}

/* All that is said of this one IKE SA is lost. */
static void
lose(uint64_t spi_i)
{
	for (unsigned i = 0; i < p.n; i++)
		if (bytes_load64(p.queue[i].data) == spi_i)
			p.queue[i].len = 0;
}

/* End 0 calls, then end 1, then end 0 again, to reauthenticate the first: each could lose
 * against another one, by its age or by its nonce, and the DELETE of the first comes
 * late. */
START_TEST(three_never_go_all_together)
{
	static const unsigned orders[] = { 0x123, 0x132, 0x213, 0x231, 0x312, 0x321 };
	uint64_t spis[3];
	bool known = false;

	pair_setups(setup, child);
	pair_open(&p, setup);
	for (unsigned k = 0; k < 3; k++) {
		ck_assert_int_eq(ike_peer_start(p.e[k % 2], ike_table_peer(p.e[k % 2],
		    p.connection[k % 2]), NULL, NULL), IKE_OK);
		pair_drain(&p, k % 2);
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND / 10);
		spis[k] = nth(0, k)->spi_i;
	}
	rank(orders[_i]);
	for (unsigned k = 0; k < 2; k++)	/* these are known to be at both ends */
		ike_liveness_begin(p.e[1 - k % 2], nth(1 - k % 2, k));
	pair_drain(&p, 0);
	pair_drain(&p, 1);
	pair_pump(&p);
	nth(0, 2)->reauthenticates = nth(0, 0)->id;
	for (unsigned n = 0; n < 90; n++) {
		pair_pass(&p, IKE_SECOND);
		while (p.n > 0) {
			if (n < 20)
				lose(spis[0]);
			pair_deliver(&p, 0);
		}
		for (unsigned i = 0; i < 2; i++)
			ck_assert_uint_gt(count(i), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 1);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 1);
	}
	for (unsigned k = 0; k < 3; k++)
		known = known || pair_sa(&p, 0)->spi_i == spis[k];
	ck_assert(known);			/* and none was set up anew */
	ck_assert_uint_eq(pair_sa(&p, 0)->spi_i, pair_sa(&p, 1)->spi_i);
	pair_close(&p);
}
END_TEST

/* The peer has the IKE SA by which it answers, and so all that came with it: traffic that
 * is there need not move on to another one. */
START_TEST(answer_shows_that_the_child_has_arrived)
{
	const struct ike_child_sa *c;

	pair_establish(&p);
	c = LIST_FIRST(&pair_sa(&p, 1)->children);
	ck_assert(!ike_child_has_arrived(p.e[1], c));
	pair_pass(&p, IKE_SECOND);
	ike_liveness_begin(p.e[1], pair_sa(&p, 1));
	pair_drain(&p, 1);
	ck_assert(!ike_child_has_arrived(p.e[1], c));
	pair_pump(&p);
	ck_assert(ike_child_has_arrived(p.e[1], c));
	pair_close(&p);
}
END_TEST

START_TEST(replace_deletes_the_older)
{
	ike_id older;

	call_twice(IKE_UNIQUE_REPLACE, 120 * IKE_SECOND);
	older = TAILQ_FIRST(&p.e[0]->sas)->id;
	for (unsigned i = 0; i < 2; i++)	/* both are up while traffic moves */
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 2);
	pair_pass(&p, IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);
	pass_and_pump(5 * IKE_SECOND);
	ck_assert_int_eq(p.down[1], IKE_CANCELLED); /* by the responder of the newer */
	ck_assert_int_eq(p.down[0], IKE_CLOSED);
	pass_and_pump(60 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 1);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 1);
	}
	ck_assert(pair_sa(&p, 0)->id != older);
	pair_close(&p);
}
END_TEST

START_TEST(keep_refuses_a_second)
{
	ike_id older;

	call_twice(IKE_UNIQUE_KEEP, 120 * IKE_SECOND);
	ck_assert_int_eq(p.refused[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_int_eq(p.refused[1], IKE_AUTHENTICATION_FAILED);
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "has an SA already"));
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "|unique"));
	older = TAILQ_FIRST(&p.e[1]->sas)->id;
	pass_and_pump(60 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(count(i), 1);
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
	}
	ck_assert(pair_sa(&p, 1)->id == older);
	pair_close(&p);
}
END_TEST

/* What may have crossed is let in, and then there is one. */
START_TEST(keep_lets_crossed_ones_in)
{
	call_twice(IKE_UNIQUE_KEEP, 10 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 2);
	pass_and_pump(60 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(count(i), 1);
	pair_close(&p);
}
END_TEST

START_TEST(never_keeps_what_follows_or_crosses)
{
	call_twice(IKE_UNIQUE_NEVER, _i * 10 * IKE_SECOND);
	pass_and_pump(90 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(count(i), 2);
	pair_close(&p);
}
END_TEST

/* The connection is replaced while two wait for one to go. */
START_TEST(never_is_heard_at_once)
{
	struct ike_connection *c;
	struct ike_fault fault;
	unsigned n;

	call_twice(IKE_UNIQUE_REPLACE, 120 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].unique = IKE_UNIQUE_NEVER;
		c = ike_connection_new(&setup[i], &fault, 1, &n);
		ck_assert(ike_put(p.e[i], p.now, p.connection[i], c) != 0);
		ike_connection_free(c);
	}
	pass_and_pump(60 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(count(i), 2);
	pair_close(&p);
}
END_TEST

/* The peer has lost its state, and calls again with INITIAL_CONTACT. */
static void
second_sa(enum ike_unique unique)
{
	struct ike_options options;
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	pair_setups(setup, child);
	setup[1].unique = unique;
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	pair_pass(&p, 120 * IKE_SECOND);
	options = p.e[0]->options;
	ike_free(p.e[0]);
	memset(p.events[0], 0, sizeof(p.events[0]));
	p.e[0] = ike_new(&options);
	c = ike_connection_new(&setup[0], faults, 4, &n);
	p.connection[0] = ike_put(p.e[0], p.now, 0, c);
	ike_connection_free(c);
	pair_pass(&p, IKE_SECOND);
	pair_up(&p);
	pair_pump(&p);
}

START_TEST(initial_contact_replaces_silently)		/* T43 */
{
	second_sa(IKE_UNIQUE_REPLACE);
	ck_assert_uint_eq(count(1), 1);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

/* Of a connection that means many peers each has SAs of its own. */
START_TEST(pattern_tells_peers_apart)
{
	struct ike_connection *c;
	struct ike_fault faults[4];
	ike_id first;
	unsigned n;

	pair_setups(setup, child);
	setup[1].remote_id = "*.example";
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	pair_pass(&p, 120 * IKE_SECOND);
	first = p.connection[0];
	setup[0].name = "other";
	setup[0].local_id = "other.example";
	c = ike_connection_new(&setup[0], faults, 4, &n);
	ck_assert_ptr_nonnull(c);
	p.connection[0] = ike_put(p.e[0], p.now, 0, c);
	ike_connection_free(c);
	pair_up(&p);
	pair_pump(&p);
	pass_and_pump(60 * IKE_SECOND);
	ck_assert_uint_eq(count(1), 2);
	for (struct ike_sa *sa = TAILQ_FIRST(&p.e[1]->sas); sa != NULL;
	    sa = TAILQ_NEXT(sa, link))
		ck_assert_uint_eq(sa->n_children, 1);
	ck_assert_int_eq(ike_drop(p.e[0], p.now, first), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

START_TEST(keep_yields_to_initial_contact)
{
	second_sa(IKE_UNIQUE_KEEP);
	ck_assert_uint_eq(count(1), 1);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(never_keeps_both)
{
	second_sa(IKE_UNIQUE_NEVER);
	pass_and_pump(60 * IKE_SECOND);
	ck_assert_uint_eq(count(1), 2);
	pair_close(&p);
}
END_TEST

/* ---- deaths ---- */

static void
die(enum ike_start start, enum ike_on_dead on_dead, bool forger)
{
	struct pair_datagram init;
	ike_id id;

	pair_setups(setup, child);
	setup[0].start = start;
	setup[0].on_dead = on_dead;
	pair_open(&p, setup);
	if (start != IKE_START_ALWAYS)
		pair_up(&p);
	init = p.queue[0];
	init.to = 0;			/* for the forger: as if it came from end 1 */
	init.path.addr[1][3] = 2;
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	id = pair_sa(&p, 0)->id;
	/* Nobody answers a DELETE of the Child SA: the peer is gone. */
	ike_info_delete_spi(p.e[0], pair_sa(&p, 0),
	    LIST_FIRST(&pair_sa(&p, 0)->children)->spi_in);
	pair_drain(&p, 0);
	for (unsigned i = 0; i < 400 && ike_table_sa(p.e[0], id) != NULL; i++) {
		if (forger) {		/* something is half-open at any moment */
			bytes_store32(init.data, i + 1);
			pair_send(&p, &init);
			ck_assert_uint_gt(p.e[0]->counts.responding, 0);
		}
		p.n = 0;
		pair_pass(&p, IKE_SECOND);
	}
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	p.n = 0;
	pair_pass(&p, 3 * IKE_SECOND);
}

START_TEST(death_is_followed_as_configured)
{
	static const struct {
		enum ike_start start;
		enum ike_on_dead on_dead;
		bool again;
	} rows[] = {
		{ IKE_START_ALWAYS, IKE_ON_DEAD_BY_START, true },
		{ IKE_START_ALWAYS, IKE_ON_DEAD_RESTART, true },
		{ IKE_START_ALWAYS, IKE_ON_DEAD_DROP, false },
		{ IKE_START_ALWAYS, IKE_ON_DEAD_ON_DEMAND, false },
		{ IKE_START_PASSIVE, IKE_ON_DEAD_BY_START, false },
		{ IKE_START_PASSIVE, IKE_ON_DEAD_RESTART, true },
		{ IKE_START_ON_DEMAND, IKE_ON_DEAD_BY_START, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned forger = 0; forger < 2; forger++) {
			die(rows[i].start, rows[i].on_dead, forger);
			ck_assert_msg((p.n > 0) == rows[i].again,
			    "row %zu: %u datagrams", i, p.n);
			p.n = 0;
			pair_close(&p);
		}
	}
}
END_TEST

/* Several addresses are called in turn, and a peer is found by any of them. */
START_TEST(addresses_are_called_in_turn)
{
	pair_setups(setup, child);
	setup[0].remote_address = "192.0.2.2, 198.51.100.2, gw.example";
	setup[0].setting_up.tries = 1;
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	p.hold_answers[0] = true;
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_ptr_nonnull(pair_sa(&p, 0));
		ck_assert_str_eq(pair_sa(&p, 0)->host->text, i % 3 == 0 ? "192.0.2.2" :
		    i % 3 == 1 ? "198.51.100.2" : "gw.example");
		p.n = 0;
		while (pair_sa(&p, 0) != NULL)
			pair_pass(&p, IKE_SECOND / 8);
		while (pair_sa(&p, 0) == NULL)
			pair_pass(&p, IKE_SECOND / 8);
	}
	p.hold_answers[0] = false;
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* Who answered is called first the next time. */
START_TEST(address_that_worked_is_called_again)
{
	ike_id older;

	pair_setups(setup, child);
	setup[0].remote_address = "198.51.100.2, 192.0.2.2, gw.example";
	setup[0].setting_up.tries = 1;
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	p.n = 0;					/* nobody is at the first */
	while (pair_sa(&p, 0) != NULL)
		pair_pass(&p, IKE_SECOND / 8);
	while (pair_sa(&p, 0) == NULL)
		pair_pass(&p, IKE_SECOND / 8);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_str_eq(pair_sa(&p, 0)->host->text, "192.0.2.2");
	older = pair_sa(&p, 0)->id;
	ike_down(p.e[1], p.now, p.connection[1]);	/* the peer ends it */
	pair_drain(&p, 1);
	pair_pump(&p);
	for (unsigned i = 0; i < 20 && pair_sa(&p, 0)->id == older; i++)
		pair_pass(&p, IKE_SECOND / 4);
	ck_assert(pair_sa(&p, 0)->id != older);
	ck_assert_str_eq(pair_sa(&p, 0)->host->text, "192.0.2.2");
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		crossed_setups_leave_the_same_one, initial_contact_replaces_silently,
		crossed_empty_one_goes, answer_shows_that_the_child_has_arrived,
		replace_deletes_the_older, keep_refuses_a_second,
		keep_lets_crossed_ones_in, keep_yields_to_initial_contact,
		never_keeps_both, never_is_heard_at_once,
		pattern_tells_peers_apart,
		crossed_one_that_is_forgotten_goes,
		death_is_followed_as_configured, addresses_are_called_in_turn,
		address_that_worked_is_called_again,
	};
	TCase *c = tcase_create("unique");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, three_never_go_all_together, 0, 6);
	tcase_add_loop_test(c, crossed_setups_agree_in_every_order, 0, 8);
	tcase_add_loop_test(c, never_keeps_what_follows_or_crosses, 0, 12);
	tcase_set_timeout(c, 60);
	return run_tests("unique", c);
}
