/* Is the peer still there, RFC 7296 2.4, and is the NAT before us still open, RFC 3948 4.
 *
 * A peer that was silent for connection->dpd is asked.  Silent means: nothing authentic
 * came, neither IKE (live.heard) nor, as the data path says, ESP.  The question is an
 * empty INFORMATIONAL request; a request of ours that is under way already is as good as
 * that.  What nobody answers ends as window.c says, and then `on_dead` decides.
 *
 * No packet re-arms a timer: when one fires it looks how long it has been quiet, and is
 * armed for the rest. */
#include <stdlib.h>

#include "libike/sa.h"

#define KEEPALIVE (20 * IKE_SECOND)
/* Unprotected hints that a peer is gone start a check of an SA at most this often. */
#define HINTS (30 * IKE_SECOND)

static void
arm(struct ike *e, struct ike_sa *sa)
{
	ike_time check = sa->live.check_at, keepalive = sa->live.keepalive_at;
	ike_time at = check == 0 || (keepalive != 0 && keepalive < check) ?
	    keepalive : check;

	if (at != 0)
		ike_timer_arm(e, &sa->live.timer, at);
	else
		ike_timer_disarm(e, &sa->live.timer);
}

static void
check_later(struct ike *e, struct ike_sa *sa)
{
	ike_time due = sa->live.heard + sa->connection->dpd;

	sa->live.check_at = due > e->now ? due : e->now + sa->connection->dpd;
	arm(e, sa);
}

/* ---- the probe ---- */

/* Without memory the next check tries again: then there is no message to the second
 * step. */
static enum ike_error
probe(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_chain chain = ike_chain_begin(e);
	enum ike_error error;

	ike_mobike_add_detection(e, sa, &chain);
	error = ike_exchange_send(e, x, &chain);
	return error == IKE_NO_MEMORY ? IKE_OK : error;
}

static enum ike_error
answered(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	if (x->message != NULL)
		sa->unsent = 0;
	else if (sa->unsent < UINT8_MAX)
		sa->unsent++;
	if (sa->state == IKE_STATE_ESTABLISHED && sa->connection->dpd > 0)
		check_later(e, sa);
	return x->message != NULL ? ike_mobike_compare(e, sa, x) : IKE_OK;
}

static ike_step *const probe_steps[] = { probe, answered, NULL };

void
ike_liveness_begin(struct ike *e, struct ike_sa *sa)
{
	struct ike_exchange *x = ike_exchange_new(sa, true, INFORMATIONAL, probe_steps);

	if (x != NULL)
		ike_exchange_begin(e, sa, x);
}

/* ---- the check ---- */

static enum ike_error
ask_usage(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)sa;
	return ike_ask(e, x, IKE_ASK_USAGE, NULL) == IKE_WAIT ? IKE_WAIT : IKE_OK;
}

/* For as long as a peer may leave a check unanswered none could be sent: what there is
 * can seal nothing, and both ends are better off with another one. */
static bool
is_mute(const struct ike_sa *sa)
{
	const struct ike_connection *c = sa->connection;

	return sa->unsent == UINT8_MAX ||
	    sa->unsent * c->dpd > ike_retransmission_time(&c->established);
}

/* An answer that is no answer says nothing of the peer. */
static enum ike_error
take_usage(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	bool silent;

	sa->live.asking = NULL;
	if (x->answer_error == IKE_OK && x->answer_heard > sa->live.heard)
		sa->live.heard = x->answer_heard <= e->now ? x->answer_heard : e->now;
	check_later(e, sa);
	silent = sa->live.heard + sa->connection->dpd <= e->now && sa->ours == NULL;
	if (!silent)
		sa->unsent = 0;
	else if (is_mute(sa))
		ike_sa_close(e, sa, IKE_NO_MEMORY, 0);
	else
		ike_liveness_begin(e, sa);
	return IKE_OK;
}

static ike_step *const check_steps[] = { ask_usage, take_usage, NULL };

/* The question takes no place in the window: rekeys and DELETEs go on beside it. */
static void
check(struct ike *e, struct ike_sa *sa)
{
	check_later(e, sa);
	if (sa->live.heard + sa->connection->dpd > e->now) {
		sa->unsent = 0;
		return;
	}
	if (sa->ours != NULL || sa->live.asking != NULL)
		return;
	sa->live.asking = ike_exchange_new(sa, true, INFORMATIONAL, check_steps);
	if (sa->live.asking != NULL)
		ike_exchange_run(e, sa->live.asking);
}

/* Anybody can say so: it is reason enough to ask (T42), once in a while. */
void
ike_liveness_hint(struct ike *e, struct ike_sa *sa, struct bytes wire)
{
	struct ike_message m;
	struct ike_notify n;

	if (sa->state != IKE_STATE_ESTABLISHED || sa->connection->dpd == 0 ||
	    sa->ours != NULL || e->now < sa->live.hint_at ||
	    ike_parse_message(wire, &m) != IKE_OK ||
	    ike_find_payload(&m, IKE_PAYLOAD_SK, 0) != NULL ||
	    !ike_find_notify(&m, IKE_INVALID_IKE_SPI, &n))
		return;
	sa->live.hint_at = e->now + HINTS;
	ike_liveness_begin(e, sa);
}

/* ---- the NAT before us ---- */

/* Never for a NAT that only we make the peer believe in (T94). */
static void
keep_alive(struct ike *e, struct ike_sa *sa)
{
	ike_time due = sa->live.sent + KEEPALIVE;

	if (due <= e->now) {
		ike_send_keepalive(e, &sa->path);
		due = e->now + KEEPALIVE;
	}
	sa->live.keepalive_at = due;
	arm(e, sa);
}

void
ike_liveness_nat(struct ike *e, struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED || !sa->nat_here || !sa->encap)
		sa->live.keepalive_at = 0;
	else if (sa->live.keepalive_at == 0)
		sa->live.keepalive_at = e->now + KEEPALIVE;
	arm(e, sa);
}

/* ---- life ---- */

static void
fire(struct ike *e, struct ike_timer *t)
{
	struct ike_sa *sa = IKE_OWNER(t, struct ike_sa, live.timer);

	if (sa->live.keepalive_at != 0 && sa->live.keepalive_at <= e->now)
		keep_alive(e, sa);
	if (sa->live.check_at != 0 && sa->live.check_at <= e->now)
		check(e, sa);
}

void
ike_liveness_start(struct ike *e, struct ike_sa *sa)
{
	sa->live.timer.fire = fire;
	sa->live.heard = e->now;
	if (sa->connection->dpd > 0)
		check_later(e, sa);
	ike_liveness_nat(e, sa);
}

void
ike_liveness_stop(struct ike *e, struct ike_sa *sa)
{
	sa->live.check_at = sa->live.keepalive_at = 0;
	arm(e, sa);
	ike_exchange_cancel(e, sa->live.asking);
	sa->live.asking = NULL;
}
