/* The desired state of a connection: begin, begin again with back-off, be content. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

#define RETRY_FIRST IKE_SECOND
#define RETRY_MOST (60 * IKE_SECOND)
/* Who is up so long has no trouble; who is not, backs off further, though it was up. */
#define STEADY (60 * IKE_SECOND)
#define NEVER INT64_MAX

static bool
is_leaving(const struct ike_sa *sa)
{
	return sa->state == IKE_STATE_CLOSING || sa->state == IKE_STATE_REPLACED ||
	    sa->close_after;
}

/* The newest one. */
struct ike_sa *
ike_peer_current(const struct ike_peer *p)
{
	struct ike_sa *sa, *best = NULL;

	LIST_FOREACH(sa, &p->sas, of_peer)
		if (sa->state == IKE_STATE_ESTABLISHED && !is_leaving(sa) && !sa->full &&
		    (best == NULL || sa->since > best->since))
			best = sa;
	return best;
}

/* Does any of its IKE SAs serve this child? */
static bool
is_served(const struct ike_peer *p, const struct ike_connection_child *configured)
{
	struct ike_sa *sa;

	LIST_FOREACH(sa, &p->sas, of_peer)
		if (!is_leaving(sa) && ike_child_serving(sa, configured->name) != NULL)
			return true;
	return false;
}

/* A tunnel that should be up and is not is begun again: 1, 2, 4, ... 60 s, each a
 * quarter more or less, so that many do not move in step. */
static void
retry(struct ike *e, struct ike_timer *t)
{
	struct ike_peer *p = IKE_OWNER(t, struct ike_peer, retry);
	struct ike_sa *sa;

	if (!p->wanted && !p->restart)
		return;
	if ((sa = ike_peer_current(p)) != NULL) {
		p->restart = false;
		ike_peer_complete(e, sa);
		return;
	}
	if (ike_peer_busy(e, p))
		return;
	p->restart = false;
	if (ike_peer_start(e, p, NULL, NULL) != IKE_OK)
		ike_peer_lost(e, p);
}

/* By another IKE SA, whose peer is not dead. */
static bool
is_up(const struct ike_peer *p)
{
	const struct ike_sa *sa;

	LIST_FOREACH(sa, &p->sas, of_peer)
		if (sa->state == IKE_STATE_ESTABLISHED && sa->n_children > 0 &&
		    !is_leaving(sa))
			return true;
	return false;
}

void
ike_peer_dead(struct ike *e, struct ike_peer *p)
{
	enum ike_on_dead what = p->connection->on_dead;

	if (is_up(p))
		return;
	if (what == IKE_ON_DEAD_DROP || what == IKE_ON_DEAD_ON_DEMAND)
		p->wanted = false;
	else if (what == IKE_ON_DEAD_RESTART && !ike_peer_carries(p, NULL)) {
		p->restart = true;
		ike_timer_arm(e, &p->retry, e->now);
	}
}

static ike_time
back_off(struct ike *e, struct ike_peer *p)
{
	ike_time delay;
	uint8_t octets[4];

	if (e->now >= p->steady_at)
		ike_peer_reset(p);
	p->steady_at = NEVER;
	delay = p->attempts > 6 ? RETRY_MOST : RETRY_FIRST << p->attempts;
	p->attempts++;
	if (delay > RETRY_MOST)
		delay = RETRY_MOST;
	e->random.fill(e->random.arg, octets, sizeof(octets));
	return delay * 3 / 4 + bytes_load32(octets) % (uint32_t)(delay / 2);
}

struct ike_peer *
ike_peer_new(struct ike *e, struct ike_connection *c)
{
	struct ike_peer *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->id = ike_new_id(e);
	p->connection = ike_connection_hold(c);
	p->retry.fire = retry;
	p->steady_at = NEVER;
	LIST_INIT(&p->sas);
	if (!ike_index_put(e, p, c) || !ike_table_add_peer(e, p)) {
		ike_index_remove(e, p);
		ike_connection_free(p->connection);
		free(p);
		return NULL;
	}
	return p;
}

void
ike_peer_free(struct ike *e, struct ike_peer *p)
{
	ike_timer_disarm(e, &p->retry);
	ike_index_remove(e, p);
	ike_table_remove_peer(e, p);
	ike_connection_free(p->connection);
	free(p);
}

