/* CREATE_CHILD_SA for Child SAs, RFC 7296 1.3.1, 1.3.3, 2.8, 2.25: a further one, or one
 * that follows another.  A refusal concerns what was asked for and nothing else: the
 * Child SA that was to be replaced goes on. */
#include <string.h>

#include "libike/sa.h"

enum { KE_ROUNDS = 3 };

/* ---- initiator ---- */

static struct ike_child_sa *
old_of(struct ike *e, const struct ike_exchange *x)
{
	struct ike_child_sa *old = x->old != 0 ? ike_table_child(e, x->old) : NULL;

	return old != NULL && old->installed ? old : NULL;
}

/* Once more in a while, or from the beginning. */
static void
try_later(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_child_sa *old = old_of(e, x);

	if (old != NULL)
		ike_renew_child_later(e, old);
	else if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
}

static enum ike_error
write_request(struct ike *e, struct ike_exchange *x)
{
	const struct ike_child_sa *old = old_of(e, x);
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_notify rekey = { .protocol = IKE_PROTOCOL_ESP, .type = IKE_N_REKEY_SA };
	uint8_t spi[IKE_ESP_SPI_LEN];

	if (old != NULL) {		/* named as the peer sends by it, 1.3.3 */
		bytes_store32(spi, old->spi_in);
		rekey.spi = bytes_of(spi, sizeof(spi));
		ike_chain_open(&chain, IKE_PAYLOAD_NOTIFY);
		ike_build_notify(&chain.w, &rekey);
		ike_chain_close(&chain);
	}
	ike_child_offer(&chain, x);
	return ike_exchange_send(e, x, &chain);
}

static enum ike_error
send_first(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	const struct ike_child_sa *old = old_of(e, x);
	uint16_t group = ike_first_group(&x->connection->esp);
	enum ike_error error = IKE_NO_MEMORY;

	x->child = ike_child_new(e, sa, x->connection, x->configured,
	    old != NULL ? old->spi_in : 0);
	if (x->child != NULL && ike_fresh_nonce(e, &x->fresh) &&
	    (group == IKE_KE_NONE || ike_fresh_ke(e, &x->fresh, group)))
		error = write_request(e, x);
	if (error == IKE_WAIT)
		return IKE_WAIT;
	try_later(e, sa, x);		/* nothing was sent, nothing has changed */
	ike_exchange_end(x);
	return IKE_OK;
}

/* The peer has replaced it meanwhile, or it has gone. */
static bool
is_done(struct ike *e, const struct ike_exchange *x)
{
	const struct ike_child_sa *old = old_of(e, x);

	return x->old != 0 && (old == NULL || old->successor != NULL);
}

/* The same again with the group that the peer wants (1.3, T32). */
static enum ike_error
send_again(struct ike *e, struct ike_exchange *x)
{
	uint16_t group = ike_wanted_group(x->message, &x->connection->esp,
	    x->fresh.kex != NULL ? x->fresh.kex->id : IKE_KE_NONE);

	if (group == IKE_KE_NONE || x->rounds++ >= KE_ROUNDS)
		return IKE_INVALID_KE_PAYLOAD;
	if (is_done(e, x))
		return IKE_TEMPORARY_FAILURE;
	if (!ike_fresh_ke(e, &x->fresh, group))
		return IKE_NO_MEMORY;
	x->steps--;
	return write_request(e, x);
}

/* The peer has no such Child SA any more (2.25): another one, from the beginning.  But
 * its own rekey may have replaced it, or it has deleted it. */
static void
forget_old(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_child_sa *old = old_of(e, x), *before;

	if (old != NULL && old->successor == NULL && !old->leaving) {
		before = old->predecessor;	/* may be there still */
		ike_child_close(e, old, IKE_CLOSED);
		if (before != NULL ?
		    ike_want(sa, IKE_WISH_REKEY_CHILD, before->spi_in) :
		    ike_want_child(sa, x->connection, x->configured, NULL))
			return;
	}
	if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
}

