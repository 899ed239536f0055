#include <stdio.h>
#include <string.h>

#include "tests/sim/acts.h"
#include "tests/sim/profile.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))
#define FOREVER (100000 * IKE_SECOND)

static const char *const ike_proposals[] = {
	"default", "aes256gcm16-prfsha384-x25519", "chacha20poly1305-prfsha512-ecp256",
	"aes128-sha256-x25519", "aes128gcm16-prfsha256-modp2048",
	"aes256gcm16-prfsha256-ecp384",
};
static const char *const esp_proposals[] = {
	"default", "chacha20poly1305", "aes128gcm16-esn", "aes256gcm16-noesn",
	"aes256-sha256", "aes256gcm16-x25519-ecp256",
};
static const char *const ids[HOSTS] = { "a.example", "b.example", "c.example",
    "d.example" };
static const char stranger[] = "stranger.example";

/* ---- parts ---- */

static struct ike_texts
one(const char *const *text)
{
	return (struct ike_texts){ text, 1 };
}

static ike_time
choose(struct world *w, const ike_time *v, unsigned n)
{
	return v[chance_below(&w->chance, n)];
}

/* Lifetimes of seconds, and nothing that ends hard unless it is asked for. */
static void
make_renewal(struct world *w, struct ike_renewal *r)
{
	static const ike_time child[] = { 0, 0, 2 * IKE_SECOND, 3500000, 5 * IKE_SECOND,
		8 * IKE_SECOND };
	static const ike_time ike[] = { 0, 0, 4 * IKE_SECOND, 7 * IKE_SECOND,
		12 * IKE_SECOND };
	static const uint64_t packets[] = { 0, 0, 0, 15, 60 };

	*r = (struct ike_renewal){ .child_hard = { FOREVER, UINT64_MAX, UINT64_MAX },
	    .ike_hard = FOREVER };
	r->child.time = choose(w, child, COUNT(child));
	r->ike = choose(w, ike, COUNT(ike));
	r->child.packets = packets[chance_below(&w->chance, COUNT(packets))];
	if (chance_one_in(&w->chance, 8))
		r->child.octets = 2000;
	r->jitter_percent = (uint8_t)(chance_one_in(&w->chance, 2) ? 0 :
	    chance_below(&w->chance, 40));
}

static void
make_child(struct world *w, struct tunnel *t, unsigned end, unsigned i)
{
	t->child[end][i] = (struct ike_child_setup){ .name = tunnel_child_name(i),
	    .local = one(&t->nets[end][i]), .remote = one(&t->nets[1 - end][i]) };
	t->nets[end][i] = t->text[end][i];
	tunnel_net_text(w->network.family, t->host[end], i, t->text[end][i],
	    sizeof(t->text[end][i]));
}

static void
make_end(struct world *w, struct tunnel *t, unsigned end)
{
	static const ike_time dpd[] = { 0, 3 * IKE_SECOND, 10 * IKE_SECOND };
	static const uint16_t fragments[] = { 1280, 1280, 0, 576 };
	struct ike_setup *s = &t->setup[end];
	uint8_t addr[16];

	ike_setup_defaults(s);
	snprintf(t->name[end], sizeof(t->name[end]), "to-%c", 'a' + t->host[1 - end]);
	s->name = t->name[end];
	s->local_id = ids[t->host[end]];
	s->remote_id = ids[t->host[1 - end]];
	s->secret = "shared";
	t->secret[end] = "a secret that both ends share";
	s->children = t->child[end];
	network_address(&w->network, t->host[1 - end], addr);
	if (w->network.family == ESP_IPV4)
		snprintf(t->remote[end], sizeof(t->remote[end]), "192.0.2.%u", addr[3]);
	else
		snprintf(t->remote[end], sizeof(t->remote[end]), "2001:db8::%x",
		    addr[15]);
	s->remote_address = t->remote[end];
	make_renewal(w, &s->renewal);
	s->dpd = choose(w, dpd, COUNT(dpd));
	s->fragment = fragments[chance_below(&w->chance, COUNT(fragments))];
	s->mobike = chance_one_in(&w->chance, 2);
	s->childless = chance_one_in(&w->chance, 2);
}

