#include <string.h>

#include "tests/sim/acts.h"
#include "tests/sim/profile.h"

/* ---- the schedule ---- */

struct act *
acts_add(struct world *w, ike_time from, ike_time to, act_run *run, const char *name)
{
	struct chance *c = &w->chance;
	struct act act = { .at = from + (ike_time)chance_below(c, (uint64_t)(to - from)),
	    .run = run, .name = name };
	unsigned i = w->n_acts;

	act.tunnel = (uint8_t)chance_below(c, w->n_tunnels);
	act.end = (uint8_t)chance_below(c, 2);
	act.child = (uint8_t)chance_below(c, w->tunnels[act.tunnel].setup[0].n_children);
	if (w->n_acts == ACTS_MOST)
		return NULL;
	for (; i > 0 && w->acts[i - 1].at > act.at; i--)
		w->acts[i] = w->acts[i - 1];
	w->acts[i] = act;
	w->n_acts++;
	return &w->acts[i];
}

void
acts_add_some(struct world *w, const struct wish *wishes, unsigned n)
{
	unsigned sum = 0, at;

	for (const struct wish *i = wishes; i->run != NULL; i++)
		sum += i->weight;
	while (n-- > 0) {
		const struct wish *i = wishes;

		for (at = (unsigned)chance_below(&w->chance, sum); at >= i->weight; i++)
			at -= i->weight;
		acts_add(w, 0, w->storm, i->run, i->name);
	}
}

void
acts_print(const struct world *w, FILE *to)
{
	fprintf(to, "%s, with %s algorithms; the schedule, to %.0f s:\n",
	    w->profile->name, w->hosts[0].cheap ? "cheap" : "real",
	    (double)w->storm / 1e6);
	for (unsigned i = 0; i < w->n_acts; i++)
		fprintf(to, "    %10.3f  %c: %s (tunnel %u, child %u)\n",
		    (double)w->acts[i].at / 1e6,
		    'A' + w->tunnels[w->acts[i].tunnel].host[w->acts[i].end],
		    w->acts[i].name, w->acts[i].tunnel, w->acts[i].child);
	fputs(WORLD_BEGINS, to);
}

/* ---- finding what an act is about ---- */

static struct host *
host_of(struct world *w, const struct act *a, unsigned end)
{
	return world_host(w, &w->tunnels[a->tunnel], end);
}

static ike_id
connection_of(const struct world *w, const struct act *a, unsigned end)
{
	return w->tunnels[a->tunnel].connection[end];
}

/* The newest IKE SA of the tunnel at this end; 0: none. */
static ike_id
find_ike(struct world *w, const struct act *a, unsigned end)
{
	const struct host *h = host_of(w, a, end);
	struct ike_sa_info info;
	ike_id id = 0, found = 0;

	while (ike_next_sa_of(h->ike, connection_of(w, a, end), id, &info)) {
		id = info.id;
		if (info.state == IKE_STATE_ESTABLISHED)
			found = id;
	}
	return found;
}

static ike_id
find_child(struct world *w, const struct act *a, unsigned end)
{
	const struct host *h = host_of(w, a, end);
	ike_id sa = find_ike(w, a, end);
	struct ike_child_info info;

	for (unsigned i = 0; ike_child_at(h->ike, sa, i, &info); i++)
		if (!info.replaced && tunnel_child(info.child.name) == a->child)
			return info.id;
	return 0;
}

/* ---- rekeying ---- */

static void
rekey(struct world *w, const struct act *a, unsigned end, ike_id id)
{
	struct host *h = host_of(w, a, end);

	if (id == 0 || h->dead)
		return;
	ike_rekey(h->ike, w->now, id);
	host_drain(h, w->now);
	act_burst(w, a);
}

void
act_rekey_child(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_child(w, a, a->end));
}

void
act_rekey_ike(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_ike(w, a, a->end));
}

void
act_rekey_children_at_once(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_child(w, a, a->end));
	rekey(w, a, 1 - a->end, find_child(w, a, 1 - a->end));
}

void
act_rekey_ikes_at_once(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_ike(w, a, a->end));
	rekey(w, a, 1 - a->end, find_ike(w, a, 1 - a->end));
}

void
act_rekey_all_at_once(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_child(w, a, a->end));
	rekey(w, a, 1 - a->end, find_ike(w, a, 1 - a->end));
}

void
act_rekey_twice(struct world *w, const struct act *a)
{
	rekey(w, a, a->end, find_child(w, a, a->end));
	rekey(w, a, a->end, find_child(w, a, a->end));
	rekey(w, a, a->end, find_ike(w, a, a->end));
}

static void
tell(struct world *w, const struct act *a, enum ike_notice_type type)
{
	struct ike_notice notice = { .type = type, .id = find_child(w, a, a->end) };
	struct host *h = host_of(w, a, a->end);

	if (notice.id == 0 || h->dead)
		return;
	host_tell(h, w->now, &notice);
	act_burst(w, a);
}

