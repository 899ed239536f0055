/* Rekeying, undisturbed: RFC 7296 1.3, 2.8, 2.18. */
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];

/* The one that is established: pair_sa may find one that was replaced. */
static struct ike_sa *
current(unsigned end)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p.e[end]->sas, link)
		if (sa->state == IKE_STATE_ESTABLISHED)
			return sa;
	ck_abort_msg("end %u has no IKE SA", end);
}

static struct ike_child_sa *
newest(unsigned end)
{
	struct ike_child_sa *c, *best = NULL;

	LIST_FOREACH(c, &current(end)->children, link)
		if (best == NULL || c->id > best->id)
			best = c;
	return best;
}

static void
rekey(unsigned end, ike_id id)
{
	ck_assert_int_eq(ike_rekey(p.e[end], p.now, id), IKE_OK);
	pair_drain(&p, end);
}

/* Time passes with whatever it brings. */
static void
pass(ike_time time)
{
	for (ike_time t = 0; t < time; t += IKE_SECOND / 10) {
		pair_pass(&p, IKE_SECOND / 10);
		pair_pump(&p);
	}
}

START_TEST(child_rekey_makes_before_it_breaks)	/* T55, T56 */
{
	unsigned end = (unsigned)_i;
	struct ike_notice seen = { .type = IKE_FIRST_IN };
	unsigned outs;
	ike_id first;

	pair_establish(&p);
	first = newest(end)->id;
	outs = p.events[1 - end][IKE_OUT_ADD];
	rekey(end, first);
	pair_pump(&p);
	ck_assert_uint_eq(current(0)->n_children, 2);
	ck_assert_uint_eq(current(1)->n_children, 2);
	ck_assert_uint_eq(p.events[end][IKE_OUT_ADD], 2);
	ck_assert_uint_eq(p.events[end][IKE_REPLACED], 1);
	/* The responder sends by the old one until it sees the new one used. */
	ck_assert_uint_eq(p.events[1 - end][IKE_IN_ADD], 2);
	ck_assert_uint_eq(p.events[1 - end][IKE_OUT_ADD], outs);
	seen.id = newest(1 - end)->id;
	ck_assert_int_eq(ike_tell(p.e[1 - end], p.now, &seen), IKE_OK);
	pair_drain(&p, 1 - end);
	ck_assert_uint_eq(p.events[1 - end][IKE_OUT_ADD], outs + 1);
	pass(IKE_SECOND);
	ck_assert_uint_eq(current(0)->n_children, 2);
	pass(2 * IKE_SECOND);		/* the DELETE after 2 s */
	ck_assert_uint_eq(current(0)->n_children, 1);
	ck_assert_uint_eq(current(1)->n_children, 1);
	ck_assert_uint_eq(p.events[0][IKE_IN_REMOVE], 0);	/* it is heard 5 s more */
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 0);
	ck_assert_uint_eq(p.events[0][IKE_OUT_REMOVE], 1);
	pass(6 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_IN_REMOVE], 1);
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
	ck_assert_uint_eq(newest(0)->generation, 2);
	ck_assert_uint_eq(newest(1)->generation, 2);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

START_TEST(ike_rekey_takes_everything_along)	/* T12, T59 */
{
	unsigned end = (unsigned)_i;
	uint32_t spi;
	ike_id session;

	pair_establish(&p);
	session = current(end)->id;
	spi = newest(end)->spi_in;
	rekey(end, session);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(p.events[i][IKE_REPLACED], 1);
	ck_assert_ptr_nonnull(ike_table_sa(p.e[end], session));
	ck_assert_uint_eq(ike_table_sa(p.e[end], session)->generation, 2);
	ck_assert_uint_eq(ike_table_sa(p.e[end], session)->n_children, 1);
	ck_assert(ike_table_sa(p.e[end], session)->initiator);
	ck_assert_uint_eq(
	    LIST_FIRST(&ike_table_sa(p.e[end], session)->children)->spi_in, spi);
	ck_assert_uint_eq(ike_table_sa(p.e[end], session)->window.next_request, 0);
	pass(4 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		struct ike_counts c;

		ike_read_counts(p.e[i], &c);
		if (i == end)
			ck_assert_uint_eq(c.sas, 1);
		ck_assert_uint_eq(p.events[i][IKE_DOWN], 0);
	}
	pass(31 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		struct ike_counts c;

		ike_read_counts(p.e[i], &c);
		ck_assert_uint_eq(c.sas, 1);
		ck_assert_uint_eq(c.children, 1);
	}
	/* the new one works */
	rekey(1 - end, newest(1 - end)->id);
	pair_pump(&p);
	pass(10 * IKE_SECOND);
	ck_assert_uint_eq(newest(0)->generation, 2);
	ck_assert_uint_eq(current(0)->n_children, 1);
	pair_close(&p);
}
END_TEST

