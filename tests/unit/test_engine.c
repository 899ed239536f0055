/* The engine, two of them back to back: exchanges, windows, refusals (ids: RFC 7296 cases). */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

static void
open_pair(void)
{
	pair_setups(setup, child);
	pair_open(&p, setup);
}

static void
establish(void)
{
	open_pair();
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_sa(&p, i)->state, IKE_STATE_ESTABLISHED);
}

static enum ike_state
state(unsigned end)
{
	return pair_sa(&p, end)->state;
}

static struct ike_chain
chain(void)
{
	static uint8_t buf[4096];

	return ike_chain(buf, sizeof(buf));
}

static void
deliver(const struct pair_datagram *d)
{
	pair_inject(&p, d->to, &d->path, d->data, d->len);
}

/* ---- set-up ---- */

START_TEST(setup_installs_one_child_on_both)
{
	establish();
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(p.events[i][IKE_UP], 2);	/* IKE SA, Child SA */
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 1);
		ck_assert_uint_eq(p.events[i][IKE_OUT_ADD], 1);
		ck_assert_uint_eq(p.events[i][IKE_REFUSED], 0);
	}
	ck_assert_uint_eq(p.events[1][IKE_ASK_ADMIT], 1);
	ck_assert(pair_sa(&p, 0)->encap && pair_sa(&p, 1)->encap);
	pair_close(&p);
}
END_TEST

START_TEST(retransmission_keeps_octets_and_schedule)	/* T01 */
{
	const struct ike_retransmission *s;
	ike_time at, expected = 0, interval;
	struct pair_datagram first;

	open_pair();
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

	establish();
	empty = chain();
	first = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &empty);
	deliver(&first);
	ck_assert_uint_eq(p.n, 1);
	again = p.queue[0];
	p.n = 0;
	pair_pass(&p, 3600 * IKE_SECOND);
	ck_assert_uint_eq(p.n, 0);		/* never on its own */
	deliver(&first);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(bytes_equal(bytes_of(p.queue[0].data, p.queue[0].len),
	    bytes_of(again.data, again.len)));
	deliver(&first);			/* at once: rate-limited */
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	before = pair_digest(pair_sa(&p, 1));
	pair_pass(&p, IKE_SECOND);
	first.data[first.len - 1] ^= 1;		/* another ICV: forged */
	deliver(&first);
	ck_assert_uint_eq(p.n, 0);
	ck_assert(pair_digest(pair_sa(&p, 1)) == before);
	pair_close(&p);
}
END_TEST

START_TEST(older_request_is_dropped)			/* T05 */
{
	struct ike_chain empty;
	struct pair_datagram two, three;

	establish();
	empty = chain();
	two = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &empty);
	three = pair_seal(&p, 0, INFORMATIONAL, 0, 3, &empty);
	deliver(&two);
	deliver(&three);
	p.n = 0;
	pair_pass(&p, IKE_SECOND);
	deliver(&two);
	ck_assert_uint_eq(p.n, 0);
	deliver(&three);
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

	establish();
	empty = chain();
	before = pair_digest(pair_sa(&p, 1));
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 3, &empty);
	deliver(&d);
	ck_assert_uint_eq(p.n, 0);
	ck_assert(pair_digest(pair_sa(&p, 1)) == before);
	pair_close(&p);
}
END_TEST

