#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "libesp/sadb.h"
#include "tests/unit/ends.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static struct esp_flow
flow_to(const char *from, const char *to, uint16_t port)
{
	struct esp_range a, b;
	struct esp_flow flow = {
		.protocol = 17, .ports = ESP_PORTS_PAIR, .port = { 999, port }
	};

	ck_assert(esp_range_parse(from, &a) && esp_range_parse(to, &b));
	flow.family = a.family;
	memcpy(flow.addr[0], a.addr[0], 16);
	memcpy(flow.addr[1], b.addr[0], 16);
	return flow;
}

static void
put(struct esp_policies *p, struct esp_alerts *alerts, uint64_t id, const char *local,
    const char *remote)
{
	struct esp_selector s;
	struct esp_policy_config config = { .id = id, .selectors = &s, .n_selectors = 1 };

	ck_assert_msg(esp_range_parse(local, &s.local), "%s", local);
	ck_assert_msg(esp_range_parse(remote, &s.remote), "%s", remote);
	ck_assert_int_eq(esp_policies_put(p, alerts, &config), ESP_SUCCESS);
}

static uint64_t
best(const struct esp_policies *p, const char *from, const char *to, uint16_t port)
{
	struct esp_flow flow = flow_to(from, to, port);
	const struct esp_policy *policy = esp_policies_best(p, &flow);

	return policy == NULL ? 0 : policy->id;
}

START_TEST(policy_most_specific_decides)
{
	struct esp_policies p;
	struct esp_alerts alerts;

	esp_policies_init(&p);
	STAILQ_INIT(&alerts);
	put(&p, &alerts, 1, "0.0.0.0/0", "0.0.0.0/0");
	put(&p, &alerts, 2, "10.0.0.0/8", "10.0.0.0/8");
	put(&p, &alerts, 3, "10.1.0.0/16", "10.0.0.0/8");
	put(&p, &alerts, 4, "10.1.0.0/16", "10.2.0.0/24");
	put(&p, &alerts, 5, "10.1.0.0/16[udp]", "10.2.0.0/24[udp/53]");
	put(&p, &alerts, 6, "10.0.0.0/8", "10.2.0.3-10.2.0.9");
	put(&p, &alerts, 7, "::/0", "2001:db8::/32");

	ck_assert_uint_eq(best(&p, "192.0.2.1", "192.0.2.2", 1), 1);
	ck_assert_uint_eq(best(&p, "10.9.0.1", "10.2.0.1", 53), 2);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.3.0.1", 53), 3);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 54), 4);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 53), 5);
	/* fewer remote addresses come before everything else */
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.3", 53), 6);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.10", 53), 5);
	ck_assert_uint_eq(best(&p, "2001:db8::1", "2001:db8::2", 1), 7);
	ck_assert_uint_eq(best(&p, "2001:db8::1", "2001:db9::2", 1), 0);

	esp_policies_remove(&p, &alerts, 5);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 53), 4);
	esp_policies_remove(&p, &alerts, 5);
	esp_policies_remove(&p, &alerts, 99);
	put(&p, &alerts, 4, "10.1.0.0/16", "10.7.0.0/24");	/* replaced */
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 53), 3);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.7.0.1", 53), 4);
	esp_policies_free(&p, &alerts);
}
END_TEST

START_TEST(policy_of_equal_rank_the_newest)
{
	struct esp_policies p;
	struct esp_alerts alerts;

	esp_policies_init(&p);
	STAILQ_INIT(&alerts);
	put(&p, &alerts, 1, "10.1.0.0/16", "10.2.0.0/24");
	put(&p, &alerts, 2, "10.1.0.0/16", "10.2.0.0/24");
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 1), 2);
	put(&p, &alerts, 1, "10.1.0.0/16", "10.2.0.0/24");
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 1), 1);
	esp_policies_remove(&p, &alerts, 1);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 1), 2);
	esp_policies_free(&p, &alerts);
}
END_TEST

