#include <stdio.h>
#include <string.h>

#include "tests/sim/setup.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

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

static struct ike_texts
one(const char *const *text)
{
	return (struct ike_texts){ text, 1 };
}

ike_time
setup_choose(struct world *w, const ike_time *v, unsigned n)
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

	*r = (struct ike_renewal){
	    .child_hard = { SETUP_FOREVER, UINT64_MAX, UINT64_MAX },
	    .ike_hard = SETUP_FOREVER };
	r->child.time = setup_choose(w, child, COUNT(child));
	r->ike = setup_choose(w, ike, COUNT(ike));
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
	s->dpd = setup_choose(w, dpd, COUNT(dpd));
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

void
setup_tunnel(struct world *w, unsigned a, unsigned b)
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

void
setup_hosts(struct world *w, unsigned n)
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

void
setup_hide(struct world *w, struct tunnel *t)
{
	w->network.place[t->host[0]].nat = true;
	t->setup[1].remote_address = "any";
	t->setup[1].start = IKE_START_PASSIVE;
	for (unsigned i = 0; i < 2; i++)
		t->setup[i].encap = IKE_ENCAP_AUTO;
}

/* ---- settings that do not fit ---- */

void
setup_trouble(struct world *w)
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
		tunnel_net_text(w->network.family, 20, 0, t->text[1][1],
		    sizeof(t->text[1][1]));
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
