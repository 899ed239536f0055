/* IKE_SA_INIT in both roles, and what may not touch an SA from outside (ids: RFC 7296
 * cases). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

START_TEST(init_again_gets_the_same_answer)		/* T07 */
{
	struct pair_datagram request, answer;

	pair_start(&p);
	pair_up(&p);
	request = p.queue[0];
	pair_deliver(&p, 0);
	answer = p.queue[0];
	pair_pass(&p, IKE_SECOND / 5);
	pair_send(&p, &request);
	ck_assert_uint_eq(p.n, 2);
	ck_assert(bytes_equal(bytes_of(p.queue[1].data, p.queue[1].len),
	    bytes_of(answer.data, answer.len)));
	p.n = 1;
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(init_with_one_spi_from_two_peers)		/* T06 */
{
	struct pair_datagram request, other;
	struct ike_counts c;

	pair_start(&p);
	pair_up(&p);
	other = request = p.queue[0];
	p.n = 0;
	other.path.port[1] = 1025;
	pair_send(&p, &request);
	pair_send(&p, &other);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.half_open, 2);
	ck_assert_uint_eq(p.n, 2);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(major_version_3_is_refused)			/* T16 */
{
	struct ike_counts c;

	pair_start(&p);
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
	pair_start(&p);
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

	pair_start(&p);
	pair_up(&p);
	d = p.queue[0];
	p.n = 0;
	memmove(d.data + 32, d.data + 28, d.len - 28);	/* a payload in front */
	memcpy(d.data + 28, (uint8_t[]){ d.data[16], 0x80, 0, 4 }, 4);
	d.data[16] = 200;
	d.len += 4;
	bytes_store32(d.data + 24, (uint32_t)d.len);
	pair_send(&p, &d);
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

	pair_start(&p);
	pair_up(&p);
	init = p.queue[0];
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		before[i] = sa_digest(pair_sa(&p, i));
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
				if (p.n > 0) /* the I flag named no SPI of ours */
					ck_assert_uint_eq(
					    bytes_load16(p.queue[0].data + 34),
					    IKE_INVALID_IKE_SPI);
				p.n = 0;
			}
	}
	for (unsigned i = 0; i < 2; i++)
		ck_assert(sa_digest(pair_sa(&p, i)) == before[i]);
	ck_assert_uint_eq(p.n, 0);
	pair_pass(&p, IKE_SECOND);
	bytes_store64(init.data + 8, pair_sa(&p, 1)->spi_r); /* with our SPIs */
	pair_send(&p, &init);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before[1]);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

