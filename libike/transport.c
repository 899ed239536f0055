/* Transport mode is between the two hosts themselves, RFC 7296 1.3.1: its selectors hold
 * their addresses and nothing else.  Behind a NAT a host is another one to its peer, so
 * each end puts the addresses that it sees in the place of those that it is told, before
 * it looks at them, and keeps the latter: the peer's checksums are made of them
 * (2.23.1). */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

static struct esp_range
host_range(const struct ike_path *path, unsigned end)
{
	struct esp_range host = esp_range_any(path->family);

	memcpy(host.addr[0], path->addr[end], sizeof(host.addr[0]));
	memcpy(host.addr[1], path->addr[end], sizeof(host.addr[1]));
	return host;
}

unsigned
ike_transport_limit(const struct ike_ts *ts, const struct ike_path *path, unsigned end,
    struct esp_range *v)
{
	struct esp_range host = host_range(path, end);
	unsigned n = 0;

	for (unsigned i = 0; i < ts->n; i++)
		n += esp_range_intersect(&ts->v[i], &host, &v[n]);
	return n;
}

enum ike_error
ike_transport_only(const struct ike_ts *ts, const struct ike_path *path, unsigned end,
    struct ike_ts *out)
{
	*out = (struct ike_ts){ .v = calloc(ts->n > 0 ? ts->n : 1, sizeof(*out->v)) };
	if (out->v == NULL)
		return IKE_NO_MEMORY;
	out->n = ike_transport_limit(ts, path, end, out->v);
	return IKE_OK;
}

/* Every range is of this one address. */
static bool
is_of(const struct ike_ts *ts, const uint8_t addr[16])
{
	for (unsigned i = 0; i < ts->n; i++)
		if (memcmp(ts->v[i].addr[0], addr, 16) != 0 ||
		    memcmp(ts->v[i].addr[1], addr, 16) != 0)
			return false;
	return ts->n > 0;
}

static void
rewrite(struct ike_ts *ts, const uint8_t addr[16])
{
	for (unsigned i = 0; i < ts->n; i++) {
		memcpy(ts->v[i].addr[0], addr, 16);
		memcpy(ts->v[i].addr[1], addr, 16);
	}
}

void
ike_transport_see(struct ike_ts *ts, const struct ike_path *path, unsigned end,
    struct ike_told *told)
{
	told->set = ts->n > 0 && ts->v[0].family == path->family &&
	    is_of(ts, ts->v[0].addr[0]);
	if (!told->set)
		return;
	memcpy(told->addr, ts->v[0].addr[0], sizeof(told->addr));
	rewrite(ts, path->addr[end]);
}

/* A NAT at either end, or one that is only said to be there. */
static bool
is_translated(const struct ike_exchange *x)
{
	return x->told[0].set || x->told[1].set;
}

enum ike_error
ike_transport_keep(struct ike_child_sa *c, const struct ike_exchange *x)
{
	const struct ike_told *ours = &x->told[x->ours ? 0 : 1];
	const struct ike_told *theirs = &x->told[x->ours ? 1 : 0];

	if (!c->transport || !is_translated(x))
		return IKE_OK;
	if ((c->seen_by_peer = calloc(2, sizeof(c->seen_by_peer[0]))) == NULL)
		return IKE_NO_MEMORY;
	if (ours->set)
		memcpy(c->seen_by_peer[0], ours->addr, sizeof(ours->addr));
	if (theirs->set)
		memcpy(c->seen_by_peer[1], theirs->addr, sizeof(theirs->addr));
	return IKE_OK;
}
