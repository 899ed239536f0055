/* CREATE_CHILD_SA for the IKE SA itself, RFC 7296 1.3.2, 2.8.2, 2.18.
 *
 * The new SA takes over all that the peer relation has: Child SAs, what is still wanted,
 * and the id by which the host knows the session.  When both ends rekey at once, each
 * answers the other; then the SA that holds the lowest of the four nonces goes, deleted
 * by whoever began it, and whoever began the other one deletes the old SA.  Until our
 * own answer has come, the peer's new SA waits unsettled and hears nothing: the peer
 * repeats what it says. */
#include <string.h>

#include "libike/sa.h"

enum { KE_ROUNDS = 3 };
/* IKE SAs that the peer has replaced and not deleted, or not long ago: then it has to
 * wait. */
enum { MOST_REPLACED = 32 };

/* ---- taking over ---- */

/* The settings may be other ones by now: there it is the host of the same name, or the
 * first that can be called. */
static const struct ike_host *
host_now(const struct ike_sa *to, const struct ike_sa *from)
{
	const struct ike_hosts *hosts = &to->connection->remote;

	if (from->host == NULL || to->connection == from->connection)
		return from->host;
	for (unsigned i = 0; i < hosts->n; i++)
		if (strcmp(hosts->v[i].text, from->host->text) == 0)
			return &hosts->v[i];
	return ike_hosts_callable(hosts, 0);
}

static void
copy_history(struct ike_sa *to, const struct ike_sa *from)
{
	to->generation = from->generation + 1;
	to->n_lingering = from->n_lingering;
	to->n_replaced = from->n_replaced + 1;
	to->child_rekeys = from->child_rekeys;
	to->collisions_won = from->collisions_won;
	to->collisions_lost = from->collisions_lost;
	to->reauth_at = from->reauth_at;
	to->reauthenticates = from->reauthenticates;
	to->host = host_now(to, from);
	to->natd = from->natd;
	to->encap = from->encap;
	to->nat_here = from->nat_here;
	to->nat_there = from->nat_there;
	to->childless = from->childless;
	to->full = from->full;
	to->fragments = from->fragments;
	to->path = from->path;
	to->close_after = from->close_after;
}

static void
join(struct ike_sa *to, struct ike_sa *from)
{
	if (from->peer != NULL)
		ike_peer_join(from->peer, to);
	else
		to->connection_id = from->connection_id;
}

/* `sa` has been replaced by `next`; its DELETE is ours to send, or theirs. */
static void
take_over(struct ike *e, struct ike_sa *next, struct ike_sa *sa, bool theirs)
{
	struct ike_child_sa *c;

	copy_history(next, sa);
	sa->close_after = false;
	sa->reauthenticates = 0;
	next->remote_id = sa->remote_id;
	sa->remote_id = (struct ike_identity){ 0 };
	join(next, sa);
	next->setting_up = sa->setting_up;
	sa->setting_up = (struct ike_setting_up){ .ours = false };
	(void)ike_unique_join(e, next, &next->remote_id);	/* the others are known */
	ike_unique_leave(e, sa);
	while ((c = LIST_FIRST(&sa->children)) != NULL)
		ike_child_hand_over(c, next);
	ike_want_no_more(sa, IKE_WISH_REKEY_IKE, 0);	/* this is it */
	STAILQ_CONCAT(&next->wanted, &sa->wanted);
	ike_table_swap_ids(e, sa, next);
	sa->session = next->id;
	ike_sa_state(e, next, IKE_STATE_ESTABLISHED);
	ike_mobike_inherit(e, next, sa);
	ike_say_no_ending(&sa->ending);	/* people know the session, and that goes on */
	ike_say_of(e, next, &next->up, IKE_OK);
	ike_renew_sa(e, next);
	ike_renew_sa_replaced(e, sa, theirs);
	if (next->peer != NULL)
		ike_peer_up(e, next->peer);
	ike_next_wanted(e, next);
}

/* One that lost against another: there, but with nothing in it. */
static void
lay_aside(struct ike *e, struct ike_sa *lost, struct ike_sa *sa, bool theirs)
{
	lost->path = sa->path;
	lost->mobile.on = sa->mobile.on;	/* for its DELETE to arrive */
	lost->mobile.initiator = sa->mobile.initiator;
	join(lost, sa);
	ike_say_no_ending(&lost->ending);
	ike_renew_sa_replaced(e, lost, theirs);
}

