/* IKE_AUTH, RFC 7296 1.2, 2.15, 2.16: both roles.  The secrets are elsewhere: the
 * engine asks for a proof of our identity (IKE_ASK_PROVE) and for a judgement on the
 * peer's (IKE_ASK_CHECK).  An SA becomes established in `establish` and nowhere else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

static struct ike_connection *
connection_of(const struct ike_exchange *x)
{
	return x->connection != NULL ? x->connection : x->sa->connection;
}

/* Who the peer says it is: what an initiator claimed, or whom we have called. */
static struct ike_identity
claimed_by(const struct ike_exchange *x)
{
	const struct ike_payload *idi = x->sa->initiator ? NULL :
	    ike_find_payload(x->message, IKE_PAYLOAD_IDI, 0);
	struct ike_id_view id;

	if (idi == NULL || ike_parse_id(idi->body, &id) != IKE_OK)
		return connection_of(x)->remote_id;
	return (struct ike_identity){ id.type, id.data };
}

/* The question about one side's AUTH: `initiator` says whose.  2.15: what is signed is
 * the signer's IKE_SA_INIT as it stood on the wire, the other's nonce, and the
 * signer's ID. */
static enum ike_error
ask_auth(struct ike *e, struct ike_exchange *x, enum ike_event_type type, bool initiator,
    struct bytes id_octets, struct ike_auth_request *r)
{
	const struct ike_sa *sa = x->sa;
	const struct ike_connection *c = connection_of(x);
	const struct ike_half_open *h = sa->half_open;
	struct bytes message = ike_buffer_view(&h->init[initiator ? 0 : 1]);
	struct bytes nonce = ike_buffer_view(&h->nonce[initiator ? 1 : 0]);
	size_t len = message.len + nonce.len + sa->suite.prf->len;
	struct ike_identity remote = claimed_by(x);
	uint8_t *octets = malloc(len);
	enum ike_error error = IKE_NO_MEMORY;

	if (octets == NULL)
		return IKE_NO_MEMORY;
	r->method = c->auth;
	r->prf = sa->suite.prf->id;
	r->secret = c->secret;
	r->local_id_type = c->local_id.type;
	r->local_id = c->local_id.data;
	r->remote_id_type = remote.type;
	r->remote_id = remote.data;
	r->octets = bytes_of(octets, ike_auth_octets(sa->suite.prf, message, nonce,
	    initiator ? h->keys.pi : h->keys.pr, id_octets, octets));
	if (r->octets.len > 0)
		error = ike_ask(e, x, type, r);
	ike_wipe(octets, len);
	free(octets);
	return error;
}

/* Our ID payload's body is kept: it is signed and sent. */
static enum ike_error
ask_prove(struct ike *e, struct ike_exchange *x)
{
	const struct ike_connection *c = connection_of(x);
	struct ike_writer w = ike_writer(e->scratch, sizeof(e->scratch));
	struct ike_auth_request r = { 0 };

	ike_build_id(&w, c->local_id.type, c->local_id.data);
	if (w.bad || !ike_buffer_set(&x->id_body, ike_written(&w)))
		return IKE_NO_MEMORY;
	return ask_auth(
	    e, x, IKE_ASK_PROVE, x->sa->initiator, ike_buffer_view(&x->id_body), &r);
}

static enum ike_error
refuse_method(struct ike *e, const struct ike_sa *sa, const char *theirs)
{
	struct ike_refusal r = ike_refusal(IKE_AUTHENTICATION_FAILED,
	    "the peer authenticates by another method than the connection asks for");

	r.ours = "psk";
	r.theirs = theirs;
	r.setting = "auth";
	ike_say_refused(e, sa, 0, &r);
	return IKE_AUTHENTICATION_FAILED;
}

