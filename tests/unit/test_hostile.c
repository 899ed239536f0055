/* A peer that has proven who it is, and then does what it likes: nothing that it makes us
 * keep grows without bound, and what it says concerns its own SAs alone. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];

static struct ike_counts
counts(unsigned end)
{
	struct ike_counts c;

	ike_read_counts(p.e[end], &c);
	return c;
}

/* The IKE SA in use. */
static struct ike_sa *
use(unsigned end)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p.e[end]->sas, link)
		if (sa->state == IKE_STATE_ESTABLISHED)
			return sa;
	return NULL;
}

/* Time passes, and what end 0 says is lost. */
static void
pass_unheard(ike_time span)
{
	for (ike_time t = 0; t < span; t += IKE_SECOND / 20) {
		pair_pass(&p, IKE_SECOND / 20);
		p.n = 0;
	}
}

/* End 1 asks for a Child SA with this SPI, in the place of the one with `old`, or of none
 * (0).  The answer, which is lost. */
static enum ike_error
ask_child(uint32_t spi, uint32_t old)
{
	struct ike_sa *sa = pair_sa(&p, 1);
	const struct ike_connection *c = sa->connection;
	struct ike_notify rekey = { .protocol = IKE_PROTOCOL_ESP, .type = IKE_N_REKEY_SA };
	struct ike_chain chain = pair_chain();
	struct pair_datagram d;
	struct ike_message m;
	uint8_t octets[2][4];

	bytes_store32(octets[0], spi);
	bytes_store32(octets[1], old);
	if (old != 0) {
		rekey.spi = bytes_of(octets[1], 4);
		ike_chain_open(&chain, IKE_PAYLOAD_NOTIFY);
		ike_build_notify(&chain.w, &rekey);
		ike_chain_close(&chain);
	}
	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain.w, &c->esp, bytes_of(octets[0], 4), false);
	ike_chain_close(&chain);
	ike_add_nonce(&chain, bytes_of("a nonce of the peer, long enough", 32));
	ike_chain_open(&chain, IKE_PAYLOAD_TSI);
	ike_build_ts(&chain.w, c->children[0].local.v, c->children[0].local.n);
	ike_chain_close(&chain);
	ike_chain_open(&chain, IKE_PAYLOAD_TSR);
	ike_build_ts(&chain.w, c->children[0].remote.v, c->children[0].remote.n);
	ike_chain_close(&chain);
	d = pair_seal(&p, 1, CREATE_CHILD_SA, 0, sa->window.next_request++, &chain);
	p.n = 0;
	pair_send(&p, &d);
	ck_assert_uint_ge(p.n, 1);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	p.n = 0;
	return ike_first_error(&m);
}

/* End 1 deletes the Child SAs with these SPIs of its own, in one message. */
static void
delete_children(const uint32_t *spi, uint16_t n)
{
	struct ike_chain chain = pair_chain();
	struct pair_datagram d;

	ike_chain_open(&chain, IKE_PAYLOAD_DELETE);
	ike_build_delete(&chain.w, IKE_PROTOCOL_ESP, spi, n);
	ike_chain_close(&chain);
	d = pair_seal(&p, 1, INFORMATIONAL, 0, pair_sa(&p, 1)->window.next_request++,
	    &chain);
	pair_send(&p, &d);
	p.n = 0;
}

/* Another one and another one, each of which takes the place of the last, or names it. */
START_TEST(child_sas_are_bounded)
{
	static const enum ike_error refusals[] = { IKE_NO_ADDITIONAL_SAS,
		IKE_TEMPORARY_FAILURE };
	uint32_t last;
	enum ike_error error = IKE_OK;

	pair_establish(&p);
	last = LIST_FIRST(&pair_sa(&p, 0)->children)->spi_out;
	for (unsigned i = 0; i < 1000; i++) {
		error = ask_child(0x1000 + i, _i == 1 ? last : 0);
		if (error != IKE_OK)
			break;
		last = 0x1000 + i;
	}
	ck_assert_int_eq(error, refusals[_i]);
	ck_assert_str_eq(p.refusal[0],
	    "the peer makes more Child SAs than it can need|at most 20||");
	ck_assert_uint_gt(counts(0).children, 10);
	ck_assert_uint_le(counts(0).children, 20);
	/* What there is goes on. */
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

/* Those that were deleted, and are heard a while longer, count, too; and then room is
 * again. */
START_TEST(lingering_child_sas_are_bounded)
{
	uint32_t last;
	unsigned made = 0;

	pair_establish(&p);
	last = LIST_FIRST(&pair_sa(&p, 0)->children)->spi_out;
	for (; made < 1000 && ask_child(0x1000 + made, last) == IKE_OK; made++) {
		delete_children(&last, 1);
		last = 0x1000 + made;
	}
	ck_assert_uint_gt(made, 10);
	ck_assert_uint_le(counts(0).children, 20);
	ck_assert_uint_eq(use(0)->n_children, 1);
	pass_unheard(6 * IKE_SECOND);
	ck_assert_uint_eq(counts(0).children, 1);
	ck_assert_int_eq(ask_child(0x9000, last), IKE_OK);
	pair_close(&p);
}
END_TEST

/* A new IKE SA and a new one, and never a DELETE of what was before. */
START_TEST(replaced_ike_sas_are_bounded)
{
	ike_id session;

	pair_establish(&p);
	session = use(0)->id;
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_int_eq(ike_rekey(p.e[1], p.now, use(1)->id), IKE_OK);
		pair_drain(&p, 1);
		pair_pump(&p);
	}
	ck_assert_uint_gt(counts(0).sas, 20);
	ck_assert_uint_le(counts(0).sas, 33);
	ck_assert_str_eq(p.refusal[0],
	    "the peer rekeys and rekeys the IKE SA, and deletes none|at most 32||");
	ck_assert_uint_eq(use(0)->id, session);
	ck_assert_uint_eq(use(0)->n_children, 1);
	/* When they are gone there is room again. */
	for (unsigned i = 0; i < 300; i++) {
		pair_pass(&p, IKE_SECOND);
		pair_pump(&p);
	}
	ck_assert_uint_eq(counts(0).sas, 1);
	ck_assert_uint_gt(use(0)->generation, 32);
	pair_close(&p);
}
END_TEST

