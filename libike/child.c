/* Child SAs, RFC 7296 1.2, 2.9, 2.17: chosen, keyed, installed, replaced, closed.
 *
 * One that follows another (2.8) is installed inbound first; traffic moves to it when
 * whoever began the rekey has the answer, and at the other end when it is seen to be
 * used, or when the old one is deleted.  The old one is heard a while longer, for
 * packets that are still on the way. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

#define LINGER (5 * IKE_SECOND)
/* No schedule lets more time pass between two copies of an unanswered request. */
#define UNHEARD (20 * IKE_SECOND)
/* An IKE SA has no more than so many, and so many for each that is configured: no peer
 * needs them, whatever it rekeys. */
enum { MOST_CHILDREN = 16, MOST_OF_EACH = 4 };

/* Proposed by the host or random; never below 256, in use, or 0 (T34). */
static uint32_t
new_spi(struct ike *e, uint32_t replaced)
{
	uint8_t octets[IKE_ESP_SPI_LEN];
	uint32_t spi;

	for (unsigned i = 0; i < 100; i++) {
		if (e->options.child_spi != NULL) {
			spi = e->options.child_spi(e->options.arg, replaced);
		} else {
			e->random.fill(e->random.arg, octets, sizeof(octets));
			spi = bytes_load32(octets);
		}
		if (spi > 255 && !ike_table_child_spi_used(e, spi))
			return spi;
	}
	return 0;
}

struct ike_child_sa *
ike_child_new(struct ike *e, struct ike_sa *sa, struct ike_connection *c,
    const struct ike_connection_child *configured, uint32_t replaced)
{
	struct ike_child_sa *child;

	if ((child = calloc(1, sizeof(*child))) == NULL)
		return NULL;
	child->ending.type = IKE_CHILD_ENDS;
	child->id = ike_new_id(e);
	child->sa = sa;
	child->configured = configured;
	child->generation = 1;
	child->spi_in = new_spi(e, replaced);
	if (child->spi_in == 0 || !ike_table_add_child(e, child)) {
		free(child);
		return NULL;
	}
	child->connection = ike_connection_hold(c);
	return child;
}

static void
leave_sa(struct ike_child_sa *c)
{
	if (c->installed) {
		LIST_REMOVE(c, link);
		c->sa->n_children--;
	}
	c->installed = false;
	c->sa = NULL;
}

/* The one before it is followed by the one behind it, if there is one. */
static void
unlink_generations(struct ike_child_sa *c)
{
	if (c->successor != NULL)
		c->successor->predecessor = c->predecessor;
	if (c->predecessor != NULL)
		c->predecessor->successor = c->successor;
	c->successor = c->predecessor = NULL;
}

/* It lingers no longer. */
static void
leave_session(struct ike *e, struct ike_child_sa *c)
{
	struct ike_sa *sa = ike_table_sa(e, c->session);

	LIST_REMOVE(c, link);
	if (sa != NULL)
		sa->n_lingering--;
}

void
ike_child_free(struct ike *e, struct ike_child_sa *c)
{
	ike_table_remove_child(e, c);
	ike_timer_disarm(e, &c->timer);
	unlink_generations(c);
	leave_sa(c);
	if (c->lingering)
		leave_session(e, c);
	for (unsigned i = 0; i < 3; i++)
		ike_said_free(c->coming[i]);
	ike_ending_over(&c->ending);
}

void
ike_child_forget(struct ike_child_sa *c)
{
	free(c->selectors);
	free(c->seen_by_peer);
	ike_connection_free(c->connection);
	free(c);
}

struct ike_child_sa *
ike_child_by_out(struct ike_sa *sa, uint32_t spi_out)
{
	struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		if (c->spi_out == spi_out && !c->leaving)
			return c;
	return NULL;
}

struct ike_child_sa *
ike_child_by_in(struct ike_sa *sa, uint32_t spi_in)
{
	struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		if (c->spi_in == spi_in)
			return c;
	return NULL;
}

struct ike_child_sa *
ike_child_serving(struct ike_sa *sa, const char *name)
{
	struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		if (c->successor == NULL && !c->deleting && !c->leaving &&
		    c->lost == IKE_LOST_NOT &&
		    strcmp(c->configured->name, name) == 0)
			return c;
	return NULL;
}