START_TEST(both_rekey_the_child_at_once)		/* T61 */
{
	pair_establish(&p);
	for (unsigned i = 0; i < 20; i++) {
		rekey(0, newest(0)->id);
		rekey(1, newest(1)->id);
		pair_pump(&p);
		pass(12 * IKE_SECOND);
		for (unsigned k = 0; k < 2; k++)
			ck_assert_uint_eq(current(k)->n_children, 1);
		ck_assert_uint_eq(newest(0)->spi_in, newest(1)->spi_out);
	}
	ck_assert_uint_eq(current(0)->collisions_won + current(0)->collisions_lost, 20);
	ck_assert_uint_eq(current(0)->collisions_won, current(1)->collisions_lost);
	ck_assert_uint_gt(current(0)->collisions_won, 0);
	ck_assert_uint_gt(current(0)->collisions_lost, 0);
	pair_close(&p);
}
END_TEST

START_TEST(both_rekey_the_ike_sa_at_once)		/* T65 */
{
	struct ike_counts c;
	ike_id session[2];

	pair_establish(&p);
	session[0] = current(0)->id;
	session[1] = current(1)->id;
	for (unsigned i = 0; i < 20; i++) {
		rekey(0, session[0]);
		rekey(1, session[1]);
		pair_pump(&p);
		pass(40 * IKE_SECOND);
		for (unsigned k = 0; k < 2; k++) {
			ike_read_counts(p.e[k], &c);
			ck_assert_uint_eq(c.sas, 1);
			ck_assert_uint_eq(ike_table_sa(p.e[k], session[k])->n_children, 1);
		}
	}
	ck_assert_uint_gt(ike_table_sa(p.e[0], session[0])->collisions_won, 0);
	ck_assert_uint_gt(ike_table_sa(p.e[0], session[0])->collisions_lost, 0);
	pair_close(&p);
}
END_TEST

START_TEST(lifetimes_of_seconds_go_on)
{
	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].renewal = (struct ike_renewal){ .child.time = 3 * IKE_SECOND,
		    .child_hard.time = 60 * IKE_SECOND, .ike = 7 * IKE_SECOND,
		    .ike_hard = 60 * IKE_SECOND, .jitter_percent = 10 };
		setup[i].pfs = _i == 0 ? IKE_PFS_PREFER : _i == 1 ? IKE_PFS_REQUIRE :
		    IKE_PFS_OFF;
	}
	pair_open(&p, setup);
	pair_up(&p);
	pass(300 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	ck_assert_uint_eq(p.events[1][IKE_DOWN], 0);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 0);
	ck_assert_uint_gt(p.events[0][IKE_REPLACED], 50);
	ck_assert_uint_eq(newest(0)->spi_in, newest(1)->spi_out);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* The settings that the session was set up with are freed then. */
START_TEST(session_calls_the_host_of_its_new_settings)
{
	struct ike_fault faults[8];
	struct ike_connection *c;
	const struct ike_sa *sa;
	unsigned n;

	pair_establish(&p);
	pair_setups(setup, child);
	setup[0].remote_address = "192.0.2.77, 192.0.2.2";
	for (unsigned i = 0; i < 2; i++) {
		c = ike_connection_new(&setup[0], faults, 8, &n);
		ck_assert_ptr_nonnull(c);
		ck_assert(ike_put(p.e[0], p.now, p.connection[0], c) != 0);
		ike_connection_free(c);
		pair_drain(&p, 0);
		rekey(1, current(1)->id);
		pair_pump(&p);
		sa = current(0);
		ck_assert_ptr_eq(sa->host, &sa->connection->remote.v[1 - i]);
		ck_assert_str_eq(sa->host->text, i == 0 ? "192.0.2.2" : "192.0.2.88");
		pass(40 * IKE_SECOND);
		setup[0].remote_address = "192.0.2.88";	/* nor is it there any more */
	}
	pair_close(&p);
}
END_TEST

START_TEST(replaced_ike_sa_is_deleted_once)
{
	unsigned requests = 0;

	pair_establish(&p);
	rekey(0, current(0)->id);
	pair_pump(&p);
	ck_assert_int_eq(ike_down(p.e[0], p.now, p.connection[0]), IKE_OK);
	pair_drain(&p, 0);
	p.n = 0;
	pair_pass(&p, 4 * IKE_SECOND);	/* over the time of its own DELETE */
	for (unsigned i = 0; i < p.n; i++)
		requests |= 1u << bytes_load32(p.queue[i].data + 20);
	/* The old one's third request (IKE_SA_INIT, IKE_AUTH and the rekey came before),
	 * and the new one's first; no other. */
	ck_assert_uint_eq(requests, 1u << 3 | 1u << 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("rekey");

	tcase_add_loop_test(c, child_rekey_makes_before_it_breaks, 0, 2);
	tcase_add_loop_test(c, ike_rekey_takes_everything_along, 0, 2);
	tcase_add_test(c, both_rekey_the_child_at_once);
	tcase_add_test(c, both_rekey_the_ike_sa_at_once);
	tcase_add_loop_test(c, lifetimes_of_seconds_go_on, 0, 3);
	tcase_add_test(c, session_calls_the_host_of_its_new_settings);
	tcase_add_test(c, replaced_ike_sa_is_deleted_once);
	return run_tests("rekey", c);
}
