#include "daemon/plan.h"

#include <stdlib.h>

bool
plan_prefix_contains(const struct esp_prefix *outer, const struct esp_prefix *inner)
{
	unsigned whole = outer->bits / 8, rest = outer->bits % 8;

	if (outer->family != inner->family || outer->bits > inner->bits ||
	    memcmp(outer->addr, inner->addr, whole) != 0)
		return false;
	return rest == 0 ||
	    ((outer->addr[whole] ^ inner->addr[whole]) >> (8 - rest)) == 0;
}

static struct plan_entry *
find_entry(const struct plan *plan, const struct plan_key *key)
{
	for (unsigned i = 0; i < plan->n; i++)
		if (memcmp(&plan->v[i].key, key, sizeof(*key)) == 0)
			return &plan->v[i];
	return NULL;
}

/* The first selector that wants a key decides on its source. */
static bool
want(struct plan *plan, enum plan_kind kind, const struct esp_prefix *prefix,
    const struct address *source)
{
	struct plan_entry entry, *v;

	memset(&entry, 0, sizeof(entry));
	entry.key.kind = (uint8_t)kind;
	entry.key.prefix = *prefix;
	if (find_entry(plan, &entry.key) != NULL)
		return true;
	if (source != NULL) {
		entry.has_source = true;
		memcpy(entry.source, source->addr, sizeof(entry.source));
	}
	if ((plan->n & (plan->n - 1)) == 0) {	/* as addresses_add */
		v = reallocarray(
		    plan->v, plan->n == 0 ? 1 : (size_t)plan->n * 2, sizeof(*v));
		if (v == NULL)
			return false;
		plan->v = v;
	}
	plan->v[plan->n++] = entry;
	return true;
}

/* The prefix of the network that an address of this host stands in; false: it has
 * none. */
static bool
connected(const struct address *a, struct esp_prefix *network)
{
	struct esp_range range;
	unsigned host = a->family == ESP_IPV4 ? 32 : 128;

	memset(network, 0, sizeof(*network));
	return a->bits < host &&
	    esp_range_from_prefix(&range, a->family, a->addr, a->bits) &&
	    esp_range_next_prefix(&range, network);
}

static bool
is_inside(const struct esp_prefix *prefix, const struct esp_range *range)
{
	struct esp_range inner, outer = esp_range_any(range->family);

	memcpy(outer.addr, range->addr, sizeof(outer.addr));
	return esp_range_from_prefix(
		   &inner, prefix->family, prefix->addr, prefix->bits) &&
	    esp_range_subset(&inner, &outer);
}

/* What one remote prefix of one selector wants besides itself. */
static bool
want_around(struct plan *plan, const struct esp_selector *s,
    const struct esp_prefix *remote, const struct addresses *host,
    const struct address *source)
{
	struct esp_prefix local = { 0 }, none = { .family = remote->family }, network;
	bool all = remote->bits == 0;

	while (esp_range_next_prefix(&s->local, &local)) {
		if (local.bits > remote->bits && plan_prefix_contains(remote, &local) &&
		    !want(plan, PLAN_EXCEPT, &local, NULL))
			return false;
		if (all && !want(plan, PLAN_FROM, &local, NULL))
			return false;
	}
	if (all && source != NULL && !want(plan, PLAN_HOST, &none, NULL))
		return false;
	for (unsigned i = 0; i < host->n; i++)
		if (connected(&host->v[i], &network) && network.bits > remote->bits &&
		    plan_prefix_contains(remote, &network) &&
		    is_inside(&network, &s->local) &&
		    !want(plan, PLAN_EXCEPT, &network, NULL))
			return false;
	return true;
}

static bool
want_selector(
    struct plan *plan, const struct esp_selector *s, const struct addresses *host)
{
	const struct address *source = addresses_pick(host, &s->local);
	struct esp_prefix remote = { 0 };

	if (source == NULL)
		plan->sourceless = true;
	if (s->remote.protocol != 0 || s->local.protocol != 0)
		plan->narrow = true;
	while (esp_range_next_prefix(&s->remote, &remote))
		if (!want(plan, PLAN_REMOTE, &remote, source) ||
		    !want_around(plan, s, &remote, host, source))
			return false;
	return true;
}

bool
plan_make(struct plan *plan, const struct esp_selector *v, unsigned n,
    const struct addresses *host)
{
	*plan = (struct plan){ NULL, 0, false, false };
	for (unsigned i = 0; i < n; i++)
		if (!want_selector(plan, &v[i], host)) {
			plan_clear(plan);
			return false;
		}
	return true;
}

void
plan_clear(struct plan *plan)
{
	free(plan->v);
	*plan = (struct plan){ NULL, 0, false, false };
}

/* An entry is octets only and was zeroed before it was filled. */
bool
plan_equal(const struct plan *a, const struct plan *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}
