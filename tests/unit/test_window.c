/* Message ids, cached responses, retransmission: RFC 7296 2.1 - 2.3 (ids: RFC 7296
 * cases). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

START_TEST(retransmission_keeps_octets_and_schedule)	/* T01 */
{
	const struct ike_retransmission *s;
	ike_time at, expected = 0, interval;
	struct pair_datagram first;
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	pair_open(&p, setup);
	s = &setup[0].setting_up;
	pair_up(&p);
	ck_assert_uint_eq(p.n, 1);
	first = p.queue[0];
	interval = s->first;
	for (unsigned i = 1; i < s->tries; i++) {
		p.n = 0;
		ck_assert(ike_next_deadline(p.e[0], &at));
		expected += interval;
		ck_assert_int_eq(at, expected);
		pair_pass(&p, at - p.now);
		ck_assert_uint_eq(p.n, 1);
		ck_assert(bytes_equal(bytes_of(p.queue[0].data, p.queue[0].len),
		    bytes_of(first.data, first.len)));
		interval = interval * s->factor_percent / 100;
		if (interval > s->most)
			interval = s->most;
	}
	p.n = 0;
	pair_pass(&p, s->most + 1);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 1);
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	pair_close(&p);
}
END_TEST

START_TEST(request_again_gets_the_cached_response)	/* T02, T04, T05 */
{
	struct ike_chain empty;
	struct pair_datagram first, again;
	uint64_t before;

	pair_establish(&p);
	empty = pair_chain();
	first = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &empty);
	pair_send(&p, &first);
	ck_assert_uint_eq(p.n, 1);
	again = p.queue[0];
	p.n = 0;
	pair_pass(&p, 3600 * IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);		/* never on its own */
	pair_send(&p, &first);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(bytes_equal(bytes_of(p.queue[0].data, p.queue[0].len),
	    bytes_of(again.data, again.len)));
	pair_send(&p, &first);			/* at once: rate-limited */
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	before = sa_digest(pair_sa(&p, 1));
	pair_pass(&p, IKE_SECOND);
	first.data[first.len - 1] ^= 1;		/* another ICV: forged */
	pair_send(&p, &first);
	ck_assert_uint_eq(p.n, 0);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_close(&p);
}
END_TEST

START_TEST(older_request_is_dropped)			/* T05 */
{
	struct ike_chain empty;
	struct pair_datagram two, three;

	pair_establish(&p);
	empty = pair_chain();
	two = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &empty);
	three = pair_seal(&p, 0, INFORMATIONAL, 0, 3, &empty);
	pair_send(&p, &two);
	pair_send(&p, &three);
	p.n = 0;
	pair_pass(&p, IKE_SECOND);
	pair_send(&p, &two);
	ck_assert_uint_eq(p.n, 0);
	pair_send(&p, &three);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(request_beyond_the_window_is_not_answered)	/* T10 */
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t before;

	pair_establish(&p);
	empty = pair_chain();
	before = sa_digest(pair_sa(&p, 1));
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 3, &empty);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 0);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_close(&p);
}
END_TEST

START_TEST(request_during_a_question_is_swallowed)	/* T03 */
{
	struct pair_datagram auth;

	pair_start(&p);
	p.hold_answers[1] = true;
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	for (unsigned i = 0; i < 4; i++)
		pair_send(&p, &auth);
	ck_assert_uint_eq(p.events[1][IKE_ASK_CHECK], 1);
	pair_answer(&p, 1, IKE_OK);
	ck_assert_uint_eq(p.events[1][IKE_ASK_ADMIT], 1);
	p.hold_answers[1] = false;
	pair_answer(&p, 1, IKE_OK);
	p.queue[0] = p.queue[--p.n];
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(p.events[1][IKE_IN_ADD], 1);
	pair_close(&p);
}
END_TEST

START_TEST(question_without_answer_times_out)
{
	pair_start(&p);
	p.hold_answers[0] = true;
	pair_up(&p);
	ck_assert_uint_eq(p.events[0][IKE_ASK_RESOLVE], 1);
	pair_pass(&p, 31 * IKE_SECOND);
	ck_assert_int_eq(p.down[0], IKE_UNRESOLVED);
	ck_assert_int_eq(ike_answer_question(p.e[0], p.now, p.question[0],
	    &(struct ike_answer){ .error = IKE_OK }), IKE_GONE);
	pair_close(&p);
}
END_TEST

START_TEST(response_with_another_id_is_dropped)		/* T09 */
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t before;

	pair_establish(&p);
	empty = pair_chain();
	ike_down(p.e[0], p.now, pair_sa(&p, 0)->id);
	pair_drain(&p, 0);
	before = sa_digest(pair_sa(&p, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 3, &empty);
	pair_send(&p, &d);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_CLOSING);
	ck_assert(sa_digest(pair_sa(&p, 0)) == before);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

START_TEST(response_again_goes_where_the_request_came_from)	/* T02 */
{
	struct ike_chain empty;
	struct pair_datagram d;

	pair_establish(&p);
	empty = pair_chain();
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &empty);
	pair_send(&p, &d);
	p.n = 0;
	pair_pass(&p, IKE_SECOND);
	d.path.port[1] = 4567;
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].path.port[0], 4567);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(delete_again_is_answered_after_the_end)	/* T73 */
{
	struct pair_datagram d;
	struct ike_counts c;

	pair_establish(&p);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	d = p.queue[0];
	pair_deliver(&p, 0);
	p.n = 0;					/* the answer is lost */
	pair_pass(&p, IKE_SECOND / 4);
	p.n = 0;
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
	pair_pass(&p, 31 * IKE_SECOND);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 0);
	pair_close(&p);
}
END_TEST

/* An AEAD's IV that comes back gives the key away (RFC 5282 3.1). */
START_TEST(iv_never_comes_back)
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t iv[6];

	pair_start(&p);
	pair_up(&p);
	for (unsigned i = 0; i < 3; i++)
		pair_deliver(&p, 0);
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_uint_eq(p.n, 1);
		ck_assert_uint_eq(p.queue[0].data[16], IKE_PAYLOAD_SK);
		iv[i] = bytes_load64(p.queue[0].data + 32);
		for (uint32_t k = 0; k < i; k++)
			ck_assert(iv[k] != iv[i]);
		pair_pump(&p);
		empty = pair_chain();
		d = pair_seal(&p, 0, INFORMATIONAL, 0, 2 + i, &empty);
		pair_send(&p, &d);
	}
	p.n = 0;
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		retransmission_keeps_octets_and_schedule,
		request_again_gets_the_cached_response, older_request_is_dropped,
		request_beyond_the_window_is_not_answered,
		request_during_a_question_is_swallowed,
		question_without_answer_times_out, response_with_another_id_is_dropped,
		response_again_goes_where_the_request_came_from,
		delete_again_is_answered_after_the_end, iv_never_comes_back,
	};
	TCase *c = tcase_create("window");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("window", c);
}
