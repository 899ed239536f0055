/* IKE_AUTH and the first Child SA, in both roles (ids: RFC 7296 cases). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

START_TEST(setup_installs_one_child_on_both)
{
	pair_establish(&p);
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

/* Every octet of IKE_AUTH altered in turn: dropped, and the real one succeeds (T45). */
START_TEST(forged_auth_changes_nothing)
{
	struct pair_datagram auth;
	uint64_t before;

	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	before = sa_digest(pair_sa(&p, 1));
	for (size_t i = 0; i < auth.len; i++) {
		struct pair_datagram forged = auth;

		forged.data[i] ^= 0x40;
		pair_send(&p, &forged);
		if (p.n > 1)		/* of SPIs that we do not know */
			ck_assert_uint_eq(bytes_load16(p.queue[1].data + 34),
			    IKE_INVALID_IKE_SPI);
		p.n = 1;
		ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	}
	for (size_t len = 0; len < auth.len; len++)
		pair_inject(&p, 1, &auth.path, auth.data, len);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(auth_must_come_before_anything_else)		/* T44 */
{
	struct ike_chain empty;
	struct pair_datagram d;
	uint64_t before;

	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);		/* the initiator has its keys; IKE_AUTH is held */
	before = sa_digest(pair_sa(&p, 1));
	empty = pair_chain();
	d = pair_seal(&p, 0, INFORMATIONAL, 0, 1, &empty);
	pair_send(&p, &d);
	d = pair_seal(&p, 0, CREATE_CHILD_SA, 0, 1, &empty);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	ck_assert(sa_digest(pair_sa(&p, 1)) == before);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(wrong_secret_leaves_nothing)			/* T39 */
{
	pair_start(&p);
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

/* What lingers to repeat its refusal takes memory still: it counts against its source. */
START_TEST(refused_peer_counts_until_it_is_forgotten)
{
	struct ike_counts c;

	pair_start(&p);
	p.secret[1] = "something else";
	pair_up(&p);
	pair_pump(&p);
	ck_assert_int_eq(p.down[1], IKE_AUTHENTICATION_FAILED);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas, 1);
	ck_assert_uint_eq(c.responding, 1);
	pair_pass(&p, 31 * IKE_SECOND);
	ike_read_counts(p.e[1], &c);
	ck_assert_uint_eq(c.sas + c.responding, 0);
	pair_close(&p);
}
END_TEST

START_TEST(auth_failed_response_is_repeated)		/* T39: the answer may be lost */
{
	struct pair_datagram auth;

	pair_start(&p);
	p.secret[1] = "something else";
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	auth = p.queue[0];
	pair_deliver(&p, 0);
	p.n = 0;			/* lost */
	pair_pass(&p, IKE_SECOND / 4);
	pair_send(&p, &auth);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	pair_close(&p);
}
END_TEST

START_TEST(initiator_that_refuses_tells)		/* T40 */
{
	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	p.secret[0] = "I do not believe you";	/* from here: its CHECK fails */
	pair_deliver(&p, 0);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 0);
	ck_assert_uint_eq(p.events[1][IKE_IN_REMOVE], 1);
	pair_close(&p);
}
END_TEST

/* The responder's answer with this type left out, or with another body in its place,
 * and this notify added (0: none), to the initiator whose IKE_AUTH it answers. */
static void
answer_with(uint8_t type, struct bytes body, uint16_t notify)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	struct ike_message m;

	pair_start(&p);
	pair_up(&p);
	for (unsigned i = 0; i < 3; i++)
		pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, &d, &m);
	for (unsigned i = 0; i < m.n; i++) {
		if (m.v[i].type == type && body.len == 0)
			continue;
		ike_chain_open(&c, m.v[i].type);
		ike_write_bytes(&c.w, m.v[i].type == type ? body : m.v[i].body);
		ike_chain_close(&c);
	}
	if (notify != 0)
		ike_add_notify(&c, notify, bytes_of("12345678", 8));
	d = pair_seal(&p, 1, IKE_AUTH, IKE_FLAG_RESPONSE, 1, &c);
	pair_send(&p, &d);
}

static void
answer_without(uint8_t type, uint16_t notify)
{
	answer_with(type, bytes_of(NULL, 0), notify);
}