/* Our rekey has its answer: who stays? */
static void
settle(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct bytes lowest)
{
	struct ike_sa *ours = x->next, *rival = x->rival.sa;

	x->next = x->rival.sa = NULL;
	if (rival == NULL) {
		take_over(e, ours, sa, false);
	} else if (ike_nonce_is_lower(lowest, ike_buffer_view(&x->rival.lowest))) {
		sa->collisions_lost++;
		lay_aside(e, ours, sa, false);
		take_over(e, rival, sa, true);
	} else {
		sa->collisions_won++;
		lay_aside(e, rival, sa, true);
		take_over(e, ours, sa, false);
	}
}

void
ike_rekey_yield(struct ike *e, struct ike_sa *sa)
{
	struct ike_exchange *x = sa->ours;
	struct ike_sa *rival = x != NULL ? x->rival.sa : NULL;

	if (rival == NULL)
		return;
	x->rival.sa = NULL;
	sa->collisions_lost++;
	take_over(e, rival, sa, true);
}

/* ---- both roles ---- */

struct terms {
	struct ike_choice choice;
	struct ike_suite suite;
	uint64_t spi;			/* the peer's */
	struct ike_ke ke;		/* its */
	struct bytes nonce;
};

static enum ike_error
read_terms(const struct ike_message *m, struct terms *t)
{
	enum ike_error error =
	    ike_check_sa(ike_find_payload(m, IKE_PAYLOAD_SA, 0)->body);

	return error != IKE_OK ? error : ike_read_fresh(m, &t->ke, &t->nonce);
}

static bool
take_spi(struct terms *t)
{
	t->spi = t->choice.spi.len == IKE_SPI_LEN ? bytes_load64(t->choice.spi.p) : 0;
	t->choice.spi = bytes_of(NULL, 0);
	return t->spi != 0;
}

static bool
derive(const struct ike_sa *sa, struct ike_sa *next, const struct terms *t,
    struct bytes ni, struct bytes nr, const uint8_t *secret)
{
	next->suite = t->suite;
	*(next->initiator ? &next->spi_r : &next->spi_i) = t->spi;
	return ike_derive_rekeyed(sa->suite.prf, &sa->keys, &t->suite, ni, nr, next->spi_i,
	    next->spi_r, bytes_of(secret, t->suite.kex->secret_len), &next->keys);
}

static struct bytes
spi_octets(const struct ike_sa *next, uint8_t octets[IKE_SPI_LEN])
{
	bytes_store64(octets, next->spi_ours);
	return bytes_of(octets, IKE_SPI_LEN);
}

/* ---- initiator ---- */

static enum ike_error
write_request(struct ike *e, struct ike_exchange *x)
{
	const struct ike_sa *next = x->next;
	struct ike_chain chain = ike_chain_begin(e);
	uint8_t spi[IKE_SPI_LEN];

	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain.w, &next->connection->ike, spi_octets(next, spi), true);
	ike_chain_close(&chain);
	ike_add_nonce(&chain, ike_buffer_view(&x->fresh.nonce));
	ike_add_ke(&chain, x->fresh.kex->id, ike_buffer_view(&x->fresh.ke));
	return ike_exchange_send(e, x, &chain);
}

/* What served so far first. */
static uint16_t
first_group(const struct ike_sa *sa, const struct ike_proposals *ours)
{
	return ike_offers_group(ours, sa->suite.kex->id) ? sa->suite.kex->id :
	    ike_first_group(ours);
}

static enum ike_error
send_first(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	enum ike_error error = IKE_NO_MEMORY;

	x->next = ike_sa_next(e, sa, true);
	if (x->next != NULL && ike_fresh_nonce(e, &x->fresh) &&
	    ike_fresh_ke(e, &x->fresh, first_group(sa, &x->next->connection->ike)))
		error = write_request(e, x);
	if (error == IKE_WAIT)
		return IKE_WAIT;
	ike_renew_sa_later(e, sa);	/* nothing was sent, nothing has changed */
	ike_exchange_end(x);
	return IKE_OK;
}

