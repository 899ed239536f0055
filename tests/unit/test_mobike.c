/* MOBIKE, RFC 4555: two engines, of which end 0 begins and moves. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

#define DPD (30 * IKE_SECOND)

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static const uint8_t elsewhere[4] = { 198, 51, 100, 9 };
static const uint8_t second[4] = { 192, 0, 2, 22 };	/* another address of end 1 */

static void
make_setups(void)
{
	pair_setups(setup, child);
	setup[0].mobike = setup[1].mobike = true;
	setup[1].remote_address = "any";
}

static void
open_pair(void)
{
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
}

static void
establish(void)
{
	make_setups();
	open_pair();
	for (unsigned i = 0; i < 2; i++)
		ck_assert(pair_sa(&p, i)->mobile.on);
}

/* End 0 has another address. */
static void
roam(const uint8_t addr[4])
{
	memcpy(p.where[0].addr[0], addr, 4);
	ike_roam(p.e[0], p.now);
	pair_drain(&p, 0);
}

static void
expect_at(unsigned end, unsigned which, const uint8_t addr[4], unsigned moves)
{
	ck_assert_msg(memcmp(pair_sa(&p, end)->path.addr[which], addr, 4) == 0,
	    "end %u is wrong about address %u", end, which);
	ck_assert_uint_eq(p.events[end][IKE_SET_PATH], moves);
}

static void
expect_settled(const struct ike_sa *sa)
{
	ck_assert(!sa->mobile.pending && !sa->mobile.busy);
}

static struct ike_message
look_at(unsigned index, struct pair_datagram *d)
{
	struct ike_message m;

	ck_assert_uint_gt(p.n, index);
	*d = p.queue[index];
	pair_unseal(&p, d, &m);
	return m;
}

static bool
says(const struct ike_message *m, uint16_t type)
{
	struct ike_notify n;

	return ike_find_notify(m, type, &n);
}

/* The answer of end 1 to a request of end 0's with this chain, which came by `path`. */
static struct ike_message
answer_to(struct ike_chain *c, const struct ike_path *path, struct pair_datagram *d)
{
	struct ike_message m = { .n = 0 };

	*d = pair_seal(&p, 0, INFORMATIONAL, 0, pair_sa(&p, 1)->window.next_expected, c);
	if (path != NULL)
		d->path = *path;
	pair_send(&p, d);
	ck_assert_uint_ge(p.n, 1);
	*d = p.queue[0];
	pair_unseal(&p, d, &m);
	return m;
}

static struct ike_path
from_elsewhere(void)
{
	struct ike_path path = pair_sa(&p, 1)->path;

	memcpy(path.addr[1], elsewhere, 4);
	return path;
}

/* ---- agreeing on it ---- */

START_TEST(mobike_is_agreed_in_auth)			/* RFC 4555 3.2 */
{
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.2" };

	for (unsigned bits = 0; bits < 8; bits++) {
		make_setups();
		setup[0].mobike = (bits & 1) != 0;
		setup[1].mobike = (bits & 2) != 0;
		if (bits & 4) {		/* it is for tunnels */
			child[0].mode = IKE_MODE_TRANSPORT;
			child[0].local.v = &hosts[0];
			child[0].remote.v = &hosts[1];
		}
		pair_open(&p, setup);
		pair_up(&p);
		pair_pump(&p);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_int_eq(pair_sa(&p, i)->mobile.on, bits == 3);
		pair_close(&p);
	}
}
END_TEST

START_TEST(mobike_comes_by_port_4500)			/* RFC 4555 3.3 */
{
	static const struct {
		enum ike_encap encap[2];
		bool mobike;
		uint16_t port;
	} rows[] = {
		{ { IKE_ENCAP_AUTO, IKE_ENCAP_AUTO }, true, 4500 },
		{ { IKE_ENCAP_AUTO, IKE_ENCAP_AUTO }, false, 500 },
		{ { IKE_ENCAP_NEVER, IKE_ENCAP_AUTO }, true, 500 },
		{ { IKE_ENCAP_AUTO, IKE_ENCAP_NEVER }, true, 500 },
	};
	struct ike_child_info info;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_setups();
		for (unsigned end = 0; end < 2; end++) {
			setup[end].encap = rows[i].encap[end];
			setup[end].mobike = rows[i].mobike;
		}
		open_pair();
		for (unsigned end = 0; end < 2; end++) {
			ck_assert_msg(pair_sa(&p, end)->path.port[0] == rows[i].port,
			    "row %zu", i);
			ck_assert(ike_child_at(p.e[end], pair_sa(&p, end)->id, 0, &info));
			ck_assert(!info.child.encap);
		}
		pair_close(&p);
	}
}
END_TEST

/* ---- the original initiator moves ---- */

