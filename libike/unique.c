/* One SA for each peer: what happens when a pair of identities has a second one.
 *
 * INITIAL_CONTACT says that the peer knew of no other when it began: older ones go
 * silently.  Without it, two SAs either crossed, because both ends began at once, or the
 * new one follows an old one that its peer has lost.  Of two that crossed, the one with
 * the lowest of the four nonces is deleted by its initiator, so that both ends agree (as
 * RFC 7296 2.8.1 does for rekeys); otherwise the older is deleted by the responder of the
 * newer.  One without a Child SA goes before one that has one; nothing goes before the
 * survivor has it and the traffic had time to move. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

#define MOVING (2 * IKE_SECOND)
#define LOOK_AGAIN (15 * IKE_SECOND)
#define FORGOTTEN (30 * IKE_SECOND)
/* Two that began within a half-open SA's life of each other may have crossed.  Both
 * ends measure this on their own clocks, so it is far more than a message can be
 * late. */
#define CROSSING (30 * IKE_SECOND)
/* IKE SAs of one peer in any state, where one is enough: a peer that begins again and
 * again leaves no more. */
enum { MOST_OF_ONE = 32 };
enum { MOST_DOUBLED = 5 };		/* 64 s */

/* ---- those of one identity: a connection may have thousands of others ---- */

static void settle(struct ike *, struct ike_timer *);

static struct ike_same *
find_same(const struct ike *e, uint64_t key)
{
	return ESP_MEMBER(esp_table_find(&e->same, &key), struct ike_same, by_key);
}

bool
ike_unique_join(struct ike *e, struct ike_sa *sa, const struct ike_identity *remote)
{
	uint64_t key = ike_identity_key(e, remote);
	struct ike_same *same = find_same(e, key);

	if (sa->same != NULL)
		return true;
	if (same == NULL) {
		if ((same = calloc(1, sizeof(*same))) == NULL)
			return false;
		same->key = key;
		same->settle.fire = settle;
		LIST_INIT(&same->sas);
		if (!esp_table_add(&e->same, &same->by_key)) {
			free(same);
			return false;
		}
	}
	LIST_INSERT_HEAD(&same->sas, sa, of_same);
	sa->same = same;
	return true;
}

void
ike_unique_leave(struct ike *e, struct ike_sa *sa)
{
	struct ike_same *same = sa->same;

	if (same == NULL)
		return;
	LIST_REMOVE(sa, of_same);
	sa->same = NULL;
	if (!LIST_EMPTY(&same->sas))
		return;
	ike_timer_disarm(e, &same->settle);
	esp_table_remove(&e->same, &same->by_key);
	free(same);
}

static bool
applies(const struct ike_sa *sa)
{
	return sa->peer != NULL && sa->peer->connection->unique != IKE_UNIQUE_NEVER;
}

static bool
same_pair(const struct ike_sa *a, const struct ike_sa *b)
{
	return a != b && a->peer == b->peer && a->state == IKE_STATE_ESTABLISHED &&
	    ike_id_equal(&a->remote_id, &b->remote_id) &&
	    ike_id_equal(&a->connection->local_id, &b->connection->local_id);
}

/* ---- a second one ---- */

void
ike_unique_initial_contact(struct ike *e, const struct ike_sa *sa)
{
	struct ike_sa *old, *next;

	if (!applies(sa) || sa->same == NULL)
		return;
	for (old = LIST_FIRST(&sa->same->sas); old != NULL; old = next) {
		next = LIST_NEXT(old, of_same);
		/* One that was not yet established when the message came crossed it. */
		if (same_pair(old, sa) && old->setting_up.ended < sa->created)
			ike_sa_close(e, old, IKE_CLOSED, 0);
	}
}

/* `keep`: a peer that has an SA and does not say that it lost it gets no second one. */
bool
ike_unique_admits(const struct ike *e, const struct ike_sa *sa,
    const struct ike_identity *remote, bool initial_contact)
{
	const struct ike_same *same = find_same(e, ike_identity_key(e, remote));
	const struct ike_sa *old;

	if (same == NULL || sa->peer == NULL || initial_contact ||
	    sa->peer->connection->unique != IKE_UNIQUE_KEEP)
		return true;
	LIST_FOREACH(old, &same->sas, of_same)
		if (old != sa && old->peer == sa->peer &&
		    old->state == IKE_STATE_ESTABLISHED &&
		    ike_id_equal(&old->remote_id, remote) &&
		    old->setting_up.ended + CROSSING < sa->created)
			return false;
	return true;
}

