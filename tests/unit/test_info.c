/* INFORMATIONAL and CREATE_CHILD_SA on an established SA (ids: RFC 7296 cases). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

START_TEST(liveness_is_answered)
{
	struct ike_chain empty;
	struct pair_datagram d;

	pair_establish(&p);
	empty = pair_chain();
	d = pair_seal(&p, 1, INFORMATIONAL, 0, 0, &empty);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].data[19], IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_the_sa_ends_both)
{
	pair_establish(&p);
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
	pair_establish(&p);
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

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ck_assert_int_eq(ike_down(p.e[0], p.now, info.id), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE], 1);
	}
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_a_child_crosses)			/* T69 */
{
	struct ike_child_info info;

	pair_establish(&p);
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
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	size_t len;

	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_ESP, spis, n);
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, id, &c);
	pair_send(&p, &d);
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

	pair_establish(&p);
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

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	p.n = 0;
	empty = pair_chain();
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &empty);
	pair_send(&p, &d);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 0);
	ck_assert_uint_eq(p.events[0][IKE_IN_REMOVE], 1);
	pair_close(&p);
}
END_TEST

START_TEST(delete_of_the_sa_ends_the_message)		/* T77 */
{
	struct ike_child_info info;
	struct ike_chain c = pair_chain();
	struct pair_datagram d;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	c = pair_chain();
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_IKE, NULL, 0);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_build_delete(&c.w, IKE_PROTOCOL_ESP, &info.child.spi_in, 1);
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &c);
	pair_send(&p, &d);
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

	pair_establish(&p);
	c = pair_chain();
	ike_chain_open(&c, IKE_PAYLOAD_DELETE);
	ike_write8(&c.w, IKE_PROTOCOL_ESP);
	ike_write8(&c.w, 4);
	ike_write16(&c.w, 65535);			/* with no SPI behind it */
	ike_chain_close(&c);
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 2, &c);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(p.down[1], IKE_INVALID_SYNTAX);
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
	pair_pass(&p, IKE_SECOND);
	p.n = 0;
	pair_send(&p, &d); /* the response was cached */
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* The one notify in the answer to a CREATE_CHILD_SA of host 0, or 0. */
static uint16_t
create_child(uint32_t id)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	struct ike_message m;

	ike_chain_open(&c, IKE_PAYLOAD_SA);
	ike_build_sa(
	    &c.w, &pair_sa(&p, 0)->connection->esp, bytes_of("\1\2\3\4", 4), true);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_NONCE);
	ike_write_zero(&c.w, 32);
	ike_chain_close(&c);
	p.n = 0;
	d = pair_seal(&p, 0, CREATE_CHILD_SA, 0, id, &c);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, &d, &m);
	return m.n == 1 ? (uint16_t)ike_first_error(&m) : 0;
}

START_TEST(create_child_is_refused_by_a_closing_sa)	/* T90 */
{
	pair_establish(&p);
	ike_down(p.e[1], p.now, p.connection[1]);
	pair_drain(&p, 1);
	ck_assert_uint_eq(create_child(2), IKE_TEMPORARY_FAILURE);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_CLOSING);
	pair_close(&p);
}
END_TEST

START_TEST(not_installed_child_is_deleted)
{
	struct ike_child_info info;
	struct ike_notice notice = { .type = IKE_NOT_INSTALLED };

	pair_establish(&p);
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

START_TEST(delete_of_a_child_is_asked_for_once)
{
	struct ike_child_info info;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ike_down(p.e[0], p.now, info.id), IKE_OK);
	ck_assert(STAILQ_EMPTY(&pair_sa(&p, 0)->wanted));
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 1)->window.next_expected, 3); /* one more */
	pair_close(&p);
}
END_TEST

/* An answer that is the peer's and wrong: it holds the SA for up, so it is told. */
START_TEST(malformed_response_is_fatal_on_both)		/* T22 */
{
	struct ike_child_info info;
	struct ike_chain c = pair_chain();
	struct pair_datagram d;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	pair_deliver(&p, 0);
	p.n = 0;
	ike_chain_open(&c, 200);
	ike_chain_close(&c);
	c.w.p[1] = 0x80;				/* critical */
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &c);
	pair_send(&p, &d);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_UNSUPPORTED_CRITICAL_PAYLOAD);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	pair_close(&p);
}
END_TEST