/* One end or both have a preference; the slow groups come seldom where they are real. */
static void
make_proposals(struct world *w, struct tunnel *t)
{
	static const struct { enum ike_pfs v[2]; } pfs[] = {
		{ { IKE_PFS_PREFER, IKE_PFS_PREFER } },
		{ { IKE_PFS_OFF, IKE_PFS_OFF } }, { { IKE_PFS_PREFER, IKE_PFS_OFF } },
		{ { IKE_PFS_OFF, IKE_PFS_PREFER } },
		{ { IKE_PFS_PREFER, IKE_PFS_REQUIRE } },
		{ { IKE_PFS_REQUIRE, IKE_PFS_PREFER } },
		{ { IKE_PFS_REQUIRE, IKE_PFS_REQUIRE } },
	};
	bool fast = !w->hosts[0].cheap && !chance_one_in(&w->chance, 16);
	unsigned which = (unsigned)chance_below(&w->chance, COUNT(pfs));

	t->setup[0].ike = one(&ike_proposals[chance_below(
	    &w->chance, fast ? 2 : COUNT(ike_proposals))]);
	t->setup[0].esp = one(&esp_proposals[chance_below(
	    &w->chance, COUNT(esp_proposals))]);
	for (unsigned i = 0; i < 2; i++) {
		t->setup[i].encap = (enum ike_encap)chance_below(&w->chance, 3);
		t->setup[i].pfs = pfs[which].v[i];
	}
}

static void
make_tunnel(struct world *w, unsigned a, unsigned b)
{
	struct tunnel *t = &w->tunnels[w->n_tunnels++];
	unsigned n = chance_one_in(&w->chance, 2) ? 1 :
	    1 + (unsigned)chance_below(&w->chance, CHILDREN);

	t->host[0] = (uint8_t)a;
	t->host[1] = (uint8_t)b;
	for (unsigned end = 0; end < 2; end++) {
		for (unsigned i = 0; i < CHILDREN; i++)
			make_child(w, t, end, i);
		make_end(w, t, end);
		t->setup[end].n_children = n;
	}
	make_proposals(w, t);
	t->setup[0].start = chance_one_in(&w->chance, 3) ?
	    (enum ike_start)chance_below(&w->chance, 3) : IKE_START_ALWAYS;
	if (chance_one_in(&w->chance, 5))
		t->setup[1].start = (enum ike_start)chance_below(&w->chance, 3);
}

static void
make_hosts(struct world *w, unsigned n)
{
	bool cheap = !chance_one_in(&w->chance, 10);
	bool bad_spis = chance_one_in(&w->chance, 4);

	w->n_hosts = n;
	for (unsigned i = 0; i < n; i++) {
		struct host *h = &w->hosts[i];

		h->number = (uint8_t)i;
		h->seed = w->seed;
		h->family = w->network.family;
		h->cheap = cheap;
		h->bad_spis = bad_spis;
		h->slowness = chance_one_in(&w->chance, 4) ? IKE_SECOND : 0;
		h->path.silent = chance_one_in(&w->chance, 4);
		h->path.high = chance_one_in(&w->chance, 8);
		h->network = &w->network;
		h->judge = &w->judge;
		h->ledger = &w->ledger;
		h->tunnels = w->tunnels;
		h->trace = w->trace;
	}
}

/* Behind the NAT: native ESP does not cross it, and nobody is called there. */
static void
hide(struct world *w, struct tunnel *t)
{
	w->network.place[t->host[0]].nat = true;
	t->setup[1].remote_address = "any";
	t->setup[1].start = IKE_START_PASSIVE;
	for (unsigned i = 0; i < 2; i++)
		t->setup[i].encap = IKE_ENCAP_AUTO;
}

