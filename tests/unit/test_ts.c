#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "libike/payload.h"
#include "libike/ts.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { MOST = 8 };

/* A list from texts, separated by single spaces; freed by ike_ts_free. */
static struct ike_ts
list(const char *texts)
{
	struct ike_ts ts = { calloc(MOST, sizeof *ts.v), 0 };
	char *copy = strdup(texts), *rest = copy, *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		ck_assert_uint_lt(ts.n, MOST);
		ck_assert_msg(esp_range_parse(word, &ts.v[ts.n++]), "no range: %s", word);
	}
	free(copy);
	return ts;
}

static void
check_text(const struct ike_ts *ts, const char *want)
{
	char text[1024];

	ck_assert_str_eq(ike_ts_print(ts, text, sizeof text), want);
}

/* ---- narrowing, 2.9 ---- */

static const struct {
	const char *offer, *policy, *want;	/* "": TS_UNACCEPTABLE */
} narrowings[] = {	/* T47 */
	{ "10.1.0.0/16", "10.1.2.0/24", "10.1.2.0/24" },
	{ "10.1.2.0/24", "10.1.0.0/16", "10.1.2.0/24" },
	{ "0.0.0.0/0", "10.1.0.0/24 10.3.0.0/24", "10.1.0.0/24 10.3.0.0/24" },
	{ "10.3.0.0/24 10.1.0.0/24", "10.0.0.0/8", "10.3.0.0/24 10.1.0.0/24" },
	{ "10.1.0.0-10.1.0.9", "10.1.0.5-10.1.0.20", "10.1.0.5-10.1.0.9" },
	{ "10.1.0.0/24", "10.2.0.0/24", "" },
	{ "10.1.0.0/24", "2001:db8::/32", "" },
	{ "", "10.1.0.0/24", "" },
	{ "10.1.0.0/24", "", "" },
	{ "10.1.0.0/24 2001:db8::/32", "::/0", "2001:db8::/32" },
	{ "10.1.0.0/24[tcp]", "10.1.0.0/24[udp]", "" },
	{ "10.1.0.0/24[tcp/80]", "10.1.0.0/24", "10.1.0.0/24[tcp/80]" },
	{ "10.1.0.0/24", "10.1.0.0/24[udp/53]", "10.1.0.0/24[udp/53]" },
	{ "10.1.0.0/24[tcp/1-100]", "10.1.0.0/24[tcp/50-200]",
	    "10.1.0.0/24[tcp/50-100]" },
	/* T49: the triggering packet first, then what is wanted; it stays covered */
	{ "10.1.0.7[udp/53] 10.1.0.0/16", "10.1.0.0/24", "10.1.0.0/24" },
	{ "10.1.0.7[udp/53] 10.1.0.0/16", "10.1.0.0/24[udp]", "10.1.0.0/24[udp]" },
	{ "10.1.0.7 10.2.0.0/16", "10.1.0.0/24 10.2.2.0/24", "10.1.0.7 10.2.2.0/24" },
	/* duplicates, and what another contains */
	{ "10.1.0.0/24 10.1.0.0/24", "10.1.0.0/24", "10.1.0.0/24" },
	{ "10.1.0.0/24 10.1.0.0/25", "10.0.0.0/8", "10.1.0.0/24" },
	{ "10.1.0.0/25 10.1.0.0/24", "10.0.0.0/8", "10.1.0.0/24" },
	{ "10.1.0.0/24", "10.1.0.1 10.1.0.0/25 10.1.0.0/16", "10.1.0.0/24" },
	/* T51: OPAQUE */
	{ "10.1.0.0/24[udp/opaque]", "10.1.0.0/24", "10.1.0.0/24[udp/opaque]" },
	{ "10.1.0.0/24[udp/opaque]", "10.1.0.0/24[udp/53]", "" },
	{ "10.1.0.0/24[icmp/8]", "10.1.0.0/24[icmp]", "10.1.0.0/24[icmp/8]" }
};

START_TEST(ts_narrow_table)
{
	struct ike_ts offer = list(narrowings[_i].offer);
	struct ike_ts policy = list(narrowings[_i].policy);
	struct ike_ts out = { NULL, 77 };	/* must stay when refused */
	enum ike_error error = ike_ts_narrow(&offer, &policy, &out);

	if (*narrowings[_i].want == '\0') {
		ck_assert_int_eq(error, IKE_TS_UNACCEPTABLE);
		ck_assert_uint_eq(out.n, 77);
	} else {
		ck_assert_int_eq(error, IKE_OK);
		check_text(&out, narrowings[_i].want);
		ck_assert(ike_ts_within(&out, &offer));
		ck_assert(ike_ts_within(&out, &policy));
		ike_ts_free(&out);
	}
	ike_ts_free(&offer);
	ike_ts_free(&policy);
}
END_TEST

