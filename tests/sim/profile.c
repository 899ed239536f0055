#include <string.h>

#include "tests/sim/acts.h"
#include "tests/sim/profile.h"
#include "tests/sim/setup.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static void
make_streams(struct world *w)
{
	static const ike_time gaps[] = { 60000, 150000, 400000 };
	ike_time gap = setup_choose(w, gaps, COUNT(gaps));

	for (unsigned i = 0; i < w->n_tunnels; i++)
		for (unsigned end = 0; end < 2; end++)
			for (unsigned k = 0; k < CHILDREN; k++)
				w->streams[i][end][k] = (struct stream){
				    (ike_time)chance_below(
				    &w->chance, 500000), gap };
}

static void
make_weather(struct world *w, bool esp_too)
{
	static const ike_time delays[] = { 0, 20000, 200000, 1500000 };
	struct weather *ike = &w->network.ike, *esp = &w->network.esp;

	ike->delay = setup_choose(w, delays, COUNT(delays));
	esp->delay = setup_choose(w, delays, COUNT(delays));
	if (!chance_one_in(&w->chance, 4)) {
		ike->loss = (unsigned)chance_below(&w->chance, 40);
		ike->duplication = (unsigned)chance_below(&w->chance, 30);
	}
	if (chance_one_in(&w->chance, 3))
		esp->duplication = (unsigned)chance_below(&w->chance, 20);
	if (!esp_too)
		return;
	esp->loss = (unsigned)chance_below(&w->chance, 40);
	if (chance_one_in(&w->chance, 3)) {
		ike->corruption = esp->corruption =
		    1 + (unsigned)chance_below(&w->chance, 15);
		w->deaf = true;
	}
}

static void
start(struct world *w)
{
	struct act *a;

	for (unsigned i = 0; i < w->n_tunnels; i++)
		if (w->tunnels[i].setup[0].start != IKE_START_ALWAYS &&
		    (a = acts_add(w, 0, IKE_SECOND, act_up, "up")) != NULL)
			a->tunnel = (uint8_t)i;
}

static const struct wish rekeys[] = {
	{ act_rekey_child, "rekey a child", 6 }, { act_rekey_ike, "rekey the IKE SA", 4 },
	{ act_rekey_children_at_once, "both rekey a child", 6 },
	{ act_rekey_ikes_at_once, "both rekey the IKE SA", 5 },
	{ act_rekey_all_at_once, "rekey a child, and the other end the IKE SA", 4 },
	{ act_rekey_twice, "rekey all twice", 3 },
	{ act_soft, "soft limit", 3 }, { act_reload, "reload", 1 },
	{ NULL, NULL, 0 }
};

static unsigned
some(struct world *w)
{
	return 2 + (unsigned)chance_below(&w->chance, 10);
}

/* ---- the profiles ---- */

static void
make_lossless(struct world *w)
{
	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, false);
	w->strict = true;
	if (chance_one_in(&w->chance, 4))
		setup_hide(w, &w->tunnels[0]);
	if (chance_one_in(&w->chance, 8))
		w->tunnels[0].setup[0].renewal.reauth = 6 * IKE_SECOND;
	acts_add_some(w, rekeys, some(w));
}

static void
make_crossed(struct world *w)
{
	make_lossless(w);
	w->network.place[0].nat = false;
	for (unsigned i = 0; i < 2; i++) {
		w->tunnels[0].setup[i].start = IKE_START_ALWAYS;
		w->tunnels[0].setup[i].remote_address = w->tunnels[0].remote[i];
	}
}

static const struct wish losses[] = {
	{ act_hard, "hard limit", 3 }, { act_down, "down", 2 },
	{ act_down_child, "down a child", 3 }, { act_down_ike, "down the IKE SA", 2 },
	{ act_up, "up", 4 }, { act_fail_install, "the data path fails", 2 },
	{ act_cut, "cut off", 2 }, { act_join, "joined again", 3 },
	{ NULL, NULL, 0 }
};

