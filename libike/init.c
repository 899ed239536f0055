/* IKE_SA_INIT, RFC 7296 1.2, 2.6, 2.7: both roles.  The exchange is unprotected: as
 * responder nothing is kept for a message that is refused, and as initiator an
 * unprotected refusal is shown and remembered, but the attempt goes on for a while,
 * since anybody can forge one. */
#include <string.h>

#include "libike/sa.h"

enum {
	INIT_ROUNDS = 5			/* COOKIE and INVALID_KE_PAYLOAD together (T28) */
};
/* How long an attempt outlives an unprotected refusal (T42). */
#define GRACE (5 * IKE_SECOND)

/* ---- initiator ---- */

static enum ike_error
resolve(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)sa;
	return ike_ask(e, x, IKE_ASK_RESOLVE, NULL);
}

/* Everything but the cookie and the KE is the same in each round (T27, T33). */
static bool
send_request(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_connection *c = sa->connection;
	struct ike_header h = { .spi_i = sa->spi_i, .version = 0x20,
	    .exchange = IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR };
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_writer w = ike_writer(e->scratch, sizeof(e->scratch));

	if (sa->half_open->cookie.len > 0)
		ike_add_notify(
		    &chain, IKE_N_COOKIE, ike_buffer_view(&sa->half_open->cookie));
	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain.w, &c->ike, bytes_of(NULL, 0), true);
	ike_chain_close(&chain);
	ike_add_ke(&chain, x->fresh.kex->id, ike_buffer_view(&x->fresh.ke));
	ike_add_nonce(&chain, ike_buffer_view(&x->fresh.nonce));
	if (c->encap != IKE_ENCAP_NEVER)
		ike_natd_add(&chain, &sa->path, sa->spi_i, 0, ike_natd_force(e, c));
	if (c->fragment != 0)
		ike_add_notify(&chain, IKE_N_FRAGMENTATION_SUPPORTED, bytes_of(NULL, 0));
	ike_write_message(&w, &h, &chain);
	if (w.bad || !ike_buffer_set(&sa->half_open->init[0], ike_written(&w)) ||
	    !ike_window_request(e, sa, ike_written(&w)))
		return false;
	ike_trace_sent(e, sa, &h, &chain);
	x->id = 0;
	x->awaits_response = true;
	return true;
}

static enum ike_error
unresolved(struct ike *e, const struct ike_sa *sa, const struct ike_exchange *x)
{
	struct ike_refusal r = ike_refusal(IKE_UNRESOLVED, x->answer_reason != NULL ?
	    x->answer_reason : "the peer's address could not be found");

	r.ours = sa->host->text;
	r.setting = "remote.address";
	ike_say_refused(e, sa, 0, &r);
	return IKE_UNRESOLVED;
}

static enum ike_error
begin(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_connection *c = sa->connection;

	if (x->answer_error != IKE_OK ||
	    (x->answer_path.family != ESP_IPV4 && x->answer_path.family != ESP_IPV6))
		return unresolved(e, sa, x);
	sa->path = x->answer_path;
	sa->path.port[0] = e->port;
	/* 2.23: who has one port for all begins at the peer's port for all. */
	sa->path.port[1] = e->port == e->natt_port ? c->natt_port : c->port;
	sa->created = e->now;		/* it begins for the peer too */
	if (!ike_fresh_nonce(e, &x->fresh) ||
	    !ike_fresh_ke(e, &x->fresh, ike_first_group(&c->ike)) ||
	    !send_request(e, sa, x))
		return IKE_NO_MEMORY;
	return IKE_WAIT;
}

/* Another round of the same question. */
static enum ike_error
again(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	ike_window_answered(e, sa);
	if (!send_request(e, sa, x))
		return IKE_NO_MEMORY;
	x->steps--;
	return IKE_WAIT;
}

/* An unprotected refusal: shown at once, believed only when nothing better comes.
 * True: it is the first, and to be shown. */
static bool
remember(struct ike *e, struct ike_sa *sa, enum ike_error error)
{
	if (sa->hint != IKE_OK)
		return false;
	sa->hint = error;
	ike_timer_arm(e, &sa->timer, e->now + GRACE);
	return true;
}

