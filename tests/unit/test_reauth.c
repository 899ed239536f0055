/* Reauthentication, RFC 7296 2.8.3: another IKE SA, made before the one it stands for
 * goes; and what becomes of both when the peer does not do its part.  Packets travel all
 * the while. */
#include <string.h>

#include "tests/unit/road.h"
#include "tests/unit/run.h"

#define AFTER (100 * IKE_SECOND)

static struct pair p;
static struct road r;
static struct ike_setup setup[2];
static struct ike_child_setup child[2], two[2][2];
static unsigned asked, called;	/* CREATE_CHILD_SA and IKE_SA_INIT requests of end 0 */

static void
open_as_set(void)
{
	setup[0].renewal.reauth = AFTER;
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	road_open(&r, &p);
	pair_pump(&p);
	asked = called = 0;
}

static void
begin(void)
{
	pair_setups(setup, child);
	open_as_set();
}

/* Two children: "net", and "other", which may come later. */
static void
begin_with_two(void)
{
	static const char *const nets[2] = { "10.3.0.0/16", "10.4.0.0/16" };

	pair_setups(setup, child);
	setup[1].unique = IKE_UNIQUE_NEVER;	/* it does not see to it itself */
	for (unsigned i = 0; i < 2; i++) {
		two[i][0] = two[i][1] = child[i];
		two[i][1].name = "other";
		two[i][1].local.v = &nets[i];
		two[i][1].remote.v = &nets[1 - i];
		setup[i].children = two[i];
		setup[i].n_children = 2;
	}
	open_as_set();
}

static void
end(void)
{
	r.closing = true;
	pair_close(&p);
}

/* From now on this is the setup of end 1. */
static void
reconfigure(void)
{
	struct ike_fault faults[4];
	struct ike_connection *c;
	unsigned n;

	c = ike_connection_new(&setup[1], faults, 4, &n);
	ck_assert_msg(c != NULL, "%s", faults[0].text);
	p.connection[1] = ike_put(p.e[1], p.now, p.connection[1], c);
	ck_assert_uint_ne(p.connection[1], 0);
	ike_connection_free(c);
	pair_drain(&p, 1);
}

static void
count_requests(void)
{
	for (unsigned i = 0; i < p.n; i++) {
		bool ours = p.queue[i].to == 1 &&
		    (p.queue[i].data[19] & IKE_FLAG_RESPONSE) == 0;

		asked += ours && p.queue[i].data[18] == CREATE_CHILD_SA;
		called += ours && p.queue[i].data[18] == IKE_SA_INIT;
	}
}

static void
pass(ike_time span)
{
	for (ike_time t = 0; t < span; t += IKE_SECOND / 4) {
		pair_pass(&p, IKE_SECOND / 4);
		count_requests();
		pair_pump(&p);
		road_travel(&r);
	}
}

static unsigned
established(unsigned end)
{
	const struct ike_sa *sa;
	unsigned n = 0;

	TAILQ_FOREACH(sa, &p.e[end]->sas, link)
		n += sa->state == IKE_STATE_ESTABLISHED;
	return n;
}

static ike_id
first_of(unsigned end)
{
	struct ike_sa_info info = { 0 };

	ck_assert(ike_next_sa(p.e[end], 0, &info));
	return info.id;
}

/* Until another one than this stands alone, and nothing of it lingers. */
static void
await_another(ike_id before, ike_time most)
{
	ike_time end = p.now + most;

	while ((first_of(0) == before || established(0) > 1) && p.now < end)
		pass(IKE_SECOND);
	pass(15 * IKE_SECOND);
	ck_assert_uint_ne(first_of(0), before);
}

static void
expect_one(unsigned n_children)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(established(i), 1);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, n_children);
		ck_assert_uint_eq(road_in(&r, i), n_children);
		ck_assert_uint_eq(road_out(&r, i), n_children);
	}
}

START_TEST(reauthentication_replaces_the_ike_sa)
{
	ike_id before;

	begin();
	before = first_of(0);
	pass(AFTER - 15 * IKE_SECOND);
	ck_assert_uint_eq(first_of(0), before);
	pass(60 * IKE_SECOND);
	ck_assert_uint_ne(first_of(0), before);
	ck_assert_uint_eq(called, 1);
	expect_one(1);
	end();
}
END_TEST

/* The peer grants the new one no Child SA: the old one goes on, it is tried again,
 * seldom, and in the end one is left. */