/* Some end before they are rekeyed. */
static void
expire(struct world *w, struct ike_renewal *r)
{
	r->child_hard.time = r->child.time +
	    (1 + (ike_time)chance_below(&w->chance, 10)) * IKE_SECOND;
	r->ike_hard = r->ike + (1 + (ike_time)chance_below(&w->chance, 20)) * IKE_SECOND;
}

static void
make_lossy(struct world *w)
{
	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, true);
	if (chance_one_in(&w->chance, 4))
		setup_hide(w, &w->tunnels[0]);
	acts_add_some(w, rekeys, some(w));
	acts_add_some(w, losses, some(w) / 2);
	w->downs = true;
	if (chance_one_in(&w->chance, 3)) {
		expire(w, &w->tunnels[0].setup[0].renewal);
		expire(w, &w->tunnels[0].setup[1].renewal);
	}
}

static void
make_hostile(struct world *w)
{
	static const struct wish strikes[] = {
		{ act_attack, "attack", 1 }, { NULL, NULL, 0 }
	};

	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, false);
	w->strict = true;
	w->deaf = true;
	if (chance_one_in(&w->chance, 4))
		setup_hide(w, &w->tunnels[0]);
	w->attacker.chance = chance_of(w->seed, 3);
	w->network.tap = attacker_record;
	w->network.arg = &w->attacker;
	acts_add_some(w, rekeys, some(w) / 2);
	acts_add_some(w, strikes, 40);
}

static void
make_nat3(struct world *w)
{
	setup_hosts(w, 4);
	make_weather(w, false);
	w->strict = true;
	for (unsigned i = 0; i < 3; i++) {
		setup_tunnel(w, i, 3);
		setup_hide(w, &w->tunnels[i]);
		w->tunnels[i].setup[0].n_children = w->tunnels[i].setup[1].n_children = 1;
	}
	acts_add_some(w, rekeys, some(w));
}

static void
make_roam(struct world *w)
{
	static const struct wish moves[] = {
		{ act_roam, "roam", 3 }, { act_rebind, "the NAT forgets", 2 },
		{ NULL, NULL, 0 }
	};
	struct tunnel *t = &w->tunnels[0];

	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, false);
	if (chance_one_in(&w->chance, 2))
		setup_hide(w, t);
	t->setup[1].remote_address = "any";
	t->setup[1].start = IKE_START_PASSIVE;
	for (unsigned i = 0; i < 2; i++) {
		t->setup[i].mobike = !chance_one_in(&w->chance, 4);
		t->setup[i].dpd = 3 * IKE_SECOND;
	}
	t->setup[0].start = IKE_START_ALWAYS;
	acts_add_some(w, rekeys, some(w) / 2);
	w->moves = true;
	acts_add_some(w, moves, 1 + (unsigned)chance_below(&w->chance, 4));
	w->downs = true;
}

static void
make_restart(struct world *w)
{
	static const struct wish falls[] = {
		{ act_restart, "restart", 1 }, { NULL, NULL, 0 }
	};
	struct tunnel *t = &w->tunnels[0];

	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, chance_one_in(&w->chance, 2));
	for (unsigned i = 0; i < 2; i++)
		t->setup[i].dpd = 3 * IKE_SECOND;
	t->setup[0].start = IKE_START_ALWAYS;
	acts_add_some(w, rekeys, some(w) / 2);
	acts_add_some(w, falls, 1 + (unsigned)chance_below(&w->chance, 3));
	w->downs = true;
}

/* One side is gone for good. */
static void
make_dead(struct world *w)
{
	static const struct ike_retransmission schedules[] = {
		{ .first = IKE_SECOND / 2, .most = 15 * IKE_SECOND, .factor_percent = 180,
		    .tries = 12 },
		{ .first = IKE_SECOND, .most = 4 * IKE_SECOND, .factor_percent = 150,
		    .tries = 5 },
	};
	struct tunnel *t = &w->tunnels[0];

	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	w->network.ike.delay = w->network.esp.delay = 20000;
	for (unsigned i = 0; i < 2; i++) {
		t->setup[i].dpd = (1 + (ike_time)chance_below(&w->chance, 10)) *
		    IKE_SECOND;
		t->setup[i].established = schedules[chance_below(&w->chance, 2)];
		t->setup[i].on_dead = (enum ike_on_dead)chance_below(&w->chance, 4);
	}
	acts_add_some(w, rekeys, some(w) / 2);
	acts_add(w, IKE_SECOND, w->storm, act_die, "die");
}