/* The id of the one datagram under way, which is this end's request. */
static uint32_t
request_id(unsigned from)
{
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.queue[0].to, 1 - from);
	ck_assert_uint_eq(p.queue[0].data[18], INFORMATIONAL);
	ck_assert_uint_eq(p.queue[0].data[19] & IKE_FLAG_RESPONSE, 0);
	return bytes_load32(p.queue[0].data + 20);
}

/* What is wanted while a request is open waits for its answer, and is not lost. */
START_TEST(requests_queue_behind_the_window)		/* T08 */
{
	struct ike_child_info info;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_info_delete_spi(p.e[0], pair_sa(&p, 0), 0x11111111);
	ike_info_delete_spi(p.e[0], pair_sa(&p, 0), 0x22222222);
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	for (uint32_t id = 2; id < 5; id++) {
		ck_assert_uint_eq(request_id(0), id);
		ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
		pair_deliver(&p, 0);
		ck_assert_uint_eq(p.n, 1);
		pair_deliver(&p, 0);
	}
	ck_assert_uint_eq(p.n, 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(pair_sa(&p, i)->n_children, 0);
	pair_close(&p);
}
END_TEST

/* The end of the SA overtakes what else waits, and waits itself. */
START_TEST(delete_of_the_sa_queues_behind_the_window)	/* T08 */
{
	struct ike_child_info info;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	ike_info_delete_spi(p.e[0], pair_sa(&p, 0), 0x11111111);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	ck_assert_uint_eq(request_id(0), 2);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	ck_assert_uint_eq(request_id(0), 3);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_CANCELLED);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	pair_close(&p);
}
END_TEST

/* Before an id comes a second time, the SA ends, at whichever side sees it. */
START_TEST(ids_do_not_wrap)				/* T11 */
{
	struct ike_chain empty = pair_chain();
	struct pair_datagram d;
	uint32_t last = 0xfffffff0;

	for (unsigned closer = 0; closer < 2; closer++) {
		pair_establish(&p);
		pair_sa(&p, 0)->window.next_request = last - 1;
		pair_sa(&p, 1)->window.next_expected = last - 1;
		if (closer == 0) {
			ike_info_delete_spi(p.e[0], pair_sa(&p, 0), 0x11111111);
			pair_drain(&p, 0);
			ck_assert_uint_eq(request_id(0), last - 1);
		} else {
			d = pair_seal(&p, 0, INFORMATIONAL, 0, last - 1, &empty);
			pair_send(&p, &d);
		}
		pair_pump(&p);
		for (unsigned end = 0; end < 2; end++) {
			ck_assert_uint_eq(p.events[end][IKE_DOWN], 2);
			ck_assert(pair_sa(&p, end) == NULL ||
			    pair_state(&p, end) == IKE_STATE_CLOSED);
		}
		pair_close(&p);
	}
}
END_TEST

/* INVALID_SYNTAX from the peer: it has forgotten the SA, and sends no DELETE. */
START_TEST(malformed_says_the_peer)			/* T91 */
{
	struct ike_chain c = pair_chain();
	struct ike_child_info info;
	struct pair_datagram d;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	ike_down(p.e[0], p.now, info.id);
	pair_drain(&p, 0);
	p.n = 0;
	ike_add_notify(&c, IKE_INVALID_SYNTAX, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, &c);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_int_eq(p.down[0], IKE_INVALID_SYNTAX);
	ck_assert_int_eq(p.refused[0], IKE_INVALID_SYNTAX);
	ck_assert_ptr_null(pair_sa(&p, 0));
	ck_assert_uint_eq(p.events[0][IKE_IN_REMOVE], 1);
	pair_close(&p);
}
END_TEST

/* The host proposes one and the same SPI for ever. */
static uint32_t
same_spi(void *arg, uint32_t replaced)
{
	(void)arg;
	(void)replaced;
	return 0x12345678;
}

