#include <stdlib.h>
#include <string.h>

#include "tests/sim/host.h"
#include "tests/sim/world.h"

/* The weather clears before any schedule of retransmissions ends, so every run has one of
 * two ends: established on both sides, or closed on both. */
#define STORM (15 * IKE_SECOND)
#define QUIET (200 * IKE_SECOND)
enum { ACTS = 8, MAX_STEPS = 20000 };

enum trouble { /* at most one a world */
	FINE,
	WRONG_SECRET,
	NO_IKE_PROPOSAL,
	NO_ESP_PROPOSAL,
	NO_SELECTORS,
	WRONG_ID,
	NARROWED,
	NOT_INSTALLED,
	TROUBLES
};
enum act { SEND_0, SEND_1, DOWN_0, DOWN_1, UP_0 };

struct world {
	struct chance chance;
	struct network network;
	struct host host[2];
	uint8_t family;
	enum trouble trouble;
	bool downs;			/* somebody says down */
	bool corrupts;			/* an altered IKE_SA_INIT may end an attempt */
	struct { ike_time at; enum act act; } acts[ACTS];
	unsigned n_acts;
	ike_time now;
	struct ike_setup setup[2];
	struct ike_child_setup child[2];
	char address[2][64];
	char *why;
	size_t why_len;
};

static const char *const ike_proposals[] = {
	"default", "aes256gcm16-prfsha384-x25519", "aes128-sha256-x25519",
	"chacha20poly1305-prfsha512-ecp256", "aes128gcm16-prfsha256-modp2048",
};
static const char *const esp_proposals[] = {
	"default",
	"chacha20poly1305",
	"aes128gcm16-esn",
	"aes256gcm16-noesn",
	"aes256-sha256",
};
static const char *const v4_nets[] = { "10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/17",
    "10.9.0.0/16" };
static const char *const v6_nets[] = { "2001:db8:1::/48", "2001:db8:2::/48",
    "2001:db8:1::/49", "2001:db8:9::/48" };
static const char *const ids[] = { "a.example", "b.example", "stranger.example" };

/* ---- making a world ---- */

static struct ike_texts
one(const char *const *text)
{
	return (struct ike_texts){ text, 1 };
}

static void
make_setup(struct world *w, unsigned i)
{
	const char *const *nets = w->family == ESP_IPV4 ? v4_nets : v6_nets;
	struct ike_setup *s = &w->setup[i];

	ike_setup_defaults(s);
	s->name = i == 0 ? "to-b" : "to-a";
	s->local_id = ids[i];
	s->remote_id = ids[1 - i];
	s->auth = "psk";
	s->secret = "shared";
	w->child[i] = (struct ike_child_setup){ .name = "net", .local = one(&nets[i]),
	    .remote = one(&nets[1 - i]) };
	s->children = &w->child[i];
	s->n_children = 1;
	s->remote_address = w->family == ESP_IPV4 ? (i == 0 ? "192.0.2.2" : "192.0.2.1") :
	    i == 0 ? "2001:db8::2" : "2001:db8::1";
}

static void
make_trouble(struct world *w)
{
	const char *const *nets = w->family == ESP_IPV4 ? v4_nets : v6_nets;
	struct ike_setup *b = &w->setup[1];

	w->trouble = chance_one_in(&w->chance, 2) ? FINE :
	    (enum trouble)chance_below(&w->chance, TROUBLES);
	switch (w->trouble) {
	case WRONG_SECRET:
		w->host[1].secret = "another secret altogether";
		break;
	case NO_IKE_PROPOSAL:
		w->setup[0].ike = one(&ike_proposals[2]);
		b->ike = one(&ike_proposals[3]);
		break;
	case NO_ESP_PROPOSAL:
		w->setup[0].esp = one(&esp_proposals[1]);
		b->esp = one(&esp_proposals[4]);
		break;
	case NO_SELECTORS:
		w->child[1].remote = one(&nets[3]);
		break;
	case WRONG_ID:
		b->remote_id = ids[2];
		break;
	case NARROWED:
		w->child[1].remote = one(&nets[2]);
		break;
	case NOT_INSTALLED:
	case FINE:
	case TROUBLES:
		break;
	}
}

static void
add_act(struct world *w, ike_time before, enum act act)
{
	if (w->n_acts == ACTS)
		return;
	w->acts[w->n_acts].at = (ike_time)chance_below(&w->chance, (uint64_t)before);
	w->acts[w->n_acts++].act = act;
}