/* Selectors wider than the offer, or beside it: no Child SA on either end, the IKE SA
 * stays. */
START_TEST(selectors_beyond_the_offer_are_refused)	/* T48 */
{
	static const uint8_t everything[] = { 1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 255, 255,
	    0, 0, 0, 0, 255, 255, 255, 255 };
	static const uint8_t elsewhere[] = { 1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 255, 255,
	    10, 9, 0, 0, 10, 9, 255, 255 };
	static const uint8_t types[] = { IKE_PAYLOAD_TSI, IKE_PAYLOAD_TSR };

	for (unsigned i = 0; i < 4; i++) {
		answer_with(types[i / 2], i % 2 == 0 ?
		    bytes_of(everything, sizeof(everything)) :
		    bytes_of(elsewhere, sizeof(elsewhere)), 0);
		ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 0);
		ck_assert_int_eq(p.refused[0], IKE_TS_UNACCEPTABLE);
		pair_pump(&p);
		for (unsigned end = 0; end < 2; end++) {
			ck_assert_int_eq(pair_state(&p, end), IKE_STATE_ESTABLISHED);
			ck_assert_uint_eq(pair_sa(&p, end)->n_children, 0);
		}
		pair_close(&p);
	}
}
END_TEST

START_TEST(esn_is_what_was_chosen)			/* T52 */
{
	static const char *const rows[2][1] = { { "aes128gcm16-noesn" },
		{ "aes128gcm16-esn" } };
	struct ike_child_info info;

	for (unsigned esn = 0; esn < 2; esn++) {
		pair_setups(setup, child);
		setup[0].esp = (struct ike_texts){ rows[esn], 1 };
		pair_open(&p, setup);
		pair_up(&p);
		pair_pump(&p);
		for (unsigned i = 0; i < 2; i++) {
			ck_assert(ike_child_at(p.e[i], pair_sa(&p, i)->id, 0, &info));
			ck_assert_uint_eq(info.child.esn, esn);
		}
		pair_close(&p);
	}
}
END_TEST

/* A peer that knows the secret, but says that it is somebody else than the one we
 * call. */
START_TEST(identity_of_another_is_refused)
{
	static const char name[] = "c.example";
	uint8_t octets[4096], value[64], body[32] = { IKE_ID_FQDN };
	struct bytes id = bytes_of(body, 4 + sizeof(name) - 1);
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	struct ike_sa *sa;
	struct ike_auth auth = { .method = IKE_AUTH_PSK };
	size_t len;

	memcpy(body + 4, name, sizeof(name) - 1);
	pair_start(&p);
	pair_up(&p);
	for (unsigned i = 0; i < 3; i++)
		pair_deliver(&p, 0);
	p.n = 0;
	sa = pair_sa(&p, 0);		/* the other one has forgotten them */
	len = ike_auth_octets(sa->suite.prf, ike_buffer_view(&sa->half_open->init[1]),
	    ike_buffer_view(&sa->half_open->nonce[0]), sa->half_open->keys.pr, id,
	    octets);
	auth.data = bytes_of(value, ike_psk_auth(NULL, sa->suite.prf->id,
	    bytes_of(p.secret[1], strlen(p.secret[1])), bytes_of(octets, len), value));
	ike_chain_open(&c, IKE_PAYLOAD_IDR);
	ike_write_bytes(&c.w, id);
	ike_chain_close(&c);
	ike_chain_open(&c, IKE_PAYLOAD_AUTH);
	ike_build_auth(&c.w, &auth);
	ike_chain_close(&c);
	ike_add_notify(&c, IKE_TS_UNACCEPTABLE, bytes_of(NULL, 0));
	d = pair_seal(&p, 1, IKE_AUTH, IKE_FLAG_RESPONSE, 1, &c);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.events[0][IKE_UP], 0);
	ck_assert_ptr_nonnull(strstr(p.refusal[0], "|b.example|c.example|remote.id"));
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	pair_close(&p);
}
END_TEST

/* Whoever has the keys of IKE_SA_INIT may be anybody: only AUTH shows who, and nothing
 * in the message may stand for it. */