/* While a Child SA is being deleted, its SPI is no other's. */
START_TEST(spi_is_not_reused_while_it_is_known)		/* T35 */
{
	struct ike_sa *sa;
	struct ike_child_info info;
	struct ike_child_sa *other;

	pair_start(&p);
	p.e[0]->options.child_spi = same_spi;
	pair_up(&p);
	pair_pump(&p);
	sa = pair_sa(&p, 0);
	ck_assert(ike_child_at(p.e[0], sa->id, 0, &info));
	ck_assert_uint_eq(info.child.spi_in, 0x12345678);
	ck_assert_int_eq(ike_down(p.e[0], p.now, info.id), IKE_OK);
	pair_drain(&p, 0);
	ck_assert_ptr_null(ike_child_new(p.e[0], sa, sa->connection,
	    &sa->connection->children[0], 0));
	pair_pump(&p);
	other = ike_child_new(p.e[0], sa, sa->connection,
		    &sa->connection->children[0], 0);
	ck_assert_ptr_nonnull(other);
	ike_child_free(p.e[0], other);
	pair_close(&p);
}
END_TEST

/* A Delete payload or a REKEY_SA notify with this protocol and SPI size. */
static struct ike_chain
naming(bool rekey, uint8_t protocol, uint8_t spi_size)
{
	struct ike_chain c = pair_chain();

	ike_chain_open(&c, rekey ? IKE_PAYLOAD_NOTIFY : IKE_PAYLOAD_DELETE);
	ike_write8(&c.w, protocol);
	ike_write8(&c.w, spi_size);
	ike_write16(&c.w, rekey ? IKE_N_REKEY_SA : 1);
	for (unsigned i = 0; i < spi_size; i++)
		ike_write8(&c.w, 0xa5);
	ike_chain_close(&c);
	if (!rekey)
		return c;
	ike_chain_open(&c, IKE_PAYLOAD_SA);
	ike_build_sa(&c.w, &pair_sa(&p, 0)->connection->esp, bytes_of("\1\2\3\4", 4),
	    true);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_NONCE);
	ike_write_zero(&c.w, 32);
	ike_chain_close(&c);
	return c;
}

/* Whatever a request names, the answer holds nothing of it: it is empty, or one notify
 * without an SPI; but a Child SA that is not found is named (RFC 7296 2.25). */
static void
expect_own_words(const struct ike_message *m)
{
	struct ike_notify n;

	if (m->n == 0)
		return;
	ck_assert_uint_eq(m->n, 1);
	ck_assert_uint_eq(m->v[0].type, IKE_PAYLOAD_NOTIFY);
	ck_assert_int_eq(ike_parse_notify(m->v[0].body, &n), IKE_OK);
	if (n.type == IKE_CHILD_SA_NOT_FOUND && n.spi.len == 4) {
		ck_assert_uint_eq(m->v[0].body.len, 8);
		return;
	}
	ck_assert(n.type == IKE_INVALID_SYNTAX || n.type == IKE_CHILD_SA_NOT_FOUND);
	ck_assert_uint_eq(m->v[0].body.len, 4);
	ck_assert_uint_eq(m->v[0].body.p[0] + m->v[0].body.p[1], 0);
}

START_TEST(fields_of_the_peer_are_not_echoed)		/* T58, T75 */
{
	static const uint8_t sizes[] = { 0, 1, 3, 4, 5, 8, 255 };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;
	uint32_t id = 2;

	pair_establish(&p);
	for (unsigned i = 0; i < 2 * 256 * sizeof(sizes); i++) {
		bool rekey = i % 2 != 0;

		c = naming(rekey, (uint8_t)(i / 2), sizes[i / 512]);
		d = pair_seal(&p, 0, rekey ? CREATE_CHILD_SA : INFORMATIONAL, 0, id++,
		    &c);
		p.n = 0;
		pair_send(&p, &d);
		ck_assert_uint_eq(p.n, 1);
		d = p.queue[0];
		pair_unseal(&p, &d, &m);
		expect_own_words(&m);
		p.n = 0;
		if (pair_state(&p, 1) == IKE_STATE_ESTABLISHED) {
			ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
			continue;
		}
		pair_close(&p);		/* malformed, or the end of the SA */
		pair_establish(&p);
		id = 2;
	}
	pair_close(&p);
}
END_TEST

/* The payloads that answer this request of host 0; `*d` holds the octets. */
static void
answer_to(uint8_t exchange, uint32_t id, const struct ike_chain *c,
    struct pair_datagram *d, struct ike_message *m)
{
	*d = pair_seal(&p, 0, exchange, 0, id, c);
	p.n = 0;
	pair_send(&p, d);
	ck_assert_uint_eq(p.n, 1);
	*d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, d, m);
}

