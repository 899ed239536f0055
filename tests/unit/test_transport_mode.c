/* Transport mode between two engines, RFC 7296 1.3.1, and with NATs before either end,
 * 2.23.1. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

#define COUNT(a) (int)(sizeof(a) / sizeof(*(a)))

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];

/* Of each end: what it has, and what the other one sees. */
static const char *own[2], *seen[2];
static struct ike_child got[2];			/* of the last IN_ADD */
static struct esp_selector selectors[2][4];	/* its */

static const char *const any_net[] = { "0.0.0.0/0" };
static const char *const hosts[] = { "192.0.2.1", "192.0.2.2" };

static void
keep(void *arg, unsigned end, const struct ike_event *event)
{
	(void)arg;
	if (event->type != IKE_IN_ADD)
		return;
	got[end] = *event->u.child;
	ck_assert_uint_le(got[end].n_selectors, 4);
	memcpy(selectors[end], got[end].selectors,
	    got[end].n_selectors * sizeof(selectors[end][0]));
}

static void
make_setups(enum ike_mode a, enum ike_mode b)
{
	memset(got, 0, sizeof(got));
	own[0] = seen[0] = hosts[0];
	own[1] = seen[1] = hosts[1];
	pair_setups(setup, child);
	child[0].mode = a;
	child[1].mode = b;
	for (unsigned i = 0; i < 2; i++) {
		child[i].local = (struct ike_texts){ &hosts[i], 1 };
		child[i].remote = (struct ike_texts){ &hosts[1 - i], 1 };
	}
}

/* Each end has one address, and its peer sees another one. */
static void
translate(struct ike_path *path, unsigned to)
{
	ck_assert_int_eq(inet_pton(AF_INET, own[to], path->addr[0]), 1);
	ck_assert_int_eq(inet_pton(AF_INET, seen[1 - to], path->addr[1]), 1);
}

static void
pump(void)
{
	while (p.n > 0) {
		translate(&p.queue[0].path, p.queue[0].to);
		pair_deliver(&p, 0);
	}
}

static void
establish(void)
{
	pair_open(&p, setup);
	p.hear = keep;
	translate(&p.where[0], 0);
	translate(&p.where[1], 1);
	pair_up(&p);
	pump();
	for (unsigned end = 0; end < 2; end++)
		ck_assert_int_eq(pair_state(&p, end), IKE_STATE_ESTABLISHED);
}

/* A network address translator before one or both of them. */
static void
put_nat(bool before_0, bool before_1)
{
	setup[1].remote_address = "any";
	child[0].local = child[1].local = (struct ike_texts){ any_net, 1 };
	child[1].remote = (struct ike_texts){ any_net, 1 };
	own[0] = before_0 ? "10.9.0.1" : hosts[0];
	own[1] = before_1 ? "10.8.0.2" : hosts[1];
	seen[0] = before_0 ? "198.51.100.9" : hosts[0];
}

static void
expect_address(const uint8_t addr[16], const char *text)
{
	uint8_t expected[16] = { 0 };

	if (text != NULL)
		ck_assert_int_eq(inet_pton(AF_INET, text, expected), 1);
	ck_assert_mem_eq(addr, expected, sizeof(expected));
}

/* The peer has it as `text` in its packets; zeros: as we have it, `ours`. */
static void
expect_seen(const uint8_t addr[16], const char *text, const char *ours)
{
	static const uint8_t zeros[16];

	if (strcmp(text, ours) != 0 || memcmp(addr, zeros, sizeof(zeros)) != 0)
		expect_address(addr, text);
}

static void
expect_range(const struct esp_range *r, const char *text)
{
	expect_address(r->addr[0], text);
	expect_address(r->addr[1], text);
}

/* It has this mode at both ends, and the selectors of transport mode are the hosts. */
static void
expect_mode(bool transport)
{
	for (unsigned end = 0; end < 2; end++) {
		ck_assert_int_eq(got[end].transport, transport);
		ck_assert_uint_eq(got[end].n_selectors, 1);
		expect_range(&selectors[end][0].local, own[end]);
		expect_range(&selectors[end][0].remote, seen[1 - end]);
	}
}

static bool
says_transport(unsigned index)
{
	struct pair_datagram d = p.queue[index];
	struct ike_message m;
	struct ike_notify n;

	pair_unseal(&p, &d, &m);
	return ike_find_notify(&m, IKE_N_USE_TRANSPORT_MODE, &n);
}

/* ---- agreeing on it ---- */

START_TEST(transport_is_asked_for_and_granted)		/* T52 */
{
	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	pair_open(&p, setup);
	p.hear = keep;
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert(says_transport(0));		/* IKE_AUTH */
	pair_deliver(&p, 0);
	ck_assert(says_transport(0));
	pair_deliver(&p, 0);
	expect_mode(true);
	for (unsigned end = 0; end < 2; end++)
		for (unsigned i = 0; i < 2; i++)
			expect_seen(got[end].seen_by_peer[i], hosts[i ^ end],
			    hosts[i ^ end]);
	pair_close(&p);
}
END_TEST

START_TEST(transport_is_not_asked_for)			/* T52 */
{
	make_setups(IKE_MODE_TUNNEL, IKE_MODE_TUNNEL);
	establish();
	expect_mode(false);
	for (unsigned i = 0; i < 2; i++)
		expect_address(got[i].seen_by_peer[0], NULL);
	pair_close(&p);
}
END_TEST

/* The responder is for tunnels, and does not say otherwise: RFC 7296 1.3.1 leaves it to
 * the initiator to bear that, or to delete it. */