static enum ike_error
refused(struct ike *e, struct ike_sa *sa, enum ike_error error)
{
	if (remember(e, sa, error))
		ike_refused_by_peer(e, sa, error, NULL);
	return IKE_DROP;
}

/* The one we have is a copy of an answer that we had: sending goes on by the clock. */
static enum ike_error
take_cookie(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct bytes cookie)
{
	if (cookie.len == 0 || cookie.len > 64 ||
	    bytes_equal(cookie, ike_buffer_view(&sa->half_open->cookie)) ||
	    x->rounds++ >= INIT_ROUNDS)
		return IKE_DROP;
	if (!ike_buffer_set(&sa->half_open->cookie, cookie))
		return IKE_NO_MEMORY;
	return again(e, sa, x);
}

/* The peer wants another group of those we offered; anything else is no reason to
 * change. */
static enum ike_error
take_group(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	uint16_t group = ike_wanted_group(
	    x->message, &sa->connection->ike, x->fresh.kex->id);

	if (group == IKE_KE_NONE || x->rounds++ >= INIT_ROUNDS)
		return IKE_DROP;
	if (!ike_fresh_ke(e, &x->fresh, group))
		return IKE_NO_MEMORY;
	return again(e, sa, x);
}

struct answer {
	struct ike_choice choice;
	struct ike_suite suite;
	struct ike_ke ke;
	struct bytes nonce;
	struct ike_keys keys;
	struct ike_auth_keys auth_keys;
};

static enum ike_error
read_answer(struct ike *e, struct ike_sa *sa, const struct ike_exchange *x,
    struct answer *a)
{
	const struct ike_message *m = x->message;
	const struct ike_fresh *ours = &x->fresh;
	struct bytes sa_body = ike_find_payload(m, IKE_PAYLOAD_SA, 0)->body;
	uint8_t secret[IKE_MAX_SECRET_LEN] = { 0 };
	enum ike_error error;

	if ((error = ike_check_sa(sa_body)) != IKE_OK ||
	    (error = ike_read_fresh(m, &a->ke, &a->nonce)) != IKE_OK)
		return error;
	error = ike_check_choice(&sa->connection->ike, sa_body, true, &a->choice);
	if (error != IKE_OK || !ike_suite_of(e->algorithms, &a->choice, &a->suite)) {
		if (remember(e, sa, IKE_NO_PROPOSAL_CHOSEN))
			ike_refuse_proposals(
			    e, sa, 0, &sa->path, &sa->connection->ike, sa_body);
		return IKE_NO_PROPOSAL_CHOSEN;
	}
	if (a->suite.kex != ours->kex || a->ke.group != a->suite.kex->id ||
	    a->ke.data.len != a->suite.kex->response_len ||
	    !a->suite.kex->finish(ours->state, a->ke.data, secret))
		error = IKE_INVALID_KE_PAYLOAD;
	else if (!ike_derive_keys(&a->suite, ike_buffer_view(&ours->nonce), a->nonce,
		     sa->spi_i, m->header.spi_r,
		     bytes_of(secret, a->suite.kex->secret_len), &a->keys,
		     &a->auth_keys))
		error = IKE_NO_MEMORY;
	ike_wipe(secret, sizeof(secret));
	return error;
}

/* RFC 7383 2.3: only when both ends have said so. */
static bool
knows_fragments(const struct ike_sa *sa, const struct ike_message *m)
{
	struct ike_notify n;

	return sa->connection->fragment != 0 &&
	    ike_find_notify(m, IKE_N_FRAGMENTATION_SUPPORTED, &n);
}

static void
no_native_esp(struct ike *e, const struct ike_sa *sa)
{
	struct ike_refusal r = ike_refusal(IKE_NO_PROPOSAL_CHOSEN,
	    "the SA needs ESP without UDP, which this host cannot carry");

	r.ours = "ESP in UDP only";
	r.theirs = "no NAT traversal";
	r.setting = "encap";
	ike_say_refused(e, sa, 0, &r);
}