/* A world small enough to ask about each of its packets: eight addresses of either
 * family, three protocols, five ports. */
static const uint8_t protocols[] = { 1, 6, 17 };
static const uint16_t ports[] = { 0, 1, 2, 3, 65535 };

static struct esp_range
random_range(uint64_t *seed)
{
	static const uint8_t any_or[] = { 0, 0, 6, 17 };
	const bool v6 = next_random(seed) % 4 == 0;
	struct esp_range range = esp_range_any(v6 ? ESP_IPV6 : ESP_IPV4);
	const unsigned last = range.family == ESP_IPV4 ? 3 : 15;
	uint8_t from = (uint8_t)(next_random(seed) % 8);
	uint8_t to = (uint8_t)(next_random(seed) % 8);

	memset(range.addr, 0, sizeof range.addr);
	range.addr[0][last] = from < to ? from : to;
	range.addr[1][last] = from < to ? to : from;
	range.protocol = any_or[next_random(seed) % 4];
	if (range.protocol != 0 && next_random(seed) % 2 == 0) {
		uint16_t a = (uint16_t)(next_random(seed) % 4);
		uint16_t b = (uint16_t)(next_random(seed) % 4);

		range.port[0] = a < b ? a : b;
		range.port[1] = a < b ? b : a;
	}
	return range;
}

static struct ike_ts
random_list(uint64_t *seed, unsigned most)
{
	struct ike_ts ts = { calloc(MOST, sizeof *ts.v), 0 };

	for (unsigned n = 1 + (unsigned)(next_random(seed) % most); ts.n < n;)
		ts.v[ts.n++] = random_range(seed);
	return ts;
}

/* One packet of the world by number; false behind the last. */
struct packet { uint8_t family, addr, protocol; uint16_t port; };

static bool
packet(unsigned i, struct packet *p)
{
	p->family = i % 2 == 0 ? ESP_IPV4 : ESP_IPV6;
	p->addr = (uint8_t)(i / 2 % 8);
	p->protocol = protocols[i / 16 % 3];
	p->port = ports[i / 48 % 5];
	return i < 240;
}

static bool
has(const struct esp_range *range, const struct packet *p)
{
	const unsigned last = p->family == ESP_IPV4 ? 3 : 15;

	return range->family == p->family && range->addr[0][last] <= p->addr &&
	    p->addr <= range->addr[1][last] &&
	    (range->protocol == 0 || range->protocol == p->protocol) &&
	    range->port[0] <= p->port && p->port <= range->port[1];
}

static bool
list_has(const struct ike_ts *ts, const struct packet *p)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (has(&ts->v[i], p))
			return true;
	return false;
}

static bool
no_range_in_another(const struct ike_ts *ts)
{
	for (unsigned i = 0; i < ts->n; i++)
		for (unsigned j = 0; j < ts->n; j++)
			if (i != j && esp_range_subset(&ts->v[i], &ts->v[j]))
				return false;
	return true;
}

START_TEST(ts_narrow_oracle)
{
	uint64_t seed = 2009;
	unsigned refused = 0;
	struct packet p;

	for (unsigned step = 0; step < 5000; step++) {
		struct ike_ts offer = random_list(&seed, 4);
		struct ike_ts policy = random_list(&seed, 4);
		struct ike_ts out = { 0 };
		enum ike_error error = ike_ts_narrow(&offer, &policy, &out);
		bool any = false;

		for (unsigned i = 0; packet(i, &p); i++) {
			bool want = list_has(&offer, &p) && list_has(&policy, &p);

			any = any || want;
			if (list_has(&out, &p) != want)
				ck_abort_msg("step %u: packet %u should %sbe in", step, i,
				    want ? "" : "not ");
		}
		if (error != (any ? IKE_OK : IKE_TS_UNACCEPTABLE) ||
		    !no_range_in_another(&out) || !ike_ts_within(&out, &offer) ||
		    !ike_ts_within(&out, &policy))
			ck_abort_msg("step %u: error %d, %u ranges", step, error, out.n);
		refused += !any;
		ike_ts_free(&offer);
		ike_ts_free(&policy);
		ike_ts_free(&out);
	}
	ck_assert_uint_gt(refused, 20);
	ck_assert_uint_lt(refused, 4000);
}
END_TEST