static enum ike_error
ask_check(struct ike *e, struct ike_exchange *x, const struct ike_id_view *id)
{
	const struct ike_payload *payload =
	    ike_find_payload(x->message, IKE_PAYLOAD_AUTH, 0);
	const struct ike_sa *sa = x->sa;
	struct ike_auth_request r = { 0 };
	struct ike_auth auth;
	enum ike_error error;

	if (payload == NULL)		/* 2.16: an initiator asks for EAP so */
		return refuse_method(e, sa, "eap");
	if ((error = ike_parse_auth(payload->body, &auth)) != IKE_OK)
		return error;
	if (auth.method != connection_of(x)->auth)
		return refuse_method(e, sa, auth.method == IKE_AUTH_RSA ||
		    auth.method == IKE_AUTH_SIGNATURE ? "signature" : "another method");
	r.value = auth.data;
	return ask_auth(e, x, IKE_ASK_CHECK, !sa->initiator, id->octets, &r);
}

/* The answer to PROVE or CHECK was no. */
static enum ike_error
not_authentic(struct ike *e, const struct ike_exchange *x, const char *what)
{
	struct ike_refusal r;

	if (x->answer_error == IKE_NO_MEMORY)
		return IKE_NO_MEMORY;
	r = ike_refusal(IKE_AUTHENTICATION_FAILED,
	    x->answer_reason != NULL ? x->answer_reason : what);
	r.setting = "secret";
	ike_say_refused(e, x->sa, 0, &r);
	return IKE_AUTHENTICATION_FAILED;
}

/* The answer to CHECK: nothing else proves the peer, and without it nothing is
 * established. */
static enum ike_error
take_check(struct ike *e, struct ike_exchange *x)
{
	if (x->asked != IKE_ASK_CHECK || x->answer_error != IKE_OK)
		return not_authentic(e, x, "the peer's proof does not fit our secret");
	x->proven = true;
	return IKE_OK;
}

/* Is the answer one to PROVE, and a yes with a proof? */
static bool
is_proof(const struct ike_exchange *x)
{
	return x->asked == IKE_ASK_PROVE && x->answer_error == IKE_OK &&
	    x->answer_value.len > 0;
}

static void
add_auth(struct ike_chain *chain, const struct ike_exchange *x)
{
	struct ike_auth auth = { connection_of(x)->auth,
		ike_buffer_view(&x->answer_value) };

	ike_chain_open(chain, IKE_PAYLOAD_AUTH);
	ike_build_auth(&chain->w, &auth);
	ike_chain_close(chain);
}

static void
add_octets(struct ike_chain *chain, uint8_t type, struct bytes body)
{
	ike_chain_open(chain, type);
	ike_write_bytes(&chain->w, body);
	ike_chain_close(chain);
}

/* The one place where an SA becomes established, by an exchange that proved the peer. */
static void
establish(struct ike *e, struct ike_sa *sa)
{
	ike_timer_disarm(e, &sa->timer);
	ike_sa_state(e, sa, IKE_STATE_ESTABLISHED);
	ike_unique_remember(e, sa);
	ike_sa_forget_setup(e, sa);
	ike_renew_sa(e, sa);
	ike_say_of(e, sa, &sa->up, IKE_OK);
}

/* Other SAs of this peer: now that this one is up and has its Child SA, or was refused
 * one. */
static void
settle_others(struct ike *e, struct ike_sa *sa, const struct ike_message *m)
{
	struct ike_notify n;

	if (ike_find_notify(m, IKE_N_INITIAL_CONTACT, &n))
		ike_unique_initial_contact(e, sa);
	ike_unique_established(e, sa);
}

/* The responder's traffic stays with another SA that serves it, until the peer is seen to
 * have this one. */
static void
install(struct ike *e, struct ike_exchange *x)
{
	struct ike_child_sa *c = x->child;

	x->child = NULL;
	c->unseen = !x->ours;
	ike_child_commit(e, c, NULL);
	if (x->ours || !ike_unique_serves(c->sa, c->configured->name))
		ike_child_move_out(e, c);
}

