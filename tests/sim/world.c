#include <stdlib.h>
#include <string.h>

#include "libesp/esp.h"
#include "tests/sim/acts.h"
#include "tests/sim/fate.h"
#include "tests/sim/intact.h"
#include "tests/sim/memory.h"
#include "tests/sim/profile.h"
#include "tests/sim/rest.h"

#define NEVER INT64_MAX
/* Longer than any schedule of retransmissions and back-off, so that whoever will come to
 * rest has done so. */
#define QUIET (250 * IKE_SECOND)
#define CLOSING (200 * IKE_SECOND)
#define IDLE_GAP (15 * IKE_SECOND)

struct host *
world_host(struct world *w, const struct tunnel *t, unsigned end)
{
	return &w->hosts[t->host[end]];
}

/* ---- datagrams that arrive ---- */

/* What is due is not the packet's doing. */
static void
receive_foreign(struct world *w, struct host *h, struct frame *f)
{
	struct intact before;

	host_tick(h, w->now);
	intact_remember(h, f, &before);
	host_say(h, w->now, "%s %s of %zu octets",
	    f->origin == FRAME_REPLAYED ? "repeated" : "forged",
	    f->kind == FRAME_IKE ? "IKE message" : "ESP packet", f->len);
	if (host_receive(h, w->now, f) == ESP_OK && f->kind != FRAME_IKE)
		judge_blame(&w->judge, "host %c took a foreign ESP packet",
		    'A' + h->number);
	intact_compare(h, &before);
}

static void
receive_genuine(struct world *w, struct host *h, struct frame *f)
{
	unsigned verdict = host_receive(h, w->now, f);

	if (verdict == ESP_OK)
		attacker_arrived(&w->attacker, f->serial);
	else
		ledger_dropped(&w->ledger, &w->judge, f->packet, verdict);
}

static void
deliver(struct world *w, struct frame *f)
{
	unsigned to = network_host(&w->network, f->path.addr[0]);
	struct host *h = to < w->n_hosts ? &w->hosts[to] : NULL;

	bool genuine;

	if (h == NULL || h->dead || w->network.place[to].cut)
		return;
	genuine = f->origin == FRAME_GENUINE ||
	    (f->origin == FRAME_REPLAYED && intact_is_news(h, f));
	if (!genuine)
		receive_foreign(w, h, f);
	else if (!f->lied)	/* who holds back the true one may move the peer: 2.23 */
		receive_genuine(w, h, f);
}

/* ---- what happens next ---- */

/* Has a child once been up at both ends?  Each understands what the other sends now. */
static bool
is_sure(struct world *w, struct tunnel *t, unsigned child)
{
	const struct path_sa *out;

	for (unsigned end = 0; end < 2 && !t->sure[child]; end++) {
		out = path_newest(
		    &world_host(w, t, end)->path, t->connection[end], child);
		if (out == NULL ||
		    path_find(&world_host(w, t, 1 - end)->path, out->spi, false) == NULL)
			return false;
	}
	t->sure[child] = true;
	return true;
}

static void
send_next(struct world *w, struct tunnel *t, unsigned end, unsigned child,
    struct stream *s)
{
	struct host *h = world_host(w, t, end);
	ike_time most = w->calm ? IDLE_GAP : IKE_SECOND / 2;

	bool must = w->strict && is_sure(w, t, child);
	const struct path_sa *used = h->dead ? NULL :
	    host_send_inner(h, w->now, t, child, must);

	if (used != NULL && must)
		rest_check_follows(w, t, end, used);
	s->next = w->now + s->gap;
	s->gap += s->gap / 6;
	if (s->gap > most)
		s->gap = most;
}

/* The stream whose turn is first; NULL: none. */
static struct stream *
next_stream(struct world *w, struct tunnel **t, unsigned *end, unsigned *child)
{
	struct stream *s, *found = NULL;

	for (unsigned i = 0; i < w->n_tunnels; i++)
		for (unsigned e = 0; e < 2; e++)
			for (unsigned k = 0; k < w->tunnels[i].setup[0].n_children; k++) {
				s = &w->streams[i][e][k];
				if (found != NULL && found->next <= s->next)
					continue;
				found = s;
				*t = &w->tunnels[i];
				*end = e;
				*child = k;
			}
	return found;
}

static void
act(struct world *w)
{
	const struct act *a = &w->acts[w->next_act++];

	host_say(world_host(w, &w->tunnels[a->tunnel], a->end), w->now, "act: %s",
	    a->name);
	a->run(w, a);
}

static bool
earlier(ike_time at, ike_time *next)
{
	if (at >= *next)
		return false;
	*next = at;
	return true;
}

/* Does the next thing that happens before `until`; false: nothing does. */
static bool
step(struct world *w, ike_time until)
{
	enum { NOTHING, FRAME, ACT, STREAM, HOST } what = NOTHING;
	unsigned end = 0, child = 0;
	ike_time next = until, at;
	struct host *host = NULL;
	struct tunnel *t = NULL;
	struct stream *s = w->hush ? NULL : next_stream(w, &t, &end, &child);
	struct frame *f;

	if (network_next(&w->network, &at) && earlier(at, &next))
		what = FRAME;
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (!w->hosts[i].dead && host_deadline(&w->hosts[i], &at) &&
		    earlier(at, &next)) {
			what = HOST;
			host = &w->hosts[i];
		}
	if (w->next_act < w->n_acts && earlier(w->acts[w->next_act].at, &next))
		what = ACT;
	if (s != NULL && earlier(s->next, &next))
		what = STREAM;
	if (next > w->now)
		w->now = next;
	if (what == FRAME) {
		f = network_take(&w->network);
		deliver(w, f);
		free(f);
	} else if (what == HOST) {
		host_tick(host, w->now);
	} else if (what == ACT) {
		act(w);
	} else if (what == STREAM) {
		send_next(w, t, end, child, s);
	}
	return what != NOTHING;
}