/* Up to `percent` of a limit earlier, by the SPI, which is as good as chance: the other
 * end counts the same packets, and must not begin at the same one. */
static uint64_t
jittered(uint64_t limit, unsigned percent, uint32_t spi)
{
	uint64_t most = limit / 100 * percent + limit % 100 * percent / 100;
	uint64_t share = spi & 0xffff;

	return limit - (most >> 16) * share - ((most & 0xffff) * share >> 16);
}

void
ike_child_describe(const struct ike_child_sa *c, struct ike_child *d)
{
	const struct ike_lifetime *soft = &c->connection->renewal.child;
	const struct ike_lifetime *hard = &c->connection->renewal.child_hard;
	unsigned jitter = c->connection->renewal.jitter_percent;

	*d = (struct ike_child){
		.name = c->configured->name,
		.spi_in = c->spi_in,
		.spi_out = c->spi_out,
		.transform = c->transform,
		.esn = c->esn,
		.transport = c->transport,
		.soft_packets = jittered(soft->packets, jitter, c->spi_in),
		.soft_octets = jittered(soft->octets, jitter, c->spi_in),
		.hard_packets = hard->packets,
		.hard_octets = hard->octets,
		.selectors = c->selectors,
		.n_selectors = c->n_selectors,
	};
	if (c->sa != NULL) {
		d->encap = c->sa->encap;
		d->path = *ike_mobike_esp_path(c->sa);
	}
	if (c->seen_by_peer != NULL)
		memcpy(d->seen_by_peer, c->seen_by_peer, sizeof(d->seen_by_peer));
}

static struct bytes
spi_octets(uint32_t spi, uint8_t octets[IKE_ESP_SPI_LEN])
{
	bytes_store32(octets, spi);
	return bytes_of(octets, IKE_ESP_SPI_LEN);
}

static void
add_ts(struct ike_chain *chain, uint8_t type, const struct esp_range *v, unsigned n)
{
	ike_chain_open(chain, type);
	ike_build_ts(&chain->w, v, n);
	ike_chain_close(chain);
}

/* One TS payload of an offer; the triggering packet's own selector comes first (2.9,
 * T49). */
static void
offer_ts(struct ike_chain *chain, uint8_t type, const struct ike_ts *ts,
    const struct esp_range *packet, const struct ike_child_sa *c)
{
	unsigned end = ts == &c->configured->local ? 0 : 1;
	struct esp_range v[IKE_MAX_TS + 1];
	unsigned n = 0;

	if (packet->family != 0)
		v[n++] = *packet;
	if (c->configured->mode == IKE_MODE_TRANSPORT) {
		n += ike_transport_limit(ts, &c->sa->path, end, v + n);
	} else {
		memcpy(v + n, ts->v, ts->n * sizeof(*v));
		n += ts->n;
	}
	add_ts(chain, type, v, n < IKE_MAX_TS ? n : IKE_MAX_TS);
}

void
ike_child_offer(struct ike_chain *chain, const struct ike_exchange *x)
{
	const struct ike_connection_child *c = x->child->configured;
	const struct ike_fresh *fresh = &x->fresh;
	uint8_t spi[IKE_ESP_SPI_LEN];
	bool own = fresh->nonce.len > 0;	/* not IKE_AUTH, which has them already */

	if (c->mode == IKE_MODE_TRANSPORT)
		ike_add_notify(chain, IKE_N_USE_TRANSPORT_MODE, bytes_of(NULL, 0));
	ike_chain_open(chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain->w, &x->child->connection->esp,
	    spi_octets(x->child->spi_in, spi), own);
	ike_chain_close(chain);
	if (own)
		ike_add_nonce(chain, ike_buffer_view(&fresh->nonce));
	if (own && fresh->kex != NULL)
		ike_add_ke(chain, fresh->kex->id, ike_buffer_view(&fresh->ke));
	offer_ts(chain, IKE_PAYLOAD_TSI, &c->local, &x->packet.local, x->child);
	offer_ts(chain, IKE_PAYLOAD_TSR, &c->remote, &x->packet.remote, x->child);
}

