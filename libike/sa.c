/* The IKE SA: birth, states, end. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* A half-open SA of a responder lives this long, RFC 7296 2.4. */
#define HALF_OPEN (30 * IKE_SECOND)

bool
ike_buffer_set(struct ike_buffer *b, struct bytes from)
{
	uint8_t *p;

	if ((p = malloc(from.len > 0 ? from.len : 1)) == NULL)
		return false;
	if (from.len > 0)
		memcpy(p, from.p, from.len);
	ike_buffer_free(b);
	b->p = p;
	b->len = from.len;
	return true;
}

void
ike_buffer_free(struct ike_buffer *b)
{
	if (b->p != NULL)
		ike_wipe(b->p, b->len);
	free(b->p);
	b->p = NULL;
	b->len = 0;
}

struct bytes
ike_buffer_view(const struct ike_buffer *b)
{
	return bytes_of(b->p, b->len);
}

static bool
half_open(enum ike_state state)
{
	return state < IKE_STATE_ESTABLISHED;
}

void
ike_sa_state(struct ike *e, struct ike_sa *sa, enum ike_state state)
{
	if (half_open(sa->state))
		e->counts.half_open--;
	if (half_open(state))
		e->counts.half_open++;
	if (state == IKE_STATE_ESTABLISHED)
		ike_source_leave(e, sa);
	sa->state = state;
	sa->since = e->now;
	if (state == IKE_STATE_ESTABLISHED)
		ike_liveness_start(e, sa);
	else
		ike_liveness_stop(e, sa);
	if (state == IKE_STATE_CLOSED)
		ike_mobike_stop(e, sa);
}

/* Half-open too long, grace after a hint over, to be made anew, a DELETE due or to be
 * tried again, or lingered enough. */
static void
fire(struct ike *e, struct ike_timer *t)
{
	struct ike_sa *sa = IKE_OWNER(t, struct ike_sa, timer);

	if (sa->state == IKE_STATE_ESTABLISHED)
		ike_renew_sa_due(e, sa);
	else if (sa->state == IKE_STATE_CLOSED)
		ike_sa_dead(e, sa);
	else if (sa->state == IKE_STATE_REPLACED && sa->awaits_delete)
		ike_sa_close(e, sa, IKE_TIMEOUT, 0);
	else if (sa->state == IKE_STATE_REPLACED)
		ike_info_delete_sa(e, sa);
	else if (sa->state == IKE_STATE_CLOSING)
		ike_info_begin_delete(e, sa);
	else
		ike_sa_close(e, sa, sa->hint != IKE_OK ? sa->hint : IKE_TIMEOUT, 0);
}

/* Random, with the engine's prefix, never 0 and never in use (T34).  0: the random source
 * gives nothing usable. */
static uint64_t
new_spi(struct ike *e)
{
	unsigned bits = e->options.spi_prefix_bits;
	uint8_t octets[IKE_SPI_LEN];
	uint64_t spi;

	for (unsigned i = 0; i < 100; i++) {
		e->random.fill(e->random.arg, octets, sizeof(octets));
		spi = bytes_load64(octets);
		if (bits > 0)
			spi = e->options.spi_prefix << (64 - bits) | spi >> bits;
		if (spi != 0 && ike_table_spi(e, spi) == NULL)
			return spi;
	}
	return 0;
}

/* With its SPI and id, in the tables, and counted as nothing yet. */
static struct ike_sa *
new_sa(struct ike *e, struct ike_connection *c, bool initiator,
    const struct ike_path *path, enum ike_event_type up)
{
	struct ike_sa *sa;

	if ((sa = calloc(1, sizeof(*sa))) == NULL)
		return NULL;
	sa->ending.type = IKE_SA_ENDS;
	sa->id = ike_new_id(e);
	sa->initiator = initiator;
	sa->connection = ike_connection_hold(c);
	sa->path = *path;
	sa->created = e->now;
	sa->generation = 1;
	sa->state = IKE_STATE_CLOSED;		/* as nothing counts that one */
	STAILQ_INIT(&sa->wanted);
	LIST_INIT(&sa->children);
	sa->timer.fire = fire;
	sa->spi_ours = new_spi(e);
	*(initiator ? &sa->spi_i : &sa->spi_r) = sa->spi_ours;
	sa->up = ike_make_event(e, up, sa);
	if (sa->spi_ours == 0 || sa->up == NULL || !ike_table_add_sa(e, sa)) {
		ike_said_free(sa->up);
		ike_connection_free(sa->connection);
		free(sa);
		return NULL;
	}
	return sa;
}

