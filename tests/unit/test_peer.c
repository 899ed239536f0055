/* The desired state of a connection: begun, begun again, taken down. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

START_TEST(always_tries_again_with_back_off)
{
	unsigned tries = 0;
	ike_time last = 0;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	setup[0].setting_up.tries = 1;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 600; i++) {
		if (p.n > 0) {
			tries++;
			last = p.now;
		}
		p.n = 0;
		pair_pass(&p, IKE_SECOND);
	}
	ck_assert_uint_ge(tries, 10);
	ck_assert_uint_le(tries, 30);
	ck_assert_int_gt(last, 500 * IKE_SECOND);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* The peer deletes the Child SA alone, or never accepts one: what should always be up is begun
 * again, and the IKE SA that carries nothing goes. */
START_TEST(always_wants_a_child_too)
{
	struct ike_child_info info;
	ike_id first;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	pair_pump(&p);
	first = pair_sa(&p, 0)->id;
	ck_assert(ike_child_at(p.e[1], pair_sa(&p, 1)->id, 0, &info));
	ike_down(p.e[1], p.now, info.id);
	pair_drain(&p, 1);
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 0);
	pair_pass(&p, 2 * IKE_SECOND);
	pair_pump(&p);
	ck_assert(pair_sa(&p, 0)->id != first);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	ck_assert_ptr_null(ike_table_sa(p.e[0], first));
	pair_close(&p);
}
END_TEST

START_TEST(acquire_is_answered_truly)
{
	struct ike_notice notice = { .type = IKE_ACQUIRE, .child = "net" };

	pair_start(&p);
	notice.id = p.connection[0];
	esp_range_parse("10.1.0.1", &notice.packet.local);
	esp_range_parse("10.2.0.1", &notice.packet.remote);
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);
	pair_drain(&p, 0);
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);	/* on the way */
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_pass(&p, 5 * IKE_SECOND);
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_NO_ADDITIONAL_SAS);
	notice.child = "nothing of that name";
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_GONE);
	notice.id = 0;
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_GONE);
	pair_close(&p);
}
END_TEST

START_TEST(acquire_is_not_heard_too_often)
{
	struct ike_notice notice = { .type = IKE_ACQUIRE, .child = "net" };
	unsigned attempts = 0;

	pair_start(&p);
	p.secret[1] = "something else";
	notice.id = p.connection[0];
	esp_range_parse("10.1.0.1", &notice.packet.local);
	esp_range_parse("10.2.0.1", &notice.packet.remote);
	for (unsigned i = 0; i < 6000; i++) {	/* a packet every 10 ms for a minute */
		if (ike_tell(p.e[0], p.now, &notice) == IKE_OK)
			attempts++;
		pair_drain(&p, 0);
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND / 100);
	}
	ck_assert_uint_ge(attempts, 4);
	ck_assert_uint_le(attempts, 10);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		always_tries_again_with_back_off, always_wants_a_child_too,
		acquire_is_answered_truly, acquire_is_not_heard_too_often,
	};
	TCase *c = tcase_create("peer");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("peer", c);
}