/* The transform of a choice; false: this host has no such row. */
static bool
take_choice(struct ike_child_sa *c, const struct ike_choice *choice)
{
	c->transform = esp_transform_find(choice->id[IKE_ENCR], choice->key_bits,
	    choice->id[IKE_INTEG]);
	c->esn = choice->has[IKE_ESN] && choice->id[IKE_ESN] == IKE_ESN_YES;
	if (c->transform == NULL || choice->spi.len != IKE_ESP_SPI_LEN)
		return false;
	c->spi_out = bytes_load32(choice->spi.p);
	return c->spi_out > 255;
}

struct ts_offer { struct bytes tsi, tsr; struct ike_ts i, r; };

static void
free_ts_offer(struct ts_offer *o)
{
	ike_ts_free(&o->i);
	ike_ts_free(&o->r);
}

static enum ike_error
read_ts(const struct ike_message *m, struct ts_offer *o)
{
	const struct ike_payload *tsi = ike_find_payload(m, IKE_PAYLOAD_TSI, 0);
	const struct ike_payload *tsr = ike_find_payload(m, IKE_PAYLOAD_TSR, 0);
	enum ike_error error;

	memset(o, 0, sizeof(*o));
	if (tsi == NULL || tsr == NULL)
		return IKE_INVALID_SYNTAX;
	o->tsi = tsi->body;
	o->tsr = tsr->body;
	if ((error = ike_check_ts(o->tsi)) != IKE_OK ||
	    (error = ike_check_ts(o->tsr)) != IKE_OK)
		return error;
	if ((error = ike_ts_read(o->tsi, &o->i)) == IKE_OK)
		error = ike_ts_read(o->tsr, &o->r);
	if (error != IKE_OK)
		free_ts_offer(o);
	return error;
}

/* ---- responder ---- */

/* Narrows what is offered of each side to what a configured child allows. */
static enum ike_error
narrow_to(const struct ike_ts *local, const struct ike_ts *remote,
    const struct ike_ts *our_local, const struct ike_ts *our_remote,
    struct ike_exchange *x)
{
	enum ike_error error;

	error = ike_ts_narrow(local, our_local, &x->narrowed[0]);
	if (error == IKE_OK)
		error = ike_ts_narrow(remote, our_remote, &x->narrowed[1]);
	if (error == IKE_OK)
		error = ike_ts_pairs(&x->narrowed[0], &x->narrowed[1],
		    &x->child->selectors, &x->child->n_selectors);
	if (error != IKE_OK) {
		ike_ts_free(&x->narrowed[0]);
		ike_ts_free(&x->narrowed[1]);
	}
	return error;
}

/* Of the configured child in its mode. */
static enum ike_error
narrow_sides(const struct ike_ts *local, const struct ike_ts *remote,
    const struct ike_connection_child *configured, struct ike_exchange *x)
{
	const struct ike_path *path = &x->sa->path;
	struct ike_ts here = { NULL, 0 }, there = { NULL, 0 };
	enum ike_error error;

	if (configured->mode == IKE_MODE_TUNNEL)
		return narrow_to(
		    local, remote, &configured->local, &configured->remote, x);
	if ((error = ike_transport_only(&configured->local, path, 0, &here)) == IKE_OK &&
	    (error = ike_transport_only(&configured->remote, path, 1, &there)) == IKE_OK)
		error = narrow_to(local, remote, &here, &there, x);
	ike_ts_free(&here);
	ike_ts_free(&there);
	return error;
}

/* The initiator's side of a payload pair is our own when we are that; in transport mode a
 * NAT may have changed either. */
static void
see(struct ike_exchange *x, struct ts_offer *o)
{
	const struct ike_sa *sa = x->sa;
	unsigned i = x->ours ? 0 : 1;

	memset(x->told, 0, sizeof(x->told));
	if (x->ours ? sa->nat_here : sa->nat_there)
		ike_transport_see(&o->i, &sa->path, i, &x->told[0]);
	if (x->ours ? sa->nat_there : sa->nat_here)
		ike_transport_see(&o->r, &sa->path, 1 - i, &x->told[1]);
}

/* As responder TSr is our side. */
static enum ike_error
narrow(struct ike_exchange *x, const struct ts_offer *o,
    const struct ike_connection_child *configured)
{
	struct ts_offer seen = { .tsi = o->tsi, .tsr = o->tsr };
	enum ike_error error;

	if (configured->mode == IKE_MODE_TUNNEL)
		return narrow_sides(&o->r, &o->i, configured, x);
	if ((error = ike_ts_read(o->tsi, &seen.i)) == IKE_OK &&
	    (error = ike_ts_read(o->tsr, &seen.r)) == IKE_OK) {
		see(x, &seen);
		error = narrow_sides(&seen.r, &seen.i, configured, x);
	}
	free_ts_offer(&seen);
	return error;
}

