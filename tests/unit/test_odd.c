/* Handshakes with a peer that writes its messages in unusual ways, all of them legal, or
 * asks for what we do not do (ids: RFC 7296 cases).  Each of the four messages is
 * written anew on its way, and its sender believes that it wrote it so. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

/* ---- a message as a list of payloads ---- */

struct item { uint8_t type, flags; size_t len; uint8_t octets[600]; };
struct items { struct item v[40]; unsigned n; };

static void
put(struct items *list, unsigned at, uint8_t type, uint8_t flags, struct bytes body)
{
	struct item *item = &list->v[at];

	ck_assert_uint_lt(list->n, 40);
	ck_assert_uint_le(body.len, sizeof(item->octets));
	memmove(item + 1, item, (list->n - at) * sizeof(*item));
	*item = (struct item){ .type = type, .flags = flags, .len = body.len };
	if (body.len > 0)
		memcpy(item->octets, body.p, body.len);
	list->n++;
}

static void
put_notify(struct items *list, uint16_t type, struct bytes data)
{
	uint8_t body[72] = { 0 };

	bytes_store16(body + 2, type);
	if (data.len > 0)
		memcpy(body + 4, data.p, data.len);
	put(list, list->n, IKE_PAYLOAD_NOTIFY, 0, bytes_of(body, 4 + data.len));
}

static void
read_items(const struct ike_message *m, struct items *list)
{
	list->n = 0;
	for (unsigned i = 0; i < m->n; i++)
		put(list, i, m->v[i].type, 0, m->v[i].body);
}

static struct ike_chain
write_items(const struct items *list)
{
	struct ike_chain c = pair_chain();

	for (unsigned i = 0; i < list->n; i++) {
		ike_chain_open(&c, list->v[i].type);
		c.w.p[c.next_at + 1] = list->v[i].flags;
		ike_write_bytes(&c.w, bytes_of(list->v[i].octets, list->v[i].len));
		ike_chain_close(&c);
	}
	return c;
}

static struct item *
find_item(struct items *list, uint8_t type)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].type == type)
			return &list->v[i];
	return NULL;
}

/* ---- the ways of writing ---- */

static void
backwards(struct items *list)
{
	static struct item swap;

	for (unsigned i = 0; i < list->n / 2; i++) {
		swap = list->v[i];
		list->v[i] = list->v[list->n - 1 - i];
		list->v[list->n - 1 - i] = swap;
	}
}

static void
with_vendor_ids(struct items *list)
{
	put(list, 0, IKE_PAYLOAD_VENDOR, 0, bytes_of("first", 5));
	put(list, 2, IKE_PAYLOAD_VENDOR, 0, bytes_of(NULL, 0));
	put(list, list->n, IKE_PAYLOAD_VENDOR, 0, bytes_of("the last", 8));
}

static void
with_unknown_payloads(struct items *list)		/* T19 */
{
	for (unsigned at = 0; at <= list->n; at += 2)
		put(list, at, (uint8_t)(200 + at), 0x7f, bytes_of("unknown", at % 8));
}

static void
with_reserved_bits(struct items *list)
{
	for (unsigned i = 0; i < list->n; i++)
		list->v[i].flags = 0x7f;
}

static void
with_critical_bits(struct items *list)			/* T21: the types are known */
{
	for (unsigned i = 0; i < list->n; i++)
		list->v[i].flags = 0x80;
}

/* The octet behind "last" of each proposal, the same and the one behind the type of each
 * transform: 3.3.1, 3.3.2. */
static void
reserve_in_sa(struct item *sa)
{
	for (size_t at = 0; at < sa->len;) {
		uint8_t *proposal = sa->octets + at, *end;
		uint8_t *t = proposal + 8 + proposal[6];

		end = proposal + bytes_load16(proposal + 2);
		proposal[1] = 0xa5;
		for (; t < end; t += bytes_load16(t + 2))
			t[1] = t[5] = 0xa5;
		at += bytes_load16(proposal + 2);
	}
}

