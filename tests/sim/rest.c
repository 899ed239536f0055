#include <limits.h>
#include <string.h>

#include "libike/sa.h"
#include "tests/sim/memory.h"
#include "tests/sim/rest.h"

/* Longer than anything puts off a rekey: refusals, requests without an answer. */
#define REKEYED (200 * IKE_SECOND)

#define BLAME(...) judge_blame(&w->judge, __VA_ARGS__)

struct end {				/* of a tunnel */
	char name;
	struct host *host;
	const struct tunnel *tunnel;
	unsigned n;			/* IKE SAs */
	struct ike_sa_info sa;		/* the newest */
};

static struct end
look(struct world *w, const struct tunnel *t, unsigned i)
{
	struct end e = { .host = world_host(w, t, i), .tunnel = t };
	ike_id id = 0;

	e.name = (char)('A' + e.host->number);
	while (ike_next_sa_of(e.host->ike, t->connection[i], id, &e.sa)) {
		id = e.sa.id;
		e.n++;
	}
	return e;
}

enum standing
rest_standing(struct world *w, const struct tunnel *t)
{
	const struct end a = look(w, t, 0), b = look(w, t, 1);
	unsigned all = t->setup[0].n_children;

	if (a.n == 0 && b.n == 0)
		return STANDS_NOT;
	return a.n == 1 && b.n == 1 && a.sa.n_children == all &&
	    b.sa.n_children == all && a.sa.state == IKE_STATE_ESTABLISHED &&
	    b.sa.state == IKE_STATE_ESTABLISHED ? STANDS : STANDS_PARTLY;
}

/* ---- one end alone ---- */

static void
check_quiet(struct world *w, const struct end *e)
{
	const struct ike_sa *sa = ike_table_sa(e->host->ike, e->sa.id);

	if (e->n > 1)
		BLAME("host %c has %u IKE SAs", e->name, e->n);
	if (e->sa.state != IKE_STATE_ESTABLISHED)
		BLAME("host %c has an IKE SA in state %d for ever", e->name, e->sa.state);
	else if (sa->ours != NULL || sa->theirs != NULL ||
	    !STAILQ_EMPTY(&sa->wanted))
		BLAME("host %c is still busy with IKE SA %llu", e->name,
		    (unsigned long long)e->sa.id);
}

static void
check_children(struct world *w, const struct end *e)
{
	unsigned all = e->tunnel->setup[0].n_children, seen[CHILDREN] = { 0 };
	struct ike_child_info info;

	for (unsigned i = 0; ike_child_at(e->host->ike, e->sa.id, i, &info); i++) {
		if (info.replaced)
			BLAME("host %c keeps a replaced Child SA", e->name);
		seen[tunnel_child(info.child.name) % CHILDREN]++;
	}
	for (unsigned i = 0; i < all; i++)
		if (seen[i] != 1)
			BLAME("host %c has %u Child SAs of child %u", e->name, seen[i],
			    i);
	if (e->sa.n_children != all)
		BLAME("host %c has %u Child SAs in place of %u", e->name,
		    e->sa.n_children, all);
}

/* ---- both ---- */

/* Do both ends send to where the other one hears, and by port 4500 where there is a
 * NAT or as if there were (2.23)? */
static bool
same_way(const struct world *w, const struct ike_sa_info *a, const struct ike_sa_info *b)
{
	struct ike_path there;
	size_t len = w->network.family == ESP_IPV4 ? 4 : 16;

	return network_cross(&w->network, &a->path, &there) &&
	    there.port[0] == b->path.port[0] && there.port[1] == b->path.port[1] &&
	    memcmp(there.addr[0], b->path.addr[0], len) == 0 &&
	    memcmp(there.addr[1], b->path.addr[1], len) == 0;
}