/* Is what was narrowed all that was offered? */
static bool
is_whole(const struct ts_offer *o, const struct ike_exchange *x)
{
	return ike_ts_within(&o->r, &x->narrowed[0]) &&
	    ike_ts_within(&o->i, &x->narrowed[1]);
}

static void
forget_ts(struct ike_exchange *x)
{
	ike_ts_free(&x->narrowed[0]);
	ike_ts_free(&x->narrowed[1]);
	free(x->child->selectors);
	x->child->selectors = NULL;
	x->child->n_selectors = 0;
}

/* 2.9.2: a rekey must not carry less than what it follows (T50). */
static bool
covers(const struct ike_exchange *x, const struct ike_child_sa *old)
{
	struct ike_ts local = { .n = 1 }, remote = { .n = 1 };

	for (unsigned i = 0; old != NULL && i < old->n_selectors; i++) {
		local.v = &old->selectors[i].local;
		remote.v = &old->selectors[i].remote;
		if (!ike_ts_within(&local, &x->narrowed[0]) ||
		    !ike_ts_within(&remote, &x->narrowed[1]))
			return false;
	}
	return true;
}

/* May this configured child answer the request?  Transport mode is asked for, or it is
 * not; one that may be either way is in tunnel mode (1.3.1, T52). */
static bool
fits(const struct ike_message *m, const struct ike_connection_child *configured)
{
	struct ike_notify n;

	return configured->mode == IKE_MODE_TUNNEL ||
	    ike_find_notify(m, IKE_N_USE_TRANSPORT_MODE, &n);
}

static void
refuse_mode(struct ike *e, const struct ike_sa *sa,
    const struct ike_connection_child *configured)
{
	struct ike_refusal r = ike_refusal(IKE_TS_UNACCEPTABLE,
	    "the peer does not want transport mode");

	r.ours = "transport";
	r.theirs = "tunnel";
	r.setting = "children.mode";
	r.child = configured->name;
	ike_say_refused(e, sa, 0, &r);
}

/* The configured child that takes all that is offered, or else the first that takes a
 * part. */
static enum ike_error
choose_child(struct ike *e, struct ike_exchange *x, const struct ts_offer *o,
    const struct ike_child_sa *old)
{
	const struct ike_connection *c = x->connection;
	const struct ike_connection_child *found = NULL, *misfit = NULL;
	struct ike_child_sa *child = x->child;
	enum ike_error error;

	for (unsigned i = 0; i < c->n_children; i++) {
		if (old != NULL &&
		    strcmp(old->configured->name, c->children[i].name) != 0)
			continue;
		error = narrow(x, o, &c->children[i]);
		if (error != IKE_OK && error != IKE_TS_UNACCEPTABLE)
			return error;
		if (error == IKE_OK && !fits(x->message, &c->children[i])) {
			misfit = &c->children[i];
			error = IKE_TS_UNACCEPTABLE;
		}
		if (error != IKE_OK || !covers(x, old)) {
			forget_ts(x);
			continue;
		}
		if (found == NULL || is_whole(o, x))
			found = &c->children[i];
		if (is_whole(o, x))
			break;
		forget_ts(x);
	}
	if (found == NULL && misfit != NULL) {
		refuse_mode(e, x->sa, misfit);
		return IKE_TS_UNACCEPTABLE;
	}
	if (found == NULL) {
		ike_refuse_selectors(e, x->sa, c, o->tsi, o->tsr);
		return IKE_TS_UNACCEPTABLE;
	}
	child->configured = found;
	child->transport = found->mode == IKE_MODE_TRANSPORT;
	error = child->n_selectors > 0 ? IKE_OK : narrow(x, o, found);
	return error != IKE_OK ? error : ike_transport_keep(child, x);
}

/* A semantic refusal concerns the Child SA alone; malformed octets are fatal (T51,
 * T91). */