void
ike_unique_remember(const struct ike *e, struct ike_sa *sa)
{
	struct ike_setting_up *s = &sa->setting_up;
	const struct ike_buffer *nonce = sa->half_open->nonce;	/* both */

	s->ours = sa->initiator;
	s->began = sa->created;
	s->ended = e->now;
	s->lowest = bytes_load64(ike_lower_nonce(ike_buffer_view(&nonce[0]),
	    ike_buffer_view(&nonce[1])).p);
}

static bool
crossed(const struct ike_setting_up *a, const struct ike_setting_up *b)
{
	return a->ours != b->ours &&	/* one end began each */
	    a->began < b->ended + CROSSING && b->began < a->ended + CROSSING;
}

/* A Child SA of it is on the way. */
static bool
is_expecting(const struct ike_sa *sa)
{
	return sa->n_children == 0 && (sa->ours != NULL || !STAILQ_EMPTY(&sa->wanted));
}

/* Of two of one moment, what both ends see alike. */
static bool
is_newer(const struct ike_setting_up *a, const struct ike_setting_up *b)
{
	return a->ended != b->ended ? a->ended > b->ended : b->lowest < a->lowest;
}

static bool
is_up(const struct ike_sa *sa)
{
	return sa->state == IKE_STATE_ESTABLISHED && !sa->close_after;
}

/* The end that began it has begun another one since. */
static bool
is_outdated(const struct ike_sa *sa)
{
	const struct ike_sa *other;

	LIST_FOREACH(other, &sa->same->sas, of_same)
		if (is_up(other) && same_pair(other, sa) &&
		    other->setting_up.ours == sa->setting_up.ours &&
		    is_newer(&other->setting_up, &sa->setting_up))
			return true;
	return false;
}

/* The one of the two that must go, and whether that is ours to do; NULL: not now.  Of
 * more than two those of one end come down to one first: or each of three could lose
 * against one that goes. */
static struct ike_sa *
loser(struct ike_sa *a, struct ike_sa *b, bool *ours)
{
	const struct ike_setting_up *of_a = &a->setting_up, *of_b = &b->setting_up;
	struct ike_sa *newer = is_newer(of_a, of_b) ? a : b, *lost;

	if ((a->n_children == 0 && b->n_children == 0) || is_expecting(a) ||
	    is_expecting(b))
		return NULL;
	if (a->n_children == 0 || b->n_children == 0) {
		lost = a->n_children == 0 ? a : b;
		*ours = lost->setting_up.ours;
	} else if (crossed(of_a, of_b)) {
		if (is_outdated(a) || is_outdated(b))
			return NULL;
		lost = of_a->lowest < of_b->lowest ? a : b;
		*ours = lost->setting_up.ours;
	} else {
		lost = newer == a ? b : a;
		*ours = !newer->setting_up.ours;
	}
	return lost;
}

/* Does it have all that the other one has? */
static bool
serves_all_of(struct ike_sa *sa, const struct ike_sa *old)
{
	const struct ike_child_sa *c;

	LIST_FOREACH(c, &old->children, link)
		if (ike_child_serving(sa, c->configured->name) == NULL)
			return false;
	return true;
}

/* What the other one has and it has not. */
static void
ask_for_rest(struct ike *e, struct ike_sa *sa, const struct ike_sa *lost)
{
	const struct ike_child_sa *c;

	sa->same->asked++;
	LIST_FOREACH(c, &lost->children, link)
		if (c->successor == NULL &&
		    ike_child_serving(sa, c->configured->name) == NULL)
			(void)ike_want_child(sa, c->connection, c->configured, NULL);
	ike_next_wanted(e, sa);
}

/* Who answered cannot know that the answer has arrived before he hears more. */
static bool
is_confirmed(const struct ike_sa *sa)
{
	return sa->initiator || sa->live.heard > sa->since;
}

/* The same of Child SAs that it made later: the peer uses them, or would have asked
 * again. */
static bool
has_arrived(const struct ike *e, const struct ike_sa *sa)
{
	const struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		if (c->predecessor == NULL && c->since > sa->since &&
		    !ike_child_has_arrived(e, c))
			return false;
	return true;
}