static bool
copy_identity(struct ike_identity *to, const struct ike_id_view *from)
{
	uint8_t *p = malloc(from->data.len > 0 ? from->data.len : 1);

	if (p == NULL)
		return false;
	if (from->data.len > 0)
		memcpy(p, from->data.p, from->data.len);
	to->type = from->type;
	to->data = bytes_of(p, from->data.len);
	return true;
}

static struct ike_identity
identity_of(const struct ike_id_view *v)
{
	return (struct ike_identity){ v->type, v->data };
}

/* ---- initiator ---- */

enum ike_error
ike_auth_prove(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)sa;
	return ask_prove(e, x);
}

/* RFC 6023: who demands a key exchange of each Child SA's own gets the first one, too, by
 * CREATE_CHILD_SA, where the peer bears that. */
static bool
is_childless(const struct ike_sa *sa)
{
	return sa->childless && sa->connection->pfs == IKE_PFS_REQUIRE;
}

enum ike_error
ike_auth_send(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_connection *c = sa->connection;
	struct ike_chain chain;

	if (!is_proof(x))
		return not_authentic(e, x, "our own identity could not be proven");
	if (!is_childless(sa)) {
		x->child = ike_child_new(e, sa, sa->connection, x->configured, 0);
		if (x->child == NULL)
			return IKE_NO_MEMORY;
	}
	chain = ike_chain_begin(e);
	add_octets(&chain, IKE_PAYLOAD_IDI, ike_buffer_view(&x->id_body));
	/* 2.4 and decision 12: only when nothing else of this peer exists or is
	 * coming. */
	if (!ike_peer_has_sa(sa->peer, sa))
		ike_add_notify(&chain, IKE_N_INITIAL_CONTACT, bytes_of(NULL, 0));
	ike_chain_open(&chain, IKE_PAYLOAD_IDR);
	ike_build_id(&chain.w, c->remote_id.type, c->remote_id.data);
	ike_chain_close(&chain);
	add_auth(&chain, x);
	if (x->child != NULL)
		ike_child_offer(&chain, x);
	if (ike_mobike_wants(c))
		ike_mobike_offer(&chain);
	return ike_exchange_send(e, x, &chain);
}

/* Everything about the peer is verified before anything else leaves. */
enum ike_error
ike_auth_response(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_message *m = x->message;
	const struct ike_payload *idr = ike_find_payload(m, IKE_PAYLOAD_IDR, 0);
	enum ike_error error = ike_first_error(m);
	struct ike_identity theirs;
	struct ike_id_view id;

	if (idr == NULL || ike_find_payload(m, IKE_PAYLOAD_AUTH, 0) == NULL) {
		ike_refused_by_peer(e, sa, error, x->configured);
		/* The table lets only an error come without them. */
		return error != IKE_OK ? error : IKE_INVALID_SYNTAX;
	}
	if ((error = ike_parse_id(idr->body, &id)) != IKE_OK)
		return error;
	theirs = identity_of(&id);
	if (!ike_id_equal(&theirs, &sa->connection->remote_id)) {
		ike_refuse_identity(e, sa, "the peer says it is somebody else",
		    "remote.id", &sa->connection->remote_id, &id);
		return IKE_AUTHENTICATION_FAILED;
	}
	return ask_check(e, x, &id);
}

/* What leaves the IKE SA as it is, 1.2.  Any other error, and one that nobody knows, is
 * of the whole exchange (2.21.2, 3.10.1), though the peer proved itself in the same
 * breath. */
