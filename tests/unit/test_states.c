/* Every exchange type in every state of either role: what a table lists happens, and all
 * else changes nothing, whatever is wrong with the message or nothing at all.  The SA is
 * compared with a digest of all it holds, and its engine by its counts and events. */
#include <string.h>

#include "libike/protect.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

/* ---- the states, each with how it is reached and who is looked at ---- */

static void
init_sent(void)
{
	pair_start(&p);
	pair_up(&p);
}

static void
resolving(void)
{
	pair_start(&p);
	p.hold_answers[0] = true;
	pair_up(&p);
}

static void
auth_sent(void)
{
	init_sent();
	pair_deliver(&p, 0);
	pair_deliver(&p, 0);
}

static void
proving(void)
{
	init_sent();
	pair_deliver(&p, 0);
	p.hold_answers[0] = true;
	pair_deliver(&p, 0);
}

static void
responder_checks(void)
{
	auth_sent();
	p.hold_answers[1] = true;
	pair_deliver(&p, 0);
}

static void
initiator_checks(void)
{
	auth_sent();
	pair_deliver(&p, 0);
	p.hold_answers[0] = true;
	pair_deliver(&p, 0);
}

static void
established(void)
{
	pair_establish(&p);
}

static void
delete_child(unsigned end)
{
	struct ike_child_info info;

	pair_establish(&p);
	ck_assert(ike_child_at(p.e[end], pair_sa(&p, end)->id, 0, &info));
	ck_assert_int_eq(ike_down(p.e[end], p.now, info.id), IKE_OK);
	pair_drain(&p, end);
}

static void
initiator_asks(void)
{
	delete_child(0);
}

static void
responder_asks(void)
{
	delete_child(1);
}

static void
close_sa(unsigned end)
{
	pair_establish(&p);
	ck_assert_int_eq(ike_down(p.e[end], p.now, p.connection[end]), IKE_OK);
	pair_drain(&p, end);
}

static void
initiator_closes(void)
{
	close_sa(0);
}

static void
responder_closes(void)
{
	close_sa(1);
}

static void
initiator_lingers(void)
{
	close_sa(1);
	pair_deliver(&p, 0);
}

static void
responder_lingers(void)
{
	close_sa(0);
	pair_deliver(&p, 0);
}

static void
refused_lingers(void)
{
	auth_sent();
	p.secret[1] = "something else";
	pair_deliver(&p, 0);
}

enum situation {
	RESOLVING, INIT_SENT, PROVING, AUTH_SENT, I_CHECKS, I_ESTABLISHED, I_ASKS,
	I_CLOSING, I_CLOSED, INIT_DONE, R_CHECKS, R_ESTABLISHED, R_ASKS, R_CLOSING,
	R_CLOSED, REFUSED, SITUATIONS
};
static const struct {
	const char *name;
	void (*reach)(void);
	unsigned end;			/* whose SA is looked at: 0 is the initiator */
	enum ike_state state;
} situations[SITUATIONS] = {
	[RESOLVING] = { "resolving", resolving, 0, IKE_STATE_INIT_SENT },
	[INIT_SENT] = { "INIT_SENT", init_sent, 0, IKE_STATE_INIT_SENT },
	[PROVING] = { "proving itself", proving, 0, IKE_STATE_AUTH_SENT },
	[AUTH_SENT] = { "AUTH_SENT", auth_sent, 0, IKE_STATE_AUTH_SENT },
	[I_CHECKS] = { "checking the responder", initiator_checks, 0,
	    IKE_STATE_AUTH_SENT },
	[I_ESTABLISHED] = { "initiator up", established, 0, IKE_STATE_ESTABLISHED },
	[I_ASKS] = { "initiator asks", initiator_asks, 0, IKE_STATE_ESTABLISHED },
	[I_CLOSING] = { "initiator closes", initiator_closes, 0, IKE_STATE_CLOSING },
	[I_CLOSED] = { "initiator lingers", initiator_lingers, 0, IKE_STATE_CLOSED },
	[INIT_DONE] = { "INIT_DONE", auth_sent, 1, IKE_STATE_INIT_DONE },
	[R_CHECKS] = { "checking the initiator", responder_checks, 1,
	    IKE_STATE_INIT_DONE },
	[R_ESTABLISHED] = { "responder up", established, 1, IKE_STATE_ESTABLISHED },
	[R_ASKS] = { "responder asks", responder_asks, 1, IKE_STATE_ESTABLISHED },
	[R_CLOSING] = { "responder closes", responder_closes, 1, IKE_STATE_CLOSING },
	[R_CLOSED] = { "responder lingers", responder_lingers, 1, IKE_STATE_CLOSED },
	[REFUSED] = { "refused", refused_lingers, 1, IKE_STATE_CLOSED },
};