START_TEST(request_during_a_question_is_swallowed)	/* T03 */
{
	struct pair_datagram auth;

	open_pair();
	p.hold_answers[1] = true;
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	for (unsigned i = 0; i < 4; i++)
		deliver(&auth);
	ck_assert_uint_eq(p.events[1][IKE_ASK_CHECK], 1);
	pair_answer(&p, 1, IKE_OK);
	ck_assert_uint_eq(p.events[1][IKE_ASK_ADMIT], 1);
	p.hold_answers[1] = false;
	pair_answer(&p, 1, IKE_OK);
	p.queue[0] = p.queue[--p.n];
	pair_pump(&p);
	ck_assert_int_eq(state(0), IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(p.events[1][IKE_IN_ADD], 1);
	pair_close(&p);
}
END_TEST

START_TEST(question_without_answer_times_out)
{
	open_pair();
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

START_TEST(init_again_gets_the_same_answer)		/* T07 */
{
	struct pair_datagram request, answer;

	open_pair();
	pair_up(&p);
	request = p.queue[0];
	pair_deliver(&p, 0);
	answer = p.queue[0];
	pair_pass(&p, IKE_SECOND / 5);
	deliver(&request);
	ck_assert_uint_eq(p.n, 2);
	ck_assert(bytes_equal(bytes_of(p.queue[1].data, p.queue[1].len),
	    bytes_of(answer.data, answer.len)));
	p.n = 1;
	pair_pump(&p);
	ck_assert_int_eq(state(0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(state(1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(init_with_one_spi_from_two_peers)		/* T06 */
{
	struct pair_datagram request, other;
	struct ike_counts c;

	open_pair();
	pair_up(&p);
	other = request = p.queue[0];
	p.n = 0;
	other.path.port[1] = 1025;
	deliver(&request);
	deliver(&other);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.half_open, 2);
	ck_assert_uint_eq(p.n, 2);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(response_with_another_id_is_dropped)		/* T09 */
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t before;

	establish();
	empty = chain();
	ike_down(p.e[0], p.now, pair_sa(&p, 0)->id);
	pair_drain(&p, 0);
	before = pair_digest(pair_sa(&p, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 3, &empty);
	deliver(&d);
	ck_assert_int_eq(state(0), IKE_STATE_CLOSING);
	ck_assert(pair_digest(pair_sa(&p, 0)) == before);
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* ---- header, versions, unknown things ---- */

START_TEST(major_version_3_is_refused)			/* T16 */
{
	struct ike_counts c;

	open_pair();
	pair_up(&p);
	p.queue[0].data[17] = 0x30;
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].data[17], 0x20);
	ck_assert_uint_eq(bytes_load64(p.queue[0].data + 8), 0);
	ck_assert_uint_eq(bytes_load16(p.queue[0].data + 34), IKE_INVALID_MAJOR_VERSION);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(minor_version_and_reserved_flags_pass)	/* T17 */
{
	open_pair();
	pair_up(&p);
	p.queue[0].data[17] = 0x2f;
	p.queue[0].data[19] |= 0xd7;
	p.queue[0].data[19] &= (uint8_t)~IKE_FLAG_RESPONSE;
	pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].data[17], 0x20);
	ck_assert_uint_eq(p.queue[0].data[19], IKE_FLAG_RESPONSE);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(critical_unknown_payload_leaves_no_state)	/* T20 */
{
	struct pair_datagram d;
	struct ike_counts c;

	open_pair();
	pair_up(&p);
	d = p.queue[0];
	p.n = 0;
	memmove(d.data + 32, d.data + 28, d.len - 28);	/* a payload in front */
	memcpy(d.data + 28, (uint8_t[]){ d.data[16], 0x80, 0, 4 }, 4);
	d.data[16] = 200;
	d.len += 4;
	bytes_store32(d.data + 24, (uint32_t)d.len);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(bytes_load16(p.queue[0].data + 34),
	    IKE_UNSUPPORTED_CRITICAL_PAYLOAD);
	ck_assert_uint_eq(p.queue[0].data[36], 200);
	ck_assert_uint_eq(p.queue[0].len, 37);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(established_sa_ignores_unprotected_messages)	/* T24, T42 */
{
	uint8_t notify[36] = { 0 };
	struct pair_datagram init;
	uint64_t before[2];

	open_pair();
	pair_up(&p);
	init = p.queue[0];
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		before[i] = pair_digest(pair_sa(&p, i));
	for (unsigned end = 0; end < 2; end++) {
		struct ike_sa *sa = pair_sa(&p, end);

		bytes_store64(notify, sa->spi_i);
		bytes_store64(notify + 8, sa->spi_r);
		notify[16] = IKE_PAYLOAD_NOTIFY;
		notify[17] = 0x20;
		bytes_store32(notify + 24, 36);
		memcpy(notify + 28, (uint8_t[]){ 0, 0, 0, 8, 0, 0, 0, 24 }, 8);
		for (unsigned exchange = 0; exchange < 256; exchange++)
			for (unsigned flags = 0; flags < 256; flags += 8) {
				notify[18] = (uint8_t)exchange;
				notify[19] = (uint8_t)flags;
				pair_inject(&p, end, &sa->path, notify, sizeof(notify));
			}
	}
	for (unsigned i = 0; i < 2; i++)
		ck_assert(pair_digest(pair_sa(&p, i)) == before[i]);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, IKE_SECOND);
	bytes_store64(init.data + 8, pair_sa(&p, 1)->spi_r);	/* IKE_SA_INIT with our SPIs */
	deliver(&init);
	ck_assert(pair_digest(pair_sa(&p, 1)) == before[1]);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

/* Every octet of IKE_AUTH altered in turn: dropped, and the real one succeeds (T45). */
START_TEST(forged_auth_changes_nothing)
{
	struct pair_datagram auth;
	uint64_t before;

	open_pair();
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	before = pair_digest(pair_sa(&p, 1));
	for (size_t i = 0; i < auth.len; i++) {
		struct pair_datagram forged = auth;

		forged.data[i] ^= 0x40;
		deliver(&forged);
		ck_assert_uint_eq(p.n, 1);
		ck_assert(pair_digest(pair_sa(&p, 1)) == before);
	}
	for (size_t len = 0; len < auth.len; len++)
		pair_inject(&p, 1, &auth.path, auth.data, len);
	ck_assert(pair_digest(pair_sa(&p, 1)) == before);
	pair_pump(&p);
	ck_assert_int_eq(state(1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(auth_must_come_before_anything_else)		/* T44 */
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t before;

	open_pair();
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);		/* the initiator has its keys; IKE_AUTH is held */
	before = pair_digest(pair_sa(&p, 1));
	empty = chain();
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 1, &empty);
	deliver(&d);
	d = pair_seal(&p, 0, CREATE_CHILD_SA, 0, 1, &empty);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(pair_digest(pair_sa(&p, 1)) == before);
	pair_pump(&p);
	ck_assert_int_eq(state(1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* ---- COOKIE and INVALID_KE_PAYLOAD, as initiator ---- */

static struct pair_datagram
init_notify(const struct pair_datagram *request, uint16_t type, struct bytes data)
{
	struct pair_datagram d = { .to = 0 };
	struct ike_header h = { .spi_i = bytes_load64(request->data), .version = 0x20,
	    .exchange = IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE };
	struct ike_chain c = chain();
	struct ike_writer w = ike_writer(d.data, sizeof(d.data));

	ike_add_notify(&c, type, data);
	ike_write_message(&w, &h, &c);
	d.len = w.len;
	d.path = request->path;
	memcpy(d.path.addr[0], request->path.addr[1], 16);
	memcpy(d.path.addr[1], request->path.addr[0], 16);
	return d;
}

START_TEST(cookie_comes_first_and_changes_nothing_else)	/* T27, T28, T33 */
{
	struct pair_datagram first, again, cookie;
	size_t grown = 8 + 5;

	open_pair();
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("stale", 5));
	deliver(&cookie);
	p.n = 0;
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("bread", 5));
	deliver(&cookie);
	ck_assert_uint_eq(p.n, 1);
	again = p.queue[0];
	ck_assert_uint_eq(again.len, first.len + grown);
	ck_assert_uint_eq(again.data[16], IKE_PAYLOAD_NOTIFY);
	ck_assert_int_eq(memcmp(again.data, first.data, 16), 0);
	ck_assert_int_eq(memcmp(again.data + 36, "bread", 5), 0);
	ck_assert_int_eq(memcmp(again.data + 28 + grown, first.data + 28, first.len - 28), 0);
	pair_pump(&p);			/* AUTH covers the message with the cookie */
	ck_assert_int_eq(state(0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(cookie_rounds_are_bounded)			/* T28 */
{
	struct pair_datagram first, cookie;
	unsigned answers = 0;

	open_pair();
	pair_up(&p);
	first = p.queue[0];
	for (uint8_t i = 0; i < 50; i++) {
		p.n = 0;
		cookie = init_notify(&first, IKE_N_COOKIE, bytes_of(&i, 1));
		deliver(&cookie);
		answers += p.n;
	}
	ck_assert_uint_eq(answers, 5);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(invalid_ke_leads_to_that_group)		/* T30 */
{
	struct pair_datagram first, retry;
	uint8_t group[2] = { 0, IKE_KE_ECP_256 };

	open_pair();
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	retry = init_notify(&first, IKE_INVALID_KE_PAYLOAD, bytes_of(group, 2));
	deliver(&retry);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].len, first.len + 32);	/* 64 octets for 32 */
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(invalid_ke_of_another_kind_is_ignored)	/* T31 */
{
	static const struct { uint8_t data[3]; size_t len; } rows[] = {
		{ { 0, IKE_KE_CURVE25519 }, 2 }, { { 0, IKE_KE_MODP_1024 }, 2 },
		{ { 0x12, 0x34 }, 2 }, { { 0 }, 0 }, { { 19 }, 1 }, { { 0, 19, 0 }, 3 },
	};
	struct pair_datagram first, retry;

	open_pair();
	pair_up(&p);
	first = p.queue[0];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p.n = 0;
		retry = init_notify(&first, IKE_INVALID_KE_PAYLOAD,
		    bytes_of(rows[i].data, rows[i].len));
		deliver(&retry);
		ck_assert_msg(p.n == 0, "row %zu was answered", i);
	}
	pair_pass(&p, 600000);
	ck_assert_uint_eq(p.n, 1);		/* still sending the first */
	ck_assert_int_eq(memcmp(p.queue[0].data, first.data, first.len), 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(unprotected_refusal_is_remembered)		/* T42 */
{
	struct pair_datagram first, refusal;

	open_pair();
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	refusal = init_notify(&first, IKE_NO_PROPOSAL_CHOSEN, bytes_of(NULL, 0));
	deliver(&refusal);
	deliver(&refusal);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);	/* shown at once, once */
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 0);
	pair_pass(&p, 4 * IKE_SECOND);
	ck_assert_uint_ge(p.n, 2);			/* and goes on */
	p.n = 0;
	pair_pass(&p, 2 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 1);
	ck_assert_int_eq(p.down[0], IKE_NO_PROPOSAL_CHOSEN);
	pair_close(&p);
}
END_TEST

START_TEST(unprotected_refusal_yields_to_the_answer)	/* T42 */
{
	struct pair_datagram refusal;

	open_pair();
	pair_up(&p);
	refusal = init_notify(&p.queue[0], IKE_NO_PROPOSAL_CHOSEN, bytes_of(NULL, 0));
	deliver(&refusal);
	pair_pump(&p);
	pair_pass(&p, 10 * IKE_SECOND);
	ck_assert_int_eq(state(0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* ---- refusals ---- */

START_TEST(wrong_secret_leaves_nothing)			/* T39 */
{
	open_pair();
	p.secret[1] = "something else";
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(p.down[i], IKE_AUTHENTICATION_FAILED);
		ck_assert_int_eq(p.refused[i], IKE_AUTHENTICATION_FAILED);
		ck_assert_uint_eq(p.events[i][IKE_REFUSED], 1);
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 0);
	}
	pair_close(&p);
}
END_TEST

START_TEST(auth_failed_response_is_repeated)		/* T39: the answer may be lost */
{
	struct pair_datagram auth;

	open_pair();
	p.secret[1] = "something else";
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	pair_deliver(&p, 0);
	p.n = 0;			/* lost */
	pair_pass(&p, IKE_SECOND / 4);
	deliver(&auth);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	pair_close(&p);
}
END_TEST

START_TEST(initiator_that_refuses_tells)		/* T40 */
{
	open_pair();
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	p.secret[0] = "I do not believe you";	/* from here: its CHECK fails */
	pair_deliver(&p, 0);
	ck_assert_int_eq(state(1), IKE_STATE_ESTABLISHED);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 0);
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
	pair_close(&p);
}
END_TEST

START_TEST(child_refused_leaves_the_ike_sa)		/* T41 */
{
	static const char *const other[1] = { "aes256-sha256" };
	static const char *const mine[1] = { "chacha20poly1305" };

	pair_setups(setup, child);
	setup[0].esp = (struct ike_texts){ mine, 1 };
	setup[1].esp = (struct ike_texts){ other, 1 };
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(state(i), IKE_STATE_ESTABLISHED);
		ck_assert_int_eq(p.refused[i], IKE_NO_PROPOSAL_CHOSEN);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
	}
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "aes256-sha256"));
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "chacha20poly1305"));
	pair_close(&p);
}
END_TEST

START_TEST(selectors_are_narrowed)			/* T47 */
{
	static const char *const part[1] = { "10.1.7.0/24" };
	struct ike_child_info info;
	char text[ESP_RANGE_TEXT];

	pair_setups(setup, child);
	child[1].remote = (struct ike_texts){ part, 1 };
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(ike_child_at(p.e[i], pair_sa(&p, i)->id, 0, &info));
		ck_assert_uint_eq(info.child.n_selectors, 1);
		esp_range_print(i == 0 ? &info.child.selectors[0].local :
		    &info.child.selectors[0].remote, text, sizeof(text));
		ck_assert_str_eq(text, "10.1.7.0/24");
	}
	pair_close(&p);
}
END_TEST

START_TEST(unknown_identity_is_explained)
{
	pair_setups(setup, child);
	setup[1].remote_id = "somebody.example";
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_str_eq(p.refusal[1],
	    "no connection knows this peer|somebody.example|a.example|remote.id");
	pair_close(&p);
}
END_TEST

START_TEST(proposals_without_common_leave_no_state)
{
	static const char *const mine[1] = { "aes256gcm16-prfsha384-x25519" };
	static const char *const other[1] = { "aes256gcm16-prfsha384-ecp256" };
	struct ike_counts c;

	pair_setups(setup, child);
	setup[0].ike = (struct ike_texts){ mine, 1 };
	setup[1].ike = (struct ike_texts){ other, 1 };
	pair_open(&p, setup);
	pair_up(&p);
	pair_deliver(&p, 0);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 0);
	ck_assert_ptr_nonnull(strstr(p.refusal[1],
	    "aes256gcm16-prfsha384-ecp256|aes256gcm16-prfsha384-x25519|ike"));
	pair_pump(&p);
	pair_close(&p);
}
END_TEST

/* ---- INFORMATIONAL ---- */

START_TEST(liveness_is_answered)
{
	struct ike_chain empty;
	struct pair_datagram d;

	establish();
	empty = chain();
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &empty);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].data[19], IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_the_sa_ends_both)
{
	establish();
	ike_down(p.e[1], p.now, p.connection[1]);
	pair_drain(&p, 1);
	pair_pump(&p);
	ck_assert_int_eq(p.down[1], IKE_CANCELLED);
	ck_assert_int_eq(p.down[0], IKE_CLOSED);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(p.events[i][IKE_OUT_REMOVE], 1);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 1);
	}
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_the_sa_crosses)			/* T73 */
{
	establish();
	for (unsigned i = 0; i < 2; i++) {
		ike_down(p.e[i], p.now, p.connection[i]);
		pair_drain(&p, i);
	}
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(p.down[i], IKE_CANCELLED);
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_a_child_keeps_the_sa)
{
	struct ike_child_info info;

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ck_assert_int_eq(ike_down(p.e[0], p.now, info.id), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(state(i), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 1);
	}
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_a_child_crosses)			/* T69 */
{
	struct ike_child_info info;

	establish();
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(ike_child_at(p.e[i], pair_sa(&p, i)->id, 0, &info));
		ike_down(p.e[i], p.now, info.id);
		pair_drain(&p, i);
	}
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 1);
		ck_assert_uint_eq(p.events[i][IKE_OUT_REMOVE], 1);
	}
	pair_close(&p);
}
END_TEST