/* The answer fits into one payload however much the two lists have in common. */
START_TEST(ts_narrow_cap)
{
	static const unsigned sizes[] = { 254, 255, 256, 300 };

	for (unsigned s = 0; s < 4; s++) {
		struct ike_ts offer = list("0.0.0.0/0"), out;
		struct ike_ts policy = { calloc(sizes[s], sizeof *policy.v), sizes[s] };

		for (unsigned i = 0; i < policy.n; i++) {
			const uint8_t net[4] = { 10, (uint8_t)(i >> 8), (uint8_t)i };

			ck_assert(esp_range_from_prefix(&policy.v[i], ESP_IPV4, net, 24));
		}
		ck_assert_int_eq(ike_ts_narrow(&offer, &policy, &out), IKE_OK);
		ck_assert_uint_eq(out.n, sizes[s] < IKE_MAX_TS ? sizes[s] : IKE_MAX_TS);
		ck_assert(ike_ts_within(&out, &policy));
		ike_ts_free(&offer);
		ike_ts_free(&policy);
		ike_ts_free(&out);
	}
}
END_TEST

/* ---- within ---- */

static const struct {
	const char *inner, *outer;
	bool within;
} withins[] = {	/* T48: what the answer may be, T50: what a rekey must keep */
	{ "10.1.0.0/24", "10.1.0.0/24", true },
	{ "10.1.0.0/25 10.1.0.128/25", "10.1.0.0/24", true },
	{ "10.1.0.0/24", "10.2.0.0/24 10.1.0.0/16", true },
	{ "10.1.0.0/24[tcp/22]", "10.1.0.0/24", true },
	{ "", "10.1.0.0/24", true },
	{ "", "", true },
	{ "10.1.0.0/24", "", false },
	{ "10.1.0.0/23", "10.1.0.0/24", false },
	{ "10.1.0.0/24 10.2.0.0/24", "10.1.0.0/24", false },
	{ "10.1.0.0/24", "10.1.0.0/24[tcp]", false },
	{ "10.1.0.0/24[tcp/22-23]", "10.1.0.0/24[tcp/22]", false },
	{ "::/0", "0.0.0.0/0", false }
};

START_TEST(ts_within_table)
{
	struct ike_ts inner = list(withins[_i].inner), outer = list(withins[_i].outer);

	ck_assert_int_eq(ike_ts_within(&inner, &outer), withins[_i].within);
	ike_ts_free(&inner);
	ike_ts_free(&outer);
}
END_TEST

/* ---- pairs ---- */

static bool
pairs_have(const struct esp_selector *v, unsigned n, const struct packet *l,
    const struct packet *r)
{
	for (unsigned i = 0; i < n; i++)
		if (has(&v[i].local, l) &&
		    has(&v[i].remote, r))
			return true;
	return false;
}

/* A packet from l to r is carried exactly if each end lies in its list. */
static bool
pairs_agree(const struct ike_ts *local, const struct ike_ts *remote,
    const struct esp_selector *v, unsigned n, bool *any)
{
	struct packet l, r;

	for (unsigned i = 0; packet(i, &l); i++) {
		if (!list_has(local, &l))
			continue;
		for (unsigned j = 0; packet(j, &r); j++) {
			bool want = l.family == r.family && l.protocol == r.protocol &&
			    list_has(remote, &r);

			if (l.family != r.family || l.protocol != r.protocol)
				continue;
			*any = *any || want;
			if (pairs_have(v, n, &l, &r) != want)
				return false;
		}
	}
	return true;
}

static bool
all_valid(const struct esp_selector *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!esp_selector_valid(&v[i]) ||
		    v[i].local.protocol != v[i].remote.protocol)
			return false;
	return true;
}

START_TEST(ts_pairs_oracle)
{
	uint64_t seed = 4301;

	for (unsigned step = 0; step < 300; step++) {
		struct ike_ts local = random_list(&seed, 3);
		struct ike_ts remote = random_list(&seed, 3);
		struct esp_selector *v = NULL;
		unsigned n = 0;
		bool any = false;
		enum ike_error error = ike_ts_pairs(&local, &remote, &v, &n);

		if (!pairs_agree(&local, &remote, v, n, &any) || !all_valid(v, n) ||
		    error != (any ? IKE_OK : IKE_TS_UNACCEPTABLE))
			ck_abort_msg("step %u: error %d, %u pairs", step, error, n);
		free(v);
		ike_ts_free(&local);
		ike_ts_free(&remote);
	}
}
END_TEST

START_TEST(ts_pairs_of_two_families)
{
	struct ike_ts local = list("10.1.0.0/24 2001:db8:1::/48");
	struct ike_ts remote = list("10.2.0.0/24 10.3.0.0/24[tcp] 2001:db8:2::/48");
	struct esp_selector *v;
	unsigned n;

	ck_assert_int_eq(ike_ts_pairs(&local, &remote, &v, &n), IKE_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(v[1].local.protocol, 6);
	ck_assert_uint_eq(v[1].remote.protocol, 6);
	ck_assert_uint_eq(v[2].local.family, ESP_IPV6);
	free(v);
	ike_ts_free(&local);
	ike_ts_free(&remote);
}
END_TEST

static struct ike_ts
hosts(unsigned n)
{
	struct ike_ts ts = { calloc(n, sizeof *ts.v), n };

	for (unsigned i = 0; i < n; i++) {
		const uint8_t addr[4] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i };

		ck_assert(esp_range_from_prefix(&ts.v[i], ESP_IPV4, addr, 32));
	}
	return ts;
}