bool
ike_peer_replace(struct ike *e, struct ike_peer *p, struct ike_connection *c)
{
	struct ike_connection *old = p->connection;

	if (!ike_index_put(e, p, c))
		return false;
	p->connection = ike_connection_hold(c);
	p->probed = false;
	ike_connection_free(old);
	return true;
}

void
ike_peer_leave(struct ike_sa *sa)
{
	if (sa->peer == NULL)
		return;
	LIST_REMOVE(sa, of_peer);
	sa->peer = NULL;
}

void
ike_peer_join(struct ike_peer *p, struct ike_sa *sa)
{
	ike_peer_leave(sa);
	sa->peer = p;
	sa->connection_id = p->id;
	LIST_INSERT_HEAD(&p->sas, sa, of_peer);
}

/* May this SA bring what the connection is for?  Of the half-open ones that others
 * began, only those that have come as far as IKE_AUTH: an IKE_SA_INIT may be from
 * anybody in anybody's name, and must not keep us from calling. */
static bool
is_promising(const struct ike_sa *sa)
{
	if (is_leaving(sa))
		return false;
	if (sa->state == IKE_STATE_INIT_DONE)
		return sa->theirs != NULL;
	return sa->state != IKE_STATE_ESTABLISHED || sa->n_children > 0 ||
	    sa->ours != NULL;
}

bool
ike_peer_has_sa(const struct ike_peer *p, const struct ike_sa *except)
{
	const struct ike_sa *sa;

	if (p == NULL)			/* the connection was dropped meanwhile */
		return true;
	LIST_FOREACH(sa, &p->sas, of_peer)
		if (sa != except && !is_leaving(sa))
			return true;
	return false;
}

/* An IKE SA that carries nothing, and is to have no Child SA, makes room for a new
 * attempt. */
bool
ike_peer_busy(struct ike *e, struct ike_peer *p)
{
	struct ike_sa *sa, *next;
	bool busy = false;

	for (sa = LIST_FIRST(&p->sas); sa != NULL; sa = next) {
		next = LIST_NEXT(sa, of_peer);
		if (sa->state == IKE_STATE_ESTABLISHED && sa->n_children == 0 &&
		    sa->full)
			ike_info_delete_sa(e, sa);
		else
			busy = busy || is_promising(sa);
	}
	return busy;
}

static enum ike_error
start(struct ike *e, struct ike_peer *p, const struct ike_connection_child *configured,
    const struct esp_selector *packet, ike_id reauthenticates)
{
	static const struct ike_path nowhere;
	const struct ike_host *host = ike_hosts_callable(&p->connection->remote, p->turn);
	struct ike_exchange *x;
	struct ike_sa *sa;

	if (host == NULL || ike_id_is_pattern(&p->connection->remote_id))
		return IKE_NOT_INITIATOR;
	if ((sa = ike_sa_new(e, p->connection, p, true, &nowhere)) == NULL)
		return IKE_NO_MEMORY;
	if ((x = ike_exchange_new(sa, true, IKE_SA_INIT, ike_setup_steps)) == NULL) {
		ike_sa_dead(e, sa);
		return IKE_NO_MEMORY;
	}
	sa->host = host;
	sa->reauthenticates = reauthenticates;
	x->configured = configured != NULL ? configured : &p->connection->children[0];
	if (packet != NULL)
		x->packet = *packet;
	ike_timer_disarm(e, &p->retry);
	ike_exchange_begin(e, sa, x);
	return IKE_OK;
}

enum ike_error
ike_peer_start(struct ike *e, struct ike_peer *p,
    const struct ike_connection_child *configured, const struct esp_selector *packet)
{
	return start(e, p, configured, packet, 0);
}

enum ike_error
ike_peer_reauthenticate(struct ike *e, struct ike_sa *old)
{
	const struct ike_sa *sa;

	if (old->peer == NULL)
		return IKE_GONE;
	LIST_FOREACH(sa, &old->peer->sas, of_peer)
		if (sa->reauthenticates == old->id)
			return IKE_OK;		/* it is on the way */
	/* Of those that there are one goes first: it has to be clear what the new one is to
	 * stand for, at both ends. */
	if (ike_unique_carries(old))
		return IKE_TEMPORARY_FAILURE;
	return start(e, old->peer, NULL, NULL, old->id);
}

