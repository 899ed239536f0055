/* Batches go through stages, in which what one packet brings about must not depend on the
 * others. */
#include <check.h>
#include <stdlib.h>

#include "libesp/sadb.h"
#include "tests/unit/ends.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { MANY = 150, SAS = 90, SLOT = 256, HEAD = 64, LEN = 60 };

struct buffers { uint8_t slot[MANY][SLOT]; };

/* ---- the stages themselves ---- */

enum { SEEN_STAGES = 3 };
static unsigned seen[SEEN_STAGES][MANY + 1], n_seen[SEEN_STAGES];
static const struct esp_packet *all;

static void
see(unsigned stage, const struct esp_packet *v, unsigned at, unsigned n)
{
	ck_assert(n > 0 && (v - all) % ESP_BATCH == at);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_lt(n_seen[stage], MANY);
		seen[stage][n_seen[stage]++] = (unsigned)(v - all) + i;
		ck_assert(stage == 0 || n_seen[stage] <= n_seen[stage - 1]);
	}
}

static void
first_stage(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	(void)esp;
	see(0, v, at, n);
}

static void
second_stage(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	(void)esp;
	see(1, v, at, n);
}

static void
third_stage(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	(void)esp;
	see(2, v, at, n);
}

START_TEST(stages_see_each_packet_in_order)
{
	const struct esp_stages stages = { .group = 4, .n = SEEN_STAGES,
		.stage = { first_stage, second_stage, third_stage } };
	static struct esp_packet v[MANY];

	all = v;
	for (unsigned n = 0; n <= MANY; n++) {
		memset(n_seen, 0, sizeof n_seen);
		esp_stages_run(&stages, NULL, v, n);
		for (unsigned s = 0; s < SEEN_STAGES; s++) {
			ck_assert_uint_eq(n_seen[s], n);
			for (unsigned i = 0; i < n; i++)
				ck_assert_uint_eq(seen[s][i], i);
		}
	}
}
END_TEST

/* ---- finding ---- */

static void
put(struct esp *esp, uint64_t id, const char *remote, bool acquire)
{
	struct esp_selector s;
	struct esp_policy_config config = { .id = id, .selectors = &s, .n_selectors = 1,
		.acquire = acquire };

	ck_assert(esp_range_parse("10.1.0.0/16", &s.local) &&
	    esp_range_parse(remote, &s.remote));
	s.local.protocol = s.remote.protocol;
	ck_assert_int_eq(esp_policy_put(esp, &config), ESP_SUCCESS);
}

static void
add_out(struct ends *ends, uint64_t id, uint64_t policy, const char *remote)
{
	struct esp_selector s;

	ck_assert(esp_range_parse("10.1.0.0/16", &s.local) &&
	    esp_range_parse(remote, &s.remote));
	ends->config.direction = ESP_OUT;
	ends->config.id = id;
	ends->config.policy = policy;
	ends->config.selectors = &s;
	ends->config.n_selectors = 1;
	ck_assert_int_eq(esp_add(ends->out, &ends->config), ESP_SUCCESS);
}

static void
prepare(struct ends *ends)
{
	ends_prepare(ends, esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE), false);
}

/* A UDP or TCP packet to 10.2.x.y, in its slot. */
static struct esp_packet
new_packet(uint8_t slot[SLOT], uint8_t protocol, uint16_t to, uint64_t *seed)
{
	struct esp_packet p = { .data = slot + HEAD, .len = LEN, .head = HEAD,
		.tail = SLOT - HEAD - LEN };

	inner_packet(p.data, 4, LEN, seed);
	p.data[9] = protocol;
	memcpy(p.data + 12, "\12\1\0\5\12\2", 6);
	bytes_store16(p.data + 18, to);
	return p;
}

/* Some follow each other in runs, some are broken, some have a verdict already. */
static void
make_inner(struct esp_packet *v, struct buffers *b, uint64_t *seed)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < MANY; i++) {
		if (i == 0 || next_random(seed) % 3 > 0)
			r = next_random(seed);
		v[i] = new_packet(b->slot[i], r % 2 ? 17 : 6, r >> 8 & 0x0303, seed);
		if (next_random(seed) % 16 == 0)
			v[i].data[0] = 0x35;
		if (next_random(seed) % 16 == 0)
			v[i].verdict = ESP_TOO_BIG;
	}
}

START_TEST(find_in_batches_as_alone)
{
	static const char *const policies[] = { "10.2.0.0/16", "10.2.1.0/24",
		"10.2.2.0-10.2.2.2", "10.2.3.1", "10.2.3.0/24[udp]", "10.2.0.3[tcp]",
		"10.2.1.2/31" };
	static struct buffers b;
	struct esp_packet v[MANY], alone;
	struct ends ends;
	uint64_t seed = 1;
	unsigned found = 0;

	prepare(&ends);
	for (unsigned i = 0; i < sizeof policies / sizeof *policies; i++)
		put(ends.out, i + 1, policies[i], i % 3 == 0);
	add_out(&ends, 1, 1, "10.2.0.0/17");
	add_out(&ends, 2, 2, "10.2.1.0-10.2.1.1");
	add_out(&ends, 3, 3, "10.0.0.0/8");
	add_out(&ends, 5, 5, "10.2.3.0/24[udp]");
	for (unsigned round = 0; round < 20; round++) {
		make_inner(v, &b, &seed);
		for (unsigned n = 1; n <= MANY; n = 2 * n + 1) {
			struct esp_packet w[MANY];

			memcpy(w, v, sizeof w);
			esp_find(ends.out, w, n);
			for (unsigned i = 0; i < n; i++) {
				alone = v[i];
				esp_find(ends.out, &alone, 1);
				ck_assert_msg(alone.verdict == w[i].verdict &&
				    alone.policy == w[i].policy && alone.sa == w[i].sa,
				    "%u of %u: %u, not %u", i, n, w[i].verdict,
				    alone.verdict);
				found += alone.sa != NULL;
			}
		}
	}
	ck_assert_uint_gt(found, 1000);
	ends_free(&ends);
}
END_TEST