static void
check_pair(struct world *w, const struct end *a, const struct end *b)
{
	if (a->sa.spi_i != b->sa.spi_i || a->sa.spi_r != b->sa.spi_r)
		BLAME("hosts %c and %c have different IKE SAs", a->name, b->name);
	/* A NAT that was there for a while leaves one end's encapsulation behind. */
	else if (a->sa.initiator == b->sa.initiator ||
	    (!w->moves && a->sa.encap != b->sa.encap))
		BLAME("hosts %c and %c see their IKE SA differently", a->name, b->name);
	else if (!same_way(w, &a->sa, &b->sa))
		BLAME("hosts %c and %c take different ways", a->name, b->name);
}

/* Where one end sends the other hears, with the same key. */
static void
check_keys(struct world *w, const struct end *a, const struct end *b)
{
	const struct path_sa *in, *out;
	struct ike_child_info info;

	for (unsigned i = 0; ike_child_at(a->host->ike, a->sa.id, i, &info); i++) {
		out = path_find_id(&a->host->path, info.id, true);
		in = path_find(&b->host->path, info.child.spi_out, false);
		if (out == NULL)
			BLAME("host %c has no outbound SA for child %s", a->name,
			    info.child.name);
		else if (in == NULL || in->key_hash != out->key_hash)
			BLAME("what host %c sends by SPI %08x is not understood",
			    a->name, out->spi);
	}
}

/* A limit that the data path has told of makes a new SA, in a while. */
static void
check_limits(struct world *w, const struct host *h)
{
	for (unsigned i = 0; i < PATH_SAS; i++) {
		const struct path_sa *sa = &h->path.sas[i];

		if (sa->id != 0 && sa->soft_at != 0 && w->now > sa->soft_at + REKEYED)
			BLAME("host %c goes on with SPI %08x, whose soft limit came at "
			      "%.3f",
			    'A' + h->number, sa->spi, (double)sa->soft_at / 1e6);
	}
}

/* Data path and engine agree on what there is. */
static void
check_host(struct world *w, const struct host *h)
{
	struct ike_counts c;

	ike_read_counts(h->ike, &c);
	if (path_count(&h->path, true) != c.children ||
	    path_count(&h->path, false) != c.children)
		BLAME("host %c: %u Child SAs, but %u outbound and %u inbound",
		    'A' + h->number, c.children, path_count(&h->path, true),
		    path_count(&h->path, false));
	if (c.half_open != 0 || c.questions != 0)
		BLAME("host %c has %u half-open SAs and %u questions", 'A' + h->number,
		    c.half_open, c.questions);
}

static unsigned
lifetimes(const struct host *h, const struct ike_sa_info *sa)
{
	unsigned n = sa->rekey_at != 0 || sa->ends_at != 0 || sa->reauth_at != 0;
	struct ike_child_info info;

	for (unsigned i = 0; ike_child_at(h->ike, sa->id, i, &info); i++)
		n += info.rekey_at != 0 || info.ends_at != 0;
	return n;
}

/* A timer for liveness, one for keepalives behind a NAT, and those of lifetimes: no other
 * has a purpose. */
static void
check_timers(struct world *w, const struct host *h)
{
	unsigned useful = 0;
	struct ike_sa_info info;
	struct ike_counts c;

	for (ike_id id = 0; ike_next_sa(h->ike, id, &info); id = info.id) {
		const struct tunnel *t = host_tunnel(h, info.connection);

		useful += t != NULL && t->setup[tunnel_end(t, h->number)].dpd != 0;
		useful += info.nat_here + lifetimes(h, &info);
	}
	ike_read_counts(h->ike, &c);
	if (c.timers > useful)
		BLAME("host %c has %u timers and use for %u", 'A' + h->number, c.timers,
		    useful);
}

void
rest_check(struct world *w, const struct tunnel *t)
{
	const struct end a = look(w, t, 0), b = look(w, t, 1);

	if ((a.n == 0) != (b.n == 0))
		BLAME("IKE SA %016llx of host %c is unknown to the other",
		    (unsigned long long)(a.n != 0 ? a.sa.spi_i : b.sa.spi_i),
		    a.n != 0 ? a.name : b.name);
	if (a.n == 0 || b.n == 0)
		return;
	check_quiet(w, &a);
	check_quiet(w, &b);
	check_pair(w, &a, &b);
	check_children(w, &a);
	check_children(w, &b);
	check_keys(w, &a, &b);
	check_keys(w, &b, &a);
	check_host(w, a.host);
	check_host(w, b.host);
	if (w->trouble == PFS_DIFFERS)	/* it is tried again now and then */
		return;
	check_limits(w, a.host);
	check_limits(w, b.host);
	check_timers(w, a.host);
	check_timers(w, b.host);
}