/* ---- the messages ---- */

enum body { EMPTY, DELETE_SA, REFUSAL, AUTH_BODY, BODIES };

/* One thing is wrong with a message, or nothing. */
enum fault {
	RIGHT, UNPROTECTED, FORGED, REFLECTED, OTHER_FLAG, NEXT_ID, LAST_ID, FAR_ID,
	OTHER_SPI, PEERS_SPI, CUT, TRAILING, VERSION_1, VERSION_3, FAULTS
};

/* The payloads of a real IKE_AUTH request, taken where it was delivered. */
static struct { uint8_t type; size_t len; uint8_t octets[256]; } auth_body[16];
static unsigned n_auth_body;

static void
take_auth_body(void)
{
	struct pair_datagram d;
	struct ike_message m;

	auth_sent();
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	ck_assert_uint_le(m.n, 16);
	for (unsigned i = 0; i < m.n; i++) {
		ck_assert_uint_le(m.v[i].body.len, sizeof(auth_body[0].octets));
		auth_body[i].type = m.v[i].type;
		auth_body[i].len = m.v[i].body.len;
		memcpy(auth_body[i].octets, m.v[i].body.p, m.v[i].body.len);
	}
	n_auth_body = m.n;
	p.n = 0;
	pair_close(&p);
}

static struct ike_chain
chain_of(enum body body)
{
	struct ike_chain c = pair_chain();

	if (body == DELETE_SA) {
		ike_chain_open(&c, IKE_PAYLOAD_DELETE);
		ike_build_delete(&c.w, IKE_PROTOCOL_IKE, NULL, 0);
		ike_chain_close(&c);
	}
	if (body == REFUSAL)
		ike_add_notify(&c, IKE_AUTHENTICATION_FAILED, bytes_of(NULL, 0));
	for (unsigned i = 0; body == AUTH_BODY && i < n_auth_body; i++) {
		ike_chain_open(&c, auth_body[i].type);
		ike_write_bytes(&c.w, bytes_of(auth_body[i].octets, auth_body[i].len));
		ike_chain_close(&c);
	}
	return c;
}

static bool
is_sealed(const struct ike_sa *sa, enum fault fault)
{
	return fault != UNPROTECTED && sa->suite.cipher != NULL;
}

/* Before there are keys, anybody may say what the peer may. */
static bool
is_wrong(enum situation s, enum fault fault)
{
	if (s == INIT_SENT && (fault == UNPROTECTED || fault == REFLECTED ||
	    fault == FORGED || fault == PEERS_SPI))
		return false;
	return fault != RIGHT;
}

/* As the peer of this SA would say it, but for the fault. */
static struct pair_datagram
message(const struct ike_sa *sa, unsigned end, uint8_t exchange, bool response,
    enum body body, enum fault fault)
{
	struct pair_datagram d = { .to = end, .path = sa->path };
	struct ike_writer w = ike_writer(d.data, sizeof(d.data));
	struct ike_random random = p.e[end]->random;
	struct ike_chain c = chain_of(body);
	uint32_t asked = sa->ours != NULL ? sa->ours->id : sa->window.next_request;
	struct ike_header h = { .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = 0x20,
	    .exchange = exchange,
	    .message_id = response ? asked : sa->window.next_expected,
	    .flags = (uint8_t)((sa->initiator ? 0 : IKE_FLAG_INITIATOR) |
		(response ? IKE_FLAG_RESPONSE : 0)) };
	bool by_initiator = !sa->initiator;

	h.message_id += fault == NEXT_ID ? 1 : fault == LAST_ID ? UINT32_MAX :
	    fault == FAR_ID ? 0x80000000 : 0;
	if (fault == OTHER_FLAG)
		h.flags ^= IKE_FLAG_INITIATOR;
	if (fault == OTHER_SPI)
		*(sa->initiator ? &h.spi_i : &h.spi_r) ^= 1;
	if (fault == PEERS_SPI)
		*(sa->initiator ? &h.spi_r : &h.spi_i) ^= 1;
	if (fault == REFLECTED)
		by_initiator = !by_initiator;
	if (is_sealed(sa, fault))
		ck_assert_int_eq(ike_seal_message(&sa->suite, &sa->keys, by_initiator,
		    &h, &c, 0x7000, &random, &w), IKE_OK);
	else
		ike_write_message(&w, &h, &c);
	d.len = w.len;
	if (fault == FORGED)
		d.data[d.len - 1] ^= 1;
	if (fault == VERSION_1 || fault == VERSION_3)
		d.data[17] = fault == VERSION_1 ? 0x10 : 0x30;
	if (fault != RIGHT)
		d.path.port[1]++;	/* nor is the path learnt from it */
	d.len += fault == TRAILING ? 1 : fault == CUT ? SIZE_MAX : 0;
	return d;
}