START_TEST(policy_refuses_invalid)
{
	struct esp_policies p;
	struct esp_alerts alerts;
	struct esp_selector s[2] = { { .local = { .family = 0 } } };
	struct esp_policy_config c = { .id = 1, .selectors = s, .n_selectors = 2 };

	esp_policies_init(&p);
	STAILQ_INIT(&alerts);
	s[0].local = s[0].remote = esp_range_any(ESP_IPV4);
	ck_assert_int_eq(esp_policies_put(&p, &alerts, &c), ESP_INVALID);
	c.n_selectors = 0;
	ck_assert_int_eq(esp_policies_put(&p, &alerts, &c), ESP_INVALID);
	c.n_selectors = 1;
	c.id = 0;
	ck_assert_int_eq(esp_policies_put(&p, &alerts, &c), ESP_INVALID);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 1), 0);
	ck_assert_ptr_null(esp_policies_named(&p, 1));
	c.id = 1;
	ck_assert_int_eq(esp_policies_put(&p, &alerts, &c), ESP_SUCCESS);
	ck_assert_uint_eq(best(&p, "10.1.0.1", "10.2.0.1", 1), 1);
	esp_policies_free(&p, &alerts);
}
END_TEST

/* ---- against a linear scan ---- */

enum { POLICIES = 300, SELECTORS = 3 };

struct oracle {
	struct {
		struct esp_selector s[SELECTORS];
		unsigned n;
		uint64_t serial;
	} v[POLICIES];
	uint64_t serial;
};

static uint64_t
scan(const struct oracle *o, const struct esp_flow *flow)
{
	uint64_t id = 0, serial = 0;
	uint32_t rank = UINT32_MAX;

	for (unsigned i = 0; i < POLICIES; i++)
		for (unsigned j = 0; j < o->v[i].n; j++) {
			uint32_t r = esp_selector_rank(&o->v[i].s[j]);

			if (!esp_selector_matches(&o->v[i].s[j], flow, ESP_OUT))
				continue;
			if (r < rank || (r == rank && o->v[i].serial > serial)) {
				rank = r;
				serial = o->v[i].serial;
				id = i + 1;
			}
		}
	return id;
}

/* Few distinct addresses, so that policies overlap. */
static void
random_address(uint64_t *seed, uint8_t family, uint8_t addr[16])
{
	static const uint8_t octets[] = { 0, 1, 2, 127, 128, 255 };

	memset(addr, 0, 16);
	for (unsigned i = 0; i < (family == ESP_IPV4 ? 4u : 16u); i++)
		addr[i] = i % 4 == 0 ? 10 : octets[next_random(seed) % COUNT(octets)];
}

static struct esp_range
random_range(uint64_t *seed, uint8_t family)
{
	static const uint8_t bits[] = { 0, 8, 9, 16, 24, 28, 31, 32 };
	uint8_t addr[16], other[16];
	struct esp_range r;

	random_address(seed, family, addr);
	ck_assert(esp_range_from_prefix(&r, family, addr,
	    bits[next_random(seed) % COUNT(bits)] * (family == ESP_IPV4 ? 1u : 4u)));
	if (next_random(seed) % 3 == 0) {
		random_address(seed, family, other);
		memcpy(r.addr[memcmp(addr, other, 16) > 0], addr, 16);
		memcpy(r.addr[memcmp(addr, other, 16) <= 0], other, 16);
		memcpy(r.addr[0], memcmp(addr, other, 16) <= 0 ? addr : other, 16);
		memcpy(r.addr[1], memcmp(addr, other, 16) <= 0 ? other : addr, 16);
	}
	if (next_random(seed) % 3 == 0) {
		r.protocol = 17;
		if (next_random(seed) % 2 == 0) {
			r.port[0] = (uint16_t)(next_random(seed) % 4);
			r.port[1] = (uint16_t)(r.port[0] + next_random(seed) % 4);
		}
	}
	return r;
}

static void
change(struct esp_policies *p, struct esp_alerts *alerts, struct oracle *o,
    uint64_t *seed)
{
	unsigned i = (unsigned)(next_random(seed) % POLICIES);
	struct esp_policy_config config = { .id = i + 1, .selectors = o->v[i].s };

	if (next_random(seed) % 3 == 0) {
		esp_policies_remove(p, alerts, i + 1);
		o->v[i].n = 0;
		return;
	}
	o->v[i].n = 1 + (unsigned)(next_random(seed) % SELECTORS);
	o->v[i].serial = ++o->serial;
	for (unsigned j = 0; j < o->v[i].n; j++) {
		uint8_t family = next_random(seed) % 3 == 0 ? ESP_IPV6 : ESP_IPV4;

		o->v[i].s[j].local = random_range(seed, family);
		o->v[i].s[j].remote = random_range(seed, family);
	}
	config.n_selectors = o->v[i].n;
	must(esp_policies_put(p, alerts, &config) == ESP_SUCCESS, "cannot put");
}