/* One whose end has begun need not be followed. */
static bool
is_to_follow(const struct ike_child_sa *c)
{
	return c->sa->state == IKE_STATE_ESTABLISHED && c->lost == IKE_LOST_NOT &&
	    !c->deleting && !c->leaving;
}

void
rest_check_follows(struct world *w, const struct tunnel *t, unsigned end,
    const struct path_sa *used)
{
	struct host *h = world_host(w, t, end);
	const struct path_sa *in = path_find_id(&h->path, used->id, false);
	unsigned order = in != NULL ? in->order : UINT_MAX;
	const struct ike_child_sa *c;

	for (in = h->path.sas; in < h->path.sas + PATH_SAS; in++) {
		if (in->id == 0 || in->out || in->paired || in->heard == 0 ||
		    in->connection != used->connection || in->child != used->child ||
		    in->order < order || h->path.silent)
			continue;
		c = ike_table_child(h->ike, in->id);
		if (c != NULL && c->installed && is_to_follow(c))
			BLAME("host %c goes on by SPI %08x, but was called by %08x",
			    'A' + h->number, used->spi, in->spi);
	}
}

bool
rest_is_busy(const struct world *w)
{
	const struct ike_sa *sa;
	struct ike_counts c;

	for (unsigned i = 0; i < w->n_hosts; i++) {
		if (w->hosts[i].dead)
			continue;
		ike_read_counts(w->hosts[i].ike, &c);
		if (c.questions != 0)
			return true;
		TAILQ_FOREACH(sa, &w->hosts[i].ike->sas, link)
			if (sa->ours != NULL || sa->theirs != NULL)
				return true;
	}
	return false;
}

/* Tables never shrink: each that was in use keeps one block. */
static long
tables(const struct ike *e)
{
	const struct esp_table *const all[] = { &e->sas_by_id, &e->sas_by_spi,
	    &e->children_by_id, &e->children_by_spi, &e->same };
	long n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		n += all[i]->chains != NULL;
	return n;
}

/* Not a block of memory more than engines without tunnels need. */
static void
check_blocks(struct world *w)
{
	long wanted = w->blocks + (w->judge.once.v != NULL);

	attacker_forget(&w->attacker);
	for (unsigned i = 0; i < w->n_hosts; i++) {
		if (w->hosts[i].dead) {
			host_close(&w->hosts[i]);
		} else {
			host_tick(&w->hosts[i], w->now); /* outputs are forgotten */
			wanted += w->hosts[i].blocks + tables(w->hosts[i].ike);
		}
	}
	if (w->network.frames == NULL && memory_blocks() != wanted)
		BLAME("%ld blocks of memory are left over", memory_blocks() - wanted);
}

void
rest_check_end(struct world *w)
{
	struct ike_counts c;

	for (unsigned i = 0; i < w->n_hosts; i++) {
		const struct host *h = &w->hosts[i];

		if (h->dead)
			continue;
		ike_read_counts(h->ike, &c);
		if (c.connections || c.sas || c.half_open || c.children || c.questions ||
		    c.timers)
			BLAME("host %c keeps %u connections, %u SAs (%u half-open), %u "
			      "children, %u questions, %u timers", 'A' + h->number,
			    c.connections, c.sas, c.half_open, c.children, c.questions,
			    c.timers);
		if (path_count(&h->path, true) || path_count(&h->path, false) ||
		    ipsec_children_policies(h->children) != 0)
			BLAME("host %c keeps something in its data path",
			    'A' + h->number);
	}
	check_blocks(w);
}