static void
make_acts(struct world *w)
{
	unsigned down = (unsigned)chance_below(&w->chance, 8);

	add_act(w, STORM, SEND_0);
	add_act(w, STORM, SEND_1);
	add_act(w, IKE_SECOND, w->setup[0].start == IKE_START_ON_DEMAND ? SEND_0 : UP_0);
	w->downs = down < 3;
	if (down == 0 || down == 2)
		add_act(w, STORM, DOWN_0);
	if (down == 1 || down == 2)
		add_act(w, STORM, DOWN_1);
}

static void
make_weather(struct world *w)
{
	static const ike_time delays[] = { 0, 20000, 200000, 3000000 };
	struct weather *weather = &w->network.weather;

	weather->delay = delays[chance_below(&w->chance, 4)];
	if (chance_one_in(&w->chance, 4))
		return;			/* a fine day */
	weather->loss = (unsigned)chance_below(&w->chance, 50);
	weather->duplication = (unsigned)chance_below(&w->chance, 30);
	if (chance_one_in(&w->chance, 3))
		weather->corruption = 1 + (unsigned)chance_below(&w->chance, 15);
	w->corrupts = weather->corruption > 0;
}

static void
make_world(struct world *w, uint64_t seed)
{
	struct chance *c = &w->chance;

	*c = chance_of(seed, 1);
	w->network.chance = chance_of(seed, 2);
	w->family = chance_one_in(c, 3) ? ESP_IPV6 : ESP_IPV4;
	for (unsigned i = 0; i < 2; i++) {
		w->host[i].number = i;
		w->host[i].network = &w->network;
		w->host[i].family = w->family;
		w->host[i].secret = "a secret that both ends share";
		w->host[i].slowness = chance_one_in(c, 3) ? IKE_SECOND : 0;
		make_setup(w, i);
		w->setup[i].encap = (enum ike_encap)chance_below(c, 3);
	}
	w->setup[0].start = (enum ike_start)chance_below(c, 3);
	if (chance_one_in(c, 5))
		w->setup[1].start = IKE_START_ALWAYS;	/* both call */
	if (chance_one_in(c, 4)) {
		w->network.nat = true;
		w->setup[1].mobike = false;	/* or it would follow nobody (T81) */
		w->setup[1].remote_address = "any";
		w->setup[1].start = IKE_START_PASSIVE;
		for (unsigned i = 0; i < 2; i++)	/* native ESP does not cross it */
			w->setup[i].encap = IKE_ENCAP_AUTO;
	}
	/* One end or both have a preference; MODP is slow, so it comes seldom. */
	w->setup[0].ike =
	    one(&ike_proposals[chance_below(c, chance_one_in(c, 8) ? 5 : 4)]);
	w->setup[0].esp = one(&esp_proposals[chance_below(c, 5)]);
	make_trouble(w);
	make_weather(w);
	make_acts(w);
}

/* ---- running it ---- */

static void
do_act(struct world *w, enum act act)
{
	struct host *h = w->host;

	switch (act) {
	case SEND_0:
		host_send_inner(&h[0], w->now, 1);
		break;
	case SEND_1:
		host_send_inner(&h[1], w->now, 2);
		break;
	case UP_0:
		ike_up(h[0].ike, w->now, h[0].connection);
		host_drain(&h[0], w->now);
		break;
	case DOWN_0:
	case DOWN_1:
		h = &h[act == DOWN_1];
		ike_down(h->ike, w->now, h->connection);
		host_drain(h, w->now);
		break;
	}
}

static bool
earlier(ike_time at, ike_time *next)
{
	if (at >= *next)
		return false;
	*next = at;
	return true;
}

static void
clear_up(struct world *w)
{
	if (w->now > STORM)
		memset(&w->network.weather, 0, sizeof(w->network.weather));
}

/* The next thing that happens before `until`; false: nothing. */
static bool
step(struct world *w, ike_time until)
{
	ike_time next = until, at;
	int what = -1;			/* 0, 1: a host; 2: a frame; 3 and on: an act */
	struct frame *f;

	if (network_next(&w->network, &at) && earlier(at, &next))
		what = 2;
	for (int i = 0; i < 2; i++)
		if (host_deadline(&w->host[i], &at) && earlier(at, &next))
			what = i;
	for (unsigned i = 0; i < w->n_acts; i++)
		if (earlier(w->acts[i].at, &next))
			what = 3 + (int)i;
	if (what < 0)
		return false;
	if (next > w->now)
		w->now = next;
	clear_up(w);
	if (what < 2) {
		host_tick(&w->host[what], w->now);
	} else if (what == 2) {
		f = network_take(&w->network);
		host_receive(
		    &w->host[network_host(f->path.addr[0], w->family)], w->now, f);
		free(f);
	} else {
		enum act act = w->acts[what - 3].act;

		w->acts[what - 3] = w->acts[--w->n_acts];
		do_act(w, act);
	}
	return true;
}

