#include <stdlib.h>

#include "libesp/policy.h"

struct bucket_key {			/* no padding: it is hashed as octets */
	uint8_t family, remote_bits, local_bits, zero;
	uint8_t remote[16], local[16];
};

struct esp_policy_bucket {
	struct bucket_key key;
	struct esp_policy_entry *first;
	struct esp_link link;
};

struct esp_tuple {
	uint8_t remote_bits, local_bits;
	uint32_t best;			/* no entry's rank is below it */
	unsigned entries;
};

/* ---- tuples, sorted by `best` so that a look-up can stop early ---- */

static struct esp_tuples *
tuples_of(struct esp_policies *p, uint8_t family)
{
	return &p->tuples[family == ESP_IPV6];
}

static void
sort_tuple(struct esp_tuples *all, unsigned at)
{
	for (; at > 0 && all->v[at].best < all->v[at - 1].best; at--) {
		struct esp_tuple tuple = all->v[at];

		all->v[at] = all->v[at - 1];
		all->v[at - 1] = tuple;
	}
}

static bool
add_to_tuple(struct esp_tuples *all, const struct bucket_key *key, uint32_t rank)
{
	unsigned i;

	for (i = 0; i < all->n; i++)
		if (all->v[i].remote_bits == key->remote_bits &&
		    all->v[i].local_bits == key->local_bits)
			break;
	if (i == all->n) {
		if (all->n == all->room) {
			unsigned room = all->room == 0 ? 8 : 2 * all->room;
			struct esp_tuple *v = realloc(all->v, room * sizeof *v);

			if (v == NULL)
				return false;
			all->v = v;
			all->room = room;
		}
		all->v[all->n++] = (struct esp_tuple){ .remote_bits = key->remote_bits,
			.local_bits = key->local_bits, .best = rank };
	}
	all->v[i].entries++;
	if (rank < all->v[i].best)
		all->v[i].best = rank;
	sort_tuple(all, i);
	return true;
}

static void
remove_from_tuple(struct esp_tuples *all, const struct bucket_key *key)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct esp_tuple *t = &all->v[i];

		if (t->remote_bits != key->remote_bits ||
		    t->local_bits != key->local_bits)
			continue;
		if (--t->entries == 0) {
			all->n--;
			memmove(t, t + 1, (all->n - i) * sizeof *t);
		}
		return;
	}
}

/* ---- buckets ---- */

/* The first `bits` of addr, the rest zero. */
static void
copy_prefix(uint8_t *to, const uint8_t *addr, unsigned bits)
{
	unsigned whole = bits / 8;

	memcpy(to, addr, whole);
	if (bits % 8 != 0)
		to[whole] = addr[whole] & (uint8_t)(0xff00 >> bits % 8);
}

/* Length of the longest prefix that contains the range. */
static uint8_t
common_bits(const struct esp_range *r)
{
	unsigned bits = r->family == ESP_IPV4 ? 32 : 128, i = 0;

	while (i < bits && ((r->addr[0][i / 8] ^ r->addr[1][i / 8]) & 0x80 >> i % 8) == 0)
		i++;
	return (uint8_t)i;
}

static struct bucket_key
make_key(uint8_t family, unsigned remote_bits, const uint8_t *remote, unsigned local_bits,
    const uint8_t *local)
{
	struct bucket_key key = { .family = family, .remote_bits = (uint8_t)remote_bits,
		.local_bits = (uint8_t)local_bits };

	copy_prefix(key.remote, remote, remote_bits);
	copy_prefix(key.local, local, local_bits);
	return key;
}

static struct esp_policy_bucket *
find_bucket(const struct esp_policies *p, const struct bucket_key *key)
{
	return ESP_MEMBER(esp_table_find(&p->buckets, key), struct esp_policy_bucket,
	    link);
}