static void
with_reserved_fields(struct items *list)		/* T18 */
{
	static const struct { uint8_t type, from, to; } fields[] = {
		{ IKE_PAYLOAD_KE, 2, 4 }, { IKE_PAYLOAD_IDI, 1, 4 },
		{ IKE_PAYLOAD_IDR, 1, 4 }, { IKE_PAYLOAD_AUTH, 1, 4 },
		{ IKE_PAYLOAD_TSI, 1, 4 }, { IKE_PAYLOAD_TSR, 1, 4 },
	};
	struct item *item;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((item = find_item(list, fields[i].type)) != NULL)
			memset(item->octets + fields[i].from, 0xa5,
			    fields[i].to - fields[i].from);
	if ((item = find_item(list, IKE_PAYLOAD_SA)) != NULL)
		reserve_in_sa(item);
}

static void
with_certificates(struct items *list)			/* T46 */
{
	put(list, 1, IKE_PAYLOAD_CERT, 0, bytes_of("\4not a certificate", 18));
	put(list, 1, IKE_PAYLOAD_CERT, 0, bytes_of("\310of no known encoding", 21));
	put(list, 1, IKE_PAYLOAD_CERT, 0, bytes_of(NULL, 0));
	put(list, list->n, IKE_PAYLOAD_CERTREQ, 0,
	    bytes_of("\4a hash of an unknown CA", 21));
	put(list, list->n, IKE_PAYLOAD_CERTREQ, 0, bytes_of("\4", 1));
}

static void
with_unknown_status(struct items *list)			/* T23 */
{
	put_notify(list, 40959, bytes_of("private", 7));
	put_notify(list, 65535, bytes_of(NULL, 0));
}

/* What we do not do, asked for by notifies and a CP payload: 1.3.1, 2.19, 2.22. */
static void
with_wishes(struct items *list)				/* T52 */
{
	enum { IPCOMP_SUPPORTED = 16387, REDIRECT = 16407 };
	static const uint8_t request[] = { 1, 0xa5, 0xa5, 0xa5, 0, 1, 0, 0, 0, 8, 0, 0 };

	put_notify(list, IKE_N_USE_TRANSPORT_MODE, bytes_of(NULL, 0));
	put_notify(list, REDIRECT, bytes_of("\1\4\300\0\2\11", 6));
	put_notify(list, IPCOMP_SUPPORTED, bytes_of("\x12\x34\2", 3));
	put_notify(list, IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED, bytes_of(NULL, 0));
	put_notify(list, IKE_N_SET_WINDOW_SIZE, bytes_of("\0\0\0\x20", 4));
	put_notify(list, IKE_N_MOBIKE_SUPPORTED, bytes_of(NULL, 0));
	put_notify(list, IKE_N_FRAGMENTATION_SUPPORTED, bytes_of(NULL, 0));
	put_notify(list, IKE_N_SIGNATURE_HASH_ALGORITHMS, bytes_of("\0\2\0\3", 4));
	put(list, list->n, IKE_PAYLOAD_CP, 0, bytes_of(request, sizeof(request)));
}

/* In a request even an unknown error means nothing, 3.10.1. */
static void
with_unknown_error(struct items *list)			/* T23 */
{
	put_notify(list, 9999, bytes_of(NULL, 0));
}

static void
with_critical_unknown(struct items *list)		/* T20, T22 */
{
	put(list, 1, 200, 0x80, bytes_of("unknown", 7));
}

/* ---- messages on their way ---- */

enum { INIT_REQUEST, INIT_RESPONSE, AUTH_REQUEST, AUTH_RESPONSE, MESSAGES };

static void
rewrite_init(struct pair_datagram *d, void (*edit)(struct items *))
{
	static struct items list;
	struct ike_sa *sender = pair_sa(&p, 1 - d->to);
	struct pair_datagram old = *d;
	struct ike_writer w = ike_writer(d->data, sizeof(d->data));
	struct ike_message m;
	struct ike_chain c;

	ck_assert_int_eq(ike_parse_message(bytes_of(old.data, old.len), &m), IKE_OK);
	read_items(&m, &list);
	edit(&list);
	c = write_items(&list);
	ike_write_message(&w, &m.header, &c);
	ck_assert(!w.bad);
	d->len = w.len;
	ck_assert(ike_buffer_set(&sender->half_open->init[sender->initiator ? 0 : 1],
	    bytes_of(d->data, d->len)));
}

