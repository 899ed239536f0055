#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "daemon/cover.h"
#include "daemon/plan.h"
#include "tests/unit/run.h"

enum { MOST = 64 };

/* What a table would hold, kept as the cover tells. */
struct table {
	struct esp_prefix v[MOST];
	unsigned n;
};

static void
change(void *arg, bool needed, const struct esp_prefix *prefix)
{
	struct table *t = arg;
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (memcmp(&t->v[i], prefix, sizeof(*prefix)) == 0)
			break;
	must(needed == (i == t->n), "told twice");
	if (needed) {
		/* what the kernel would refuse */
		for (unsigned k = 0; k < t->n; k++)
			must(!plan_prefix_contains(&t->v[k], prefix) &&
			    !plan_prefix_contains(prefix, &t->v[k]), "an overlap");
		must(t->n < MOST, "too many");
		t->v[t->n++] = *prefix;
	} else {
		t->v[i] = t->v[--t->n];
	}
}

static struct esp_prefix
prefix4(uint32_t addr, uint8_t bits)
{
	struct esp_prefix p = { .family = ESP_IPV4, .bits = bits };

	bytes_store32(p.addr, bits == 0 ? 0 : addr & ~0u << (32 - bits));
	return p;
}

static bool
holds(const struct table *t, uint32_t addr, uint8_t bits)
{
	struct esp_prefix p = prefix4(addr, bits);

	for (unsigned i = 0; i < t->n; i++)
		if (memcmp(&t->v[i], &p, sizeof(p)) == 0)
			return true;
	return false;
}

START_TEST(cover_needs_only_the_widest)
{
	struct table t = { .n = 0 };
	struct cover *c = cover_new(change, &t);
	struct esp_prefix narrow = prefix4(0x0a010000, 24), wide = prefix4(0x0a000000, 8);
	struct esp_prefix all = prefix4(0, 0);

	ck_assert(c != NULL && cover_hold(c, &narrow));
	ck_assert(t.n == 1 && holds(&t, 0x0a010000, 24));
	ck_assert(cover_hold(c, &wide));
	ck_assert(t.n == 1 && holds(&t, 0x0a000000, 8));
	ck_assert(cover_hold(c, &all));
	ck_assert(t.n == 1 && holds(&t, 0, 0));
	cover_release(c, &wide);
	ck_assert(t.n == 1 && holds(&t, 0, 0));
	cover_release(c, &all);
	ck_assert(t.n == 1 && holds(&t, 0x0a010000, 24));
	cover_release(c, &narrow);
	ck_assert_uint_eq(t.n, 0);
	cover_release(c, &narrow);	/* of what is not held: nothing */
	cover_free(c);
}
END_TEST

START_TEST(cover_counts_users)
{
	struct table t = { .n = 0 };
	struct cover *c = cover_new(change, &t);
	struct esp_prefix p = prefix4(0x0a010000, 16);

	ck_assert(c != NULL && cover_hold(c, &p) && cover_hold(c, &p));
	cover_release(c, &p);
	ck_assert_uint_eq(t.n, 1);
	cover_release(c, &p);
	ck_assert_uint_eq(t.n, 0);
	cover_free(c);
}
END_TEST

START_TEST(cover_tells_all_again)
{
	struct table t = { .n = 0 };
	struct cover *c = cover_new(change, &t);
	struct esp_prefix a = prefix4(0x0a010000, 16), b = prefix4(0x0a010100, 24);
	struct esp_prefix d = prefix4(0x0b000000, 8);

	ck_assert(
	    c != NULL && cover_hold(c, &a) && cover_hold(c, &b) && cover_hold(c, &d));
	t.n = 0;
	cover_each(c);
	ck_assert(t.n == 2 && holds(&t, 0x0a010000, 16) && holds(&t, 0x0b000000, 8));
	cover_free(c);
}
END_TEST

/* Against a plain list: the table holds exactly those of it that no other one contains.
 * 16 prefixes of 5 bits' worth of tree, by a fixed sequence. */
START_TEST(cover_is_what_a_list_says)
{
	struct table t = { .n = 0 };
	struct cover *c = cover_new(change, &t);
	unsigned users[6][32] = { { 0 } };
	uint32_t seed = 1;

	ck_assert(c != NULL);
	for (unsigned step = 0; step < 20000; step++) {
		uint8_t bits;
		uint32_t at;
		struct esp_prefix p;
		unsigned needed = 0;

		seed = seed * 1103515245 + 12345;
		bits = (uint8_t)((seed >> 16) % 6);
		at = (seed >> 20) & ((1u << bits) - 1);
		p = prefix4(bits == 0 ? 0 : at << (32 - bits), bits);
		if ((seed >> 28) % 2 == 0) {
			must(cover_hold(c, &p), "no memory");
			users[bits][at]++;
		} else {
			cover_release(c, &p);
			users[bits][at] -= users[bits][at] != 0;
		}
		for (unsigned b = 0; b < 6; b++)
			for (unsigned a = 0; a < 1u << b; a++) {
				bool covered = false;

				for (unsigned up = 0; up < b; up++)
					covered |= users[up][a >> (b - up)] != 0;
				if (users[b][a] == 0 || covered)
					continue;
				needed++;
				must(holds(&t, b == 0 ? 0 : a << (32 - b), (uint8_t)b),
				    "step %u: %u/%u is missing", step, a, b);
			}
		must(needed == t.n, "step %u: %u, not %u", step, t.n, needed);
	}
	cover_free(c);
}
END_TEST

START_TEST(cover_keeps_families_apart)
{
	struct table t = { .n = 0 };
	struct cover *c = cover_new(change, &t);
	struct esp_prefix four = prefix4(0, 0), six = { .family = ESP_IPV6, .bits = 127 };

	ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::2", six.addr), 1);
	ck_assert(c != NULL && cover_hold(c, &four) && cover_hold(c, &six));
	ck_assert_uint_eq(t.n, 2);
	cover_free(c);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("cover");

	tcase_add_test(tcase, cover_needs_only_the_widest);
	tcase_add_test(tcase, cover_counts_users);
	tcase_add_test(tcase, cover_tells_all_again);
	tcase_add_test(tcase, cover_is_what_a_list_says);
	tcase_add_test(tcase, cover_keeps_families_apart);
	return run_tests("cover", tcase);
}