/* Both ends have it, with all that the other one has; or that is seen to now. */
static bool
replaces(struct ike *e, struct ike_sa *sa, const struct ike_sa *lost)
{
	if (!is_confirmed(sa)) {
		if (sa->ours == NULL)
			ike_liveness_begin(e, sa);
		return false;
	}
	if (serves_all_of(sa, lost) || (sa->full && sa->n_children > 0))
		return has_arrived(e, sa);
	if (!sa->full)
		ask_for_rest(e, sa, lost);
	return false;
}

static bool
are_two(const struct ike_sa *a, const struct ike_sa *b)
{
	return is_up(a) && is_up(b) && applies(a) && same_pair(b, a);
}

/* Deletes one that must go, if now is the time. */
static void
delete_one(struct ike *e, const struct ike_same *same)
{
	struct ike_sa *a, *b, *lost, *stays;
	bool ours;

	LIST_FOREACH(a, &same->sas, of_same)
		LIST_FOREACH(b, &same->sas, of_same) {
			if (!are_two(a, b) || (lost = loser(a, b, &ours)) == NULL ||
			    !ours)
				continue;
			stays = lost == a ? b : a;
			if (replaces(e, stays, lost))
				ike_info_delete_sa(e, lost);
			return;
		}
}

static bool
has_two(const struct ike_same *same)
{
	const struct ike_sa *a, *b;

	LIST_FOREACH(a, &same->sas, of_same)
		LIST_FOREACH(b, &same->sas, of_same)
			if (are_two(a, b))
				return true;
	return false;
}

/* One that the other end should have deleted long ago it may have forgotten instead, in
 * silence. */
static void
ask_after_lost(struct ike *e, const struct ike_same *same)
{
	struct ike_sa *a, *b, *lost;
	bool ours;

	LIST_FOREACH(a, &same->sas, of_same)
		LIST_FOREACH(b, &same->sas, of_same) {
			lost = are_two(a, b) ? loser(a, b, &ours) : NULL;
			if (lost != NULL && !ours && lost->ours == NULL &&
			    e->now >= lost->live.heard + FORGOTTEN)
				ike_liveness_begin(e, lost);
		}
}

/* Reauthenticated: the one before goes when nothing of it is missing.  True: that is not
 * yet so of all. */
static bool
stand_in(struct ike *e, struct ike_same *same)
{
	struct ike_sa *sa, *next, *old;
	bool again = false;

	for (sa = LIST_FIRST(&same->sas); sa != NULL; sa = next) {
		next = LIST_NEXT(sa, of_same);
		if (sa->reauthenticates == 0 || sa->state != IKE_STATE_ESTABLISHED)
			continue;
		old = ike_table_sa(e, sa->reauthenticates);
		if (old != NULL && !replaces(e, sa, old)) {
			again = true;
			continue;
		}
		sa->reauthenticates = 0;
		if (old == NULL)
			continue;
		ike_info_delete_sa(e, old);
		return true;
	}
	return again;
}

/* A DELETE is under way, or something else that the decision waits for, perhaps. */
static bool
is_moving(const struct ike_same *same)
{
	const struct ike_sa *sa;

	LIST_FOREACH(sa, &same->sas, of_same)
		if ((sa->state == IKE_STATE_ESTABLISHED && sa->ours != NULL) ||
		    sa->state == IKE_STATE_CLOSING)
			return true;
	return false;
}

static bool
is_parting(const struct ike_same *same)
{
	const struct ike_sa *sa;

	LIST_FOREACH(sa, &same->sas, of_same)
		if (sa->state == IKE_STATE_CLOSING || sa->close_after)
			return true;
	return false;
}

/* What the peer does not grant is asked for more and more seldom. */
static ike_time
next_look(const struct ike_same *same)
{
	unsigned refusals = same->asked > 0 ? same->asked - 1 : 0;

	return MOVING << (refusals < MOST_DOUBLED ? refusals : MOST_DOUBLED);
}

/* The traffic has had its time to move.  What is left to the peer, or was queued, is
 * looked at again: a Child SA may have come or gone meanwhile.  One is deleted at a time,
 * and the next one when the peer knows, so that both ends compare the same ones.  It
 * leaves later, so `same` stays. */
