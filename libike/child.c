/* Child SAs, RFC 7296 1.2, 2.9, 2.17: chosen, keyed, installed, closed.  Until the window
 * for further ones is opened, CREATE_CHILD_SA is answered NO_ADDITIONAL_SAS. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* Proposed by the host or random; never below 256, in use, or 0 (T34). */
static uint32_t
new_spi(struct ike *e)
{
	uint8_t octets[IKE_ESP_SPI_LEN];
	uint32_t spi;

	for (unsigned i = 0; i < 100; i++) {
		if (e->options.child_spi != NULL) {
			spi = e->options.child_spi(e->options.arg, 0);
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
    const struct ike_connection_child *configured)
{
	struct ike_child_sa *child;

	if ((child = calloc(1, sizeof(*child))) == NULL)
		return NULL;
	child->id = ike_new_id(e);
	child->sa = sa;
	child->configured = configured;
	child->spi_in = new_spi(e);
	if (child->spi_in == 0 || !ike_table_add_child(e, child)) {
		free(child);
		return NULL;
	}
	child->connection = ike_connection_hold(c);
	return child;
}

void
ike_child_free(struct ike *e, struct ike_child_sa *c)
{
	ike_table_remove_child(e, c);
	if (c->installed) {
		LIST_REMOVE(c, link);
		c->sa->n_children--;
	}
	for (unsigned i = 0; i < 3; i++) {
		ike_output_free(c->coming[i]);
		ike_output_free(c->going[i]);
	}
	ike_ts_free(&c->local);
	ike_ts_free(&c->remote);
	free(c->selectors);
	ike_connection_free(c->connection);
	ike_wipe(c->key, sizeof(c->key));
	free(c);
}

void
ike_child_describe(const struct ike_child_sa *c, struct ike_child *d)
{
	*d = (struct ike_child){
		.name = c->configured->name,
		.spi_in = c->spi_in,
		.spi_out = c->spi_out,
		.transform = c->transform,
		.esn = c->esn,
		.encap = c->sa->encap,
		.path = c->sa->path,
		.selectors = c->selectors,
		.n_selectors = c->n_selectors,
	};
}

static struct bytes
spi_octets(uint32_t spi, uint8_t octets[IKE_ESP_SPI_LEN])
{
	bytes_store32(octets, spi);
	return bytes_of(octets, IKE_ESP_SPI_LEN);
}

/* One TS payload; the triggering packet's own selector comes first (2.9, T49). */
static void
add_ts(struct ike_chain *chain, uint8_t type, const struct ike_ts *ts,
    const struct esp_range *packet)
{
	struct esp_range v[IKE_MAX_TS];
	unsigned n = 0;

	if (packet->family != 0)
		v[n++] = *packet;
	for (unsigned i = 0; i < ts->n && n < IKE_MAX_TS; i++)
		v[n++] = ts->v[i];
	ike_chain_open(chain, type);
	ike_build_ts(&chain->w, v, n);
	ike_chain_close(chain);
}

void
ike_child_offer(struct ike_chain *chain, const struct ike_exchange *x)
{
	const struct ike_connection_child *c = x->child->configured;
	uint8_t spi[IKE_ESP_SPI_LEN];

	ike_chain_open(chain, IKE_PAYLOAD_SA);
	ike_build_sa(&chain->w, &x->child->connection->esp,
	    spi_octets(x->child->spi_in, spi), false);
	ike_chain_close(chain);
	add_ts(chain, IKE_PAYLOAD_TSI, &c->local, &x->packet.local);
	add_ts(chain, IKE_PAYLOAD_TSR, &c->remote, &x->packet.remote);
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

/* Narrows to one configured child; as responder TSr is our side. */
static enum ike_error
narrow(const struct ts_offer *o, const struct ike_connection_child *configured,
    struct ike_child_sa *c)
{
	enum ike_error error;

	error = ike_ts_narrow(&o->r, &configured->local, &c->local);
	if (error == IKE_OK)
		error = ike_ts_narrow(&o->i, &configured->remote, &c->remote);
	if (error == IKE_OK)
		error =
		    ike_ts_pairs(&c->local, &c->remote, &c->selectors, &c->n_selectors);
	if (error != IKE_OK) {
		ike_ts_free(&c->local);
		ike_ts_free(&c->remote);
	}
	return error;
}

static enum ike_error
choose_child(struct ike *e, struct ike_exchange *x, const struct ts_offer *o)
{
	const struct ike_connection *c = x->connection;
	enum ike_error error = IKE_TS_UNACCEPTABLE;

	for (unsigned i = 0; i < c->n_children && error == IKE_TS_UNACCEPTABLE; i++) {
		error = narrow(o, &c->children[i], x->child);
		if (error == IKE_OK)
			x->child->configured = &c->children[i];
	}
	if (error == IKE_TS_UNACCEPTABLE)
		ike_refuse_selectors(e, x->sa, c, o->tsi, o->tsr);
	return error;
}

/* A semantic refusal concerns the Child SA alone; malformed octets are fatal (T51,
 * T91). */
enum ike_error
ike_child_choose(struct ike *e, struct ike_exchange *x, struct ike_choice *choice)
{
	const struct ike_payload *sa = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0);
	const struct ike_connection *c = x->connection;
	struct ts_offer o;
	enum ike_error error;

	if (sa == NULL) /* childless initiation is not offered: RFC 6023 3 */
		return IKE_INVALID_SYNTAX;
	if ((error = ike_check_sa(sa->body)) != IKE_OK ||
	    (error = read_ts(x->message, &o)) != IKE_OK)
		return error;
	x->child = ike_child_new(e, x->sa, x->connection, &c->children[0]);
	error = x->child == NULL ? IKE_NO_MEMORY :
	    ike_choose(&c->esp, sa->body, false, IKE_KE_NONE, choice);
	if (error == IKE_OK && !take_choice(x->child, choice))
		error = IKE_NO_PROPOSAL_CHOSEN;
	if (error == IKE_NO_PROPOSAL_CHOSEN)
		ike_refuse_proposals(e, x->sa, 0, &x->path, &c->esp, sa->body);
	if (error == IKE_OK)
		error = choose_child(e, x, &o);
	free_ts_offer(&o);
	return error;
}

void
ike_child_answer(struct ike_chain *chain, const struct ike_child_sa *c,
    const struct ike_choice *choice)
{
	static const struct esp_range nothing;
	uint8_t spi[IKE_ESP_SPI_LEN];

	ike_chain_open(chain, IKE_PAYLOAD_SA);
	ike_build_choice(&chain->w, choice, spi_octets(c->spi_in, spi));
	ike_chain_close(chain);
	add_ts(chain, IKE_PAYLOAD_TSI, &c->remote, &nothing);
	add_ts(chain, IKE_PAYLOAD_TSR, &c->local, &nothing);
}

/* ---- initiator ---- */

/* The answer must lie within what was offered (T47, T48). */
static enum ike_error
take_ts(struct ike *e, struct ike_exchange *x, const struct ts_offer *o)
{
	struct ike_child_sa *c = x->child;
	enum ike_error error = IKE_TS_UNACCEPTABLE;

	if (ike_ts_within(&o->i, &c->configured->local) &&
	    ike_ts_within(&o->r, &c->configured->remote)) {
		error = ike_ts_narrow(&o->i, &c->configured->local, &c->local);
		if (error == IKE_OK)
			error = ike_ts_narrow(&o->r, &c->configured->remote, &c->remote);
		if (error == IKE_OK)
			error = ike_ts_pairs(&c->local, &c->remote, &c->selectors,
			    &c->n_selectors);
	}
	if (error == IKE_TS_UNACCEPTABLE)
		ike_refuse_selectors(e, x->sa, c->connection, o->tsr, o->tsi);
	return error;
}

enum ike_error
ike_child_take(struct ike *e, struct ike_exchange *x)
{
	const struct ike_payload *sa = ike_find_payload(x->message, IKE_PAYLOAD_SA, 0);
	struct ike_choice choice;
	struct ts_offer o;
	enum ike_error error;

	if (sa == NULL)
		return IKE_INVALID_SYNTAX;
	if ((error = ike_check_sa(sa->body)) != IKE_OK ||
	    (error = read_ts(x->message, &o)) != IKE_OK)
		return error;
	error = ike_check_choice(&x->child->connection->esp, sa->body, false, &choice);
	if (error == IKE_OK && !take_choice(x->child, &choice))
		error = IKE_NO_PROPOSAL_CHOSEN;
	if (error == IKE_NO_PROPOSAL_CHOSEN)
		ike_refuse_proposals(
		    e, x->sa, 0, &x->path, &x->child->connection->esp, sa->body);
	if (error == IKE_OK)
		error = take_ts(e, x, &o);
	free_ts_offer(&o);
	return error;
}

/* ---- both ---- */

enum ike_error
ike_child_prepare(struct ike *e, struct ike_child_sa *c, bool initiator, struct bytes ni,
    struct bytes nr)
{
	static const enum ike_event_type coming[] = { IKE_IN_ADD, IKE_OUT_ADD, IKE_UP };
	static const enum ike_event_type going[] = { IKE_OUT_REMOVE, IKE_IN_REMOVE,
		IKE_DOWN };
	size_t len = esp_transform_keymat(c->transform);
	const struct ike_sa *sa = c->sa;

	/* 2.17: the first key is for what the initiator sends. */
	if (len > sizeof(c->key[0]) ||
	    !ike_derive_child(&sa->suite, &sa->keys, ni, nr, bytes_of(NULL, 0), len,
	    c->key[initiator ? 1 : 0], c->key[initiator ? 0 : 1]))
		return IKE_NO_MEMORY;
	for (unsigned i = 0; i < 3; i++) {
		c->coming[i] = ike_make_child_event(e, coming[i], c);
		c->going[i] = ike_make_child_event(e, going[i], c);
		if (c->coming[i] == NULL || c->going[i] == NULL)
			return IKE_NO_MEMORY;	/* the rest goes with the child */
	}
	return IKE_OK;
}

static void
say_once(struct ike *e, struct ike_output **o)
{
	ike_say(e, *o);
	*o = NULL;
}

void
ike_child_commit(struct ike *e, struct ike_child_sa *c)
{
	c->installed = true;
	c->since = e->now;
	LIST_INSERT_HEAD(&c->sa->children, c, link);
	c->sa->n_children++;
	for (unsigned i = 0; i < 3; i++)
		say_once(e, &c->coming[i]);
	ike_wipe(c->key, sizeof(c->key));
	if (c->sa->peer != NULL)
		ike_peer_up(e, c->sa->peer);
}

void
ike_child_stop_out(struct ike *e, struct ike_child_sa *c)
{
	say_once(e, &c->going[0]);
}

void
ike_child_close(struct ike *e, struct ike_child_sa *c, enum ike_error why)
{
	ike_child_stop_out(e, c);
	say_once(e, &c->going[1]);
	c->going[2]->event.error = why;
	say_once(e, &c->going[2]);
	ike_child_free(e, c);
}

static enum ike_error
refuse_create(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)e;
	(void)x;
	/* 2.25.2, T90 */
	return sa->state == IKE_STATE_CLOSING ?
	    IKE_TEMPORARY_FAILURE : IKE_NO_ADDITIONAL_SAS;
}

ike_step *const ike_create_child_steps[] = { refuse_create, NULL };