/* The sender's AUTH over the ID that the list holds by now, 2.15. */
static void
sign(struct ike_sa *sa, unsigned end, struct items *list)
{
	const struct item *id =
	    find_item(list, sa->initiator ? IKE_PAYLOAD_IDI : IKE_PAYLOAD_IDR);
	struct item *auth = find_item(list, IKE_PAYLOAD_AUTH);
	/* who is established has no use for these octets any more */
	const struct ike_half_open *known = sa->half_open != NULL ? sa->half_open :
	    pair_sa(&p, 1 - end)->half_open;
	uint8_t octets[4096];
	size_t len;

	ck_assert(id != NULL && auth != NULL);
	len = ike_auth_octets(sa->suite.prf,
	    ike_buffer_view(&known->init[sa->initiator ? 0 : 1]),
	    ike_buffer_view(&known->nonce[sa->initiator ? 1 : 0]),
	    sa->initiator ? known->keys.pi : known->keys.pr, bytes_of(id->octets, id->len),
	    octets);
	ck_assert_uint_eq(auth->len, 4 + ike_psk_auth(NULL, sa->suite.prf->id,
	    bytes_of(p.secret[end], strlen(p.secret[end])), bytes_of(octets, len),
	    auth->octets + 4));
}

static void
rewrite_auth(struct pair_datagram *d, void (*edit)(struct items *))
{
	static struct items list;
	unsigned from = 1 - d->to;
	uint8_t flags = d->data[19] & IKE_FLAG_RESPONSE;
	struct ike_message m;
	struct ike_chain c;

	pair_unseal(&p, d, &m);
	read_items(&m, &list);
	edit(&list);
	sign(pair_sa(&p, from), from, &list);
	c = write_items(&list);
	*d = pair_seal(&p, from, IKE_AUTH, flags, 1, &c);
}

/* Delivers up to this message, and that one rewritten; it is left in `*d`, too. */
static void
handshake(unsigned message, void (*edit)(struct items *), struct pair_datagram *d)
{
	pair_start(&p);
	pair_up(&p);
	for (unsigned i = 0; i < message; i++)
		pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	*d = p.queue[0];
	p.n = 0;
	(message < AUTH_REQUEST ? rewrite_init : rewrite_auth)(d, edit);
	pair_send(&p, d);
}