static void
settle(struct ike *e, struct ike_timer *t)
{
	struct ike_same *same = IKE_OWNER(t, struct ike_same, settle);
	bool again = false;

	if (!is_parting(same))
		again = stand_in(e, same);
	if (!is_parting(same))
		delete_one(e, same);
	if (again || is_moving(same))
		ike_timer_arm(e, &same->settle, e->now + next_look(same));
	else if (has_two(same)) {
		ask_after_lost(e, same);
		ike_timer_arm(e, &same->settle, e->now + LOOK_AGAIN);
	}
}

/* Of the same pair, though it may be closed already. */
static bool
is_of(const struct ike_sa *old, const struct ike_sa *sa)
{
	return old != sa && old->connection_id == sa->connection_id &&
	    ike_id_equal(&old->remote_id, &sa->remote_id);
}

/* One too many: one that only lingers goes, or else the oldest. */
static void
make_room(struct ike *e, const struct ike_sa *sa)
{
	struct ike_sa *old, *oldest = NULL, *closed = NULL;
	unsigned n = 1;

	LIST_FOREACH(old, &sa->same->sas, of_same) {
		if (!is_of(old, sa))
			continue;
		n++;
		if (old->state == IKE_STATE_CLOSED)
			closed = old;
		else if (oldest == NULL ||
		    old->setting_up.ended < oldest->setting_up.ended)
			oldest = old;
	}
	if (n <= MOST_OF_ONE)
		return;
	if (closed != NULL)
		ike_sa_dead(e, closed);
	else
		ike_sa_close(e, oldest, IKE_CLOSED, 0);
}

void
ike_unique_established(struct ike *e, struct ike_sa *sa)
{
	if (sa->same != NULL)
		sa->same->asked = 0;
	if (sa->same != NULL && applies(sa))
		make_room(e, sa);
	if (sa->same != NULL &&
	    (sa->reauthenticates != 0 || (applies(sa) && has_two(sa->same))))
		ike_timer_arm(e, &sa->same->settle, e->now + MOVING);
}

bool
ike_unique_carries(const struct ike_sa *except)
{
	const struct ike_sa *sa;

	if (except->same != NULL)
		LIST_FOREACH(sa, &except->same->sas, of_same)
			if (is_up(sa) && same_pair(sa, except) && sa->n_children > 0)
				return true;
	return false;
}

bool
ike_unique_serves(const struct ike_sa *except, const char *child)
{
	struct ike_sa *sa;

	if (except->same != NULL)
		LIST_FOREACH(sa, &except->same->sas, of_same)
			if (sa != except && same_pair(sa, except) &&
			    ike_child_serving(sa, child) != NULL)
				return true;
	return false;
}

/* One that follows another takes over from that one alone. */
static bool
may_carry(const struct ike_child_sa *c, const struct ike_child_sa *after)
{
	return !c->deleting && !c->leaving && c->lost != IKE_LOST_THERE &&
	    (c->coming[1] == NULL ||
	    ((c->predecessor == NULL || c->predecessor == after) &&
	    ike_child_may_move(c)));
}

static bool
is_more_certain(const struct ike_child_sa *a, const struct ike_child_sa *b)
{
	return a->unseen != b->unseen ? !a->unseen : a->since < b->since;
}

/* Of those that wait the one that the peer is known to have, or has most likely: and none
 * if another one carries the traffic that is no less certain. */
struct ike_child_sa *
ike_unique_waiting(const struct ike_child_sa *c)
{
	struct ike_child_sa *other, *found = NULL;
	struct ike_sa *sa;
	bool carried = false;

	if (c->sa->same == NULL)
		return NULL;
	LIST_FOREACH(sa, &c->sa->same->sas, of_same)
		LIST_FOREACH(other, &sa->children, link) {
			if (other == c || sa->state != IKE_STATE_ESTABLISHED ||
			    !may_carry(other, c) ||
			    strcmp(other->configured->name, c->configured->name) != 0)
				continue;
			if (other->coming[1] == NULL && !other->unseen)
				return NULL;
			carried = carried || other->coming[1] == NULL;
			if (other->coming[1] != NULL && (found == NULL ||
			    is_more_certain(other, found)))
				found = other;
		}
	return carried && found != NULL && found->unseen ? NULL : found;
}