struct ike_sa *
ike_sa_new(struct ike *e, struct ike_connection *c, struct ike_peer *peer, bool initiator,
    const struct ike_path *path)
{
	struct ike_half_open *h = calloc(1, sizeof(*h));
	struct ike_sa *sa = h != NULL ? new_sa(e, c, initiator, path, IKE_UP) : NULL;

	if (sa == NULL) {
		free(h);
		return NULL;
	}
	h->sa = sa;
	sa->half_open = h;
	ike_peer_join(peer, sa);
	ike_sa_state(e, sa, initiator ? IKE_STATE_INIT_SENT : IKE_STATE_INIT_DONE);
	if (!initiator)
		ike_timer_arm(e, &sa->timer, e->now + HALF_OPEN);
	return sa;
}

struct ike_sa *
ike_sa_next(struct ike *e, const struct ike_sa *sa, bool initiator)
{
	struct ike_connection *c = sa->peer != NULL ? sa->peer->connection :
	    sa->connection;
	struct ike_sa *next = new_sa(e, c, initiator, &sa->path, IKE_REPLACED);

	if (next == NULL)
		return NULL;
	next->connection_id = sa->connection_id;
	ike_sa_state(e, next, IKE_STATE_UNSETTLED);
	return next;
}

static void
drop_fragments(struct ike *e, struct ike_sa *sa)
{
	ike_assemble_end(e, sa, false);
	ike_assemble_end(e, sa, true);
}

static void
leave_session(const struct ike *e, const struct ike_sa *sa)
{
	struct ike_sa *last = sa->session != 0 ? ike_table_sa(e, sa->session) : NULL;

	if (last != NULL)
		last->n_replaced--;
}

void
ike_sa_dead(struct ike *e, struct ike_sa *sa)
{
	if (sa->dead)
		return;
	sa->dead = true;
	leave_session(e, sa);
	drop_fragments(e, sa);
	ike_sa_state(e, sa, IKE_STATE_CLOSED);
	ike_source_leave(e, sa); /* not before: a refused one lingers, and takes memory */
	ike_peer_leave(sa);
	ike_unique_leave(e, sa);
	ike_window_answered(e, sa);
	ike_timer_disarm(e, &sa->timer);
	ike_table_remove_sa(e, sa);
	if (sa->half_open != NULL)
		ike_table_remove_init(e, sa->half_open);
	TAILQ_INSERT_TAIL(&e->dead, sa, link);
}

void
ike_sa_close(struct ike *e, struct ike_sa *sa, enum ike_error why, ike_time linger)
{
	bool died = sa->state == IKE_STATE_ESTABLISHED &&
	    (why == IKE_TIMEOUT || why == IKE_INVALID_SYNTAX || why == IKE_NO_MEMORY);
	bool failed = half_open(sa->state) && sa->host != NULL;
	struct ike_sa *old = sa->reauthenticates != 0 ?
	    ike_table_sa(e, sa->reauthenticates) : NULL;
	struct ike_peer *peer = sa->peer;
	struct ike_child_sa *c;

	if (sa->dead || sa->state == IKE_STATE_CLOSED)
		return;
	while ((c = LIST_FIRST(&sa->children)) != NULL) {
		while (c->predecessor != NULL)	/* the replaced one first, in silence */
			c = c->predecessor;
		ike_child_close(e, c, why);
	}
	ike_sa_state(e, sa, IKE_STATE_CLOSED);
	drop_fragments(e, sa);
	ike_peer_leave(sa);
	ike_exchange_cancel(e, sa->ours);
	ike_exchange_cancel(e, sa->theirs);
	ike_window_answered(e, sa);
	ike_timer_disarm(e, &sa->timer);
	ike_unwant(&sa->wanted);
	ike_say_ending(e, &sa->ending, IKE_DOWN, why);
	if (linger > 0)
		ike_timer_arm(e, &sa->timer, e->now + linger);
	else
		ike_sa_dead(e, sa);
	if (old != NULL)
		ike_renew_reauth_later(e, old);
	if (peer != NULL && failed)
		peer->turn++;		/* the next one is called next */
	if (peer != NULL && died)
		ike_peer_dead(e, peer);
	if (peer != NULL)
		ike_peer_lost(e, peer);
}