void
world_run_until(struct world *w, ike_time until)
{
	for (unsigned i = 0; i < STEPS_MOST && !w->judge.failed; i++)
		if (!step(w, until)) {
			w->now = until;
			return;
		}
	judge_blame(&w->judge, "no rest: %d steps before %.0f s", STEPS_MOST,
	    (double)until / 1e6);
}

/* ---- storm, calm, end ---- */

static void
open_hosts(struct world *w)
{
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (!host_open(&w->hosts[i], w->now))
			judge_blame(&w->judge, "a host could not be made");
}

static void
calm_down(struct world *w)
{
	struct tunnel *t;

	w->network.ike = w->network.esp = (struct weather){ .delay = 10000 };
	w->calm = true;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		w->network.place[i].cut = w->hosts[i].dead;
		w->hosts[i].path.refuse = 0;
	}
	for (unsigned i = 0; i < w->n_tunnels && !w->judge.failed; i++) {
		t = &w->tunnels[i];
		profile_calm(w, t);
		for (unsigned end = 0; end < 2; end++)
			if (w->died == 0)
				host_put(world_host(w, t, end), w->now, t);
	}
}

/* Liveness is asked for again and again: between two questions there is rest. */
static void
settle(struct world *w)
{
	enum { LOOKS = 100 };

	w->hush = true;
	world_run_until(w, w->now + IKE_SECOND);
	for (unsigned i = 0; i < LOOKS && rest_is_busy(w); i++)
		world_run_until(w, w->now + IKE_SECOND / 10);
}

/* Whoever was taken down comes back when he is asked to. */
static void
bring_up(struct world *w)
{
	bool asked = false;

	for (unsigned i = 0; i < w->n_tunnels; i++) {
		struct tunnel *t = &w->tunnels[i];
		struct host *h = world_host(w, t, 0);

		if (rest_standing(w, t) == STANDS)
			continue;
		if (!w->downs && !w->deaf)
			rest_check(w, t);
		if (!w->downs && !w->deaf && rest_standing(w, t) == STANDS_NOT)
			judge_blame(&w->judge, "tunnel %u does not stand", i);
		ike_up(h->ike, w->now, t->connection[0]);
		host_drain(h, w->now);
		asked = true;
	}
	if (asked)
		world_run_until(w, w->now + QUIET);
}

static void
check_packets(struct world *w)
{
	const struct tunnel *t;

	for (unsigned i = 0; i < w->n_tunnels; i++)
		for (unsigned end = 0; end < 2; end++) {
			t = &w->tunnels[i];
			for (unsigned k = 0; k < t->setup[0].n_children; k++)
				host_send_inner(world_host(w, t, end), w->now, t, k, true);
		}
	world_run_until(w, w->now + IKE_SECOND);
	ledger_close(&w->ledger, &w->judge);
}

static void
check_rest(struct world *w)
{
	for (unsigned i = 0; i < w->n_tunnels; i++) {
		if (rest_standing(w, &w->tunnels[i]) == STANDS_NOT)
			judge_blame(&w->judge, "tunnel %u cannot be brought up", i);
		rest_check(w, &w->tunnels[i]);
	}
	if (!w->judge.failed)
		check_packets(w);
}

static void
take_down(struct world *w)
{
	w->hush = true;
	for (unsigned i = 0; i < w->n_tunnels; i++)
		for (unsigned end = 0; end < 2; end++)
			if (!world_host(w, &w->tunnels[i], end)->dead)
				host_drop(world_host(w, &w->tunnels[i], end), w->now,
				    &w->tunnels[i]);
	world_run_until(w, w->now + CLOSING);
	if (!w->judge.failed)
		rest_check_end(w);
}

static void
run(struct world *w)
{
	w->blocks = memory_blocks();
	open_hosts(w);
	world_run_until(w, w->storm);
	if (!w->judge.failed)
		calm_down(w);
	world_run_until(w, w->now + QUIET);
	if (w->judge.failed)
		return;
	if (w->died != 0) {
		fate_check_dead(w);
	} else if (fate_allows(w)) {
		settle(w);
		bring_up(w);
		settle(w);
		check_rest(w);
	} else {
		settle(w);
		fate_check_refused(w);
	}
	if (!w->judge.failed)
		take_down(w);
}

bool
world_run(uint64_t seed, const struct profile *profile, FILE *trace,
    struct world_count *count, char *why, size_t len)
{
	struct world *w = calloc(1, sizeof(*w));
	bool good;

	if (w == NULL)
		abort();
	w->seed = seed;
	w->trace = trace;
	w->profile = profile != NULL ? profile : profile_of(seed);
	profile_make(w);
	if (trace != NULL)
		acts_print(w, trace);
	run(w);
	good = !w->judge.failed;
	snprintf(why, len, "%s: %s", w->profile->name, w->judge.why);
	count->frames += w->network.sent;
	count->packets += w->ledger.n;
	count->delivered += w->ledger.delivered;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		count->rekeys += w->hosts[i].replaced;
		host_close(&w->hosts[i]);
	}
	network_clear(&w->network);
	attacker_free(&w->attacker);
	judge_free(&w->judge);
	free(w);
	return good;
}