START_TEST(refused_child_does_not_end_it)
{
	static const char *const elsewhere[] = { "10.77.0.0/16" };
	struct ike_texts before;
	ike_id id;

	begin();
	id = first_of(0);
	before = child[1].local;
	child[1].local = (struct ike_texts){ elsewhere, 1 };
	reconfigure();
	pass(AFTER + 600 * IKE_SECOND);
	ck_assert_uint_ge(called + asked, 3);
	ck_assert_uint_le(called + asked, 40);
	ck_assert_uint_eq(first_of(0), id);
	child[1].local = before;
	reconfigure();
	await_another(id, 90 * IKE_SECOND);
	expect_one(1);
	end();
}
END_TEST

/* The same with one of two Child SAs. */
START_TEST(refused_second_child_is_asked_for_seldom)
{
	ike_id id;

	begin_with_two();
	pass(5 * IKE_SECOND);
	expect_one(2);
	id = first_of(0);
	setup[1].n_children = 1;
	reconfigure();
	asked = 0;
	pass(AFTER + 600 * IKE_SECOND);
	ck_assert_uint_ge(asked, 3);
	ck_assert_uint_le(asked, 40);
	ck_assert_uint_eq(first_of(0), id);
	setup[1].n_children = 2;
	reconfigure();
	await_another(id, 90 * IKE_SECOND);
	expect_one(2);
	end();
}
END_TEST

/* An IKE SA that is full from the beginning is of no use, and does not stand for one that
 * carries. */
START_TEST(full_one_stands_for_nothing)
{
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;
	bool seen = false;
	ike_id id;

	begin();
	id = first_of(0);
	for (unsigned i = 0; i < 1000 && !seen; i++) {
		pair_pass(&p, IKE_SECOND / 4);
		while (p.n > 0 && !seen) {
			seen = p.queue[0].to == 0 && p.queue[0].data[18] == IKE_AUTH;
			if (!seen)
				pair_deliver(&p, 0);
		}
		road_travel(&r);
	}
	ck_assert(seen);
	d = p.queue[0];			/* its AUTH as it is, but no Child SA */
	p.n = 0;
	pair_unseal(&p, &d, &m);
	c = pair_chain();
	for (unsigned i = 0; i < m.n; i++)
		if (m.v[i].type == IKE_PAYLOAD_IDR || m.v[i].type == IKE_PAYLOAD_AUTH) {
			ike_chain_open(&c, m.v[i].type);
			ike_write_bytes(&c.w, m.v[i].body);
			ike_chain_close(&c);
		}
	ike_add_notify(&c, IKE_NO_ADDITIONAL_SAS, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, IKE_AUTH, IKE_FLAG_RESPONSE, 1, &c);
	pair_send(&p, &d);
	r.closing = true;	/* what end 1 holds for a second one leads nowhere */
	ck_assert_uint_eq(established(0), 2);
	for (unsigned i = 0; i < 40; i++) {
		pair_pass(&p, IKE_SECOND / 4);
		pair_pump(&p);
	}
	ck_assert_uint_eq(established(0), 1);
	ck_assert_uint_eq(first_of(0), id);
	for (unsigned i = 0; i < 480; i++) {	/* and once more, which succeeds */
		pair_pass(&p, IKE_SECOND / 4);
		pair_pump(&p);
	}
	ck_assert_uint_eq(established(0), 1);
	ck_assert_uint_ne(first_of(0), id);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
	end();
}
END_TEST

/* The new one is up and goes before it has taken over: there is another one later. */
START_TEST(lost_again_before_it_stands)
{
	ike_id id;

	begin();
	id = first_of(0);
	for (unsigned i = 0; i < 1000 && established(0) < 2; i++) {
		pair_pass(&p, IKE_SECOND / 4);
		count_requests();
		pair_pump(&p);
		road_travel(&r);
	}
	ck_assert_uint_eq(established(0), 2);
	ck_assert_int_eq(ike_down(p.e[1], p.now, pair_sa(&p, 1)->id), IKE_OK);
	pair_drain(&p, 1);
	pass(30 * IKE_SECOND);
	ck_assert_uint_eq(first_of(0), id);
	ck_assert_uint_eq(called, 1);
	await_another(id, 90 * IKE_SECOND);
	ck_assert_uint_eq(called, 2);
	expect_one(1);
	end();
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		reauthentication_replaces_the_ike_sa, refused_child_does_not_end_it,
		refused_second_child_is_asked_for_seldom, full_one_stands_for_nothing,
		lost_again_before_it_stands,
	};
	TCase *c = tcase_create("reauth");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	tcase_set_timeout(c, 60);
	return run_tests("reauth", c);
}