static void
refused(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, enum ike_error error)
{
	struct ike_child_sa *old = old_of(e, x);

	if (error == IKE_CHILD_SA_NOT_FOUND && x->old != 0) {
		forget_old(e, sa, x);
		return;
	}
	if (error != IKE_TEMPORARY_FAILURE)
		ike_refused_by_peer(e, sa, error, x->configured);
	if (old != NULL && ike_renew_refused(e, sa, &old->put_off, error))
		return;
	if (error == IKE_NO_ADDITIONAL_SAS)
		sa->full = true;
	if (error == IKE_NO_ADDITIONAL_SAS && old != NULL)
		(void)ike_peer_reauthenticate(e, sa);
	if (old != NULL && error != IKE_TEMPORARY_FAILURE)
		ike_renew_child_refused(e, old);
	else if (error == IKE_TEMPORARY_FAILURE && x->old == 0 && sa->peer != NULL)
		ike_peer_again(e, sa->peer);
	else
		try_later(e, sa, x);
}

/* The shared secret, if the choice has a key exchange. */
static enum ike_error
finish_ke(const struct ike_exchange *x, const struct ike_choice *choice,
    const struct ike_ke *ke, uint8_t *octets, struct bytes *secret)
{
	const struct ike_kex *kex = x->fresh.kex;

	*secret = bytes_of(octets, 0);
	if (!choice->has[IKE_KE] || choice->id[IKE_KE] == IKE_KE_NONE)
		return IKE_OK;
	if (kex == NULL || choice->id[IKE_KE] != kex->id || ke->group != kex->id ||
	    ke->data.len != kex->response_len ||
	    !kex->finish(x->fresh.state, ke->data, octets))
		return IKE_INVALID_KE_PAYLOAD;
	*secret = bytes_of(octets, kex->secret_len);
	return IKE_OK;
}

/* Checks the answer and makes the Child SA ready; `lowest` is of its two nonces. */
static enum ike_error
take_answer(struct ike *e, struct ike_exchange *x, struct ike_child_sa *old,
    struct bytes *lowest)
{
	uint8_t octets[IKE_MAX_SECRET_LEN] = { 0 };
	struct bytes ni = ike_buffer_view(&x->fresh.nonce), nr, secret;
	struct ike_choice choice;
	struct ike_ke ke;
	enum ike_error error;

	if ((error = ike_read_fresh(x->message, &ke, &nr)) != IKE_OK ||
	    (error = ike_child_take(e, x, old, &choice)) != IKE_OK)
		return error;
	if ((error = finish_ke(x, &choice, &ke, octets, &secret)) == IKE_OK)
		error = ike_child_prepare(e, x->child, old, true, ni, nr, secret);
	ike_wipe(octets, sizeof(octets));
	*lowest = ike_lower_nonce(ni, nr);
	return error;
}

/* Ours follows one that the peer has rekeyed meanwhile (2.8.1): does it have to go?  When
 * our answer comes late, theirs may itself have been rekeyed and be gone. */
static bool
loses_rekey(struct ike *e, struct ike_sa *sa, const struct ike_exchange *x,
    const struct ike_child_sa *old, struct bytes lowest)
{
	const struct ike_child_sa *serving =
	    ike_child_serving(sa, x->child->configured->name);
	struct ike_child_sa *rival;
	bool lost;

	if (!x->rival.met)	/* then what is there already needs none of ours */
		return serving != NULL && (old == NULL || old->successor != NULL);
	rival = ike_table_child(e, x->rival.child);
	if ((rival == NULL || rival->lingering) && serving == NULL)
		return false;
	lost = ike_nonce_is_lower(lowest, ike_buffer_view(&x->rival.lowest));
	*(lost ? &sa->collisions_lost : &sa->collisions_won) += 1;
	if (!lost && rival != NULL)
		rival->lost = IKE_LOST_THERE;
	return lost;
}

/* Both ends made one: that with the lower nonce goes, deleted by whoever began it; or,
 * when the peer had the other one before our request came, by the peer. */
static bool
loses_new(struct ike_sa *sa, const struct ike_exchange *x)
{
	struct ike_child_sa *other =
	    ike_child_serving(sa, x->child->configured->name);

	if (other == NULL)
		return false;
	if (x->child->lowest < other->lowest) {
		sa->collisions_lost++;
		return true;
	}
	sa->collisions_won++;
	other->lost = IKE_LOST_THERE;
	return false;
}

static void
commit(struct ike *e, struct ike_exchange *x,
    struct ike_child_sa *old, bool lost)
{
	struct ike_child_sa *c = x->child;