static void
make_mismatch(struct world *w)
{
	static const struct wish some_acts[] = {
		{ act_up, "up", 2 }, { act_down, "down", 1 },
		{ act_soft, "soft limit", 1 }, { act_rekey_child, "rekey a child", 1 }, { NULL, NULL, 0 }
	};
	struct tunnel *t = &w->tunnels[0];

	setup_hosts(w, 2);
	setup_tunnel(w, 0, 1);
	make_weather(w, chance_one_in(&w->chance, 2));
	t->setup[0].n_children = t->setup[1].n_children = 1;
	if (chance_one_in(&w->chance, 4))
		setup_hide(w, t);
	setup_trouble(w);
	w->downs = chance_one_in(&w->chance, 2);
	if (w->downs)
		acts_add_some(w, some_acts, some(w) / 2);
	w->downs |= w->trouble == NOT_INSTALLED;
}

const struct profile profiles[] = {
	{ "lossless", "ESP is never lost: rekeys and collisions of all kinds", 30,
	    make_lossless },
	{ "crossed", "the same, and both ends start at once", 10, make_crossed },
	{ "hostile", "the same under replays and forgeries", 15, make_hostile },
	{ "nat3", "three peers behind one NAT, with one server", 5, make_nat3 },
	{ "lossy", "everything is lost at times; limits, down, failures", 15,
	    make_lossy },
	{ "roam", "the initiator moves, and its NAT forgets", 8, make_roam },
	{ "restart", "one end forgets all", 7, make_restart },
	{ "dead", "one end dies for good", 3, make_dead },
	{ "mismatch", "settings that do not fit", 7, make_mismatch },
	{ NULL, NULL, 0, NULL }
};

const struct profile *
profile_find(const char *name)
{
	for (const struct profile *p = profiles; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

const struct profile *
profile_of(uint64_t seed)
{
	struct chance c = chance_of(seed, 4);
	unsigned at = (unsigned)chance_below(&c, 100);
	const struct profile *p = profiles;

	while (at >= p->share)
		at -= p++->share;
	return p;
}

/* In some worlds, beside all that happens there: of a stream of its own, so that the
 * others stay what they are.  Where both ends begin, seldom: see make_lossless. */
static void
reauthenticate(struct world *w)
{
	struct chance c = chance_of(w->seed, 5);

	if (w->profile->make == make_crossed)
		return;
	for (unsigned i = 0; i < w->n_tunnels; i++)
		if (chance_one_in(&c, 4))
			w->tunnels[i].setup[0].renewal.reauth =
			    (2 + (ike_time)chance_below(&c, 8)) * IKE_SECOND;
}

void
profile_make(struct world *w)
{
	w->chance = chance_of(w->seed, 1);
	w->network.chance = chance_of(w->seed, 2);
	w->network.family = chance_one_in(&w->chance, 3) ? ESP_IPV6 : ESP_IPV4;
	w->network.trace = w->trace;
	w->storm = (8 + (ike_time)chance_below(&w->chance, 14)) * IKE_SECOND;
	w->mourner = HOSTS;
	w->profile->make(w);
	reauthenticate(w);
	for (unsigned i = 0; i < w->n_hosts; i++)
		w->hosts[i].n_tunnels = w->n_tunnels;
	make_streams(w);
	start(w);
}

void
profile_calm(struct world *w, struct tunnel *t)
{
	for (unsigned i = 0; i < 2; i++) {
		t->setup[i].renewal = (struct ike_renewal){ .jitter_percent = 10 };
		t->setup[i].n_children = t->setup[0].n_children;
	}
	(void)w;
}