static bool
is_of_child(enum ike_error error)
{
	static const enum ike_error errors[] = { IKE_NO_PROPOSAL_CHOSEN,
		IKE_SINGLE_PAIR_REQUIRED, IKE_NO_ADDITIONAL_SAS,
		IKE_INTERNAL_ADDRESS_FAILURE, IKE_FAILED_CP_REQUIRED,
		IKE_TS_UNACCEPTABLE, IKE_TEMPORARY_FAILURE };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

/* All children are wanted at once, but by a packet that asks for one. */
static bool
is_complete_wanted(const struct ike_sa *sa)
{
	return sa->connection->start != IKE_START_ON_DEMAND || sa->reauthenticates != 0;
}

/* The peer is who it should be; what it says of the Child SA decides about that alone
 * (T41). */
enum ike_error
ike_auth_finish(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_message *m = x->message;
	enum ike_error refused = ike_first_error(m), error;
	struct ike_choice choice;
	struct ike_id_view id;

	if ((error = take_check(e, x)) != IKE_OK)
		return error;
	if (refused != IKE_OK) {
		ike_refused_by_peer(e, sa, refused, x->configured);
	} else if (x->child != NULL &&
	    (refused = ike_child_take(e, x, NULL, &choice)) == IKE_OK) {
		refused = ike_child_prepare(e, x->child, NULL, true,
		    ike_buffer_view(&sa->half_open->nonce[0]),
		    ike_buffer_view(&sa->half_open->nonce[1]),
		    bytes_of(NULL, 0));
	}
	if (refused != IKE_OK && !is_of_child(refused))
		return refused;
	error = ike_parse_id(ike_find_payload(m, IKE_PAYLOAD_IDR, 0)->body, &id);
	if (error != IKE_OK || !copy_identity(&sa->remote_id, &id) ||
	    !ike_unique_join(e, sa, &sa->remote_id))
		return IKE_NO_MEMORY;
	ike_mobike_agree(sa, m);
	establish(e, sa);
	if (refused == IKE_OK) {
		if (x->child != NULL)
			install(e, x);
		else
			(void)ike_want_child(
			    sa, sa->connection, x->configured, &x->packet);
		if (is_complete_wanted(sa))
			ike_peer_complete(e, sa);
		settle_others(e, sa, m);
		return IKE_OK;
	}
	if (ike_first_error(m) == IKE_OK)
		ike_info_delete_spi(e, sa, x->child->spi_in);	/* T48 */
	if (refused == IKE_NO_ADDITIONAL_SAS)
		sa->full = true;
	if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
	settle_others(e, sa, m);
	return IKE_OK;
}

/* ---- responder ---- */

static bool
is_better(const struct ike_peer *p, const struct ike_peer *than)
{
	const struct ike_connection *a = p->connection, *b;
	bool one;

	if (than == NULL)
		return true;
	b = than->connection;
	if (a->remote_id.data.len != b->remote_id.data.len)
		return a->remote_id.data.len > b->remote_id.data.len;
	one = ike_hosts_only(&a->remote) != NULL;
	return one && ike_hosts_only(&b->remote) == NULL;
}

/* Those of a bucket with these addresses and this pair of identities: the longest
 * pattern; of several alike, that of exactly this address; then the first. */
static struct ike_peer *
find_among(const struct ike_bucket *b, const struct ike_path *path,
    const struct ike_identity *initiator, const struct ike_identity *responder)
{
	const struct ike_place *place;
	struct ike_peer *p, *found = NULL;

	if (b == NULL)
		return NULL;
	TAILQ_FOREACH(place, &b->places, link) {
		p = place->peer;
		if (ike_peer_matches(p, path) &&
		    ike_id_matches(&p->connection->remote_id, initiator) &&
		    (responder == NULL ||
			ike_id_equal(&p->connection->local_id, responder)) &&
		    is_better(p, found))
			found = p;
	}
	return found;
}

/* Who is known by name is not asked for a pattern. */
static struct ike_peer *
find_peer(struct ike *e, const struct ike_path *path,
    const struct ike_identity *initiator, const struct ike_identity *responder)
{
	struct ike_peer *p;

	p = find_among(ike_index_identity(e, initiator), path, initiator, responder);
	return p != NULL ? p :
	    find_among(ike_index_patterns(e), path, initiator, responder);
}

static enum ike_error
unknown_peer(struct ike *e, const struct ike_sa *sa, const struct ike_path *path,
    const struct ike_id_view *initiator, const struct ike_id_view *responder)
{
	struct ike_identity id = identity_of(initiator);

	if (responder != NULL && find_peer(e, path, &id, NULL) != NULL)
		ike_refuse_identity(e, sa, "the peer asks for another identity than ours",
		    "local.id", &sa->connection->local_id, responder);
	else
		ike_refuse_identity(e, sa, "no connection knows this peer", "remote.id",
		    &sa->connection->remote_id, initiator);
	return IKE_AUTHENTICATION_FAILED;
}

/* IDi has spoken: the SA may belong to another connection than the addresses
 * suggested. */
static enum ike_error
switch_connection(
    struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct ike_peer *p)
{
	const struct ike_choice choice = ike_choice_of(&sa->suite);
	struct ike_refusal r;
	char ours[256], theirs[128], what[256];

	if (!ike_choice_allowed(&p->connection->ike, &choice)) {
		snprintf(what, sizeof(what),
		    "the addresses led to connection %.63s, the peer's "
		    "identity to %.63s, which forbids what was chosen",
		    sa->connection->name, p->connection->name);
		r = ike_refusal(IKE_AUTHENTICATION_FAILED, what);
		r.ours = ike_proposals_print(&p->connection->ike, ours, sizeof(ours));
		r.theirs = ike_choice_print(&choice, theirs, sizeof(theirs));
		r.setting = "ike";
		ike_say_refused(e, sa, p->id, &r);
		return IKE_AUTHENTICATION_FAILED;
	}
	x->connection = ike_connection_hold(p->connection);
	ike_peer_join(p, sa);	/* a name for events; the connection follows with AUTH */
	return IKE_OK;
}

static enum ike_error
request(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_message *m = x->message;
	const struct ike_payload *idr = ike_find_payload(m, IKE_PAYLOAD_IDR, 0);
	struct ike_id_view initiator, responder;
	struct ike_identity i, r;
	struct ike_peer *p;
	enum ike_error error;

	error = ike_parse_id(ike_find_payload(m, IKE_PAYLOAD_IDI, 0)->body, &initiator);
	if (error == IKE_OK && idr != NULL)
		error = ike_parse_id(idr->body, &responder);
	if (error != IKE_OK)
		return error;
	i = identity_of(&initiator);
	if (idr != NULL)
		r = identity_of(&responder);
	p = find_peer(e, &sa->path, &i, idr != NULL ? &r : NULL);
	if (p == NULL)
		return unknown_peer(
		    e, sa, &sa->path, &initiator, idr != NULL ? &responder : NULL);
	if ((error = switch_connection(e, sa, x, p)) != IKE_OK ||
	    (error = ike_mobike_check_nats(x->connection, m, &x->path)) != IKE_OK)
		return error;
	return ask_check(e, x, &initiator);
}

static enum ike_error
admit(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_connection *c = x->connection;
	const struct ike_identity remote = claimed_by(x);
	struct ike_auth_request r = { .method = c->auth, .prf = sa->suite.prf->id,
	    .secret = c->secret,
	    .local_id_type = c->local_id.type, .local_id = c->local_id.data,
	    .remote_id_type = remote.type, .remote_id = remote.data, .path = x->path };
	enum ike_error error = take_check(e, x);
	struct ike_refusal refusal;
	struct ike_notify n;

	if (error != IKE_OK)
		return error;
	if (!ike_unique_admits(e, sa, &remote,
	    ike_find_notify(x->message, IKE_N_INITIAL_CONTACT, &n))) {
		refusal = ike_refusal(IKE_AUTHENTICATION_FAILED,
		    "the peer has an SA already, and keeps that one");
		refusal.setting = "unique";
		ike_say_refused(e, sa, 0, &refusal);
		return IKE_AUTHENTICATION_FAILED;
	}
	return ike_ask(e, x, IKE_ASK_ADMIT, &r);
}

static enum ike_error
prove(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_refusal r;

	if (x->answer_error != IKE_OK) {
		r = ike_refusal(IKE_AUTHENTICATION_FAILED, x->answer_reason != NULL ?
		    x->answer_reason : "the peer is authentic but was not admitted");
		ike_say_refused(e, sa, 0, &r);
		return IKE_AUTHENTICATION_FAILED;
	}
	return ask_prove(e, x);
}

static enum ike_error
write_answer(struct ike *e, struct ike_exchange *x, enum ike_error refused,
    const struct ike_choice *choice)
{
	static const struct ike_ke no_ke = { .group = IKE_KE_NONE };
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_notify n;

	add_octets(&chain, IKE_PAYLOAD_IDR, ike_buffer_view(&x->id_body));
	add_auth(&chain, x);
	if (refused == IKE_OK && x->child != NULL)
		ike_child_answer(&chain, x, choice, &no_ke);
	else if (refused != IKE_OK)
		ike_add_notify(&chain, (uint16_t)refused, bytes_of(NULL, 0));
	if (ike_mobike_wants(x->connection) &&
	    ike_find_notify(x->message, IKE_N_MOBIKE_SUPPORTED, &n))
		ike_mobike_offer(&chain);
	return ike_exchange_send(e, x, &chain);
}

/* The Child SA that is asked for, if any is (RFC 6023): IKE_SA_INIT, where the identity
 * was not known yet, has said whether one must be. */
static enum ike_error
choose(struct ike *e, const struct ike_sa *sa, struct ike_exchange *x,
    struct ike_choice *choice)
{
	enum ike_error error;

	if (sa->connection->childless &&
	    ike_find_payload(x->message, IKE_PAYLOAD_SA, 0) == NULL)
		return IKE_OK;
	error = ike_child_choose(e, x, NULL, IKE_KE_NONE, choice);
	return error != IKE_OK ? error : ike_child_prepare(e, x->child, NULL, false,
	    ike_buffer_view(&sa->half_open->nonce[0]),
	    ike_buffer_view(&sa->half_open->nonce[1]),
	    bytes_of(NULL, 0));
}

/* The last step: all that can fail comes before the answer is queued. */
static enum ike_error
respond(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_identity id = { 0 };
	struct ike_id_view view;
	struct ike_choice choice;
	enum ike_error refused, error;

	if (!is_proof(x) || !x->proven)
		return not_authentic(e, x, "our own identity could not be proven");
	error =
	    ike_parse_id(ike_find_payload(x->message, IKE_PAYLOAD_IDI, 0)->body, &view);
	if (error != IKE_OK)
		return error;
	sa->path = x->path;		/* where the peer's IKE_AUTH came from (T78) */
	refused = choose(e, sa, x, &choice);
	if (refused < 0 || refused == IKE_INVALID_SYNTAX)
		return refused;
	if (!copy_identity(&id, &view))
		return IKE_NO_MEMORY;
	error = ike_unique_join(e, sa, &id) ? write_answer(e, x, refused, &choice) :
	    IKE_NO_MEMORY;
	if (error != IKE_OK) {
		ike_unique_leave(e, sa);
		ike_id_free(&id);
		return error;
	}
	sa->remote_id = id;
	ike_connection_free(sa->connection);
	sa->connection = ike_connection_hold(x->connection);
	ike_mobike_agree(sa, x->message);
	establish(e, sa);
	if (refused == IKE_OK && x->child != NULL)
		install(e, x);
	else if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
	settle_others(e, sa, x->message);
	return IKE_OK;
}

ike_step *const ike_auth_request_steps[] = { request, admit, prove, respond, NULL };