START_TEST(roaming_moves_the_sa_and_its_children)	/* RFC 4555 3.5, 3.7 */
{
	struct pair_datagram d;
	struct ike_message m;

	establish();
	roam(elsewhere);
	ck_assert_str_eq(p.asked[0], "192.0.2.2");
	expect_at(0, 0, elsewhere, 1);
	ck_assert_uint_eq(p.n, 1);
	m = look_at(0, &d);
	ck_assert(says(&m, IKE_N_UPDATE_SA_ADDRESSES));
	ck_assert(says(&m, IKE_N_NAT_DETECTION_SOURCE_IP));
	ck_assert(says(&m, IKE_N_NAT_DETECTION_DESTINATION_IP));
	ck_assert(!says(&m, IKE_N_NO_NATS_ALLOWED));
	ck_assert(memcmp(d.path.addr[1], elsewhere, 4) == 0);

	pair_deliver(&p, 0);
	/* IKE is there already; ESP only when the peer has shown that it is. */
	expect_at(1, 1, elsewhere, 0);
	ck_assert_uint_eq(p.n, 2);
	m = look_at(0, &d);
	ck_assert_uint_eq(d.data[19] & IKE_FLAG_RESPONSE, IKE_FLAG_RESPONSE);
	ck_assert(says(&m, IKE_N_NAT_DETECTION_DESTINATION_IP));
	m = look_at(1, &d);
	ck_assert(says(&m, IKE_N_COOKIE2));
	ck_assert(memcmp(d.path.addr[0], elsewhere, 4) == 0);

	pair_pump(&p);
	expect_at(0, 0, elsewhere, 1);
	expect_at(1, 1, elsewhere, 1);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(p.events[i][IKE_DOWN], 0);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 1);
		expect_settled(pair_sa(&p, i));
	}
	pair_close(&p);
}
END_TEST

START_TEST(roaming_without_a_change_says_nothing)
{
	establish();
	roam((uint8_t[]){ 192, 0, 2, 1 });
	ck_assert_uint_eq(p.n, 0);
	expect_at(0, 0, (uint8_t[]){ 192, 0, 2, 1 }, 0);
	p.where[0].family = 0;			/* no network at all, for a while */
	ike_roam(p.e[0], p.now);
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	p.where[0].family = 4;
	roam(elsewhere);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	expect_at(1, 1, elsewhere, 1);
	pair_close(&p);
}
END_TEST

START_TEST(only_the_original_initiator_roams)
{
	establish();
	memcpy(p.where[1].addr[0], elsewhere, 4);
	ike_roam(p.e[1], p.now);
	pair_drain(&p, 1);
	ck_assert_uint_eq(p.events[1][IKE_ASK_RESOLVE], 0);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);

	make_setups();
	setup[1].mobike = false;
	open_pair();
	roam(elsewhere);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], 1);	/* of the set-up */
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

/* What was on its way goes on from the new address, at once, and the update follows. */
START_TEST(outstanding_request_takes_the_new_path)	/* RFC 4555 3.5 */
{
	struct ike_child_info info;
	struct pair_datagram d, first;
	struct ike_message m;

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	first = p.queue[0];
	p.n = 0;
	pair_pass(&p, 20 * IKE_SECOND);		/* the way is dead */
	p.n = 0;
	roam(elsewhere);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(memcmp(p.queue[0].path.addr[1], elsewhere, 4) == 0);
	ck_assert(bytes_equal(bytes_of(p.queue[0].data, p.queue[0].len),
	    bytes_of(first.data, first.len)));
	pair_deliver(&p, 0);
	ck_assert(memcmp(p.queue[0].path.addr[0], elsewhere, 4) == 0);
	/* It follows only an update. */
	expect_at(1, 1, (uint8_t[]){ 192, 0, 2, 1 }, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	m = look_at(0, &d);
	ck_assert(says(&m, IKE_N_UPDATE_SA_ADDRESSES));
	pair_pump(&p);
	expect_at(1, 1, elsewhere, 0);		/* there was no Child SA left */
	pair_close(&p);
}
END_TEST

/* An address that changes while the update is on its way: the answer to that one means
 * nothing, and another one follows. */
START_TEST(second_change_makes_a_second_update)		/* RFC 4555 3.5 */
{
	static const uint8_t third[4] = { 198, 51, 100, 77 };
	struct pair_datagram d;
	struct ike_message m;

	establish();
	roam(elsewhere);
	ck_assert_uint_eq(p.n, 1);
	roam(third);
	ck_assert_uint_eq(p.n, 2);		/* the same octets, from the third */
	ck_assert(memcmp(p.queue[1].path.addr[1], third, 4) == 0);
	pair_deliver(&p, 0);			/* the first copy arrives */
	expect_at(1, 1, elsewhere, 0);
	pair_deliver(&p, 0);			/* the second: answered, or not */
	while (p.n > 0 && (m = look_at(0, &d), !says(&m, IKE_N_UPDATE_SA_ADDRESSES)))
		pair_deliver(&p, 0);
	ck_assert_uint_ge(p.n, 1);
	pair_pump(&p);
	pair_pass(&p, IKE_SECOND);
	pair_pump(&p);
	expect_at(0, 0, third, 2);
	ck_assert(memcmp(pair_sa(&p, 1)->path.addr[1], third, 4) == 0);
	ck_assert_uint_ge(p.events[1][IKE_SET_PATH], 1);
	for (unsigned i = 0; i < 2; i++)
		expect_settled(pair_sa(&p, i));
	pair_close(&p);
}
END_TEST

/* Asked for a path once, however often the host says that something changed; and once
 * more when it changed meanwhile. */
START_TEST(roaming_asks_once_at_a_time)
{
	unsigned before;

	establish();
	before = p.events[0][IKE_ASK_RESOLVE];
	p.hold_answers[0] = true;
	for (unsigned i = 0; i < 10; i++)
		roam(elsewhere);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], before + 1);
	p.hold_answers[0] = false;
	pair_answer(&p, 0, IKE_UNRESOLVED);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], before + 2);
	pair_pump(&p);
	expect_at(1, 1, elsewhere, 1);
	/* The SA may end with a question open. */
	p.hold_answers[0] = true;
	roam((uint8_t[]){ 198, 51, 100, 10 });
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_int_eq(ike_answer_question(p.e[0], p.now, p.question[0],
	    &(struct ike_answer){ .error = IKE_OK }), IKE_GONE);
	pair_close(&p);
}
END_TEST