static struct pair_datagram
init_notify(const struct pair_datagram *request, uint16_t type, struct bytes data)
{
	struct pair_datagram d = { .to = 0 };
	struct ike_header h = { .spi_i = bytes_load64(request->data), .version = 0x20,
	    .exchange = IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE };
	struct ike_chain c = pair_chain();
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

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("stale", 5));
	pair_send(&p, &cookie);
	p.n = 0;
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("bread", 5));
	pair_send(&p, &cookie);
	ck_assert_uint_eq(p.n, 1);
	again = p.queue[0];
	ck_assert_uint_eq(again.len, first.len + grown);
	ck_assert_uint_eq(again.data[16], IKE_PAYLOAD_NOTIFY);
	ck_assert_int_eq(memcmp(again.data, first.data, 16), 0);
	ck_assert_int_eq(memcmp(again.data + 36, "bread", 5), 0);
	ck_assert_int_eq(
	    memcmp(again.data + 28 + grown, first.data + 28, first.len - 28), 0);
	pair_pump(&p);			/* AUTH covers the message with the cookie */
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(cookie_rounds_are_bounded)			/* T28 */
{
	struct pair_datagram first, cookie;
	unsigned answers = 0;

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	for (uint8_t i = 0; i < 50; i++) {
		p.n = 0;
		cookie = init_notify(&first, IKE_N_COOKIE, bytes_of(&i, 1));
		pair_send(&p, &cookie);
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

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	retry = init_notify(&first, IKE_INVALID_KE_PAYLOAD, bytes_of(group, 2));
	pair_send(&p, &retry);
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

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p.n = 0;
		retry = init_notify(&first, IKE_INVALID_KE_PAYLOAD,
		    bytes_of(rows[i].data, rows[i].len));
		pair_send(&p, &retry);
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

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	p.n = 0;
	refusal = init_notify(&first, IKE_NO_PROPOSAL_CHOSEN, bytes_of(NULL, 0));
	pair_send(&p, &refusal);
	pair_send(&p, &refusal);
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

	pair_start(&p);
	pair_up(&p);
	refusal = init_notify(&p.queue[0], IKE_NO_PROPOSAL_CHOSEN, bytes_of(NULL, 0));
	pair_send(&p, &refusal);
	pair_pump(&p);
	pair_pass(&p, 10 * IKE_SECOND);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ike_down(p.e[0], p.now, p.connection[0]); /* and is no reason for anything more */
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
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
			ck_assert_msg(
			    pair_sa(&p, end)->encap == rows[i].encap, "row %zu", i);
			ck_assert_uint_eq(pair_sa(&p, end)->path.port[0],
			    rows[i].encap ? 4500 : 500);
		}
		pair_close(&p);
	}
}
END_TEST

/* The same COOKIE again is a copy of the same answer: no round, and no sending out of
 * turn. */
START_TEST(cookie_again_is_no_round)			/* T28 */
{
	struct pair_datagram first, cookie;

	pair_start(&p);
	pair_up(&p);
	first = p.queue[0];
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("bread", 5));
	for (unsigned i = 0; i < 20; i++) {
		p.n = 0;
		pair_send(&p, &cookie);
		ck_assert_uint_eq(p.n, i == 0);
	}
	cookie = init_notify(&first, IKE_N_COOKIE, bytes_of("newer", 5));
	pair_send(&p, &cookie);
	ck_assert_uint_eq(p.n, 1);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(refusal_is_not_larger_than_the_request)
{
	struct pair_datagram d;

	pair_start(&p);
	pair_up(&p);
	d = p.queue[0];
	p.n = 0;
	d.len = 28;
	d.data[16] = IKE_PAYLOAD_NONE;
	bytes_store32(d.data + 24, 28);
	pair_send(&p, &d);				/* no payload at all */
	ck_assert_uint_eq(p.n, 0);
	d.data[17] = 0x30;
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 0);
	pair_close(&p);
}
END_TEST

/* Neither end translates addresses, and one cannot carry ESP without UDP. */
START_TEST(native_esp_is_refused_where_there_is_none)	/* T94 */
{
	struct pair_datagram answer;

	pair_setups(setup, child);
	setup[1].encap = IKE_ENCAP_NEVER;
	for (unsigned without = 0; without < 2; without++) {
		pair_open(&p, setup);
		p.e[without]->options.native_esp = false;
		pair_up(&p);
		pair_deliver(&p, 0);
		ck_assert_uint_eq(p.n, 1);
		answer = p.queue[0];
		p.n = 0;
		for (unsigned i = 0; i < 3; i++)
			pair_send(&p, &answer);
		ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);	/* shown at once, once */
		ck_assert_int_eq(p.refused[without], IKE_NO_PROPOSAL_CHOSEN);
		ck_assert_ptr_nonnull(strstr(p.refusal[without], "|encap"));
		ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_INIT_SENT);
		p.n = 0;
		pair_pass(&p, 6 * IKE_SECOND);
		ck_assert_int_eq(p.down[0], IKE_NO_PROPOSAL_CHOSEN);
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

