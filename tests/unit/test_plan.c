#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/plan.h"
#include "tests/unit/run.h"

static struct esp_selector
selector(const char *local, const char *remote)
{
	struct esp_selector s;

	ck_assert_msg(esp_range_parse(local, &s.local), "%s", local);
	ck_assert_msg(esp_range_parse(remote, &s.remote), "%s", remote);
	return s;
}

static void
add_address(struct addresses *host, const char *text, uint8_t bits, bool fit)
{
	struct address a = { .bits = bits, .fit = fit, .family = ESP_IPV4 };

	if (inet_pton(AF_INET, text, a.addr) != 1) {
		a.family = ESP_IPV6;
		ck_assert_int_eq(inet_pton(AF_INET6, text, a.addr), 1);
	}
	ck_assert(addresses_add(host, &a));
}

/* A gateway: outside 192.0.2.1, inside 10.1.0.1, and the same in IPv6. */
static struct addresses
gateway(void)
{
	struct addresses host = { NULL, 0 };

	add_address(&host, "192.0.2.1", 24, true);
	add_address(&host, "10.1.0.9", 24, false);
	add_address(&host, "10.1.0.1", 24, true);
	add_address(&host, "2001:db8:0:b::1", 64, true);
	add_address(&host, "2001:db8:1::1", 64, true);
	return host;
}

/* The plan as text: "remote 10.2.0.0/24 from 10.1.0.1, except ...", in its order. */
static char *
print(const struct plan *plan)
{
	static const char *const kinds[PLAN_KINDS] = { "remote", "except", "from",
		"host" };
	char *text = calloc(1, 4096), source[64];
	size_t at = 0;

	ck_assert(text != NULL);
	for (unsigned i = 0; i < plan->n; i++) {
		const struct plan_entry *e = &plan->v[i];
		int family = e->key.prefix.family == ESP_IPV4 ? AF_INET : AF_INET6;
		struct esp_range range;
		char prefix[ESP_RANGE_TEXT];

		ck_assert(esp_range_from_prefix(&range, e->key.prefix.family,
		    e->key.prefix.addr, e->key.prefix.bits));
		esp_range_print(&range, prefix, sizeof(prefix));
		at += (size_t)snprintf(text + at, 4096 - at, "%s%s %s",
		    i == 0 ? "" : ", ", kinds[e->key.kind], prefix);
		if (e->has_source)
			at += (size_t)snprintf(text + at, 4096 - at, " by %s",
			    inet_ntop(family, e->source, source, sizeof(source)));
		ck_assert_uint_lt(at, 4096);
	}
	return text;
}

static const struct { const char *local, *remote, *plan;
} rows[] = {
	/* the usual case, and the unfit address is not chosen */
	{ "10.1.0.0/24", "10.2.0.0/24", "remote 10.2.0.0/24 by 10.1.0.1" },
	{ "2001:db8:1::/64", "2001:db8:2::/64",
	    "remote 2001:db8:2::/64 by 2001:db8:1::1" },
	/* unless there is no other */
	{ "10.1.0.9", "10.2.0.0/24", "remote 10.2.0.0/24 by 10.1.0.9" },
	/* no address at all */
	{ "10.7.0.0/24", "10.2.0.0/24", "remote 10.2.0.0/24" },
	/* a range is cut into prefixes */
	{ "10.1.0.0/24", "10.2.0.1-10.2.0.6",
	    "remote 10.2.0.1 by 10.1.0.1, remote 10.2.0.2/31 by 10.1.0.1, "
	    "remote 10.2.0.4/31 by 10.1.0.1, remote 10.2.0.6 by 10.1.0.1" },
	/* our own network inside the peer's */
	{ "10.1.0.0/24", "10.0.0.0/8",
	    "remote 10.0.0.0/8 by 10.1.0.1, except 10.1.0.0/24" },
	/* the peer's inside ours: nothing to except */
	{ "10.0.0.0/8", "10.2.0.0/16", "remote 10.2.0.0/16 by 10.1.0.1" },
	/* both the same: what we are connected to */
	{ "10.0.0.0/8", "10.0.0.0/8",
	    "remote 10.0.0.0/8 by 10.1.0.1, except 10.1.0.0/24" },
	/* but not a network that is no part of the local range */
	{ "10.1.0.0/24", "192.0.0.0/16", "remote 192.0.0.0/16 by 10.1.0.1" },
	/* everything */
	{ "10.1.0.0/24", "0.0.0.0/0",
	    "remote 0.0.0.0/0 by 10.1.0.1, except 10.1.0.0/24, from 10.1.0.0/24, "
	    "host 0.0.0.0/0" },
	{ "10.7.0.0/24", "0.0.0.0/0",
	    "remote 0.0.0.0/0, except 10.7.0.0/24, from 10.7.0.0/24" },
	{ "0.0.0.0/0", "0.0.0.0/0",
	    "remote 0.0.0.0/0 by 192.0.2.1, from 0.0.0.0/0, host 0.0.0.0/0, "
	    "except 192.0.2.0/24, except 10.1.0.0/24" },
	{ "2001:db8:1::/64", "::/0",
	    "remote ::/0 by 2001:db8:1::1, except 2001:db8:1::/64, "
	    "from 2001:db8:1::/64, host ::/0" },
};

