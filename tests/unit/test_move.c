/* A peer behind a NAT turns up elsewhere, RFC 7296 2.23 (T81). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

static struct pair_datagram
liveness(uint32_t id)
{
	struct ike_chain empty = pair_chain();

	return pair_seal(&p, 0, INFORMATIONAL, 0, id, &empty);
}

static void
expect_port(uint16_t port, unsigned moves)
{
	ck_assert_uint_eq(pair_sa(&p, 1)->path.port[1], port);
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], moves);
}

START_TEST(new_request_from_a_new_port_moves)
{
	struct pair_datagram d;

	pair_establish(&p);
	expect_port(4500, 0);
	d = liveness(2);
	d.path.port[1] = 31000;
	pair_send(&p, &d);
	expect_port(31000, 1);
	ck_assert_uint_eq(p.n, 1);		/* and is answered there */
	ck_assert_uint_eq(p.queue[0].path.port[0], 31000);
	p.n = 0;
	d = liveness(3);			/* the address too */
	d.path.port[1] = 31000;
	d.path.addr[1][3] ^= 0x40;
	pair_send(&p, &d);
	expect_port(31000, 2);
	ck_assert_int_eq(memcmp(pair_sa(&p, 1)->path.addr[1], d.path.addr[1], 16), 0);
	p.n = 0;
	pair_send(&p, &d);			/* again: nothing new */
	expect_port(31000, 2);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(forged_and_repeated_requests_move_nothing)
{
	struct pair_datagram good, d;
	uint64_t before;

	pair_establish(&p);
	good = liveness(2);
	before = sa_digest(pair_sa(&p, 1));
	for (size_t i = 28; i < good.len; i++) {
		d = good;
		d.data[i] ^= 1;
		d.path.port[1] = 31000;
		pair_send(&p, &d);
	}
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_send(&p, &good);
	pair_pass(&p, IKE_SECOND);
	good.path.port[1] = 31000;		/* a copy, sent by somebody else */
	pair_send(&p, &good);
	expect_port(4500, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(response_moves_nothing)
{
	pair_establish(&p);
	ike_down(p.e[1], p.now, LIST_FIRST(&pair_sa(&p, 1)->children)->id);
	pair_drain(&p, 1);
	pair_deliver(&p, 0);
	p.queue[0].path.port[1] = 31000;
	pair_deliver(&p, 0);
	expect_port(4500, 0);
	pair_close(&p);
}
END_TEST

/* Whoever is behind a NAT itself, or talks to a peer that is not, follows nobody. */
START_TEST(only_a_peer_behind_a_nat_is_followed)
{
	static const struct { enum ike_encap encap; bool here, moves; } rows[] = {
		{ IKE_ENCAP_FORCE, false, true }, { IKE_ENCAP_FORCE, true, false },
		{ IKE_ENCAP_AUTO, false, false }, { IKE_ENCAP_NEVER, false, false },
	};
	struct ike_setup setup[2];
	struct ike_child_setup child[2];
	struct pair_datagram d;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pair_setups(setup, child);
		setup[0].encap = setup[1].encap = rows[i].encap;
		pair_open(&p, setup);
		pair_up(&p);
		pair_pump(&p);
		pair_sa(&p, 1)->nat_here = rows[i].here;
		d = liveness(2);
		d.path.port[1] = 31000;
		pair_send(&p, &d);
		ck_assert_msg((pair_sa(&p, 1)->path.port[1] == 31000) == rows[i].moves,
		    "row %zu", i);
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

START_TEST(data_path_tells_of_a_move)
{
	struct ike_notice notice = { .type = IKE_MOVED };

	pair_establish(&p);
	notice.id = LIST_FIRST(&pair_sa(&p, 1)->children)->id;
	notice.path = pair_sa(&p, 1)->path;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_OK);
	pair_drain(&p, 1);
	expect_port(4500, 0);			/* it is there already */
	notice.path.port[1] = 31000;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_OK);
	pair_drain(&p, 1);
	expect_port(31000, 1);
	notice.path.port[1] = 0;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_DROP);
	notice.path.port[1] = 31001;
	notice.path.family = 6;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_DROP);
	notice.id++;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_GONE);
	expect_port(31000, 1);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		new_request_from_a_new_port_moves,
		forged_and_repeated_requests_move_nothing,
		response_moves_nothing, only_a_peer_behind_a_nat_is_followed,
		data_path_tells_of_a_move,
	};
	TCase *c = tcase_create("move");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("move", c);
}
