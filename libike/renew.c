/* Lifetimes, RFC 7296 2.8: when an SA is made anew, tried again, or ends.  Each begins a
 * little earlier than configured, by chance, so that thousands do not move in step, and
 * two ends seldom at once. */
#include "libike/sa.h"

/* A replaced one is deleted after this time: the other end's traffic moves meanwhile. */
#define MOVING (2 * IKE_SECOND)
/* The peer's DELETE of a replaced IKE SA is waited for longer than it is repeated. */
#define ABANDONED (180 * IKE_SECOND)
/* 2.25: never at once, over several minutes; then the two ends are out of step (T74). */
#define LATER_FIRST (5 * IKE_SECOND)
#define LATER_MOST (60 * IKE_SECOND)
enum { PUT_OFF = 10 };
/* Those who demand groups of their own find out early whether the peer grants them. */
#define PROBE_FIRST (10 * IKE_SECOND)
#define PROBE_LAST (60 * IKE_SECOND)

ike_time
ike_between(struct ike *e, ike_time least, ike_time most)
{
	uint8_t octets[8];

	e->random.fill(e->random.arg, octets, sizeof(octets));
	return least + (ike_time)(bytes_load64(octets) % (uint64_t)(most - least + 1));
}

/* When a lifetime that begins now is to be renewed; 0: never. */
static ike_time
soft_end(struct ike *e, ike_time lifetime, unsigned jitter_percent)
{
	if (lifetime == 0)
		return 0;
	return e->now + ike_between(e, lifetime - lifetime * jitter_percent / 100, lifetime);
}

static ike_time
hard_end(const struct ike *e, ike_time lifetime)
{
	return lifetime == 0 ? 0 : e->now + lifetime;
}

static ike_time
earlier(ike_time a, ike_time b)
{
	return a == 0 ? b : b == 0 || a < b ? a : b;
}

static void
arm(struct ike *e, struct ike_timer *t, ike_time at)
{
	if (at != 0)
		ike_timer_arm(e, t, at);
	else
		ike_timer_disarm(e, t);
}

static ike_time
later(struct ike *e, unsigned refusals)
{
	ike_time wait = refusals > 4 ? LATER_MOST : LATER_FIRST << (refusals - 1);

	return e->now + ike_between(e, wait * 2 / 3, wait * 4 / 3);
}

/* ---- Child SAs ---- */

static void
arm_child(struct ike *e, struct ike_child_sa *c)
{
	arm(e, &c->timer, earlier(c->rekey_at, c->ends_at));
}

/* The traffic has moved, or the peer has left it to its hard lifetime (T57). */
static void
delete_child(struct ike *e, struct ike_timer *t)
{
	struct ike_child_sa *c = IKE_OWNER(t, struct ike_child_sa, timer);

	if (c->successor != NULL && !ike_child_has_arrived(e, c->successor))
		ike_timer_arm(e, t, e->now + MOVING);
	else
		ike_info_delete_spi(e, c->sa, c->spi_in);
}

static void
fire_child(struct ike *e, struct ike_timer *t)
{
	struct ike_child_sa *c = IKE_OWNER(t, struct ike_child_sa, timer);
	bool over = c->ends_at != 0 && e->now >= c->ends_at;

	if (over) {
		c->why = IKE_EXPIRED;
		ike_info_delete_spi(e, c->sa, c->spi_in);
		return;
	}
	c->rekey_at = 0;
	arm_child(e, c);
	if (!ike_want(c->sa, IKE_WISH_REKEY_CHILD, c->spi_in))
		ike_renew_child_later(e, c);
	ike_next_wanted(e, c->sa);
}

/* Does the peer grant the groups that we require?  Its answer changes nothing that
 * works, and comes while somebody still looks. */
static bool
is_probe(const struct ike_child_sa *c)
{
	const struct ike_sa *sa = c->sa;

	return c->connection->pfs == IKE_PFS_REQUIRE && sa->initiator && sa->peer != NULL &&
	    !sa->peer->probed && c->without_ke;
}

void
ike_renew_child(struct ike *e, struct ike_child_sa *c)
{
	const struct ike_renewal *r = &c->connection->renewal;

	c->timer.fire = fire_child;
	c->rekey_at = soft_end(e, r->child.time, r->jitter_percent);
	c->due_at = c->rekey_at;
	c->ends_at = hard_end(e, r->child_hard.time);
	if (is_probe(c)) {
		c->sa->peer->probed = true;
		c->rekey_at = earlier(c->rekey_at,
		    e->now + ike_between(e, PROBE_FIRST, PROBE_LAST));
	}
	arm_child(e, c);
}

void
ike_renew_child_soon(struct ike *e, struct ike_child_sa *c)
{
	if (c->sa == NULL || !c->installed || c->successor != NULL || c->deleting ||
	    c->refusals > 0)		/* else its time is set already */
		return;
	c->rekey_at = c->due_at = e->now;
	ike_timer_arm(e, &c->timer, e->now);
}

bool
ike_renew_refused(struct ike *e, struct ike_sa *sa, unsigned *put_off,
    enum ike_error error)
{
	*put_off = error == IKE_TEMPORARY_FAILURE ? *put_off + 1 : 0;
	if (*put_off <= PUT_OFF)
		return false;
	sa->hint = IKE_TEMPORARY_FAILURE;
	ike_info_delete_sa(e, sa);
	return true;
}