static enum ike_error
accept(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct answer *a)
{
	const struct ike_message *m = x->message;
	struct ike_half_open *h = sa->half_open;
	struct ike_notify n;
	struct ike_nat nat;

	if (!ike_natd_read(m, &x->path, sa->spi_i, m->header.spi_r, &nat))
		return IKE_NO_MEMORY;
	if (!ike_natd_decide(e, sa, &nat)) {
		if (remember(e, sa, IKE_NO_PROPOSAL_CHOSEN))
			no_native_esp(e, sa);
		return IKE_NO_PROPOSAL_CHOSEN;
	}
	if (!ike_buffer_set(&h->nonce[0], ike_buffer_view(&x->fresh.nonce)) ||
	    !ike_buffer_set(&h->nonce[1], a->nonce) ||
	    !ike_buffer_set(&h->init[1], m->octets))
		return IKE_NO_MEMORY;
	ike_fresh_free(&x->fresh);
	sa->spi_r = m->header.spi_r;
	sa->childless = sa->connection->childless &&
	    ike_find_notify(m, IKE_N_CHILDLESS_IKEV2_SUPPORTED, &n);
	sa->suite = a->suite;
	sa->keys = a->keys;
	a->keys = (struct ike_keys){ .octets = NULL };
	h->keys = a->auth_keys;
	sa->fragments = knows_fragments(sa, m);
	sa->hint = IKE_OK;
	if (sa->encap || (sa->natd && ike_mobike_wants(sa->connection))) {
		/* 2.23, RFC 4555 3.3: both ports move */
		sa->path.port[0] = e->natt_port;
		sa->path.port[1] = sa->connection->natt_port;
	}
	ike_timer_disarm(e, &sa->timer);
	ike_window_answered(e, sa);
	sa->window.next_request = 1;
	x->type = IKE_AUTH;
	ike_sa_state(e, sa, IKE_STATE_AUTH_SENT);
	return IKE_OK;
}

static enum ike_error
response(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_message *m = x->message;
	enum ike_error error = ike_first_error(m);
	struct ike_notify n;
	struct answer a;

	/* The table holds any other response to exactly one SA, KE and Nonce. */
	if (ike_find_notify(m, IKE_N_COOKIE, &n))
		return take_cookie(e, sa, x, n.data);
	if (error == IKE_INVALID_KE_PAYLOAD)
		return take_group(e, sa, x);
	if (error != IKE_OK)
		return refused(e, sa, error);
	if (m->header.spi_r == 0)
		return IKE_DROP;
	memset(&a, 0, sizeof(a));
	error = read_answer(e, sa, x, &a);
	if (error == IKE_OK)
		error = accept(e, sa, x, &a);
	if (error > 0)
		error = IKE_DROP;	/* unprotected: a better one may come */
	ike_keys_free(&a.keys);
	ike_wipe(&a.auth_keys, sizeof(a.auth_keys));
	return error;
}

ike_step *const ike_setup_steps[] = {
	resolve, begin, response,
	ike_auth_prove, ike_auth_send, ike_auth_response, ike_auth_finish, NULL
};

/* ---- responder ---- */

struct offer {
	struct bytes sa, nonce;
	struct ike_ke ke;
	struct ike_choice choice;
	struct ike_suite suite;
	struct ike_peer *peer;
};

/* The first connection of a bucket that fits the addresses and has an algorithm in
 * common; the first that fits the addresses alone is remembered.  Of each kind one is
 * tried: the others would do no better. */
static bool
choose_from(struct ike *e, const struct ike_bucket *b, const struct ike_path *path,
    struct offer *o, struct ike_peer **fits)
{
	const struct ike_bucket *kind;
	struct ike_peer *p;

	if (b == NULL)
		return false;
	TAILQ_FOREACH(kind, &b->kinds, of_above) {
		p = TAILQ_FIRST(&kind->places)->peer;
		if (!ike_peer_matches(p, path))
			continue;
		if (*fits == NULL)
			*fits = p;
		if (ike_choose(&p->connection->ike, o->sa, true, o->ke.group,
			&o->choice) == IKE_OK &&
		    ike_suite_of(e->algorithms, &o->choice, &o->suite)) {
			o->peer = p;
			return true;
		}
	}
	return false;
}