START_TEST(policy_look_up_like_a_scan)
{
	static struct oracle o;
	struct esp_policies p;
	struct esp_alerts alerts;
	uint64_t seed = 1;
	unsigned found = 0;

	esp_policies_init(&p);
	STAILQ_INIT(&alerts);
	for (unsigned step = 0; step < 3000; step++) {
		change(&p, &alerts, &o, &seed);
		for (unsigned i = 0; i < 10; i++) {
			struct esp_flow flow = { .protocol =
						     next_random(&seed) % 2 ? 17 : 6,
				.ports = ESP_PORTS_PAIR,
				.port = { (uint16_t)(next_random(&seed) % 6),
				    (uint16_t)(next_random(&seed) % 6) } };
			const struct esp_policy *policy;
			uint64_t want;

			flow.family = next_random(&seed) % 3 == 0 ? ESP_IPV6 : ESP_IPV4;
			random_address(&seed, flow.family, flow.addr[0]);
			random_address(&seed, flow.family, flow.addr[1]);
			policy = esp_policies_best(&p, &flow);
			want = scan(&o, &flow);
			must((policy == NULL ? 0 : policy->id) == want, "step %u: %llu",
			    step, (unsigned long long)want);
			found += want != 0;
		}
	}
	ck_assert_uint_gt(found, 10000);
	esp_policies_free(&p, &alerts);
	ck_assert(STAILQ_EMPTY(&alerts));
}
END_TEST

/* ---- many ---- */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 40,000 policies of three shapes, look-ups spread over all of them: the time of one
 * must not grow with their number.  A scan would take a thousand times the bound. */
START_TEST(policy_look_up_among_forty_thousand)
{
	enum { N = 40000, LOOKUPS = 200000 };
	struct esp_policies p;
	struct esp_alerts alerts;
	double start;
	unsigned wrong = 0;

	esp_policies_init(&p);
	STAILQ_INIT(&alerts);
	start = seconds();
	for (unsigned i = 0; i < N; i++) {
		struct esp_selector s = { .local = esp_range_any(ESP_IPV4),
			.remote = esp_range_any(ESP_IPV4) };
		struct esp_policy_config config = { .id = i + 1, .selectors = &s,
			.n_selectors = 1 };
		uint8_t addr[4];

		bytes_store32(addr, 0x0a000000 + 256 * i);
		ck_assert(esp_range_from_prefix(
		    &s.remote, ESP_IPV4, addr, i % 3 == 0 ? 32 : 24));
		if (i % 3 == 2) {	/* .10 to .99 */
			s.remote.addr[0][3] = 10;
			s.remote.addr[1][3] = 99;
		}
		must(esp_policies_put(&p, &alerts, &config) == ESP_SUCCESS, "%u", i);
	}
	for (unsigned i = 0; i < LOOKUPS; i++) {
		unsigned which = (unsigned)(i * 2654435761u % N);
		struct esp_flow flow = { .family = ESP_IPV4, .protocol = 6,
			.addr = { { 192, 0, 2, 1 } } };
		const struct esp_policy *policy;

		bytes_store32(
		    flow.addr[1], 0x0a000000 + 256 * which + (which % 3 == 0 ? 0 : 50));
		policy = esp_policies_best(&p, &flow);
		wrong += policy == NULL || policy->id != which + 1;
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_msg(seconds() - start < 10, "%.1f s", seconds() - start);
	esp_policies_free(&p, &alerts);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("policy");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, policy_most_specific_decides);
	tcase_add_test(tcase, policy_of_equal_rank_the_newest);
	tcase_add_test(tcase, policy_refuses_invalid);
	tcase_add_test(tcase, policy_look_up_like_a_scan);
	tcase_add_test(tcase, policy_look_up_among_forty_thousand);
	return run_tests("policy", tcase);
}