enum ike_error
ike_child_choose(struct ike *e, struct ike_exchange *x, const struct ike_child_sa *old,
    uint16_t group, struct ike_choice *choice)
{
	const struct ike_payload *sa = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0);
	const struct ike_connection *c = x->connection;
	bool with_ke = x->type == CREATE_CHILD_SA;
	struct ts_offer o;
	enum ike_error error;

	if (sa == NULL)
		return IKE_INVALID_SYNTAX;
	if ((error = ike_check_sa(sa->body)) != IKE_OK ||
	    (error = read_ts(x->message, &o)) != IKE_OK)
		return error;
	x->child = ike_child_new(e, x->sa, x->connection, &c->children[0],
	    old != NULL ? old->spi_in : 0);
	error = x->child == NULL ? IKE_NO_MEMORY :
	    ike_choose(&c->esp, sa->body, with_ke, group, choice);
	if (error == IKE_OK && !take_choice(x->child, choice))
		error = IKE_NO_PROPOSAL_CHOSEN;
	if (error == IKE_NO_PROPOSAL_CHOSEN)
		ike_refuse_proposals(e, x->sa, 0, &x->path, &c->esp, sa->body);
	if (error == IKE_OK)
		error = choose_child(e, x, &o, old);
	free_ts_offer(&o);
	return error;
}

void
ike_child_answer(struct ike_chain *chain, const struct ike_exchange *x,
    const struct ike_choice *choice, const struct ike_ke *ke)
{
	const struct ike_child_sa *c = x->child;
	uint8_t spi[IKE_ESP_SPI_LEN];

	if (c->transport)
		ike_add_notify(chain, IKE_N_USE_TRANSPORT_MODE, bytes_of(NULL, 0));
	ike_chain_open(chain, IKE_PAYLOAD_SA);
	ike_build_choice(&chain->w, choice, spi_octets(c->spi_in, spi));
	ike_chain_close(chain);
	if (x->fresh.nonce.len > 0)
		ike_add_nonce(chain, ike_buffer_view(&x->fresh.nonce));
	if (ke->group != IKE_KE_NONE)
		ike_add_ke(chain, ke->group, ke->data);
	add_ts(chain, IKE_PAYLOAD_TSI, x->narrowed[1].v, x->narrowed[1].n);
	add_ts(chain, IKE_PAYLOAD_TSR, x->narrowed[0].v, x->narrowed[0].n);
}

/* ---- initiator ---- */

/* The answer must lie within what was offered (T47, T48). */
static enum ike_error
take_ts(struct ike *e, struct ike_exchange *x, struct ts_offer *o,
    const struct ike_child_sa *old)
{
	struct ike_child_sa *c = x->child;
	enum ike_error error = IKE_TS_UNACCEPTABLE;

	if (c->transport)
		see(x, o);
	if (ike_ts_within(&o->i, &c->configured->local) &&
	    ike_ts_within(&o->r, &c->configured->remote)) {
		error = narrow_sides(&o->i, &o->r, c->configured, x);
		if (error == IKE_OK && !covers(x, old))
			error = IKE_TS_UNACCEPTABLE;
		if (error == IKE_OK)
			error = ike_transport_keep(c, x);
	}
	if (error == IKE_TS_UNACCEPTABLE)
		ike_refuse_selectors(e, x->sa, c->connection, o->tsr, o->tsi);
	return error;
}

/* Both ends say transport mode, or it is tunnel mode, which a child that is configured
 * otherwise does not accept. */
static enum ike_error
take_mode(struct ike *e, struct ike_exchange *x)
{
	struct ike_child_sa *c = x->child;
	struct ike_notify n;

	c->transport = c->configured->mode == IKE_MODE_TRANSPORT &&
	    ike_find_notify(x->message, IKE_N_USE_TRANSPORT_MODE, &n);
	if (c->transport == (c->configured->mode == IKE_MODE_TRANSPORT))
		return IKE_OK;
	refuse_mode(e, x->sa, c->configured);
	return IKE_TS_UNACCEPTABLE;
}