	x->child = NULL;
	ike_child_commit(e, c, lost ? NULL : old);
	if (lost) {
		c->lost = IKE_LOST_HERE;
		ike_renew_child_lost(e, c);
		return;
	}
	ike_child_move_out(e, c);
	if (old != NULL) {
		old->awaits_delete = false;
		ike_renew_child_replaced(e, old);
	}
}

static enum ike_error
response(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	enum ike_error error = ike_first_error(x->message);
	struct ike_child_sa *old = old_of(e, x);
	struct bytes lowest;

	if (error == IKE_INVALID_KE_PAYLOAD &&
	    (error = send_again(e, x)) == IKE_WAIT)
		return IKE_WAIT;
	if (error != IKE_OK) {
		refused(e, sa, x, error);
		return IKE_OK;
	}
	error = take_answer(e, x, old, &lowest);
	if (error == IKE_INVALID_SYNTAX)
		return error;
	if (error != IKE_OK) {		/* the peer has it: it must go there, too */
		ike_info_delete_spi(e, sa, x->child->spi_in);
		if (old == NULL || error == IKE_NO_MEMORY)
			try_later(e, sa, x);
		else
			ike_renew_child_refused(e, old);
		return IKE_OK;
	}
	x->child->lowest = old != NULL ? old->lowest : bytes_load64(lowest.p);
	commit(e, x, old, x->old != 0 ? loses_rekey(e, sa, x, old, lowest) :
	    loses_new(sa, x));
	return IKE_OK;
}

static ike_step *const create_steps[] = { send_first, response, NULL };

static void
begin(struct ike *e, struct ike_sa *sa, struct ike_connection *c,
    const struct ike_connection_child *configured, const struct esp_selector *packet,
    ike_id old)
{
	struct ike_exchange *x = ike_exchange_new(sa, true, CREATE_CHILD_SA, create_steps);

	if (x == NULL)
		return;
	x->connection = ike_connection_hold(c);
	x->configured = configured;
	x->packet = *packet;
	x->old = old;
	ike_exchange_begin(e, sa, x);
}

void
ike_create_begin(struct ike *e, struct ike_sa *sa, const struct ike_wanted *w)
{
	if (ike_child_serving(sa, w->configured->name) == NULL)
		begin(e, sa, w->connection, w->configured, &w->packet, 0);
}

/* The configuration of today, if the child is still in it. */
static const struct ike_connection_child *
configured_now(const struct ike_child_sa *c, struct ike_connection **connection)
{
	*connection = c->sa->peer != NULL ? c->sa->peer->connection : c->connection;
	for (unsigned i = 0; i < (*connection)->n_children; i++)
		if (strcmp((*connection)->children[i].name, c->configured->name) == 0)
			return &(*connection)->children[i];
	*connection = c->connection;
	return c->configured;
}

void
ike_create_begin_rekey(struct ike *e, struct ike_sa *sa, uint32_t spi_in)
{
	static const struct esp_selector no_packet;
	struct ike_child_sa *old = ike_child_by_in(sa, spi_in);
	const struct ike_connection_child *configured;
	struct ike_connection *c;

	if (old == NULL || old->successor != NULL || old->deleting || old->leaving ||
	    old->lost != IKE_LOST_NOT)
		return;
	if (ike_child_is_waiting(old)) {	/* the peer may not know it yet */
		ike_renew_child_unseen(e, old);
		return;
	}
	/* T53: by another IKE SA; without one, there may be room in this one by now. */
	if (sa->full && ike_peer_reauthenticate(e, sa) == IKE_OK)
		return;
	configured = configured_now(old, &c);
	begin(e, sa, c, configured, &no_packet, old->id);
	if (sa->ours == NULL && old->installed && !ike_timer_is_armed(&old->timer))
		ike_renew_child_later(e, old);
}

/* ---- responder ---- */

bool
ike_create_is_open(const struct ike_sa *sa)
{
	return sa->ours != NULL && sa->ours->type == CREATE_CHILD_SA &&
	    sa->ours->child != NULL;
}

/* What the request rekeys: IKE_OK, and *old is NULL when it rekeys nothing. */
static enum ike_error
find_old(struct ike *e, struct ike_sa *sa, struct ike_exchange *x,
    struct ike_child_sa **old)
{
	struct ike_notify n;
	uint32_t spi;