START_TEST(refused_update_ends_the_sa)			/* RFC 4555 3.5 */
{
	static const uint16_t errors[] = { IKE_UNACCEPTABLE_ADDRESSES,
		IKE_UNEXPECTED_NAT_DETECTED };
	struct pair_datagram d;
	struct ike_chain c;

	for (size_t i = 0; i < 2; i++) {
		establish();
		roam(elsewhere);
		pair_deliver(&p, 0);
		p.n = 0;		/* another answer comes than the peer gave */
		c = pair_chain();
		ike_add_notify(&c, errors[i], bytes_of(NULL, 0));
		d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &c);
		pair_send(&p, &d);
		ck_assert_int_eq(p.refused[0], errors[i]);
		ck_assert_uint_eq(p.n, 1);	/* the DELETE */
		pair_pump(&p);
		ck_assert_int_eq(p.down[0], errors[i]);
		ck_assert_int_eq(p.down[1], IKE_CLOSED);
		pair_close(&p);
	}
}
END_TEST

/* What the peer thinks of a place that we have left is nothing to us. */
START_TEST(refusal_of_an_older_update_means_nothing)
{
	static const uint8_t third[4] = { 198, 51, 100, 77 };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;

	establish();
	roam(elsewhere);
	roam(third);
	pair_deliver(&p, 0);
	p.n = 0;
	c = pair_chain();
	ike_add_notify(&c, IKE_UNACCEPTABLE_ADDRESSES, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &c);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 0);
	ck_assert_uint_eq(p.n, 1);
	m = look_at(0, &d);
	ck_assert(says(&m, IKE_N_UPDATE_SA_ADDRESSES));
	pair_pump(&p);
	ck_assert(memcmp(pair_sa(&p, 1)->path.addr[1], third, 4) == 0);
	for (unsigned i = 0; i < 10; i++) {	/* and its check is sent again */
		pair_pass(&p, IKE_SECOND);
		pair_pump(&p);
	}
	expect_settled(pair_sa(&p, 1));
	pair_close(&p);
}
END_TEST

/* ---- and the IKE SA is rekeyed ---- */

static struct ike_sa *
established(unsigned end)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p.e[end]->sas, link)
		if (sa->state == IKE_STATE_ESTABLISHED)
			return sa;
	ck_abort_msg("end %u has no SA", end);
}

static void
rekey(unsigned end)
{
	ck_assert_int_eq(ike_rekey(p.e[end], p.now, established(end)->id), IKE_OK);
	pair_drain(&p, end);
}

static void
expect_both_moved(const uint8_t addr[4])
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ike_sa *sa = established(i);

		ck_assert_uint_eq(p.events[i][IKE_DOWN], 0);
		ck_assert_uint_eq(sa->n_children, 1);
		ck_assert(memcmp(sa->path.addr[i], addr, 4) == 0);
		expect_settled(sa);
		ck_assert_uint_ge(p.events[i][IKE_SET_PATH], 1);
	}
}

/* "Initiator" is who began the first IKE SA, RFC 4555 1.3, whoever rekeys it. */
START_TEST(initiator_stays_one_after_a_rekey)
{
	for (unsigned end = 0; end < 2; end++) {
		establish();
		rekey(end);
		pair_pump(&p);
		pair_pass(&p, 3 * IKE_SECOND);		/* the old one is deleted */
		pair_pump(&p);
		ck_assert_int_eq(established(0)->initiator, end == 0);
		for (unsigned i = 0; i < 2; i++)
			ck_assert(established(i)->mobile.on);
		roam(elsewhere);
		pair_pump(&p);
		expect_both_moved(elsewhere);
		pair_close(&p);
	}
}
END_TEST

/* What is said of the new path is said again on the new SA: the old one may have no
 * chance to finish. */
START_TEST(update_outlives_a_rekey)
{
	for (unsigned arrived = 0; arrived < 3; arrived++) {
		establish();
		roam(elsewhere);
		for (unsigned i = 0; i < arrived; i++)
			pair_deliver(&p, 0);
		p.n = 0;			/* what was on its way is lost */
		rekey(1);
		pair_pump(&p);
		for (unsigned i = 0; i < 20; i++) {
			pair_pass(&p, IKE_SECOND);
			pair_pump(&p);
		}
		expect_both_moved(elsewhere);
		pair_close(&p);
	}
}
END_TEST

START_TEST(replaced_sa_is_deleted_from_the_new_address)
{
	struct ike_counts counts;

	establish();
	rekey(0);
	pair_pump(&p);
	roam(elsewhere);
	pair_pump(&p);
	pair_pass(&p, 3 * IKE_SECOND);
	ck_assert_uint_ge(p.n, 1);
	for (unsigned i = 0; i < p.n; i++)
		if (p.queue[i].to == 1)
			ck_assert(memcmp(p.queue[i].path.addr[1], elsewhere, 4) == 0);
	pair_pump(&p);
	pair_pass(&p, 40 * IKE_SECOND);		/* nor does its last answer linger */
	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(p.e[i], &counts);
		ck_assert_uint_eq(counts.sas, 1);
	}
	expect_both_moved(elsewhere);
	pair_close(&p);
}
END_TEST

