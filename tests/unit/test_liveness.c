/* Liveness checks and keepalives, RFC 7296 2.4, RFC 3948 4 (ids: RFC 7296 cases). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

#define DPD (30 * IKE_SECOND)

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];

/* Only `a`, end 0, ever asks. */
static void
establish(void)
{
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
}

static void
open_asking(void)
{
	pair_setups(setup, child);
	setup[0].dpd = DPD;
	establish();
}

static unsigned
asked(void)
{
	return p.events[0][IKE_ASK_USAGE];
}

static void
expect_probe(unsigned index)
{
	struct pair_datagram d = p.queue[index];
	struct ike_message m;

	ck_assert_uint_gt(p.n, index);
	ck_assert_uint_eq(d.to, 1);
	ck_assert_uint_eq(d.data[18], INFORMATIONAL);
	pair_unseal(&p, &d, &m);
	ck_assert_uint_eq(m.n, 0);
}

START_TEST(silent_peer_is_asked_once)			/* T83 */
{
	open_asking();
	pair_pass(&p, DPD - 1);
	ck_assert_uint_eq(asked(), 0);
	ck_assert_uint_eq(p.n, 0);
	for (unsigned round = 1; round <= 3; round++) {
		pair_pass(&p, 1);
		ck_assert_uint_eq(asked(), round);
		ck_assert_uint_eq(p.n, 1);
		expect_probe(0);
		pair_pump(&p);
		pair_pass(&p, DPD - 1);		/* answered: alive */
		ck_assert_uint_eq(p.n, 0);
	}
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

START_TEST(esp_is_a_sign_of_life)			/* T83 */
{
	ike_time span = DPD;

	open_asking();
	for (unsigned round = 1; round <= 3; round++) {
		p.heard[0] = p.now + span - IKE_SECOND;
		pair_pass(&p, span);
		ck_assert_uint_eq(asked(), round);
		ck_assert_uint_eq(p.n, 0);
		span = DPD - IKE_SECOND;	/* after what was heard */
	}
	pair_pass(&p, span - 1);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, 1);
	ck_assert_uint_eq(p.n, 1);
	expect_probe(0);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* A data path whose clock runs ahead does not put the check off for longer. */
START_TEST(esp_heard_in_the_future_counts_as_now)
{
	open_asking();
	p.heard[0] = 1000 * DPD;
	pair_pass(&p, DPD);
	ck_assert_uint_eq(p.n, 0);
	p.heard[0] = 0;
	pair_pass(&p, DPD);
	ck_assert_uint_eq(asked(), 2);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

START_TEST(ike_is_a_sign_of_life_in_either_direction)
{
	struct pair_datagram d;
	struct ike_chain empty;
	ike_time at;

	open_asking();
	at = pair_sa(&p, 0)->live.check_at;
	pair_pass(&p, 20 * IKE_SECOND);
	empty = pair_chain();
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &empty);
	pair_send(&p, &d);
	/* No timer is touched for a message. */
	ck_assert_int_eq(pair_sa(&p, 0)->live.check_at, at);
	p.n = 0;
	pair_pass(&p, DPD - 1);
	ck_assert_uint_eq(asked(), 0);
	pair_pass(&p, 1);
	ck_assert_uint_eq(asked(), 1);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* Forged, repeated and old messages are no sign of life. */
START_TEST(only_what_is_proven_is_a_sign_of_life)
{
	struct pair_datagram d, bad;
	struct ike_chain empty;
	uint64_t before;

	open_asking();
	empty = pair_chain();
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &empty);
	pair_send(&p, &d);
	pair_pass(&p, 20 * IKE_SECOND);
	p.n = 0;
	before = sa_digest(pair_sa(&p, 0));
	empty = pair_chain();
	bad = pair_seal(&p, 1, INFORMATIONAL, 0, 1, &empty);
	for (size_t i = 0; i < bad.len; i++) {
		bad.data[i] ^= 1;
		pair_send(&p, &bad);
		bad.data[i] ^= 1;
	}
	for (bad.len--; bad.len > 0; bad.len--)
		pair_send(&p, &bad);
	pair_send(&p, &d);			/* gets its cached response */
	ck_assert(sa_digest(pair_sa(&p, 0)) == before);
	p.n = 0;
	pair_pass(&p, 10 * IKE_SECOND);
	ck_assert_uint_eq(asked(), 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

START_TEST(probe_waits_for_the_answer_to_usage)
{
	open_asking();
	p.hold_answers[0] = true;
	pair_pass(&p, DPD);
	ck_assert_uint_eq(asked(), 1);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, 29 * IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(asked(), 1);
	pair_answer(&p, 0, IKE_OK);
	ck_assert_uint_eq(p.n, 1);
	expect_probe(0);
	pair_pump(&p);
	/* An answer that never comes, or is none, is as if nothing was heard. */
	pair_pass(&p, DPD + 29 * IKE_SECOND);
	ck_assert_uint_eq(asked(), 2);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, IKE_SECOND);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_pass(&p, DPD);
	p.heard[0] = p.now;
	pair_answer(&p, 0, IKE_NO_MEMORY);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* The question takes no place in the window. */
START_TEST(other_requests_go_on_beside_the_question)
{
	struct ike_child_info info;
	struct ike_counts counts;

	open_asking();
	p.hold_answers[0] = true;
	pair_pass(&p, DPD);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 1);		/* its DELETE */
	pair_answer(&p, 0, IKE_OK);
	ck_assert_uint_eq(p.n, 1);		/* which is as good as a probe */
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 0);
	/* And the SA may end with it open. */
	pair_pass(&p, DPD);
	ck_assert_uint_eq(asked(), 2);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	ike_read_counts(p.e[0], &counts);
	ck_assert_uint_eq(counts.questions, 0);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
	pair_close(&p);
}
END_TEST

START_TEST(outstanding_request_is_the_probe)		/* T83 */
{
	struct ike_child_info info;

	open_asking();
	pair_pass(&p, DPD - IKE_SECOND / 10);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	pair_pass(&p, IKE_SECOND / 10);
	ck_assert_uint_eq(asked(), 0);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	pair_pass(&p, DPD - 1);
	ck_assert_uint_eq(asked(), 0);
	pair_pass(&p, 1);
	ck_assert_uint_eq(asked(), 1);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* When the last copy of a request has had its time. */
static ike_time
schedule(const struct ike_retransmission *s)
{
	ike_time sum = 0, interval = s->first;

	for (unsigned i = 0; i < s->tries; i++) {
		sum += interval;
		interval = interval * s->factor_percent / 100;
		if (interval > s->most)
			interval = s->most;
	}
	return sum;
}

START_TEST(dead_peer_is_handled_as_configured)		/* T83 */
{
	static const struct { enum ike_on_dead what; bool again; } rows[] = {
		{ IKE_ON_DEAD_RESTART, true }, { IKE_ON_DEAD_DROP, false },
		{ IKE_ON_DEAD_ON_DEMAND, false }, { IKE_ON_DEAD_BY_START, false },
	};
	struct ike_counts counts;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pair_setups(setup, child);
		setup[0].dpd = DPD;
		setup[0].on_dead = rows[i].what;
		establish();
		pair_pass(&p, DPD + schedule(&setup[0].established) - 1);
		ck_assert_uint_eq(p.n, setup[0].established.tries);
		ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
		pair_pass(&p, 1);
		ck_assert_uint_eq(p.events[0][IKE_DOWN], 2);	/* IKE SA, Child SA */
		ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
		ck_assert_uint_eq(asked(), 1);
		ck_assert_msg(
		    p.n == setup[0].established.tries + (rows[i].again ? 1u : 0u),
		    "row %zu: %u datagrams", i, p.n);
		ike_read_counts(p.e[0], &counts);
		ck_assert_uint_eq(counts.sas, rows[i].again);
		p.n = 0;
		if (!rows[i].again) {
			ck_assert_uint_eq(counts.timers, 0);
			pair_pass(&p, 100 * DPD);
			ck_assert_uint_eq(p.n, 0);
		}
		pair_close(&p);
	}
}
END_TEST

START_TEST(nobody_asks_with_dpd_0)
{
	struct ike_counts counts;

	pair_establish(&p);
	ike_read_counts(p.e[0], &counts);
	ck_assert_uint_eq(counts.timers, 0);
	pair_pass(&p, 1000 * DPD);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(asked(), 0);
	pair_close(&p);
}
END_TEST

/* ---- unprotected hints ---- */

/* An INFORMATIONAL response that holds one notify, as anybody could make it. */
static struct pair_datagram
hint(uint16_t type)
{
	const struct ike_sa *sa = pair_sa(&p, 0);
	struct ike_header h = { .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = 0x20,
	    .exchange = INFORMATIONAL, .flags = IKE_FLAG_RESPONSE, .message_id = 2 };
	struct pair_datagram d = { .to = 0, .path = sa->path };
	struct ike_writer w = ike_writer(d.data, sizeof(d.data));
	struct ike_chain c = pair_chain();

	ike_add_notify(&c, type, bytes_of(NULL, 0));
	ike_write_message(&w, &h, &c);
	d.len = w.len;
	return d;
}

/* Others than the check may want to know. */
START_TEST(answer_to_a_probe_starts_no_checks_with_dpd_0)
{
	pair_setups(setup, child);
	setup[0].dpd = setup[1].dpd = 0;
	establish();
	pair_pass(&p, IKE_SECOND);
	ike_liveness_begin(p.e[0], pair_sa(&p, 0));
	pair_drain(&p, 0);
	pair_pump(&p);
	pair_pass(&p, 100 * IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(asked(), 0);
	pair_close(&p);
}
END_TEST

START_TEST(hint_starts_a_check_once_in_a_while)		/* T42 */
{
	struct pair_datagram d;

	open_asking();
	d = hint(IKE_INVALID_IKE_SPI);
	for (unsigned i = 0; i < 1000; i++)
		pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	expect_probe(0);
	pair_pump(&p);
	pair_pass(&p, 29 * IKE_SECOND);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 0);
	p.heard[0] = p.now;
	pair_pass(&p, IKE_SECOND);		/* the check itself finds signs of life */
	ck_assert_uint_eq(p.n, 0);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	expect_probe(0);
	pair_pump(&p);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

START_TEST(hint_that_is_none_changes_nothing)		/* T42 */
{
	struct pair_datagram d, good;
	uint64_t before;

	open_asking();
	before = sa_digest(pair_sa(&p, 0));
	good = hint(IKE_INVALID_IKE_SPI);
	for (uint16_t type = 0; type < 60; type++)
		if (type != IKE_INVALID_IKE_SPI) {
			d = hint(type);
			pair_send(&p, &d);
		}
	for (d = good, d.len--; d.len > 0; d.len--) {
		pair_send(&p, &d);
		if (d.len >= 28) {		/* and with a length that agrees */
			bytes_store32(d.data + 24, (uint32_t)d.len);
			pair_send(&p, &d);
		}
	}
	for (unsigned i = 0; i < 16; i++) {	/* of another SA, or of none */
		d = good;
		d.data[i] ^= 1;
		pair_send(&p, &d);
	}
	ck_assert(sa_digest(pair_sa(&p, 0)) == before);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, DPD);			/* the probe goes out: nothing to add */
	ck_assert_uint_eq(p.n, 1);
	before = sa_digest(pair_sa(&p, 0));
	pair_send(&p, &good);
	ck_assert(sa_digest(pair_sa(&p, 0)) == before);
	pair_pump(&p);
	pair_close(&p);

	pair_establish(&p);			/* dpd is 0 */
	before = sa_digest(pair_sa(&p, 0));
	d = hint(IKE_INVALID_IKE_SPI);
	pair_send(&p, &d);
	ck_assert(sa_digest(pair_sa(&p, 0)) == before);
	pair_close(&p);
}
END_TEST

/* ---- keepalives ---- */

/* A NAT before end 0, which changes its port towards end 1. */
static void
establish_behind_nat(void)
{
	pair_setups(setup, child);
	setup[0].encap = setup[1].encap = IKE_ENCAP_AUTO;
	setup[1].remote_address = "any";
	pair_open(&p, setup);
	pair_up(&p);
	while (p.n > 0) {
		p.queue[0].path.port[p.queue[0].to == 1 ? 1 : 0] =
		    p.queue[0].to == 1 ? 31000 : pair_sa(&p, 0)->path.port[0];
		pair_deliver(&p, 0);
	}
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert(pair_sa(&p, 0)->nat_here && !pair_sa(&p, 0)->nat_there);
	ck_assert(pair_sa(&p, 1)->nat_there && !pair_sa(&p, 1)->nat_here);
}

START_TEST(keepalives_go_out_behind_a_nat)
{
	struct ike_child_info info;

	establish_behind_nat();
	pair_pass(&p, 20 * IKE_SECOND - 1);
	ck_assert_uint_eq(p.keepalives[0], 0);
	for (unsigned i = 1; i <= 3; i++) {
		pair_pass(&p, 1);
		ck_assert_uint_eq(p.keepalives[0], i);
		pair_pass(&p, 20 * IKE_SECOND - 1);
	}
	ck_assert_uint_eq(p.keepalives[1], 0);	/* the other end is not behind one */
	ck_assert_uint_eq(p.n, 0);
	/* What is sent otherwise keeps the NAT open as well. */
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	p.queue[0].path.port[1] = 31000;
	pair_deliver(&p, 0);
	p.queue[0].path.port[0] = 4500;
	pair_deliver(&p, 0);
	pair_pass(&p, 20 * IKE_SECOND - 1);
	ck_assert_uint_eq(p.keepalives[0], 3);
	pair_pass(&p, 1);
	ck_assert_uint_eq(p.keepalives[0], 4);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	p.queue[0].path.port[1] = 31000;
	pair_pump(&p);
	pair_pass(&p, 60 * IKE_SECOND);
	ck_assert_uint_eq(p.keepalives[0], 4);
	pair_close(&p);
}
END_TEST

START_TEST(no_keepalives_for_a_nat_that_is_faked)	/* T94 */
{
	pair_setups(setup, child);
	setup[0].encap = setup[1].encap = IKE_ENCAP_FORCE;
	establish();
	for (unsigned i = 0; i < 2; i++)
		ck_assert(pair_sa(&p, i)->encap && pair_sa(&p, i)->nat_there);
	pair_pass(&p, 600 * IKE_SECOND);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(p.keepalives[i], 0);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("liveness");

	tcase_add_test(t, silent_peer_is_asked_once);
	tcase_add_test(t, esp_is_a_sign_of_life);
	tcase_add_test(t, esp_heard_in_the_future_counts_as_now);
	tcase_add_test(t, ike_is_a_sign_of_life_in_either_direction);
	tcase_add_test(t, only_what_is_proven_is_a_sign_of_life);
	tcase_add_test(t, probe_waits_for_the_answer_to_usage);
	tcase_add_test(t, other_requests_go_on_beside_the_question);
	tcase_add_test(t, outstanding_request_is_the_probe);
	tcase_add_test(t, dead_peer_is_handled_as_configured);
	tcase_add_test(t, nobody_asks_with_dpd_0);
	tcase_add_test(t, answer_to_a_probe_starts_no_checks_with_dpd_0);
	tcase_add_test(t, hint_starts_a_check_once_in_a_while);
	tcase_add_test(t, hint_that_is_none_changes_nothing);
	tcase_add_test(t, keepalives_go_out_behind_a_nat);
	tcase_add_test(t, no_keepalives_for_a_nat_that_is_faked);
	return run_tests("liveness", t);
}