START_TEST(answer_without_a_payload_establishes_nothing)	/* 2.15 */
{
	static const uint8_t types[] = { IKE_PAYLOAD_AUTH, IKE_PAYLOAD_IDR };
	static const uint16_t notifies[] = { 0, IKE_N_COOKIE, IKE_TS_UNACCEPTABLE,
	    IKE_N_INITIAL_CONTACT };

	for (size_t t = 0; t < sizeof(types); t++)
		for (size_t n = 0; n < sizeof(notifies) / sizeof(notifies[0]); n++) {
			answer_without(types[t], notifies[n]);
			ck_assert_msg(p.events[0][IKE_UP] == 0 &&
			    p.events[0][IKE_IN_ADD] == 0, "type %u, notify %u", types[t],
			    notifies[n]);
			pair_pump(&p);
			ck_assert_uint_eq(p.events[0][IKE_DOWN], 1);
			ck_assert_ptr_null(pair_sa(&p, 0));
			pair_close(&p);
		}
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
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
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

START_TEST(initial_contact_removes_older_sas)		/* T43 */
{
	struct ike_options options;
	struct ike_fault faults[4];
	struct ike_connection *c;
	ike_id old;
	unsigned n;

	pair_setups(setup, child);
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	old = pair_sa(&p, 1)->id;
	options = p.e[0]->options; /* the peer restarts and has forgotten all */
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

/* A request without AUTH asks for EAP (2.16): refused as such, not as malformed. */
START_TEST(request_for_eap_is_refused)
{
	struct ike_chain c = pair_chain();
	struct pair_datagram d;
	struct ike_message m;

	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, &d, &m);
	for (unsigned i = 0; i < m.n; i++) {
		if (m.v[i].type == IKE_PAYLOAD_AUTH)
			continue;
		ike_chain_open(&c, m.v[i].type);
		ike_write_bytes(&c.w, m.v[i].body);
		ike_chain_close(&c);
	}
	d = pair_seal(&p, 0, IKE_AUTH, 0, 1, &c);
	pair_send(&p, &d);
	ck_assert_int_eq(p.down[1], IKE_AUTHENTICATION_FAILED);
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "|psk|eap|auth"));
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	pair_close(&p);
}
END_TEST

/* The identity decides which connection it is, and every event names that one. */
START_TEST(down_names_the_connection_of_the_identity)
{
	struct ike_fault faults[4];
	struct ike_connection *c;
	ike_id second;
	unsigned n;

	pair_setups(setup, child);
	setup[1].remote_id = "somebody.example";
	pair_open(&p, setup);
	setup[1].remote_id = "a.example";
	c = ike_connection_new(&setup[1], faults, 4, &n);
	second = ike_put(p.e[1], p.now, 0, c);
	ike_connection_free(c);
	pair_up(&p);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert(p.down_of[1] == second);
	ck_assert_int_eq(ike_drop(p.e[1], p.now, second), IKE_OK);
	pair_close(&p);
}
END_TEST

/* An answer that proves the peer and yet says that it does not believe us. */
START_TEST(auth_failed_beside_an_auth_establishes_nothing)	/* 2.21.2 */
{
	answer_without(IKE_PAYLOAD_SA, IKE_AUTHENTICATION_FAILED);
	ck_assert_uint_eq(p.events[0][IKE_UP], 0);
	pair_pump(&p);
	ck_assert_int_eq(p.down[0], IKE_AUTHENTICATION_FAILED);
	ck_assert_int_eq(p.down[1], IKE_CLOSED);
	pair_close(&p);
}
END_TEST

START_TEST(auth_without_an_answer_leaves_nothing)	/* T14 */
{
	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	for (unsigned i = 0; i < 300; i++) {
		p.n = 0;		/* no copy of it arrives */
		pair_pass(&p, IKE_SECOND);
	}
	ck_assert_int_eq(p.down[0], IKE_TIMEOUT);
	ck_assert_int_eq(p.down[1], IKE_TIMEOUT);
	ck_assert_uint_eq(p.events[0][IKE_DOWN], 1);
	ck_assert_uint_eq(p.e[0]->children_by_spi.n, 0);	/* its ESP SPI is free */
	pair_close(&p);
}
END_TEST

struct kinds { bool aead, other, has[6], group, none; };