/* ---- the responder ---- */

START_TEST(wrong_cookie_ends_the_sa)			/* RFC 4555 3.7 */
{
	struct pair_datagram check, d;
	struct ike_message m;
	struct ike_notify n;
	struct ike_chain c;
	uint8_t cookie[65] = { 0 };

	for (unsigned row = 0; row < 5; row++) {
		establish();
		roam(elsewhere);
		pair_deliver(&p, 0);
		check = p.queue[1];
		p.n = 0;
		pair_unseal(&p, &check, &m);
		ck_assert(ike_find_notify(&m, IKE_N_COOKIE2, &n));
		ck_assert_uint_ge(n.data.len, 8);
		ck_assert_uint_le(n.data.len, 64);
		memcpy(cookie, n.data.p, n.data.len);
		c = pair_chain();
		if (row == 1)
			cookie[n.data.len - 1] ^= 1;
		if (row != 4)			/* none at all */
			ike_add_notify(&c, IKE_N_COOKIE2, bytes_of(cookie,
			    row == 2 ? n.data.len - 1 :
			    row == 3 ? n.data.len + 1 : n.data.len));
		d = pair_seal(&p, 0, INFORMATIONAL, IKE_FLAG_RESPONSE, 0, &c);
		pair_send(&p, &d);
		ck_assert_uint_eq(p.events[1][IKE_SET_PATH], row == 0);
		ck_assert_uint_eq(p.events[1][IKE_REFUSED], row != 0);
		ck_assert_msg(pair_state(&p, 1) == (row == 0 ? IKE_STATE_ESTABLISHED :
		    IKE_STATE_CLOSING), "row %u", row);
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

/* ---- ESP goes nowhere that the peer has not shown to be at ---- */

/* Where ESP of end 1 goes, by the last event of each kind. */
static struct { struct ike_path added, moved; ike_id child; } esp;

static void
hear_paths(void *arg, unsigned end, const struct ike_event *event)
{
	(void)arg;
	if (end != 1)
		return;
	if (event->type == IKE_IN_ADD)
		esp.child = event->child;
	if (event->type == IKE_OUT_ADD)
		esp.added = event->u.child->path;
	if (event->type == IKE_SET_PATH)
		esp.moved = event->u.child->path;
}

/* Somewhere else it says it is, and does not hear whether that is so. */
static void
move_unseen(void)
{
	roam(elsewhere);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 2);
	p.n = 1;			/* the answer goes on, the check is lost */
	pair_pump(&p);
	ck_assert(memcmp(pair_sa(&p, 1)->path.addr[1], elsewhere, 4) == 0);
}

static void
use_newest(void)
{
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &(struct ike_notice){
	    .type = IKE_FIRST_IN, .id = esp.child }), IKE_OK);
	pair_drain(&p, 1);
}

/* A Child SA that is made meanwhile, or whose traffic moves there meanwhile, sends where
 * the others do, until the cookie has come back from the new place. */
START_TEST(unproven_address_gets_no_esp)		/* RFC 4555 3.7 */
{
	static const uint8_t before[4] = { 192, 0, 2, 1 };
	struct ike_child_info info;

	for (unsigned row = 0; row < 2; row++) {
		make_setups();
		pair_open(&p, setup);
		p.hear = hear_paths;
		pair_up(&p);
		pair_pump(&p);
		if (row == 0)
			move_unseen();
		ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
		ck_assert_int_eq(ike_rekey(p.e[0], p.now, info.id), IKE_OK);
		pair_drain(&p, 0);
		pair_pump(&p);
		ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 2);
		if (row == 1)
			move_unseen();
		memset(&esp.added, 0, sizeof(esp.added));
		use_newest();
		ck_assert_msg(memcmp(esp.added.addr[1], before, 4) == 0, "row %u", row);
		ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 0);
		pair_pass(&p, IKE_SECOND);		/* the check goes out again */
		pair_pump(&p);
		ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 2);
		ck_assert(memcmp(esp.moved.addr[1], elsewhere, 4) == 0);
		pair_close(&p);
	}
}
END_TEST

/* The same when the IKE SA is rekeyed while the check is under way. */
START_TEST(unproven_address_stays_so_after_a_rekey)	/* RFC 4555 3.7 */
{
	static const uint8_t before[4] = { 192, 0, 2, 1 };
	struct ike_child_info info;

	make_setups();
	pair_open(&p, setup);
	p.hear = hear_paths;
	pair_up(&p);
	pair_pump(&p);
	move_unseen();
	rekey(0);
	while (p.n > 0) {			/* every check is lost */
		struct pair_datagram d;
		struct ike_message m;

		m = look_at(0, &d);
		if (says(&m, IKE_N_COOKIE2))
			memmove(p.queue, p.queue + 1, --p.n * sizeof(p.queue[0]));
		else
			pair_deliver(&p, 0);
	}
	ck_assert(ike_child_at(p.e[0], established(0)->id, 0, &info));
	ck_assert_int_eq(ike_rekey(p.e[0], p.now, info.id), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	memset(&esp.added, 0, sizeof(esp.added));
	use_newest();
	ck_assert(memcmp(esp.added.addr[1], before, 4) == 0);
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 0);
	for (unsigned i = 0; i < 5; i++) {
		pair_pass(&p, IKE_SECOND);
		pair_pump(&p);
	}
	ck_assert_uint_gt(p.events[1][IKE_SET_PATH], 0);
	ck_assert(memcmp(esp.moved.addr[1], elsewhere, 4) == 0);
	expect_settled(established(1));
	pair_close(&p);
}
END_TEST