/* Two ends that carry ESP without UDP, and find no NAT between them. */
static void
open_native(uint16_t port)
{
	pair_setups(setup, child);
	setup[0].encap = setup[1].encap = IKE_ENCAP_AUTO;
	setup[0].port = port;
	pair_open(&p, setup);
	p.e[0]->port = port;
	pair_up(&p);
	ck_assert_uint_eq(p.queue[0].path.port[0], port);
}

static void
expect_up(bool encap, uint16_t port)
{
	struct ike_child_info info;

	for (unsigned end = 0; end < 2; end++) {
		ck_assert_int_eq(pair_state(&p, end), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(pair_sa(&p, end)->path.port[0], port);
		ck_assert_uint_eq(pair_sa(&p, end)->path.port[1], port);
		ck_assert(ike_child_at(p.e[end], pair_sa(&p, end)->id, 0, &info));
		ck_assert_int_eq(info.child.encap, encap);
	}
	pair_close(&p);
}

/* The port says nothing about a NAT. */
START_TEST(port_4500_without_a_nat)			/* T79 */
{
	struct pair_datagram d;

	open_native(4500);			/* begins there */
	pair_pump(&p);
	expect_up(false, 4500);
	open_native(500);			/* moves there with IKE_AUTH */
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	d = p.queue[0];
	ck_assert_uint_eq(d.path.port[0], 500);
	d.path.port[0] = d.path.port[1] = 4500;
	p.n = 0;
	pair_sa(&p, 0)->path.port[0] = pair_sa(&p, 0)->path.port[1] = 4500;
	pair_send(&p, &d);
	ck_assert_uint_eq(p.queue[0].path.port[1], 4500);	/* answered there */
	pair_pump(&p);
	expect_up(false, 4500);
}
END_TEST

/* The IKE_SA_INIT under way without its NAT_DETECTION_SOURCE_IPs but `keep` (0: the
 * true one too goes), with `added` false ones in front, or with neither kind at all. */
static void
rewrite_natd(bool keep, unsigned added, bool none)
{
	struct pair_datagram old = p.queue[0], *d = &p.queue[0];
	struct ike_sa *sender = pair_sa(&p, 1 - d->to);
	struct ike_writer w = ike_writer(d->data, sizeof(d->data));
	struct ike_chain c = pair_chain();
	struct ike_message m;
	struct ike_notify n;
	uint8_t hash[20] = { 0 };

	ck_assert_int_eq(ike_parse_message(bytes_of(old.data, old.len), &m), IKE_OK);
	for (unsigned i = 0; i < added; i++) {
		hash[0] = (uint8_t)i;
		ike_add_notify(&c, IKE_N_NAT_DETECTION_SOURCE_IP, bytes_of(hash, 20));
	}
	for (unsigned i = 0; i < m.n; i++) {
		if (m.v[i].type == IKE_PAYLOAD_NOTIFY &&
		    ike_parse_notify(m.v[i].body, &n) == IKE_OK && (none ||
		    (n.type == IKE_N_NAT_DETECTION_SOURCE_IP && !keep)))
			continue;
		ike_chain_open(&c, m.v[i].type);
		ike_write_bytes(&c.w, m.v[i].body);
		ike_chain_close(&c);
	}
	ike_write_message(&w, &m.header, &c);
	d->len = w.len;
	ck_assert(ike_buffer_set(&sender->half_open->init[sender->initiator ? 0 : 1],
	    bytes_of(d->data, d->len)));
}

START_TEST(nat_detection_takes_any_match)		/* T80 */
{
	static const struct {
		bool keep;
		unsigned added;
		bool none, there;
	} rows[] = {
		{ true, 0, false, false }, { true, 3, false, false },
		{ false, 3, false, true }, { false, 1, false, true },
		{ false, 0, true, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned message = 0; message < 2; message++) {
			open_native(500);
			if (message == 1)
				pair_deliver(&p, 0);
			rewrite_natd(rows[i].keep, rows[i].added, rows[i].none);
			pair_deliver(&p, 0);
			ck_assert_msg(pair_sa(&p, 1 - message)->nat_there ==
			    rows[i].there, "row %zu, message %u", i, message);
			ck_assert_uint_eq(pair_sa(&p, 1 - message)->natd, !rows[i].none);
			if (rows[i].there) {	/* only one end thinks so */
				p.n = 0;
				pair_close(&p);
				continue;
			}
			pair_pump(&p);
			expect_up(false, 500);
		}
}
END_TEST

/* Whoever says nothing of NATs is told nothing of them. */
START_TEST(nat_detection_is_answered_only)		/* T80 */
{
	struct ike_message m;
	struct ike_notify n;

	open_native(500);
	rewrite_natd(false, 0, true);
	pair_deliver(&p, 0);
	ck_assert_int_eq(ike_parse_message(bytes_of(p.queue[0].data, p.queue[0].len),
	    &m), IKE_OK);
	ck_assert(!ike_find_notify(&m, IKE_N_NAT_DETECTION_SOURCE_IP, &n));
	ck_assert(!ike_find_notify(&m, IKE_N_NAT_DETECTION_DESTINATION_IP, &n));
	pair_pump(&p);
	expect_up(false, 500);
}
END_TEST

/* Octets that a random source may give, and that are no SPIs. */
struct script { uint8_t octets[64]; size_t len, at; uint64_t rest; };

static void
scripted(void *arg, uint8_t *out, size_t n)
{
	struct script *s = arg;

	for (size_t i = 0; i < n; i++)
		out[i] = s->at < s->len ? s->octets[s->at++] : (uint8_t)(s->rest +=
		    0x9e);
}

START_TEST(ike_spi_of_zero_or_in_use_is_passed_over)	/* T34 */
{
	struct script s = { .len = 24, .rest = 3 };
	struct ike_sa *a, *b;
	struct ike_peer *peer;
	struct ike_path path = { .family = 4 };

	pair_establish(&p);
	a = pair_sa(&p, 0);
	peer = a->peer;
	bytes_store64(s.octets + 8, a->spi_ours);	/* behind a 0 */
	bytes_store64(s.octets + 16, 4711);
	p.e[0]->random = (struct ike_random){ scripted, &s };
	b = ike_sa_new(p.e[0], a->connection, peer, true, &path);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(b->spi_ours, 4711);
	ike_sa_dead(p.e[0], b);
	pair_close(&p);
}
END_TEST

static uint32_t
next_spi(void *arg, uint32_t replaced)
{
	static const uint32_t spis[] = { 0, 1, 255, 256 };
	static unsigned at;

	(void)arg;
	(void)replaced;
	return spis[at++ % 4];
}

START_TEST(esp_spi_below_256_is_passed_over)		/* T34 */
{
	struct ike_child_info info;

	pair_start(&p);
	p.e[0]->options.child_spi = next_spi;
	pair_up(&p);
	pair_pump(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ck_assert_uint_eq(info.child.spi_in, 256);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		port_4500_without_a_nat, nat_detection_takes_any_match,
		nat_detection_is_answered_only, ike_spi_of_zero_or_in_use_is_passed_over,
		esp_spi_below_256_is_passed_over,
		init_again_gets_the_same_answer, init_with_one_spi_from_two_peers,
		major_version_3_is_refused, minor_version_and_reserved_flags_pass,
		critical_unknown_payload_leaves_no_state,
		established_sa_ignores_unprotected_messages,
		cookie_comes_first_and_changes_nothing_else, cookie_rounds_are_bounded,
		invalid_ke_leads_to_that_group, invalid_ke_of_another_kind_is_ignored,
		unprotected_refusal_is_remembered,
		unprotected_refusal_yields_to_the_answer,
		proposals_without_common_leave_no_state, encapsulation_follows_detection,
		cookie_again_is_no_round, refusal_is_not_larger_than_the_request,
		native_esp_is_refused_where_there_is_none,
	};
	TCase *c = tcase_create("init");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("init", c);
}