/* What is in the proposal: a cipher that is an AEAD, another one, which types, groups. */
static struct kinds
look_at(struct bytes transforms)
{
	struct kinds k = { .aead = false };
	struct ike_transform t;

	while (ike_next_transform(&transforms, &t)) {
		if (t.type < 6)
			k.has[t.type] = true;
		k.other |= t.type == IKE_ENCR && t.id == IKE_ENCR_AES_CBC;
		k.aead |= t.type == IKE_ENCR && t.id != IKE_ENCR_AES_CBC;
		k.none |= t.type == IKE_KE && t.id == IKE_KE_NONE;
		k.group |= t.type == IKE_KE && t.id != IKE_KE_NONE;
	}
	return k;
}

/* Each proposal is of one kind, and has groups and NONE where they belong. */
static void
expect_kinds(const struct ike_message *m, bool ike, bool group, bool none)
{
	struct bytes rest = ike_find_payload(m, IKE_PAYLOAD_SA, 0)->body;
	struct ike_proposal_view v;
	unsigned kinds = 0;

	while (ike_next_proposal(&rest, &v)) {
		struct kinds k = look_at(v.transforms);

		ck_assert(k.aead != k.other);
		ck_assert_int_eq(k.has[IKE_INTEG], k.other);
		ck_assert_int_eq(k.group, group);
		ck_assert_int_eq(k.none, none);
		ck_assert_int_eq(k.has[IKE_ESN], !ike);
		kinds |= k.aead ? 1 : 2;
	}
	ck_assert_uint_eq(kinds, 3);
}

/* Of IKE_SA_INIT and IKE_AUTH, */
static void
expect_kinds_of_setup(void)
{
	struct pair_datagram d;
	struct ike_message m;

	pair_up(&p);
	d = p.queue[0];
	ck_assert_int_eq(ike_parse_message(bytes_of(d.data, d.len), &m), IKE_OK);
	expect_kinds(&m, true, true, false);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	expect_kinds(&m, false, false, false);
	pair_pump(&p);
	ck_assert_uint_eq(pair_sa(&p, 0)->n_children, 1);
}

/* and of the rekey of this one. */
static void
expect_kinds_of_rekey(ike_id id, bool ike, enum ike_pfs pfs)
{
	struct pair_datagram d;
	struct ike_message m;

	ck_assert_int_eq(ike_rekey(p.e[0], p.now, id), IKE_OK);
	pair_drain(&p, 0);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	ck_assert_uint_eq(m.header.exchange, CREATE_CHILD_SA);
	expect_kinds(&m, ike, true, !ike && pfs == IKE_PFS_PREFER);
	pair_pump(&p);
}

START_TEST(aead_has_proposals_of_its_own)		/* T96 */
{
	static const char *const texts[] = {
		"aes256-sha256-x25519-modp2048",
		"chacha20poly1305-prfsha256-x25519", "aes128-sha384-ecp384" };
	static const char *const esp[] = { "aes256-sha256", "aes128gcm16" };
	static const enum ike_pfs pfs[] = { IKE_PFS_PREFER, IKE_PFS_REQUIRE };

	pair_setups(setup, child);
	if (_i % 2 == 1) {
		setup[0].ike = (struct ike_texts){ texts, 3 };
		setup[0].esp = (struct ike_texts){ esp, 2 };
	}
	for (unsigned i = 0; i < 2; i++) {
		setup[i].pfs = pfs[_i / 2];
		setup[i].childless = false;
	}
	pair_open(&p, setup);
	expect_kinds_of_setup();
	expect_kinds_of_rekey(LIST_FIRST(&pair_sa(&p, 0)->children)->id, false,
	    pfs[_i / 2]);
	expect_kinds_of_rekey(pair_sa(&p, 0)->id, true, pfs[_i / 2]);
	ck_assert_uint_eq(TAILQ_FIRST(&p.e[0]->sas)->generation, 2);
	pair_close(&p);
}
END_TEST

/* The addresses lead to one connection and its algorithms, IDi to another that forbids
 * them: both are named. */