	*old = NULL;
	if (!ike_find_notify(x->message, IKE_N_REKEY_SA, &n))
		return IKE_OK;
	spi = n.spi.len == IKE_ESP_SPI_LEN ? bytes_load32(n.spi.p) : 0;
	if (n.protocol == IKE_PROTOCOL_ESP)
		*old = ike_child_by_out(sa, spi);
	if (*old == NULL && ike_create_is_open(sa))	/* it may be what that makes */
		return IKE_TEMPORARY_FAILURE;
	if (*old == NULL && n.spi.len == IKE_ESP_SPI_LEN) {	/* 2.25, T58 */
		n.type = (uint16_t)IKE_CHILD_SA_NOT_FOUND;
		n.data = bytes_of(NULL, 0);
		return ike_answer_notify(e, x, &n) == IKE_OK ? IKE_WAIT : IKE_NO_MEMORY;
	}
	if (*old == NULL)
		return IKE_CHILD_SA_NOT_FOUND;
	/* 2.25.1: it is being deleted, will be, or has been replaced. */
	if ((*old)->deleting || (*old)->successor != NULL ||
	    (*old)->lost != IKE_LOST_NOT ||
	    ike_is_wanted(sa, IKE_WISH_DELETE_CHILD, (*old)->spi_in))
		return IKE_TEMPORARY_FAILURE;
	return IKE_OK;
}

/* Does our own request, which is unanswered, rekey the same? */
static bool
is_rival(const struct ike_exchange *ours, const struct ike_child_sa *old)
{
	return old != NULL && ours != NULL && ours->type == CREATE_CHILD_SA &&
	    ours->child != NULL && !ours->rival.met && ours->old == old->id;
}

struct answer {
	struct ike_child_sa *old;	/* named by the request, or NULL */
	struct ike_child_sa *follows;	/* that, or the one there is already, or NULL */
	struct ike_exchange *crossed;	/* ours, of the same, unanswered; or NULL */
	struct ike_choice choice;
	struct ike_ke ke;		/* the peer's */
	struct bytes nonce;
	const struct ike_kex *kex;	/* NULL: none */
	uint8_t public[IKE_MAX_KE_LEN], secret[IKE_MAX_SECRET_LEN];
};

/* Our half of the key exchange that was chosen, if any was. */
static enum ike_error
respond_ke(struct ike *e, struct ike_exchange *x, struct answer *a)
{
	uint16_t group = a->choice.has[IKE_KE] ? a->choice.id[IKE_KE] : IKE_KE_NONE;
	uint8_t wanted[2];

	a->kex = NULL;
	if (group == IKE_KE_NONE)
		return IKE_OK;
	if ((a->kex = ike_find_kex(e->algorithms, group)) == NULL)
		return IKE_NO_PROPOSAL_CHOSEN;
	if (a->ke.group != group) {
		bytes_store16(wanted, group);
		return ike_answer_notify(e, x, &(struct ike_notify){
		    .type = (uint16_t)IKE_INVALID_KE_PAYLOAD,
		    .data = bytes_of(wanted, sizeof(wanted)) }) == IKE_OK ?
		    IKE_WAIT : IKE_NO_MEMORY;
	}
	if (a->ke.data.len != a->kex->public_len ||
	    !a->kex->respond(&e->random, a->ke.data, a->public, a->secret))
		return IKE_NO_PROPOSAL_CHOSEN;	/* not a value of the group (T37) */
	return IKE_OK;
}

static enum ike_error
prepare_answer(struct ike *e, struct ike_sa *sa, struct ike_exchange *x,
    struct answer *a)
{
	enum ike_error error;

	if ((error = ike_read_fresh(x->message, &a->ke, &a->nonce)) != IKE_OK ||
	    (error = find_old(e, sa, x, &a->old)) != IKE_OK)
		return error;
	x->connection = ike_connection_hold(
	    sa->peer != NULL ? sa->peer->connection : sa->connection);
	if (!ike_child_has_room(e, sa, x->connection))
		return a->old != NULL ? IKE_TEMPORARY_FAILURE : IKE_NO_ADDITIONAL_SAS;
	error = ike_child_choose(e, x, a->old, a->ke.group, &a->choice);
	if (error != IKE_OK || (error = respond_ke(e, x, a)) != IKE_OK)
		return error;
	if (!ike_fresh_nonce(e, &x->fresh))
		return IKE_NO_MEMORY;
	a->crossed = is_rival(sa->ours, a->old) ? sa->ours : NULL;
	a->follows = a->old != NULL ? a->old :
	    ike_child_serving(sa, x->child->configured->name);
	x->child->lowest = a->old != NULL ? a->old->lowest : bytes_load64(
	    ike_lower_nonce(a->nonce, ike_buffer_view(&x->fresh.nonce)).p);
	return ike_child_prepare(e, x->child, a->follows, false, a->nonce,
	    ike_buffer_view(&x->fresh.nonce),
	    bytes_of(a->secret, a->kex != NULL ? a->kex->secret_len : 0));
}