/* An end whose peer's address may change hears it anywhere. */
static void
make_streams(struct world *w)
{
	static const ike_time gaps[] = { 60000, 150000, 400000 };
	ike_time gap = choose(w, gaps, COUNT(gaps));

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

	ike->delay = choose(w, delays, COUNT(delays));
	esp->delay = choose(w, delays, COUNT(delays));
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
	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
	make_weather(w, false);
	w->strict = true;
	if (chance_one_in(&w->chance, 4))
		hide(w, &w->tunnels[0]);
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
	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
	make_weather(w, true);
	if (chance_one_in(&w->chance, 4))
		hide(w, &w->tunnels[0]);
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

	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
	make_weather(w, false);
	w->strict = true;
	w->deaf = true;
	if (chance_one_in(&w->chance, 4))
		hide(w, &w->tunnels[0]);
	w->attacker.chance = chance_of(w->seed, 3);
	w->network.tap = attacker_record;
	w->network.arg = &w->attacker;
	acts_add_some(w, rekeys, some(w) / 2);
	acts_add_some(w, strikes, 40);
}

static void
make_nat3(struct world *w)
{
	make_hosts(w, 4);
	make_weather(w, false);
	w->strict = true;
	for (unsigned i = 0; i < 3; i++) {
		make_tunnel(w, i, 3);
		hide(w, &w->tunnels[i]);
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

	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
	make_weather(w, false);
	if (chance_one_in(&w->chance, 2))
		hide(w, t);
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

	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
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

	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
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

/* ---- settings that do not fit ---- */

static void
make_trouble(struct world *w)
{
	struct tunnel *t = &w->tunnels[0];
	struct ike_setup *a = &t->setup[0], *b = &t->setup[1];

	w->trouble = (enum trouble)chance_below(&w->chance, TROUBLES);
	switch (w->trouble) {
	case WRONG_SECRET:
		t->secret[1] = "another secret altogether";
		break;
	case NO_IKE_PROPOSAL:
		a->ike = one(&ike_proposals[3]);
		b->ike = one(&ike_proposals[2]);
		break;
	case NO_ESP_PROPOSAL:
		a->esp = one(&esp_proposals[1]);
		b->esp = one(&esp_proposals[4]);
		break;
	case NO_SELECTORS:
		tunnel_net_text(w->network.family, 20, 0, t->text[1][1], sizeof(t->text[1][1]));
		t->child[1][0].remote = one(&t->nets[1][1]);
		break;
	case WRONG_ID:
		b->remote_id = stranger;
		break;
	case NARROWED:
		snprintf(t->text[1][1], sizeof(t->text[1][1]), "%s",
		    w->network.family == ESP_IPV4 ? "10.1.0.0/28" : "2001:db8:1::/80");
		t->child[1][0].remote = one(&t->nets[1][1]);
		break;
	case PFS_DIFFERS:
		a->pfs = IKE_PFS_REQUIRE;
		b->pfs = IKE_PFS_OFF;
		/* Each refused rekey is followed by a new set-up: let them be few. */
		a->renewal.child = b->renewal.child =
		    (struct ike_lifetime){ .time = 5 * IKE_SECOND };
		w->hosts[0].path.high = w->hosts[1].path.high = false;
		break;
	case NOT_INSTALLED:
		w->hosts[0].path.refuse = 1;
		break;
	case FINE:
	case TROUBLES:
		break;
	}
}

static void
make_mismatch(struct world *w)
{
	static const struct wish some_acts[] = {
		{ act_up, "up", 2 }, { act_down, "down", 1 }, { act_soft, "soft limit", 1 },
		{ act_rekey_child, "rekey a child", 1 }, { NULL, NULL, 0 }
	};
	struct tunnel *t = &w->tunnels[0];

	make_hosts(w, 2);
	make_tunnel(w, 0, 1);
	make_weather(w, chance_one_in(&w->chance, 2));
	t->setup[0].n_children = t->setup[1].n_children = 1;
	if (chance_one_in(&w->chance, 4))
		hide(w, t);
	make_trouble(w);
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