/* How many Delete payloads the answer to a DELETE of these SPIs holds. */
static size_t
answer_len(const uint32_t *spis, uint16_t n, uint32_t id)
{
	struct ike_chain c = chain();
	struct pair_datagram d;
	size_t len;

	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_ESP, spis, n);
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, id, &c);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	len = p.queue[0].len;
	p.n = 0;
	return len;
}

START_TEST(delete_of_unknown_spis)			/* T75 */
{
	struct ike_child_info info;
	uint32_t spis[3];
	size_t empty;

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	spis[0] = info.child.spi_in + 1;
	empty = answer_len(spis, 1, 2);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	spis[1] = spis[2] = info.child.spi_in;		/* one of them, named twice */
	ck_assert_uint_eq(answer_len(spis, 3, 3), empty + 4 + 8);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 0);
	pair_close(&p);
}
END_TEST

START_TEST(delete_response_without_spi_is_enough)	/* T76 */
{
	struct ike_child_info info;
	struct ike_chain empty;
	struct pair_datagram d;

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	p.n = 0;
	empty = chain();
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &empty);
	deliver(&d);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 0);
	ck_assert_uint_eq(p.events[0][IKE_IN_REMOVE], 1);
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_the_sa_ends_the_message)		/* T77 */
{
	struct ike_child_info info;
	struct ike_chain c = chain();
	struct pair_datagram d;

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	c = chain();
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_IKE, NULL, 0);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_ESP, &info.child.spi_in, 1);
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &c);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(malformed_request_is_fatal)			/* T91 */
{
	struct ike_chain c;
	struct pair_datagram d;

	establish();
	c = chain();
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_write8(&c.w, IKE_PROTOCOL_ESP);
	ike_write8(&c.w, 4);
	ike_write16(&c.w, 65535);			/* with no SPI behind it */
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &c);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(p.down[1], IKE_INVALID_SYNTAX);
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
	pair_pass(&p, IKE_SECOND);
	p.n = 0;
	deliver(&d);					/* the response was cached */
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(create_child_is_refused_for_now)
{
	struct ike_chain c;
	struct pair_datagram d;

	establish();
	c = chain();
	ike_chain_open(&c, IKE_PAYLOAD_SA);
	ike_build_sa(&c.w, &pair_sa(&p, 0)->connection->esp, bytes_of("\1\2\3\4", 4), true);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_NONCE);
	ike_write_zero(&c.w, 32);
	ike_chain_close(&c);
	d = pair_seal(&p, 0, CREATE_CHILD_SA, 0, 2, &c);
	deliver(&d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(state(1), IKE_STATE_ESTABLISHED);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* ---- peers ---- */

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

	open_pair();
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

	open_pair();
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

START_TEST(initial_contact_removes_older_sas)		/* T43 */
{
	struct ike_options options = { 0 };
	struct ike_fault faults[4];
	struct ike_connection *c;
	ike_id old;
	unsigned n;

	establish();
	old = pair_sa(&p, 1)->id;
	options = p.e[0]->options;		/* the peer restarts and has forgotten all */
	ike_free(p.e[0]);
	memset(p.events[0], 0, sizeof(p.events[0]));
	p.e[0] = ike_new(&options);
	c = ike_connection_new(&setup[0], faults, 4, &n);
	p.connection[0] = ike_put(p.e[0], p.now, 0, c);
	ike_connection_free(c);
	pair_pass(&p, IKE_SECOND);
	pair_up(&p);
	pair_pump(&p);
	ck_assert(pair_sa(&p, 1)->id != old);
	ck_assert_ptr_null(ike_table_sa(p.e[1], old));
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	pair_close(&p);
}
END_TEST

START_TEST(not_installed_child_is_deleted)
{
	struct ike_child_info info;
	struct ike_notice notice = { .type = IKE_NOT_INSTALLED };

	establish();
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	notice.id = info.id;
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &notice), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
	pair_close(&p);
}
END_TEST

