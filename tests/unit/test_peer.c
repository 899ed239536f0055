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

/* The peer deletes the Child SA alone: what should always be up is asked for again, by
 * the IKE SA that is there. */
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
	ck_assert_uint_eq(pair_sa(&p, 0)->id, first);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
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

/* Anybody can send an IKE_SA_INIT in the peer's name: it must not keep us from
 * calling. */
START_TEST(stranger_does_not_keep_us_from_calling)
{
	struct pair_datagram init;

	pair_setups(setup, child);
	pair_open(&p, setup);
	pair_up(&p);
	init = p.queue[0];
	p.n = 0;
	pair_send(&p, &init);				/* its answer goes nowhere */
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_INIT_DONE);
	p.n = 0;
	ck_assert_int_eq(ike_up(p.e[1], p.now, p.connection[1]), IKE_OK);
	pair_drain(&p, 1);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(stranger_does_not_keep_us_from_calling_again)
{
	struct pair_datagram init;
	unsigned calls = 0;

	pair_setups(setup, child);
	setup[1].start = IKE_START_ALWAYS;
	setup[1].setting_up.tries = 1;
	pair_open(&p, setup);
	p.n = 0;
	pair_up(&p);
	init = p.queue[0];
	for (unsigned i = 0; i < 120; i++) {
		p.n = 0;
		init.data[0] = (uint8_t)(i + 1);	/* another SPI */
		if (i % 5 == 0)
			pair_send(&p, &init);
		p.n = 0;
		pair_pass(&p, IKE_SECOND);
		for (unsigned k = 0; k < p.n; k++)
			calls += p.queue[k].to == 0;
	}
	ck_assert_uint_ge(calls, 4);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* `down` while IKE_AUTH is under way, and then `up`: the old attempt goes, a new one
 * begins. */
START_TEST(up_after_down_begins_anew)
{
	ike_id first;

	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	first = pair_sa(&p, 0)->id;
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_AUTH_SENT);
	ck_assert_int_eq(ike_down(p.e[0], p.now, p.connection[0]), IKE_OK);
	pair_drain(&p, 0);
	pair_up(&p);
	pair_pump(&p);
	ck_assert(pair_sa(&p, 0)->id != first);
	ck_assert_ptr_null(ike_table_sa(p.e[0], first));
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	pair_close(&p);
}
END_TEST

START_TEST(down_before_auth_is_sent_sends_nothing)
{
	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	p.hold_answers[0] = true;
	pair_deliver(&p, 0);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_AUTH_SENT);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
	pair_close(&p);
}
END_TEST

/* In every state of both ends: down at either is the end of it, and leaves nothing. */
START_TEST(down_in_every_state)
{
	for (unsigned who = 0; who < 2; who++)
		for (unsigned steps = 0; steps < 5; steps++) {
			pair_start(&p);
			pair_up(&p);
			for (unsigned i = 0; i < steps && p.n > 0; i++)
				pair_deliver(&p, 0);
			ck_assert_int_eq(
			    ike_down(p.e[who], p.now, p.connection[who]), IKE_OK);
			pair_drain(&p, who);
			pair_pump(&p);
			if (who == 0 || steps > 0) /* else it is down before it begins */
				ck_assert_ptr_null(pair_sa(&p, who));
			pair_close(&p);
		}
}
END_TEST

/* The connection goes, or another takes its place, in every state. */
START_TEST(drop_and_replace_in_every_state)
{
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	for (unsigned who = 0; who < 2; who++)
		for (unsigned steps = 0; steps < 5; steps++) {
			pair_setups(setup, child);
			pair_open(&p, setup);
			pair_up(&p);
			for (unsigned i = 0; i < steps && p.n > 0; i++)
				pair_deliver(&p, 0);
			c = ike_connection_new(&setup[who], faults, 4, &n);
			ck_assert(ike_put(p.e[who], p.now, p.connection[who], c) ==
			    p.connection[who]);
			ike_connection_free(c);
			pair_pump(&p);
			ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
			pair_close(&p);		/* drops at both */

			pair_open(&p, setup);
			pair_up(&p);
			for (unsigned i = 0; i < steps && p.n > 0; i++)
				pair_deliver(&p, 0);
			ck_assert_int_eq(
			    ike_drop(p.e[who], p.now, p.connection[who]), IKE_OK);
			ck_assert_int_eq(ike_drop(p.e[who], p.now, p.connection[who]),
			    IKE_GONE);
			pair_drain(&p, who);
			pair_pump(&p);
			pair_close(&p);
		}
}
END_TEST

START_TEST(acquire_knows_its_child_in_a_new_configuration)
{
	struct ike_notice notice = { .type = IKE_ACQUIRE, .child = "net" };
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	pair_setups(setup, child);
	pair_open(&p, setup);
	pair_up(&p);
	c = ike_connection_new(&setup[0], faults, 4, &n);
	ike_put(p.e[0], p.now, p.connection[0], c);
	ike_connection_free(c);
	notice.id = p.connection[0];
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);	/* on the way */
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* The data path refuses every Child SA, both directions: it is told once, and tried
 * again, but not as fast as two hosts can shake hands. */
