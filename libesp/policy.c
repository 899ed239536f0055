#include <stdlib.h>

#include "libesp/policy.h"

struct esp_policy_bucket {
	struct esp_policy_key key;
	struct esp_policy_entry *first;
	struct esp_policy *sure;	/* the first one's, if it contains all that has
					 * the key; else NULL */
	uint32_t rank;			/* with `sure` */
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
add_to_tuple(struct esp_tuples *all, const struct esp_policy_key *key, uint32_t rank)
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
remove_from_tuple(struct esp_tuples *all, const struct esp_policy_key *key)
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

static struct esp_policy_key
make_key(uint8_t family, unsigned remote_bits, const uint8_t *remote, unsigned local_bits,
    const uint8_t *local)
{
	struct esp_policy_key key = { .family = family,
		.remote_bits = (uint8_t)remote_bits, .local_bits = (uint8_t)local_bits };

	copy_prefix(key.remote, remote, remote_bits);
	copy_prefix(key.local, local, local_bits);
	return key;
}

static struct esp_policy_bucket *
find_bucket(const struct esp_policies *p, const struct esp_policy_key *key)
{
	return ESP_MEMBER(esp_table_find(&p->buckets, key), struct esp_policy_bucket,
	    link);
}

static struct esp_policy_bucket *
need_bucket(struct esp_policies *p, const struct esp_policy_key *key)
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
is_whole_prefix(const struct esp_range *r)
{
	const struct esp_range any = esp_range_any(r->family);
	unsigned bits;

	return r->protocol == any.protocol && r->port[0] == any.port[0] &&
	    r->port[1] == any.port[1] && esp_range_is_prefix(r, &bits);
}

/* Then nobody has to look at the entry. */
static void
note_first(struct esp_policy_bucket *bucket)
{
	const struct esp_policy_entry *e = bucket->first;

	bucket->sure = NULL;
	if (e == NULL || !is_whole_prefix(&e->selector.remote) ||
	    !is_whole_prefix(&e->selector.local))
		return;
	bucket->sure = e->put->policy;
	bucket->rank = e->rank;
}

static bool
link_entry(struct esp_policies *p, struct esp_policy_entry *e)
{
	const struct esp_range *local = &e->selector.local, *remote = &e->selector.remote;
	struct esp_policy_key key = make_key(remote->family, common_bits(remote),
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
	note_first(bucket);
	return true;
}

static void
unlink_entry(struct esp_policies *p, struct esp_policy_entry *e)
{
	struct esp_policy_entry **at = &e->bucket->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	note_first(e->bucket);
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

static bool
sa_contains(const struct esp_sa *sa, const struct esp_selector *inner)
{
	const struct esp_selector *s = sa->terms->selectors;

	for (unsigned i = 0; i < sa->terms->n_selectors; i++)
		if (esp_range_subset(&inner->local, &s[i].local) &&
		    esp_range_subset(&inner->remote, &s[i].remote))
			return true;
	return false;
}

/* Then nobody has to compare the packets that the policy has chosen. */
static void
note_whole(const struct esp_policy *policy, struct esp_sa_out *out)
{
	const struct esp_policy_put *put = policy->put;

	out->sa.whole = put != NULL;
	for (unsigned i = 0; put != NULL && i < put->n; i++)
		if (!sa_contains(&out->sa, &put->entries[i].selector))
			out->sa.whole = false;
}

enum esp_error
esp_policies_put(struct esp_policies *p, struct esp_alerts *alerts,
    const struct esp_policy_config *c)
{
	struct esp_policy *policy;
	struct esp_policy_put *put;
	struct esp_sa_out *out;

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
	SLIST_FOREACH(out, &policy->sas, sibling)
		note_whole(policy, out);
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

/* ---- look-up ---- */

static struct esp_policy_key
key_of_flow(const struct esp_tuple *t, const struct esp_flow *flow)
{
	return make_key(flow->family, t->remote_bits, flow->addr[1], t->local_bits,
	    flow->addr[0]);
}

void
esp_policies_begin(const struct esp_policies *p, const struct esp_flow *flow,
    struct esp_policy_search *s)
{
	const struct esp_tuples *all = &p->tuples[flow->family == ESP_IPV6];

	s->n = all->n < ESP_TUPLES_AHEAD ? all->n : ESP_TUPLES_AHEAD;
	for (unsigned i = 0; i < s->n; i++) {
		s->key[i] = key_of_flow(&all->v[i], flow);
		s->slot[i] = esp_table_slot(&p->buckets, &s->key[i]);
		bytes_expect(s->slot[i], sizeof(*s->slot[i]));
	}
}

static void
expect_bucket(const struct esp_link *link)
{
	if (link != NULL)
		bytes_expect((const uint8_t *)link -
		    offsetof(struct esp_policy_bucket, link),
		    sizeof(struct esp_policy_bucket));
}

void
esp_policies_expect_first(const struct esp_policy_search *s)
{
	for (unsigned i = 0; i < s->n; i++)
		expect_bucket(*s->slot[i]);
}

void
esp_policies_expect_second(const struct esp_policy_search *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (*s->slot[i] != NULL)
			expect_bucket((*s->slot[i])->next);
}

/* Most policies have one selector: what is needed of them lies before their entry. */
static void
expect_entry(const struct esp_policy_entry *e)
{
	const size_t before = offsetof(struct esp_policy_put, entries) -
	    offsetof(struct esp_policy_put, serial);

	bytes_expect((const uint8_t *)e - before, before + sizeof(*e));
}

/* Most probably the first one that there is decides: those behind it can wait until it is
 * sure that they are asked. */
void
esp_policies_find_buckets(const struct esp_policies *p, struct esp_policy_search *s)
{
	struct esp_link *link;

	for (unsigned i = 0; i < s->n; i++) {
		link = esp_table_find_from(&p->buckets, *s->slot[i], &s->key[i]);
		s->bucket[i] = ESP_MEMBER(link, struct esp_policy_bucket, link);
		if (link == NULL)
			continue;
		if (s->bucket[i]->sure != NULL)
			bytes_expect(s->bucket[i]->sure, sizeof(struct esp_policy));
		else
			expect_entry(s->bucket[i]->first);
		s->n = i + 1;
	}
}

struct found {
	const struct esp_policy_entry *entry;	/* NULL: none */
	struct esp_policy *policy;
	uint32_t rank;
};

static struct found
find_in(const struct esp_policy_bucket *bucket, const struct esp_flow *flow)
{
	struct found f = { .entry = bucket->first, .policy = bucket->sure,
	    .rank = bucket->rank };

	if (f.policy != NULL)
		return f;
	while (f.entry != NULL &&
	    !esp_selector_matches(&f.entry->selector, flow, ESP_OUT))
		f.entry = f.entry->next;
	if (f.entry != NULL) {
		f.policy = f.entry->put->policy;
		f.rank = f.entry->rank;
	}
	return f;
}

/* Entries of different buckets. */
static bool
is_better(const struct found *f, const struct found *than)
{
	if (f->entry == NULL || than->entry == NULL)
		return f->entry != NULL;
	return f->rank < than->rank ||
	    (f->rank == than->rank && comes_before(f->entry, than->entry));
}

struct esp_policy *
esp_policies_choose(const struct esp_policies *p, const struct esp_flow *flow,
    const struct esp_policy_search *s)
{
	const struct esp_tuples *all = &p->tuples[flow->family == ESP_IPV6];
	struct found best = { .entry = NULL }, f;
	const struct esp_policy_bucket *bucket;
	struct esp_policy_key key;

	for (unsigned i = 0; i < all->n; i++) {
		if (best.entry != NULL && best.rank < all->v[i].best)
			break;
		if (i < s->n) {
			bucket = s->bucket[i];
		} else {
			key = key_of_flow(&all->v[i], flow);
			bucket = find_bucket(p, &key);
		}
		if (bucket == NULL)
			continue;
		f = find_in(bucket, flow);
		if (is_better(&f, &best))
			best = f;
	}
	return best.policy;
}

struct esp_policy *
esp_policies_best(const struct esp_policies *p, const struct esp_flow *flow)
{
	struct esp_policy_search s = { .n = 0 };

	return esp_policies_choose(p, flow, &s);
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
	note_whole(policy, out);
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