static uint8_t
verdict_to(struct esp *esp, uint16_t to)
{
	static struct buffers b;
	uint64_t seed = 2;
	struct esp_packet p = new_packet(b.slot[0], 17, to, &seed);

	esp_find(esp, &p, 1);
	return p.verdict;
}

/* An SA that contains all of its policy need not be compared: until there is another
 * policy. */
START_TEST(find_compares_with_the_policy_of_today)
{
	struct ends ends;

	prepare(&ends);
	put(ends.out, 1, "10.2.1.0/24", false);
	add_out(&ends, 1, 1, "10.2.1.0/24");
	ck_assert_int_eq(verdict_to(ends.out, 0x0101), ESP_OK);
	put(ends.out, 1, "10.2.0.0/16", false);
	ck_assert_int_eq(verdict_to(ends.out, 0x0101), ESP_OK);
	ck_assert_int_eq(verdict_to(ends.out, 0x0201), ESP_POLICY);
	put(ends.out, 1, "10.2.1.0/25", false);
	ck_assert_int_eq(verdict_to(ends.out, 0x0101), ESP_OK);
	ck_assert_int_eq(verdict_to(ends.out, 0x0181), ESP_NO_SA);
	esp_policy_remove(ends.out, 1);
	put(ends.out, 1, "10.2.1.0/24[tcp]", false);
	ck_assert_int_eq(verdict_to(ends.out, 0x0101), ESP_NO_SA);
	put(ends.out, 1, "10.2.0.0/16[udp]", false);
	ck_assert_int_eq(verdict_to(ends.out, 0x0201), ESP_POLICY);
	ends_free(&ends);
}
END_TEST

/* ---- opening ---- */

static void
add_pairs(struct ends *ends, struct esp *other)
{
	for (unsigned i = 0; i < SAS; i++) {
		ends->config.id = ends->config.policy = i + 1;
		ends->config.spi = 256 + i * 7;
		ends->config.direction = ESP_OUT;
		ck_assert_int_eq(esp_add(ends->out, &ends->config), ESP_SUCCESS);
		ends->config.direction = ESP_IN;
		ck_assert_int_eq(esp_add(ends->in, &ends->config), ESP_SUCCESS);
		ck_assert_int_eq(esp_add(other, &ends->config), ESP_SUCCESS);
	}
}

/* Sealed by SAs in disorder; some are spoilt, cut, sent again, or nobody's. */
static void
make_outer(struct ends *ends, struct esp_packet *v, struct buffers *b, uint64_t *seed)
{
	for (unsigned i = 0; i < MANY; i++) {
		v[i] = new_packet(b->slot[i], 17, 0x0101, seed);
		esp_find_of(ends->out, next_random(seed) % SAS + 1, &v[i], 1);
		ck_assert_int_eq(v[i].verdict, ESP_OK);
	}
	esp_seal(ends->out, v, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(v[i].verdict, ESP_OK);
		switch (next_random(seed) % 12) {
		case 0: v[i].data[v[i].len - 1] ^= 1; break;
		case 1: v[i].len = (uint32_t)(next_random(seed) % 40); break;
		case 2: bytes_store32(v[i].data, (uint32_t)(next_random(seed) % 512)); break;
		case 3: v[i].verdict = ESP_TOO_BIG; break;
		case 4: v[i].len = v[i / 2].len;
			memcpy(v[i].data, v[i / 2].data, v[i].len); break;
		default: break;
		}
	}
}

START_TEST(open_in_batches_as_alone)
{
	static struct buffers b, c;	/* for one end, and for the other */
	struct esp *other = esp_new(0, 1);
	struct esp_packet v[MANY], w[MANY];
	struct ends ends;
	uint64_t seed = 3;

	prepare(&ends);
	add_pairs(&ends, other);
	for (unsigned round = 0; round < 20; round++) {
		make_outer(&ends, v, &b, &seed);
		c = b;
		for (unsigned i = 0; i < MANY; i++) {
			w[i] = v[i];
			w[i].data = c.slot[i] + (v[i].data - b.slot[i]);
			esp_open(other, &w[i], 1);
		}
		esp_open(ends.in, v, MANY);
		for (unsigned i = 0; i < MANY; i++) {
			ck_assert_msg(v[i].verdict == w[i].verdict &&
			    v[i].flags == w[i].flags && v[i].len == w[i].len &&
			    (v[i].sa == NULL) == (w[i].sa == NULL), "%u: %u, not %u", i,
			    v[i].verdict, w[i].verdict);
			ck_assert(v[i].verdict != ESP_OK ||
			    memcmp(v[i].data, w[i].data, v[i].len) == 0);
		}
	}
	ck_assert_mem_eq(esp_read_counters(ends.in), esp_read_counters(other),
	    sizeof(struct esp_counters));
	ck_assert_uint_gt(esp_read_counters(other)->in[ESP_REPLAY], 10);
	ck_assert_uint_gt(esp_read_counters(other)->in[ESP_INTEGRITY], 10);
	ck_assert_uint_gt(esp_read_counters(other)->in[ESP_OK], 1000);
	esp_free(other);
	ends_free(&ends);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("stage");

	tcase_add_test(t, stages_see_each_packet_in_order);
	tcase_add_test(t, find_in_batches_as_alone);
	tcase_add_test(t, find_compares_with_the_policy_of_today);
	tcase_add_test(t, open_in_batches_as_alone);
	return run_tests("stage", t);
}