enum ike_error
ike_child_take(struct ike *e, struct ike_exchange *x, const struct ike_child_sa *old,
    struct ike_choice *choice)
{
	const struct ike_payload *sa = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0);
	bool with_ke = x->type == CREATE_CHILD_SA;
	struct ts_offer o;
	enum ike_error error;

	if (sa == NULL)
		return IKE_INVALID_SYNTAX;
	if ((error = ike_check_sa(sa->body)) != IKE_OK ||
	    (error = read_ts(x->message, &o)) != IKE_OK)
		return error;
	error = ike_check_choice(
	    &x->child->connection->esp, sa->body, with_ke, choice);
	if (error == IKE_OK && !take_choice(x->child, choice))
		error = IKE_NO_PROPOSAL_CHOSEN;
	if (error == IKE_NO_PROPOSAL_CHOSEN)
		ike_refuse_proposals(
		    e, x->sa, 0, &x->path, &x->child->connection->esp, sa->body);
	if (error == IKE_OK)
		error = take_mode(e, x);
	if (error == IKE_OK)
		error = take_ts(e, x, &o, old);
	free_ts_offer(&o);
	return error;
}

/* ---- both ---- */

enum ike_error
ike_child_prepare(struct ike *e, struct ike_child_sa *c, const struct ike_child_sa *old,
    bool initiator, struct bytes ni, struct bytes nr, struct bytes secret)
{
	const enum ike_event_type coming[] = { IKE_IN_ADD, IKE_OUT_ADD,
		old != NULL ? IKE_REPLACED : IKE_UP };
	size_t len = esp_transform_keymat(c->transform);
	const struct ike_sa *sa = c->sa;
	uint8_t key[2][ESP_MAX_KEY_LEN];	/* in, out */
	enum ike_error error = IKE_NO_MEMORY;

	/* 2.17: the first key is for what the initiator sends. */
	if (len > sizeof(key[0]) ||
	    !ike_derive_child(&sa->suite, &sa->keys, ni, nr, secret, len,
	    key[initiator ? 1 : 0], key[initiator ? 0 : 1]))
		goto out;
	c->without_ke = secret.len == 0;
	for (unsigned i = 0; i < 3; i++) {
		c->coming[i] = ike_make_child_event(e, coming[i], c,
		    bytes_of(key[i == 0 ? 0 : 1], i == 2 ? 0 : len));
		if (c->coming[i] == NULL)
			goto out;		/* the rest goes with the child */
		if (old != NULL)
			c->coming[i]->event.replaced = old->id;
	}
	c->session = sa->id;
	c->connection_id = sa->connection_id;
	error = IKE_OK;
out:
	ike_wipe(key, sizeof(key));
	return error;
}

static void
say_once(struct ike *e, struct ike_said **s)
{
	ike_say(e, *s);
	*s = NULL;
}

void
ike_child_commit(struct ike *e, struct ike_child_sa *c, struct ike_child_sa *old)
{
	c->installed = true;
	c->since = e->now;
	LIST_INSERT_HEAD(&c->sa->children, c, link);
	c->sa->n_children++;
	say_once(e, &c->coming[0]);
	if (old != NULL) {
		if (old->successor != NULL)	/* of two that crossed, one follows it */
			old->successor->predecessor = NULL;
		old->successor = c;
		c->predecessor = old;
		c->generation = old->generation + 1;
		c->sa->child_rekeys++;
	}
	ike_renew_child(e, c);
	if (c->sa->peer != NULL)
		ike_peer_up(e, c->sa->peer);
}

bool
ike_child_is_waiting(const struct ike_child_sa *c)
{
	return c->coming[1] != NULL && c->installed && !c->deleting && !c->leaving &&
	    c->lost == IKE_LOST_NOT;
}

bool
ike_child_has_arrived(const struct ike *e, const struct ike_child_sa *c)
{
	return !c->unseen || e->now >= c->sa->window.resent + UNHEARD;
}

void
ike_child_have_arrived(struct ike_sa *sa, ike_time made)
{
	struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		if (c->since <= made)
			c->unseen = false;
}

bool
ike_child_may_move(const struct ike_child_sa *c)
{
	return c->coming[1] != NULL && c->installed && !c->deleting &&
	    c->sa->state != IKE_STATE_CLOSING &&
	    !ike_is_wanted(c->sa, IKE_WISH_DELETE_CHILD, c->spi_in);
}

void
ike_child_move_out(struct ike *e, struct ike_child_sa *c)
{
	if (!ike_child_may_move(c))
		return;
	ike_said_move(c->coming[1], c->sa);
	ike_said_move(c->coming[2], c->sa);
	say_once(e, &c->coming[1]);
	say_once(e, &c->coming[2]);
}