/* A peer that cannot be reached where it says it is ends as one that is dead. */
START_TEST(unanswered_check_ends_the_sa)		/* RFC 4555 3.7 */
{
	establish();
	roam(elsewhere);
	pair_deliver(&p, 0);
	p.n = 0;
	pair_pass(&p, 300 * IKE_SECOND);
	p.n = 0;
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 0);
	ck_assert_int_eq(p.down[1], IKE_TIMEOUT);
	pair_close(&p);
}
END_TEST

/* Whoever has begun the SA moves it, and nobody moves one that did not agree to that. */
START_TEST(update_from_the_wrong_side_means_nothing)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	struct ike_path path;
	struct ike_message m;

	establish();
	ike_add_notify(&c, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &c);
	memcpy(d.path.addr[1], elsewhere, 4);
	pair_send(&p, &d);
	m = look_at(0, &d);
	ck_assert_uint_eq(m.n, 0);		/* answered as any request */
	expect_at(0, 1, (uint8_t[]){ 192, 0, 2, 2 }, 0);
	p.n = 0;
	pair_close(&p);

	make_setups();
	setup[0].mobike = false;
	open_pair();
	path = from_elsewhere();
	c = pair_chain();
	ike_add_notify(&c, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
	ike_add_notify(&c, IKE_N_COOKIE2, bytes_of("12345678", 8));
	m = answer_to(&c, &path, &d);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(forged_update_changes_nothing)
{
	struct pair_datagram good, d;
	uint64_t before;

	establish();
	roam(elsewhere);
	good = p.queue[0];
	p.n = 0;
	before = sa_digest(pair_sa(&p, 1));
	for (size_t i = 0; i < good.len; i++) {
		d = good;
		d.data[i] ^= 1;
		pair_send(&p, &d);
		d = good;
		d.len = i;
		pair_send(&p, &d);
	}
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	p.n = 0;
	pair_send(&p, &good);
	ck_assert_uint_eq(p.n, 2);
	/* A copy of it from a third place moves nothing. */
	pair_pump(&p);
	pair_pass(&p, IKE_SECOND);
	before = sa_digest(pair_sa(&p, 1));
	good.path.addr[1][3] = 99;
	pair_send(&p, &good);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* With MOBIKE nobody is followed unasked (T81): so a path can be tried. */
START_TEST(stray_packets_move_nothing)			/* RFC 4555 3.8 */
{
	struct ike_notice notice = { .type = IKE_MOVED };
	struct ike_chain c;
	struct ike_path path;
	struct pair_datagram d;

	establish();
	path = from_elsewhere();
	c = pair_chain();
	(void)answer_to(&c, &path, &d);
	ck_assert(memcmp(d.path.addr[0], elsewhere, 4) == 0);	/* answered there */
	expect_at(1, 1, (uint8_t[]){ 192, 0, 2, 1 }, 0);
	notice.id = LIST_FIRST(&pair_sa(&p, 1)->children)->id;
	notice.path = path;
	ck_assert_int_eq(ike_tell(p.e[1], p.now, &notice), IKE_DROP);
	expect_at(1, 1, (uint8_t[]){ 192, 0, 2, 1 }, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(unusable_path_is_refused)			/* RFC 4555 3.5 */
{
	static const struct { uint8_t first; uint16_t from, to; bool good; } rows[] = {
		{ 198, 4500, 4500, true }, { 198, 31000, 4500, true },
		{ 198, 0, 4500, false }, { 224, 4500, 4500, false },
		{ 255, 4500, 4500, false }, { 0, 4500, 4500, false },
		{ 198, 4500, 500, false },	/* no ESP in UDP there */
	};
	struct pair_datagram d;
	struct ike_path path;
	struct ike_message m;
	struct ike_notify n;
	struct ike_chain c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		establish();
		path = from_elsewhere();
		path.addr[1][0] = rows[i].first;
		path.port[1] = rows[i].from;
		path.port[0] = rows[i].to;
		c = pair_chain();
		ike_add_notify(&c, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
		ike_add_notify(&c, IKE_N_COOKIE2, bytes_of("unpredictable", 13));
		m = answer_to(&c, &path, &d);
		ck_assert_msg(says(&m, IKE_UNACCEPTABLE_ADDRESSES) == !rows[i].good,
		    "row %zu", i);
		ck_assert(ike_find_notify(&m, IKE_N_COOKIE2, &n));
		ck_assert(bytes_equal(n.data, bytes_of("unpredictable", 13)));
		ck_assert_uint_eq(p.n, rows[i].good ? 2 : 1);
		ck_assert_int_eq(rows[i].good,
		    memcmp(pair_sa(&p, 1)->path.addr[1], path.addr[1], 4) == 0);
		ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

/* 3.7: returned as it is, in any INFORMATIONAL exchange. */
START_TEST(cookie2_is_returned)
{
	uint8_t cookie[80];
	struct pair_datagram d;
	struct ike_message m;
	struct ike_notify n;
	struct ike_chain c;

	memset(cookie, 0xa5, sizeof(cookie));
	for (size_t len = 0; len <= sizeof(cookie); len++) {
		establish();
		c = pair_chain();
		ike_add_notify(&c, IKE_N_COOKIE2, bytes_of(cookie, len));
		m = answer_to(&c, NULL, &d);
		if (len < 8 || len > 64) {	/* 4.2.5, T91 */
			ck_assert(says(&m, IKE_INVALID_SYNTAX));
			ck_assert_int_eq(p.down[1], IKE_INVALID_SYNTAX);
		} else {
			ck_assert_uint_eq(m.n, 1);
			ck_assert(ike_find_notify(&m, IKE_N_COOKIE2, &n));
			ck_assert(bytes_equal(n.data, bytes_of(cookie, len)));
		}
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

START_TEST(nat_prohibition_is_checked)			/* RFC 4555 3.9 */
{
	uint8_t data[37] = { 192, 0, 2, 1, 192, 0, 2, 2, 4500 >> 8, 4500 & 0xff,
		4500 >> 8, 4500 & 0xff };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;

	for (size_t len = 0; len <= sizeof(data); len++) {
		establish();
		c = pair_chain();
		ike_add_notify(&c, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
		ike_add_notify(&c, IKE_N_NO_NATS_ALLOWED, bytes_of(data, len));
		m = answer_to(&c, NULL, &d);
		ck_assert_msg(says(&m, IKE_INVALID_SYNTAX) == (len != 12 && len != 36),
		    "%zu octets", len);
		ck_assert_int_eq(says(&m, IKE_UNEXPECTED_NAT_DETECTED), len == 36);
		p.n = 0;
		pair_close(&p);
	}
	for (unsigned i = 0; i < 12; i++) {
		struct ike_path path;

		establish();
		path = from_elsewhere();
		memcpy(data, elsewhere, 4);
		data[i] ^= 1;
		c = pair_chain();
		ike_add_notify(&c, IKE_N_UPDATE_SA_ADDRESSES, bytes_of(NULL, 0));
		ike_add_notify(&c, IKE_N_ADDITIONAL_IP4_ADDRESS, bytes_of(second, 4));
		ike_add_notify(&c, IKE_N_NO_NATS_ALLOWED, bytes_of(data, 12));
		m = answer_to(&c, &path, &d);
		ck_assert_uint_eq(m.n, 1);
		ck_assert(says(&m, IKE_UNEXPECTED_NAT_DETECTED));
		expect_at(1, 1, (uint8_t[]){ 192, 0, 2, 1 }, 0);
		ck_assert_uint_eq(pair_sa(&p, 1)->mobile.n, 0);
		ck_assert_uint_eq(p.n, 1);
		data[i] ^= 1;
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

/* ---- additional addresses ---- */

START_TEST(additional_addresses_are_kept_within_bounds)	/* RFC 4555 3.4, 3.6 */
{
	static const uint8_t current[4] = { 192, 0, 2, 1 };
	uint8_t address[16] = { 203, 0, 113, 0 };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;

	establish();
	c = pair_chain();
	for (unsigned i = 0; i < 40; i++) {
		address[3] = (uint8_t)i;
		ike_add_notify(&c, IKE_N_ADDITIONAL_IP4_ADDRESS, bytes_of(address, 4));
	}
	m = answer_to(&c, NULL, &d);
	ck_assert_uint_eq(m.n, 0);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 1)->mobile.n, IKE_MOST_ADDRESSES);

	c = pair_chain();		/* replaces them; the path's own is none */
	ike_add_notify(&c, IKE_N_ADDITIONAL_IP4_ADDRESS, bytes_of(current, 4));
	ike_add_notify(&c, IKE_N_ADDITIONAL_IP6_ADDRESS, bytes_of(address, 16));
	(void)answer_to(&c, NULL, &d);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 1)->mobile.n, 1);
	ck_assert_uint_eq(pair_sa(&p, 1)->mobile.others[0].family, 6);

	c = pair_chain();			/* says nothing of them */
	(void)answer_to(&c, NULL, &d);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 1)->mobile.n, 1);

	c = pair_chain();
	ike_add_notify(&c, IKE_N_NO_ADDITIONAL_ADDRESSES, bytes_of(NULL, 0));
	(void)answer_to(&c, NULL, &d);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 1)->mobile.n, 0);
	pair_close(&p);
}
END_TEST

START_TEST(additional_address_of_another_length)	/* T91 */
{
	static const uint16_t types[] = { IKE_N_ADDITIONAL_IP4_ADDRESS,
		IKE_N_ADDITIONAL_IP6_ADDRESS };
	uint8_t address[20] = { 203, 0, 113, 1 };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;

	for (unsigned t = 0; t < 2; t++)
		for (size_t len = 0; len <= sizeof(address); len++) {
			establish();
			c = pair_chain();
			ike_add_notify(&c, types[t], bytes_of(address, len));
			m = answer_to(&c, NULL, &d);
			ck_assert_msg(says(&m, IKE_INVALID_SYNTAX) ==
			    (len != (t == 0 ? 4u : 16u)), "type %u, %zu octets", t, len);
			p.n = 0;
			pair_close(&p);
		}
}
END_TEST

/* End 1 tells of a second address. */
static void
tell_second(void)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;

	ike_add_notify(&c, IKE_N_ADDITIONAL_IP4_ADDRESS, bytes_of(second, 4));
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &c);
	pair_sa(&p, 1)->window.next_request++;
	pair_send(&p, &d);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 0)->mobile.n, 1);
}