START_TEST(connection_of_the_identity_forbids_the_choice)	/* T97 */
{
	static const char *const strict[1] = { "aes256gcm16-prfsha512-ecp521" };
	struct ike_fault faults[4];
	struct ike_connection *c;
	ike_id second;
	unsigned n;

	pair_setups(setup, child);
	setup[1].remote_id = "somebody.example";
	pair_open(&p, setup);
	setup[1].name = "strict";
	setup[1].remote_id = "a.example";
	setup[1].ike = (struct ike_texts){ strict, 1 };
	c = ike_connection_new(&setup[1], faults, 4, &n);
	second = ike_put(p.e[1], p.now, 0, c);
	ike_connection_free(c);
	pair_up(&p);
	pair_pump(&p);
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "connection to-a,"));
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "identity to strict,"));
	ck_assert_ptr_nonnull(strstr(p.refusal[1], "|aes256gcm16-prfsha512-ecp521|"));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(p.down[i], IKE_AUTHENTICATION_FAILED);
		ck_assert_uint_eq(p.events[i][IKE_IN_ADD], 0);
	}
	ck_assert_uint_eq(p.events[1][IKE_ASK_CHECK], 0);
	ck_assert_int_eq(ike_drop(p.e[1], p.now, second), IKE_OK);
	pair_close(&p);
}
END_TEST