void
ike_child_stop_out(struct ike *e, struct ike_child_sa *c)
{
	struct ike_child_sa *heir;

	if (c->coming[1] != NULL)		/* nothing ever left by it */
		return;
	heir = c->successor != NULL && ike_child_may_move(c->successor) ?
	    c->successor : ike_unique_waiting(c);
	if (heir != NULL)
		ike_child_move_out(e, heir);
	ike_say_ending(e, &c->ending, IKE_OUT_REMOVE, IKE_OK);
}

static void
lingered(struct ike *e, struct ike_timer *t)
{
	struct ike_child_sa *c = IKE_OWNER(t, struct ike_child_sa, timer);

	ike_say_ending(e, &c->ending, IKE_IN_REMOVE, IKE_OK);
	ike_child_free(e, c);
}

/* Its SPI stays taken meanwhile (T35). */
static void
linger(struct ike *e, struct ike_child_sa *c)
{
	c->sa->n_lingering++;
	leave_sa(c);
	unlink_generations(c);
	c->lingering = true;
	LIST_INSERT_HEAD(&e->lingering, c, link);
	c->timer.fire = lingered;
	ike_timer_arm(e, &c->timer, e->now + LINGER);
}

/* Another one of the same IKE SA has its traffic. */
static bool
has_twin(const struct ike_child_sa *c)
{
	const struct ike_child_sa *twin;

	LIST_FOREACH(twin, &c->sa->children, link)
		if (twin != c && twin->lost == IKE_LOST_NOT && !twin->deleting &&
		    strcmp(twin->configured->name, c->configured->name) == 0)
			return true;
	return false;
}

/* What the peer was to delete stands in for the one that it had lost against, when that
 * goes and nothing else serves. */
static void
restore_lost(struct ike *e, const struct ike_child_sa *c)
{
	struct ike_child_sa *twin, *found = NULL;

	if (c->lost != IKE_LOST_NOT || c->sa->state != IKE_STATE_ESTABLISHED)
		return;
	LIST_FOREACH(twin, &c->sa->children, link) {
		if (twin == c || strcmp(twin->configured->name, c->configured->name) != 0)
			continue;
		if (twin->lost == IKE_LOST_NOT && !twin->deleting && !twin->leaving)
			return;
		if (twin->lost == IKE_LOST_THERE)
			found = twin;
	}
	if (found == NULL)
		return;
	found->lost = IKE_LOST_NOT;
	ike_child_move_out(e, found);
}

/* One that waited for its own turn may have been what others waited for. */
static void
keep_carried(struct ike *e, const struct ike_child_sa *c)
{
	struct ike_child_sa *heir = c->sa->state == IKE_STATE_ESTABLISHED ?
	    ike_unique_waiting(c) : NULL;

	if (heir != NULL)
		ike_child_move_out(e, heir);
}

void
ike_child_close(struct ike *e, struct ike_child_sa *c, enum ike_error why)
{
	struct ike_child_sa *old = c->predecessor;
	bool known = c->coming[2] == NULL;	/* people have heard of it */
	bool replaced = c->successor != NULL;

	restore_lost(e, c);
	ike_child_stop_out(e, c);
	keep_carried(e, c);
	if (known && !replaced)
		ike_say_ending(e, &c->ending, IKE_DOWN, why);
	if (replaced || old != NULL || has_twin(c) || ike_unique_carries(c->sa)) {
		linger(e, c);
	} else {
		ike_say_ending(e, &c->ending, IKE_IN_REMOVE, IKE_OK);
		ike_child_free(e, c);
	}
	if (old != NULL && !replaced)		/* it is not replaced after all */
		ike_renew_child_later(e, old);
}

bool
ike_child_has_room(struct ike *e, const struct ike_sa *sa, const struct ike_connection *c)
{
	unsigned most = MOST_CHILDREN + MOST_OF_EACH * c->n_children;

	if (sa->n_children + sa->n_lingering < most)
		return true;
	ike_refuse_more(e, sa, IKE_NO_ADDITIONAL_SAS,
	    "the peer makes more Child SAs than it can need", most);
	return false;
}

void
ike_child_hand_over(struct ike_child_sa *c, struct ike_sa *to)
{
	LIST_REMOVE(c, link);
	c->sa->n_children--;
	c->sa = to;
	LIST_INSERT_HEAD(&to->children, c, link);
	to->n_children++;
}