/* A peer that falls silent where it was is tried where it may be. */
START_TEST(silent_peer_is_tried_at_its_other_address)
{
	make_setups();
	setup[0].dpd = DPD;
	open_pair();
	tell_second();
	memcpy(p.where[0].addr[1], second, 4);
	pair_pass(&p, DPD + 5 * IKE_SECOND);
	ck_assert_str_eq(p.asked[0], "192.0.2.22");
	ck_assert(memcmp(p.queue[p.n - 1].path.addr[0], second, 4) == 0);
	expect_at(0, 1, second, 1);
	/* The one that was left is not forgotten. */
	ck_assert_uint_eq(pair_sa(&p, 0)->mobile.n, 1);
	ck_assert(memcmp(pair_sa(&p, 0)->mobile.others[0].octets,
	    (uint8_t[]){ 192, 0, 2, 2 }, 4) == 0);
	memmove(p.queue, &p.queue[p.n - 1], sizeof(p.queue[0]));
	p.n = 1;				/* only there somebody hears */
	pair_pump(&p);
	ck_assert(memcmp(pair_sa(&p, 1)->path.addr[0], second, 4) == 0);
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 1);
	ck_assert_uint_eq(p.events[0][IKE_DOWN] + p.events[1][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

/* However many addresses it has, a dead peer is dead when its time is over. */
START_TEST(dead_peer_with_many_addresses_is_dead_in_time)
{
	struct ike_chain c = pair_chain();
	uint8_t address[4] = { 203, 0, 113, 0 };
	struct pair_datagram d;

	make_setups();
	setup[0].dpd = DPD;
	open_pair();
	for (unsigned i = 0; i < IKE_MOST_ADDRESSES; i++) {
		address[3] = (uint8_t)i;
		ike_add_notify(&c, IKE_N_ADDITIONAL_IP4_ADDRESS, bytes_of(address, 4));
	}
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &c);
	pair_send(&p, &d);
	p.n = 0;
	for (unsigned i = 0; i < 300 && p.events[0][IKE_DOWN] == 0; i++) {
		memcpy(p.where[0].addr[1], address, 4);
		p.where[0].addr[1][3] = (uint8_t)(i / 4);
		pair_pass(&p, IKE_SECOND);
		p.n = 0;
	}
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	ck_assert_int_le(p.now, DPD + 150 * IKE_SECOND);
	ck_assert_int_ge(p.now, DPD + 100 * IKE_SECOND);
	ck_assert_uint_le(p.events[0][IKE_ASK_RESOLVE], 12);
	pair_close(&p);
}
END_TEST

/* No way to the address that is in use: the others are asked for, each once. */
START_TEST(roaming_tries_the_other_addresses)
{
	unsigned before;

	establish();
	tell_second();
	before = p.events[0][IKE_ASK_RESOLVE];
	p.where[0].family = 0;
	ike_roam(p.e[0], p.now);
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], before + 2);
	ck_assert_str_eq(p.asked[0], "192.0.2.22");
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