START_TEST(encapsulation_follows_detection)		/* T78, T94 */
{
	static const struct {
		enum ike_encap a, b;
		bool encap;
	} rows[] = {
		{ IKE_ENCAP_FORCE, IKE_ENCAP_AUTO, true },
		{ IKE_ENCAP_AUTO, IKE_ENCAP_FORCE, true },
		{ IKE_ENCAP_AUTO, IKE_ENCAP_AUTO, false },
		{ IKE_ENCAP_NEVER, IKE_ENCAP_FORCE, false },
		{ IKE_ENCAP_FORCE, IKE_ENCAP_NEVER, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pair_setups(setup, child);
		setup[0].encap = rows[i].a;
		setup[1].encap = rows[i].b;
		pair_open(&p, setup);
		pair_up(&p);
		pair_pump(&p);
		for (unsigned end = 0; end < 2; end++) {
			ck_assert_msg(pair_sa(&p, end)->encap == rows[i].encap, "row %zu", i);
			ck_assert_uint_eq(pair_sa(&p, end)->path.port[0],
			    rows[i].encap ? 4500 : 500);
		}
		pair_close(&p);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		setup_installs_one_child_on_both, retransmission_keeps_octets_and_schedule,
		request_again_gets_the_cached_response, older_request_is_dropped,
		request_beyond_the_window_is_not_answered,
		request_during_a_question_is_swallowed, question_without_answer_times_out,
		init_again_gets_the_same_answer, init_with_one_spi_from_two_peers,
		response_with_another_id_is_dropped, major_version_3_is_refused,
		minor_version_and_reserved_flags_pass, critical_unknown_payload_leaves_no_state,
		established_sa_ignores_unprotected_messages, forged_auth_changes_nothing,
		auth_must_come_before_anything_else, cookie_comes_first_and_changes_nothing_else,
		cookie_rounds_are_bounded, invalid_ke_leads_to_that_group,
		invalid_ke_of_another_kind_is_ignored, unprotected_refusal_is_remembered,
		unprotected_refusal_yields_to_the_answer, wrong_secret_leaves_nothing,
		auth_failed_response_is_repeated, initiator_that_refuses_tells,
		child_refused_leaves_the_ike_sa, selectors_are_narrowed,
		unknown_identity_is_explained, proposals_without_common_leave_no_state,
		liveness_is_answered, delete_of_the_sa_ends_both, delete_of_the_sa_crosses,
		delete_of_a_child_keeps_the_sa, delete_of_a_child_crosses,
		delete_of_unknown_spis, delete_response_without_spi_is_enough,
		delete_of_the_sa_ends_the_message, malformed_request_is_fatal,
		create_child_is_refused_for_now, always_tries_again_with_back_off,
		always_wants_a_child_too, acquire_is_answered_truly,
		acquire_is_not_heard_too_often,
		initial_contact_removes_older_sas, not_installed_child_is_deleted,
		encapsulation_follows_detection,
	};
	TCase *c = tcase_create("engine");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("engine", c);
}