static const char *
run_until(struct world *w, ike_time until)
{
	for (unsigned i = 0; i < MAX_STEPS; i++)
		if (!step(w, until)) {
			w->now = until;
			clear_up(w);
			return NULL;
		}
	snprintf(w->why, w->why_len, "no rest: %d steps before %.0f s", MAX_STEPS,
	    (double)until / 1e6);
	return w->why;
}

/* ---- what must hold ---- */

#define FAIL(...) return snprintf(w->why, w->why_len, __VA_ARGS__), w->why

static bool
find_sa(const struct host *h, uint64_t spi_i, uint64_t spi_r, struct ike_sa_info *info)
{
	for (ike_id id = 0; ike_next_sa(h->ike, id, info); id = info->id)
		if (info->spi_i == spi_i && info->spi_r == spi_r &&
		    info->state == IKE_STATE_ESTABLISHED)
			return true;
	return false;
}

/* Do both ends send to where the other one hears, and by port 4500 where there is a NAT
 * or as if there were (2.23)?  With MOBIKE that port comes in any case, RFC 4555 3.3. */
static bool
same_way(const struct world *w, const struct ike_sa_info *a, const struct ike_sa_info *b)
{
	struct ike_path there = network_cross(&w->network, &a->path);
	size_t len = w->family == ESP_IPV4 ? 4 : 16;

	return there.port[0] == b->path.port[0] && there.port[1] == b->path.port[1] &&
	    memcmp(there.addr[0], b->path.addr[0], len) == 0 &&
	    memcmp(there.addr[1], b->path.addr[1], len) == 0 &&
	    (a->path.port[0] == 4500 || (a->path.port[0] == 500 && !a->encap));
}

/* Each established SA of one host stands at the other too; nothing is half-open for
 * ever. */
static const char *
check_sas(struct world *w, unsigned from)
{
	const struct host *a = &w->host[from], *b = &w->host[1 - from];
	struct ike_sa_info here, there;
	bool retrying = w->trouble != FINE && w->trouble != NARROWED;

	if (w->trouble == NO_ESP_PROPOSAL || w->trouble == NO_SELECTORS)
		return NULL;		/* IKE SAs without a child come and go */

	for (ike_id id = 0; ike_next_sa(a->ike, id, &here); id = here.id) {
		if (here.state != IKE_STATE_ESTABLISHED) {
			if (retrying || here.state == IKE_STATE_CLOSED)
				continue;
			FAIL("host %c has a half state %d", 'A' + from, here.state);
		}
		if (!find_sa(b, here.spi_i, here.spi_r, &there))
			FAIL("IKE SA %llx of host %c is unknown to the other",
			    (unsigned long long)here.spi_i, 'A' + from);
		if (here.n_children != there.n_children || here.encap != there.encap ||
		    here.initiator == there.initiator)
			FAIL("the ends of IKE SA %llx differ",
			    (unsigned long long)here.spi_i);
		if (!same_way(w, &here, &there))
			FAIL("the ends of IKE SA %llx take different ways",
			    (unsigned long long)here.spi_i);
	}
	return NULL;
}

/* Both may have begun at once: in the end there is one (T95). */
static const char *
check_unique(struct world *w)
{
	struct ike_counts c;

	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(w->host[i].ike, &c);
		if (path_count(&w->host[i].path, true) > 1)
			FAIL("host %c has %u Child SAs", 'A' + i,
			    path_count(&w->host[i].path, true));
		if (c.sas > 1)
			FAIL("host %c has %u IKE SAs", 'A' + i, c.sas);
	}
	return NULL;
}

static const char *
check_keys(struct world *w, unsigned from)
{
	const struct path *a = &w->host[from].path, *b = &w->host[1 - from].path;
	const struct path_sa *in;

	if (w->host[from].spared)
		FAIL("host %c keeps an SA that failed to authenticate", 'A' + from);
	if (a->broken)
		FAIL("host %c: the data path was called out of order", 'A' + from);
	for (unsigned i = 0; i < PATH_SAS; i++) {
		if (a->sas[i].id == 0 || !a->sas[i].out)
			continue;
		in = path_find(b, a->sas[i].spi, false);
		if (in == NULL)
			FAIL("outbound SPI %08x of host %c leads nowhere", a->sas[i].spi,
			    'A' + from);
		if (in->key_len != a->sas[i].key_len ||
		    memcmp(in->key, a->sas[i].key, in->key_len) != 0)
			FAIL("SPI %08x has different keys", in->spi);
	}
	if (path_count(a, true) != path_count(a, false))
		FAIL("host %c: %u outbound SAs, %u inbound", 'A' + from,
		    path_count(a, true), path_count(a, false));
	return NULL;
}