static enum ike_error
send_again(struct ike *e, struct ike_exchange *x)
{
	uint16_t group = ike_wanted_group(
	    x->message, &x->next->connection->ike, x->fresh.kex->id);

	if (group == IKE_KE_NONE || x->rounds++ >= KE_ROUNDS)
		return IKE_INVALID_KE_PAYLOAD;
	if (!ike_fresh_ke(e, &x->fresh, group))
		return IKE_NO_MEMORY;
	x->steps--;
	return write_request(e, x);
}

/* Checks the answer and makes the new SA ready; `lowest` is of its two nonces. */
static enum ike_error
take_answer(
    struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct bytes *lowest)
{
	struct bytes body = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0)->body;
	const struct ike_fresh *fresh = &x->fresh;
	const struct ike_proposals *ours = &x->next->connection->ike;
	uint8_t secret[IKE_MAX_SECRET_LEN] = { 0 };
	struct terms t = { .spi = 0 };
	enum ike_error error;

	if ((error = read_terms(x->message, &t)) != IKE_OK)
		return error;
	error = ike_check_choice(ours, body, true, &t.choice);
	if (error != IKE_OK || !take_spi(&t) ||
	    !ike_suite_of(e->algorithms, &t.choice, &t.suite)) {
		ike_refuse_proposals(e, sa, 0, &x->path, ours, body);
		return IKE_NO_PROPOSAL_CHOSEN;
	}
	if (t.suite.kex != fresh->kex || t.ke.group != fresh->kex->id ||
	    t.ke.data.len != fresh->kex->response_len ||
	    !fresh->kex->finish(fresh->state, t.ke.data, secret))
		error = IKE_INVALID_KE_PAYLOAD;
	else if (!derive(sa, x->next, &t, ike_buffer_view(&fresh->nonce), t.nonce, secret))
		error = IKE_NO_MEMORY;
	ike_wipe(secret, sizeof(secret));
	*lowest = ike_lower_nonce(ike_buffer_view(&fresh->nonce), t.nonce);
	return error;
}

/* It goes on without; but if the peer has rekeyed meanwhile, by that one. */
static void
refused(struct ike *e, struct ike_sa *sa, enum ike_error error)
{
	if (sa->ours->rival.sa != NULL) {
		ike_rekey_yield(e, sa);
		return;
	}
	if (error > 0 && error != IKE_TEMPORARY_FAILURE)
		ike_refused_by_peer(e, sa, error, NULL);
	if (ike_renew_refused(e, sa, &sa->put_off, error))
		return;
	if (error > 0 && error != IKE_TEMPORARY_FAILURE)
		ike_renew_sa_refused(e, sa);
	else
		ike_renew_sa_later(e, sa);
}

static enum ike_error
response(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	enum ike_error error = ike_first_error(x->message);
	struct bytes lowest;

	if (error == IKE_INVALID_KE_PAYLOAD && (error = send_again(e, x)) == IKE_WAIT)
		return IKE_WAIT;
	if (error != IKE_OK) {
		refused(e, sa, error);
		return IKE_OK;
	}
	error = take_answer(e, sa, x, &lowest);
	if (error == IKE_INVALID_SYNTAX)
		return error;
	if (error != IKE_OK)	/* the peer holds for done what cannot be: start over */
		return IKE_NO_PROPOSAL_CHOSEN;
	settle(e, sa, x, lowest);
	return IKE_OK;
}

static ike_step *const rekey_steps[] = { send_first, response, NULL };

void
ike_rekey_begin(struct ike *e, struct ike_sa *sa)
{
	struct ike_exchange *x = ike_exchange_new(sa, true, CREATE_CHILD_SA, rekey_steps);

	if (x == NULL)
		ike_renew_sa_later(e, sa);
	else
		ike_exchange_begin(e, sa, x);
}

/* ---- responder ---- */

/* 2.25.2: what is on its way (T66, T71, T90). */
static bool
is_bad_time(const struct ike_sa *sa)
{
	const struct ike_exchange *ours = sa->ours;

	if (sa->state != IKE_STATE_ESTABLISHED || sa->close_after)
		return true;
	if (ours == NULL)
		return false;
	return ours->rival.met || ours->spi != 0 ||
	    (ours->type == CREATE_CHILD_SA && ours->next == NULL);
}