static bool
same_remote(const struct ike_path *a, const struct ike_path *b)
{
	return a->port[1] == b->port[1] &&
	    memcmp(a->addr[1], b->addr[1], sizeof(a->addr[1])) == 0;
}

bool
ike_sa_move_children(struct ike *e, struct ike_sa *sa)
{
	struct ike_outputs moves = STAILQ_HEAD_INITIALIZER(moves);
	struct ike_child_sa *c;
	struct ike_said *s;

	LIST_FOREACH(c, &sa->children, link) {
		s = ike_make_child_event(e, IKE_SET_PATH, c, bytes_of(NULL, 0));
		if (s == NULL) {
			ike_outputs_free(&moves);
			return false;
		}
		STAILQ_INSERT_TAIL(&moves, &s->output, link);
	}
	STAILQ_CONCAT(&e->events, &moves);
	return true;
}

bool
ike_sa_move(struct ike *e, struct ike_sa *sa, const struct ike_path *path)
{
	struct ike_path before = sa->path;

	sa->path = *path;
	if (ike_sa_move_children(e, sa))
		return true;
	sa->path = before;
	return false;
}

/* RFC 7296 2.23: only a peer behind a NAT is followed, and never by one who is behind a
 * NAT itself (T81); with MOBIKE the peer says when it moves.  Our own address stays: what
 * was sent to it arrived.  Without memory the peer's next packet tries again. */
bool
ike_sa_follow(struct ike *e, struct ike_sa *sa, const struct ike_path *path)
{
	struct ike_path to = sa->path;

	if (same_remote(&sa->path, path))
		return true;
	if (sa->state != IKE_STATE_ESTABLISHED || sa->mobile.on || !sa->natd ||
	    !sa->encap || sa->nat_here || !sa->nat_there ||
	    path->family != sa->path.family || path->port[1] == 0)
		return false;
	to.port[1] = path->port[1];
	memcpy(to.addr[1], path->addr[1], sizeof(path->addr[1]));
	return ike_sa_move(e, sa, &to);
}

void
ike_sa_forget_setup(struct ike *e, struct ike_sa *sa)
{
	struct ike_half_open *h = sa->half_open;

	if (h == NULL)
		return;
	ike_table_remove_init(e, h);
	for (unsigned i = 0; i < 2; i++) {
		ike_buffer_free(&h->init[i]);
		ike_buffer_free(&h->nonce[i]);
	}
	ike_buffer_free(&h->cookie);
	ike_wipe(h, sizeof(*h));
	free(h);
	sa->half_open = NULL;
}

static void
free_sa(struct ike *e, struct ike_sa *sa)
{
	ike_exchange_free(e, sa->ours);
	ike_exchange_free(e, sa->theirs);
	ike_keys_free(&sa->keys);
	ike_sa_forget_setup(e, sa);
	ike_buffer_free(&sa->window.response);
	ike_id_free(&sa->remote_id);
	free(sa->mobile.others);
	free(sa->mobile.proven);
	ike_said_free(sa->up);
	ike_unwant(&sa->wanted);
	ike_connection_free(sa->connection);
	ike_ending_over(&sa->ending);
}

void
ike_reap(struct ike *e)
{
	struct ike_sa *sa;

	while ((sa = TAILQ_FIRST(&e->dead)) != NULL) {
		TAILQ_REMOVE(&e->dead, sa, link);
		free_sa(e, sa);
	}
}