START_TEST(plan_of_one_selector)
{
	struct addresses host = gateway();
	struct esp_selector s = selector(rows[_i].local, rows[_i].remote);
	struct plan plan;
	char *text;

	ck_assert(plan_make(&plan, &s, 1, &host));
	text = print(&plan);
	ck_assert_str_eq(text, rows[_i].plan);
	free(text);
	plan_clear(&plan);
	ck_assert(plan.v == NULL && plan.n == 0);
	addresses_clear(&host);
}
END_TEST

START_TEST(plan_has_each_entry_once)
{
	struct addresses host = gateway();
	struct esp_selector s[] = {
		selector("10.1.0.0/24", "10.2.0.0/24"),
		selector("192.0.2.1", "10.2.0.0/24"),
		selector("10.1.0.0/24", "10.2.0.0-10.2.1.255"),
	};
	struct plan plan;
	char *text;

	ck_assert(plan_make(&plan, s, 3, &host));
	text = print(&plan);
	ck_assert_str_eq(text, "remote 10.2.0.0/24 by 10.1.0.1, "
	    "remote 10.2.0.0/23 by 10.1.0.1");
	free(text);
	plan_clear(&plan);
	addresses_clear(&host);
}
END_TEST

START_TEST(plan_says_what_routes_cannot_do)
{
	static const struct {
		const char *local, *remote;
		bool narrow, sourceless;
	} flags[] = {
		{ "10.1.0.0/24", "10.2.0.0/24", false, false },
		{ "10.1.0.0/24[tcp]", "10.2.0.0/24[tcp]", true, false },
		{ "10.1.0.0/24", "10.2.0.0/24[udp/53]", true, false },
		{ "10.7.0.0/24", "10.2.0.0/24", false, true },
	};
	struct addresses host = gateway();
	struct plan plan;

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct esp_selector s = selector(flags[i].local, flags[i].remote);

		ck_assert(plan_make(&plan, &s, 1, &host));
		ck_assert_msg(plan.narrow == flags[i].narrow &&
		    plan.sourceless == flags[i].sourceless, "row %u", i);
		plan_clear(&plan);
	}
	addresses_clear(&host);
}
END_TEST

START_TEST(plan_equal_by_entries)
{
	struct addresses host = gateway(), nobody = { NULL, 0 };
	struct esp_selector s = selector("10.1.0.0/24", "10.2.0.0/23");
	struct esp_selector other = selector("10.1.0.0/24", "10.2.0.0/24");
	struct plan a, b;

	ck_assert(plan_make(&a, &s, 1, &host) && plan_make(&b, &s, 1, &host));
	ck_assert(plan_equal(&a, &b));
	plan_clear(&b);
	ck_assert(!plan_equal(&a, &b) && plan_equal(&b, &b));
	ck_assert(plan_make(&b, &s, 1, &nobody));	/* no source */
	ck_assert(!plan_equal(&a, &b));
	plan_clear(&b);
	ck_assert(plan_make(&b, &other, 1, &host));
	ck_assert(!plan_equal(&a, &b));
	plan_clear(&b);
	plan_clear(&a);
	addresses_clear(&host);
}
END_TEST

START_TEST(prefix_contains_by_every_bit)
{
	struct esp_prefix outer = { .family = ESP_IPV6 }, inner = { .family = ESP_IPV6 };

	inner.bits = 128;
	memset(inner.addr, 0xc3, sizeof(inner.addr));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct esp_range range;
		struct esp_prefix p = { 0 };

		ck_assert(esp_range_from_prefix(&range, ESP_IPV6, inner.addr, bits));
		ck_assert(esp_range_next_prefix(&range, &p));
		outer = p;
		ck_assert(plan_prefix_contains(&outer, &inner));
		ck_assert(plan_prefix_contains(&inner, &outer) == (bits == 128));
		if (bits == 0)
			continue;
		outer.addr[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
		ck_assert(!plan_prefix_contains(&outer, &inner));
	}
	outer = (struct esp_prefix){ .family = ESP_IPV4 };
	ck_assert(!plan_prefix_contains(&outer, &inner));
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("plan");

	tcase_add_loop_test(
	    tcase, plan_of_one_selector, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, plan_has_each_entry_once);
	tcase_add_test(tcase, plan_says_what_routes_cannot_do);
	tcase_add_test(tcase, plan_equal_by_entries);
	tcase_add_test(tcase, prefix_contains_by_every_bit);
	return run_tests("plan", tcase);
}