/* ---- what may happen ---- */

#define S(situation) (1u << (situation))
#define UP (S(I_ESTABLISHED) | S(R_ESTABLISHED) | S(I_ASKS) | S(R_ASKS))
#define CLOSING (S(I_CLOSING) | S(R_CLOSING))
#define B(body) (1u << (body))
#define NO_END (B(EMPTY) | B(AUTH_BODY))
#define THE_END (B(DELETE_SA) | B(REFUSAL))
#define ANY_BODY (NO_END | THE_END)
enum { GONE = 100 };			/* out of memory, beside the states */

static const struct effect {
	unsigned situations;
	uint8_t exchange;
	bool response;
	unsigned bodies;
	unsigned answers;		/* datagrams that leave */
	unsigned state;			/* after it */
	unsigned children;
} effects[] = {
	/* T42: remembered, while the question is asked on. */
	{ S(INIT_SENT), IKE_SA_INIT, true, B(REFUSAL), 0, IKE_STATE_INIT_SENT, 0 },
	/* Whoever agreed on keys is heard once, and answered. */
	{ S(INIT_DONE), IKE_AUTH, false, THE_END | B(EMPTY), 1, IKE_STATE_CLOSED, 0 },
	{ S(INIT_DONE), IKE_AUTH, false, B(AUTH_BODY), 1, IKE_STATE_ESTABLISHED, 1 },
	/* 2.21.2: an answer that proves nobody, or is our own come back. */
	{ S(AUTH_SENT), IKE_AUTH, true, NO_END | B(DELETE_SA), 1, IKE_STATE_CLOSING, 0 },
	{ S(AUTH_SENT), IKE_AUTH, true, B(REFUSAL), 0, GONE, 0 },
	{ UP, INFORMATIONAL, false, NO_END, 1, IKE_STATE_ESTABLISHED, 1 },
	{ CLOSING, INFORMATIONAL, false, NO_END, 1, IKE_STATE_CLOSING, 1 },
	{ UP | CLOSING, INFORMATIONAL, false, THE_END, 1, IKE_STATE_CLOSED, 0 },
	/* T91: none of these bodies is a request for a Child SA. */
	{ UP | CLOSING, CREATE_CHILD_SA, false, ANY_BODY, 1, IKE_STATE_CLOSED, 0 },
	{ S(I_ASKS) | S(R_ASKS), INFORMATIONAL, true, ANY_BODY, 0, IKE_STATE_ESTABLISHED,
	    0 },
	{ CLOSING, INFORMATIONAL, true, ANY_BODY, 0, GONE, 0 },
};
enum { EFFECTS = sizeof(effects) / sizeof(effects[0]) };

static const struct effect *
find_effect(enum situation s, uint8_t exchange, bool response, enum body body)
{
	for (size_t i = 0; i < EFFECTS; i++)
		if ((effects[i].situations & S(s)) != 0 &&
		    effects[i].exchange == exchange && effects[i].response == response &&
		    (effects[i].bodies & B(body)) != 0)
			return &effects[i];
	return NULL;
}

struct dump {
	uint64_t sa;
	struct ike_counts counts;
	unsigned events[PAIR_EVENTS];
};

static struct dump
dump(unsigned end)
{
	struct dump d;

	memset(&d, 0, sizeof(d));
	d.sa = pair_sa(&p, end) != NULL ? sa_digest(pair_sa(&p, end)) : 0;
	ike_read_counts(p.e[end], &d.counts);
	d.counts.received = d.counts.dropped = d.counts.sent = 0;
	memcpy(d.events, p.events[end], sizeof(d.events));
	return d;
}

/* A word about an SPI that nobody has, 2.21.4, or about an IKE_SA_INIT that is none, is
 * all that a stranger gets. */