START_TEST(critical_unknown_payload_in_a_request)	/* T20 */
{
	static const uint8_t exchanges[] = { INFORMATIONAL, CREATE_CHILD_SA };
	struct pair_datagram d;
	struct ike_message m;
	struct ike_notify n;
	struct ike_chain c;

	pair_establish(&p);
	for (uint32_t i = 0; i < 2; i++) {
		c = pair_chain();
		ike_chain_open(&c, IKE_PAYLOAD_DELETE);	/* is not done */
		ike_build_delete(&c.w, IKE_PROTOCOL_IKE, NULL, 0);
		ike_chain_close(&c);
		ike_chain_open(&c, 201);
		c.w.p[c.next_at + 1] = 0x80;
		ike_chain_close(&c);
		answer_to(exchanges[i], 2 + i, &c, &d, &m);
		ck_assert_uint_eq(m.n, 1);
		ck_assert(ike_find_notify(&m, IKE_UNSUPPORTED_CRITICAL_PAYLOAD, &n));
		ck_assert(bytes_equal(n.data, bytes_of("\311", 1)));
		ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(pair_sa(&p, 1)->n_children, 1);
	}
	pair_close(&p);
}
END_TEST

/* Of all notifies that a request may hold, the refusal of our identity alone means
 * something here. */
START_TEST(notifies_in_a_request_are_ignored)		/* T23 */
{
	struct pair_datagram d;
	struct ike_message m;
	struct ike_chain c;
	uint32_t id = 2;

	pair_establish(&p);
	for (uint32_t type = 0; type <= UINT16_MAX; type += type < 100 ||
	    (type >= 16380 && type < 16480) ? 1 : 97) {
		if (type == IKE_AUTHENTICATION_FAILED)
			continue;
		c = pair_chain();
		ike_add_notify(&c, (uint16_t)type, bytes_of("12345678", type % 9));
		answer_to(INFORMATIONAL, id++, &c, &d, &m);
		ck_assert_uint_eq(m.n, 0);
		ck_assert_msg(pair_state(&p, 1) == IKE_STATE_ESTABLISHED &&
		    pair_sa(&p, 1)->n_children == 1, "notify %u", type);
	}
	ck_assert_uint_eq(p.events[1][IKE_REFUSED], 0);
	pair_close(&p);
}
END_TEST

/* It belongs into the first IKE_AUTH; later it removes nothing. */
START_TEST(initial_contact_elsewhere_means_nothing)	/* T43 */
{
	struct ike_chain c = pair_chain();
	struct ike_child_setup child[2];
	struct ike_setup setup[2];
	struct pair_datagram d;
	struct ike_message m;
	struct ike_counts counts;

	pair_setups(setup, child);
	setup[0].unique = setup[1].unique = IKE_UNIQUE_NEVER;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(ike_peer_start(p.e[0],
		    ike_table_peer(p.e[0], p.connection[0]), NULL, NULL), IKE_OK);
		pair_drain(&p, 0);
		pair_pump(&p);
	}
	ike_add_notify(&c, IKE_N_INITIAL_CONTACT, bytes_of(NULL, 0));
	answer_to(INFORMATIONAL, 2, &c, &d, &m);
	ck_assert_uint_eq(m.n, 0);
	ike_read_counts(p.e[1], &counts);
	ck_assert_uint_eq(counts.sas, 2);
	ck_assert_uint_eq(p.events[1][IKE_DOWN], 0);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		critical_unknown_payload_in_a_request, notifies_in_a_request_are_ignored,
		initial_contact_elsewhere_means_nothing,
		fields_of_the_peer_are_not_echoed,
		requests_queue_behind_the_window,
		delete_of_the_sa_queues_behind_the_window, ids_do_not_wrap,
		malformed_says_the_peer, spi_is_not_reused_while_it_is_known,
		liveness_is_answered, delete_of_the_sa_ends_both,
		delete_of_the_sa_crosses, delete_of_a_child_keeps_the_sa,
		delete_of_a_child_crosses, delete_of_unknown_spis,
		delete_response_without_spi_is_enough, delete_of_the_sa_ends_the_message,
		malformed_request_is_fatal, create_child_is_refused_by_a_closing_sa,
		not_installed_child_is_deleted,
		delete_of_a_child_is_asked_for_once, malformed_response_is_fatal_on_both,
	};
	TCase *c = tcase_create("info");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("info", c);
}