/* Those with exactly this address first; IDi may switch to another one later (T97). */
static enum ike_error
choose(struct ike *e, const struct ike_path *path, struct offer *o)
{
	struct ike_peer *fits = NULL;
	struct ike_refusal r;

	if (choose_from(e, ike_index_address(e, path), path, o, &fits) ||
	    choose_from(e, ike_index_anywhere(e), path, o, &fits))
		return IKE_OK;
	if (!ike_may_answer(e))		/* nor explain: anybody can ask without end */
		return IKE_NO_PROPOSAL_CHOSEN;
	if (fits != NULL) {
		ike_refuse_proposals(
		    e, NULL, fits->id, path, &fits->connection->ike, o->sa);
	} else {
		r = ike_refusal(IKE_NO_PROPOSAL_CHOSEN,
		    "no connection is configured for these addresses");
		r.setting = "remote.address";
		r.path = *path;
		ike_say_refused(e, NULL, 0, &r);
	}
	return IKE_NO_PROPOSAL_CHOSEN;
}

static enum ike_error
read_offer(const struct ike_message *m, struct offer *o)
{
	enum ike_error error;

	o->sa = ike_find_payload(m, IKE_PAYLOAD_SA, 0)->body;
	if ((error = ike_check_sa(o->sa)) != IKE_OK)
		return error;
	return ike_read_fresh(m, &o->ke, &o->nonce);
}

static bool
write_answer(struct ike *e, const struct ike_sa *sa, const struct ike_choice *choice,
    struct bytes ke, struct ike_writer *w)
{
	const struct ike_connection *c = sa->connection;
	struct ike_header h = { .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = 0x20,
	    .exchange = IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE };
	struct ike_chain chain = ike_chain_begin(e);

	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_choice(&chain.w, choice, bytes_of(NULL, 0));
	ike_chain_close(&chain);
	ike_add_ke(&chain, sa->suite.kex->id, ke);
	ike_add_nonce(&chain, ike_buffer_view(&sa->half_open->nonce[1]));
	if (sa->natd && c->encap != IKE_ENCAP_NEVER)
		ike_natd_add(
		    &chain, &sa->path, sa->spi_i, sa->spi_r, ike_natd_force(e, c));
	if (sa->fragments)
		ike_add_notify(&chain, IKE_N_FRAGMENTATION_SUPPORTED, bytes_of(NULL, 0));
	if (c->childless)
		ike_add_notify(&chain, IKE_N_CHILDLESS_IKEV2_SUPPORTED,
		    bytes_of(NULL, 0));
	ike_write_message(w, &h, &chain);
	if (w->bad)
		return false;
	ike_trace_sent(e, sa, &h, &chain);
	return true;
}

/* The half-open SA with its answer; IKE_NO_MEMORY leaves nothing, and the peer asks
 * again. */
static enum ike_error
answer(struct ike *e, struct ike_sa *sa, const struct offer *o,
    const struct ike_message *m, struct bytes wire)
{
	struct ike_exchange x = { .sa = sa, .path = sa->path, .request = ike_mark(wire) };
	struct ike_writer w = ike_writer(e->scratch, sizeof(e->scratch));
	struct ike_half_open *h = sa->half_open;
	struct ike_nat nat;
	uint8_t ke[IKE_MAX_KE_LEN], secret[IKE_MAX_SECRET_LEN];
	enum ike_error error = IKE_NO_MEMORY;

	if (!ike_natd_read(m, &sa->path, sa->spi_i, 0, &nat))
		return IKE_NO_MEMORY;
	if (!ike_natd_decide(e, sa, &nat)) {
		no_native_esp(e, sa);
		return IKE_NO_PROPOSAL_CHOSEN;
	}
	sa->fragments = knows_fragments(sa, m);
	if (!o->suite.kex->respond(&e->random, o->ke.data, ke, secret))
		return IKE_INVALID_SYNTAX;	/* not a value of the group (T37) */
	if (!ike_fresh_nonce(e, &x.fresh) || !ike_buffer_set(&h->nonce[0], o->nonce) ||
	    !ike_buffer_set(&h->nonce[1], ike_buffer_view(&x.fresh.nonce)) ||
	    !ike_buffer_set(&h->init[0], wire) ||
	    !ike_derive_keys(&sa->suite, o->nonce, ike_buffer_view(&h->nonce[1]),
		sa->spi_i, sa->spi_r, bytes_of(secret, o->suite.kex->secret_len),
		&sa->keys, &h->keys))
		goto out;
	if (!write_answer(e, sa, &o->choice, bytes_of(ke, o->suite.kex->response_len),
		&w) ||
	    !ike_buffer_set(&h->init[1], ike_written(&w)) ||
	    !ike_table_add_init(e, h, ike_init_key(e, &sa->path, wire)))
		goto out;
	if (ike_window_respond(e, sa, &x, ike_written(&w)))
		error = IKE_OK;
out:
	ike_fresh_free(&x.fresh);
	ike_wipe(secret, sizeof(secret));
	return error;
}