static bool
answers_stranger(const struct pair_datagram *d, unsigned exchange, bool response)
{
	uint16_t notify = bytes_load16(d->data + 34);

	return !response && d->len == 36 && d->data[16] == IKE_PAYLOAD_NOTIFY &&
	    (notify == IKE_INVALID_IKE_SPI ||
	    (exchange == IKE_SA_INIT && notify == IKE_INVALID_SYNTAX &&
		bytes_load64(d->data + 8) == 0));
}

static void
expect_nothing(enum situation s, const struct pair_datagram *d, unsigned exchange,
    bool response, unsigned fault)
{
	struct dump before = dump(d->to), after;

	p.n = 0;
	pair_send(&p, d);
	after = dump(d->to);
	must(memcmp(&before, &after, sizeof(before)) == 0,
	    "%s, exchange %u, response %d, fault %u: something changed",
	    situations[s].name, exchange, response, fault);
	must(p.n == 0 || (p.n == 1 && fault != RIGHT && fault != FORGED &&
	    answers_stranger(&p.queue[0], exchange, response)),
	    "%s, exchange %u, response %d, fault %u: answered", situations[s].name,
	    exchange, response, fault);
	p.n = 0;
}

static void
expect_effect(enum situation s, const struct pair_datagram *d, const struct effect *x)
{
	const struct ike_sa *sa;

	p.n = 0;
	pair_send(&p, d);
	sa = pair_sa(&p, d->to);
	must(p.n == x->answers, "%s, exchange %u: %u datagrams", situations[s].name,
	    x->exchange, p.n);
	must((sa == NULL ? GONE : sa->state) == x->state, "%s, exchange %u: state %d",
	    situations[s].name, x->exchange, sa == NULL ? GONE : (int)sa->state);
	must(sa == NULL || sa->n_children == x->children, "%s, exchange %u: %u children",
	    situations[s].name, x->exchange, sa->n_children);
	p.n = 0;
	pair_close(&p);
}

static void
reach(enum situation s)
{
	situations[s].reach();
	p.n = 0;
	ck_assert_int_eq(pair_state(&p, situations[s].end), situations[s].state);
}

/* T15, T16, T24, T42, T44, and what state machines elsewhere have let through. */
START_TEST(exchange_in_every_state)
{
	enum situation s = (enum situation)_i;
	unsigned end = situations[s].end;
	const struct effect *x;
	struct pair_datagram d;

	take_auth_body();
	reach(s);
	for (unsigned i = 0; i < 256 * 2 * BODIES * FAULTS; i++) {
		unsigned fault = i % FAULTS, body = i / FAULTS % BODIES;
		bool response = i / FAULTS / BODIES % 2 != 0;
		uint8_t exchange = (uint8_t)(i / FAULTS / BODIES / 2);

		d = message(pair_sa(&p, end), end, exchange, response, (enum body)body,
		    (enum fault)fault);
		x = find_effect(s, exchange, response, (enum body)body);
		if (x == NULL || is_wrong(s, (enum fault)fault)) {
			expect_nothing(s, &d, exchange, response, fault);
			continue;
		}
		expect_effect(s, &d, x);
		reach(s);
	}
	p.hold_answers[0] = p.hold_answers[1] = false;
	pair_close(&p);
}
END_TEST

/* With no SA at all: nothing but a whole IKE_SA_INIT makes one. */
START_TEST(exchange_without_an_sa)			/* T24, T84 */
{
	struct pair_datagram d;
	struct ike_sa *sa;

	take_auth_body();
	auth_sent();
	sa = pair_sa(&p, 0);
	for (unsigned i = 0; i < 256 * 2 * BODIES * 2; i++) {
		bool sealed = i % 2 != 0, response = i / 2 / BODIES % 2 != 0;
		uint8_t exchange = (uint8_t)(i / 2 / BODIES / 2);

		/* Meant for the initiator's SA, and come to the responder. */
		d = message(sa, 0, exchange, response, (enum body)(i / 2 % BODIES),
		    sealed ? RIGHT : UNPROTECTED);
		d.to = 1;
		bytes_store64(d.data + 8, 0x1234567890abcdef);
		expect_nothing(INIT_DONE, &d, exchange, response, OTHER_SPI);
		bytes_store64(d.data + 8, 0);	/* SPIr 0 is for IKE_SA_INIT alone */
		expect_nothing(INIT_DONE, &d, exchange, response, OTHER_SPI);
		d.data[19] |= IKE_FLAG_INITIATOR;
		expect_nothing(INIT_DONE, &d, exchange, response, OTHER_SPI);
	}
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("states");

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, exchange_in_every_state, 0, SITUATIONS);
	tcase_add_test(c, exchange_without_an_sa);
	return run_tests("states", c);
}