/* Set up, and set up again, by one that says nothing of the ones before. */
START_TEST(ike_sas_of_one_peer_are_bounded)
{
	pair_setups(setup, child);
	setup[0].unique = IKE_UNIQUE_NEVER;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 36; i++) {
		ck_assert_int_eq(ike_peer_start(p.e[0], TAILQ_FIRST(&p.e[0]->peers), NULL,
		    NULL), IKE_OK);
		pair_drain(&p, 0);
		pair_pump(&p);
	}
	ck_assert_uint_eq(counts(0).sas, 36);
	ck_assert_uint_le(counts(1).sas, 33);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	for (unsigned i = 0; i < 2; i++) {
		ike_down(p.e[i], p.now, p.connection[i]);
		pair_drain(&p, i);
		p.n = 0;
		pass_unheard(300 * IKE_SECOND);
	}
	pair_close(&p);
}
END_TEST

/* What a rekey is making has no life of its own yet: nobody can end it, and then the
 * rekey with it. */
START_TEST(unsettled_ike_sa_is_nobodys_to_end)
{
	struct ike_sa_info info = { 0 };
	unsigned unsettled = 0;

	pair_establish(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(ike_rekey(p.e[i], p.now, use(i)->id), IKE_OK);
		pair_drain(&p, i);
	}
	if (_i == 1)			/* with the peer's, too */
		pair_deliver(&p, 1);
	while (ike_next_sa(p.e[0], info.id, &info))
		if (info.state == IKE_STATE_UNSETTLED) {
			ck_assert_int_eq(ike_down(p.e[0], p.now, info.id), IKE_GONE);
			ck_assert_int_eq(ike_rekey(p.e[0], p.now, info.id), IKE_GONE);
			unsettled++;
		}
	ck_assert_uint_eq(unsettled, 1u + (unsigned)_i);
	ike_roam(p.e[0], p.now);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_int_eq(use(0)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(use(0)->generation, 2);
	ck_assert_uint_eq(use(0)->n_children, 1);
	pair_close(&p);
}
END_TEST

/* A Child SA, what it was replaced by and what that was replaced by, in any order and
 * some of them twice. */
START_TEST(generations_are_deleted_together)
{
	static const unsigned orders[][4] = { { 0, 1, 2, 0 }, { 2, 1, 0, 2 }, { 1, 0, 2, 1 },
		{ 1, 2, 0, 0 }, { 2, 0, 1, 1 }, { 0, 2, 1, 2 } };
	uint32_t spi[3] = { 0, 0x1000, 0x2000 }, list[4];

	pair_establish(&p);
	spi[0] = LIST_FIRST(&pair_sa(&p, 0)->children)->spi_out;
	for (unsigned i = 0; i < 2; i++)
		(void)ask_child(spi[i + 1], spi[i]);
	for (unsigned i = 0; i < 4; i++)
		list[i] = spi[orders[_i][i]];
	delete_children(list, 4);
	ck_assert_uint_eq(use(0)->n_children, 0);
	pass_unheard(6 * IKE_SECOND);
	ck_assert_uint_eq(counts(0).children, 0);
	ck_assert_uint_eq(p.events[0][IKE_IN_ADD], p.events[0][IKE_IN_REMOVE]);
	ck_assert_uint_eq(p.events[0][IKE_OUT_ADD], p.events[0][IKE_OUT_REMOVE]);
	pair_close(&p);
}
END_TEST

/* The peer uses an SPI of its own twice, or ours: only it is confused by that. */
START_TEST(spi_of_the_peer_may_be_any)
{
	const struct ike_child_sa *c;
	uint32_t spi;

	pair_establish(&p);
	c = LIST_FIRST(&pair_sa(&p, 0)->children);
	spi = _i == 0 ? c->spi_out : c->spi_in;
	ck_assert_int_eq(ask_child(spi, c->spi_out), IKE_OK);
	ck_assert_uint_eq(use(0)->n_children, 2);
	for (unsigned i = 0; i < 3; i++)
		delete_children(&spi, 1);
	ck_assert_uint_eq(use(0)->n_children, _i == 0 ? 0 : 1);
	pass_unheard(10 * IKE_SECOND);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("hostile");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, child_sas_are_bounded, 0, 2);
	tcase_add_test(t, lingering_child_sas_are_bounded);
	tcase_add_test(t, replaced_ike_sas_are_bounded);
	tcase_add_test(t, ike_sas_of_one_peer_are_bounded);
	tcase_add_loop_test(t, generations_are_deleted_together, 0, 6);
	tcase_add_loop_test(t, spi_of_the_peer_may_be_any, 0, 2);
	tcase_add_loop_test(t, unsettled_ike_sa_is_nobodys_to_end, 0, 2);
	return run_tests("hostile", t);
}