static struct esp_policy_bucket *
need_bucket(struct esp_policies *p, const struct bucket_key *key)
{
	struct esp_policy_bucket *bucket = find_bucket(p, key);

	if (bucket != NULL)
		return bucket;
	bucket = calloc(1, sizeof *bucket);
	if (bucket == NULL)
		return NULL;
	bucket->key = *key;
	if (!esp_table_add(&p->buckets, &bucket->link)) {
		free(bucket);
		return NULL;
	}
	return bucket;
}

static void
drop_empty_bucket(struct esp_policies *p, struct esp_policy_bucket *bucket)
{
	if (bucket->first != NULL)
		return;
	esp_table_remove(&p->buckets, &bucket->link);
	free(bucket);
}

static bool
comes_before(const struct esp_policy_entry *a, const struct esp_policy_entry *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return a->put->serial > b->put->serial;
}

static bool
link_entry(struct esp_policies *p, struct esp_policy_entry *e)
{
	const struct esp_range *local = &e->selector.local, *remote = &e->selector.remote;
	struct bucket_key key = make_key(remote->family, common_bits(remote),
	    remote->addr[0], common_bits(local), local->addr[0]);
	struct esp_policy_bucket *bucket = need_bucket(p, &key);
	struct esp_policy_entry **at;

	if (bucket == NULL)
		return false;
	if (!add_to_tuple(tuples_of(p, key.family), &key, e->rank)) {
		drop_empty_bucket(p, bucket);
		return false;
	}
	for (at = &bucket->first; *at != NULL && comes_before(*at, e); at = &(*at)->next)
		;
	e->next = *at;
	*at = e;
	e->bucket = bucket;
	return true;
}

static void
unlink_entry(struct esp_policies *p, struct esp_policy_entry *e)
{
	struct esp_policy_entry **at = &e->bucket->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	remove_from_tuple(tuples_of(p, e->bucket->key.family), &e->bucket->key);
	drop_empty_bucket(p, e->bucket);
}

/* Takes out the first `n` of it, all that are linked, and frees it. */
static void
free_put(struct esp_policies *p, struct esp_policy_put *put, unsigned n)
{
	while (n-- > 0)
		unlink_entry(p, &put->entries[n]);
	free(put);
}

/* ---- policies ---- */

struct esp_policy *
esp_policies_named(const struct esp_policies *p, uint64_t id)
{
	return ESP_MEMBER(esp_table_find(&p->by_id, &id), struct esp_policy, by_id);
}

static struct esp_policy *
need_policy(struct esp_policies *p, uint64_t id)
{
	struct esp_policy *policy = esp_policies_named(p, id);

	if (policy != NULL)
		return policy;
	policy = calloc(1, sizeof *policy);
	if (policy == NULL)
		return NULL;
	policy->id = id;
	SLIST_INIT(&policy->sas);
	if (!esp_table_add(&p->by_id, &policy->by_id)) {
		free(policy);
		return NULL;
	}
	return policy;
}

/* A policy that is neither put nor named by an SA goes. */
static void
drop_unused(struct esp_policies *p, struct esp_policy *policy)
{
	if (policy->put != NULL || !SLIST_EMPTY(&policy->sas))
		return;
	esp_table_remove(&p->by_id, &policy->by_id);
	free(policy);
}

static bool
config_valid(const struct esp_policy_config *c)
{
	for (unsigned i = 0; i < c->n_selectors; i++)
		if (!esp_selector_valid(&c->selectors[i]))
			return false;
	return c->id != 0 && c->n_selectors > 0;
}

/* With every selector linked into the buckets; or NULL, and none is. */
static struct esp_policy_put *
new_put(struct esp_policies *p, struct esp_policy *policy,
    const struct esp_policy_config *c)
{
	struct esp_policy_put *put;

	put = calloc(1, sizeof *put + c->n_selectors * sizeof *put->entries);
	if (put == NULL)
		return NULL;
	put->policy = policy;
	put->serial = p->serial + 1;
	put->alert.of_policy = true;
	put->acquire = c->acquire;
	put->n = c->n_selectors;
	for (unsigned i = 0; i < put->n; i++) {
		put->entries[i].selector = c->selectors[i];
		put->entries[i].rank = esp_selector_rank(&c->selectors[i]);
		put->entries[i].put = put;
		if (!link_entry(p, &put->entries[i])) {
			free_put(p, put, i);
			return NULL;
		}
	}
	return put;
}