static void
accept_offer(struct ike *e, const struct ike_path *path, const struct ike_message *m,
    const struct offer *o, struct bytes wire)
{
	struct ike_sa *sa;
	enum ike_error error;

	sa = ike_sa_new(e, o->peer->connection, o->peer, false, path);
	if (sa == NULL)
		return;
	sa->spi_i = m->header.spi_i;
	sa->suite = o->suite;
	error = ike_source_join(e, sa) ? answer(e, sa, o, m, wire) : IKE_NO_MEMORY;
	if (error == IKE_OK)
		return;
	ike_sa_dead(e, sa);		/* silently: nobody knows of it */
	if (error > 0)
		ike_refuse_unprotected(e, path, &m->header, error, bytes_of(NULL, 0));
}

/* While many are half-open, state is for those who proved that their address is theirs
 * (2.6).  The answer is smaller than any IKE_SA_INIT, and nothing is kept for it. */
static bool
is_welcome(struct ike *e, const struct ike_path *path, const struct ike_message *m,
    const struct offer *o)
{
	uint64_t spi_i = m->header.spi_i;
	uint8_t cookie[IKE_COOKIE_LEN];
	struct ike_notify n;

	switch (ike_source_welcome(e, path)) {
	case IKE_WELCOME:
		return true;
	case IKE_WELCOME_COOKIE:
		if (ike_find_notify(m, IKE_N_COOKIE, &n) &&
		    ike_cookie_good(e, path, spi_i, o->nonce, n.data))
			return true;
		ike_cookie_make(e, path, spi_i, o->nonce, cookie);
		ike_answer_unprotected(e, path, &m->header, IKE_N_COOKIE,
		    bytes_of(cookie, sizeof(cookie)));
		return false;
	case IKE_WELCOME_NOT:
		break;
	}
	e->counts.dropped++;
	return false;
}

/* A new peer, or the same message again (2.1). */
void
ike_init_request(struct ike *e, const struct ike_path *path, const struct ike_header *h,
    struct bytes wire)
{
	struct ike_sa *sa = ike_table_init(e, ike_init_key(e, path, wire));
	struct ike_message m;
	struct offer o = { .peer = NULL };
	enum ike_error error;
	uint8_t data[2];

	if (sa != NULL) {
		if (ike_window_judge(sa, 0, wire) == IKE_WINDOW_AGAIN &&
		    bytes_equal(wire, ike_buffer_view(&sa->half_open->init[0])))
			ike_window_again(e, sa, path);
		return;
	}
	if (ike_parse_message(wire, &m) != IKE_OK) {
		e->counts.dropped++;
		return;
	}
	ike_trace_received(e, NULL, h, &m);
	error = ike_exchange_check_init(&m);
	if (error == IKE_OK)
		error = read_offer(&m, &o);
	if (error == IKE_OK && !is_welcome(e, path, &m, &o))
		return;
	if (error == IKE_OK)
		error = choose(e, path, &o);
	if (error == IKE_OK && o.ke.group != o.suite.kex->id)
		error = IKE_INVALID_KE_PAYLOAD;
	else if (error == IKE_OK && o.ke.data.len != o.suite.kex->public_len)
		error = IKE_INVALID_SYNTAX;
	if (error == IKE_OK) {
		accept_offer(e, path, &m, &o, wire);
		return;
	}
	data[0] = m.unsupported;
	if (error == IKE_INVALID_KE_PAYLOAD) {	/* the peer needs it to go on */
		bytes_store16(data, o.suite.kex->id);
		ike_answer_unprotected(
		    e, path, h, IKE_INVALID_KE_PAYLOAD, bytes_of(data, 2));
		return;
	}
	ike_refuse_unprotected(e, path, h, error, bytes_of(data,
	    error == IKE_UNSUPPORTED_CRITICAL_PAYLOAD ? 1 : 0));
}