static bool
has_room(struct ike *e, const struct ike_sa *sa)
{
	if (sa->n_replaced < MOST_REPLACED)
		return true;
	ike_refuse_more(e, sa, IKE_TEMPORARY_FAILURE,
	    "the peer rekeys and rekeys the IKE SA, and deletes none", MOST_REPLACED);
	return false;
}

static enum ike_error
choose(struct ike *e, struct ike_sa *sa, struct ike_exchange *x,
    const struct ike_proposals *ours, struct terms *t)
{
	struct bytes body = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0)->body;
	uint8_t group[2];

	if (ike_choose(ours, body, true, t->ke.group, &t->choice) != IKE_OK ||
	    !take_spi(t) || !ike_suite_of(e->algorithms, &t->choice, &t->suite)) {
		ike_refuse_proposals(e, sa, 0, &x->path, ours, body);
		return IKE_NO_PROPOSAL_CHOSEN;
	}
	if (t->ke.group == t->suite.kex->id)
		return t->ke.data.len == t->suite.kex->public_len ? IKE_OK :
		    IKE_NO_PROPOSAL_CHOSEN;
	bytes_store16(group, t->suite.kex->id);
	return ike_answer_notify(e, x, &(struct ike_notify){
	    .type = (uint16_t)IKE_INVALID_KE_PAYLOAD,
	    .data = bytes_of(group, sizeof(group)) }) == IKE_OK ? IKE_WAIT : IKE_NO_MEMORY;
}

static enum ike_error
write_answer(struct ike *e, struct ike_exchange *x, const struct terms *t,
    struct bytes ke)
{
	struct ike_chain chain = ike_chain_begin(e);
	uint8_t spi[IKE_SPI_LEN];

	ike_chain_open(&chain, IKE_PAYLOAD_SA);
	ike_build_choice(&chain.w, &t->choice, spi_octets(x->next, spi));
	ike_chain_close(&chain);
	ike_add_nonce(&chain, ike_buffer_view(&x->fresh.nonce));
	ike_add_ke(&chain, t->suite.kex->id, ke);
	return ike_exchange_send(e, x, &chain);
}

/* While our own rekey is unanswered the new SA waits in it. */
static bool
meet(struct ike_exchange *ours, struct bytes lowest)
{
	if (!ike_buffer_set(&ours->rival.lowest, lowest))
		return false;
	ours->rival.met = true;
	return true;
}

static enum ike_error
make_next(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, struct terms *t)
{
	const struct ike_kex *kex = t->suite.kex;
	uint8_t public[IKE_MAX_KE_LEN], secret[IKE_MAX_SECRET_LEN];
	bool crossed = sa->ours != NULL && sa->ours->next != NULL;
	enum ike_error error = IKE_NO_MEMORY;

	if (!kex->respond(&e->random, t->ke.data, public, secret))
		return IKE_NO_PROPOSAL_CHOSEN;	/* not a value of the group (T37) */
	if (ike_fresh_nonce(e, &x->fresh) &&
	    derive(sa, x->next, t, t->nonce, ike_buffer_view(&x->fresh.nonce), secret) &&
	    (!crossed || meet(sa->ours, ike_lower_nonce(t->nonce,
	    ike_buffer_view(&x->fresh.nonce))))) {
		error = write_answer(e, x, t, bytes_of(public, kex->response_len));
		if (crossed && error != IKE_OK)
			sa->ours->rival.met = false;
	}
	ike_wipe(secret, sizeof(secret));
	if (error != IKE_OK)
		return error;
	if (crossed)
		sa->ours->rival.sa = x->next;
	else
		take_over(e, x->next, sa, true);
	x->next = NULL;
	return IKE_OK;
}

enum ike_error
ike_rekey_answer(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct terms t = { .spi = 0 };
	enum ike_error error;

	if (is_bad_time(sa) || !has_room(e, sa))
		return IKE_TEMPORARY_FAILURE;
	if ((error = read_terms(x->message, &t)) != IKE_OK)
		return error;
	if (t.ke.group == IKE_KE_NONE)
		return IKE_INVALID_SYNTAX;
	if ((x->next = ike_sa_next(e, sa, false)) == NULL)
		return IKE_NO_MEMORY;
	error = choose(e, sa, x, &x->next->connection->ike, &t);
	if (error == IKE_OK)
		error = make_next(e, sa, x, &t);
	return error == IKE_WAIT ? IKE_OK : error;	/* the answer was a notify */
}
