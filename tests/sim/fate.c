#include "libike/sa.h"
#include "tests/sim/fate.h"
#include "tests/sim/rest.h"

#define BLAME(...) judge_blame(&w->judge, __VA_ARGS__)
#define SLACK (5 * IKE_SECOND)
#define SILENCE_MOST (11 * IKE_SECOND)		/* no profile's dpd is more */
#define WATCH (150 * IKE_SECOND)		/* over the longest back-off */

/* ---- death ---- */

/* From the first copy to the end of the schedule. */
static ike_time
total(const struct ike_retransmission *r)
{
	ike_time sum = 0, interval = r->first;

	for (unsigned i = 0; i < r->tries; i++) {
		sum += interval;
		interval = interval * r->factor_percent / 100;
		if (interval > r->most)
			interval = r->most;
	}
	return sum;
}

static ike_time
longest(const struct ike_setup *s)
{
	ike_time a = total(&s->established), b = total(&s->setting_up);

	return SILENCE_MOST + SLACK + (a > b ? a : b);
}

static void
check_noticed(struct world *w, const struct host *h)
{
	const struct ike_sa *sa;

	TAILQ_FOREACH(sa, &h->ike->sas, link)
		if (sa->created <= w->died && sa->state != IKE_STATE_CLOSED)
			BLAME("host %c has not noticed that its peer is dead",
			    'A' + h->number);
	if (path_count(&h->path, true) != 0)
		BLAME("host %c still sends to a dead peer", 'A' + h->number);
}

static bool
may_ask(const struct ike_setup *s)
{
	return s->start == IKE_START_ON_DEMAND || (s->start == IKE_START_ALWAYS &&
	    s->on_dead == IKE_ON_DEAD_ON_DEMAND);
}

static bool
must_call(const struct ike_setup *s)
{
	return may_ask(s) || (s->start == IKE_START_ALWAYS &&
	    (s->on_dead == IKE_ON_DEAD_BY_START || s->on_dead == IKE_ON_DEAD_RESTART));
}

/* A restart that was not configured to be always up begins once, and may be over. */
static bool
may_call(const struct ike_setup *s)
{
	return must_call(s) || s->on_dead == IKE_ON_DEAD_RESTART;
}

void
fate_check_dead(struct world *w)
{
	const struct host *h = &w->hosts[w->mourner];
	const struct tunnel *t = &w->tunnels[0];
	const struct ike_setup *s = &t->setup[tunnel_end(t, h->number)];
	ike_time until = w->died + longest(s);
	uint64_t sent;

	if (until > w->now)
		world_run_until(w, until);
	check_noticed(w, h);
	sent = w->network.sent_ike;
	world_run_until(w, w->now + WATCH);
	if (!w->bereft || w->judge.failed)
		return;
	if (must_call(s) && w->network.sent_ike == sent)
		BLAME("host %c does not try to come back", 'A' + h->number);
	if (!may_call(s) && w->network.sent_ike != sent)
		BLAME("host %c calls a peer that it should let be", 'A' + h->number);
}

/* ---- settings that do not fit ---- */

bool
fate_allows(const struct world *w)
{
	return w->trouble == FINE || w->trouble == NARROWED ||
	    w->trouble == NOT_INSTALLED;
}

void
fate_check_refused(struct world *w)
{
	enum standing s = rest_standing(w, &w->tunnels[0]);
	unsigned refusals = 0;

	for (unsigned i = 0; i < w->n_hosts; i++)
		refusals += w->hosts[i].refusals;
	if (w->trouble != PFS_DIFFERS && path_count(&w->hosts[0].path, true) != 0)
		BLAME("established in spite of trouble %d", w->trouble);
	if (w->trouble == PFS_DIFFERS && s == STANDS)
		rest_check(w, &w->tunnels[0]);
	else if (!w->downs && !w->deaf && refusals == 0)
		BLAME("trouble %d was not explained", w->trouble);
}
