/* One SA for each peer: what happens when a pair of identities has a second one.
 *
 * INITIAL_CONTACT says that the peer knew of no other when it began: older ones go
 * silently.  Without it, two SAs either crossed, because both ends began at once, or the
 * new one follows an old one that its peer has lost.  Of two that crossed, the one with
 * the lowest of the four nonces is deleted by its initiator, so that both ends agree (as
 * RFC 7296 2.8.1 does for rekeys); otherwise the older is deleted by the responder of the
 * newer.  One without a Child SA goes before one that has one; nothing goes before the
 * survivor has it and the traffic had time to move. */
#include <string.h>

#include "libike/sa.h"

#define MOVING (2 * IKE_SECOND)
#define LOOK_AGAIN (15 * IKE_SECOND)
/* Two that began within a half-open SA's life of each other may have crossed.  Both
 * ends measure this on their own clocks, so it is far more than a message can be
 * late. */
#define CROSSING (30 * IKE_SECOND)

static bool
same_pair(const struct ike_sa *a, const struct ike_sa *b)
{
	return a != b && a->state == IKE_STATE_ESTABLISHED &&
	    ike_id_equal(&a->remote_id, &b->remote_id) &&
	    ike_id_equal(&a->connection->local_id, &b->connection->local_id);
}

static bool
applies(const struct ike_peer *p)
{
	return p != NULL && p->connection->unique != IKE_UNIQUE_NEVER;
}

void
ike_unique_initial_contact(struct ike *e, const struct ike_sa *sa)
{
	struct ike_sa *old, *next;

	if (!applies(sa->peer))
		return;
	for (old = LIST_FIRST(&sa->peer->sas); old != NULL; old = next) {
		next = LIST_NEXT(old, of_peer);
		/* One that was not yet established when the message came crossed it. */
		if (same_pair(old, sa) && old->since < sa->created)
			ike_sa_close(e, old, IKE_CLOSED, 0);
	}
}

/* `keep`: a peer that has an SA and does not say that it lost it gets no second one. */
bool
ike_unique_admits(const struct ike_sa *sa, const struct ike_peer *p,
    const struct ike_identity *remote, bool initial_contact)
{
	const struct ike_sa *old;

	if (p->connection->unique != IKE_UNIQUE_KEEP || initial_contact)
		return true;
	LIST_FOREACH(old, &p->sas, of_peer)
		if (old != sa && old->state == IKE_STATE_ESTABLISHED &&
		    ike_id_equal(&old->remote_id, remote) &&
		    old->since + CROSSING < sa->created)
			return false;
	return true;
}

static bool
crossed(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->created < b->since + CROSSING && b->created < a->since + CROSSING;
}

/* Octet by octet; a prefix is lower (T64). */
static int
compare(const struct ike_buffer *a, const struct ike_buffer *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->p, b->p, n);

	return order != 0 ? order : a->len < b->len ? -1 : a->len > b->len;
}

static const struct ike_buffer *
lower_nonce(const struct ike_sa *sa)
{
	return compare(&sa->nonce[0], &sa->nonce[1]) < 0 ? &sa->nonce[0] : &sa->nonce[1];
}

/* The one of the two that must go, if that is ours to do now; else NULL. */
static struct ike_sa *
loser(struct ike_sa *a, struct ike_sa *b)
{
	struct ike_sa *newer = a->since > b->since ? a : b, *lost;
	bool ours;

	if (a->n_children == 0 && b->n_children == 0)
		return NULL;
	if (a->n_children == 0 || b->n_children == 0) {
		lost = a->n_children == 0 ? a : b;
		ours = lost->initiator;
	} else if (crossed(a, b)) {
		lost = compare(lower_nonce(a), lower_nonce(b)) < 0 ? a : b;
		ours = lost->initiator;
	} else {
		lost = newer == a ? b : a;
		ours = !newer->initiator;
	}
	return ours ? lost : NULL;
}

/* Deletes one that must go; false: there is none, or not now. */
static bool
delete_one(struct ike *e, struct ike_peer *p)
{
	struct ike_sa *a, *b, *lost;

	LIST_FOREACH(a, &p->sas, of_peer)
		LIST_FOREACH(b, &p->sas, of_peer)
			if (a->state == IKE_STATE_ESTABLISHED && same_pair(b, a) &&
			    (lost = loser(a, b)) != NULL) {
				ike_info_delete_sa(e, lost);
				return lost->state != IKE_STATE_ESTABLISHED;
			}
	return false;
}

static bool
has_two(const struct ike_peer *p)
{
	const struct ike_sa *a, *b;

	LIST_FOREACH(a, &p->sas, of_peer)
		LIST_FOREACH(b, &p->sas, of_peer)
			if (a->state == IKE_STATE_ESTABLISHED && same_pair(b, a))
				return true;
	return false;
}

/* The traffic has had its time to move.  What is left to the peer, or was queued, is
 * looked at again: a Child SA may have come or gone meanwhile. */
void
ike_unique_settle(struct ike *e, struct ike_timer *t)
{
	struct ike_peer *p = IKE_OWNER(t, struct ike_peer, settle);

	if (!applies(p))		/* any more */
		return;
	while (delete_one(e, p))
		;
	if (has_two(p))
		ike_timer_arm(e, &p->settle, e->now + LOOK_AGAIN);
}

void
ike_unique_established(struct ike *e, struct ike_sa *sa)
{
	struct ike_peer *p = sa->peer;

	if (applies(p) && has_two(p))
		ike_timer_arm(e, &p->settle, e->now + MOVING);
}
