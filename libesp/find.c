/* Inner packets -> their outbound SA. */
#include "libesp/sadb.h"

/* ---- the packets ---- */

/* Whatever their length; octets between the members do not count. */
static bool
same_flow(const struct esp_flow *a, const struct esp_flow *b)
{
	return a->family == b->family && a->protocol == b->protocol &&
	    a->ports == b->ports && memcmp(a->port, b->port, sizeof a->port) == 0 &&
	    memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

static void
read_flow(struct esp *esp, struct esp_packet *p, struct esp_flow *flow)
{
	flow->family = 0;
	if (p->verdict != ESP_OK)
		return;
	p->sa = NULL;
	p->policy = 0;
	if (esp_flow_read(bytes_of(p->data, p->len), flow))
		return;
	flow->family = 0;
	p->verdict = ESP_MALFORMED;
	esp->counters.out[ESP_MALFORMED]++;
}

/* Packets of one flow come in runs: what is found out about the first one is kept for the
 * others, and those between them that have no flow. */
static void
read_flows(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	for (unsigned i = 0; i < n; i++, s++) {
		const struct esp_search *first = at + i == 0 ? s : s[-1].first;

		read_flow(esp, &v[i], &s->flow);
		s->first = s->flow.family == 0 || same_flow(&s->flow, &first->flow) ?
		    first : s;
	}
}

/* Of a run only its first packet is looked for. */
static bool
begins(const struct esp_search *s)
{
	return s->first == s && s->flow.family != 0;
}

/* ---- the policy ---- */

static void
begin(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	read_flows(esp, v, at, n);
	for (; n > 0; n--, s++)
		if (begins(s))
			esp_policies_begin(&esp->policies, &s->flow, &s->by_policy);
}

static void
expect_first(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	const struct esp_search *s = &esp->search[at];

	(void)v;
	for (; n > 0; n--, s++)
		if (begins(s))
			esp_policies_expect_first(&s->by_policy);
}

static void
expect_second(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	const struct esp_search *s = &esp->search[at];

	(void)v;
	for (; n > 0; n--, s++)
		if (begins(s))
			esp_policies_expect_second(&s->by_policy);
}

static void
find_buckets(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	(void)v;
	for (; n > 0; n--, s++)
		if (begins(s))
			esp_policies_find_buckets(&esp->policies, &s->by_policy);
}

static void
find_policies(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	(void)v;
	for (; n > 0; n--, s++)
		if (begins(s)) {
			s->policy = esp_policies_choose(&esp->policies, &s->flow,
			    &s->by_policy);
			bytes_expect(s->policy, sizeof(*s->policy));
		}
}

/* ---- the SA ---- */

/* The newest one, which most packets belong to. */
static void
expect_newest(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	const struct esp_search *s = &esp->search[at];

	(void)v;
	for (; n > 0; n--, s++)
		if (begins(s) && s->policy != NULL && !SLIST_EMPTY(&s->policy->sas))
			esp_sa_expect_out(SLIST_FIRST(&s->policy->sas));
}

/* The newest SA of the policy that contains the flow; ESP_POLICY: none does. */
static enum esp_verdict
choose_sa(const struct esp *esp, struct esp_search *s)
{
	struct esp_sa_out *out;

	SLIST_FOREACH(out, &s->policy->sas, sibling)
		if ((out->sa.whole && esp->only == NULL) ||
		    esp_sa_matches(&out->sa, &s->flow))
			break;
	if (out == NULL)
		return ESP_POLICY;
	s->owner = out->sa.owner;
	if (s->owner != esp->worker)
		return ESP_NOT_MINE;
	s->sa = &out->sa;
	return ESP_OK;
}

static void
want(struct esp *esp, struct esp_policy_put *put, const struct esp_flow *flow)
{
	if (put->wanted)
		return;
	put->wanted = true;
	put->packet = esp_flow_selector(flow, ESP_OUT);
	esp_alert_raise(&esp->alerts, &put->alert, ESP_WANTED);
}

static enum esp_verdict
decide(struct esp *esp, struct esp_search *s)
{
	enum esp_verdict verdict;

	s->sa = NULL;
	s->owner = 0;
	if (s->policy == NULL)
		return ESP_NO_SA;
	verdict = choose_sa(esp, s);
	if (esp->only != NULL || verdict != ESP_POLICY || !s->policy->put->acquire)
		return verdict;
	want(esp, s->policy->put, &s->flow);
	return ESP_ACQUIRE;
}

static void
choose_sas(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	for (struct esp_packet *p = v; p < v + n; p++, s++) {
		if (s->flow.family == 0)
			continue;
		if (begins(s))
			s->verdict = decide(esp, s);
		p->verdict = (uint8_t)s->first->verdict;
		p->policy = s->first->policy != NULL ? s->first->policy->id : 0;
		p->owner = s->first->owner;
		p->sa = s->first->sa;
		if (p->verdict != ESP_OK)
			esp->counters.out[p->verdict]++;
	}
}

void
esp_find(struct esp *esp, struct esp_packet *v, unsigned n)
{
	static const struct esp_stages stages = { .group = 16, .n = 7, .stage = {
		begin, expect_first, expect_second, find_buckets, find_policies,
		expect_newest, choose_sas
	} };

	esp->only = NULL;
	esp_stages_run(&stages, esp, v, n);
}

/* ---- of one policy ---- */

static void
take_policy(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_search *s = &esp->search[at];

	read_flows(esp, v, at, n);
	for (; n > 0; n--, s++)
		s->policy = esp->only;
}

void
esp_find_of(struct esp *esp, uint64_t policy, struct esp_packet *v, unsigned n)
{
	static const struct esp_stages stages = { .group = ESP_BATCH, .n = 2, .stage = {
		take_policy, choose_sas
	} };
	const struct esp_policy *found = esp_policies_named(&esp->policies, policy);

	esp->only = found != NULL && SLIST_EMPTY(&found->sas) ? NULL : found;
	esp_stages_run(&stages, esp, v, n);
}