START_TEST(ts_pairs_cap)
{
	static const unsigned counts[][2] = { { 64, 64 }, { 4095, 1 }, { 4096, 1 },
	    { 4097, 1 },
		{ 241, 17 }, { 255, 255 } };

	for (unsigned i = 0; i < 6; i++) {
		struct ike_ts local = hosts(counts[i][0]), remote = hosts(counts[i][1]);
		struct esp_selector *v = NULL;
		unsigned n = 0, all = counts[i][0] * counts[i][1];

		ck_assert_int_eq(ike_ts_pairs(&local, &remote, &v, &n),
		    all <= IKE_MAX_PAIRS ? IKE_OK : IKE_TS_UNACCEPTABLE);
		ck_assert_uint_eq(n, all <= IKE_MAX_PAIRS ? all : 0);
		free(v);
		ike_ts_free(&local);
		ike_ts_free(&remote);
	}
}
END_TEST

/* ---- from and to the wire ---- */

START_TEST(ts_read_back)
{
	static const unsigned counts[] = { 1, 2, 254, 255 };
	uint8_t buf[8192];

	for (unsigned i = 0; i < 4; i++) {
		struct ike_ts ts = hosts(counts[i]), back;
		struct ike_writer w = ike_writer(buf, sizeof buf);

		ike_build_ts(&w, ts.v, ts.n);
		ck_assert_int_eq(ike_ts_read(ike_written(&w), &back), IKE_OK);
		ck_assert_uint_eq(back.n, ts.n);
		for (unsigned j = 0; j < ts.n; j++)
			ck_assert(esp_range_equal(&ts.v[j], &back.v[j]));
		ike_ts_free(&ts);
		ike_ts_free(&back);
	}
}
END_TEST

/* Selectors of unknown types only: nothing that could be narrowed, 2.9. */
START_TEST(ts_read_unknown_types)
{
	struct bytes b = octets("02 000000 09 00 0008 01020304 ff 00 0004");
	struct ike_ts ts, policy = list("0.0.0.0/0"), out;

	ck_assert_int_eq(ike_check_ts(b), IKE_OK);
	ck_assert_int_eq(ike_ts_read(b, &ts), IKE_OK);
	ck_assert_uint_eq(ts.n, 0);
	ck_assert_int_eq(ike_ts_narrow(&ts, &policy, &out), IKE_TS_UNACCEPTABLE);
	ike_ts_free(&ts);
	ike_ts_free(&policy);
	octets_free(b);
}
END_TEST

/* ---- text ---- */

/* At any size: NUL-terminated, whole ranges only, and a cut that shows. */
START_TEST(ts_print_cut)
{
	static const char whole[] = "10.1.0.0/24 10.3.0.0/24[udp/53] 2001:db8::/32";
	struct ike_ts ts = list(whole), none = { 0 };

	for (size_t size = 1; size <= sizeof whole + 1; size++) {
		char *text = malloc(size);
		const char *want = size >= sizeof whole ? whole :
		    size >= 36 ? "10.1.0.0/24 10.3.0.0/24[udp/53] ..." :
		    size >= 16 ? "10.1.0.0/24 ..." : size >= 4 ? "..." : "";

		ck_assert_ptr_eq(ike_ts_print(&ts, text, size), text);
		ck_assert_msg(strcmp(text, want) == 0, "%zu: \"%s\"", size, text);
		ck_assert_str_eq(ike_ts_print(&none, text, size), "");
		free(text);
	}
	(void)ike_ts_print(&ts, NULL, 0);
	ike_ts_free(&ts);
}
END_TEST

#define ROWS(table) (int)(sizeof (table) / sizeof *(table))

int
main(void)
{
	TCase *tcase = tcase_create("ts");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, ts_narrow_table, 0, ROWS(narrowings));
	tcase_add_test(tcase, ts_narrow_oracle);
	tcase_add_test(tcase, ts_narrow_cap);
	tcase_add_loop_test(tcase, ts_within_table, 0, ROWS(withins));
	tcase_add_test(tcase, ts_pairs_oracle);
	tcase_add_test(tcase, ts_pairs_of_two_families);
	tcase_add_test(tcase, ts_pairs_cap);
	tcase_add_test(tcase, ts_read_back);
	tcase_add_test(tcase, ts_read_unknown_types);
	tcase_add_test(tcase, ts_print_cut);
	return run_tests("ts", tcase);
}