/* The peer takes its other addresses back while we look for a way to them. */
START_TEST(addresses_taken_back_are_not_tried)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	unsigned before;

	establish();
	tell_second();
	p.hold_answers[0] = true;
	p.where[0].family = 0;
	ike_roam(p.e[0], p.now);
	pair_drain(&p, 0);
	ike_add_notify(&c, IKE_N_NO_ADDITIONAL_ADDRESSES, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 1, &c);
	pair_sa(&p, 1)->window.next_request++;
	pair_send(&p, &d);
	p.n = 0;
	ck_assert_uint_eq(pair_sa(&p, 0)->mobile.n, 0);
	before = p.events[0][IKE_ASK_RESOLVE];
	pair_answer(&p, 0, IKE_UNRESOLVED);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], before);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* ---- NATs ---- */

/* A NAT before end 0: what it sends seems to come from there. */
static uint16_t mapping;

static void
cross(void)
{
	while (p.n > 0) {
		if (p.queue[0].to == 1)
			p.queue[0].path.port[1] = mapping;
		else
			p.queue[0].path.port[0] = 4500;
		pair_deliver(&p, 0);
	}
}

static void
establish_behind_nat(void)
{
	make_setups();
	for (unsigned i = 0; i < 2; i++)
		setup[i].encap = IKE_ENCAP_AUTO;
	setup[0].dpd = DPD;
	pair_open(&p, setup);
	pair_up(&p);
	mapping = 31000;
	p.queue[0].path.port[1] = 30500;
	pair_deliver(&p, 0);
	p.queue[0].path.port[0] = 500;
	pair_deliver(&p, 0);
	cross();
	ck_assert(pair_sa(&p, 0)->nat_here && pair_sa(&p, 1)->nat_there);
	ck_assert_uint_eq(pair_sa(&p, 1)->path.port[1], 31000);
}