START_TEST(always_backs_off_when_nothing_can_be_installed)
{
	struct ike_notice notice = { .type = IKE_NOT_INSTALLED };
	struct ike_child_info info;
	unsigned refused, attempts;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 6000; i++) {
		pair_pump(&p);
		if (pair_sa(&p, 0) != NULL &&
		    ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info)) {
			notice.id = info.id;
			refused = p.events[0][IKE_REFUSED];
			ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);
			ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);
			pair_drain(&p, 0);
			ck_assert_uint_eq(p.events[0][IKE_REFUSED], refused + 1);
			pair_pump(&p);
			ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_GONE);
		}
		pair_pass(&p, IKE_SECOND / 10);
	}
	attempts = p.events[0][IKE_IN_ADD];
	ck_assert_uint_ge(attempts, 10);
	ck_assert_uint_le(attempts, 30);
	pair_close(&p);
}
END_TEST

/* One that was up for long is begun again soon, whatever it took to get there. */
START_TEST(always_comes_back_soon_after_a_long_life)
{
	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	setup[0].setting_up.tries = 1;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 300; i++) {
		p.n = 0;
		pair_pass(&p, IKE_SECOND);
	}
	for (unsigned i = 0; i < 1000 && pair_sa(&p, 1) == NULL; i++) {
		p.n = 0;
		pair_pass(&p, IKE_SECOND / 10);
		pair_pump(&p);
	}
	ck_assert_ptr_nonnull(pair_sa(&p, 1));
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	pair_pass(&p, 3600 * IKE_SECOND);
	ike_down(p.e[1], p.now, p.connection[1]);
	pair_drain(&p, 1);
	pair_pump(&p);
	for (unsigned i = 0; i < 20; i++) {
		pair_pass(&p, IKE_SECOND / 10);
		pair_pump(&p);
	}
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	pair_close(&p);
}
END_TEST

START_TEST(always_stays_down_when_asked)
{
	struct ike_child_info info;

	for (unsigned what = 0; what < 3; what++) {	/* connection, IKE SA, Child SA */
		pair_setups(setup, child);
		setup[0].start = IKE_START_ALWAYS;
		pair_open(&p, setup);
		pair_pump(&p);
		ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
		ike_down(p.e[0], p.now, what == 0 ? p.connection[0] :
		    what == 1 ? pair_sa(&p, 0)->id : info.id);
		pair_drain(&p, 0);
		pair_pump(&p);
		pair_pass(&p, 600 * IKE_SECOND);
		ck_assert_uint_eq(p.n, 0);
		ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 1);
		pair_up(&p);
		pair_pump(&p);
		ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 2);
		pair_close(&p);
	}
}
END_TEST

/* A new configuration is tried at once: it may have mended what failed. */
START_TEST(replaced_connection_is_tried_at_once)
{
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	p.secret[1] = "something else";
	for (unsigned i = 0; i < 100; i++) {
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	p.secret[1] = p.secret[0];
	while (pair_sa(&p, 0) != NULL) {
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	c = ike_connection_new(&setup[0], faults, 4, &n);
	ike_put(p.e[0], p.now, p.connection[0], c);
	ike_connection_free(c);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	pair_close(&p);
}
END_TEST

START_TEST(acquire_offers_its_packet_first)		/* T49 */
{
	struct ike_notice notice = { .type = IKE_ACQUIRE, .child = "net" };
	struct pair_datagram d;
	struct ike_message m;
	struct esp_range range;
	struct bytes list;

	pair_start(&p);
	notice.id = p.connection[0];
	esp_range_parse("10.1.0.1[udp/53]", &notice.packet.local);
	esp_range_parse("10.2.0.1[udp/7]", &notice.packet.remote);
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);
	pair_drain(&p, 0);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	for (unsigned i = 0; i < 2; i++) {
		list = ike_ts_list(ike_find_payload(&m, i == 0 ? IKE_PAYLOAD_TSI :
		    IKE_PAYLOAD_TSR, 0)->body);
		ck_assert(ike_next_ts(&list, &range));
		ck_assert(esp_range_subset(&range, i == 0 ? &notice.packet.local :
		    &notice.packet.remote));
		ck_assert(ike_next_ts(&list, &range));
		ck_assert(!ike_next_ts(&list, &range));
	}
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		always_tries_again_with_back_off, always_wants_a_child_too,
		acquire_is_answered_truly, acquire_is_not_heard_too_often,
		stranger_does_not_keep_us_from_calling,
		stranger_does_not_keep_us_from_calling_again, up_after_down_begins_anew,
		down_before_auth_is_sent_sends_nothing, down_in_every_state,
		drop_and_replace_in_every_state,
		acquire_knows_its_child_in_a_new_configuration,
		always_backs_off_when_nothing_can_be_installed,
		always_comes_back_soon_after_a_long_life, always_stays_down_when_asked,
		replaced_connection_is_tried_at_once,
		acquire_offers_its_packet_first,
	};
	TCase *c = tcase_create("peer");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("peer", c);
}