START_TEST(transport_is_not_granted)			/* T52 */
{
	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TUNNEL);
	establish();
	ck_assert_int_eq(p.refused[0], IKE_TS_UNACCEPTABLE);
	ck_assert_str_eq(p.refusal[0],
	    "the peer does not want transport mode|transport|tunnel|children.mode");
	for (unsigned end = 0; end < 2; end++) {
		ck_assert_uint_eq(pair_sa(&p, end)->n_children, 0);
		ck_assert_uint_eq(p.events[end][IKE_OUT_ADD],
		    p.events[end][IKE_OUT_REMOVE]);
	}
	pair_close(&p);
}
END_TEST

/* The other way round it is refused, and told why. */
START_TEST(transport_is_wanted_by_the_responder)	/* T52 */
{
	make_setups(IKE_MODE_TUNNEL, IKE_MODE_TRANSPORT);
	establish();
	ck_assert_int_eq(p.refused[0], IKE_TS_UNACCEPTABLE);
	ck_assert_int_eq(p.refused[1], IKE_TS_UNACCEPTABLE);
	ck_assert_str_eq(p.refusal[1],
	    "the peer does not want transport mode|transport|tunnel|children.mode");
	for (unsigned end = 0; end < 2; end++) {
		ck_assert_uint_eq(p.events[end][IKE_IN_ADD], 0);
		ck_assert_uint_eq(pair_sa(&p, end)->n_children, 0);
	}
	pair_close(&p);
}
END_TEST

/* A side that may have several addresses may have any selectors; what is agreed on are
 * the hosts. */
START_TEST(any_selectors_are_narrowed_to_the_hosts)
{
	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	put_nat(false, false);
	establish();
	expect_mode(true);
	pair_close(&p);
}
END_TEST

/* One protocol and port, and nothing else of the host. */
START_TEST(ports_are_kept)
{
	static const char *const from[] = { "192.0.2.1[tcp]" };
	static const char *const to[] = { "192.0.2.2[tcp/22]" };

	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	child[0].local = child[1].remote = (struct ike_texts){ from, 1 };
	child[0].remote = child[1].local = (struct ike_texts){ to, 1 };
	establish();
	expect_mode(true);
	ck_assert_uint_eq(selectors[1][0].local.port[0], 22);
	ck_assert_uint_eq(selectors[1][0].local.port[1], 22);
	ck_assert_uint_eq(selectors[0][0].remote.port[0], 22);
	ck_assert_uint_eq(selectors[0][0].local.protocol, 6);
	pair_close(&p);
}
END_TEST

/* ---- 2.23.1 ---- */

static const bool nats[][2] = { { true, false }, { false, true }, { true, true } };

static void
expect_translated(void)
{
	expect_mode(true);
	for (unsigned end = 0; end < 2; end++) {
		expect_seen(got[end].seen_by_peer[0], seen[end], own[end]);
		expect_seen(got[end].seen_by_peer[1], own[1 - end], seen[1 - end]);
		ck_assert(got[end].encap);
	}
}

START_TEST(nat_changes_the_selectors)
{
	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	put_nat(nats[_i][0], nats[_i][1]);
	establish();
	expect_translated();
	pair_close(&p);
}
END_TEST

static struct ike_sa *
established(unsigned end)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p.e[end]->sas, link)
		if (sa->state == IKE_STATE_ESTABLISHED)
			return sa;
	ck_abort_msg("end %u has no IKE SA", end);
}

/* By either end, and of the IKE SA before it. */
START_TEST(rekey_stays_in_transport_mode)
{
	unsigned end = (unsigned)_i % 2;
	struct ike_sa *sa;

	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	put_nat(nats[_i / 2][0], nats[_i / 2][1]);
	establish();
	ck_assert_int_eq(ike_rekey(p.e[end], p.now, pair_sa(&p, end)->id), IKE_OK);
	pair_drain(&p, end);
	pump();
	sa = established(end);
	ck_assert_uint_eq(sa->generation, 2);
	memset(got, 0, sizeof(got));
	ck_assert_int_eq(ike_rekey(p.e[end], p.now, LIST_FIRST(&sa->children)->id),
	    IKE_OK);
	pair_drain(&p, end);
	pump();
	ck_assert_uint_eq(p.events[0][IKE_REFUSED] + p.events[1][IKE_REFUSED], 0);
	expect_translated();
	for (unsigned i = 0; i < 10; i++) {
		pair_pass(&p, IKE_SECOND);
		pump();
	}
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(established(i)->n_children, 1);
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 2);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 1);
	}
	pair_close(&p);
}
END_TEST

/* What the peer calls its own address behind a NAT is its word only: the data path is
 * told what we see, or somebody could have the packets of another host. */
START_TEST(claimed_address_is_not_believed)
{
	make_setups(IKE_MODE_TRANSPORT, IKE_MODE_TRANSPORT);
	put_nat(true, false);
	own[0] = "10.1.2.3";		/* anything: it is behind a NAT */
	establish();
	expect_range(&selectors[1][0].remote, "198.51.100.9");
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("transport_mode");

	tcase_add_test(tcase, transport_is_asked_for_and_granted);
	tcase_add_test(tcase, transport_is_not_asked_for);
	tcase_add_test(tcase, transport_is_not_granted);
	tcase_add_test(tcase, transport_is_wanted_by_the_responder);
	tcase_add_test(tcase, any_selectors_are_narrowed_to_the_hosts);
	tcase_add_test(tcase, ports_are_kept);
	tcase_add_loop_test(tcase, nat_changes_the_selectors, 0, COUNT(nats));
	tcase_add_loop_test(tcase, rekey_stays_in_transport_mode, 0, 2 * COUNT(nats));
	tcase_add_test(tcase, claimed_address_is_not_believed);
	return run_tests("transport_mode", tcase);
}