/* Keeps what our own exchange will have to compare when its answer comes. */
static bool
meet(struct ike_exchange *ours, const struct ike_exchange *x, const struct answer *a)
{
	if (!ike_buffer_set(&ours->rival.lowest,
	    ike_lower_nonce(a->nonce, ike_buffer_view(&x->fresh.nonce))))
		return false;
	ours->rival.met = true;
	ours->rival.child = x->child->id;
	return true;
}

/* One that nobody named but that is there already crossed it, or has been lost by the
 * peer: it goes from here, unless by the nonces the new one goes from there. */
static void
commit_answer(struct ike *e, struct ike_exchange *x, const struct answer *a)
{
	struct ike_child_sa *c = x->child;

	x->child = NULL;
	c->unseen = true;
	if (a->old == NULL && a->follows != NULL && c->lowest < a->follows->lowest) {
		c->lost = IKE_LOST_THERE;
		ike_child_commit(e, c, NULL);
		return;
	}
	ike_child_commit(e, c, a->follows);
	if (a->follows == NULL && !ike_unique_serves(c->sa, c->configured->name))
		ike_child_move_out(e, c);
	if (a->follows != NULL) {
		a->follows->awaits_delete = a->old != NULL;
		ike_renew_child_replaced(e, a->follows);
	}
}

static enum ike_error
answer_child(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct answer a = { .old = NULL };
	struct ike_chain chain;
	struct ike_ke ke;
	enum ike_error error = prepare_answer(e, sa, x, &a);

	if (error == IKE_OK && a.crossed != NULL && !meet(a.crossed, x, &a))
		error = IKE_NO_MEMORY;
	if (error == IKE_OK) {
		ke = (struct ike_ke){ a.kex != NULL ? a.kex->id : IKE_KE_NONE,
		    bytes_of(a.public, a.kex != NULL ? a.kex->response_len : 0) };
		chain = ike_chain_begin(e);
		ike_child_answer(&chain, x, &a.choice, &ke);
		error = ike_exchange_send(e, x, &chain);
		if (error != IKE_OK && a.crossed != NULL)
			a.crossed->rival.met = false;
	}
	ike_wipe(a.secret, sizeof(a.secret));
	if (error == IKE_WAIT)		/* the answer was a notify */
		return IKE_OK;
	if (error == IKE_OK)
		commit_answer(e, x, &a);
	return error;
}

static bool
is_about_ike(const struct ike_message *m)
{
	struct bytes sa = ike_find_payload(m, IKE_PAYLOAD_SA, 0)->body;
	struct ike_proposal_view p;

	return ike_check_sa(sa) == IKE_OK && ike_next_proposal(&sa, &p) &&
	    p.protocol == IKE_PROTOCOL_IKE;
}

/* Every notify must be well formed, though only one is read (T58, T91). */
static bool
notifies_are_sound(const struct ike_message *m)
{
	const struct ike_payload *p;
	struct ike_notify n;

	for (unsigned i = 0; (p = ike_find_payload(m, IKE_PAYLOAD_NOTIFY, i)) != NULL; i++)
		if (ike_parse_notify(p->body, &n) != IKE_OK)
			return false;
	return true;
}

static enum ike_error
request(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	if (!notifies_are_sound(x->message))
		return IKE_INVALID_SYNTAX;
	if (is_about_ike(x->message))
		return ike_rekey_answer(e, sa, x);
	/* 2.25.2, T70, T90: it is going, or about to be another one. */
	if (sa->state != IKE_STATE_ESTABLISHED || sa->close_after ||
	    (sa->ours != NULL && sa->ours->next != NULL))
		return IKE_TEMPORARY_FAILURE;
	return answer_child(e, sa, x);
}

ike_step *const ike_create_child_steps[] = { request, NULL };