static const struct way {
	const char *name;
	void (*edit)(struct items *);
	unsigned messages;		/* bits */
} ways[] = {
	{ "backwards", backwards, 15 },
	{ "vendor ids", with_vendor_ids, 15 },
	{ "unknown payloads", with_unknown_payloads, 15 },
	{ "reserved bits", with_reserved_bits, 15 },
	{ "critical bits", with_critical_bits, 15 },
	{ "reserved fields", with_reserved_fields, 15 },
	{ "certificates", with_certificates, 15 },
	{ "unknown status", with_unknown_status, 15 },
	{ "wishes", with_wishes, 15 },
	{ "unknown error", with_unknown_error, 1 << INIT_REQUEST | 1 << AUTH_REQUEST },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

START_TEST(unusual_message_is_understood)	/* T18, T19, T21, T23, T38, T46, T52 */
{
	const struct way *way = &ways[_i / MESSAGES];
	struct ike_child_info info;
	struct pair_datagram d;

	if ((way->messages & 1u << _i % MESSAGES) == 0)
		return;
	handshake(_i % MESSAGES, way->edit, &d);
	pair_pump(&p);
	for (unsigned end = 0; end < 2; end++) {
		ck_assert_msg(pair_sa(&p, end) != NULL &&
		    pair_state(&p, end) == IKE_STATE_ESTABLISHED,
		    "%s in message %d", way->name, _i % MESSAGES);
		ck_assert_uint_eq(p.events[end][IKE_REFUSED], 0);
		ck_assert(ike_child_at(p.e[end], pair_sa(&p, end)->id, 0, &info));
	}
	pair_close(&p);
}
END_TEST

/* No notify agrees to what nobody here does: tunnel mode, no IPComp, TFC as it comes. */
START_TEST(wishes_are_not_granted)			/* T52 */
{
	struct pair_datagram d;
	struct ike_message m;

	handshake(AUTH_REQUEST, with_wishes, &d);
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	ck_assert_uint_eq(ike_count_payloads(&m, IKE_PAYLOAD_NOTIFY), 0);
	ck_assert_uint_eq(ike_count_payloads(&m, IKE_PAYLOAD_CP), 0);
	ck_assert_uint_eq(m.n, 5);		/* IDr, AUTH, SA, TSi, TSr */
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(critical_unknown_payload_is_named)		/* T20 */
{
	struct pair_datagram d;
	struct ike_message m;
	struct ike_notify n;

	handshake(AUTH_REQUEST, with_critical_unknown, &d);
	ck_assert_uint_eq(p.events[1][IKE_ASK_CHECK], 0);	/* nothing else is done */
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	pair_unseal(&p, &d, &m);
	ck_assert_uint_eq(m.n, 1);
	ck_assert(ike_find_notify(&m, IKE_UNSUPPORTED_CRITICAL_PAYLOAD, &n));
	ck_assert(bytes_equal(n.data, bytes_of("\310", 1)));
	pair_pump(&p);
	for (unsigned end = 0; end < 2; end++)
		ck_assert_int_eq(p.down[end], IKE_UNSUPPORTED_CRITICAL_PAYLOAD);
	pair_close(&p);
}
END_TEST

/* An IKE_SA_INIT is no proof of anything: the next answer may be the peer's. */
START_TEST(critical_unknown_payload_in_an_init_response)	/* T22 */
{
	struct pair_datagram d, good;

	pair_start(&p);
	pair_up(&p);
	pair_deliver(&p, 0);
	good = d = p.queue[0];
	p.n = 0;
	rewrite_init(&d, with_critical_unknown);
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_INIT_SENT);
	ck_assert(ike_buffer_set(&pair_sa(&p, 1)->half_open->init[1],
	    bytes_of(good.data, good.len)));
	pair_send(&p, &good);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* Of an error that we do not know, the whole exchange has failed: both ends agree on
 * having nothing. */
START_TEST(unknown_in_an_auth_response_is_failure)	/* T22, T23 */
{
	void (*const edits[])(struct items *) = { with_critical_unknown,
		with_unknown_error };
	static const int errors[] = { IKE_UNSUPPORTED_CRITICAL_PAYLOAD, 9999 };
	struct pair_datagram d;

	for (unsigned i = 0; i < 2; i++) {
		handshake(AUTH_RESPONSE, edits[i], &d);
		ck_assert_uint_eq(p.events[0][IKE_IN_ADD], 0);
		ck_assert_uint_eq(p.events[0][IKE_UP], 0);
		pair_pump(&p);
		ck_assert_int_eq(p.down[0], errors[i]);
		ck_assert_int_eq(p.down[1], IKE_CLOSED);
		pair_close(&p);
	}
}
END_TEST

/* ---- selectors ---- */

#define V4(protocol, from, to, a, b) 7, protocol, 0, 16, (from) >> 8, (from) & 255, \
	(to) >> 8, (to) & 255, 10, 1, 0, a, 10, 1, 0, b
static const struct {
	const char *name;
	size_t len;
	uint8_t body[64];
	int error;			/* of the Child SA, or of all when malformed */
} selectors[] = {
	{ "any port", 20, { 1, 0, 0, 0, V4(0, 0, 65535, 0, 255) }, IKE_OK },
	{ "OPAQUE ports", 20, { 1, 0, 0, 0, V4(17, 65535, 0, 0, 255) }, IKE_OK },
	{ "ICMP echo", 20, { 1, 0, 0, 0, V4(1, 0x0800, 0x0800, 0, 255) }, IKE_OK },
	{ "mixed families", 60, { 2, 0, 0, 0, V4(0, 0, 65535, 0, 255),
	    8, 0, 0, 40, 0, 0, 255, 255 }, IKE_OK },
	{ "unknown type beside", 28, { 2, 0, 0, 0, 99, 0, 0, 8, 1, 2, 3, 4,
	    V4(0, 0, 65535, 0, 255) }, IKE_OK },
	{ "unknown type alone", 12, { 1, 0, 0, 0, 99, 0, 0, 8, 1, 2, 3, 4 },
	    IKE_TS_UNACCEPTABLE },
	{ "other family", 44, { 1, 0, 0, 0, 8, 0, 0, 40, 0, 0, 255, 255 },
	    IKE_TS_UNACCEPTABLE },
	{ "start above end", 20, { 1, 0, 0, 0, V4(0, 0, 65535, 9, 3) },
	    IKE_INVALID_SYNTAX },
	{ "none", 4, { 0, 0, 0, 0 }, IKE_INVALID_SYNTAX },
	{ "more than there are", 20, { 255, 0, 0, 0, V4(0, 0, 65535, 0, 255) },
	    IKE_INVALID_SYNTAX },
	{ "cut", 19, { 1, 0, 0, 0, V4(0, 0, 65535, 0, 255) }, IKE_INVALID_SYNTAX },
};

static int row;

static void
with_selectors(struct items *list)
{
	struct item *ts = find_item(list, IKE_PAYLOAD_TSI);

	ck_assert_ptr_nonnull(ts);
	memcpy(ts->octets, selectors[row].body, selectors[row].len);
	ts->len = selectors[row].len;
}

START_TEST(selectors_of_all_forms)			/* T51 */
{
	struct pair_datagram d, answer;
	struct ike_message m;
	int error = selectors[_i].error;

	row = _i;
	handshake(AUTH_REQUEST, with_selectors, &d);
	ck_assert_uint_eq(p.n, 1);
	answer = p.queue[0];
	pair_unseal(&p, &answer, &m);
	ck_assert_msg((int)ike_first_error(&m) == error, "%s: %d", selectors[_i].name,
	    ike_first_error(&m));
	ck_assert_uint_eq(p.events[1][IKE_IN_ADD], error == IKE_OK);
	ck_assert_int_eq(pair_state(&p, 1), error == IKE_INVALID_SYNTAX ?
	    IKE_STATE_CLOSED : IKE_STATE_ESTABLISHED);
	pair_pump(&p);
	ck_assert_int_eq(pair_sa(&p, 0) == NULL, error == IKE_INVALID_SYNTAX);
	pair_close(&p);
}
END_TEST

/* ---- nonces ---- */

static size_t nonce_len;

static void
with_nonce(struct items *list)
{
	struct item *nonce = find_item(list, IKE_PAYLOAD_NONCE);

	ck_assert_ptr_nonnull(nonce);
	memset(nonce->octets, 0x5a, sizeof(nonce->octets));
	nonce->len = nonce_len;
}

START_TEST(nonces_of_all_lengths)			/* T36 */
{
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 255, 256, 257, 600 };
	struct pair_datagram d;
	struct ike_counts c;
	uint8_t nonce[256];

	memset(nonce, 0x5a, sizeof(nonce));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		nonce_len = lengths[i];
		handshake(INIT_REQUEST, with_nonce, &d);
		ike_read_counts(p.e[1], &c);
		ck_assert_msg(c.sas == (nonce_len >= 16 && nonce_len <= 256),
		    "a nonce of %zu octets", nonce_len);
		if (c.sas > 0) {
			ck_assert(ike_buffer_set(&pair_sa(&p, 0)->ours->fresh.nonce,
			    bytes_of(nonce, nonce_len)));
			pair_pump(&p);
			ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
		}
		p.n = 0;
		pair_close(&p);
	}
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("odd");

	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, unusual_message_is_understood, 0, WAYS * MESSAGES);
	tcase_add_test(c, wishes_are_not_granted);
	tcase_add_test(c, critical_unknown_payload_is_named);
	tcase_add_test(c, critical_unknown_payload_in_an_init_response);
	tcase_add_test(c, unknown_in_an_auth_response_is_failure);
	tcase_add_loop_test(c, selectors_of_all_forms, 0,
	    sizeof(selectors) / sizeof(selectors[0]));
	tcase_add_test(c, nonces_of_all_lengths);
	return run_tests("odd", c);
}