void
ike_renew_child_later(struct ike *e, struct ike_child_sa *c)
{
	if (!c->installed || c->deleting || c->successor != NULL)
		return;
	c->timer.fire = fire_child;
	c->rekey_at = later(e, ++c->refusals);
	arm_child(e, c);
}

/* Is it before the time at which it must be rekeyed?  0: that is never. */
static bool
is_early(const struct ike *e, ike_time due_at)
{
	return due_at == 0 || e->now < due_at;
}

void
ike_renew_child_refused(struct ike *e, struct ike_child_sa *c)
{
	if (!c->installed || c->deleting || c->successor != NULL)
		return;
	if (!is_early(e, c->due_at)) {
		(void)ike_peer_reauthenticate(e, c->sa);
		c->refusals = PUT_OFF;
		ike_renew_child_later(e, c);
		return;
	}
	c->refusals = 0;		/* what the data path says is heard */
	c->timer.fire = fire_child;
	c->rekey_at = c->due_at;
	arm_child(e, c);
}

void
ike_renew_child_unseen(struct ike *e, struct ike_child_sa *c)
{
	c->rekey_at = e->now + MOVING;
	arm_child(e, c);
}

static void
delete_lost(struct ike *e, struct ike_timer *t)
{
	struct ike_child_sa *c = IKE_OWNER(t, struct ike_child_sa, timer);
	const struct ike_child_sa *other =
	    ike_child_serving(c->sa, c->configured->name);

	if (other != NULL && !ike_child_has_arrived(e, other))
		ike_timer_arm(e, t, e->now + MOVING);
	else
		ike_info_delete_spi(e, c->sa, c->spi_in);
}

void
ike_renew_child_lost(struct ike *e, struct ike_child_sa *c)
{
	ike_timer_disarm(e, &c->timer);
	c->timer.fire = delete_lost;
	delete_lost(e, &c->timer);
}

void
ike_renew_child_replaced(struct ike *e, struct ike_child_sa *c)
{
	c->timer.fire = delete_child;
	c->rekey_at = 0;
	if (!c->awaits_delete)
		ike_timer_arm(e, &c->timer, e->now + MOVING);
	else
		arm_child(e, c);
}

/* ---- IKE SAs ---- */

static void
arm_sa(struct ike *e, struct ike_sa *sa)
{
	arm(e, &sa->timer, earlier(earlier(sa->rekey_at, sa->ends_at), sa->reauth_at));
}

/* One outcome, whatever is under way (T60): with the window taken the peer cannot be
 * told. */
static void
end_sa(struct ike *e, struct ike_sa *sa)
{
	sa->hint = IKE_EXPIRED;
	if (sa->ours != NULL)
		ike_sa_close(e, sa, IKE_EXPIRED, 0);
	else
		ike_info_delete_sa(e, sa);
}

/* Its heir is there already, and the answer to our own rekey says which of two it is
 * (2.8.2): to end before that would end both.  Without an answer all ends when nothing is
 * left of the schedule of sending again. */
static bool
is_settling(const struct ike_sa *sa)
{
	return sa->ours != NULL && sa->ours->rival.sa != NULL;
}

void
ike_renew_sa_due(struct ike *e, struct ike_sa *sa)
{
	bool rekey = sa->rekey_at != 0 && e->now >= sa->rekey_at;
	bool reauth = sa->reauth_at != 0 && e->now >= sa->reauth_at;

	if (sa->ends_at != 0 && e->now >= sa->ends_at) {
		if (!is_settling(sa)) {
			end_sa(e, sa);
			return;
		}
		sa->ends_at = 0;
	}
	if (rekey)
		sa->rekey_at = 0;
	if (reauth)
		sa->reauth_at = ike_peer_reauthenticate(e, sa) == IKE_OK ? 0 :
		    later(e, PUT_OFF);
	arm_sa(e, sa);
	if (rekey && !ike_want(sa, IKE_WISH_REKEY_IKE, 0))
		ike_renew_sa_later(e, sa);
	ike_next_wanted(e, sa);
}

void
ike_renew_sa(struct ike *e, struct ike_sa *sa)
{
	const struct ike_renewal *r = &sa->connection->renewal;

	sa->rekey_at = soft_end(e, r->ike, r->jitter_percent);
	sa->due_at = sa->rekey_at;
	sa->ends_at = hard_end(e, r->ike_hard);
	if (sa->generation == 1 && sa->initiator)
		sa->reauth_at = soft_end(e, r->reauth, r->jitter_percent);
	arm_sa(e, sa);
}

void
ike_renew_sa_later(struct ike *e, struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED)
		return;
	sa->rekey_at = later(e, ++sa->refusals);
	arm_sa(e, sa);
}

void
ike_renew_sa_refused(struct ike *e, struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED)
		return;
	if (!is_early(e, sa->due_at)) {
		(void)ike_peer_reauthenticate(e, sa);
		sa->refusals = PUT_OFF;
		ike_renew_sa_later(e, sa);
		return;
	}
	sa->refusals = 0;
	sa->rekey_at = sa->due_at;
	arm_sa(e, sa);
}

void
ike_renew_reauth_later(struct ike *e, struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED)
		return;
	sa->reauth_at = later(e, PUT_OFF);
	arm_sa(e, sa);
}

void
ike_renew_sa_replaced(struct ike *e, struct ike_sa *sa, bool theirs)
{
	ike_sa_state(e, sa, IKE_STATE_REPLACED);
	sa->awaits_delete = theirs;
	ike_timer_arm(e, &sa->timer, e->now + (theirs ? ABANDONED : MOVING));
}