/* A NAT may have forgotten its mapping: the first packet from behind it shows the new
 * one (T81). */
static const char *
check_packets(struct world *w)
{
	if (w->network.nat)
		w->network.mapping = (uint16_t)(1 + chance_below(&w->chance, 1000));
	for (unsigned i = 0; i < 2; i++) {
		w->host[1 - i].delivered = 0;
		if (!host_send_inner(&w->host[i], w->now, (uint16_t)(100 + i)))
			FAIL("host %c cannot send", 'A' + i);
		run_until(w, w->now + IKE_SECOND);
		if (w->host[1 - i].delivered != 100 + i)
			FAIL("a packet of host %c was not delivered", 'A' + i);
	}
	return NULL;
}

/* What the trouble, or its absence, must have led to. */
static const char *
check_outcome(struct world *w, bool established)
{
	unsigned refusals = w->host[0].refusals + w->host[1].refusals;
	bool expected;

	switch (w->trouble) {
	case FINE:
	case NARROWED:
		expected = !w->downs;
		break;
	case NOT_INSTALLED:
		return NULL;
	default:
		if (established)
			FAIL("established in spite of trouble %d", w->trouble);
		if (!w->downs && !w->corrupts && refusals == 0)
			FAIL("trouble %d was not explained", w->trouble);
		return NULL;
	}
	if (expected && !established && !w->corrupts)
		FAIL("not established: %s%s", w->host[0].refusal, w->host[1].refusal);
	return NULL;
}

/* Everything is taken down: nothing may remain anywhere. */
static const char *
check_end(struct world *w)
{
	struct ike_counts c;

	for (unsigned i = 0; i < 2; i++) {
		ike_drop(w->host[i].ike, w->now, w->host[i].connection);
		ipsec_children_drop(w->host[i].children, w->host[i].connection);
		host_drain(&w->host[i], w->now);
	}
	if (run_until(w, w->now + QUIET) != NULL)
		return w->why;
	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(w->host[i].ike, &c);
		if (c.connections || c.sas || c.half_open || c.children || c.questions ||
		    c.timers)
			FAIL("host %c keeps %u connections, %u SAs (%u half-open), %u "
			     "children, "
			     "%u questions, %u timers",
			    'A' + i, c.connections, c.sas, c.half_open, c.children,
			    c.questions, c.timers);
		if (path_count(&w->host[i].path, true) ||
		    path_count(&w->host[i].path, false) ||
		    ipsec_children_policies(w->host[i].children) != 0 ||
		    w->host[i].path.broken)
			FAIL("host %c keeps something in its data path", 'A' + i);
	}
	return NULL;
}

static const char *
check(struct world *w, struct world_count *count)
{
	bool established;
	const char *why;

	for (unsigned i = 0; i < 2; i++)
		if ((why = check_sas(w, i)) != NULL || (why = check_keys(w, i)) != NULL)
			return why;
	established = path_count(&w->host[0].path, true) > 0;
	if ((why = check_outcome(w, established)) != NULL)
		return why;
	if (established &&
	    ((why = check_unique(w)) != NULL || (why = check_packets(w)) != NULL))
		return why;
	if (established)
		count->established++;
	else if (w->host[0].refusals + w->host[1].refusals > 0)
		count->refused++;
	else
		count->ended++;
	return check_end(w);
}

const char *
world_run(uint64_t seed, FILE *trace, struct world_count *count, char *why, size_t len)
{
	struct world w;
	const char *result = NULL;

	memset(&w, 0, sizeof(w));
	w.why = why;
	w.why_len = len;
	w.network.trace = trace;
	make_world(&w, seed);
	for (unsigned i = 0; i < 2 && result == NULL; i++)
		if (!host_open(&w.host[i], seed, &w.setup[i], trace))
			result = "a host could not be made";
	w.host[0].path.refuse = w.trouble == NOT_INSTALLED;
	if (result == NULL)
		result = run_until(&w, QUIET);
	if (result == NULL)
		result = check(&w, count);
	count->frames += w.network.sent;
	for (unsigned i = 0; i < 2; i++)
		host_close(&w.host[i]);
	network_clear(&w.network);
	return result;
}