static void
take_out(struct esp_policies *p, struct esp_alerts *alerts, struct esp_policy *policy)
{
	if (policy->put == NULL)
		return;
	esp_alert_drop(alerts, &policy->put->alert);
	free_put(p, policy->put, policy->put->n);
	policy->put = NULL;
}

enum esp_error
esp_policies_put(struct esp_policies *p, struct esp_alerts *alerts,
    const struct esp_policy_config *c)
{
	struct esp_policy *policy;
	struct esp_policy_put *put;

	if (!config_valid(c))
		return ESP_INVALID;
	policy = need_policy(p, c->id);
	if (policy == NULL)
		return ESP_NO_MEMORY;
	put = new_put(p, policy, c);
	if (put == NULL) {
		drop_unused(p, policy);
		return ESP_NO_MEMORY;
	}
	p->serial++;
	take_out(p, alerts, policy);
	policy->put = put;
	return ESP_SUCCESS;
}

void
esp_policies_remove(struct esp_policies *p, struct esp_alerts *alerts, uint64_t id)
{
	struct esp_policy *policy = esp_policies_named(p, id);

	if (policy == NULL)
		return;
	take_out(p, alerts, policy);
	drop_unused(p, policy);
}

void
esp_policies_init(struct esp_policies *p)
{
	*p = (struct esp_policies){
		.by_id = ESP_TABLE(struct esp_policy, by_id, id),
		.buckets = ESP_TABLE(struct esp_policy_bucket, link, key)
	};
}

/* After every SA has left. */
void
esp_policies_free(struct esp_policies *p, struct esp_alerts *alerts)
{
	struct esp_policy *policy;
	struct esp_link *link;
	size_t from = 0;

	while ((link = esp_table_any(&p->by_id, &from)) != NULL) {
		policy = ESP_MEMBER(link, struct esp_policy, by_id);
		take_out(p, alerts, policy);
		drop_unused(p, policy);
	}
	esp_table_free(&p->by_id);
	esp_table_free(&p->buckets);
	free(p->tuples[0].v);
	free(p->tuples[1].v);
}

struct esp_policy *
esp_policies_best(const struct esp_policies *p, const struct esp_flow *flow)
{
	const struct esp_tuples *all = &p->tuples[flow->family == ESP_IPV6];
	const struct esp_policy_entry *best = NULL;

	for (unsigned i = 0; i < all->n; i++) {
		const struct esp_tuple *t = &all->v[i];
		const struct esp_policy_bucket *bucket;
		const struct esp_policy_entry *e;
		struct bucket_key key;

		if (best != NULL && best->rank < t->best)
			break;
		key = make_key(flow->family, t->remote_bits, flow->addr[1], t->local_bits,
		    flow->addr[0]);
		bucket = find_bucket(p, &key);
		if (bucket == NULL)
			continue;
		for (e = bucket->first; e != NULL; e = e->next)
			if (esp_selector_matches(&e->selector, flow, ESP_OUT))
				break;
		if (e != NULL && (best == NULL || comes_before(e, best)))
			best = e;
	}
	return best == NULL ? NULL : best->put->policy;
}

/* ---- their SAs ---- */

bool
esp_policies_join(struct esp_policies *p, uint64_t id, struct esp_sa_out *out)
{
	struct esp_policy *policy = need_policy(p, id);

	if (policy == NULL)
		return false;
	SLIST_INSERT_HEAD(&policy->sas, out, sibling);
	out->policy = policy;
	if (policy->put != NULL)
		policy->put->wanted = false;
	return true;
}

void
esp_policies_leave(struct esp_policies *p, struct esp_sa_out *out)
{
	struct esp_policy *policy = out->policy;

	SLIST_REMOVE(&policy->sas, out, esp_sa_out, sibling);
	drop_unused(p, policy);
}