START_TEST(liveness_check_finds_a_new_mapping)		/* RFC 4555 3.8 */
{
	struct pair_datagram d;
	struct ike_message m;
	unsigned sent;

	establish_behind_nat();
	pair_pass(&p, DPD);
	m = look_at(0, &d);
	ck_assert(says(&m, IKE_N_NAT_DETECTION_SOURCE_IP));
	ck_assert(says(&m, IKE_N_NAT_DETECTION_DESTINATION_IP));
	ck_assert(!says(&m, IKE_N_UPDATE_SA_ADDRESSES));
	cross();				/* the first one learns the mapping */
	ck_assert(pair_sa(&p, 0)->mobile.mapped);
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 0);
	sent = pair_sa(&p, 0)->window.next_request;
	pair_pass(&p, DPD);
	cross();				/* it is still the same */
	ck_assert_uint_eq(pair_sa(&p, 0)->window.next_request, sent + 1);

	mapping = 32000;
	pair_pass(&p, DPD);
	cross();
	ck_assert_uint_eq(pair_sa(&p, 0)->window.next_request, sent + 3);
	ck_assert_uint_eq(pair_sa(&p, 1)->path.port[1], 32000);
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 1);
	ck_assert_uint_eq(p.events[0][IKE_SET_PATH], 0);
	pair_close(&p);
}
END_TEST

START_TEST(liveness_check_without_a_nat_is_empty)
{
	struct pair_datagram d;
	struct ike_message m;

	make_setups();
	setup[0].dpd = setup[1].dpd = DPD;
	open_pair();
	pair_pass(&p, DPD);
	for (unsigned i = 0; i < 2; i++) {
		m = look_at(i, &d);
		ck_assert_uint_eq(m.n, 0);
	}
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* From a place without a NAT to one behind a NAT, and back: encapsulation comes, stays,
 * and the keepalives go with the NAT. */
START_TEST(nat_on_the_new_path_turns_encapsulation_on)	/* RFC 4555 3.5 */
{
	struct ike_child_info info;

	make_setups();
	for (unsigned i = 0; i < 2; i++)
		setup[i].encap = IKE_ENCAP_AUTO;
	open_pair();
	for (unsigned i = 0; i < 2; i++)
		ck_assert(!pair_sa(&p, i)->encap);
	roam((uint8_t[]){ 10, 9, 8, 7 });
	mapping = 31000;
	cross();
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(pair_sa(&p, i)->encap);
		ck_assert(ike_child_at(p.e[i], pair_sa(&p, i)->id, 0, &info));
		ck_assert(info.child.encap);
	}
	ck_assert(pair_sa(&p, 0)->nat_here && !pair_sa(&p, 0)->nat_there);
	ck_assert(pair_sa(&p, 1)->nat_there && !pair_sa(&p, 1)->nat_here);
	ck_assert_uint_eq(p.events[0][IKE_SET_PATH], 2);	/* and when it knew */
	ck_assert_uint_eq(p.events[1][IKE_SET_PATH], 1);
	pair_pass(&p, 20 * IKE_SECOND);
	ck_assert_uint_eq(p.keepalives[0], 1);

	mapping = 4500;
	roam(elsewhere);
	cross();
	ck_assert(!pair_sa(&p, 0)->nat_here && pair_sa(&p, 0)->encap);
	pair_pass(&p, 60 * IKE_SECOND);
	ck_assert_uint_eq(p.keepalives[0], 1);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("mobike");

	tcase_add_test(t, mobike_is_agreed_in_auth);
	tcase_add_test(t, mobike_comes_by_port_4500);
	tcase_add_test(t, roaming_moves_the_sa_and_its_children);
	tcase_add_test(t, roaming_without_a_change_says_nothing);
	tcase_add_test(t, only_the_original_initiator_roams);
	tcase_add_test(t, outstanding_request_takes_the_new_path);
	tcase_add_test(t, second_change_makes_a_second_update);
	tcase_add_test(t, roaming_asks_once_at_a_time);
	tcase_add_test(t, refused_update_ends_the_sa);
	tcase_add_test(t, refusal_of_an_older_update_means_nothing);
	tcase_add_test(t, initiator_stays_one_after_a_rekey);
	tcase_add_test(t, update_outlives_a_rekey);
	tcase_add_test(t, replaced_sa_is_deleted_from_the_new_address);
	tcase_add_test(t, wrong_cookie_ends_the_sa);
	tcase_add_test(t, unproven_address_gets_no_esp);
	tcase_add_test(t, unproven_address_stays_so_after_a_rekey);
	tcase_add_test(t, unanswered_check_ends_the_sa);
	tcase_add_test(t, update_from_the_wrong_side_means_nothing);
	tcase_add_test(t, forged_update_changes_nothing);
	tcase_add_test(t, stray_packets_move_nothing);
	tcase_add_test(t, unusable_path_is_refused);
	tcase_add_test(t, cookie2_is_returned);
	tcase_add_test(t, nat_prohibition_is_checked);
	tcase_add_test(t, additional_addresses_are_kept_within_bounds);
	tcase_add_test(t, additional_address_of_another_length);
	tcase_add_test(t, silent_peer_is_tried_at_its_other_address);
	tcase_add_test(t, dead_peer_with_many_addresses_is_dead_in_time);
	tcase_add_test(t, roaming_tries_the_other_addresses);
	tcase_add_test(t, addresses_taken_back_are_not_tried);
	tcase_add_test(t, liveness_check_finds_a_new_mapping);
	tcase_add_test(t, liveness_check_without_a_nat_is_empty);
	tcase_add_test(t, nat_on_the_new_path_turns_encapsulation_on);
	return run_tests("mobike", t);
}