void
act_soft(struct world *w, const struct act *a)
{
	tell(w, a, IKE_SOFT);
}

void
act_hard(struct world *w, const struct act *a)
{
	tell(w, a, IKE_HARD);
}

/* Packets close to each other for a while. */
void
act_burst(struct world *w, const struct act *a)
{
	enum { CLOSE = 20000 };
	struct stream *s;

	for (unsigned end = 0; end < 2; end++)
		for (unsigned i = 0; i < CHILDREN; i++) {
			s = &w->streams[a->tunnel][end][i];
			if (s->next > w->now + CLOSE)
				s->next = w->now +
				    (ike_time)chance_below(&w->chance, CLOSE);
			s->gap = CLOSE;
		}
}

/* ---- up and down ---- */

void
act_up(struct world *w, const struct act *a)
{
	struct host *h = host_of(w, a, 0);

	ike_up(h->ike, w->now, connection_of(w, a, 0));
	host_drain(h, w->now);
}

static void
down(struct world *w, const struct act *a, ike_id id)
{
	struct host *h = host_of(w, a, a->end);

	if (id == 0 || h->dead)
		return;
	ike_down(h->ike, w->now, id);
	host_drain(h, w->now);
}

void
act_down(struct world *w, const struct act *a)
{
	down(w, a, connection_of(w, a, a->end));
}

void
act_down_child(struct world *w, const struct act *a)
{
	down(w, a, find_child(w, a, a->end));
}

void
act_down_ike(struct world *w, const struct act *a)
{
	down(w, a, find_ike(w, a, a->end));
}

/* ---- settings and hosts ---- */

void
act_reload(struct world *w, const struct act *a)
{
	static const ike_time lifetimes[] = { 0, 2 * IKE_SECOND, 6 * IKE_SECOND };
	struct tunnel *t = &w->tunnels[a->tunnel];
	struct ike_setup *s = &t->setup[a->end];

	s->renewal.child.time = lifetimes[chance_below(&w->chance, 3)];
	s->renewal.ike = 2 * lifetimes[chance_below(&w->chance, 3)];
	if (s->renewal.child_hard.time <= s->renewal.child.time)
		s->renewal.child_hard.time = s->renewal.child.time + 5 * IKE_SECOND;
	if (s->renewal.ike_hard <= s->renewal.ike)
		s->renewal.ike_hard = s->renewal.ike + 5 * IKE_SECOND;
	if (s->dpd != 0)
		s->dpd = (1 + (ike_time)chance_below(&w->chance, 10)) * IKE_SECOND;
	s->mobike = chance_one_in(&w->chance, 2);
	host_put(host_of(w, a, a->end), w->now, t);
	if (t->host[a->end] == w->mourner)
		w->bereft = false;		/* from now on it does what `start` says */
}

void
act_restart(struct world *w, const struct act *a)
{
	struct host *h = host_of(w, a, a->end);

	if (h->dead)
		return;
	host_close(h);
	attacker_forget(&w->attacker);
	if (!host_open(h, w->now))
		judge_blame(&w->judge, "a host could not be started again");
}

void
act_die(struct world *w, const struct act *a)
{
	const struct tunnel *t = &w->tunnels[a->tunnel];
	struct host *h = host_of(w, a, a->end);

	if (w->died != 0)
		return;
	h->dead = w->network.place[h->number].cut = true;
	w->died = w->now;
	w->mourner = t->host[1 - a->end];
	w->bereft = find_ike(w, a, 1 - a->end) != 0;
}

/* ---- places ---- */

/* The end that began has another address and knows it. */
void
act_roam(struct world *w, const struct act *a)
{
	struct host *h = host_of(w, a, 0);

	if (h->dead)
		return;
	w->network.place[h->number].moves++;
	w->network.place[h->number].mapping++;	/* a NAT's is of one address */
	ike_roam(h->ike, w->now);
	host_drain(h, w->now);
}

/* The NAT has forgotten a mapping, and nobody knows. */
void
act_rebind(struct world *w, const struct act *a)
{
	w->network.place[w->tunnels[a->tunnel].host[0]].mapping++;
}

void
act_cut(struct world *w, const struct act *a)
{
	w->network.place[w->tunnels[a->tunnel].host[a->end]].cut = true;
}

void
act_join(struct world *w, const struct act *a)
{
	(void)a;
	for (unsigned i = 0; i < w->n_hosts; i++)
		w->network.place[i].cut = w->hosts[i].dead;
}

void
act_fail_install(struct world *w, const struct act *a)
{
	host_of(w, a, a->end)->path.refuse++;
}

void
act_attack(struct world *w, const struct act *a)
{
	(void)a;
	attacker_strike(&w->attacker, &w->network, w->now);
}