void
ike_peer_complete(struct ike *e, struct ike_sa *sa)
{
	struct ike_peer *p = sa->peer;
	const struct ike_connection_child *child;

	for (unsigned i = 0; p != NULL && i < p->connection->n_children; i++) {
		child = &p->connection->children[i];
		if (ike_child_serving(sa, child->name) != NULL ||
		    (sa->reauthenticates == 0 && is_served(p, child)))
			continue;
		if (!ike_want_child(sa, p->connection, child, NULL))
			ike_peer_lost(e, p);
	}
	ike_next_wanted(e, sa);
}

static bool
is_whole(const struct ike_peer *p)
{
	for (unsigned i = 0; i < p->connection->n_children; i++)
		if (!is_served(p, &p->connection->children[i]))
			return false;
	return true;
}

void
ike_peer_up(struct ike *e, struct ike_peer *p)
{
	p->steady_at = e->now + STEADY;
	if ((!ike_timer_is_armed(&p->retry) && p->quiet_until == 0) || !is_whole(p))
		return;
	if (p->attempts <= 1) /* at once: the next packet that asks may be heard */
		p->quiet_until = 0;
	ike_timer_disarm(e, &p->retry);
}

void
ike_peer_reset(struct ike_peer *p)
{
	p->attempts = 0;
	p->quiet_until = 0;
}

/* Packets keep asking while attempts fail; the peer and we need not hear each of them. */
enum ike_error
ike_peer_acquire(struct ike *e, struct ike_peer *p,
    const struct ike_connection_child *configured, const struct esp_selector *packet)
{
	struct ike_sa *sa;

	LIST_FOREACH(sa, &p->sas, of_peer) /* will its outcome answer this packet too? */
		if (sa->state <= IKE_STATE_ESTABLISHED && !is_leaving(sa) &&
		    sa->ours != NULL && sa->ours->configured != NULL && strcmp(sa->ours->configured->name,
		    configured->name) == 0)
			return IKE_OK;
	if (e->now < p->quiet_until)
		return IKE_TEMPORARY_FAILURE;
	if (is_served(p, configured))
		return IKE_NO_ADDITIONAL_SAS;	/* with narrower selectors, then */
	if ((sa = ike_peer_current(p)) != NULL) {
		p->quiet_until = e->now + back_off(e, p);
		if (!ike_want_child(sa, p->connection, configured, packet))
			return IKE_NO_MEMORY;
		ike_next_wanted(e, sa);
		return IKE_OK;
	}
	if (ike_peer_busy(e, p))
		return IKE_NO_ADDITIONAL_SAS;
	p->quiet_until = e->now + back_off(e, p);
	return ike_peer_start(e, p, configured, packet);
}

bool
ike_peer_carries(const struct ike_peer *p, const struct ike_sa *except)
{
	const struct ike_sa *sa;

	LIST_FOREACH(sa, &p->sas, of_peer)
		if (sa != except && is_promising(sa))
			return true;
	return false;
}

static bool
wants_child(const struct ike_sa *sa)
{
	const struct ike_wanted *w;

	STAILQ_FOREACH(w, &sa->wanted, link)
		if (w->wish == IKE_WISH_CREATE_CHILD)
			return true;
	return false;
}

/* An attempt is being made, or an IKE SA is asking for Child SAs. */
static bool
is_on_the_way(const struct ike_peer *p)
{
	const struct ike_sa *sa;

	LIST_FOREACH(sa, &p->sas, of_peer)
		if (is_promising(sa) &&
		    (sa->state != IKE_STATE_ESTABLISHED || wants_child(sa)))
			return true;
	return false;
}

void
ike_peer_lost(struct ike *e, struct ike_peer *p)
{
	if (!p->wanted || ike_timer_is_armed(&p->retry) || is_on_the_way(p) || is_whole(p))
		return;
	ike_timer_arm(e, &p->retry, e->now + back_off(e, p));
}

void
ike_peer_again(struct ike *e, struct ike_peer *p)
{
	p->restart = true;
	if (!ike_timer_is_armed(&p->retry))
		ike_timer_arm(e, &p->retry, e->now + back_off(e, p));
}

bool
ike_peer_matches(const struct ike_peer *p, const struct ike_path *path)
{
	return ike_host_matches(&p->connection->local, path->family, path->addr[0]) &&
	    ike_hosts_match(&p->connection->remote, path->family, path->addr[1]);
}