/* A peer that has no room for a Child SA is not asked without end. */
START_TEST(no_additional_sas_is_no_loop)		/* T53 */
{
	struct ike_chain c;
	struct pair_datagram d, asked;
	struct ike_message m;
	unsigned asks = 0;

	pair_setups(setup, child);
	setup[0].start = IKE_START_ALWAYS;
	pair_open(&p, setup);
	for (unsigned i = 0; i < 600; i++, pair_pass(&p, IKE_SECOND))
		while (p.n > 0) {
			if (p.queue[0].data[18] != IKE_AUTH || p.queue[0].to == 1) {
				pair_deliver(&p, 0);
				continue;
			}
			asked = p.queue[0];
			p.n = 0;
			pair_unseal(&p, &asked, &m);
			c = pair_chain();
			for (unsigned k = 0; k < m.n; k++)
				if (m.v[k].type == IKE_PAYLOAD_IDR ||
				    m.v[k].type == IKE_PAYLOAD_AUTH) {
					ike_chain_open(&c, m.v[k].type);
					ike_write_bytes(&c.w, m.v[k].body);
					ike_chain_close(&c);
				}
			ike_add_notify(&c, IKE_NO_ADDITIONAL_SAS, bytes_of(NULL, 0));
			d = pair_seal(&p, 1, IKE_AUTH, IKE_FLAG_RESPONSE, 1, &c);
			pair_send(&p, &d);
			asks++;
		}
	ck_assert_uint_ge(asks, 2);
	ck_assert_uint_le(asks, 30);
	ck_assert_int_eq(p.refused[0], IKE_NO_ADDITIONAL_SAS);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* KEYMAT in its order: what the initiator sends first, cipher before integrity. */
START_TEST(keys_are_cut_in_order)			/* T54 */
{
	static const char *const esp[1] = { "aes128-sha256" };
	uint8_t keymat[2 * 48], nonce[2][32];
	struct bytes seed[2];
	struct ike_sa *sa;

	pair_setups(setup, child);
	setup[0].esp = (struct ike_texts){ esp, 1 };
	pair_open(&p, setup);
	pair_up(&p);
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
	sa = pair_sa(&p, 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(sa->half_open->nonce[i].len, sizeof(nonce[i]));
		memcpy(nonce[i], sa->half_open->nonce[i].p, sizeof(nonce[i]));
		seed[i] = bytes_of(nonce[i], sizeof(nonce[i]));
	}
	pair_pump(&p);
	ck_assert(ike_prf_plus(sa->suite.prf, ike_key_d(&sa->keys),
	    seed, 2, keymat, sizeof(keymat)));
	for (unsigned end = 0; end < 2; end++)
		for (unsigned out = 0; out < 2; out++) {
			ck_assert_uint_eq(p.keys[end][out].len, 16 + 32);
			ck_assert_int_eq(memcmp(p.keys[end][out].octets,
			    keymat + (end == out ? 48 : 0), 48), 0);
		}
	pair_close(&p);
}
END_TEST

static const struct {
	unsigned end;
	unsigned deliveries;	/* from the first IKE_SA_INIT on */
	unsigned answered;	/* questions, before the one that is not */
	enum ike_event_type type;
} questions[] = {
	{ 0, 0, 0, IKE_ASK_RESOLVE }, { 0, 1, 0, IKE_ASK_PROVE },
	{ 0, 3, 0, IKE_ASK_CHECK }, { 1, 2, 0, IKE_ASK_CHECK },
	{ 1, 2, 1, IKE_ASK_ADMIT }, { 1, 2, 2, IKE_ASK_PROVE },
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

/* Up to the question, which is open then. */
static void
bring_question(unsigned row)
{
	unsigned end = questions[row].end;

	pair_start(&p);
	p.hold_answers[end] = questions[row].deliveries == 0;
	pair_up(&p);
	for (unsigned i = 0; i < questions[row].deliveries; i++)
		pair_deliver(&p, 0);
	if (questions[row].deliveries > 0) {
		p.hold_answers[end] = true;
		pair_deliver(&p, 0);
	}
	for (unsigned i = 0; i < questions[row].answered; i++)
		pair_answer(&p, end, IKE_OK);
	ck_assert_uint_ge(p.events[end][questions[row].type], 1);
	ck_assert_uint_eq(p.e[end]->counts.questions, 1);
}

/* No secret, no address, no admission, or nobody who says so: nothing is established,
 * and nothing of it is left. */
START_TEST(question_without_a_yes_ends_the_sa)		/* 2.21.2 */
{
	unsigned end = questions[_i].end;

	for (unsigned silent = 0; silent < 2; silent++) {
		bring_question((unsigned)_i);
		if (silent)
			pair_pass(&p, 31 * IKE_SECOND);
		else
			pair_answer(&p, end, IKE_AUTHENTICATION_FAILED);
		ck_assert_uint_eq(p.events[end][IKE_UP], 0);
		ck_assert_uint_eq(p.events[end][IKE_IN_ADD], 0);
		ck_assert_uint_eq(p.e[end]->counts.questions, 0);
		p.hold_answers[end] = false;
		pair_pump(&p);
		pair_pass(&p, 300 * IKE_SECOND);
		pair_pump(&p);
		ck_assert_uint_eq(p.events[end][IKE_UP], 0);
		ck_assert_uint_eq(p.events[end][IKE_DOWN], 1);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_ptr_null(pair_sa(&p, i));
		pair_close(&p);
	}
}
END_TEST

/* A yes to RESOLVE without an address, or to PROVE without a proof, is none. */
START_TEST(yes_without_its_value_is_a_no)
{
	unsigned end = questions[_i].end;

	if (questions[_i].type != IKE_ASK_RESOLVE && questions[_i].type != IKE_ASK_PROVE)
		return;
	bring_question((unsigned)_i);
	pair_answer(&p, end, IKE_OK);
	p.hold_answers[end] = false;
	ck_assert_uint_eq(p.events[end][IKE_UP], 0);
	ck_assert_uint_eq(p.events[end][IKE_REFUSED], 1);
	pair_pump(&p);
	pair_pass(&p, 300 * IKE_SECOND);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(p.events[i][IKE_UP], 0);
		ck_assert_ptr_null(pair_sa(&p, i));
	}
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
		auth_without_an_answer_leaves_nothing,
		connection_of_the_identity_forbids_the_choice,
		no_additional_sas_is_no_loop, keys_are_cut_in_order,
		setup_installs_one_child_on_both,
		forged_auth_changes_nothing,
		auth_must_come_before_anything_else,
		wrong_secret_leaves_nothing,
		auth_failed_response_is_repeated,
		answer_without_a_payload_establishes_nothing,
		initiator_that_refuses_tells,
		child_refused_leaves_the_ike_sa,
		selectors_are_narrowed,
		unknown_identity_is_explained,
		initial_contact_removes_older_sas,
		request_for_eap_is_refused,
		down_names_the_connection_of_the_identity,
		auth_failed_beside_an_auth_establishes_nothing,
		selectors_beyond_the_offer_are_refused,
		esn_is_what_was_chosen,
		identity_of_another_is_refused,
		refused_peer_counts_until_it_is_forgotten,
	};
	TCase *c = tcase_create("auth");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, aead_has_proposals_of_its_own, 0, 4);
	tcase_add_loop_test(c, question_without_a_yes_ends_the_sa, 0, QUESTIONS);
	tcase_add_loop_test(c, yes_without_its_value_is_a_no, 0, QUESTIONS);
	return run_tests("auth", c);
}
